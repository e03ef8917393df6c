/* `taylor`: counts of monomials, the remainder as a bound, convergence in the degree. */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "algo/monomials.h"
#include "attention.h"

static void counts(void **state)
{
    (void)state;
    assert_int_equal(kmv_monomials_count(3, 0), 1);
    assert_int_equal(kmv_monomials_count(64, 1), 65);
    assert_int_equal(kmv_monomials_count(64, 2), 66 * 65 / 2);
    assert_int_equal(kmv_monomials_count(2, 5), 21);
    assert_int_equal(kmv_monomials_count(64, 4), SIZE_MAX); /* 814385 > 2^17 */
    CHECK_CLOSE(kmv_monomials_remainder(1, 1), 2.718281828459045 / 2, 1e-12);
    CHECK_CLOSE(kmv_monomials_remainder(2, 3), 7.38905609893065 * 16 / 24, 1e-12);
}

/* Features of two points give the polynomial of their dot product: sum (u.v)^t / t!. */
static void polynomial_by_hand(void **state)
{
    attention p = attention_plain(KMV_SOFTMAX, 2, 2, 3, 1, 0.8, 0);
    const double want[4] = {1, 1 + 1, 1 + 1 + 0.5, 1 + 1 + 0.5 + 1.0 / 6};

    (void)state;
    for (size_t i = 0; i < 2; i++) { /* means 0, u.v = +-1 */
        const float sign = i == 0 ? 1.0f : -1.0f;
        const float q[3] = {1, 2, -1}, k[3] = {1, 0.5f, 1};

        for (size_t l = 0; l < 3; l++) {
            p.q.x[i * p.q.ld + l] = sign * q[l];
            p.k.x[i * p.k.ld + l] = sign * k[l];
        }
    }
    attention_reference(&p);
    for (size_t degree = 0; degree < 4; degree++) {
        kmv_monomials m;
        kmv_cost cost = {0};
        kmv_error err;
        float q[64], k[64], q_scale, k_scale;
        double sum = 0;

        CHECK_OK(kmv_monomials_init(&m, &p.problem, degree, &cost, &err));
        m.map.rows(m.map.map, KMV_QUERIES, 0, 1, q, &q_scale);
        m.map.rows(m.map.map, KMV_KEYS, 0, 1, k, &k_scale);
        for (size_t f = 0; f < m.map.features; f++)
            sum += (double)q[f] * (double)k[f];
        CHECK_CLOSE(sum, want[degree], 1e-6); /* 20 products of floats below 3 */
        CHECK_CLOSE((double)q_scale + (double)k_scale, 0, 0);
        kmv_monomials_clear(&m);
    }
    attention_clear(&p);
}

/* Entries err by at most R = exp(B) B^(g+1) / (g+1)!, and for softmax a row by at most 2 R / (the
 * smallest entry exp(-B)) of the largest |x|: numerator and denominator err alike. Gauss: |y - Gx|
 * <= n R |x|. Float sums of some hundred terms leave 1e-4. Both shrink with the degree. */
static void within_the_remainder(void **state)
{
    (void)state;
    for (int softmax = 0; softmax < 2; softmax++) {
        for (int causal = 0; causal < 2; causal++) {
            attention p =
                attention_plain(softmax ? KMV_SOFTMAX : KMV_GAUSS, 33, 37, 3, 3, 0.35, 0.1);
            double last = 1e9, most = 0;

            p.problem.causal = causal;
            attention_reference(&p);
            for (size_t j = 0; j < 37 * 3; j++)
                most = fmax(most, fabs(p.x[j]));
            for (size_t degree = 1; degree < 12; degree += 3) {
                char options[32];
                double bound, remainder, error;

                snprintf(options, sizeof options, "degree=%zu", degree);
                attention_run(&p, "taylor", options, NULL, 1, 1, NULL);
                bound = strtod(strstr(p.text, "|exponent| <= ") + 14, NULL) * 1.01;
                assert_true(bound < 3);
                remainder = kmv_monomials_remainder(bound, degree);
                error = attention_relative_error(&p);
                if (softmax)
                    CHECK_CLOSE(error, 0, 2 * remainder * exp(bound) * most + 1e-4);
                else
                    CHECK_CLOSE(error, 0, 37 * remainder + 1e-4);
                assert_true(error < last || error < 1e-5);
                last = error;
            }
            CHECK_CLOSE(last, 0, 1e-5);
            attention_check_contract(&p, "taylor", "degree=4");
            attention_check_isas(&p, "taylor", "degree=4", 1e-4);
            attention_clear(&p);
        }
    }
}

static void refusals(void **state)
{
    attention p = attention_plain(KMV_SOFTMAX, 3, 3, 64, 1, 1, 0);

    (void)state;
    attention_reference(&p);
    assert_non_null(
        strstr(kmv_algo_rejects(kmv_algo_find("taylor"), &p.problem, "degree=4", 1, 0), "131072"));
    assert_null(kmv_algo_rejects(kmv_algo_find("taylor"), &p.problem, "degree=3", 1, 0));
    attention_clear(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts),
        cmocka_unit_test(polynomial_by_hand),
        cmocka_unit_test(within_the_remainder),
        cmocka_unit_test(refusals),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

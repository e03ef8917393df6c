/* `rff`: its features against their published mean and variance, its products against the exact. */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "algo/fourier_features.h"
#include "attention.h"
#include "base/mem.h"
#include "vectors.h"

/* The terms of the estimate of k, one per direction, of the pair (0, 0). */
static double *terms(const attention *p, const kmv_fourier_options *o, uint64_t key)
{
    const size_t m = o->features, directions = o->kind == KMV_FOURIER_PAIRS ? m / 2 : m;
    float *q = calloc(m, sizeof *q), *k = calloc(m, sizeof *k), q_scale, k_scale;
    double *out = calloc(directions, sizeof *out), mean = 0, exponent;
    kmv_fourier_features f;
    kmv_cost cost = {0};
    kmv_error err = {""};

    CHECK_OK(kmv_fourier_features_init(&f, &p->problem, o, kmv_tile_best(), key, &cost, &err));
    assert_int_equal(f.directions, directions);
    f.map.rows(f.map.map, KMV_QUERIES, 0, 1, q, &q_scale);
    f.map.rows(f.map.map, KMV_KEYS, 0, 1, k, &k_scale);
    assert_true(q_scale == 0 && k_scale == 0);
    for (size_t l = 0; l < m; l++)
        out[l % directions] += f.map.factor * (double)directions * (double)q[l] * (double)k[l];
    for (size_t l = 0; l < directions; l++)
        mean += out[l] / (double)directions;
    CHECK_CLOSE(kmv_feature_entry(&f.map, q, 0, k, 0, &exponent), mean, 1e-12);
    assert_true(exponent == 0);
    kmv_fourier_features_clear(&f);
    free(q);
    free(k);
    return out;
}

static double kernel(const attention *p)
{
    double distance2 = 0;

    for (size_t l = 0; l < p->q.d; l++) {
        const double difference = (double)p->q.x[l] - (double)p->k.x[l];

        distance2 += difference * difference;
    }
    return exp(-distance2 / 2);
}

/* Rahimi & Recht; Sutherland & Schneider. Near and far pairs; five standard errors, so each of the
 * 8 comparisons fails wrongly with probability 6e-7 (the terms are bounded, 65536 of them). */
static void published_mean_and_variance(void **state)
{
    (void)state;
    for (int t = 0; t < 4; t++) {
        const int pairs = t % 2 == 0;
        const kmv_fourier_options o = {.features = 65536,
                                       .kind = pairs ? KMV_FOURIER_PAIRS : KMV_FOURIER_PHASES};
        const double directions = pairs ? 32768 : 65536;
        attention p = attention_plain(KMV_GAUSS, 1, 1, 6, 1, t < 2 ? 0.3 : 0.8, 0);
        double k, want, *v;
        moments m;

        attention_reference(&p);
        k = kernel(&p);
        want = pairs ? (1 - k * k) * (1 - k * k) / 2 : 1 + k * k * k * k / 2 - k * k;
        v = terms(&p, &o, 7);
        m = moments_of(v, (size_t)directions);
        CHECK_CLOSE(m.mean, k, 5 * sqrt(want / directions));
        CHECK_CLOSE(m.variance, want, 5 * sqrt((m.fourth - m.variance * m.variance) / directions));
        free(v);
        attention_clear(&p);
    }
}

/* Orthogonal directions stay unbiased, and for a near pair have a smaller variance than independent
 * ones (Yu et al., theorem 1). Over 4000 draws of d pairs, five standard errors. */
static void orthogonal(void **state)
{
    enum { DRAWS = 4000, D = 8 };
    const kmv_fourier_options o = {.features = 2 * D, .orthogonal = 1};
    attention p = attention_plain(KMV_GAUSS, 1, 1, D, 1, 0.3, 0);
    double *estimate = calloc(DRAWS, sizeof *estimate), k;
    moments m;

    (void)state;
    attention_reference(&p);
    k = kernel(&p);
    for (size_t t = 0; t < DRAWS; t++) {
        double *v = terms(&p, &o, 100 + t);

        estimate[t] = moments_of(v, D).mean;
        free(v);
    }
    m = moments_of(estimate, DRAWS);
    CHECK_CLOSE(m.mean, k, 5 * sqrt(m.variance / DRAWS));
    assert_true(m.variance + 5 * sqrt((m.fourth - m.variance * m.variance) / DRAWS) <
                (1 - k * k) * (1 - k * k) / (2 * D));
    free(estimate);
    attention_clear(&p);
}

/* Every entry is off by at most sqrt(1.5 / m) in the mean square (pairs: sqrt(1 / m)), by errors
 * that two rows share; against normal x the expected squared error is n_q |x|^2 1.5 / m. Twice its
 * root is asked for, also for x with columns. */
static void converges(void **state)
{
    static const char *const kinds[] = {"", ",kind=phases", ",orthogonal=yes"};
    static const size_t features[] = {64, 4096};
    enum { N = 200 };

    (void)state;
    for (int causal = 0; causal < 2; causal++) {
        for (size_t t = 0; t < 6; t++) {
            attention p = attention_plain(KMV_GAUSS, N, 230, 4, t % 2 ? 3 : 1, 1, 0.3);
            char text[80];

            p.problem.causal = causal;
            attention_reference(&p);
            snprintf(text, sizeof text, "features=%zu%s", features[t % 2], kinds[t / 2]);
            attention_run(&p, "rff", text, NULL, 2, 1, NULL);
            assert_true(attention_relative_error(&p) <=
                        2 * sqrt(1.5 * N / (double)features[t % 2]));
            attention_clear(&p);
        }
    }
}

/* All points shifted by 1000 sigma: the differences are what they were. */
static void shifted(void **state)
{
    attention p = attention_plain(KMV_GAUSS, 60, 60, 3, 1, 0.5, 0);

    (void)state;
    for (size_t i = 0; i < 60; i++) {
        for (size_t l = 0; l < 3; l++) {
            p.q.x[i * p.q.ld + l] += 1000;
            p.k.x[i * p.k.ld + l] += 1000;
        }
    }
    attention_reference(&p);
    attention_run(&p, "rff", "features=4096", NULL, 1, 1, NULL);
    assert_true(attention_relative_error(&p) <= 2 * sqrt(60.0 / 4096));
    attention_clear(&p);
}

static void one_point(void **state)
{
    attention p = attention_plain(KMV_GAUSS, 1, 1, 1, 1, 0.1, 0);

    (void)state;
    p.q.x[0] = p.k.x[0]; /* cos^2 + sin^2 = 1, whatever the directions */
    attention_reference(&p);
    attention_run(&p, "rff", "features=2", NULL, 1, 1, NULL);
    CHECK_CLOSE(p.y[0], p.x[0], 3e-6 * fabs(p.x[0]));
    attention_clear(&p);
}

/* Turns w.u of up to about 2 in float: 2^-24 of that, as an angle 1e-6; sums of 256 floats, each
 * entry within 1e-5, of 300 keys with signs. */
static void threads_and_isas(void **state)
{
    attention p = attention_plain(KMV_GAUSS, 300, 300, 5, 2, 0.7, 0);

    (void)state;
    for (p.problem.causal = 0; p.problem.causal < 2; p.problem.causal++) {
        attention_reference(&p);
        attention_check_contract(&p, "rff", "");
        attention_check_isas(&p, "rff", "", 1e-4);
    }
    attention_clear(&p);
}

static void refusals(void **state)
{
    attention p = attention_plain(KMV_GAUSS, 4, 4, 3, 1, 1, 0);
    kmv_settings settings = KMV_SETTINGS_DEFAULT;
    const kmv_algo *a = kmv_algo_find("rff");
    const size_t before = kmv_mem_current();
    kmv_plan *plan = NULL;
    kmv_error err = {""};

    (void)state;
    attention_reference(&p);
    CHECK_FAILS(kmv_plan_create(a, &p.problem, "features=7", &settings, &plan, &err), KMV_ENOTSUP,
                "even number of features");
    p.problem.sigma = 1e-3;
    CHECK_FAILS(kmv_plan_create(a, &p.problem, "", &settings, &plan, &err), KMV_ENOTSUP,
                "too small for features");
    p.problem.matrix = KMV_SOFTMAX;
    CHECK_FAILS(kmv_plan_create(a, &p.problem, "", &settings, &plan, &err), KMV_ENOTSUP,
                "does not do softmax");
    assert_int_equal(kmv_mem_current(), before);
    attention_clear(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_mean_and_variance),
        cmocka_unit_test(orthogonal),
        cmocka_unit_test(converges),
        cmocka_unit_test(shifted),
        cmocka_unit_test(one_point),
        cmocka_unit_test(threads_and_isas),
        cmocka_unit_test(refusals),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* base/problem.c: what is a problem, and how many entries a mask leaves. */
#include "check.h"

#include <float.h>
#include <string.h>

static kmv_points points(size_t n, size_t d)
{
    kmv_points p = {0};
    kmv_error err = {""};

    CHECK_OK(kmv_points_init(&p, n, d, &err));
    return p;
}

static void checks(void **state)
{
    kmv_points q = points(3, 2), k = points(5, 2), other = points(5, 3), none = {0};
    kmv_problem p = {.q = &q, .k = &k, .matrix = KMV_GAUSS, .sigma = 1};
    static const double bad_sigma[] = {0, -1, NAN, INFINITY, -INFINITY};
    kmv_error err = {""};

    (void)state;
    CHECK_OK(kmv_problem_check(&p, &err));
    for (size_t i = 0; i < sizeof bad_sigma / sizeof *bad_sigma; i++) {
        p.sigma = bad_sigma[i];
        CHECK_FAILS(kmv_problem_check(&p, &err), KMV_EINVAL, "sigma: want a finite number > 0");
    }
    p.sigma = 1;
    p.k = &other;
    CHECK_FAILS(kmv_problem_check(&p, &err), KMV_EINVAL, "queries have d = 2, keys d = 3");
    p.k = &none;
    CHECK_FAILS(kmv_problem_check(&p, &err), KMV_EINVAL, "missing");
    p.k = NULL;
    CHECK_FAILS(kmv_problem_check(&p, &err), KMV_EINVAL, "missing");
    CHECK_FAILS(kmv_problem_check(NULL, &err), KMV_EINVAL, "missing");
    p.k = &k;
    p.causal = 1;
    CHECK_OK(kmv_problem_check(&p, &err)); /* fewer queries than keys: aligned at the end */
    p.q = &k;
    p.k = &q;
    CHECK_FAILS(kmv_problem_check(&p, &err), KMV_EINVAL, "got n_q = 5, n_k = 3");
    p.causal = 0;
    CHECK_OK(kmv_problem_check(&p, &err));
    p.matrix = (kmv_matrix)7;
    CHECK_FAILS(kmv_problem_check(&p, &err), KMV_EINVAL, "unknown matrix 7");
    kmv_points_clear(&q);
    kmv_points_clear(&k);
    kmv_points_clear(&other);
}

static void counts_pairs(void **state)
{
    (void)state;
    for (size_t n_q = 1; n_q <= 6; n_q++) {
        for (size_t n_k = 1; n_k <= 6; n_k++) {
            kmv_points q = {.n = n_q, .d = 1}, k = {.n = n_k, .d = 1};
            kmv_problem p = {.q = &q, .k = &k, .sigma = 1};
            double want = 0;

            CHECK_CLOSE(kmv_problem_pairs(&p), (double)(n_q * n_k), 0);
            if (n_q > n_k)
                continue;
            p.causal = 1;
            for (size_t i = 0; i < n_q; i++) {
                for (size_t j = 0; j < n_k; j++)
                    want += j <= i + n_k - n_q;
            }
            CHECK_CLOSE(kmv_problem_pairs(&p), want, 0);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(checks),
        cmocka_unit_test(counts_pairs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Bandwidths as they are asked for, and the one that gives a sum. */
#include "check.h"

#include <stdlib.h>

#include "bench/sigma.h"
#include "data/synth.h"
#include "gauss/bandwidth.h"
#include "measure_direct.h"

static kmv_error err;

static void sigma_meets_the_sum(void **state)
{
    static const double target[] = {0.01, 1, 30, 99};
    kmv_dataset d = {0};

    (void)state;
    CHECK_OK(kmv_generate("iid", "n=100,d=6", 3, &d, &err));
    for (size_t t = 0; t < 4; t++) {
        kmv_problem p = {.q = &d.q, .k = &d.k, .matrix = KMV_GAUSS, .causal = t == 2};
        kmv_measure_spec s = {.matrix = KMV_MEASURE_GAUSS};
        double sigma = 0;
        measure_direct got;

        s.causal = p.causal;
        CHECK_OK(kmv_sigma_for_sum(&p, target[t], 2, NULL, &sigma, &err));
        s.sigma = sigma;
        got = measure_directly(&d, 0, &s);
        /* 1e-4 as promised, and the products' own error */
        CHECK_CLOSE(got.sum / 100, target[t], (1e-4 + got.tol) * target[t]);
        free(got.entries);
    }
    kmv_dataset_clear(&d);
}

static void sigma_that_is_not(void **state)
{
    kmv_dataset d = {0}, same = {0};
    kmv_problem p = {.q = &d.q, .k = &d.k, .matrix = KMV_GAUSS};
    double sigma = 77;

    (void)state;
    CHECK_OK(kmv_generate("iid", "n=10,d=2", 3, &d, &err));
    CHECK_OK(kmv_generate("clusters", "n=10,d=2,count=1,spread=0", 3, &same, &err));
    CHECK_FAILS(kmv_sigma_for_sum(&p, 10, 1, NULL, &sigma, &err), KMV_EINVAL, "(0, 10)");
    CHECK_FAILS(kmv_sigma_for_sum(&p, 0, 1, NULL, &sigma, &err), KMV_EINVAL, "want a sum/n");
    CHECK_FAILS(kmv_sigma_for_sum(&p, NAN, 1, NULL, &sigma, &err), KMV_EINVAL, "want a sum/n");
    p.q = &same.q;
    p.k = &same.k;
    CHECK_FAILS(kmv_sigma_for_sum(&p, 5, 1, NULL, &sigma, &err), KMV_EINVAL, "coinciding");
    p.matrix = KMV_SOFTMAX;
    CHECK_FAILS(kmv_sigma_for_sum(&p, 1, 1, NULL, &sigma, &err), KMV_EINVAL, "gauss");
    CHECK_CLOSE(sigma, 77, 0);
    kmv_dataset_clear(&d);
    kmv_dataset_clear(&same);
}

static void sigma_in_words(void **state)
{
    kmv_dataset d = {0};
    kmv_problem p = {.q = &d.q, .k = &d.k, .matrix = KMV_GAUSS};
    double sigma = 0;

    (void)state;
    CHECK_OK(kmv_generate("iid", "n=30,d=16", 3, &d, &err));
    CHECK_OK(kmv_sigma_resolve("0.25", &d, &p, 1, NULL, &sigma, &err));
    CHECK_CLOSE(sigma, 0.25, 0);
    CHECK_OK(kmv_sigma_resolve("x3", &d, &p, 1, NULL, &sigma, &err));
    CHECK_CLOSE(sigma, 6, 1e-15); /* 3 times 16^(1/4) */
    CHECK_OK(kmv_sigma_resolve("sum:2", &d, &p, 1, NULL, &sigma, &err));
    assert_true(sigma > 0 && sigma != 6);
    p.matrix = KMV_SOFTMAX;
    CHECK_FAILS(kmv_sigma_resolve("sum:2", &d, &p, 1, NULL, &sigma, &err), KMV_EINVAL, "gauss");
    for (size_t i = 0; i < 7; i++) {
        static const char *const bad[] = {"", "0", "-1", "x", "x0", "sum:", "nan"};

        CHECK_FAILS(kmv_sigma_check(bad[i], &err), KMV_EINVAL, "sigma: want");
    }
    kmv_dataset_clear(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sigma_meets_the_sum),
        cmocka_unit_test(sigma_that_is_not),
        cmocka_unit_test(sigma_in_words),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

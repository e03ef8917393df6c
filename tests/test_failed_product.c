/* What is made of a product that failed, against sums by hand and against simulation. */
#include "check.h"

#include <gsl/gsl_randist.h>
#include <math.h>

#include "algo/failed_product.h"
#include "base/rng.h"

static void growth(void **state)
{
    (void)state;
    /* (1.25 * 0.2 / 0.1)^2 - 1 */
    CHECK_CLOSE(kmv_failed_product_growth(0.2, 0.1), 5.25, 1e-12);
    CHECK_CLOSE(kmv_failed_product_growth(0.1, 0.1), 0.5625, 1e-12);
    CHECK_CLOSE(kmv_failed_product_growth(NAN, 0.1), 1, 0);
    CHECK_CLOSE(kmv_failed_product_growth(INFINITY, 0.1), 1, 0);
}

static void mean(void **state)
{
    kmv_failed_product failed = {0};
    kmv_error err = {""};
    double first[3] = {1, -2, 4}, second[3] = {5, 2, 0};

    (void)state;
    CHECK_OK(kmv_failed_product_init(&failed, 3, &err));
    kmv_failed_product_add(&failed, 3, second); /* none kept */
    CHECK_CLOSE(second[0], 5, 0);
    kmv_failed_product_keep(&failed, first, 3);
    first[0] = 100; /* it is a copy */
    kmv_failed_product_add(&failed, 3, second);
    CHECK_CLOSE(second[0], 4, 0);
    CHECK_CLOSE(second[1], 1, 0);
    CHECK_CLOSE(second[2], 1, 0);
    kmv_failed_product_keep(&failed, second, 2); /* in place of the other */
    first[0] = 0;
    kmv_failed_product_add(&failed, 1, first);
    CHECK_CLOSE(first[0], 2, 0);
    CHECK_CLOSE(first[2], 4, 0); /* not one of the two */
    kmv_failed_product_keep(&failed, NULL, 0);
    kmv_failed_product_add(&failed, 1, first); /* forgotten */
    CHECK_CLOSE(first[0], 2, 0);
    kmv_failed_product_clear(&failed);
}

/* Errors of variance v and v / growth average to eps / 1.25. 20000 squares of one normal number:
 * their mean is within 5 sqrt(2 / 20000) of its expectation but with probability 6e-7. */
static void aim(void **state)
{
    enum { N = 20000 };
    static double first[N], second[N];
    const double e = 0.13, eps = 0.1, growth = kmv_failed_product_growth(e, eps);
    gsl_rng *rng = kmv_rng_create(7, NULL);
    kmv_failed_product failed = {0};
    kmv_error err = {""};
    double mean2 = 0;

    (void)state;
    for (size_t i = 0; i < N; i++) {
        first[i] = gsl_ran_gaussian(rng, e);
        second[i] = gsl_ran_gaussian(rng, e / sqrt(growth));
    }
    CHECK_OK(kmv_failed_product_init(&failed, N, &err));
    kmv_failed_product_keep(&failed, first, N);
    kmv_failed_product_add(&failed, growth, second);
    for (size_t i = 0; i < N; i++)
        mean2 += second[i] * second[i] / N;
    CHECK_CLOSE(mean2, 0.08 * 0.08, 0.05 * 0.08 * 0.08);
    kmv_failed_product_clear(&failed);
    gsl_rng_free(rng);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(growth), cmocka_unit_test(mean),
                                       cmocka_unit_test(aim)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}

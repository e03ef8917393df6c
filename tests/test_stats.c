/* Medians, intervals and exponents against values worked out by hand. */
#include "check.h"

#include <gsl/gsl_statistics.h>

#include "bench/stats.h"

static void quantiles(void **state)
{
    const double v[] = {4, NAN, 1, 3, 2, INFINITY}, sorted[] = {1, 2, 3, 4};

    (void)state;
    CHECK_CLOSE(kmv_quantile(v, 6, 0.5), 2.5, 0); /* what is not finite is left out */
    CHECK_CLOSE(kmv_quantile(v, 6, 0), 1, 0);
    CHECK_CLOSE(kmv_quantile(v, 6, 1), 4, 0);
    CHECK_CLOSE(kmv_quantile(v, 6, 0.3), 1.9, 1e-15); /* 1 + 0.3 * 3 */
    for (double p = 0; p <= 1; p += 0.125)
        CHECK_CLOSE(kmv_quantile(v, 6, p), gsl_stats_quantile_from_sorted_data(sorted, 1, 4, p), 0);
    assert_true(isnan(kmv_quantile(v + 1, 1, 0.5)));
    assert_true(isnan(kmv_quantile(v, 0, 0.5)));
    CHECK_CLOSE(v[0], 4, 0); /* not sorted in place */
}

static void median_intervals(void **state)
{
    /* A resample of five has median 1 when three or more draws are the 1: probability 0.0579. Of
     * 1000 resamples 58 +- 7.4 are, so the upper quantile (over 25 of them) is 1 but with
     * probability 1e-5; of seven with one 1 it is 0.0094, 9.4 +- 3.1, and it is 0 but for 1e-5. */
    const double five[] = {0, 0, 1, 0, 0}, seven[] = {0, 0, 0, 1, 0, 0, 0}, two[] = {3, 1};
    kmv_interval a, b;
    kmv_error err;

    (void)state;
    CHECK_OK(kmv_median_interval(five, 5, 1, &a, &err));
    CHECK_CLOSE(a.med, 0, 0);
    CHECK_CLOSE(a.lo, 0, 0);
    CHECK_CLOSE(a.hi, 1, 0);
    CHECK_OK(kmv_median_interval(seven, 7, 1, &a, &err));
    CHECK_CLOSE(a.hi, 0, 0);
    CHECK_OK(kmv_median_interval(two, 2, 1, &a, &err)); /* each end is drawn twice in a quarter */
    CHECK_CLOSE(a.med, 2, 0);
    CHECK_CLOSE(a.lo, 1, 0);
    CHECK_CLOSE(a.hi, 3, 0);
    CHECK_OK(kmv_median_interval(two, 1, 1, &a, &err));
    assert_true(a.med == 3 && a.lo == 3 && a.hi == 3);
    CHECK_OK(kmv_median_interval(two, 0, 1, &a, &err));
    assert_true(isnan(a.med) && isnan(a.lo) && isnan(a.hi));
    CHECK_OK(kmv_median_interval(five, 5, 7, &a, &err));
    CHECK_OK(kmv_median_interval(five, 5, 7, &b, &err));
    assert_memory_equal(&a, &b, sizeof a);
}

static void unpaired_ratios(void **state)
{
    /* Constant samples leave nothing to resample; one with two equally likely medians has its range
     * as the interval, since each end is drawn in a quarter of the resamples. */
    const double six[] = {6, 6, 6}, two[] = {2, NAN, 2, 2, 2}, mixed[] = {1, 3}, zero[] = {0};
    kmv_interval a;
    kmv_error err;

    (void)state;
    CHECK_OK(kmv_median_ratio_interval(six, 3, two, 5, 1, &a, &err));
    assert_true(a.med == 3 && a.lo == 3 && a.hi == 3);
    CHECK_OK(kmv_median_ratio_interval(six, 3, mixed, 2, 1, &a, &err));
    assert_true(a.med == 3 && a.lo == 2 && a.hi == 6);
    CHECK_OK(kmv_median_ratio_interval(mixed, 2, two, 5, 1, &a, &err));
    assert_true(a.med == 1 && a.lo == 0.5 && a.hi == 1.5);
    CHECK_OK(kmv_median_ratio_interval(six, 3, zero, 1, 1, &a, &err));
    assert_true(isnan(a.med) && isnan(a.lo) && isnan(a.hi));
    CHECK_OK(kmv_median_ratio_interval(six, 0, two, 5, 1, &a, &err));
    assert_true(isnan(a.med) && isnan(a.lo) && isnan(a.hi));
}

static void intervals_cover(void **state)
{
    /* 200 samples of 15 uniform values. The bootstrap interval of a median of 15 covers 1/2 in
     * about 93 % of samples, so 186 +- 3.6 times: under 160 or always would be wrong, and either
     * has a probability below 1e-5. */
    size_t covered = 0;
    uint64_t x = 88172645463325252u; /* Marsaglia's xorshift64, its usual start */
    kmv_error err;

    (void)state;
    for (size_t s = 0; s < 200; s++) {
        double v[15];
        kmv_interval found;

        for (size_t i = 0; i < 15; i++) {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            v[i] = (double)(x >> 11) / 9007199254740992.0;
        }
        CHECK_OK(kmv_median_interval(v, 15, s, &found, &err));
        assert_true(found.lo <= found.med && found.med <= found.hi);
        covered += found.lo <= 0.5 && 0.5 <= found.hi ? 1u : 0u;
    }
    assert_in_range(covered, 160, 199);
}

static void ratios_are_paired(void **state)
{
    /* Repetition 2 was slow for both: the ratio does not notice. */
    const double top[] = {2, 20, NAN, 4}, bottom[] = {1, 10, 1, 0};
    kmv_interval r;
    kmv_error err;

    (void)state;
    CHECK_OK(kmv_ratio_interval(top, bottom, 4, 1, &r, &err));
    assert_true(r.med == 2 && r.lo == 2 && r.hi == 2);
}

static void exponents(void **state)
{
    /* Through (0,0), (1,1), (2,3) in logarithms: slope 3/2, residuals 1/6, -1/3, 1/6, so variance
     * of the slope (1/6) / 1 / 2 and half width t(0.975, 1) sqrt(1/12). */
    const double e = 2.718281828459045, half = 12.706204736174694 * 0.28867513459481287;
    const double x[] = {1, e, e * e, 5, NAN}, y[] = {1, e, e * e * e, 0, 1};
    const double n[] = {10, 20, 40, 80}, cubes[] = {1e3, 8e3, 64e3, 512e3};
    kmv_fit fit;
    kmv_error err;

    (void)state;
    CHECK_OK(kmv_fit_power(x, y, 5, &fit, &err)); /* y = 0 and x = NaN are no points */
    assert_int_equal(fit.points, 3);
    CHECK_CLOSE(fit.slope, 1.5, 1e-14);
    CHECK_CLOSE(fit.lo, 1.5 - half, 1e-6); /* GSL's t quantile is good to about 1e-8 */
    CHECK_CLOSE(fit.hi, 1.5 + half, 1e-6);
    CHECK_OK(kmv_fit_power(n, cubes, 4, &fit, &err));
    CHECK_CLOSE(fit.slope, 3, 1e-13);
    CHECK_CLOSE(fit.hi - fit.lo, 0, 1e-6); /* residuals of rounding only: sqrt(1e-15) at most */
    CHECK_OK(kmv_fit_power(n, cubes, 2, &fit, &err));
    CHECK_CLOSE(fit.slope, 3, 1e-13);
    assert_true(isnan(fit.lo) && isnan(fit.hi));
    CHECK_OK(kmv_fit_power(n, cubes, 1, &fit, &err));
    assert_true(isnan(fit.slope));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quantiles),         cmocka_unit_test(median_intervals),
        cmocka_unit_test(unpaired_ratios),   cmocka_unit_test(intervals_cover),
        cmocka_unit_test(ratios_are_paired), cmocka_unit_test(exponents),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

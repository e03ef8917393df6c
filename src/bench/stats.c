/* bench/stats.c - see stats.h. */
#include "bench/stats.h"

#include <gsl/gsl_cdf.h>
#include <gsl/gsl_fit.h>
#include <gsl/gsl_randist.h>
#include <gsl/gsl_sort.h>
#include <gsl/gsl_statistics.h>
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"

static size_t keep_finite(const double *values, size_t count, double *out)
{
    size_t kept = 0;

    for (size_t i = 0; i < count; i++) {
        if (isfinite(values[i]))
            out[kept++] = values[i];
    }
    return kept;
}

static double quantile_sorted(const double *sorted, size_t count, double p)
{
    return count > 0 ? gsl_stats_quantile_from_sorted_data(sorted, 1, count, p) : NAN;
}

double kmv_quantile(const double *values, size_t count, double p)
{
    double *finite = kmv_alloc(count, sizeof *finite, "values of a quantile", NULL);
    size_t kept;
    double q = NAN;

    if (finite == NULL)
        return NAN;
    kept = keep_finite(values, count, finite);
    gsl_sort(finite, 1, kept);
    q = quantile_sorted(finite, kept, p);
    kmv_free(finite);
    return q;
}

/* Medians of KMV_BOOTSTRAP resamples of count values; drawn: scratch of count. */
static void resample(const double *values, size_t count, double *drawn, double *medians,
                     gsl_rng *rng)
{
    for (size_t b = 0; b < KMV_BOOTSTRAP; b++) {
        for (size_t i = 0; i < count; i++)
            drawn[i] = values[gsl_rng_uniform_int(rng, count)];
        gsl_sort(drawn, 1, count);
        medians[b] = quantile_sorted(drawn, count, 0.5);
    }
}

/* The percentiles of resampled statistics, which are sorted in place. */
static void take_ends(double *resampled, kmv_interval *out)
{
    gsl_sort(resampled, 1, KMV_BOOTSTRAP);
    out->lo = quantile_sorted(resampled, KMV_BOOTSTRAP, 0.025);
    out->hi = quantile_sorted(resampled, KMV_BOOTSTRAP, 0.975);
}

kmv_status kmv_median_interval(const double *values, size_t count, uint64_t seed, kmv_interval *out,
                               kmv_error *err)
{
    double *scratch = kmv_alloc(2 * count + KMV_BOOTSTRAP, sizeof *scratch, "a bootstrap", err);
    kmv_interval found = {NAN, NAN, NAN};
    kmv_status st = KMV_OK;
    gsl_rng *rng = NULL;
    size_t kept;

    if (scratch == NULL)
        return KMV_ENOMEM;
    kept = keep_finite(values, count, scratch);
    gsl_sort(scratch, 1, kept);
    found.med = found.lo = found.hi = quantile_sorted(scratch, kept, 0.5);
    if (kept > 1 && scratch[0] < scratch[kept - 1]) {
        if ((rng = kmv_rng_create(seed, err)) == NULL) {
            st = KMV_ENOMEM;
            goto out;
        }
        resample(scratch, kept, scratch + count, scratch + 2 * count, rng);
        take_ends(scratch + 2 * count, &found);
    }
    *out = found;
out:
    if (rng != NULL)
        gsl_rng_free(rng);
    kmv_free(scratch);
    return st;
}

kmv_status kmv_ratio_interval(const double *top, const double *bottom, size_t count, uint64_t seed,
                              kmv_interval *out, kmv_error *err)
{
    double *ratios = kmv_alloc(count, sizeof *ratios, "ratios", err);
    kmv_status st;

    if (ratios == NULL)
        return KMV_ENOMEM;
    for (size_t i = 0; i < count; i++)
        ratios[i] = bottom[i] != 0 ? top[i] / bottom[i] : NAN;
    st = kmv_median_interval(ratios, count, seed, out, err);
    kmv_free(ratios);
    return st;
}

kmv_status kmv_median_ratio_interval(const double *top, size_t n_top, const double *bottom,
                                     size_t n_bottom, uint64_t seed, kmv_interval *out,
                                     kmv_error *err)
{
    const size_t most = n_top > n_bottom ? n_top : n_bottom;
    double *a = kmv_alloc(n_top + n_bottom + most + 2 * (size_t)KMV_BOOTSTRAP, sizeof *a,
                          "a bootstrap", err);
    double *b = a + n_top, *drawn = b + n_bottom, *ratios = drawn + most,
           *below = ratios + KMV_BOOTSTRAP;
    kmv_interval found = {NAN, NAN, NAN};
    gsl_rng *rng = NULL;
    size_t kept_a, kept_b;
    kmv_status st = KMV_OK;

    if (a == NULL)
        return KMV_ENOMEM;
    kept_a = keep_finite(top, n_top, a);
    kept_b = keep_finite(bottom, n_bottom, b);
    gsl_sort(a, 1, kept_a);
    gsl_sort(b, 1, kept_b);
    if (kept_a == 0 || kept_b == 0 || quantile_sorted(b, kept_b, 0.5) == 0)
        goto done;
    if ((rng = kmv_rng_create(seed, err)) == NULL) {
        st = KMV_ENOMEM;
        goto out;
    }
    found.med = quantile_sorted(a, kept_a, 0.5) / quantile_sorted(b, kept_b, 0.5);
    resample(a, kept_a, drawn, ratios, rng);
    resample(b, kept_b, drawn, below, rng);
    for (size_t i = 0; i < KMV_BOOTSTRAP; i++)
        ratios[i] /= below[i];
    take_ends(ratios, &found);
done:
    *out = found;
out:
    if (rng != NULL)
        gsl_rng_free(rng);
    kmv_free(a);
    return st;
}

int kmv_well_measured(double reps, double seconds)
{
    return reps >= 3 && seconds >= 1e-3;
}

kmv_status kmv_fit_power(const double *x, const double *y, size_t count, kmv_fit *out,
                         kmv_error *err)
{
    double *lx = kmv_alloc(2 * count, sizeof *lx, "a fit", err), *ly = lx + count;
    kmv_fit fit = {NAN, NAN, NAN, 0};
    double c0, c1, cov00, cov01, cov11, sum_squares, half;
    int differ = 0;

    if (lx == NULL)
        return KMV_ENOMEM;
    for (size_t i = 0; i < count; i++) {
        if (!(isfinite(x[i]) && x[i] > 0 && isfinite(y[i]) && y[i] > 0))
            continue;
        lx[fit.points] = log(x[i]);
        ly[fit.points] = log(y[i]);
        differ |= lx[fit.points] != lx[0];
        fit.points++;
    }
    if (fit.points >= 2 && differ) {
        gsl_fit_linear(lx, 1, ly, 1, fit.points, &c0, &c1, &cov00, &cov01, &cov11, &sum_squares);
        fit.slope = c1;
        if (fit.points >= 3) { /* cov11 already holds the residual variance over points - 2 */
            half = gsl_cdf_tdist_Pinv(0.975, (double)(fit.points - 2)) * sqrt(cov11);
            fit.lo = c1 - half;
            fit.hi = c1 + half;
        }
    }
    *out = fit;
    kmv_free(lx);
    return KMV_OK;
}

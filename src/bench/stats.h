/* bench/stats.h - statistics of repetitions, computed from raw rows when a table is made. */
#ifndef KMV_BENCH_STATS_H
#define KMV_BENCH_STATS_H

#include <stddef.h>
#include <stdint.h>

#include "kmv.h"

/** A median with its 95 % interval; all NaN when there is nothing to describe. */
typedef struct {
    double med, lo, hi;
} kmv_interval;

/** Quantile p in [0, 1] of the finite ones among count values, linear between order statistics
 *  (gsl_stats_quantile_from_sorted_data); values are copied, not sorted in place. NaN for none. */
double kmv_quantile(const double *values, size_t count, double p);

/**
 * Median of the finite ones among count values, and the percentile bootstrap interval (2.5 to
 * 97.5 %) of that median from KMV_BOOTSTRAP resamples, drawn from the stream of `seed`: the same
 * numbers give the same interval. With one value the interval is that value; with few (under about
 * six) it is the range of the sample, which covers less than 95 %.
 * Source: Efron & Tibshirani, An Introduction to the Bootstrap, 1993, section 13.3.
 * KMV_ENOMEM.
 */
enum { KMV_BOOTSTRAP = 1000 };
kmv_status kmv_median_interval(const double *values, size_t count, uint64_t seed, kmv_interval *out,
                               kmv_error *err);

/** The same of the ratios top[i] / bottom[i]: paired, so that what slows both down cancels. Pairs
 *  in which one is not finite or bottom is 0 are left out. */
kmv_status kmv_ratio_interval(const double *top, const double *bottom, size_t count, uint64_t seed,
                              kmv_interval *out, kmv_error *err);

/** median(top) / median(bottom) of two unpaired samples, each resampled by itself; all NaN when one
 *  has no finite value or the bottom's median is 0. KMV_ENOMEM. */
kmv_status kmv_median_ratio_interval(const double *top, size_t n_top, const double *bottom,
                                     size_t n_bottom, uint64_t seed, kmv_interval *out,
                                     kmv_error *err);

/** Whether a time says who is faster: 3 repetitions or more, since an interval over fewer is none,
 *  of a product that takes a millisecond or more, since less is start-up of threads and noise. */
int kmv_well_measured(double reps, double seconds);

/** Exponent of y = c x^slope with its 95 % interval. */
typedef struct {
    double slope, lo, hi; /* NaN: slope below two different x, lo and hi below three points */
    size_t points;
} kmv_fit;

/** Least squares through (ln x, ln y) (gsl_fit_linear), the interval from the residuals by
 *  Student's t with points - 2 degrees of freedom: it says how straight the line is, and not what
 *  happens beyond the points. Points that are not finite and > 0 are left out. KMV_ENOMEM. */
kmv_status kmv_fit_power(const double *x, const double *y, size_t count, kmv_fit *out,
                         kmv_error *err);

#endif

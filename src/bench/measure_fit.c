/* bench/measure_fit.c - growth exponents over the sizes measured. */
#include <gsl/gsl_cdf.h>
#include <gsl/gsl_fit.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "bench/measure.h"

enum { MAX_SIZES = 64 };

typedef struct {
    double slope, lo, hi;
} exponent;

static double tail_over_head(const kmv_measure_row *row)
{
    return row->tail_over_head;
}

static double sum_over_n(const kmv_measure_row *row)
{
    return row->sum_over_n;
}

/* Prefixes of both arrays: one that has all of the shorter array still grows in the longer. */
static double size_of(const kmv_measure_row *row)
{
    return fmax(row->n_q, row->n_k);
}

/* A size asked for twice counts once. */
static int size_before(const kmv_measure_row *rows, size_t at)
{
    for (size_t i = 0; i < at; i++) {
        if (size_of(&rows[i]) == size_of(&rows[at]))
            return 1;
    }
    return 0;
}

/* Least squares of log value on log n. A value that is 0 or unknown has no logarithm: then there is
 * no exponent. Two sizes give a slope and no interval. */
static exponent fit(const kmv_measure_row *rows, size_t count,
                    double (*value)(const kmv_measure_row *))
{
    exponent e = {NAN, NAN, NAN};
    size_t used = 0;
    double x[MAX_SIZES], y[MAX_SIZES], c0, slope, v00, v01, v11, squares, half;

    if (count < 2 || count > MAX_SIZES)
        return e;
    for (size_t i = 0; i < count; i++) {
        const double v = value(&rows[i]);

        if (!(v > 0 && isfinite(v)))
            return e;
        if (size_before(rows, i))
            continue;
        x[used] = log(size_of(&rows[i]));
        y[used++] = log(v);
    }
    if (used < 2 ||
        gsl_fit_linear(x, 1, y, 1, used, &c0, &slope, &v00, &v01, &v11, &squares) != 0 ||
        !isfinite(slope))
        return e; /* one size */
    e.slope = slope;
    if (used > 2) {
        half = gsl_cdf_tdist_Pinv(0.975, (double)used - 2) * sqrt(v11);
        e.lo = slope - half;
        e.hi = slope + half;
    }
    return e;
}

void kmv_measure_fit(kmv_measure_row *rows, size_t count)
{
    const exponent ratio = fit(rows, count, tail_over_head), sum = fit(rows, count, sum_over_n);

    size_t sizes = 0;

    for (size_t i = 0; i < count; i++)
        sizes += !size_before(rows, i);
    for (size_t i = 0; i < count; i++) {
        kmv_measure_row *row = &rows[i];

        row->alpha = ratio.slope;
        row->alpha_lo = ratio.lo;
        row->alpha_hi = ratio.hi;
        row->alpha_sum = sum.slope;
        row->alpha_sum_lo = sum.lo;
        row->alpha_sum_hi = sum.hi;
        row->alpha_kind[0] = '\0';
        if (!isnan(ratio.slope) || !isnan(sum.slope))
            snprintf(row->alpha_kind, sizeof row->alpha_kind,
                     "t interval of the fit, %zu dependent sizes", sizes);
    }
}

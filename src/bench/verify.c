/* bench/verify.c - see verify.h. */
#include "bench/verify.h"

#include <gsl/gsl_rng.h>
#include <gsl/gsl_sort_double.h>
#include <gsl/gsl_statistics_double.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "base/status.h"

enum { RESAMPLES = 1000 };

static const double *row_of(const kmv_judge *judge, const double *y, size_t i)
{
    return y + (judge->rows != NULL ? judge->rows[i] : i) * judge->r;
}

/* Squared distance of two rows; b NULL stands for zero. */
static double distance2(const double *a, const double *b, size_t r)
{
    double sum = 0;

    for (size_t c = 0; c < r; c++) {
        const double diff = b != NULL ? a[c] - b[c] : a[c];

        sum += diff * diff;
    }
    return sum;
}

/* a/b, where 0/0 is no error at all. */
static double ratio(double a, double b)
{
    return a == 0 ? 0 : a / b;
}

/* 95 % interval of the mean of e2, see verify.h. */
static kmv_status bootstrap(const double *e2, size_t count, double mean, double shrink,
                            uint64_t seed, double *lo, double *hi, kmv_error *err)
{
    gsl_rng *rng = kmv_rng_create(kmv_stream_key(seed, "verify-bootstrap", count), err);
    double means[RESAMPLES];

    if (rng == NULL)
        return KMV_ENOMEM;
    for (size_t b = 0; b < RESAMPLES; b++) {
        double sum = 0;

        for (size_t i = 0; i < count; i++)
            sum += e2[gsl_rng_uniform_int(rng, count)];
        means[b] = sum / (double)count;
    }
    gsl_rng_free(rng);
    gsl_sort(means, 1, RESAMPLES);
    *lo = mean - shrink * (mean - gsl_stats_quantile_from_sorted_data(means, 1, RESAMPLES, 0.025));
    *hi = mean + shrink * (gsl_stats_quantile_from_sorted_data(means, 1, RESAMPLES, 0.975) - mean);
    return KMV_OK;
}

static void row_quantiles(double *relative, size_t count, kmv_record *record)
{
    gsl_sort(relative, 1, count);
    record->row_err_p50 = gsl_stats_quantile_from_sorted_data(relative, 1, count, 0.5);
    record->row_err_p95 = gsl_stats_quantile_from_sorted_data(relative, 1, count, 0.95);
    record->row_err_max = relative[count - 1];
    /* Interpolation next to an infinite row gives NaN; the upper neighbour is what it means. */
    if (isnan(record->row_err_p50))
        record->row_err_p50 = INFINITY;
    if (isnan(record->row_err_p95))
        record->row_err_p95 = INFINITY;
}

static int holds_nan(const double *v, size_t count)
{
    int found = 0;

    for (size_t i = 0; i < count; i++)
        found |= isnan(v[i]);
    return found;
}

static void sum_y(const kmv_judge *judge, const double *y, kmv_record *record)
{
    record->y_sum = 0;
    for (size_t i = 0; i < judge->n_q * judge->r; i++)
        record->y_sum += y[i];
}

static void fill_positions(const kmv_judge *judge, const double *e2, double x_norm,
                           kmv_record *record)
{
    double sum[KMV_POSITIONS] = {0};
    const size_t length = judge->n_q / (judge->heads > 1 ? judge->heads : 1);
    size_t count[KMV_POSITIONS] = {0}, used = 0;

    for (size_t i = 0; i < judge->count; i++) {
        const size_t row = judge->rows != NULL ? judge->rows[i] : i;
        const size_t part = row % length * KMV_POSITIONS / length;

        sum[part] += e2[i];
        count[part]++;
    }
    for (size_t p = 0; p < KMV_POSITIONS && used < sizeof record->pos_err; p++) {
        const double mean = sum[p] / (double)count[p];
        char text[16] = "-";

        if (count[p] > 0)
            snprintf(text, sizeof text, "%.3g", ratio(sqrt(mean * (double)judge->n_q), x_norm));
        used += (size_t)snprintf(record->pos_err + used, sizeof record->pos_err - used, "%s%s",
                                 p > 0 ? " " : "", text);
    }
}

kmv_status kmv_verify(const kmv_judge *judge, const double *y, double x_norm, uint64_t seed,
                      kmv_record *record, kmv_error *err)
{
    const double share = (double)judge->count / (double)judge->n_q;
    double *e2 = kmv_alloc(2 * judge->count, sizeof *e2, "row errors", err), *relative;
    double error2 = 0, exact2 = 0, lo, hi;
    kmv_status st = KMV_OK;

    if (e2 == NULL)
        return KMV_ENOMEM;
    relative = e2 + judge->count;
    for (size_t i = 0; i < judge->count; i++) {
        const double *exact = judge->y + i * judge->r;
        const double norm2 = distance2(exact, NULL, judge->r);

        e2[i] = distance2(row_of(judge, y, i), exact, judge->r);
        relative[i] = sqrt(ratio(e2[i], norm2));
        error2 += e2[i];
        exact2 += norm2;
    }
    lo = hi = error2;
    if (judge->rows != NULL && !holds_nan(e2, judge->count)) {
        st = bootstrap(e2, judge->count, error2 / (double)judge->count, sqrt(fmax(0, 1 - share)),
                       seed, &lo, &hi, err);
        lo *= (double)judge->count;
        hi *= (double)judge->count;
    }
    if (st == KMV_OK) {
        record->err_l2 = ratio(sqrt(error2 / share), x_norm);
        record->err_lo = ratio(sqrt(fmax(0, lo) / share), x_norm);
        record->err_hi = ratio(sqrt(hi / share), x_norm);
        record->null_err = ratio(sqrt(exact2 / share), x_norm);
        record->err_rel = exact2 > 0 ? sqrt(error2 / exact2) : NAN;
        if (judge->rows != NULL)
            snprintf(record->err_kind, sizeof record->err_kind, "rows:%zu", judge->count);
        else
            snprintf(record->err_kind, sizeof record->err_kind, "full");
        sum_y(judge, y, record);
        if (record->causal > 0)
            fill_positions(judge, e2, x_norm, record);
        if (!holds_nan(relative, judge->count))
            row_quantiles(relative, judge->count, record);
    }
    kmv_free(e2);
    return st;
}

void kmv_verdict(kmv_record *record)
{
    const double floor_err = fmin(record->null_err, record->mean_err); /* the one that is no NaN */
    const double floor_op = fmin(record->null_op, record->mean_op);

    if (!isnan(record->eps) && !isnan(floor_err))
        record->trivial = floor_err <= record->eps;
    if (!isnan(record->eps) && !isnan(floor_op))
        record->trivial_op = floor_op <= record->eps;
    snprintf(record->status, sizeof record->status, "ok");
    record->reason[0] = '\0';
    if (isnan(record->err_l2)) {
        snprintf(record->status, sizeof record->status, "error");
        snprintf(record->reason, sizeof record->reason, "the result holds NaN");
    } else if (!isnan(record->bound) && record->bound < record->err_lo) {
        snprintf(record->status, sizeof record->status, "error");
        snprintf(record->reason, sizeof record->reason,
                 "certificate broken: bound %.4g < error %.4g (at least %.4g)", record->bound,
                 record->err_l2, record->err_lo);
    } else if (!isnan(record->eps) && !(record->err_l2 <= record->eps)) {
        snprintf(record->status, sizeof record->status, "fail_eps");
        snprintf(record->reason, sizeof record->reason, "error %.4g > eps %.4g", record->err_l2,
                 record->eps);
    }
}

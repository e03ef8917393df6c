/* bench/measure.c - see measure.h. */
#include "bench/measure.h"

#include <gsl/gsl_randist.h>
#include <gsl/gsl_sort.h>
#include <gsl/gsl_statistics_double.h>
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/status.h"
#include "gauss/headtail.h"
#include "gauss/opnorm.h"

/* Beyond EXACT_N points all pairs take minutes, so that rows are sampled. */
enum { EXACT_N = 1 << 17, SAMPLED_ROWS = 2048, RESAMPLES = 1000 };

static const struct {
    const char *name;
    kmv_matrix matrix;
    kmv_row_scaling scaling;
} kinds[] = {
    [KMV_MEASURE_GAUSS] = {"gauss", KMV_GAUSS, KMV_ROW_RAW},
    [KMV_MEASURE_SOFTMAX] = {"softmax", KMV_SOFTMAX, KMV_ROW_SUM},
    [KMV_MEASURE_ROWMAX] = {"rowmax", KMV_SOFTMAX, KMV_ROW_MAX},
};

kmv_status kmv_measure_matrix_parse(const char *text, kmv_measure_matrix *matrix, kmv_error *err)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(kinds[i].name, text) == 0) {
            *matrix = (kmv_measure_matrix)i;
            return KMV_OK;
        }
    }
    return kmv_fail(err, KMV_EINVAL, "matrix: want gauss, softmax or rowmax, got '%s'", text);
}

kmv_matrix kmv_measure_base(kmv_measure_matrix matrix)
{
    return kinds[matrix].matrix;
}

/* Rows drawn without replacement, ascending. */
static kmv_status draw_rows(size_t n, size_t count, uint64_t key, size_t **rows, kmv_error *err)
{
    size_t *all = kmv_alloc(n, sizeof *all, "row numbers", err);
    size_t *chosen = kmv_alloc(count, sizeof *chosen, "sampled rows", err);
    gsl_rng *rng = kmv_rng_create(key, err);
    kmv_status st = KMV_ENOMEM;

    if (all == NULL || chosen == NULL || rng == NULL)
        goto out;
    for (size_t i = 0; i < n; i++)
        all[i] = i;
    gsl_ran_choose(rng, chosen, count, all, n, sizeof *all); /* keeps their order */
    *rows = chosen;
    chosen = NULL;
    st = KMV_OK;
out:
    kmv_free(all);
    kmv_free(chosen);
    gsl_rng_free(rng);
    return st;
}

static double ratio(double tail, double head)
{
    return head > 0 ? tail / head : NAN;
}

/* Percentile interval of `values` around `estimate`, drawn in by the share of rows not sampled:
 * sampling without replacement has the variance of sampling with it times 1 - count/n. */
static void interval(double *values, double estimate, double shrink, double *lo, double *hi)
{
    gsl_sort(values, 1, RESAMPLES);
    *lo = estimate +
          shrink * (gsl_stats_quantile_from_sorted_data(values, 1, RESAMPLES, 0.025) - estimate);
    *hi = estimate +
          shrink * (gsl_stats_quantile_from_sorted_data(values, 1, RESAMPLES, 0.975) - estimate);
}

/*
 * Bootstrap over the sampled rows. With M rows the threshold t is the M-th largest sampled entry:
 * the one above which n entries of the whole matrix are expected. Head of a resample with weights
 * w: min over t of t M + sum_i w_i sum_j max(a_ij - t, 0), taken at the sample's own t, which is
 * right to first order in w - 1, since the derivative in t vanishes there.
 */
static kmv_status bootstrap(const kmv_head_tail *h, size_t count, size_t n, uint64_t key,
                            kmv_measure_row *row, kmv_error *err)
{
    const double threshold = h->nth, shrink = sqrt(1 - (double)count / (double)n);
    double *sums = kmv_alloc(RESAMPLES, sizeof *sums, "resamples", err);
    double *ratios = kmv_alloc(RESAMPLES, sizeof *ratios, "resamples", err);
    gsl_rng *rng = kmv_rng_create(key, err);
    kmv_status st = KMV_ENOMEM;

    if (sums == NULL || ratios == NULL || rng == NULL)
        goto out;
    for (size_t b = 0; b < RESAMPLES; b++) {
        double sum = 0, head = threshold * (double)count;

        for (size_t s = 0; s < count; s++) {
            const size_t i = gsl_rng_uniform_int(rng, count);

            sum += h->row_sum[i];
            head += h->row_excess[i];
        }
        sums[b] = sum / (double)count;
        ratios[b] = head > 0 ? fmax(0, sum - head) / head : 0;
    }
    interval(sums, row->sum_over_n, shrink, &row->sum_over_n_lo, &row->sum_over_n_hi);
    if (!isnan(row->tail_over_head))
        interval(ratios, row->tail_over_head, shrink, &row->tail_over_head_lo,
                 &row->tail_over_head_hi);
    st = KMV_OK;
out:
    kmv_free(sums);
    kmv_free(ratios);
    gsl_rng_free(rng);
    return st;
}

static void fill_quantiles(kmv_head_tail *h, size_t count, kmv_measure_row *row)
{
    gsl_sort(h->row_sum, 1, count);
    row->row_sum_p50 = gsl_stats_quantile_from_sorted_data(h->row_sum, 1, count, 0.5);
    row->row_sum_p99 = gsl_stats_quantile_from_sorted_data(h->row_sum, 1, count, 0.99);
}

/* Head and tail of `count` rows (all or sampled) scaled to per-row figures. */
static void fill_sums(const kmv_head_tail *h, size_t count, kmv_measure_row *row)
{
    row->sum_over_n = row->sum_over_n_lo = row->sum_over_n_hi = h->sum / (double)count;
    row->tail_over_head = ratio(h->tail, h->head);
    row->tail_over_head_lo = row->tail_over_head_hi = row->tail_over_head;
    /* A next entry of 0, or one below by more than doubles hold, has no ratio worth a number. */
    row->nth_ratio = h->u_next - h->u_nth < 1000 ? exp2(h->u_next - h->u_nth) : NAN;
    row->max = h->max;
    row->fro2_over_n = h->fro2 / (double)count;
}

static kmv_status measure_entries(kmv_entries *e, size_t n, int sampled,
                                  const kmv_measure_spec *spec, kmv_measure_row *row,
                                  kmv_error *err)
{
    const size_t count = e->q.n;
    kmv_head_tail h = {0};
    kmv_status st = kmv_head_tail_find(e, count, sampled, &h, err);

    if (st != KMV_OK)
        return st;
    fill_sums(&h, count, row);
    if (sampled) {
        st = bootstrap(&h, count, n, kmv_stream_key(spec->seed, "measure bootstrap", n), row, err);
    } else {
        row->col_sum_max = gsl_stats_max(h.column_sum, 1, e->k.n);
        if (spec->with_op_norm)
            st = kmv_op_norm(e, h.u_min, KMV_OP_NORM_STEPS, &row->op_norm, &row->op_norm_tol, err);
    }
    fill_quantiles(&h, count, row);
    kmv_head_tail_clear(&h);
    return st;
}

static kmv_status check_spec(const kmv_measure_spec *spec, kmv_error *err)
{
    if (!(spec->sigma > 0) || !isfinite(spec->sigma))
        return kmv_fail(err, KMV_EINVAL, "sigma: want a finite number > 0, got %g", spec->sigma);
    if (spec->threads < 0)
        return kmv_fail(err, KMV_EINVAL, "threads: want >= 0, got %d", spec->threads);
    return KMV_OK;
}

/* Rows to sample of n_q: what was asked, or more than nothing when all would take too long. */
static kmv_status choose_rows(const kmv_measure_spec *spec, size_t n_q, size_t n_k, size_t *rows,
                              kmv_error *err)
{
    if (spec->rows > n_q)
        return kmv_fail(err, KMV_EINVAL, "rows: want at most the %zu queries, got %zu", n_q,
                        spec->rows);
    *rows = spec->rows;
    if (*rows == 0 && (n_q > EXACT_N || n_k > EXACT_N))
        *rows = n_q < SAMPLED_ROWS ? n_q : SAMPLED_ROWS;
    if (*rows == n_q)
        *rows = 0;
    return KMV_OK;
}

static void fill_request(const kmv_dataset *data, const kmv_problem *p,
                         const kmv_measure_spec *spec, size_t rows, kmv_measure_row *row)
{
    kmv_row_clear(&kmv_measure_schema, row);
    snprintf(row->dataset, sizeof row->dataset, "%s", data->name);
    snprintf(row->matrix, sizeof row->matrix, "%s", kinds[spec->matrix].name);
    snprintf(row->center, sizeof row->center, "%s", kmv_center_name(spec->center));
    snprintf(row->sha256, sizeof row->sha256, "%s", data->sha256);
    row->causal = p->causal;
    row->drop_first = (double)spec->drop_first;
    row->n_q = (double)p->q->n;
    row->n_k = (double)p->k->n;
    row->d = (double)p->q->d;
    row->sigma = p->sigma;
    if (rows > 0)
        snprintf(row->rows, sizeof row->rows, "%zu", rows);
    else
        snprintf(row->rows, sizeof row->rows, "all");
}

kmv_status kmv_measure(const kmv_dataset *data, size_t n, const kmv_measure_spec *spec,
                       kmv_measure_row *row, kmv_error *err)
{
    const double start = kmv_now_s();
    const int threads = spec->threads > 0 ? spec->threads : omp_get_num_procs();
    kmv_problem p = {
        .matrix = kinds[spec->matrix].matrix, .causal = spec->causal != 0, .sigma = spec->sigma};
    kmv_measure_row out;
    kmv_entries e = {0};
    kmv_view view = {0};
    size_t *which = NULL, rows = 0;
    kmv_status st = check_spec(spec, err);

    if (st != KMV_OK || (st = kmv_view_init(&view, data, n, spec->drop_first, spec->center, err)))
        return st;
    p.q = &view.q;
    p.k = &view.k;
    p.heads = view.heads;
    if (p.causal && p.heads > 1) {
        st = kmv_fail(err, KMV_ENOTSUP,
                      "%s: a causal mask of several query heads at once is not measured",
                      data->name);
        goto out;
    }
    if ((st = kmv_problem_check(&p, err)) != KMV_OK ||
        (st = choose_rows(spec, p.q->n, p.k->n, &rows, err)) != KMV_OK)
        goto out;
    if (rows > 0 &&
        (st = draw_rows(p.q->n, rows, kmv_stream_key(spec->seed, "measure rows", p.q->n), &which,
                        err)) != KMV_OK)
        goto out;
    fill_request(data, &p, spec, rows, &out);
    if ((st = kmv_entries_init(&e, &p, kinds[spec->matrix].scaling, which, rows, threads, spec->isa,
                               err)) != KMV_OK ||
        (st = measure_entries(&e, p.q->n, rows > 0, spec, &out, err)) != KMV_OK)
        goto out;
    out.t_s = kmv_now_s() - start;
    *row = out;
out:
    kmv_entries_clear(&e);
    kmv_view_clear(&view);
    kmv_free(which);
    return st;
}

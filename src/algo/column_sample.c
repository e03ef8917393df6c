/* algo/column_sample.c - see column_sample.h. */
#include "algo/column_sample.h"

#include <gsl/gsl_randist.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "base/status.h"

/* A column with more than this part of eps^2 in |x|^2 is kept in any case. There are at most
 * 1 / (FORCED eps^2) of them. */
static const double FORCED = 0.25, DOUBT = 4;

/* Beyond it packed floats overflow or lose all digits. */
static const double NORM2_MOST = 1e30;

void kmv_sample_probabilities(const double *score, size_t n, double m, double *p)
{
    double lambda, next = 0;

    /* sum min(1, lambda score_j) is concave and piecewise linear in lambda: Newton's method from
     * below rises to where it is m, and stands still once no further column reaches 1. */
    do {
        double sum = 0, left = m;

        lambda = next;
        for (size_t j = 0; j < n; j++) {
            if (lambda * score[j] >= 1)
                left -= 1;
            else
                sum += score[j];
        }
        next = sum > 0 ? left / sum : INFINITY;
    } while (next > lambda && isfinite(next));
    lambda = fmax(lambda, next);
    for (size_t j = 0; j < n; j++)
        p[j] = score[j] > 0 ? fmin(1, lambda * score[j]) : 0;
}

double kmv_sample_variance(const double *x2, const double *c2, const double *p, size_t n)
{
    double sum = 0;

    for (size_t j = 0; j < n; j++) {
        if (p[j] < 1 && x2[j] * c2[j] > 0)
            sum += x2[j] * c2[j] * (1 / p[j] - 1);
    }
    return sum;
}

double kmv_sample_deviation(const double *x2, const double *c2, const double *p, size_t n,
                            double delta)
{
    const double log_term = log(2 / delta), variance = kmv_sample_variance(x2, c2, p, n);
    double jump2 = 0, half;

    for (size_t j = 0; j < n; j++) {
        if (p[j] < 1 && x2[j] * c2[j] > 0) {
            const double factor = fmax(1, 1 / p[j] - 1);

            jump2 = fmax(jump2, x2[j] * c2[j] * factor * factor);
        }
    }
    half = log_term * sqrt(jump2) / 3;
    return half + sqrt(half * half + 2 * log_term * variance);
}

double kmv_sample_error(const double *x2, const double *c2, const double *p, size_t n, double delta,
                        double safety)
{
    return safety > 0 ? safety * sqrt(kmv_sample_variance(x2, c2, p, n))
                      : kmv_sample_deviation(x2, c2, p, n, delta);
}

/* Bins of a factor sqrt 2 from 2^-96 up; the first is for what is smaller, 0 included. */
enum { BINS = 256 };

static size_t bin_of(double value)
{
    int exponent;
    double at;

    if (!(value > 0x1p-96))
        return 0;
    at = 2 * 96 + 1 + (frexp(value, &exponent) >= 0.70710678118654752 ? 1 : 0);
    at += 2 * (double)exponent;
    return at < BINS ? (size_t)at : BINS - 1;
}

/* c2 += half the mean of `value` over the columns of the same bin of `by`. */
static void add_half(const double *by, const double *value, size_t n, double doubt, double *c2)
{
    double sum[BINS] = {0}, count[BINS] = {0}, all = 0;

    for (size_t j = 0; j < n; j++) {
        const size_t bin = bin_of(by[j]);

        sum[bin] += value[j];
        count[bin] += 1;
        all += value[j] / (double)n;
    }
    for (size_t j = 0; j < n; j++) {
        const size_t bin = bin_of(by[j]);

        c2[j] += fmax(sum[bin] / count[bin], (sum[bin] + doubt * all) / (count[bin] + doubt)) / 2;
    }
}

void kmv_sample_calibrate(const double *fit, const double *check, size_t n, double doubt,
                          double *c2)
{
    if (memcmp(fit, check, n * sizeof *fit) == 0) {
        memcpy(c2, fit, n * sizeof *c2);
        return;
    }
    memset(c2, 0, n * sizeof *c2);
    add_half(fit, check, n, doubt, c2);
    add_half(check, fit, n, doubt, c2);
}

void kmv_sample_force(const double *x2, size_t n, double share, double total, double *p)
{
    for (size_t j = 0; j < n; j++)
        p[j] = x2[j] > share * total ? 1 : p[j];
}

size_t kmv_sample_draw(const double *p, size_t n, gsl_rng *rng, size_t *index, double *weight)
{
    size_t count = 0;

    for (size_t j = 0; j < n; j++) {
        /* gsl_rng_uniform lies in [0, 1): p = 1 is always kept, p = 0 never. */
        if (p[j] >= 1 || (p[j] > 0 && gsl_rng_uniform(rng) < p[j])) {
            index[count] = j;
            weight[count++] = 1 / p[j];
        }
    }
    return count;
}

/* Adds factor G_ij^2 for every packed row to c2[j]. Keys are divided among threads and rows run in
 * order for each, so that the sums have the same bits for any number of threads. */
static void add_column_norms(const kmv_packed *rows, const kmv_packed *keys,
                             const kmv_problem *problem, double factor, int threads, double *c2)
{
    /* Where the expanded square would cancel, a pilot can afford differences throughout. */
    const int by_difference = !(rows->norm2_max + keys->norm2_max <= 1000);
    const kmv_tile *tile = rows->tile;
    const size_t d = rows->d, lanes = tile->lanes, panels = (keys->n + lanes - 1) / lanes;
    const double scale = 1.44269504088896340736 / problem->sigma / problem->sigma;

#pragma omp parallel for num_threads(threads) schedule(static)
    for (size_t panel = 0; panel < panels; panel++) {
        const float *k = keys->x + panel * lanes * d, *b = keys->offset + panel * lanes;
        _Alignas(KMV_ALIGN) float e[KMV_ROWS_MAX * KMV_LANES_MAX];
        const size_t first = panel * lanes;

        for (size_t i = 0; i < rows->n; i++) {
            const size_t in_block = i % tile->rows, block = i - in_block;
            size_t seen = keys->n;

            if (in_block == 0) {
                if (by_difference)
                    tile->exponents_by_difference(rows->x + block * d, k, scale, d, e, lanes);
                else
                    tile->exponents(rows->x + block * d, rows->offset + block, k, b, d,
                                    KMV_STEPS_MAX, e, lanes);
                for (size_t s = 0; s < tile->rows * lanes; s++)
                    e[s] *= 2; /* the square */
                tile->exp2(e, tile->rows * lanes);
            }
            if (problem->causal)
                seen = kmv_problem_sees(problem, rows->index[i]);
            for (size_t j = first; j < first + lanes && j < seen && j < keys->n; j++)
                c2[j] += factor * (double)e[in_block * lanes + (j - first)];
        }
    }
}

/* Columns of which so many rows meet about DOUBT, where each is large in one row. */
static double doubt(size_t n_q, size_t rows)
{
    return DOUBT * (double)n_q / fmax(1, (double)rows);
}

/* All keys are packed. */
static kmv_status run_pilot(kmv_column_sampler *s, const kmv_prepare_context *context, size_t pilot,
                            kmv_error *err)
{
    const size_t n_q = s->problem->q->n, n_k = s->problem->k->n, d = s->problem->k->d;
    const int whole = pilot >= n_q || n_q < 2;
    const size_t half = whole ? n_q : (pilot + 1) / 2, drawn = whole ? n_q : 2 * half;
    kmv_packed rows = {0};
    size_t *all = NULL, *chosen = NULL, *part = NULL;
    double *c2[2] = {kmv_alloc(n_k, sizeof(double), "column norms", err),
                     kmv_alloc(n_k, sizeof(double), "column norms", err)};
    kmv_status st = KMV_ENOMEM;

    if (c2[0] == NULL || c2[1] == NULL ||
        (s->c2 = kmv_alloc(n_k, sizeof *s->c2, "column norms", err)) == NULL ||
        (all = kmv_alloc(n_q, sizeof *all, "rows", err)) == NULL ||
        (chosen = kmv_alloc(drawn, sizeof *chosen, "pilot rows", err)) == NULL ||
        (part = kmv_alloc(half, sizeof *part, "pilot rows", err)) == NULL ||
        (st = kmv_packed_init(&rows, context->tile, KMV_QUERIES, half, d, 1, err)) != KMV_OK)
        goto out;
    for (size_t i = 0; i < n_q; i++)
        all[i] = i;
    gsl_ran_choose(s->rng, chosen, drawn, all, n_q, sizeof *all); /* in ascending order */
    for (size_t h = 0; h < (whole ? 1u : 2u); h++) {
        for (size_t i = 0; i < half; i++)
            part[i] = whole ? chosen[i] : chosen[2 * i + h];
        kmv_pack(&rows, s->problem, s->centre, part, half, s->threads, context->cost);
        add_column_norms(&rows, &s->keys, s->problem, (double)n_q / (double)half, s->threads,
                         c2[h]);
    }
    kmv_sample_calibrate(c2[0], c2[whole ? 0 : 1], n_k, doubt(n_q, half), s->c2);
    s->pilot = drawn;
    context->cost->pairs += (double)drawn * (double)n_k;
    context->cost->flops += (double)drawn * (double)n_k * (2 * (double)d + 2);
    st = KMV_OK;
out:
    kmv_free(c2[0]);
    kmv_free(c2[1]);
    kmv_packed_clear(&rows);
    kmv_free(all);
    kmv_free(chosen);
    kmv_free(part);
    return st;
}

static kmv_status reserve(kmv_column_sampler *s, const kmv_prepare_context *context, kmv_error *err)
{
    const size_t n_q = s->problem->q->n, n_k = s->problem->k->n, d = s->problem->k->d;
    kmv_status st = KMV_ENOMEM;

    if ((s->index = kmv_alloc(n_k, sizeof *s->index, "sample", err)) == NULL ||
        (s->weight = kmv_alloc(n_k, sizeof *s->weight, "weights of the sample", err)) == NULL ||
        (s->x2 = kmv_alloc(n_k, sizeof *s->x2, "norms of x", err)) == NULL ||
        (s->score = kmv_alloc(n_k, sizeof *s->score, "scores", err)) == NULL ||
        (s->p = kmv_alloc(n_k, sizeof *s->p, "probabilities", err)) == NULL ||
        (s->rng = kmv_rng_create(context->key, err)) == NULL)
        return st;
    if ((st = kmv_packed_init(&s->keys, context->tile, KMV_KEYS, n_k, d, 1, err)) != KMV_OK)
        return st;
    if (s->shared != NULL) {
        s->centre = s->shared->centre;
        s->workspace = s->shared->workspace;
        return KMV_OK;
    }
    if ((s->centre = kmv_alloc(d, sizeof *s->centre, "centre", err)) == NULL)
        return KMV_ENOMEM;
    if ((st = kmv_packed_init(&s->queries, context->tile, KMV_QUERIES, n_q, d, 0, err)) != KMV_OK)
        return st;
    return kmv_workspace_create(context->tile, n_q, n_k, context->settings->r, s->threads,
                                &s->workspace, err);
}

/* What does not depend on where the pilot comes from. */
static kmv_status create(const kmv_problem *problem, const kmv_prepare_context *context,
                         const kmv_pilot *shared, kmv_column_sampler **out, kmv_error *err)
{
    kmv_column_sampler *s = kmv_alloc(1, sizeof *s, "column sampler", err);
    kmv_status st;

    if (s == NULL)
        return KMV_ENOMEM;
    s->problem = problem;
    s->shared = shared;
    s->threads = context->threads;
    s->eps = context->settings->eps;
    s->delta = context->settings->delta;
    s->effort = 1;
    s->forced = FORCED * s->eps * s->eps;
    s->text = context->text;
    s->text_size = context->text_size;
    if ((st = reserve(s, context, err)) != KMV_OK) {
        kmv_column_sampler_destroy(s);
        return st;
    }
    *out = s;
    return KMV_OK;
}

kmv_status kmv_column_sampler_create(const kmv_problem *problem, const kmv_prepare_context *context,
                                     size_t pilot, kmv_column_sampler **out, kmv_error *err)
{
    kmv_column_sampler *s = NULL;
    kmv_status st;

    if ((st = create(problem, context, NULL, &s, err)) != KMV_OK)
        return st;
    kmv_centre(problem, s->centre);
    kmv_pack(&s->queries, problem, s->centre, NULL, problem->q->n, s->threads, context->cost);
    kmv_pack(&s->keys, problem, s->centre, NULL, problem->k->n, s->threads, context->cost);
    if (!(fmax(s->queries.norm2_max, s->keys.norm2_max) <= NORM2_MOST)) {
        st = kmv_fail(err, KMV_ENOTSUP,
                      "sigma = %g is too small for these points: |p|^2 / sigma^2 reaches %g, want "
                      "<= %g",
                      problem->sigma, fmax(s->queries.norm2_max, s->keys.norm2_max), NORM2_MOST);
        goto out;
    }
    if (pilot > 0 && (st = run_pilot(s, context, pilot, err)) != KMV_OK)
        goto out;
    *out = s;
    s = NULL;
out:
    kmv_column_sampler_destroy(s);
    return st;
}

kmv_status kmv_column_sampler_create_shared(const kmv_problem *problem,
                                            const kmv_prepare_context *context,
                                            const kmv_pilot *pilot, kmv_column_sampler **out,
                                            kmv_error *err)
{
    const size_t n_k = problem->k->n;
    kmv_column_sampler *s = NULL;
    kmv_status st;

    if ((st = create(problem, context, pilot, &s, err)) != KMV_OK)
        return st;
    if ((s->c2 = kmv_alloc(n_k, sizeof *s->c2, "column norms", err)) == NULL) {
        kmv_column_sampler_destroy(s);
        return KMV_ENOMEM;
    }
    kmv_pilot_column_norms(pilot, 0, 2, s->score); /* as room, as the next line */
    kmv_pilot_column_norms(pilot, 1, 2, s->p);
    kmv_sample_calibrate(s->score, s->p, n_k, doubt(problem->q->n, pilot->count / 2), s->c2);
    s->pilot = pilot->count;
    *out = s;
    return KMV_OK;
}

void kmv_column_sampler_destroy(kmv_column_sampler *s)
{
    if (s == NULL)
        return;
    kmv_packed_clear(&s->keys);
    if (s->shared == NULL) {
        kmv_packed_clear(&s->queries);
        kmv_workspace_destroy(s->workspace);
        kmv_free(s->centre);
    }
    if (s->rng != NULL)
        gsl_rng_free(s->rng);
    kmv_free(s->index);
    kmv_free(s->weight);
    kmv_free(s->x2);
    kmv_free(s->score);
    kmv_free(s->p);
    kmv_free(s->c2);
    kmv_free(s);
}

double kmv_column_sampler_load(kmv_column_sampler *s, const kmv_apply_context *context)
{
    const size_t n = s->problem->k->n, r = context->r;
    double largest = 0, total = 0;

    for (size_t j = 0; j < n * r; j++)
        largest = fmax(largest, fabs(context->x[j]));
    for (size_t j = 0; j < n; j++) {
        double sum = 0;

        for (size_t c = 0; c < r; c++) {
            const double value = context->x[j * r + c] / largest;

            sum += value * value;
        }
        s->x2[j] = sum;
        total += sum;
    }
    return total;
}

/* V that the check rows predict, and what they may have missed. */
static double guarded_variance(const kmv_column_sampler *s)
{
    const size_t n = s->problem->k->n;
    double worst = 0;

    for (size_t j = 0; j < n; j++) {
        if (s->p[j] < 1 && s->x2[j] > 0)
            worst = fmax(worst, s->x2[j] * (1 / s->p[j] - 1));
    }
    return kmv_sample_variance(s->x2, s->c2, s->p, n) + s->miss * worst;
}

/* Few entries among zeros are all taken: how they fall together is nothing that a mean tells. */
static void set_probabilities(kmv_column_sampler *s, double m, double x_norm2)
{
    const size_t n = s->problem->k->n;
    size_t places = 0;

    kmv_sample_probabilities(s->score, n, m, s->p);
    kmv_sample_force(s->x2, n, s->forced, x_norm2, s->p);
    for (size_t j = 0; j < n && places <= KMV_SAMPLE_LEAST; j++)
        places += s->x2[j] > 0;
    if (places <= KMV_SAMPLE_LEAST && 2 * places <= n)
        kmv_sample_force(s->x2, n, 0, x_norm2, s->p);
}

static double expected_size(const kmv_column_sampler *s)
{
    double sum = 0;

    for (size_t j = 0; j < s->problem->k->n; j++)
        sum += s->p[j];
    return sum;
}

/* Whether probabilities for m columns reach the error asked for. */
static int reaches(kmv_column_sampler *s, double m, double safety, double x_norm2)
{
    const size_t n = s->problem->k->n;

    set_probabilities(s, m, x_norm2);
    if (s->shared != NULL)
        return guarded_variance(s) <= s->eps * s->eps * x_norm2;
    return kmv_sample_error(s->x2, s->c2, s->p, n, s->delta, safety) <= s->eps * sqrt(x_norm2);
}

static double size_for(kmv_column_sampler *s, double safety, double x_norm2)
{
    double lo = 1, hi = (double)s->problem->k->n;

    while (hi > 1.02 * lo) {
        const double middle = sqrt(lo * hi);

        if (reaches(s, middle, safety, x_norm2))
            hi = middle;
        else
            lo = middle;
    }
    set_probabilities(s, hi, x_norm2);
    return hi;
}

double kmv_column_sampler_size(kmv_column_sampler *s, double x_norm2)
{
    size_for(s, 1, x_norm2);
    return expected_size(s);
}

/* Probabilities for one product; returns the expected size of the sample. */
static double choose(kmv_column_sampler *s, size_t samples, double safety, double x_norm2)
{
    if (samples > 0)
        kmv_sample_probabilities(s->score, s->problem->k->n, (double)samples, s->p);
    else
        set_probabilities(s, s->effort * size_for(s, safety, x_norm2), x_norm2);
    return expected_size(s);
}

void kmv_column_sampler_apply(kmv_column_sampler *s, size_t samples, double safety, double x_norm2,
                              kmv_apply_context *context)
{
    const size_t n = s->problem->k->n;
    const double expected = choose(s, samples, safety, x_norm2);
    size_t count;

    kmv_rng_restart(s->rng, context->key);
    count = kmv_sample_draw(s->p, n, s->rng, s->index, s->weight);
    if (s->c2 != NULL)
        context->err_est = sqrt(kmv_sample_variance(s->x2, s->c2, s->p, n) / x_norm2);
    snprintf(s->text, s->text_size, "%zu of %zu columns drawn (%.4g expected, %s)", count, n,
             expected, samples > 0 ? "as asked" : "from eps and delta");
    if (!isnan(context->err_est)) {
        const size_t used = strlen(s->text);

        snprintf(s->text + used, s->text_size - used,
                 ", predicted rms error %.3g |x| from %zu pilot rows", context->err_est, s->pilot);
    }
    if (count == 0) { /* nothing was drawn: the estimate is 0 */
        memset(context->y, 0, s->problem->q->n * context->r * sizeof *context->y);
        return;
    }
    kmv_pack(&s->keys, s->problem, s->centre, s->index, count, s->threads, context->cost);
    kmv_product(s->shared != NULL ? &s->shared->queries : &s->queries, &s->keys, s->problem,
                context->x, s->weight, context->r, s->threads, s->workspace, context->y,
                context->cost);
}

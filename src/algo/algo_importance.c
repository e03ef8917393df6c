/* algo/algo_importance.c - columns kept with probability according to x and to pilot rows.
 *
 * p_j = min(1, lambda s_j) with the mixture
 *     s_j = a |x_j|^2 / |x|^2 + b |x_j| / |x|_1 + u [x_j != 0] / #(x) + w |x_j| c_j / sum_l |x_l|
 * c_l, w = 1 - a - b - u, c_j a pilot's estimate of the norm of column j. Each part alone has an
 * error of its own: for m expected columns w gives V <= (sum_j |x_j| c_j)^2 / (w m), the best there
 * is; a gives V <= |x|^2 sum_j c_j^2 / (a m) without knowing c_j; b bounds the largest weight |x_j|
 * / p_j by |x|_1 / (b m). So a pilot that misled costs a constant factor only. */
#include <math.h>
#include <stddef.h>
#include <stdio.h>

#include "algo/algo.h"
#include "algo/candidate.h"
#include "algo/column_sample.h"
#include "base/mem.h"

typedef struct {
    size_t samples, pilot;
    double share_x2, share_x, share_uniform, safety;
} opts;

static const kmv_option options[] = {
    {"samples", KMV_OPT_SIZE, offsetof(opts, samples), "0", 0, 1e9,
     "columns to draw, expected; 0: set from eps and delta", NULL},
    {"pilot", KMV_OPT_SIZE, offsetof(opts, pilot), "128", 0, 1e6,
     "rows computed exactly to estimate column norms; 0: none", NULL},
    {"share_x2", KMV_OPT_REAL, offsetof(opts, share_x2), "0.25", 0, 1,
     "share of the sample drawn by |x_j|^2", NULL},
    {"share_x", KMV_OPT_REAL, offsetof(opts, share_x), "0.15", 0, 1,
     "share of the sample drawn by |x_j|", NULL},
    {"share_uniform", KMV_OPT_REAL, offsetof(opts, share_uniform), "0.1", 0, 1,
     "share drawn uniformly where x_j is not 0; the rest goes by |x_j| c_j", NULL},
    {"safety", KMV_OPT_REAL, offsetof(opts, safety), "0", 0, 1000,
     "0: error <= eps with probability 1 - delta; else rms error = eps / safety", NULL},
    {0},
};

static const char *reject(const kmv_problem *problem, const void *opt, size_t r)
{
    const opts *o = opt;
    const double shares = o->share_x2 + o->share_x + o->share_uniform;

    (void)problem;
    (void)r;
    if (!(shares <= 1 + 1e-12))
        return "share_x2 + share_x + share_uniform > 1";
    if (o->pilot == 0 && o->samples == 0)
        return "samples = 0 (from eps) needs pilot > 0";
    if (o->pilot == 0 && !(shares > 0))
        return "with pilot = 0 some share must be > 0";
    return NULL;
}

static int uses_eps(const void *opt)
{
    const opts *o = opt;

    return o->samples == 0;
}

static kmv_status prepare(const kmv_problem *problem, const void *opt,
                          const kmv_prepare_context *context, void **out, kmv_error *err)
{
    const opts *o = opt;
    kmv_column_sampler *s = NULL;
    kmv_status st = kmv_column_sampler_create(problem, context, o->pilot, &s, err);

    if (st != KMV_OK)
        return st;
    s->options = opt;
    *out = s;
    return KMV_OK;
}

static void set_scores(kmv_column_sampler *s, double x_norm2)
{
    const opts *o = s->options;
    const size_t n = s->problem->k->n;
    const double share_c = fmax(0, 1 - o->share_x2 - o->share_x - o->share_uniform);
    double sum_x = 0, sum_xc = 0, places = 0;

    for (size_t j = 0; j < n; j++) {
        sum_x += sqrt(s->x2[j]);
        places += s->x2[j] > 0;
        if (s->c2 != NULL)
            sum_xc += sqrt(s->x2[j] * s->c2[j]);
    }
    for (size_t j = 0; j < n; j++) {
        s->score[j] = o->share_x2 * s->x2[j] / x_norm2 + o->share_x * sqrt(s->x2[j]) / sum_x +
                      (s->x2[j] > 0 ? o->share_uniform / places : 0);
        if (sum_xc > 0)
            s->score[j] += share_c * sqrt(s->x2[j] * s->c2[j]) / sum_xc;
    }
}

static kmv_status apply(void *state, kmv_apply_context *context, kmv_error *err)
{
    kmv_column_sampler *s = state;
    const opts *o = s->options;
    const double x_norm2 = kmv_column_sampler_load(s, context);

    (void)err;
    set_scores(s, x_norm2);
    kmv_column_sampler_apply(s, o->samples, o->safety, x_norm2, context);
    return KMV_OK;
}

static void destroy(void *state)
{
    kmv_column_sampler_destroy(state);
}

/* ---- as a candidate of the planner ----------------------------------------------------------- */

/* The defaults of the table. How far the error may lie above its root mean square is estimated
 * beside, from the directions it spreads over. */
static const opts planned = {
    .pilot = 1, .share_x2 = 0.25, .share_x = 0.15, .share_uniform = 0.1, .safety = 1};

/* Pilot rows for the number of directions: their pairs cost as much as that many rows squared. */
enum { DIRECTION_ROWS = 16 };

/* Standard errors of the pilot's prediction that the sample makes up for. */
static const double DEVIATIONS = 2;

/* Draws, scores and the search for m: about so many passes over n numbers per product; and once,
 * with what the rest of the pilot takes, for the forecast: 0.5 us a key were measured. */
enum { PASSES = 200, PASSES_ONCE = 1000, FLOPS_ONCE = 600000 };

/* Columns with which the scores fitted to the even rows reach the error on the odd ones, for x of
 * entries of equal size. */
static kmv_status likely_columns(const kmv_pilot *pilot, double eps, double *m, kmv_error *err)
{
    const size_t n_k = pilot->problem->k->n;
    const double n = (double)n_k,
                 share_c = 1 - planned.share_x2 - planned.share_x - planned.share_uniform;
    double *fit = kmv_alloc(n_k, sizeof *fit, "column norms", err);
    double *check = kmv_alloc(n_k, sizeof *check, "column norms", err);
    double norms = 0, squares = 0, spread = 0;
    kmv_status st = KMV_ENOMEM;

    if (fit == NULL || check == NULL)
        goto out;
    kmv_pilot_column_norms(pilot, 0, 2, fit);
    kmv_pilot_column_norms(pilot, 1, 2, check);
    for (size_t j = 0; j < n_k; j++)
        norms += fit[j] = sqrt(fit[j]);
    for (size_t j = 0; j < n_k; j++) {
        const double mine = norms > 0 ? share_c * fit[j] / norms : share_c / n;

        squares += check[j];
        spread += check[j] / (mine + (1 - share_c) / n);
    }
    *m = squares > 0 ? fmin(n, spread / (eps * eps * n + squares)) : 0;
    st = KMV_OK;
out:
    kmv_free(fit);
    kmv_free(check);
    return st;
}

/* Times the columns of an average error that one which rarely exceeds eps takes: the square of the
 * safety that forecast comes to on real heads, 2.6 to 2.9. */
static const double LIKELY_SAFETY2 = 7;

static double once_s(double n_k, const kmv_speeds *speeds)
{
    return (FLOPS_ONCE + PASSES_ONCE * n_k) * speeds->flop_s;
}

/* Seconds of products with `times` the columns that an error of eps needs on average. */
static kmv_status likely_s(const kmv_problem *problem, const kmv_prepare_context *context,
                           const kmv_pilot *pilot, const kmv_speeds *speeds, double applies,
                           double times, double *least_s, kmv_error *err)
{
    double m = 0;
    kmv_status st;

    if (pilot->count > 1 && (st = likely_columns(pilot, context->settings->eps, &m, err)) != KMV_OK)
        return st;
    m = fmin(times * m, (double)problem->k->n);
    *least_s = applies * (m / (double)problem->k->n * kmv_problem_pairs(problem) * speeds->pair_s +
                          PASSES * (double)problem->k->n * speeds->flop_s) +
               once_s((double)problem->k->n, speeds);
    return KMV_OK;
}

static kmv_status least(const kmv_problem *problem, const kmv_prepare_context *context,
                        const kmv_pilot *pilot, const kmv_speeds *speeds, double applies,
                        double *least_s, kmv_error *err)
{
    return likely_s(problem, context, pilot, speeds, applies, LIKELY_SAFETY2, least_s, err);
}

static kmv_status forecast(const kmv_problem *problem, const kmv_prepare_context *context,
                           const kmv_pilot *pilot, const kmv_speeds *speeds, double applies,
                           double budget_s, kmv_forecast *out, void **draft, kmv_error *err)
{
    const size_t n_k = problem->k->n;
    const double n = (double)n_k, d = (double)problem->k->d;
    double m, safety, largest, least_s;
    kmv_column_sampler *s = NULL;
    kmv_forecast f = {.error = INFINITY, .text = "too many columns"};
    kmv_status st;

    if ((st = likely_s(problem, context, pilot, speeds, applies, 1, &least_s, err)) != KMV_OK)
        return st;
    if (!(least_s < budget_s)) {
        *out = f;
        return KMV_OK;
    }
    st = kmv_column_sampler_create_shared(problem, context, pilot, &s, err);
    if (st != KMV_OK)
        return st;
    largest = pilot->bins.largest;
    safety =
        kmv_error_safety(kmv_pilot_directions(pilot, DIRECTION_ROWS), context->settings->delta) *
        sqrt(1 + DEVIATIONS * kmv_pilot_spread(pilot, 1, 2));
    s->options = &planned;
    s->forced /= safety * safety;
    s->eps /= safety; /* now of the root mean square */
    for (size_t j = 0; j < n_k; j++)
        s->x2[j] = 1;
    set_scores(s, n);
    s->miss = largest * largest * (double)problem->q->n / (double)(pilot->count / 2);
    m = kmv_column_sampler_size(s, n);
    if (m < n) {
        f.error = safety * sqrt(kmv_sample_variance(s->x2, s->c2, s->p, n_k) / n);
        snprintf(f.text, sizeof f.text, "m = %.4g (error <= %.3g rms)", m, safety);
    }
    f.prepare_s = once_s(n, speeds);
    f.pairs = kmv_problem_pairs(problem) * m / n;
    f.apply_s = f.pairs * speeds->pair_s + m * d * (6 * speeds->flop_s + 4 * speeds->byte_s) +
                PASSES * n * speeds->flop_s;
    *out = f;
    *draft = s;
    return KMV_OK;
}

static kmv_status apply_planned(void *state, double effort, kmv_apply_context *context,
                                kmv_error *err)
{
    kmv_column_sampler *s = state;

    s->effort = effort;
    return apply(s, context, err);
}

const kmv_candidate kmv_candidate_importance = {
    .name = "importance",
    .flags = KMV_CAN_GAUSS | KMV_CAN_CAUSAL | KMV_CAN_COLUMNS | KMV_CAN_SIGNED,
    .least = least,
    .forecast = forecast,
    .discard = destroy,
    .prepare = kmv_candidate_take_draft, /* the sampler is ready */
    .apply = apply_planned,
    .destroy = destroy,
};

const kmv_algo kmv_algo_importance = {
    .name = "importance",
    .summary = "columns kept independently, by a mixture of |x_j|^2, |x_j| and |x_j| c_j",
    .guarantee = "unbiased; E|y - Gx|^2 = sum_j x_j^2 (1/p_j - 1) c_j^2 <= |x|^2 |G|_F^2 / "
                 "(share_x2 m) (proved); m from eps: Bernstein's inequality on c_j estimated by "
                 "pilot rows",
    .source = "baseline; Drineas, Kannan, Mahoney 2006 for the scores, Pinelis 1994 for the "
              "inequality",
    .flags = KMV_CAN_GAUSS | KMV_CAN_CAUSAL | KMV_CAN_COLUMNS | KMV_CAN_SIGNED | KMV_USES_EPS |
             KMV_IS_RANDOM,
    .options = options,
    .options_size = sizeof(opts),
    .reject = reject,
    .uses_eps = uses_eps,
    .prepare = prepare,
    .apply = apply,
    .destroy = destroy,
};

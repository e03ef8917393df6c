/* algo/algo_uniform.c - every column with the same probability: the simplest unbiased estimate.
 *
 * p_j = m/n where x_j is not 0 (from eps: 1 for columns with more than eps^2/4 of |x|^2, and for
 * all where few x_j are not 0), so V = (n/m - 1) sum_j x_j^2 c_j^2: for entries spread evenly the
 * same as importance sampling, for one large x_j or one key with a large column up to n/m times
 * |Gx|^2. */
#include <stddef.h>

#include "algo/algo.h"
#include "algo/column_sample.h"

typedef struct {
    size_t samples, pilot;
    double safety;
} opts;

static const kmv_option options[] = {
    {"samples", KMV_OPT_SIZE, offsetof(opts, samples), "0", 0, 1e9,
     "columns to draw, expected; 0: set from eps and delta", NULL},
    {"pilot", KMV_OPT_SIZE, offsetof(opts, pilot), "128", 2, 1e6,
     "rows computed exactly to set samples from eps", NULL},
    {"safety", KMV_OPT_REAL, offsetof(opts, safety), "0", 0, 1000,
     "0: error <= eps with probability 1 - delta; else rms error = eps / safety", NULL},
    {0},
};

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
    kmv_status st =
        kmv_column_sampler_create(problem, context, o->samples > 0 ? 0 : o->pilot, &s, err);

    if (st != KMV_OK)
        return st;
    s->options = opt;
    *out = s;
    return KMV_OK;
}

static kmv_status apply(void *state, kmv_apply_context *context, kmv_error *err)
{
    kmv_column_sampler *s = state;
    const opts *o = s->options;
    const double x_norm2 = kmv_column_sampler_load(s, context);

    (void)err;
    for (size_t j = 0; j < s->problem->k->n; j++)
        s->score[j] = s->x2[j] > 0;
    kmv_column_sampler_apply(s, o->samples, o->safety, x_norm2, context);
    return KMV_OK;
}

static void destroy(void *state)
{
    kmv_column_sampler_destroy(state);
}

const kmv_algo kmv_algo_uniform = {
    .name = "uniform",
    .summary = "columns kept independently with equal probability m/n, weighted n/m",
    .guarantee = "unbiased; E|y - Gx|^2 = (n/m - 1) sum_j x_j^2 c_j^2, c_j the norm of column j "
                 "(proved; from eps, columns with much of x are certain); m from eps: Bernstein's "
                 "inequality on c_j estimated by pilot rows",
    .source = "baseline; Pinelis 1994 for the inequality",
    .flags = KMV_CAN_GAUSS | KMV_CAN_CAUSAL | KMV_CAN_COLUMNS | KMV_CAN_SIGNED | KMV_USES_EPS |
             KMV_IS_RANDOM,
    .options = options,
    .options_size = sizeof(opts),
    .uses_eps = uses_eps,
    .prepare = prepare,
    .apply = apply,
    .destroy = destroy,
};

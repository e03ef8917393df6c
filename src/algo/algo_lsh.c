/* algo/algo_lsh.c - near pairs from hash tables exactly, the rest from sampled columns: options and
 * the algorithm's row. docs/lsh.md has formulas and proofs. */
#include <math.h>
#include <stddef.h>

#include "algo/lsh.h"

static const kmv_option options[] = {
    {"tables", KMV_OPT_SIZE, offsetof(kmv_lsh_options, tables), "0", 0, KMV_HASH_TABLES_MAX,
     "hash tables; 0: tables, bits and wild are set from eps", NULL},
    {"bits", KMV_OPT_SIZE, offsetof(kmv_lsh_options, bits), "10", 0, KMV_HASH_BITS_MAX,
     "hyperplanes of each table, where tables > 0", NULL},
    {"wild", KMV_OPT_SIZE, offsetof(kmv_lsh_options, wild), "2", 0, KMV_HASH_WILD_MAX,
     "bits that a query tries both ways, where tables > 0; fewer than bits", NULL},
    {"samples", KMV_OPT_SIZE, offsetof(kmv_lsh_options, samples), "0", 0, 1e9,
     "columns to draw for the rest, expected; 0: set from eps", NULL},
    {"clip", KMV_OPT_REAL, offsetof(kmv_lsh_options, clip), "-1", -1, 1,
     "sampled entries above this count once instead of 1/p times; 0: off; -1: set from eps", NULL},
    {"pilot", KMV_OPT_SIZE, offsetof(kmv_lsh_options, pilot), "128", 0, 4096,
     "rows computed exactly to plan; 0: none", NULL},
    {"safety", KMV_OPT_REAL, offsetof(kmv_lsh_options, safety), "1.5", 0, 1000,
     "the rms error aimed at is eps / safety; 0: eps sqrt(delta), for Markov's inequality", NULL},
    {0},
};

const char *kmv_lsh_reject(const kmv_problem *problem, const kmv_lsh_options *o)
{
    if (problem->k->n >= UINT32_MAX || problem->q->n >> KMV_HASH_WILD_MAX >= UINT32_MAX / 64)
        return "more points than 32-bit numbers count";
    if (o->tables > 0 && o->wild > 0 && o->wild >= o->bits)
        return "wild is not below bits";
    if (o->tables > 0 && (size_t)1 << o->bits > 1024 + 16 * problem->k->n)
        return "bits: many more buckets than keys";
    if (o->pilot == 0 && (o->tables == 0 || o->samples == 0 || o->clip < 0))
        return "pilot = 0 needs tables, samples and clip";
    if (o->clip < 0 && o->clip != -1)
        return "clip is negative, and not -1";
    return NULL;
}

static int uses_eps(const void *opt)
{
    const kmv_lsh_options *o = opt;

    return o->tables == 0 || o->samples == 0 || o->clip < 0;
}

static const char *reject(const kmv_problem *problem, const void *opt, size_t r)
{
    (void)r;
    return kmv_lsh_reject(problem, opt);
}

static void destroy(void *state)
{
    kmv_lsh_destroy(state);
}

static kmv_status prepare(const kmv_problem *problem, const void *opt,
                          const kmv_prepare_context *context, void **out, kmv_error *err)
{
    kmv_lsh *s = NULL;
    kmv_status st = kmv_lsh_plan(problem, opt, context, INFINITY, &s, err);

    if (st == KMV_OK &&
        (st = kmv_lsh_build(s, context->settings->r, context->cost, err)) != KMV_OK) {
        kmv_lsh_destroy(s);
        return st;
    }
    *out = s;
    return st;
}

static kmv_status apply(void *state, kmv_apply_context *context, kmv_error *err)
{
    (void)err;
    kmv_lsh_apply(state, context);
    return KMV_OK;
}

const kmv_algo kmv_algo_lsh = {
    .name = "lsh",
    .summary = "pairs that meet in hash tables exactly, the rest from sampled columns",
    .guarantee = "without clipping unbiased, E|y - Gx|^2 <= |x|^2 / (0.25 m) sum_ij G_ij^2 (1 - "
                 "h_ij)^L over tables and sample for any x (proved, docs/lsh.md); m and the clip "
                 "from eps: by pilot rows, not proved",
    .source = "Charikar 2002 for the hash; Indyk, Kapralov, Sheth, Wagner 2025 for heavy and light",
    .flags = KMV_CAN_GAUSS | KMV_CAN_COLUMNS | KMV_CAN_SIGNED | KMV_USES_EPS | KMV_IS_RANDOM,
    .options = options,
    .options_size = sizeof(kmv_lsh_options),
    .reject = reject,
    .uses_eps = uses_eps,
    .prepare = prepare,
    .apply = apply,
    .destroy = destroy,
};

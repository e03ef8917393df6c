/* algo/algo_rff.c - the Gaussian matrix through random Fourier features.
 *
 * Source: Rahimi & Recht, "Random features for large-scale kernel machines", NIPS 2007; orthogonal
 * directions: Yu et al., NIPS 2016 (arXiv 1610.09072).
 * The paper's: the features, with a random phase or as pairs of cosine and sine. Which is better:
 * pairs, by their variance (fourier_features.h), so they are the default. Ours: only the blocking.
 * Guarantee: unbiased. An entry is off by eps with probability at most 2 exp(-m eps^2 / 4)
 * (Hoeffding); by eps anywhere in a ball of diameter D with m of the order of
 * d/eps^2 log(D / (sigma eps)) (the paper's claim 1). The currency is absolute and per entry: every
 * entry, however small, is off by about 1/sqrt(m), so y is by up to |x| n / sqrt(m), and about
 * |x| sqrt(n_q / m) for x of random signs. */
#include <stdio.h>

#include "algo/feature_algo.h"
#include "algo/fourier_features.h"

static const kmv_option options[] = {
    {"features", KMV_OPT_SIZE, offsetof(kmv_fourier_options, features), "256", 1, 65536,
     "cosines, or cosines and sines", NULL},
    {"kind", KMV_OPT_ENUM, offsetof(kmv_fourier_options, kind), "pairs", 0, 0,
     "cosine and sine of each direction, or a cosine with a random phase", "pairs|phases"},
    {"orthogonal", KMV_OPT_BOOL, offsetof(kmv_fourier_options, orthogonal), "no", 0, 0,
     "directions orthogonal in groups of d", NULL},
    {0},
};

static const char *reject(const kmv_problem *problem, const void *chosen, size_t r)
{
    const kmv_fourier_options *o = chosen;

    (void)problem;
    (void)r;
    return o->kind == KMV_FOURIER_PAIRS && o->features % 2 ? "pairs want an even number of features"
                                                           : NULL;
}

static kmv_status init(void *features, const kmv_problem *problem, const void *chosen,
                       const kmv_prepare_context *context, const kmv_feature_map **map,
                       kmv_error *err)
{
    const kmv_fourier_options *o = chosen;
    kmv_fourier_features *f = features;
    const kmv_status st =
        kmv_fourier_features_init(f, problem, o, context->tile, context->key, context->cost, err);

    if (st != KMV_OK)
        return st;
    snprintf(context->text, context->text_size, "rff: %zu features of %zu %s directions, %s",
             o->features, f->directions, o->orthogonal ? "orthogonal" : "independent",
             o->kind == KMV_FOURIER_PAIRS ? "cosine and sine" : "random phases");
    *map = &f->map;
    return KMV_OK;
}

static void clear(void *features)
{
    kmv_fourier_features_clear(features);
}

static const kmv_feature_kind kind = {sizeof(kmv_fourier_features), "features of rff", init, clear};

static kmv_status prepare(const kmv_problem *problem, const void *chosen,
                          const kmv_prepare_context *context, void **out, kmv_error *err)
{
    return kmv_feature_algo_prepare(&kind, problem, chosen, context, out, err);
}

const kmv_algo kmv_algo_rff = {
    .name = "rff",
    .summary = "Gaussian matrix through random Fourier features",
    .guarantee = "unbiased; every entry off by about 1/sqrt(features), absolute, so |y - Gx| about "
                 "|x| sqrt(n_q / features) for x of random signs",
    .source = "Rahimi & Recht, NIPS 2007; orthogonal: Yu et al., NIPS 2016, arXiv 1610.09072",
    .flags = KMV_CAN_GAUSS | KMV_CAN_CAUSAL | KMV_CAN_COLUMNS | KMV_CAN_SIGNED | KMV_IS_RANDOM,
    .options = options,
    .options_size = sizeof(kmv_fourier_options),
    .reject = reject,
    .prepare = prepare,
    .apply = kmv_feature_algo_apply,
    .destroy = kmv_feature_algo_destroy,
};

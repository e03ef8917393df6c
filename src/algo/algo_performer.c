/* algo/algo_performer.c - attention through positive orthogonal random features (FAVOR+).
 *
 * Source: Choromanski et al., "Rethinking attention with Performers", ICLR 2021 (arXiv 2009.14794).
 * The paper's: the features and their hyperbolic variant, orthogonal directions, numerator and
 * denominator from the same features, prefix sums for causal masks; m = 256 features.
 * Ours: maxima subtracted per feature instead of over all keys (feature_product.h), which leaves
 * the estimate as it is and loses no row; no constant is added to the features, as the authors'
 * code does against 0/0; and `centre`, which takes the means off queries and keys (rows of softmax
 * do not notice) and so |u + v|, which decides the variance.
 * Guarantee: none for a row of attention, a ratio of estimates. The paper bounds an entry of A, in
 * expectation and uniformly over a ball of queries and keys (theorem 4: m of the order of
 * d exp(R^2) / eps^2 for an absolute error eps, |q|, |k| <= R sigma); the currency is absolute and
 * per entry. */
#include <stdio.h>

#include "algo/feature_algo.h"
#include "algo/positive_features.h"

static const kmv_option options[] = {
    {"features", KMV_OPT_SIZE, offsetof(kmv_positive_options, directions), "256", 1, 65536,
     "random directions; hyperbolic takes two features of each", NULL},
    {"orthogonal", KMV_OPT_BOOL, offsetof(kmv_positive_options, orthogonal), "yes", 0, 0,
     "directions orthogonal in groups of d", NULL},
    {"hyperbolic", KMV_OPT_BOOL, offsetof(kmv_positive_options, hyperbolic), "no", 0, 0,
     "features of w and -w", NULL},
    {"centre", KMV_OPT_BOOL, offsetof(kmv_positive_options, centre), "no", 0, 0,
     "subtract the mean query and the mean key first", NULL},
    {0},
};

static kmv_status init(void *features, const kmv_problem *problem, const void *chosen,
                       const kmv_prepare_context *context, const kmv_feature_map **map,
                       kmv_error *err)
{
    const kmv_positive_options *o = chosen;
    kmv_positive_features *f = features;
    const kmv_status st =
        kmv_positive_features_init(f, problem, o, context->key, context->cost, err);

    if (st != KMV_OK)
        return st;
    snprintf(context->text, context->text_size,
             "performer: %zu positive features of %zu %s directions; |q| <= %.3g sigma, |k| <= "
             "%.3g sigma%s",
             f->map.features, o->directions, o->orthogonal ? "orthogonal" : "independent",
             f->points.q_most, f->points.k_most, o->centre ? " from their means" : "");
    *map = &f->map;
    return KMV_OK;
}

static void clear(void *features)
{
    kmv_positive_features_clear(features);
}

static const kmv_feature_kind kind = {sizeof(kmv_positive_features), "features of performer", init,
                                      clear};

static kmv_status prepare(const kmv_problem *problem, const void *chosen,
                          const kmv_prepare_context *context, void **out, kmv_error *err)
{
    return kmv_feature_algo_prepare(&kind, problem, chosen, context, out, err);
}

const kmv_algo kmv_algo_performer = {
    .name = "performer",
    .summary = "attention through positive orthogonal random features (FAVOR+)",
    .guarantee = "entries of A unbiased, absolute error of an entry bounded for |q|, |k| <= R with "
                 "exp(R^2) features (paper); none for rows of attention",
    .source = "Choromanski et al., ICLR 2021, arXiv 2009.14794",
    .flags = KMV_CAN_SOFTMAX | KMV_CAN_CAUSAL | KMV_CAN_COLUMNS | KMV_CAN_SIGNED | KMV_IS_RANDOM,
    .options = options,
    .options_size = sizeof(kmv_positive_options),
    .prepare = prepare,
    .apply = kmv_feature_algo_apply,
    .destroy = kmv_feature_algo_destroy,
};

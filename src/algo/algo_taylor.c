/* algo/algo_taylor.c - the exponential replaced by its Taylor polynomial of low degree.
 *
 * Source: Alman & Song, "Fast attention requires bounded entries", NeurIPS 2023 (arXiv 2302.13214):
 * where all |logit| <= B = o(sqrt(log n)), a polynomial of degree g of the logit is a matrix of
 * rank C(d + g, g), through which the product takes nearly linear time. The paper's: the polynomial
 * method and its condition. Ours: the Taylor polynomial itself (theirs is the Chebyshev-like one of
 * Aggarwal & Alman 2022, of somewhat lower degree for the same error), the points taken from their
 * means first, which bounds the exponents better and changes no row. Guarantee, proved: every entry
 * is off by at most exp(B) B^(g+1) / (g+1)!, B the largest |u.v| of the centred points, times
 * exp(-(|u|^2 + |v|^2) / 2) for gauss; the currency is absolute, per entry of A. Rounding is in
 * float. The plan says what B is here. */
#include <stdio.h>

#include "algo/feature_algo.h"
#include "algo/monomials.h"

typedef struct {
    size_t degree;
} opts;

static const kmv_option options[] = {
    {"degree", KMV_OPT_SIZE, offsetof(opts, degree), "2", 0, 64,
     "of the polynomial: C(d + degree, degree) features", NULL},
    {0},
};

static const char *reject(const kmv_problem *problem, const void *chosen, size_t r)
{
    const opts *o = chosen;

    (void)r;
    return kmv_monomials_count(problem->q->d, o->degree) == SIZE_MAX
               ? "C(d + degree, degree) features are more than 131072"
               : NULL;
}

static kmv_status init(void *features, const kmv_problem *problem, const void *chosen,
                       const kmv_prepare_context *context, const kmv_feature_map **map,
                       kmv_error *err)
{
    const opts *o = chosen;
    kmv_monomials *f = features;
    const kmv_status st = kmv_monomials_init(f, problem, o->degree, context->cost, err);
    double bound;

    if (st != KMV_OK)
        return st;
    bound = f->points.q_most * f->points.k_most;
    snprintf(context->text, context->text_size,
             "taylor: degree %zu, %zu features; |exponent| <= %.3g, so an entry is off by at most "
             "%.2g",
             o->degree, f->map.features, bound, kmv_monomials_remainder(bound, o->degree));
    *map = &f->map;
    return KMV_OK;
}

static void clear(void *features)
{
    kmv_monomials_clear(features);
}

static const kmv_feature_kind kind = {sizeof(kmv_monomials), "features of taylor", init, clear};

static kmv_status prepare(const kmv_problem *problem, const void *chosen,
                          const kmv_prepare_context *context, void **out, kmv_error *err)
{
    return kmv_feature_algo_prepare(&kind, problem, chosen, context, out, err);
}

const kmv_algo kmv_algo_taylor = {
    .name = "taylor",
    .summary = "the exponential by its Taylor polynomial, for bounded exponents",
    .guarantee = "every entry off by at most exp(B) B^(degree+1) / (degree+1)!, |exponent| <= B, "
                 "absolute (proved); none for a row of attention whose denominator nearly vanishes",
    .source = "Alman & Song, NeurIPS 2023, arXiv 2302.13214",
    .flags = KMV_CAN_GAUSS | KMV_CAN_SOFTMAX | KMV_CAN_CAUSAL | KMV_CAN_COLUMNS | KMV_CAN_SIGNED,
    .options = options,
    .options_size = sizeof(opts),
    .reject = reject,
    .prepare = prepare,
    .apply = kmv_feature_algo_apply,
    .destroy = kmv_feature_algo_destroy,
};

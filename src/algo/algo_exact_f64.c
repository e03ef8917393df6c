/* algo/algo_exact_f64.c - the float64 product that errors are judged against. */
#include <stdio.h>

#include "algo/algo.h"
#include "base/mem.h"
#include "gauss/reference.h"

typedef struct {
    const kmv_problem *problem;
    kmv_reference *reference;
} state;

static void destroy(void *s)
{
    state *t = s;

    if (t == NULL)
        return;
    kmv_reference_destroy(t->reference);
    kmv_free(t);
}

static kmv_status prepare(const kmv_problem *problem, const void *options,
                          const kmv_prepare_context *context, void **out, kmv_error *err)
{
    state *t = kmv_alloc(1, sizeof *t, "exact-f64", err);
    kmv_status st;

    (void)options;
    if (t == NULL)
        return KMV_ENOMEM;
    t->problem = problem;
    st = kmv_reference_create(problem, context->settings->r, context->tile->name, context->threads,
                              &t->reference, err);
    if (st != KMV_OK) {
        destroy(t);
        return st;
    }
    snprintf(context->text, context->text_size,
             "exact-f64: every pair in float64 with compensated sums");
    *out = t;
    return KMV_OK;
}

static kmv_status apply(void *s, kmv_apply_context *context, kmv_error *err)
{
    const state *t = s;

    (void)err;
    kmv_reference_apply(t->reference, NULL, t->problem->q->n, context->x, context->r, context->y);
    context->cost->pairs += kmv_problem_pairs(t->problem);
    context->cost->flops += kmv_reference_flops(t->problem, context->r);
    return KMV_OK;
}

const kmv_algo kmv_algo_exact_f64 = {
    .name = "exact-f64",
    .summary = "every pair in float64, distances by differences, compensated sums: the reference",
    .guarantee =
        "proved: relative to sum_j K_ij |x_j|, at most (d + 24) 2.2e-16 (1 + D^2/sigma^2), "
        "D the largest distance",
    .source = "baseline; compensated sums: Neumaier 1974",
    .flags = KMV_CAN_GAUSS | KMV_CAN_SOFTMAX | KMV_CAN_CAUSAL | KMV_CAN_COLUMNS | KMV_CAN_SIGNED |
             KMV_CAN_HEADS,
    .prepare = prepare,
    .apply = apply,
    .destroy = destroy,
};

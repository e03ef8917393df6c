/* algo/algo_null.c - the answer 0: the scale of every error, and the harness measuring itself. */
#include <string.h>

#include "algo/algo.h"

static kmv_status prepare(const kmv_problem *problem, const void *options,
                          const kmv_prepare_context *context, void **out, kmv_error *err)
{
    /* The state is one number: it is kept in the pointer's place, so that nothing is allocated. */
    (void)options;
    (void)context;
    (void)err;
    *out = (void *)(uintptr_t)problem->q->n;
    return KMV_OK;
}

static kmv_status apply(void *s, kmv_apply_context *context, kmv_error *err)
{
    (void)err;
    memset(context->y, 0, (size_t)(uintptr_t)s * context->r * sizeof *context->y);
    return KMV_OK;
}

static void destroy(void *s)
{
    (void)s;
}

const kmv_algo kmv_algo_null = {
    .name = "null",
    .summary = "y = 0",
    .guarantee = "error |Kx| / |x|: the error of answering nothing",
    .source = "baseline",
    .flags = KMV_CAN_GAUSS | KMV_CAN_SOFTMAX | KMV_CAN_CAUSAL | KMV_CAN_COLUMNS | KMV_CAN_SIGNED |
             KMV_CAN_HEADS,
    .prepare = prepare,
    .apply = apply,
    .destroy = destroy,
};

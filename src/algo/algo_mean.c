/* algo/algo_mean.c - answers with the mean of V: what softmax gives when all logits of a row are
 * equal, and the scale that the error of every other method is seen against.
 *
 *     y_i = mean of v_j over the keys j that query i sees (causal: a prefix)
 *
 * No entry is evaluated. Source: a baseline. */
#include <stdio.h>
#include <string.h>

#include "algo/algo.h"
#include "algo/row_lists.h"
#include "base/mem.h"

typedef struct {
    kmv_problem problem;
    double *sum; /* r */
} state;

static void destroy(void *s)
{
    state *st = s;

    if (st == NULL)
        return;
    kmv_free(st->sum);
    kmv_free(st);
}

static kmv_status prepare(const kmv_problem *problem, const void *options,
                          const kmv_prepare_context *context, void **out, kmv_error *err)
{
    state *s = kmv_alloc(1, sizeof *s, "state of mean", err);

    (void)options;
    if (s == NULL)
        return KMV_ENOMEM;
    s->problem = *problem;
    if ((s->sum = kmv_alloc(context->settings->r, sizeof *s->sum, "sums of columns", err)) ==
        NULL) {
        destroy(s);
        return KMV_ENOMEM;
    }
    snprintf(context->text, context->text_size, "mean: %s, no entry evaluated",
             problem->causal ? "running means of the keys seen" : "one mean for all rows");
    *out = s;
    return KMV_OK;
}

/* Rows see prefixes of growing length, so that one pass over the keys serves all of them. */
static kmv_status apply(void *s, kmv_apply_context *context, kmv_error *err)
{
    state *st = s;
    const size_t n_q = st->problem.q->n, r = context->r;
    size_t taken = 0, added = 0;

    (void)err;
    memset(st->sum, 0, r * sizeof *st->sum);
    for (size_t i = 0; i < n_q; i++) {
        const size_t seen = kmv_problem_sees(&st->problem, i);

        if (seen < taken) { /* another head begins */
            memset(st->sum, 0, r * sizeof *st->sum);
            taken = 0;
        }
        added += seen - taken;
        for (; taken < seen; taken++) {
            for (size_t c = 0; c < r; c++)
                st->sum[c] += context->x[taken * r + c];
        }
        for (size_t c = 0; c < r; c++)
            context->y[i * r + c] = st->sum[c] / (double)seen;
    }
    context->cost->flops += (double)r * (double)(added + n_q);
    return KMV_OK;
}

const kmv_algo kmv_algo_mean = {
    .name = "mean",
    .summary = "the mean of the values that a query sees: softmax with all logits equal",
    .guarantee = "none; its error in the Frobenius norm is what others must beat",
    .source = "baseline",
    .flags = KMV_CAN_SOFTMAX | KMV_CAN_CAUSAL | KMV_CAN_COLUMNS | KMV_CAN_SIGNED | KMV_CAN_HEADS,
    .prepare = prepare,
    .apply = apply,
    .destroy = destroy,
};

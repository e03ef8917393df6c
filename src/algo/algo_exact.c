/* algo/algo_exact.c - the whole product through fused tiles: what every faster method is held
 * against. */
#include <stdio.h>

#include "algo/algo.h"
#include "base/mem.h"
#include "base/status.h"
#include "gauss/few_queries.h"
#include "gauss/leaf_product.h"
#include "gauss/product.h"

typedef struct {
    kmv_problem problem;
    kmv_packed q, k;
    kmv_workspace *workspace;
    kmv_leaf_product *softmax; /* for softmax: instead of all above */
    kmv_few_queries *few;      /* for softmax of few queries: instead of that */
    int threads;
} state;

static void destroy(void *s)
{
    state *st = s;

    if (st == NULL)
        return;
    kmv_packed_clear(&st->q);
    kmv_packed_clear(&st->k);
    kmv_workspace_destroy(st->workspace);
    kmv_leaf_product_destroy(st->softmax);
    kmv_few_queries_destroy(st->few);
    kmv_free(st);
}

static kmv_status prepare(const kmv_problem *problem, const void *options,
                          const kmv_prepare_context *context, void **out, kmv_error *err)
{
    const kmv_tile *tile = context->tile;
    const size_t n_q = problem->q->n, n_k = problem->k->n, d = problem->q->d;
    double *centre = NULL;
    state *s = NULL;
    kmv_status st;

    (void)options;
    if ((s = kmv_alloc(1, sizeof *s, "state of exact", err)) == NULL)
        return KMV_ENOMEM;
    s->problem = *problem;
    s->threads = context->threads;
    if (problem->matrix == KMV_SOFTMAX && n_q <= KMV_FEW_QUERIES_MAX) {
        if ((st = kmv_few_queries_create(&s->problem, tile, context->settings->r, s->threads,
                                         &s->few, err)) != KMV_OK)
            goto out;
        snprintf(context->text, context->text_size,
                 "exact: all pairs, %s, keys and values read once for %zu queries", tile->vectors,
                 n_q);
        *out = s;
        return KMV_OK;
    }
    if (problem->matrix == KMV_SOFTMAX) {
        if ((st = kmv_leaf_product_create(&s->problem, tile, KMV_ATTEND_PARTS_MAX, n_q,
                                          context->settings->r, s->threads, &s->softmax,
                                          context->cost, err)) != KMV_OK)
            goto out;
        kmv_leaf_product_queries(s->softmax, NULL, n_q, context->cost);
        kmv_leaf_product_describe(s->softmax, context->text, context->text_size);
        *out = s;
        return KMV_OK;
    }
    if ((centre = kmv_alloc(d, sizeof *centre, "centre", err)) == NULL) {
        st = KMV_ENOMEM;
        goto out;
    }
    if ((st = kmv_packed_init(&s->q, tile, KMV_QUERIES, n_q, d, 0, err)) != KMV_OK ||
        (st = kmv_packed_init(&s->k, tile, KMV_KEYS, n_k, d, 0, err)) != KMV_OK ||
        (st = kmv_workspace_create(tile, n_q, n_k, context->settings->r, s->threads, &s->workspace,
                                   err)) != KMV_OK)
        goto out;
    kmv_centre(problem, centre);
    kmv_pack(&s->q, problem, centre, NULL, n_q, s->threads, context->cost);
    kmv_pack(&s->k, problem, centre, NULL, n_k, s->threads, context->cost);
    /* Beyond this the packed numbers overflow or lose all digits; NaN is caught too. */
    if (!(s->q.norm2_max <= 1e30 && s->k.norm2_max <= 1e30)) {
        st =
            kmv_fail(err, KMV_ENOTSUP,
                     "exact: sigma = %g is too small for these points: |p|^2 / sigma^2 reaches %g, "
                     "want <= 1e30",
                     problem->sigma, s->q.norm2_max + s->k.norm2_max);
        goto out;
    }
    snprintf(
        context->text, context->text_size,
        "exact: all pairs, %s tiles of %zu x %zu, %d query blocks to a panel in L1, 1 MiB of keys "
        "in L2",
        tile->name, tile->rows, tile->lanes, KMV_BLOCKS_MAX);
    *out = s;
    s = NULL;
out:
    kmv_free(centre);
    destroy(s);
    return st;
}

static kmv_status apply(void *s, kmv_apply_context *context, kmv_error *err)
{
    state *st = s;

    if (st->softmax != NULL || st->few != NULL)
        return (st->few != NULL ? kmv_few_queries_apply(st->few, context->x, context->r, context->y,
                                                        context->cost)
                                : kmv_leaf_product_apply(st->softmax, context->x, context->r,
                                                         context->y, context->cost))
                   ? KMV_OK
                   : kmv_fail(err, KMV_ENOTSUP,
                              "exact: logits this large leave the range in which float32 tells "
                              "them apart; exact-f64 "
                              "does these");
    kmv_product(&st->q, &st->k, &st->problem, context->x, NULL, context->r, st->threads,
                st->workspace, context->y, context->cost);
    return KMV_OK;
}

const kmv_algo kmv_algo_exact = {
    .name = "exact",
    .summary = "all pairs by fused tiles: dot products, exponentials and sums in registers",
    .guarantee = "float32 rounding, made and tested for |y - Kx| <= 1e-5 |K|x||, not certified",
    .source = "baseline; softmax in one pass: Milakov & Gimelshein 2018, Dao et al. 2022",
    .flags = KMV_CAN_GAUSS | KMV_CAN_SOFTMAX | KMV_CAN_CAUSAL | KMV_CAN_COLUMNS | KMV_CAN_SIGNED |
             KMV_CAN_HEADS,
    .prepare = prepare,
    .apply = apply,
    .destroy = destroy,
};

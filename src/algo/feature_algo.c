/* algo/feature_algo.c - see feature_algo.h. */
#include "algo/feature_algo.h"

#include <stddef.h>

#include "base/mem.h"

typedef struct {
    const kmv_feature_kind *kind;
    kmv_feature_product *product;
    _Alignas(max_align_t) unsigned char features[];
} state;

void kmv_feature_algo_destroy(void *of_plan)
{
    state *s = of_plan;

    if (s == NULL)
        return;
    kmv_feature_product_destroy(s->product);
    s->kind->clear(s->features);
    kmv_free(s);
}

kmv_status kmv_feature_algo_prepare(const kmv_feature_kind *kind, const kmv_problem *problem,
                                    const void *chosen, const kmv_prepare_context *context,
                                    void **out, kmv_error *err)
{
    state *s = kmv_alloc(1, sizeof *s + kind->features_size, kind->what, err);
    const kmv_feature_map *map = NULL;
    kmv_status st;

    if (s == NULL)
        return KMV_ENOMEM;
    s->kind = kind;
    if ((st = kind->init(s->features, problem, chosen, context, &map, err)) != KMV_OK ||
        (st = kmv_feature_product_create(problem, map, context, &s->product, err)) != KMV_OK)
        goto out;
    *out = s;
    s = NULL;
out:
    kmv_feature_algo_destroy(s);
    return st;
}

kmv_status kmv_feature_algo_apply(void *of_plan, kmv_apply_context *context, kmv_error *err)
{
    const state *s = of_plan;

    (void)err;
    kmv_feature_product_apply(s->product, context);
    return KMV_OK;
}

/* algo/feature_algo.h - what algorithms that multiply through a feature map share: their state,
 * apply and destroy. */
#ifndef KMV_ALGO_FEATURE_ALGO_H
#define KMV_ALGO_FEATURE_ALGO_H

#include "algo/feature_product.h"

/** What one of them brings: its features, which hold what the map borrows. */
typedef struct {
    size_t features_size;
    const char *what; /* for the message when there is no memory for them */
    /** Fills features, zeroed before, which stay where they are; *map points into them. Writes the
     *  plan's text. On failure clear is called. */
    kmv_status (*init)(void *features, const kmv_problem *problem, const void *chosen,
                       const kmv_prepare_context *context, const kmv_feature_map **map,
                       kmv_error *err);
    void (*clear)(void *features);
} kmv_feature_kind;

/** The body of kmv_algo.prepare: features of that kind and the product through them
 *  (feature_product.h), which *out owns. */
kmv_status kmv_feature_algo_prepare(const kmv_feature_kind *kind, const kmv_problem *problem,
                                    const void *chosen, const kmv_prepare_context *context,
                                    void **out, kmv_error *err);

/** kmv_algo.apply and kmv_algo.destroy for what it made. */
kmv_status kmv_feature_algo_apply(void *of_plan, kmv_apply_context *context, kmv_error *err);
void kmv_feature_algo_destroy(void *of_plan);

#endif

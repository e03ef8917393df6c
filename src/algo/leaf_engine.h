/* algo/leaf_engine.h - leaves of keys that a block of queries needs are computed, the rest is
 * sampled: approximate products with softmax and Gaussian matrices, masked or not. */
#ifndef KMV_ALGO_LEAF_ENGINE_H
#define KMV_ALGO_LEAF_ENGINE_H

#include "algo/leaf_plan.h"

typedef struct {
    size_t samples;     /* columns to draw, expected; 0: from eps */
    size_t pilot;       /* rows computed to plan by; 0: 192, fewer for few queries */
    double least_share; /* of a visited leaf; 0: chosen; > 1: none is visited */
    double safety; /* the rms error aimed at is eps / safety; 0: 1.07 (1 + r^-1/2), gauss 1.5 */
    int parts;     /* bfloat16 parts on a matrix unit; 0: from eps */
} kmv_leaf_options;

/** From this eps on one bfloat16 part is enough: what it leaves of an error stays well below. */
#define KMV_LEAF_ONE_PART_EPS 0.02

typedef struct kmv_leaf_engine kmv_leaf_engine;

/** Everything that does not depend on the values: packing, scores, plan. options and the text of
 *  the context outlive the state. KMV_ENOMEM. */
kmv_status kmv_leaf_engine_create(const kmv_problem *problem, const kmv_leaf_options *options,
                                  const kmv_prepare_context *context, kmv_leaf_engine **out,
                                  kmv_error *err);
void kmv_leaf_engine_destroy(kmv_leaf_engine *a);

/** Whether the scores, n_q n_k / (rows keys) floats, would take more than three times the memory of
 * the points: beyond about 4 10^5 points at d = 64 leaves are no longer the way. */
int kmv_leaf_engine_too_large(const kmv_problem *problem, const kmv_tile *tile);

/** What it has planned, least_share and heavy as of the last product; lives as long as it does. */
const kmv_leaf_plan *kmv_leaf_engine_plan(const kmv_leaf_engine *a);

/** bfloat16 parts that a number is packed in, where the unit rounds. */
int kmv_leaf_engine_parts(const kmv_leaf_engine *a);

/** y ~ P x (gauss: G x) as context says; `effort` times the samples planned, infinite: every key is
 * computed. Allocates nothing. KMV_ENOTSUP where logits leave the range of float. */
kmv_status kmv_leaf_engine_apply(kmv_leaf_engine *a, double effort, kmv_apply_context *context,
                                 kmv_error *err);

#endif

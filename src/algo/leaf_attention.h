/* algo/leaf_attention.h - approximate attention: leaves of keys that a block of queries needs are
 * computed, the rest is sampled. The engine of `probe` for softmax. */
#ifndef KMV_ALGO_LEAF_ATTENTION_H
#define KMV_ALGO_LEAF_ATTENTION_H

#include "algo/leaf_plan.h"

typedef struct {
    size_t samples;     /* columns to draw, expected; 0: from eps */
    size_t pilot;       /* rows computed to plan by; 0: 256, fewer for few queries */
    double least_share; /* of a visited leaf; 0: chosen; > 1: none is visited */
    double safety;      /* the root mean square error aimed at is eps / safety */
    int parts;          /* bfloat16 parts on a matrix unit; 0: from eps */
} kmv_leaf_attention_options;

typedef struct kmv_leaf_attention kmv_leaf_attention;

/** Everything that does not depend on the values: packing, scores, plan. options and the text of
 *  the context outlive the state. KMV_ENOMEM. */
kmv_status kmv_leaf_attention_create(const kmv_problem *problem,
                                     const kmv_leaf_attention_options *options,
                                     const kmv_prepare_context *context, kmv_leaf_attention **out,
                                     kmv_error *err);
void kmv_leaf_attention_destroy(kmv_leaf_attention *a);

/** y ~ P x as context says; `effort` times the samples planned, infinite: every key is computed.
 *  Allocates nothing. KMV_ENOTSUP
 *  where logits leave the range of float. */
kmv_status kmv_leaf_attention_apply(kmv_leaf_attention *a, double effort,
                                    kmv_apply_context *context, kmv_error *err);

#endif

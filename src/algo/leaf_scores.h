/* algo/leaf_scores.h - which leaves of keys hold a block's mass, predicted from their centroids. */
#ifndef KMV_ALGO_LEAF_SCORES_H
#define KMV_ALGO_LEAF_SCORES_H

#include "gauss/leaves.h"

/**
 * Predicted share of leaf l in row i. Softmax: size_l exp(logit of its centroid) over the sum of
 * these, the first term of the leaf's log mass around its centroid; gauss: size_l times the entry
 * of its centroid, its mass. A block's share is the root mean square of its rows' (softmax: of
 * every second one), since squared errors add up.
 */
typedef struct {
    size_t blocks, leaves, ld; /* ld: floats a block of share */
    float *share;              /* blocks x ld; 0 where the mask hides the leaf from the block */
    float *top; /* per query slot: the largest centroid exponent, softmax of the row itself or its
                   neighbour; near the row's largest, but not to be relied on */
} kmv_leaf_scores;

/** Centroids of the keys in leaves of keys->each, then shares. queries and keys are packed.
 *  Cost n_q (n_k / each) d multiply-adds, as many exponentials. KMV_ENOMEM. */
kmv_status kmv_leaf_scores_create(kmv_leaf_scores *s, const kmv_problem *problem,
                                  const kmv_leaf_frame *frame, const kmv_leaf_set *queries,
                                  const kmv_leaf_set *keys, int threads, kmv_cost *cost,
                                  kmv_error *err);
void kmv_leaf_scores_clear(kmv_leaf_scores *s);

/** Leaves that the mask shows to the block, whole or in part: 0 .. result - 1. */
size_t kmv_leaf_scores_visible(const kmv_leaf_scores *s, const kmv_problem *problem,
                               const kmv_leaf_set *queries, const kmv_leaf_set *keys, size_t block);

/** The first leaf that some row of the block does not see whole; such leaves are always visited. */
size_t kmv_leaf_scores_partial(const kmv_problem *problem, const kmv_leaf_set *queries,
                               const kmv_leaf_set *keys, size_t block);

#endif

/* algo/positive_features.h - positive random features of the softmax kernel. */
#ifndef KMV_ALGO_POSITIVE_FEATURES_H
#define KMV_ALGO_POSITIVE_FEATURES_H

#include "algo/feature_points.h"
#include "algo/feature_product.h"

/**
 * With w ~ N(0, I): exp(u.v) = E exp(w.u - |u|^2/2) exp(w.v - |v|^2/2). The mean over M
 * independent w has the variance
 *     exp(2 u.v) (exp(|u + v|^2) - 1) / M,
 * the hyperbolic one, (exp(w.(u+v)) + exp(-w.(u+v))) / 2 in place of the first, half of that times
 * (1 - exp(-|u + v|^2)). Orthogonal w: no larger.
 * Source: Choromanski et al., "Rethinking attention with Performers", ICLR 2021
 * (arXiv 2009.14794), lemmas 1 and 2, theorem 2.
 */
typedef struct {
    kmv_feature_points points;
    size_t directions;
    int hyperbolic;
    float *w; /* log2(e) w: directions x d; hyperbolic: their negatives after them */
    kmv_feature_map map;
} kmv_positive_features;

typedef struct {
    size_t directions;
    int orthogonal, hyperbolic, centre;
} kmv_positive_options;

/** Draws w from stream `key`. centre: means of queries and of keys taken off first. Adds its flops
 *  to cost. The map is borrowed from the struct: it must not move. KMV_ENOMEM, KMV_ENOTSUP as in
 *  feature_points.h. */
kmv_status kmv_positive_features_init(kmv_positive_features *f, const kmv_problem *problem,
                                      const kmv_positive_options *options, uint64_t key,
                                      kmv_cost *cost, kmv_error *err);
void kmv_positive_features_clear(kmv_positive_features *f);

#endif

/* algo/fourier_features.h - random Fourier features of the Gaussian kernel. */
#ifndef KMV_ALGO_FOURIER_FEATURES_H
#define KMV_ALGO_FOURIER_FEATURES_H

#include "algo/feature_loops.h"
#include "algo/feature_points.h"
#include "algo/feature_product.h"

typedef enum { KMV_FOURIER_PAIRS, KMV_FOURIER_PHASES } kmv_fourier_kind;

/**
 * With w ~ N(0, I) the kernel exp(-|u - v|^2 / 2) = k is E cos(w.(u - v)). Estimates from m
 * features, with independent w:
 *     pairs   the mean of cos(w.u) cos(w.v) + sin(w.u) sin(w.v) over m/2 directions,
 *             variance (1 - k^2)^2 / m,
 *     phases  the mean of 2 cos(w.u + b) cos(w.v + b) over m directions, b uniform,
 *             variance (1 + k^4 / 2 - k^2) / m.
 * Source: Rahimi & Recht, NIPS 2007 (both kinds); the variances: Sutherland & Schneider, UAI 2015
 * (arXiv 1506.02785), with k(2 (u - v)) = k^4.
 */
typedef struct {
    kmv_feature_points points;
    const kmv_feature_loops *loops;
    kmv_fourier_kind kind;
    size_t directions;
    float *w;     /* w / (2 pi): directions x d */
    float *phase; /* b / (2 pi); NULL for pairs */
    kmv_feature_map map;
} kmv_fourier_features;

typedef struct {
    size_t features; /* even for pairs */
    int kind, orthogonal;
} kmv_fourier_options;

/** Draws w and b from stream `key`. Adds its flops to cost. The map is borrowed from the struct: it
 *  must not move. KMV_ENOMEM, KMV_ENOTSUP as in feature_points.h. */
kmv_status kmv_fourier_features_init(kmv_fourier_features *f, const kmv_problem *problem,
                                     const kmv_fourier_options *options, const kmv_tile *tile,
                                     uint64_t key, kmv_cost *cost, kmv_error *err);
void kmv_fourier_features_clear(kmv_fourier_features *f);

#endif

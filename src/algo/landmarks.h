/* algo/landmarks.h - a few points that stand for many. */
#ifndef KMV_ALGO_LANDMARKS_H
#define KMV_ALGO_LANDMARKS_H

#include "kmv.h"

typedef enum { KMV_LANDMARKS_UNIFORM, KMV_LANDMARKS_SEGMENTS, KMV_LANDMARKS_KMEANS } kmv_landmarks;

/**
 * m <= p->n points: rows drawn uniformly without replacement, means of m runs of consecutive rows,
 * or means of clusters after `rounds` rounds of Lloyd's algorithm from uniform rows (a cluster that
 * loses all its points keeps its centre). The same key draws the same rows from sets of equal n.
 * out has the origin of p. Adds its flops to *flops. KMV_ENOMEM. Sources: segments: Xiong et al.
 * 2021; k-means: Zhang, Tsang, Kwok, ICML 2008.
 */
kmv_status kmv_landmarks_choose(const kmv_points *p, size_t m, kmv_landmarks kind, size_t rounds,
                                uint64_t key, double *flops, kmv_points *out, kmv_error *err);

#endif

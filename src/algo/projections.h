/* algo/projections.h - products of points with random directions, from which angular hashes are
 * read.
 */
#ifndef KMV_ALGO_PROJECTIONS_H
#define KMV_ALGO_PROJECTIONS_H

#include <gsl/gsl_rng.h>

#include "algo/algo.h"
#include "gauss/join.h"

enum { KMV_PROJECTED_AT_ONCE = KMV_JOIN_ROWS };

/** `count` directions a ~ N(0, I), in the layout of a join kernel. Owned. */
typedef struct {
    const kmv_join_kernel *kernel;
    size_t count, groups, d;
    size_t ld; /* products of one point: count rounded up to whole groups; zeros beyond count */
    float *directions;
} kmv_projections;

/** Draw them, in an order that depends on count and d only. KMV_ENOMEM. */
kmv_status kmv_projections_init(kmv_projections *p, const kmv_tile *tile, size_t count, size_t d,
                                gsl_rng *rng, kmv_error *err);
void kmv_projections_clear(kmv_projections *p);

/** product[b] = a_b . (origin of the points - centre), b < ld, in double; centre NULL: zero. What
 *  kmv_projections_of adds. */
void kmv_projections_shift(const kmv_projections *p, const kmv_points *points, const double *centre,
                           float *product);

/**
 * product[t ld + b] = a_b . (point first + t - centre) for t < count <= KMV_PROJECTED_AT_ONCE, with
 * shift from kmv_projections_shift. product: KMV_PROJECTED_AT_ONCE x ld floats, aligned to 64
 * bytes. Cost 2 d ld flops a point. Same bits whatever is asked for together.
 */
void kmv_projections_of(const kmv_projections *p, const kmv_points *points, const float *shift,
                        size_t first, size_t count, float *product);

#endif

/* algo/projection.h - products of points with many directions, through the tiles: what hashing is
 * made of. */
#ifndef KMV_ALGO_PROJECTION_H
#define KMV_ALGO_PROJECTION_H

#include "algo/scaled.h"
#include "gauss/pack.h"

/** Directions to be filled in, and as tiles read them. Owned; clear with kmv_directions_clear. */
typedef struct {
    kmv_points rows; /* n x d: write here, then kmv_directions_pack */
    kmv_packed packed;
    double *zero;
} kmv_directions;

kmv_status kmv_directions_init(kmv_directions *a, size_t n, size_t d, const kmv_tile *tile,
                               kmv_error *err);
void kmv_directions_clear(kmv_directions *a);
void kmv_directions_pack(kmv_directions *a);

/** Points packed for kmv_project; clear with kmv_packed_clear. */
kmv_status kmv_project_pack(kmv_packed *points, const kmv_scaled *s, const kmv_tile *tile,
                            int threads, kmv_cost *cost, kmv_error *err);

/** Floats a row that kmv_project writes: the directions, and padding. */
size_t kmv_project_ld(const kmv_directions *a);

/** out[i * ld + m] = point first + i times direction m, for the points of one block: first is a
 *  multiple of points->width. out: aligned to 64 bytes, points->width rows; the last block's rows
 *  past the last point repeat it. Cost 2 d flops a product. The bits of a product depend on its
 *  point and direction only. */
void kmv_project(const kmv_packed *points, const kmv_directions *a, size_t first, float *out);

#endif

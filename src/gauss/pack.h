/* gauss/pack.h - queries and keys in the layout that tiles read. */
#ifndef KMV_GAUSS_PACK_H
#define KMV_GAUSS_PACK_H

#include "gauss/tile.h"
#include "kmv.h"

typedef enum { KMV_QUERIES, KMV_KEYS } kmv_role;

/** In a list of keys to pack: a slot that holds none, whose entries are 0. */
#define KMV_EMPTY_SLOT SIZE_MAX

/**
 * Packed points: groups of `width` (tile->rows queries, tile->lanes keys), each [d][width] floats.
 * A common centre c is subtracted in double before rounding; queries are multiplied by
 * s = log2(e) / sigma^2, in double, before rounding. offset holds a_i or b_j, so that a tile's
 * exponent q.k + a_i + b_j is, for gauss, -s |q_i - k_j|^2 / 2: a_i = -s |q_i - c|^2 / 2, computed
 * in double from the rounded coordinates (what rounding the points does to an entry is then of
 * second order); for softmax the base-2 logit s q_i.k_j itself: a_i = s (q_i - c).c + s |c|^2, b_j
 * = s c.(k_j - c). Slots past n repeat the last query, or hold zero keys with offset -inf, so that
 * their entries are 0.
 */
typedef struct {
    const kmv_tile *tile;
    kmv_role role;
    size_t width, capacity, n, d;
    float *x;
    float *offset;
    float *reach;     /* per group, the largest s |p - c|^2 / 2: bounds what cancels (gauss) */
    uint16_t *parts;  /* split operands (tile.h); NULL without a matrix unit, or with few d */
    int parts_fit;    /* packed coordinates are small enough for it */
    size_t *index;    /* which point stands in a slot, ascending; NULL: slot i holds point i */
    double norm2_max; /* largest |p - c|^2 / sigma^2 packed; infinite when float overflows */
} kmv_packed;

/** Reserve room for `capacity` points; with_index when subsets will be packed. */
kmv_status kmv_packed_init(kmv_packed *p, const kmv_tile *tile, kmv_role role, size_t capacity,
                           size_t d, int with_index, kmv_error *err);
void kmv_packed_clear(kmv_packed *p);

/** The common centre of a problem: the mean of queries and keys, of 1024 of each at most, in
 * double, d entries. */
void kmv_centre(const kmv_problem *problem, double *centre);

/** Pack the points which[0 .. n-1] (NULL: 0 .. n-1) of the problem's queries or keys: ascending
 *  where kmv_product will read them, in any order and with KMV_EMPTY_SLOT among keys for
 *  kmv_softmax_attend. Allocates nothing; n <= capacity. Adds its flops to cost. */
void kmv_pack(kmv_packed *p, const kmv_problem *problem, const double *centre, const size_t *which,
              size_t n, int threads, kmv_cost *cost);

/** Threads worth starting for so many flops: one below 3e5, where starting and joining them would
 *  take longer than the work; else `threads`. */
int kmv_threads_for(double flops, int threads);

#endif

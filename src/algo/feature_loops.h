/* algo/feature_loops.h - element-wise loops over blocks of features, one set per instruction set.
 */
#ifndef KMV_ALGO_FEATURE_LOOPS_H
#define KMV_ALGO_FEATURE_LOOPS_H

#include <stddef.h>

#include "gauss/tile.h"

/** A block is n rows of m floats, one after the other. */
typedef struct {
    const char *vectors; /* as kmv_tile.vectors */
    /** top[f] = the whole number from the largest e[i m + f] + scale[i], i < n, on. */
    void (*column_tops)(const float *e, size_t n, size_t m, const float *scale, float *top);
    /** e[i m + f] += scale[i] - top[f]. */
    void (*shift)(float *e, size_t n, size_t m, const float *scale, const float *top);
    /** out[i m + f] = e[i m + f] + top[f] - row_top[i], row_top[i] the whole number from the
     * largest e[i m + f] + top[f] of the row on. */
    void (*shift_rows)(const float *e, size_t n, size_t m, const float *top, float *out,
                       float *row_top);
    /** v[i] = a v[i], i < n. */
    void (*scale)(float a, float *v, size_t n);
    /** cos[i] = cos(2 pi t), sin[i] = sin(2 pi t), t = turns[i] + phase[i] (phase NULL: 0), i < n;
     *  cos may be turns, sin NULL. |t| < 2^22. Absolute error 7e-7, and what rounding t to float
     * does. */
    void (*cos_sin)(const float *turns, const float *phase, size_t n, float *cos, float *sin);
} kmv_feature_loops;

/** Those for the vectors of a tile. */
const kmv_feature_loops *kmv_feature_loops_for(const kmv_tile *tile);

#endif

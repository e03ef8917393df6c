/* gauss/values.h - what the keys carry: the rows of X (for attention, V) in the order of packed
 * keys.
 */
#ifndef KMV_GAUSS_VALUES_H
#define KMV_GAUSS_VALUES_H

#include "gauss/pack.h"

/** Rows of X by key slot, as floats; slots past the packed keys hold zeros. A float holds 2^-126
 * and up, so X is divided by `unit`, the power of two above its largest entry (at most 2^1023). */
typedef struct {
    const kmv_tile *tile;
    size_t capacity; /* key slots, padded to whole panels */
    size_t r, ld;    /* columns in use; floats a row: the largest r in 16s */
    float *x;        /* capacity x ld */
    double unit;
} kmv_values;

/** Room for `capacity` key slots and up to r columns. KMV_ENOMEM. */
kmv_status kmv_values_init(kmv_values *v, const kmv_tile *tile, size_t capacity, size_t r,
                           kmv_error *err);
void kmv_values_clear(kmv_values *v);

/** Take row k->index[slot] (without index: slot) of x, n_k x r doubles, for every slot of k; empty
 *  slots are zero. r at most as reserved. Allocates nothing. */
void kmv_values_load(kmv_values *v, const kmv_packed *k, const double *x, size_t r, int threads);

#endif

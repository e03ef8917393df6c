/* gauss/softmax_pairs.h - softmax sums with a weight for each pair, for methods whose sets of keys
 * differ from query to query. */
#ifndef KMV_GAUSS_SOFTMAX_PAIRS_H
#define KMV_GAUSS_SOFTMAX_PAIRS_H

#include "gauss/softmax.h"

enum { KMV_PAIR_KEYS = 192 }; /* most key slots of one call */

/** Buffers of `threads` threads for up to r columns. */
typedef struct kmv_pair_space kmv_pair_space;
kmv_status kmv_pair_space_create(const kmv_tile *tile, size_t r, int threads,
                                 kmv_pair_space **space, kmv_error *err);
void kmv_pair_space_destroy(kmv_pair_space *space);

/** The weights of this thread to be filled before a call: tile->rows x KMV_PAIR_KEYS floats. */
float *kmv_pair_weights(kmv_pair_space *space, int thread);

/**
 * Add to row row[i] of the sums, for every query i < count <= q->width of query block `block` and
 * the `panels` panels (panels * lanes <= KMV_PAIR_KEYS) from `panel` on, the pairs
 *     w_ij exp(l_ij) (1, x_j / unit),
 * w_ij = weight[i * KMV_PAIR_KEYS + (slot of j - first slot)] >= 0; pairs of weight 0 are left out,
 * however large they are. No mask is looked at. Threads, cost and errors as kmv_softmax_attend.
 */
void kmv_softmax_attend_pairs(const kmv_softmax_operands *o, size_t block, size_t count,
                              size_t panel, size_t panels, kmv_pair_space *space, int thread,
                              kmv_softmax_sums *sums, const size_t *row);

#endif

/* algo/key_cells.h - the keys in cells around centres (an inverted file): the index by which near
 * keys of a query are found. */
#ifndef KMV_ALGO_KEY_CELLS_H
#define KMV_ALGO_KEY_CELLS_H

#include <stdint.h>

#include "algo/projection.h"

/** Owned; clear with kmv_key_cells_clear. */
typedef struct {
    size_t n, cells;
    kmv_directions centre; /* rows: the centres */
    float *half_norm2;     /* |centre|^2 / 2 */
    size_t *order;         /* key by slot, the cells one after the other, ascending within one */
    uint32_t *start;       /* cells + 1: cell c has slots start[c] .. start[c + 1] - 1 */
    uint32_t *cell;        /* by slot */
} kmv_key_cells;

/**
 * 1 <= cells <= n. Centres: `rounds` rounds of Lloyd's algorithm (k-means) over a random sample of
 * at most 32 keys a cell, begun at random keys; then each key goes to its nearest centre. A centre
 * that loses all its keys stays where it is, so a cell may be empty. Cost 2 d cells flops a key and
 * round. Same cells for any number of threads. KMV_ENOMEM.
 */
kmv_status kmv_key_cells_init(kmv_key_cells *c, const kmv_scaled *k, size_t cells, size_t rounds,
                              const kmv_tile *tile, uint64_t key, int threads, kmv_cost *cost,
                              kmv_error *err);
void kmv_key_cells_clear(kmv_key_cells *c);

#endif

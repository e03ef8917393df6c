/* algo/partition.h - the keys in cells: each cell holds the keys whose sketches agree in a few
 * chosen bits, next to each other. */
#ifndef KMV_ALGO_PARTITION_H
#define KMV_ALGO_PARTITION_H

#include "algo/sketch.h"

enum { KMV_CELL_BITS_MAX = 16 };

typedef struct {
    size_t n, bits, cells;                /* cells = 2^bits */
    unsigned char bit[KMV_CELL_BITS_MAX]; /* which bits of a sketch make a cell's number */
    uint32_t *start; /* cells + 1: cell c holds slots start[c] .. start[c + 1] - 1 */
    uint32_t *key;   /* by slot: which key; ascending within a cell */
    uint64_t *word;  /* by slot: its sketch; KMV_SKETCH_BEYOND zeros behind them */
} kmv_partition;

/** Sort n < 2^32 sketches into 2^bits cells, bits <= KMV_CELL_BITS_MAX. Cost n, two passes; 12 n
 *  bytes. */
kmv_status kmv_partition_init(kmv_partition *p, const uint64_t *words, size_t n,
                              const unsigned char *bit, size_t bits, kmv_error *err);
void kmv_partition_clear(kmv_partition *p);

/** The cell of a sketch. */
uint32_t kmv_partition_cell(const kmv_partition *p, uint64_t word);

/**
 * Cells around a query, its own first: all that differ from it in a set D of cell bits with
 * sum over D of margin2 <= radius, where margin2[b] is the squared distance of the query from the
 * plane that divides bit b. That sum is the squared distance from the query to the cell, so that a
 * key at distance r, seen in these directions only, is in one of them when that distance is <=
 * sqrt(radius). Returns how many, at most `most`; cost[c] is that sum. Which cells are left out
 * beyond `most` is fixed, but arbitrary.
 */
size_t kmv_partition_near(const kmv_partition *p, uint32_t own, const float *margin2, float radius,
                          size_t most, uint32_t *cell, float *cost);

#endif

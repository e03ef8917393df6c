/* gauss/headtail.h - head and tail of the sum of a matrix's entries, exactly and in bounded memory.
 */
#ifndef KMV_GAUSS_HEADTAIL_H
#define KMV_GAUSS_HEADTAIL_H

#include "gauss/entries.h"

/** What two passes over the entries tell. All arrays are owned, one entry per packed row or key. */
typedef struct {
    size_t rank;
    double sum, head, tail; /* head: of the `rank` largest entries (all where there are fewer) */
    double max, nth;        /* the largest entry and the rank-th largest; with fewer entries nth is
                               the smallest */
    double u_min, u_nth, u_next; /* max = 2^-u_min, nth = 2^-u_nth; 2^-u_next the one after nth, NaN
                                    where there is none: exact where the values underflow */
    double fro2;                 /* sum of squares */
    double *row_sum;             /* per packed row */
    double *row_excess;          /* per packed row sum of max(entry - nth, 0); NULL unless asked */
    double *column_sum;          /* per key */
} kmv_head_tail;

/**
 * Split the entries into the `rank` largest and the rest (rank >= 1). Threshold by radix selection
 * over the 32 bits of u: the first pass counts the upper halves (one float binade in 128 bins), the
 * second the lower halves within the bin where the rank falls, so that the threshold is exact
 * to the float exponent, however many entries are equal. Of entries equal to the threshold as many
 * count to the head as the rank needs. Sums in double, per row, then over rows: the same bits for
 * any number of threads. Memory: 512 KB and n_k doubles per thread. Cost: two passes of 2 d flops
 * per pair, three with with_excess. KMV_EINVAL when exponents overflow float, KMV_ENOMEM.
 */
kmv_status kmv_head_tail_find(kmv_entries *e, size_t rank, int with_excess, kmv_head_tail *out,
                              kmv_error *err);
void kmv_head_tail_clear(kmv_head_tail *h);

#endif

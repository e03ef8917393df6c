/* gauss/peak.h - what the machine can do at most, measured: the scale for every speed. */
#ifndef KMV_GAUSS_PEAK_H
#define KMV_GAUSS_PEAK_H

#include "gauss/tile.h"

/**
 * Float multiply-add peak in flop/s of `threads` threads together (a multiply-add is 2): as many
 * independent chains in registers as the tile has accumulators, no memory. Best of several runs of
 * a few milliseconds each; about 0.2 s. What it says is for the frequency and the neighbours of
 * that moment.
 */
double kmv_peak_flops(const kmv_tile *tile, int threads);

/**
 * Memory bandwidth in bytes/s of `threads` threads together: a triad a = b + s c over three arrays
 * of 64 MiB per thread, counted as 3 x 8 bytes per element (the read of a before it is written is
 * not counted). Best of several runs. Arrays of that size lie beyond L2; where the last-level cache
 * is larger than all of them together, that cache is what is measured. 0 when memory is short.
 */
double kmv_peak_bandwidth(int threads);

#endif

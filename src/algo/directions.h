/* algo/directions.h - random directions, independent or orthogonal in blocks. */
#ifndef KMV_ALGO_DIRECTIONS_H
#define KMV_ALGO_DIRECTIONS_H

#include <gsl/gsl_rng.h>

#include "kmv.h"

/**
 * `count` rows w of d numbers, each N(0, I) by itself. orthogonal: in groups of at most d rows the
 * directions are orthogonal (Gram-Schmidt on normal rows, so uniform on the orthogonal group), the
 * lengths independent chi with d degrees of freedom.
 * Source: Yu, Suresh, Choromanski, Holtmann-Rice, Kumar, NIPS 2016 (arXiv 1610.09072).
 */
void kmv_directions_draw(gsl_rng *rng, size_t count, size_t d, int orthogonal, double *w);

/** Flops of making `count` directions orthogonal: each passes the at most d - 1 before it twice. */
double kmv_directions_flops(size_t count, size_t d);

#endif

/* gauss/reference.h - products in float64 with compensated sums: what errors are judged against. */
#ifndef KMV_GAUSS_REFERENCE_H
#define KMV_GAUSS_REFERENCE_H

#include "kmv.h"

/**
 * Y_i = (K X)_i (softmax: (P X)_i, in the log domain) for the rows rows[0 .. n_rows-1], NULL for
 * 0 .. n_q-1. Distances by differences in double, exponentials to 2 ulp, sums compensated
 * (Neumaier 1974) within a thread's row. y: n_rows x r, overwritten.
 * Cost n_rows n_k (3 d + 2 r) flops. Error: relative to sum_j K_ij |x_j| at most
 * (d + 8) DBL_EPSILON (1 + D^2 / sigma^2), D the distance of the pair.
 */
kmv_status kmv_reference_product(const kmv_problem *problem, const size_t *rows, size_t n_rows,
                                 const double *x, size_t r, int threads, double *y,
                                 kmv_error *err);

#endif

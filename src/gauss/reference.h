/* gauss/reference.h - products in float64 with compensated sums: what errors are judged against. */
#ifndef KMV_GAUSS_REFERENCE_H
#define KMV_GAUSS_REFERENCE_H

#include "kmv.h"

/** Packed keys and buffers of repeated products with one problem, which it borrows. */
typedef struct kmv_reference kmv_reference;

/** Prepare products of up to r columns on `threads` threads. isa: a name from `kmv list isas`, NULL
 *  for the best. Memory n_k (4 d + 8 r') bytes, r' = r rounded up to a multiple of 8 unless r is 1,
 *  and per thread about 400 (d + 2 r). KMV_EINVAL for an ISA that this machine cannot run. */
kmv_status kmv_reference_create(const kmv_problem *problem, size_t r, const char *isa, int threads,
                                kmv_reference **out, kmv_error *err);
void kmv_reference_destroy(kmv_reference *reference);

/**
 * Y_i = (K X)_i (softmax: (P X)_i, in the log domain) for the rows rows[0 .. n_rows-1], NULL for
 * the first n_rows. Allocates nothing. x: n_k x r finite doubles, y: n_rows x r, overwritten.
 *
 * Distances are sums of squared differences of coordinates in double, to which the difference of
 * the two origins is added once; exponentials by Cody-Waite reduction and a Taylor polynomial, to
 * 2 ulp, entries below exp(-708) counting as 0; sums are compensated (the two-sum of Knuth, TAOCP
 * 2, 4.2.2, used as by Neumaier, ZAMM 54, 1974), within 16 keys plain where r > 1. A row's bits
 * depend neither on the other rows asked for nor on the number of threads.
 * Softmax takes two passes: the largest logit of the row, then numerator and denominator.
 *
 * Cost n_rows n_k (3 d + 2 r) flops for gauss, (4 d + 2 r) for softmax; causal: of the pairs left.
 * Error, relative to sum_j K_ij |x_j|: (d + 24) DBL_EPSILON (1 + D^2 / sigma^2), D the largest
 * |q_i - k_j| or, where the sets have different origins, the distance of q_i from the origin of the
 * keys if that is more. Softmax: the same with |q| |k - origin| for D^2.
 */
void kmv_reference_apply(kmv_reference *reference, const size_t *rows, size_t n_rows,
                         const double *x, size_t r, double *y);

/** The three in one, for one product. KMV_EINVAL for a row that is not there. */
kmv_status kmv_reference_product(const kmv_problem *problem, const size_t *rows, size_t n_rows,
                                 const double *x, size_t r, int threads, double *y, kmv_error *err);

/** Floating-point operations of a product with all rows, a multiply-add as 2. */
double kmv_reference_flops(const kmv_problem *problem, size_t r);

#endif

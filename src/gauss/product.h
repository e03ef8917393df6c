/* gauss/product.h - fused products and streams of exponents over packed operands: float tiles,
 * never n^2 memory. */
#ifndef KMV_GAUSS_PRODUCT_H
#define KMV_GAUSS_PRODUCT_H

#include "gauss/pack.h"

/** Room for the weights and the per-thread buffers of products up to the given sizes. */
typedef struct kmv_workspace kmv_workspace;
kmv_status kmv_workspace_create(const kmv_tile *tile, size_t n_q, size_t n_k, size_t r, int threads,
                                kmv_workspace **w, kmv_error *err);
void kmv_workspace_destroy(kmv_workspace *w);

/**
 * Y_i = sum over packed keys j of entry_ij scale_j X_(index j), for every packed query; gauss
 * entries, or exp(logit) without the row's normalisation for softmax.
 * x: n_k x r doubles, by the original key number; scale: one per packed key, NULL for ones.
 * y: q->n x r doubles, by slot, overwritten. Causal masks follow the original numbers.
 * Same bits for any number of threads. Cost: q->n k->n (2 d + 2 r) flops, pairs q->n k->n (causal:
 * those left), allocation none. Relative error of an entry: see docs/numerics.md; where
 * norm2_max says that the expanded form would cancel, tiles with entries that count are computed
 * again by differences.
 */
void kmv_product(const kmv_packed *q, const kmv_packed *k, const kmv_problem *problem,
                 const double *x, const double *scale, size_t r, int threads, kmv_workspace *w,
                 double *y, kmv_cost *cost);

/** Receives the base-2 exponents of row i (slot) against keys (slots) j .. j + count - 1; masked
 *  ones are not passed. Called by `threads` threads, 0 <= thread < threads, each row by one only
 *  and with j ascending. */
typedef void kmv_exponent_sink(void *context, int thread, size_t i, size_t j, size_t count,
                               const float *exponents);

/** All exponents, a few hundred at a time. */
void kmv_stream_exponents(const kmv_packed *q, const kmv_packed *k, const kmv_problem *problem,
                          int threads, kmv_workspace *w, kmv_exponent_sink *sink, void *context);

#endif

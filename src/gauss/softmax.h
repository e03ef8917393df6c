/* gauss/softmax.h - sums over rows of exp(logit) in the log domain: parts of attention, any keys
 * with any weights (leaf_product.h: all of it). */
#ifndef KMV_GAUSS_SOFTMAX_H
#define KMV_GAUSS_SOFTMAX_H

#include "gauss/values.h"

/** Base-2 exponents, less the row's constant, that float32 still tells apart to 2^-10: beyond,
 *  softmax products are refused rather than given. */
#define KMV_SOFTMAX_EXPONENT_MAX 0x1p14f

/**
 * Running sums of rows: row i has the numerators y_ic 2^top_i and the denominator sum_i 2^top_i, so
 * that neither over- nor underflows whatever the logits are; top_i is -infinity while nothing was
 * added. Any number of parts may be added in any order, and sums of disjoint sets of keys merged.
 */
typedef struct {
    size_t capacity, ld; /* rows; doubles a row of y */
    float *top;          /* whole numbers */
    double *sum;
    double *y;
} kmv_softmax_sums;

/** Room for `capacity` rows of up to r columns, in whole groups of query blocks. KMV_ENOMEM. */
kmv_status kmv_softmax_sums_init(kmv_softmax_sums *s, const kmv_tile *tile, size_t capacity,
                                 size_t r, kmv_error *err);
void kmv_softmax_sums_clear(kmv_softmax_sums *s);

/** Start anew: nothing added to rows first .. first + count - 1. */
void kmv_softmax_sums_reset(kmv_softmax_sums *s, size_t first, size_t count);

/** Add row `from_row` of `from` to row `row`. */
void kmv_softmax_sums_merge(kmv_softmax_sums *s, size_t row, const kmv_softmax_sums *from,
                            size_t from_row, size_t r);

/** Add to row `row` the sum and numerators part[0 .. r-1], relative to 2^top. */
void kmv_softmax_sums_add(kmv_softmax_sums *s, size_t row, float top, float sum, const float *part,
                          size_t r);

/** out[c] = unit numerator_c / denominator of row `row`, c < r; zeros when nothing was added. */
void kmv_softmax_sums_row(const kmv_softmax_sums *s, size_t row, size_t r, double unit,
                          double *out);

/** What is multiplied; borrowed. The index of q and k may be in any order (pack.h). */
typedef struct {
    const kmv_problem *problem;
    const kmv_packed *q, *k;
    const kmv_values *values; /* of k */
} kmv_softmax_operands;

/** Buffers of `threads` threads for up to r columns. */
typedef struct kmv_softmax_space kmv_softmax_space;
kmv_status kmv_softmax_space_create(const kmv_tile *tile, size_t r, int threads,
                                    kmv_softmax_space **space, kmv_error *err);
void kmv_softmax_space_destroy(kmv_softmax_space *space);

/** Query slots that one call of kmv_softmax_attend treats together at its best. */
size_t kmv_softmax_group(const kmv_tile *tile);

/**
 * Add to the sums, for `blocks` query blocks (of q->width slots) from block `block` on and `panels`
 * key panels (of k->width slots) from panel `panel` on, the pairs that the mask leaves:
 *     sum_i 2^top_i += sum_j w_j exp(l_ij),   y_ic 2^top_i += sum_j w_j exp(l_ij) x_jc / unit,
 * l_ij the logit (of a Gauss problem: minus |q - k|^2 / (2 sigma^2)), log2_weight[j] = log2 w_j by
 * key slot from the first panel on, -infinity for pairs left out, NULL for ones.
 * Row i of the sums is query slot first_row + i of the first block. Called by the thread
 * `thread` < threads of the space; two threads must not add to one row. Adds the pairs left by the
 * mask to *pairs (weights do not matter). Allocates nothing.
 * Cost: pairs (2 d + 2 r) flops. Relative error of a weight exp(l): that of an entry
 * (docs/numerics.md) plus 2^-24 |l_ij - top| log2(e).
 * Where norm2_max of q or k is above 1e30 results are not to be used. Source of the running
 * maximum: Milakov & Gimelshein, "Online normalizer calculation for softmax", arXiv 1805.02867.
 */
void kmv_softmax_attend(const kmv_softmax_operands *o, size_t block, size_t blocks, size_t panel,
                        size_t panels, const float *log2_weight, kmv_softmax_space *space,
                        int thread, kmv_softmax_sums *sums, size_t first_row, double *pairs);

#endif

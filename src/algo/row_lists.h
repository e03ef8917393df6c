/* algo/row_lists.h - rows of a product from a list of keys each: exponents of one query against a
 * list, and weighted sums of the values of a list.
 *
 * For softmax queries are taken from zero and keys from their mean m: q_i.(k_j - m) is the logit
 * up to a constant of the row, and what is left is rounded relative to the spread of the keys. For
 * gauss both are taken from the common centre.
 */
#ifndef KMV_ALGO_ROW_LISTS_H
#define KMV_ALGO_ROW_LISTS_H

#include "algo/scaled.h"
#include "gauss/rows.h"
#include "gauss/softmax.h"

typedef struct {
    const kmv_problem *problem; /* borrowed */
    const kmv_tile *tile;
    const kmv_row_kernel *kernel;
    int threads;
    kmv_scaled q, k;      /* in units of sigma; k by key slot. Empty without points */
    kmv_packed slots;     /* the order alone, as kmv_values_load reads it; nothing of it is owned */
    kmv_values values;    /* by key slot */
    const double *x;      /* borrowed for one product, instead of values; or NULL */
    kmv_softmax_sums row; /* of each thread: a list at a time */
    float *part;          /* threads x values.ld */
    size_t capacity;      /* room of a thread's list and exponents */
    uint32_t *list;       /* threads x capacity, for the caller */
    float *exponent;      /* threads x capacity, for the caller */
} kmv_row_lists;

/** A kmv_algo.reject: keys are numbered in 32 bits. */
const char *kmv_row_lists_reject(const kmv_problem *problem, const void *options, size_t r);

/** Room for lists of up to `capacity` keys, r columns. with_points: q and k are filled, and
 *  kmv_row_exponents may be asked. KMV_ENOMEM; KMV_ENOTSUP where sigma is too small (scaled.h).
 *  On failure nothing is left behind. */
kmv_status kmv_row_lists_init(kmv_row_lists *l, const kmv_problem *problem, const kmv_tile *tile,
                              int with_points, size_t capacity, size_t r, int threads,
                              kmv_error *err);
void kmv_row_lists_clear(kmv_row_lists *l);

/** From here on key slot s holds key order[s], a permutation that is borrowed. Once, before X is
 *  taken. KMV_ENOMEM leaves the slots as they are. */
kmv_status kmv_row_lists_order(kmv_row_lists *l, const size_t *order, kmv_error *err);

/** Take X, n_k x r, as floats. Allocates nothing. */
void kmv_row_lists_load(kmv_row_lists *l, const double *x, size_t r);

/** The same where there are many queries; where there are few, X is borrowed for this product and
 *  rows are read from it as lists need them, in double: most are never needed. `values` is then
 *  not filled. */
void kmv_row_lists_take(kmv_row_lists *l, const double *x, size_t r);

/** The list and the exponents of a thread. */
uint32_t *kmv_row_list(const kmv_row_lists *l, int thread);
float *kmv_row_exponent(const kmv_row_lists *l, int thread);

/** Base-2 exponents of query i against `count` key slots: for gauss log2 of the entry, for softmax
 *  the logit times log2(e), up to one number a row. Cost 3 d or 2 d flops a pair. */
void kmv_row_exponents(const kmv_row_lists *l, size_t i, const uint32_t *list, size_t count,
                       float *exponent);

/** numerator and denominator of row `row` of the sums += those of the list: weights
 *  2^exponent[t], -infinity leaves one out. Overwrites the exponents. Cost 2 r flops a key. */
void kmv_row_add(kmv_row_lists *l, int thread, const uint32_t *list, float *exponent, size_t count,
                 kmv_softmax_sums *sums, size_t row);

/** y[c] += sum over t of weight[t] x_(list[t])c, c < r: weights of any sign. */
void kmv_row_add_weighted(kmv_row_lists *l, int thread, const uint32_t *list, const float *weight,
                          size_t count, double *y);

#endif

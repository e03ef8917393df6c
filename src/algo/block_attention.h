/* algo/block_attention.h - queries and keys in an order each, cut into equally many equal blocks;
 * softmax sums exact within a block, from a sample of keys elsewhere.
 *
 * Query i of block B(i) gets, with its block's keys K_B and a sample S of all keys with weights
 * w_j,
 *     sum over j in K_B of exp(l_ij) (1, x_j)  +  sum over j in S less K_B of w_j exp(l_ij) (1,
 * x_j): one estimate of denominator and numerator, unbiased for both where the sample is
 * (key_sample.h); a pair of one block is never counted twice.
 * Source: KDEformer (arXiv 2302.02451), HyperAttention (arXiv 2310.05869).
 */
#ifndef KMV_ALGO_BLOCK_ATTENTION_H
#define KMV_ALGO_BLOCK_ATTENTION_H

#include "algo/key_sample.h"
#include "gauss/softmax.h"

/** Queries and keys of a problem (all, or some), packed block by block. Owned, but for the points.
 */
typedef struct {
    kmv_problem problem; /* without mask */
    size_t blocks;
    size_t *q_start, *k_start; /* blocks + 1: block b has so many points before it */
    size_t *q_slot, *k_slot;   /* blocks + 1: and begins at this slot */
    uint32_t *group_block;     /* per group of query slots: its block */
    uint32_t *key_block;       /* by key number less k_first: its block */
    size_t k_first, groups;
    kmv_packed q, k;
} kmv_blocks;

/**
 * Cut q_order[0 .. n_q-1] and k_order[0 .. n_k-1] into ceil(n_k / block_keys) blocks whose sizes
 * differ by at most one, and pack them. The keys are the numbers k_first .. k_first + n_k - 1. The
 * mask of the problem is ignored. KMV_ENOMEM; KMV_ENOTSUP where packed floats overflow.
 */
kmv_status kmv_blocks_init(kmv_blocks *b, const kmv_problem *problem, const kmv_tile *tile,
                           const size_t *q_order, size_t n_q, const size_t *k_order, size_t n_k,
                           size_t k_first, size_t block_keys, const double *centre, int threads,
                           kmv_cost *cost, kmv_error *err);
void kmv_blocks_clear(kmv_blocks *b);

/** Buffers of threads: for samples of up to `draws` keys and r columns (0: denominators only). */
typedef struct {
    kmv_softmax_space *space;
    kmv_softmax_sums sums;
    float *weights;
    size_t stride, r;
    int threads;
} kmv_block_room;

kmv_status kmv_block_room_init(kmv_block_room *room, const kmv_tile *tile, size_t draws, size_t r,
                               int threads, kmv_error *err);
void kmv_block_room_clear(kmv_block_room *room);

/** One set of sums: what is added. */
typedef struct {
    const kmv_blocks *blocks;
    const kmv_values *values;     /* by slot of blocks->k; NULL: no exact part, nothing left out of
                                     the sample */
    const float *log2_weight;     /* by slot of blocks->k; NULL: ones */
    const kmv_key_sample *sample; /* NULL or without draws: none. Values in the same unit */
} kmv_block_parts;

/** Where sums go, by query number: added to those of others, or, where they are all there is,
 *  divided and written to y. */
typedef struct {
    kmv_softmax_sums *total; /* NULL: y */
    double *y;               /* n_q x r */
} kmv_block_target;

/** The sums above into the target. Each query's row belongs to one thread, so that bits do not
 *  depend on their number. Counts the pairs evaluated (those of a block that the sample leaves out
 *  among them). Allocates nothing. */
void kmv_block_attend(const kmv_block_parts *parts, kmv_block_room *room, kmv_block_target target,
                      kmv_cost *cost);

/** KMV_ENOTSUP where packed floats overflow or lose all digits. */
kmv_status kmv_blocks_check(const kmv_packed *q, const kmv_packed *k, const kmv_problem *problem,
                            kmv_error *err);

/** The power of two above the largest |x|: a unit that all values of a product can share. */
double kmv_values_common_unit(const double *x, size_t count);

/** norm[j] = |x_j| / unit for the rows first .. first + n - 1 of x; returns their sum. */
double kmv_value_norms(const double *x, size_t first, size_t n, size_t r, double unit,
                       double *norm);

/** kmv_values_load, then in that unit. */
void kmv_values_load_in_unit(kmv_values *v, const kmv_packed *k, const double *x, size_t r,
                             double unit, int threads);

#endif

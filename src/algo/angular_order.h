/* algo/angular_order.h - points in an order in which neighbours have similar directions: sign codes
 * of random hyperplanes, walked through in Gray order.
 *
 * The code of a point has one bit per hyperplane through the origin, the side it lies on; two
 * points at angle theta differ in a bit with probability theta / pi (Charikar, STOC 2002). Codes
 * are put in the order of the reflected Gray code, in which successive codes differ in one bit, so
 * that points that are near in the order but not in one bucket are likely to be near as well.
 * Source: the sorting step of KDEformer (arXiv 2302.02451) and HyperAttention ("sortLSH", arXiv
 * 2310.05869). Their code sorts by the Gray code of a code, code ^ code >> 1; it is the inverse map
 * that makes successive codes differ in one bit, as both papers want it, and it is taken here.
 */
#ifndef KMV_ALGO_ANGULAR_ORDER_H
#define KMV_ALGO_ANGULAR_ORDER_H

#include <stdint.h>

#include "algo/projections.h"

enum { KMV_ANGULAR_BITS_MAX = 16 };

/** The place of a code in the reflected Gray sequence: the r with r ^ (r >> 1) = code. */
uint32_t kmv_gray_rank(uint32_t code);

/**
 * Ranks of all queries and keys of a problem in Gray order, below 2^bits; random planes from the
 * stream of `rng`. centred: queries are hashed less their mean and keys less theirs (an addition of
 * ours); else as they are. q_rank, k_rank: room for n_q and n_k. Same bits for any number of
 * threads. Cost 2 d bits (n_q + n_k) flops. KMV_ENOMEM.
 */
kmv_status kmv_angular_ranks(const kmv_problem *problem, const kmv_tile *tile, size_t bits,
                             int centred, gsl_rng *rng, int threads, uint32_t *q_rank,
                             uint32_t *k_rank, kmv_cost *cost, kmv_error *err);

/** order[0 .. n-1]: the points first .. first + n - 1, sorted by rank[point] < 2^bits; ascending
 *  where ranks are equal. Cost n + 2^bits. */
void kmv_angular_sort(const uint32_t *rank, size_t bits, size_t first, size_t n, size_t *order);

#endif

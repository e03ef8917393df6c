/* algo/lsh_rounds.h - rounds of hashing by random rotations, and which keys each query meets in
 * them.
 *
 * A round hashes x to the place of the largest of the numbers (x R, -x R), R random d x buckets/2:
 * the length of x does not matter, points of similar direction share a bucket more often. Keys are
 * sorted by (bucket, number) and cut into chunks of equal size; a query meets the keys of its
 * bucket in the chunk where it stands in that order itself and in the one before.
 * Source: Kitaev, Kaiser, Levskaya, "Reformer", ICLR 2020; the hash: Andoni, Indyk, Laarhoven,
 * Razenshteyn, Schmidt, NeurIPS 2015. There a query is its own key (up to length). Here queries and
 * keys differ: query i stands where a key of its bucket with the number i + n_k - n_q (causal) or
 * i n_k / n_q would stand, which for q = k is its own place.
 */
#ifndef KMV_ALGO_LSH_ROUNDS_H
#define KMV_ALGO_LSH_ROUNDS_H

#include <gsl/gsl_rng.h>

#include "algo/algo.h"

enum { KMV_ROUNDS_MAX = 32 };

/** Owned. */
typedef struct {
    size_t rounds, buckets, chunk, n_q, n_k;
    uint32_t *q_order, *k_order; /* per round: points sorted by (bucket, number) */
    uint32_t *place;             /* per round, by key: where it stands in k_order */
    uint32_t *lo, *hi;           /* per round, by query: it meets the places lo .. hi - 1; with a
                                    mask only those it sees; lo = hi: none */
} kmv_lsh_rounds;

/** The number of the key that stands where query i does: in the problem's order of time. */
size_t kmv_lsh_own_key(const kmv_problem *problem, size_t i);

/** buckets even, rounds <= KMV_ROUNDS_MAX, n_q, n_k < 2^32. Cost d buckets flops a point and round,
 *  sorting. Same bits for any number of threads. KMV_ENOMEM. */
kmv_status kmv_lsh_rounds_init(kmv_lsh_rounds *l, const kmv_problem *problem, const kmv_tile *tile,
                               size_t rounds, size_t buckets, size_t chunk, gsl_rng *rng,
                               int threads, kmv_cost *cost, kmv_error *err);
void kmv_lsh_rounds_clear(kmv_lsh_rounds *l);

#endif

/* algo/paper_heavy.h - heavy keys of every query, found by locality-sensitive hashing. */
#ifndef KMV_ALGO_PAPER_HEAVY_H
#define KMV_ALGO_PAPER_HEAVY_H

#include <stdint.h>

#include "algo/scaled.h"

/** What to look for. With n keys, radius R = sqrt(2 alpha ln n) in units of sigma. */
typedef struct {
    double alpha;  /* heavy: K_ij >= n^-alpha, that is |u_i - v_j| <= R */
    double rho;    /* one table finds a pair at distance R with probability about n^-rho */
    double miss;   /* all tables together miss such a pair with at most this probability */
    double width;  /* of the cells, in units of R */
    double room;   /* pairs that can be kept, in units of n_q n^alpha */
    double budget; /* candidates that one query looks at, in units of n^(2 alpha) */
} kmv_heavy_spec;

/** Row i has the keys key[start[i] .. start[i+1] - 1], ascending, with entries value[..]. Owned. */
typedef struct {
    size_t n_q, tables, hashes;
    double radius;
    size_t *start;
    uint32_t *key;
    float *value;
    double evaluated; /* kernel entries computed to find them, repetitions included */
    size_t cut_short; /* queries whose budget or room was spent before the last table; heavy keys
                       * that they did not find stay light */
} kmv_heavy;

/**
 * Find them: for each of ceil(ln(1/miss) / p) tables, p the probability that a pair at distance R
 * shares its cell (euclid_hash.h), every query computes the entries of the keys in its cell and
 * keeps those >= n^-alpha. A pair at distance r is missed with probability (1 - p(r))^tables, which
 * is at most `miss` for r <= R, unless the query was cut short. The same for any number of threads.
 * Cost: tables (n_q + n_k) hashes 2 ld flops, and the entries evaluated. KMV_ENOMEM.
 */
kmv_status kmv_heavy_find(const kmv_scaled *q, const kmv_scaled *k, const kmv_heavy_spec *spec,
                          int threads, uint64_t key, kmv_heavy *out, kmv_cost *cost,
                          kmv_error *err);
void kmv_heavy_clear(kmv_heavy *h);

/** Whether key j is among those of row i. */
int kmv_heavy_has(const kmv_heavy *h, size_t i, uint32_t j);

#endif

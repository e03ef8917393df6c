/* algo/kde_hash.h - hashing-based estimate of the squared kernel's density at every query.
 *
 * For a set of keys let S_i = sum_j K_ij^2, K_ij^2 = exp(-r_ij^2) with r = |u_i - v_j| in units of
 * sigma. One draw hashes keys and query with fresh Euclidean hashes of collision probability p(r),
 * picks one of the C keys in the query's cell uniformly, and takes
 *     Z = C K_ij^2 / p(r_ij)          (0 for an empty cell).
 * Unbiased: E Z = S_i. For any hash
 *     E Z^2 <= sum_j sum_l (K_ij^4 / p_ij^2) min(p_ij, p_il),
 * since a third key shares the cell of both no more often than each does. Independent draws, the
 * mean within groups, the median of the groups.
 * Source: Charikar & Siminelakis, FOCS 2017 (arXiv 1808.10530).
 *
 * Tuning: p(r0) = n^-1/2 at the r0 = sqrt(ln n) where K^2 = 1/n, n keys in all. How many draws that
 * needs at density mu = S/n = 1/n: at distance t r0, t <= 1, there are at most mu^(1 - t^2) n keys,
 * and in the limit of wide cells ln p is proportional to -r; so E Z^2 / S^2 is at most (1/mu) to
 * the power max over t, t' in [0, 1] of t - t^2 + t'^2 - max(t, t')/2, up to logarithms. That is
 * 3/4, at t = 1/2, t' = 1: (1/mu)^0.75 / err^2 draws for relative error err. Hashes with ln p
 * proportional to -r^2 have 1/2 (2017); the 0.173 that the method counts on is Charikar, Kapralov,
 * Nouri & Siminelakis, FOCS 2020, with recursive data-dependent hashing, which is not done here:
 * our exponent is 0.577 above it. Data without such a worst case need fewer.
 */
#ifndef KMV_ALGO_KDE_HASH_H
#define KMV_ALGO_KDE_HASH_H

#include "algo/euclid_hash.h"
#include "algo/paper_heavy.h"

enum { KMV_KDE_GROUPS_MAX = 15 };

/** Room for estimates at all queries for any subset of the keys. Owned, but for q, k, heavy. */
typedef struct {
    const kmv_scaled *q, *k;
    const kmv_heavy *heavy;
    int threads;
    size_t groups;
    kmv_euclid_hash hash;
    kmv_cells cells;
    uint64_t *codes;
    double *sum_all, *sum_light; /* n_q x groups */
    double *all, *light;         /* n_q: the estimates of sum K^2 over all, over light keys */
    double light_mean;           /* of all draws of all queries, light keys only */
} kmv_kde_hash;

/** width: of the cells, in units of r0, 0.25 to 2. groups: 1 to KMV_KDE_GROUPS_MAX, odd. */
kmv_status kmv_kde_hash_init(kmv_kde_hash *e, const kmv_scaled *q, const kmv_scaled *k,
                             const kmv_heavy *heavy, double width, size_t groups, int threads,
                             kmv_error *err);
void kmv_kde_hash_clear(kmv_kde_hash *e);

/** p(r) of the tables drawn. */
double kmv_kde_hash_collision(const kmv_kde_hash *e, double r);

/**
 * Fill all[i] and light[i] for the keys members[0 .. n-1]: medians over the groups of means of
 * `draws` draws each. `light` counts a draw of a heavy key of row i as 0: an estimate of the sum
 * over the rest. Returns the kernel entries evaluated (at most n_q groups draws); adds flops to
 * cost: groups draws (n_q + n) hashes 2 d of them for hashing. Allocates nothing; same bits for any
 * number of threads.
 */
double kmv_kde_hash_run(kmv_kde_hash *e, const uint32_t *members, size_t n, size_t draws,
                        uint64_t key, kmv_cost *cost);

/** A number in [0, 1) from a stream's key and a position in it. */
double kmv_uniform_at(uint64_t key, uint64_t at);

#endif

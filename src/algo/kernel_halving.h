/* algo/kernel_halving.h - thinning keys with their values: a few that stand for all.
 *
 * Kernel halving goes through the points in pairs and keeps one of each at random, with odds that
 * let the sum over the kept ones follow half of the sum over all: with s_j = -1 for kept and 1 for
 * dropped points before the pair (x, x'),
 *     alpha = sum_j s_j (k(x_j, x) - k(x_j, x')),   b^2 = k(x, x) + k(x', x') - 2 k(x, x'),
 *     a = max(b S sqrt(2 ln(2/delta)), b^2),   x is kept with probability (1 + alpha/a) / 2,
 *     S^2 += b^2 (1 + (b^2 - 2 a) S^2 / a^2)+.
 * Compress splits the points into four parts, thins each in the same way, and halves what is left
 * together: n points become 2^g sqrt(n). Sources: Dwivedi & Mackey, Kernel thinning (arXiv
 * 2105.05842) and Generalized kernel thinning (2110.01593); Shetty, Dwivedi & Mackey, Distribution
 * compression in near-linear time (2111.07941).
 *
 * The kernel is that of attention (Carrell, Gong, Shetty, Dwivedi & Mackey, arXiv 2502.12063):
 *     k((k, v), (k', v')) = exp(k.k' / sigma^2) (v.v' + max |v|^2), max over all entries of V.
 */
#ifndef KMV_ALGO_KERNEL_HALVING_H
#define KMV_ALGO_KERNEL_HALVING_H

#include "algo/row_lists.h"

/** A compression: keys 0 .. covered - 1, in `parts` = 4^halvings runs of `leaf` each, become
 *  kept = leaf 2^halvings of them, then half as many `final` times. The others are not touched. */
typedef struct {
    size_t halvings, final, parts, leaf, covered, kept;
} kmv_compression;

/** For n keys and as many halvings; both are reduced where there are too few keys: kept >= 1. */
kmv_compression kmv_compression_of(size_t n, size_t halvings, size_t final);

/** Room of it; borrows the lists, whose keys are in their own order. */
typedef struct {
    const kmv_row_lists *lists;
    kmv_compression shape;
    double delta;
    int threads;
    float top;      /* base-2 exponent that counts as 2^100 */
    uint32_t *from; /* covered: the result's first `kept` */
    uint32_t *to;   /* covered; the two change places */
    float *sign;    /* threads x largest set */
    float *kernel;  /* threads x largest set */
    float *product; /* threads x largest set */
} kmv_halving;

/** delta: probability with which any decision may be cut off; in (0, 1). KMV_ENOMEM. */
kmv_status kmv_halving_init(kmv_halving *h, const kmv_row_lists *lists, kmv_compression shape,
                            double delta, int threads, kmv_error *err);
void kmv_halving_clear(kmv_halving *h);

/** Thin the keys with the values loaded: h->from[0 .. kept - 1] are those that stay. Same ones for
 *  any number of threads. Allocates nothing. Returns kernel entries computed: about
 *  4 halvings kept^2 when final = 0. Cost 2 (d + r) flops each. */
double kmv_halving_run(kmv_halving *h, uint64_t key);

#endif

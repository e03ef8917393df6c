/* bench/judge.h - float64 results to judge others by, cached on disk by the content they belong to.
 */
#ifndef KMV_BENCH_JUDGE_H
#define KMV_BENCH_JUDGE_H

#include "bench/verify.h"

typedef struct {
    const char *cache; /* folder, which is there */
    uint64_t seed;     /* of the rows drawn */
    size_t rows;       /* rows judged when the matrix has more entries than pairs_max */
    double pairs_max;
    double op_norm_pairs; /* softmax: |P|_op of matrices up to this many entries */
    int threads;
} kmv_judge_settings;

/**
 * Make sure that the cache holds the float64 product for each of the inputs x[0 .. count-1], each
 * n_k x r. Where one is missing or damaged, all are computed, in one pass over the matrix: the last
 * bits of a product may depend on how many columns it has, so that the same inputs go together
 * however often a run is cut short.
 * identity: text that names the points by content (hash, n, center). The rows drawn depend on it
 * and on the seed alone, so all algorithms are judged on the same ones.
 * For softmax also |P|_op, once per problem: power iteration to a residual of 1e-3 over the float
 * product (gauss/opnorm.h), a lower bound; not where exponents overflow float.
 * KMV_EIO when the cache cannot be written, KMV_ENOMEM.
 */
kmv_status kmv_judge_prepare(const kmv_judge_settings *settings, const kmv_problem *problem,
                             const char *identity, const double *const *x, size_t count, size_t r,
                             kmv_error *err);

/** The judge of one input out of the cache; KMV_EIO when it is not there or damaged. Cleared by
 *  kmv_judge_clear. */
kmv_status kmv_judge_get(const kmv_judge_settings *settings, const kmv_problem *problem,
                         const char *identity, const double *x, size_t r, kmv_judge *judge,
                         kmv_error *err);
void kmv_judge_clear(kmv_judge *judge);

#endif

/* bench/compare.h - two results folders, case by case: what became of time, error and counts. */
#ifndef KMV_BENCH_COMPARE_H
#define KMV_BENCH_COMPARE_H

#include "bench/results.h"

/** A case of either folder. `a` is the folder compared with, `b` the newer one. */
typedef struct {
    char verdict[128];
    double regression;
    char case_id[24], dataset[128], matrix[12];
    double causal;
    char center[8];
    double n_q, n_k, d, r;
    char sigma_spec[32], x_kind[32], algo[32], algo_opts[256];
    double eps, delta;
    char status_a[16], status_b[16];
    double reps_a, reps_b;
    double t_total_a_s, t_total_b_s;
    double time_ratio_med, time_ratio_lo, time_ratio_hi;
    double err_hi_a, err_hi_b, eps_missed;
    double pairs_frac_a, pairs_frac_b;
    char note[160], reason[256];
} kmv_comparison;
extern const kmv_schema kmv_comparison_schema;

/**
 * One row per case of a or b, matched by the case's id, in the order of b; those only in a last.
 * threshold: changes of times, errors and pair counts by less than this share are none (0.1: 10 %).
 * relative: times are taken over that of `exact` for the same product and repetition, where there
 * is one (exact's own stay as they are): what slows a whole run down cancels. time_ratio   median
 * time of b, set-up included, over that of a, with the bootstrap interval of repetitions resampled
 * apart (the two runs share no conditions) slower       time_ratio_lo > 1 + threshold; faster:
 * time_ratio_hi < 1 / (1 + threshold). Said only where both times are well measured (stats.h: 3
 * repetitions, a millisecond) status       the worst of the repetitions: ok, fail_eps, skipped,
 * timeout, oom, error less accurate, more accurate   largest err_hi of the repetitions, by the
 * threshold, and the intervals of the median error apart now misses eps   an error that a met in
 * every repetition (its own eps, or one that both folders judge the product by) and b does not more
 * pairs, fewer pairs   entries evaluated, by the threshold regression: slower, a worse status, or
 * an eps now missed; a case in one folder only is none. *rows: kmv_alloc'ed. KMV_EINVAL: no case in
 * common.
 */
kmv_status kmv_compare(const kmv_results *a, const kmv_results *b, double threshold, int relative,
                       kmv_comparison **rows, size_t *count, kmv_error *err);

#endif

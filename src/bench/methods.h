/* bench/methods.h - each method at its best setting: what it takes to meet an eps. */
#ifndef KMV_BENCH_METHODS_H
#define KMV_BENCH_METHODS_H

#include "bench/table.h"

/** A method over the problems that differ in nothing but the data set, against one eps. */
typedef struct {
    char matrix[12];
    double causal;
    char center[8];
    double n_q, n_k, d;
    char sigma_spec[32], x_kind[32];
    double threads, eps_judged;
    char algo[32];
    double problems, met, settings, decades;
    double speedup_total_med, speedup_total_lo, speedup_total_hi;
    double speedup_apply_med;
    double pairs_frac, err_hi_max;
    double at_least, at_most;
    char best_opts[256];
    char verdict[160];
} kmv_method_row;
extern const kmv_schema kmv_method_schema;

/**
 * One row per method and eps for the problems of one matrix, mask, n, d, bandwidth, x and number of
 * threads. On each data set the best setting is the one with the least time, preparation included,
 * among those whose error met eps for sure in every repetition (kmv_met_for_sure): what another
 * setting beats in both time and error never is. Problems where answering 0 or the mean of V meets
 * eps are left out.
 *     problems, met: data sets judged; of them where some setting met eps
 *     speedup_total: median over the data sets met of exact's time over the best setting's, with
 * the least and the largest as its ends; speedup_apply, pairs_frac: medians settings, decades:
 * settings tried on a data set, and log10 of the dearest's time over the cheapest's, the least of
 * the data sets at_least, at_most: of the data sets met, where the best is the cheapest, or the
 * dearest, of two settings or more: the sweep may be too small on that side best_opts: options of
 * the best setting where the speed-up is the median *rows: kmv_alloc'ed. KMV_ENOMEM.
 */
kmv_status kmv_methods_make(const kmv_summary *judged, size_t count, kmv_method_row **rows,
                            size_t *n_rows, kmv_error *err);

#endif

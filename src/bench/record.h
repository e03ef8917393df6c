/* bench/record.h - one row per (case, repetition): what was asked, what it cost, how wrong it was.
 */
#ifndef KMV_BENCH_RECORD_H
#define KMV_BENCH_RECORD_H

#include "bench/schema.h"

typedef struct {
    /* what was asked */
    char experiment[64], sweep[64], case_id[24];
    double rep;
    char status[16], reason[256];
    char dataset[128], matrix[12];
    double causal;
    char center[8];
    double n_q, n_k, d, r;
    char sigma_spec[32];
    double sigma, eps, delta;
    char x_kind[32], algo[32], algo_opts[256], plan[512];
    char isa[16];
    double threads;
    char seed[24];
    /* what it cost */
    double t_prepare_s, t_prepare_first_s, t_apply_s, t_certify_s, iters;
    double pairs_frac, flops, mem_peak_b;
    /* how wrong it was */
    double err_l2, err_lo, err_hi;
    char err_kind[24];
    double err_rel, row_err_p50, row_err_p95, row_err_max;
    double null_err, trivial;
    double mean_err, err_op, null_op, mean_op, err_rel_mean, trivial_op, p_op, p_op_tol;
    double bound;
    char bound_kind[12];
    double err_est, y_sum;
    double layer, head;
    char pos_err[192];
    /* where and when */
    char started[32], commit[48], host[64];
} kmv_record;

extern const kmv_schema kmv_record_schema;

#endif

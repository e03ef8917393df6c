/* bench/verify.h - how wrong a result is: its rows against float64 ones. */
#ifndef KMV_BENCH_VERIFY_H
#define KMV_BENCH_VERIFY_H

#include "bench/record.h"
#include "kmv.h"

/** The rows that judge a result: all (rows NULL, count = n_q) or a sample drawn without
 *  replacement. */
enum { KMV_POSITIONS = 16 };
typedef struct {
    const size_t *rows; /* ascending */
    size_t count, n_q, r;
    size_t heads;    /* sequences that the rows are, one after the other; 0 and 1: one */
    const double *y; /* count x r, float64 */
    double op_norm;  /* softmax: |P|_op, a lower bound; NaN: not computed */
    double op_tol;   /* its residual (gauss/opnorm.h) */
} kmv_judge;

/**
 * Fill err_l2, err_lo, err_hi, err_kind, err_rel, row_err_*, null_err, y_sum of the record; where
 * its causal is yes, pos_err too: the root of n_q times the mean squared error of the rows judged
 * in each of KMV_POSITIONS equal parts of the positions, over |x|, so that err_l2 is their root
 * mean square. y: n_q x r, the result; x_norm: |X|_F (softmax: |V|_F). On a sample of M rows err_l2
 * is the square root of n_q/M times the squared errors seen, over |x|; its 95 % interval is the
 * percentile bootstrap of the mean squared row error (1000 resamples, seeded), shrunk about the
 * estimate by sqrt(1 - M/n_q), the finite population correction. It says nothing of rows unlike all
 * those seen. Norm 0 of x: the error is 0 when y = Kx and infinite otherwise. The relative error of
 * a row with Kx = 0 is 0 when y = 0 there and infinite otherwise.
 */
kmv_status kmv_verify(const kmv_judge *judge, const double *y, double x_norm, uint64_t seed,
                      kmv_record *record, kmv_error *err);

/**
 * For softmax only: mean_err and err_rel_mean, of answering with the mean of V (causal: of the keys
 * seen); and, where op_norm is known, p_op, p_op_tol, err_op, null_op and mean_op:
 *     err_op = |y - PV|_op / (|P|_op |V|_op)
 * and the same with 0 and the mean for y. Norms of matrices of r columns are the roots of the
 * largest eigenvalues of their r x r Gram matrices, exact up to rounding; of sampled rows the Gram
 * matrix is scaled by n_q/M, which is unbiased, its largest eigenvalue is not (too large in
 * expectation, by less the more rows). v: n_k x r. Cost 3 M r^2 + n_k r^2, and r^3 for eigenvalues.
 */
kmv_status kmv_verify_softmax(const kmv_judge *judge, const kmv_problem *problem, const double *y,
                              const double *v, double x_norm, kmv_record *record, kmv_error *err);

/** Set `trivial`, `trivial_op`, and status and reason: fail_eps when !(err_l2 <= eps), error when
 * the certificate is broken (bound < err_lo), else ok. */
void kmv_verdict(kmv_record *record);

#endif

/* bench/measure.h - the assumption of the sub-quadratic methods, measured: head and tail of the sum
 * of a matrix's entries, in bounded memory. */
#ifndef KMV_BENCH_MEASURE_H
#define KMV_BENCH_MEASURE_H

#include "bench/schema.h"
#include "data/dataset.h"

/** One row per problem, n and sigma. */
typedef struct {
    char experiment[64], dataset[128], matrix[12];
    double causal;
    char center[8];
    double drop_first, n_q, n_k, d;
    char sigma_spec[32];
    double sigma;
    char rows[24]; /* "all", or the number of rows sampled */
    double sum_over_n, sum_over_n_lo, sum_over_n_hi;
    double tail_over_head, tail_over_head_lo, tail_over_head_hi, nth_ratio, max, fro2_over_n,
        op_norm, op_norm_tol, row_sum_p50, row_sum_p99, col_sum_max;
    double alpha, alpha_lo, alpha_hi;             /* growth exponent of tail/head over n */
    double alpha_sum, alpha_sum_lo, alpha_sum_hi; /* growth exponent of sum/n over n */
    char alpha_kind[64];                          /* what the interval resamples */
    double t_s;
    char sha256[KMV_HASH_SIZE], started[32], commit[48], host[64];
    char case_id[24], status[16], reason[256]; /* of `kmv run`; else empty */
} kmv_measure_row;

extern const kmv_schema kmv_measure_schema;

typedef enum { KMV_MEASURE_GAUSS, KMV_MEASURE_SOFTMAX, KMV_MEASURE_ROWMAX } kmv_measure_matrix;

/** "gauss", "softmax", "rowmax" from text; KMV_EINVAL for another word. The kind of problem whose
 *  bandwidth it shares (rowmax: softmax). */
kmv_status kmv_measure_matrix_parse(const char *text, kmv_measure_matrix *matrix, kmv_error *err);
kmv_matrix kmv_measure_base(kmv_measure_matrix matrix);

typedef struct {
    kmv_measure_matrix matrix;
    int causal;
    kmv_center center;
    size_t drop_first;
    size_t rows;      /* 0: all (exact); else that many sampled rows, with intervals */
    double sigma;     /* finite, > 0 */
    int with_op_norm; /* power iteration costs several exact products */
    int threads;
    const char *isa;
    uint64_t seed;
} kmv_measure_spec;

/**
 * Measure the first n points (0: all). Fills everything of the row but the alphas, experiment,
 * sigma_spec and provenance. Exact for up to 2^17 queries and keys: sums, head and tail by two
 * passes over all entries (headtail.h). Beyond, or with spec->rows, from rows drawn without
 * replacement (2048 when spec->rows = 0): the threshold is then the M-th largest entry of M rows,
 * above which n entries of the whole matrix are expected; intervals are 95 % percentiles of 1000
 * bootstrap resamples of rows at that threshold, drawn in by sqrt(1 - M/n); op_norm and col_sum_max
 * stay empty. KMV_EINVAL: n beyond the data, sigma not finite and > 0, more rows than queries,
 * exponents that overflow float.
 */
kmv_status kmv_measure(const kmv_dataset *data, size_t n, const kmv_measure_spec *spec,
                       kmv_measure_row *row, kmv_error *err);

/** Fit the growth exponents over rows that differ only in n = max(n_q, n_k), each n once (least
 * squares of logarithms), and
 * write them into all of them, with the t interval of the fit: the spread about a power law, and
 * not the spread over texts or heads, since nested prefixes are dependent. A value that is 0 or
 * empty, or fewer than two sizes, leaves the exponent empty; two sizes leave the interval empty. */
void kmv_measure_fit(kmv_measure_row *rows, size_t count);

#endif

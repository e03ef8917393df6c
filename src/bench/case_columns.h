/* bench/case_columns.h - runs of columns that several tables about cases share, each with one text.
 * `row` is the struct of the table; its fields bear the names of the columns. */
#ifndef KMV_BENCH_CASE_COLUMNS_H
#define KMV_BENCH_CASE_COLUMNS_H

#include "bench/schema.h"

/** What is multiplied. */
#define KMV_MATRIX_COLUMNS(row)                                                                    \
    KMV_COLUMN(row, dataset, "", KMV_COL_TEXT, "name of the data set"),                            \
        KMV_COLUMN(row, matrix, "", KMV_COL_TEXT, "gauss or softmax"),                             \
        KMV_COLUMN(row, causal, "", KMV_COL_BOOL, "entries above the diagonal count as zero"),     \
        KMV_COLUMN(row, center, "", KMV_COL_TEXT, "shift of the keys"),                            \
        KMV_COLUMN(row, n_q, "", KMV_COL_INT, "number of queries"),                                \
        KMV_COLUMN(row, n_k, "", KMV_COL_INT, "number of keys"),                                   \
        KMV_COLUMN(row, d, "", KMV_COL_INT, "dimension"),                                          \
        KMV_COLUMN(row, r, "", KMV_COL_INT, "columns of X"),                                       \
        KMV_COLUMN(row, sigma_spec, "", KMV_COL_TEXT, "bandwidth as asked")

/** By what, and how well it was asked to be. */
#define KMV_METHOD_COLUMNS(row)                                                                    \
    KMV_COLUMN(row, x_kind, "", KMV_COL_TEXT, "kind of the vector x"),                             \
        KMV_COLUMN(row, algo, "", KMV_COL_TEXT, "algorithm"),                                      \
        KMV_COLUMN(row, algo_opts, "", KMV_COL_TEXT, "options that differ from their defaults"),   \
        KMV_COLUMN(row, eps, "", KMV_COL_REAL,                                                     \
                   "error asked for; empty where the algorithm does not use it"),                  \
        KMV_COLUMN(row, delta, "", KMV_COL_REAL, "failure probability asked for")

/** A median with its interval: stem_medSUFFIX, stem_loSUFFIX, stem_hiSUFFIX. */
#define KMV_INTERVAL_COLUMNS(row, stem, suffix, unit, help)                                        \
    KMV_COLUMN(row, stem##_med##suffix, unit, KMV_COL_REAL, help),                                 \
        KMV_COLUMN(row, stem##_lo##suffix, unit, KMV_COL_REAL, "lower end of its 95 % interval"),  \
        KMV_COLUMN(row, stem##_hi##suffix, unit, KMV_COL_REAL, "upper end of its 95 % interval")

#endif

/* bench/table.h - one row per case, computed from the raw rows of its repetitions; and any rows
 * with a schema as TSV, Markdown or LaTeX. */
#ifndef KMV_BENCH_TABLE_H
#define KMV_BENCH_TABLE_H

#include <stdio.h>

#include "bench/record.h"

/** A case, judged against one eps. Times, errors and ratios are medians over the repetitions that
 *  ran (status ok or fail_eps) with the bootstrap interval of the median (stats.h). */
typedef struct {
    char experiment[64], sweep[64], case_id[24];
    char dataset[128], matrix[12];
    double causal;
    char center[8];
    double n_q, n_k, d, r;
    char sigma_spec[32];
    double sigma, eps, delta;
    char x_kind[32], algo[32], algo_opts[256], isa[16];
    double threads;
    double reps, ok, fail_eps, skipped, timeout, oom, error;
    char reason[256];
    double t_total_med_s, t_total_lo_s, t_total_hi_s;
    double t_prepare_med_s, t_prepare_lo_s, t_prepare_hi_s;
    double t_apply_med_s, t_apply_lo_s, t_apply_hi_s;
    double speedup_total_med, speedup_total_lo, speedup_total_hi;
    double speedup_apply_med, speedup_apply_lo, speedup_apply_hi;
    double pairs_frac, pairs_per_query, flops, mem_peak_b;
    double err_l2_med, err_l2_lo, err_l2_hi, err_l2_max, err_hi_max;
    char err_kind[24];
    double err_rel_med, row_err_p95_med, err_op_med;
    double null_err, mean_err, floor_err, null_op, mean_op;
    double layer, head;
    char chosen[32], pos_err[192], phase_pairs[192];
    double bound_max;
    char bound_kind[12];
    double eps_judged, meets_eps, trivial, trivial_op;
} kmv_summary;

extern const kmv_schema kmv_summary_schema;

/**
 * One row per case, in a fixed order (data set, n, d, sigma, x, eps, algorithm), whatever the order
 * of the records. With `judge`, a case that does not use eps has one row for every eps
 * that any algorithm was asked for on the same product; without, or where there is no such eps, one
 * row with eps_judged empty.
 *     t_total = t_prepare + t_apply;  speedup = t(exact) / t, paired by repetition with `exact` of
 *     the same experiment, data set, matrix, causal, center, n, d, r, sigma, x, threads and ISA
 *     (kmv_same_isa);
 *     meets_eps: every repetition ran and has err_l2 <= eps_judged;
 *     floor_err: null_err, for softmax the smaller of it and mean_err; trivial: <= eps_judged;
 *     chosen: the method that `auto` chose in the first repetition, by name;
 *     pos_err: medians over the repetitions, part by part;
 *     phase_pairs: of a plan that begins with counts of entries, "NAME=COUNT NAME=COUNT pairs", the
 *         medians of the counts over the repetitions, "NAME COUNT NAME COUNT";
 *     trivial_op: the smaller of null_op and mean_op is.
 * Of two records of the same case and repetition the later one counts. *cases: kmv_alloc'ed,
 * freed with kmv_free. KMV_ENOMEM.
 */
kmv_status kmv_summaries_make(const kmv_record *records, size_t count, int judge,
                              kmv_summary **cases, size_t *n_cases, kmv_error *err);

/** The row among count of what `exact` took for the same product and repetition, or NULL. */
const kmv_record *kmv_exact_beside(const kmv_record *records, size_t count, const kmv_record *of);

/** Whether the instruction set of a row lets it stand beside one of `exact`: it is the same; or the
 * row ran and names none, as those of outside programs (scripts/peers), and the other names any. */
int kmv_same_isa(const char *exact, const char *of, int of_ran);

/** Whether a repetition ran to its end: status ok or fail_eps. */
int kmv_record_ran(const kmv_record *record);

/** Place of an algorithm in the table of algorithms; names that are not in it come last. */
size_t kmv_algo_rank(const char *name);

typedef enum { KMV_TABLE_TSV, KMV_TABLE_MD, KMV_TABLE_TEX, KMV_TABLE_HTML } kmv_table_format;

/** "tsv", "md", "tex"; KMV_EINVAL for another word. */
kmv_status kmv_table_format_parse(const char *text, kmv_table_format *format, kmv_error *err);

/** Names of columns: "a,b,c", or "all", or NULL for what suits the format: all for TSV, what people
 *  read first for Markdown and HTML, what fits the width of a page for LaTeX. */
typedef struct {
    const kmv_column *columns[128];
    size_t count;
} kmv_table_columns;
kmv_status kmv_table_columns_parse(const kmv_schema *schema, const char *text,
                                   kmv_table_format format, kmv_table_columns *out, kmv_error *err);

/**
 * Write rows (count of schema->row_size bytes). TSV is exact, with every digit and the schema's
 * order and names; the others round to three digits, and a column `*_med*` takes its `_lo` and
 * `_hi` in: "1.23 [1.20, 1.31]". Text is escaped for the format; an empty cell of LaTeX and
 * Markdown is a dash. LaTeX is a tabular with booktabs rules. KMV_EIO when out fails.
 */
kmv_status kmv_table_write(const kmv_schema *schema, const kmv_table_columns *columns,
                           const void *rows, size_t count, kmv_table_format format, FILE *out,
                           kmv_error *err);

/** Write text so that it stands for itself in the format. */
void kmv_text_escaped(const char *text, kmv_table_format format, FILE *out);

#endif

/* bench/table_columns.c - the columns of a table of cases. */
#include "bench/case_columns.h"
#include "bench/table.h"

#define TEXT(field, help)       KMV_COLUMN(kmv_summary, field, "", KMV_COL_TEXT, help)
#define REAL(field, unit, help) KMV_COLUMN(kmv_summary, field, unit, KMV_COL_REAL, help)
#define INT(field, help)        KMV_COLUMN(kmv_summary, field, "", KMV_COL_INT, help)
#define BOOL(field, help)       KMV_COLUMN(kmv_summary, field, "", KMV_COL_BOOL, help)
#define INTERVAL(stem, suffix, unit, help)                                                         \
    KMV_INTERVAL_COLUMNS(kmv_summary, stem, suffix, unit, help)

static const kmv_column columns[] = {
    TEXT(experiment, "name of the experiment"),
    TEXT(sweep, "name of the sweep within it; of several, joined by +"),
    {"case", "", KMV_COL_TEXT, offsetof(kmv_summary, case_id), sizeof((kmv_summary *)0)->case_id,
     "id of the case"},
    KMV_MATRIX_COLUMNS(kmv_summary),
    REAL(sigma, "coordinate", "bandwidth used"),
    KMV_METHOD_COLUMNS(kmv_summary),
    TEXT(isa, "instruction set"),
    INT(threads, "threads"),
    INT(reps, "repetitions recorded"),
    INT(ok, "of them ok"),
    INT(fail_eps, "of them that missed eps"),
    INT(skipped, "of them skipped"),
    INT(timeout, "of them out of time"),
    INT(oom, "of them out of memory"),
    INT(error, "of them in error"),
    INTERVAL(t_total, _s, "s", "median time of preparation and one product"),
    INTERVAL(t_prepare, _s, "s", "median time of preparation"),
    INTERVAL(t_apply, _s, "s", "median time of one product"),
    INTERVAL(speedup_total, , "", "time of exact / time, with preparation, paired by repetition"),
    INTERVAL(speedup_apply, , "", "the same without preparation"),
    REAL(pairs_frac, "", "kernel entries evaluated / unmasked entries"),
    REAL(pairs_per_query, "", "kernel entries evaluated / n_q, of the unmasked ones"),
    REAL(flops, "", "preparation and one product"),
    REAL(mem_peak_b, "bytes", "allocated by the algorithm at its peak"),
    INTERVAL(err_l2, , "", "median of |y - Kx| / |x| (softmax: / |V|)"),
    REAL(err_l2_max, "", "largest over the repetitions"),
    REAL(err_hi_max, "", "largest upper end of the interval of a repetition"),
    TEXT(err_kind, "full, or rows:M when judged on M sampled rows"),
    REAL(err_rel_med, "", "median of |y - Kx| / |Kx|"),
    REAL(row_err_p95_med, "", "median of the 95th percentile over rows of the relative error"),
    REAL(err_op_med, "", "softmax: median of the error in the operator norm"),
    REAL(null_err, "", "error of answering 0"),
    REAL(mean_err, "", "softmax: error of answering with the mean of V"),
    REAL(floor_err, "", "error of answering 0 or, for softmax, the mean of V if that is better"),
    REAL(null_op, "", "softmax: operator error of answering 0"),
    REAL(mean_op, "", "softmax: operator error of answering with the mean"),
    INT(layer, "of the model, where the data set says"),
    INT(head, "of the layer, where the data set says"),
    TEXT(chosen, "method that auto chose, in the first repetition"),
    TEXT(pos_err, "causal: median error of the rows in each 16th of the positions"),
    TEXT(phase_pairs, "median kernel entries of each phase, where the plan names them"),
    REAL(bound_max, "", "largest certified bound"),
    TEXT(bound_kind, "range (proved), model (not proved), float32 (rounding only)"),
    REAL(eps_judged, "", "error against which the case is judged"),
    BOOL(meets_eps, "every repetition ran and has err_l2 <= eps_judged"),
    BOOL(trivial, "answering 0 (softmax: or the mean) meets eps_judged"),
    BOOL(trivial_op, "the same in the operator norm"),
    TEXT(reason, "why the first repetition that is not ok is not"),
    {0},
};

const kmv_schema kmv_summary_schema = {columns, sizeof(kmv_summary)};

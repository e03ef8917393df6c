/* bench/record.c - the column schema of raw.tsv, the only list of columns. */
#include "bench/record.h"

#define TEXT(field, help)       KMV_COLUMN(kmv_record, field, "", KMV_COL_TEXT, help)
#define REAL(field, unit, help) KMV_COLUMN(kmv_record, field, unit, KMV_COL_REAL, help)
#define INT(field, unit, help)  KMV_COLUMN(kmv_record, field, unit, KMV_COL_INT, help)
#define BOOL(field, help)       KMV_COLUMN(kmv_record, field, "", KMV_COL_BOOL, help)

static const kmv_column columns[] = {
    TEXT(experiment, "name of the experiment in its config"),
    TEXT(sweep, "name of the sweep within it; of several, joined by +"),
    /* `case` is a keyword of C, so this field cannot bear the name of its column. */
    {"case", "", KMV_COL_TEXT, offsetof(kmv_record, case_id), sizeof((kmv_record *)0)->case_id,
     "id of the case: hash of everything that defines it"},
    INT(rep, "", "repetition, from 0"),
    TEXT(status, "ok, fail_eps, skipped, timeout, oom or error"),
    TEXT(reason, "why it is not ok"),
    TEXT(dataset, "name of the data set"),
    TEXT(matrix, "gauss or softmax"),
    BOOL(causal, "entries above the (end-aligned) diagonal count as zero"),
    TEXT(center, "none, keys or match: shift of the keys, part of the problem"),
    INT(n_q, "", "number of queries"),
    INT(n_k, "", "number of keys"),
    INT(d, "", "dimension"),
    INT(r, "", "columns of X"),
    TEXT(sigma_spec, "bandwidth as asked: a number, x2 (times the natural one), sum:1"),
    REAL(sigma, "coordinate", "bandwidth used"),
    REAL(eps, "", "error asked for; empty where the algorithm does not use it"),
    REAL(delta, "", "failure probability asked for"),
    TEXT(x_kind, "kind of the vector x"),
    TEXT(algo, "algorithm"),
    TEXT(algo_opts, "options that differ from their defaults"),
    TEXT(plan, "what the algorithm decided to do and why"),
    TEXT(isa, "instruction set that ran; empty for outside programs, which choose their own"),
    INT(threads, "", "threads"),
    TEXT(seed, "seed of this repetition"),
    REAL(t_prepare_s, "s", "time of preparation, packing included"),
    REAL(t_apply_s, "s", "time of one product"),
    REAL(t_certify_s, "s", "time of the certificate"),
    INT(iters, "", "products timed; t_apply_s is their mean"),
    REAL(pairs_frac, "",
         "kernel entries evaluated / unmasked entries, preparation and one product"),
    REAL(flops, "", "preparation and one product; a multiply-add is 2, exponentials not counted"),
    REAL(mem_peak_b, "bytes", "allocated by the algorithm at its peak, inputs and y excluded"),
    REAL(err_l2, "", "|y - Kx| / |x| (softmax: / |V|), Frobenius; judged against eps"),
    REAL(err_lo, "", "lower end of its 95 % interval"),
    REAL(err_hi, "", "upper end of its 95 % interval"),
    TEXT(err_kind, "full, or rows:M when judged on M sampled rows"),
    REAL(err_rel, "", "|y - Kx| / |Kx|; empty where Kx = 0"),
    REAL(row_err_p50, "", "median over rows of the relative error of a row"),
    REAL(row_err_p95, "", "95th percentile of the same"),
    REAL(row_err_max, "", "maximum of the same"),
    REAL(null_err, "", "|Kx| / |x|: the error of answering 0"),
    BOOL(trivial, "answering 0 (softmax: 0 or the mean of V) meets eps"),
    REAL(mean_err, "", "softmax: error of answering with the (prefix) mean of V"),
    REAL(err_op, "",
         "softmax: |y - PV|_op / (|P|_op |V|_op); on sampled rows estimated from their Gram matrix "
         "times n_q/M"),
    REAL(null_op, "", "the same for answering 0"),
    REAL(mean_op, "", "the same for answering with the (prefix) mean of V"),
    REAL(err_rel_mean, "", "softmax: |y - PV| / |PV - mean|; empty where PV is the mean"),
    BOOL(trivial_op, "answering 0 or the mean meets eps in the operator norm"),
    REAL(p_op, "", "|P|_op by power iteration, a lower bound; empty above op_norm_pairs entries"),
    REAL(p_op_tol, "", "its residual |P'Pv - s^2 v| / s^2: a singular value within s tol / 2"),
    REAL(bound, "", "certified upper bound on err_l2 at confidence 1 - delta"),
    TEXT(bound_kind, "range (proved), model (not proved), float32 (rounding only)"),
    REAL(err_est, "", "the algorithm's own estimate of err_l2"),
    REAL(y_sum, "", "sum of the entries of y: a fingerprint of the result"),
    INT(layer, "", "of the model, where the data set says"),
    INT(head, "", "of the layer, where the data set says"),
    TEXT(pos_err, "causal: err_l2 of the rows in each 16th of the positions, as if all were like "
                  "them; - where none was judged"),
    TEXT(started, "UTC time at which the repetition began"),
    TEXT(commit, "version of the source, with + when it was changed"),
    TEXT(host, "name of the machine's CPU"),
    {0},
};

const kmv_schema kmv_record_schema = {columns, sizeof(kmv_record)};

/* bench/claim.h - what sources claim, beside what a run measured: [claim NAME] sections. */
#ifndef KMV_BENCH_CLAIM_H
#define KMV_BENCH_CLAIM_H

#include "bench/results.h"

/** One claim as it came out. */
typedef struct {
    char claim[64], source[256], text[512], command[1500];
    char column[48];
    double measured_med, measured_lo, measured_hi;
    char want[64], verdict[16];
    double cases, values;
    char note[700];
} kmv_claim_row;
extern const kmv_schema kmv_claim_schema;

/**
 * Check one section. Keys: `source` and `text` (needed), then either `not_testable`, the reason
 * why, or how it is measured. `column` is a number of raw.tsv or measure.tsv by name, or
 * `t_total_s` (set-up and one product), `speedup_total`, `speedup_apply` (the time of `exact` for
 * the same product and repetition over its own), `times_fewer` (of a plan that says "N times
 * fewer"). `rows` is a filter, "key=value, value, key=value, ...", with the keys of filter.h; `per`
 * another one: then the ratio is measured, `rows` over `per`. `take` is median (default), largest
 * or smallest; `want`
 * >=, <=, > or < and a number. `command` (default: the command of the run) and `note` go into the
 * table as they are. KMV_EINVAL: the message begins with the line in the config and a colon.
 */
kmv_status kmv_claim_check(const kmv_config_claim *claim, kmv_error *err);

/** Whether its rows are those of raw.tsv, not of measure.tsv. */
int kmv_claim_is_raw(const kmv_config_claim *claim);

/**
 * Measure all claims of a folder's config. Of one case the values are its repetitions; of several,
 * the median of each. The interval is the 95 % bootstrap interval of the median (ratios: both sides
 * resampled apart); there is none with take = largest or smallest.
 * verdict: `pass` or `fail` by the measured value; `not testable` with the reason as note when the
 * section says so, or no row with a number is there. The note says too when the interval holds the
 * limit. *rows: kmv_alloc'ed. KMV_ENOMEM.
 */
kmv_status kmv_claims_make(const kmv_results *results, kmv_claim_row **rows, size_t *count,
                           kmv_error *err);

/** How many of a folder's claims have the verdict `fail`. */
kmv_status kmv_claims_count_failed(const kmv_results *results, size_t *failed, kmv_error *err);

#endif

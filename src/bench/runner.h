/* bench/runner.h - inside of a run: what its files share. */
#ifndef KMV_BENCH_RUNNER_H
#define KMV_BENCH_RUNNER_H

#include "bench/child.h"
#include "bench/journal.h"
#include "bench/planned.h"
#include "bench/provenance.h"
#include "bench/run.h"
#include "bench/shared.h"
#include "bench/trial.h"

typedef struct {
    const kmv_config *config;
    const kmv_cases *cases;
    const kmv_run_options *options;
    kmv_run_summary *summary;
    kmv_trial_settings trial;
    kmv_limits limits;      /* of a repetition */
    kmv_limits preparation; /* of loading, bandwidths and references: they serve many cases */
    kmv_provenance provenance;
    kmv_journal raw, measure, datasets;
    int signal_fd;
    double started; /* by kmv_now_s */
    size_t done_before, done, total;
} kmv_runner;

/** Which pairs (case, repetition) have their row: reps flags per case. */
typedef struct {
    unsigned char *flags;
    size_t reps;
} kmv_done;

/** Run the cases members[0 .. count-1], which share their data. */
kmv_status kmv_run_group(kmv_runner *runner, const size_t *members, size_t count, kmv_done *done,
                         kmv_error *err);

/** The [measure] sections: open what there is, run the rest. When none is missing the growth
 *  exponents are fitted and measure.tsv is replaced. */
kmv_status kmv_run_open_measures(kmv_runner *runner, kmv_error *err);
kmv_status kmv_run_measures(kmv_runner *runner, kmv_error *err);

/** Why a step that several rows need could not be done: their status and reason. */
typedef struct {
    int failed;
    char status[16], reason[256];
} kmv_run_failure;

/** Load the data of a problem and note it in datasets.tsv. */
kmv_status kmv_run_load(kmv_runner *runner, const kmv_case_problem *problem, kmv_shared *shared,
                        kmv_run_failure *failure, kmv_error *err);

/**
 * Status and reason of a row out of how a child ended: timeout, oom (KMV_ENOMEM), error; and
 * skipped for what this problem cannot have (KMV_ENOTSUP, KMV_EINVAL) where `unfit` says that the
 * work was to find that out. Returns 1 when the work was done.
 */
int kmv_run_outcome(kmv_child_end end, kmv_status work_status, int unfit, const kmv_error *why,
                    char status[16], char reason[256]);

/** Count a row into the summary. */
void kmv_run_count(kmv_run_summary *summary, const char *status);

/** Whether a case with such a row is through, whatever the number of repetitions. */
int kmv_run_is_final(const char *status);

/** Tell whoever listens. */
void kmv_run_progress(kmv_runner *runner, const char *what);

#endif

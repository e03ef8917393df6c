/* bench/run.h - the run of an experiment: every repetition of every case in a child of its own,
 * each a row on disk before the next begins. */
#ifndef KMV_BENCH_RUN_H
#define KMV_BENCH_RUN_H

#include "bench/cases.h"

/** A file that stands in a results folder until all of its cases have their rows. */
#define KMV_RUN_INCOMPLETE "incomplete"

/** How far a run is. */
typedef struct {
    size_t done, total; /* rows, those of earlier runs of the folder included */
    double eta_s;       /* NaN until something was timed */
    const char *what;   /* the case that runs now */
} kmv_progress;

typedef struct {
    const char *dir;
    const char *identity;  /* kmv_planned_hash of the configuration, all of its cases */
    int filtered;          /* the cases are a part of them */
    int threads;           /* 0: all */
    const char *isa;       /* NULL: the best */
    double limit_time_s;   /* per case, wall clock */
    double limit_memory_b; /* per case; 0: the machine's memory */
    void (*progress)(void *context, const kmv_progress *progress); /* may be NULL */
    void *progress_context;
} kmv_run_options;

/** Rows of the planned cases, by status. */
typedef struct {
    size_t ok, fail_eps, skipped, timeout, oom, error;
    int interrupted; /* SIGINT or SIGTERM came */
} kmv_run_summary;

/**
 * Run what the folder does not hold yet. Writes DIR/raw.tsv and DIR/measure.tsv (journals),
 * config.ini, provenance.tsv, datasets.tsv, cache/. Cases that share data run together; within such
 * a group repetitions are the outer loop and the order of the cases within one is random (seeded),
 * so that a drift of the machine hits all alike. A case that was skipped, timed out or ran out of
 * memory is not repeated: one row says so.
 * A folder without rows of all cases (filtered, interrupted) holds a file `incomplete`.
 * KMV_EINVAL: the folder holds results of other cases (identity), seed, threads or ISA. KMV_EIO:
 * the folder cannot be written, is in use, the disk is full; rows written so far stay.
 */
kmv_status kmv_run(const kmv_config *config, const kmv_cases *cases, const kmv_run_options *options,
                   kmv_run_summary *summary, kmv_error *err);

#endif

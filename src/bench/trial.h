/* bench/trial.h - what runs in the children: bandwidth, references, one repetition of one case. */
#ifndef KMV_BENCH_TRIAL_H
#define KMV_BENCH_TRIAL_H

#include "bench/cases.h"
#include "bench/judge.h"
#include "bench/measure.h"

/** What all trials of a run share. */
typedef struct {
    uint64_t seed;
    size_t reps;
    double min_time_s;
    kmv_judge_settings judge;
    int threads;     /* of cases that name none; 0: all */
    const char *isa; /* of cases that name none; NULL: the best */
} kmv_trial_settings;

/** The problem as it came out of the data. */
typedef struct {
    double sigma;
    int causal;
    size_t n_q, n_k, d;
} kmv_resolved;

/** Context of the functions below, each a kmv_child_work. */
typedef struct {
    const kmv_trial_settings *settings;
    const kmv_dataset *data;
    const kmv_case_problem *problem;
    const kmv_resolved *resolved;    /* not for kmv_trial_resolve */
    const kmv_planned *one;          /* kmv_trial_references, kmv_trial_run */
    size_t rep;                      /* kmv_trial_run */
    const kmv_measure_case *measure; /* kmv_trial_measure */
} kmv_trial;

/** result: kmv_resolved. Solves for sigma where sum(K)/n is given. */
kmv_status kmv_trial_resolve(const void *context, void *result, kmv_error *err);

/** Float64 products for the inputs of all repetitions into the cache; no result. */
kmv_status kmv_trial_references(const void *context, void *result, kmv_error *err);

/** result: kmv_record, on entry with what was asked; status and reason are set unless this fails.
 *  Prepare [timed], apply [timed: products doubled in number until they last min_time], verify. */
kmv_status kmv_trial_run(const void *context, void *result, kmv_error *err);

/** result: kmv_measure_row, on entry with what was asked. */
kmv_status kmv_trial_measure(const void *context, void *result, kmv_error *err);

/** Seed of a repetition: depends on the master seed, the case and the repetition alone. */
uint64_t kmv_trial_seed(const kmv_trial_settings *settings, const kmv_planned *one, size_t rep);

#endif

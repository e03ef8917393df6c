/* bench/planned.h - planned cases as rows, and what can be found from them before anything runs. */
#ifndef KMV_BENCH_PLANNED_H
#define KMV_BENCH_PLANNED_H

#include "bench/cases.h"
#include "bench/measure.h"
#include "bench/record.h"

/** What was asked, as a row with all else empty. Empty too is what only the run or the data tells:
 *  causal (as the data set says), isa and threads (the run's), r, the bandwidth. */
void kmv_planned_row(const kmv_config *config, const kmv_planned *one, kmv_record *row);
void kmv_planned_measure_row(const kmv_config *config, const kmv_measure_case *one,
                             kmv_measure_row *row);

/**
 * What would come to light only after hours: a [figure] or [claim] whose filters select none of the
 * cases, an
 * [algo] section of an algorithm in no sweep, an x = FILE:PATH that cannot be read. KMV_EINVAL,
 * or what reading gives, with file and line. cases: all of the configuration.
 */
kmv_status kmv_planned_check(const kmv_config *config, const kmv_cases *cases, kmv_error *err);

/** SHA-256 of what the rows of a run depend on, but for the seed: name, repetitions, min_time, how
 * results are judged, and the keys of all cases and measures with the names of their sweeps. Equal
 * hashes mean that one run can go on with what the other began. */
kmv_status kmv_planned_hash(const kmv_config *config, const kmv_cases *cases,
                            char hash[KMV_HASH_SIZE], kmv_error *err);

/** A case's key without what it leaves open or empty ("eps= opts={} threads=0"): for people. */
const char *kmv_planned_text(const char *key, char *text, size_t size);

#endif

/* bench/source.h - the data sets of a configuration: generators, and every problem of its files. */
#ifndef KMV_BENCH_SOURCE_H
#define KMV_BENCH_SOURCE_H

#include "bench/cases.h"

/** One source per generator and per problem of a file; files that no sweep or measure names are
 *  not opened. sources: kmv_alloc'ed. Errors as for kmv_cases_make. */
kmv_status kmv_sources_make(const kmv_config *config, kmv_source **sources, size_t *count,
                            kmv_error *err);

/** Whether the source belongs to [dataset name]. */
int kmv_source_matches(const kmv_source *source, const char *name);

/** Load what data_key of the problem names: a whole file problem, or the generator's points drawn
 *  from the master seed and the data key, so that all algorithms see the same. */
kmv_status kmv_source_load(const kmv_case_problem *problem, uint64_t seed, kmv_dataset *out,
                           kmv_error *err);

#endif

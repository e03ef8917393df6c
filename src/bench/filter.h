/* bench/filter.h - rows chosen by what describes their case: the filters of figures and claims. */
#ifndef KMV_BENCH_FILTER_H
#define KMV_BENCH_FILTER_H

#include "bench/config.h"
#include "bench/schema.h"

enum { KMV_FILTER_KEYS = 23 };

/** The column that a key looks at ("n": "n_q"), or "" when it looks at none. */
const char *kmv_filter_column(const char *key);

/** All keys, at most KMV_FILTER_KEYS; measure: those that rows of measure.tsv have too. */
size_t kmv_filter_keys(int measure, const char **names);

/** Check the values of an entry with such a key: a list, of what the column holds. KMV_EINVAL: the
 *  message begins with the entry's line and a colon. */
kmv_status kmv_filter_check(const kmv_config_entry *entry, kmv_error *err);

/**
 * 1 when all entries keep this row of schema: one value of its list is the cell's, as the sweep
 * writes it, or a pattern with * that fits. Entries whose key filters nothing, or whose column the
 * schema lacks, keep all. A filter on eps keeps rows of algorithms that do not use eps, since those
 * are judged against every eps; a data set is also chosen by what stands before its colon.
 * planned: the row is of a case that has not run (planned.h); filters on what only the run tells
 * (causal, r, isa, threads, rows) keep it where it has nothing there.
 */
int kmv_filter_keeps(const kmv_config_entry *entries, size_t count, const kmv_schema *schema,
                     const void *row, int planned);

#endif

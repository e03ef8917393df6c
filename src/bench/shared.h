/* bench/shared.h - a data set that a child loads and all later children see: neither a malformed
 * file nor a generator's threads can touch the process that forks them. */
#ifndef KMV_BENCH_SHARED_H
#define KMV_BENCH_SHARED_H

#include "bench/cases.h"
#include "bench/child.h"

typedef struct {
    kmv_dataset data; /* its arrays lie in map; do not clear it by itself */
    void *map;
    size_t size;
} kmv_shared;

/** Load the problem's data (kmv_source_load) in a child into shared memory. end, work_status and
 *  err as for kmv_forked_run; `shared` is set only when the work was done with KMV_OK. */
kmv_status kmv_shared_load(const kmv_case_problem *problem, uint64_t seed, const kmv_limits *limits,
                           int interrupt_fd, kmv_shared *shared, kmv_child_end *end,
                           kmv_status *work_status, kmv_error *err);

/** Harmless on a zeroed one. */
void kmv_shared_clear(kmv_shared *shared);

#endif

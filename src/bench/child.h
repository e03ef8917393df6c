/* bench/child.h - one piece of work in a forked child with limits, so that a crash, a hang or a
 * lack of memory there is a result here. */
#ifndef KMV_BENCH_CHILD_H
#define KMV_BENCH_CHILD_H

#include "kmv.h"

typedef struct {
    double time_s;   /* wall clock; 0: none */
    double memory_b; /* address space beyond what the parent holds; 0: none */
    int threads;     /* how many the child will use: their stacks are not charged */
} kmv_limits;

typedef enum {
    KMV_CHILD_DONE,       /* the work returned; see its status */
    KMV_CHILD_TIMEOUT,    /* killed at the time limit */
    KMV_CHILD_DIED,       /* ended without returning: crash, exit, killed from outside */
    KMV_CHILD_INTERRUPTED /* killed because interrupt_fd became readable */
} kmv_child_end;

/** The work: reads its context (a copy of the parent's memory) and writes into `result`, which the
 *  parent gets even when the work fails later. */
typedef kmv_status kmv_child_work(const void *context, void *result, kmv_error *err);

/**
 * Fork, run work, wait. result: result_size bytes, copied to the child and back. interrupt_fd: a
 * descriptor that becomes readable when the run is to stop (-1: none). The child dies with its
 * parent. *work_status is what work returned; err is its error line, or says how the child ended.
 * The caller must never have opened an OpenMP region: libgomp hangs in children forked after one.
 * Returns KMV_EIO, KMV_ENOMEM when no child could be had.
 */
kmv_status kmv_forked_run(kmv_child_work *work, const void *context, void *result,
                          size_t result_size, const kmv_limits *limits, int interrupt_fd,
                          kmv_child_end *end, kmv_status *work_status, kmv_error *err);

#endif

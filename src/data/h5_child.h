/* data/h5_child.h - run one job on an untrusted file in a child process with limits.
 *
 * libhdf5 1.10 reads and writes wild memory on malformed files. The process that holds the results
 * never calls it: every use of the library is a job in a forked child, whose crash, endless loop or
 * hunger for memory becomes an error line. What the child hands over is plain bytes; sizes and
 * texts in it are to be checked by the caller like any input. Jobs start no threads (OpenMP does
 * not survive a fork).
 */
#ifndef KMV_DATA_H5_CHILD_H
#define KMV_DATA_H5_CHILD_H

#include "kmv.h"

/** Where a job puts its answer: a struct of fixed size, and an array of a size it chooses. */
typedef struct {
    void *head; /* shared with the parent, zeroed */
    int fd;     /* memory file behind the array */
} kmv_child;

/** Runs in the child; returns its status, and err's text goes to the parent. */
typedef kmv_status kmv_child_job(const void *request, kmv_child *child, kmv_error *err);

/**
 * Run job(request) in a child; label is the file that errors name. head: head_size bytes,
 * overwritten on success. array, bytes: what the job made by kmv_child_array (NULL, 0 when
 * nothing); given back with kmv_child_release. array may be NULL when the job makes none.
 * Returns the job's status; KMV_EFORMAT when the child crashed or reached a limit (512 MiB and 5 s
 * of processor time beyond what kmv_child_allow added); KMV_ENOMEM or KMV_EIO when no child could
 * be had.
 */
kmv_status kmv_child_run(const char *label, kmv_child_job *job, const void *request, void *head,
                         size_t head_size, void **array, size_t *bytes, kmv_error *err);
void kmv_child_release(void *array, size_t bytes);

/** In the child: the array of the answer, zeroed, once per job; NULL with err set. */
void *kmv_child_array(kmv_child *child, size_t bytes, kmv_error *err);

/** In the child: the job has checked that it holds `memory_b` more and goes through `work_b` bytes.
 *  KMV_ENOMEM when the machine does not have as much. */
kmv_status kmv_child_allow(size_t memory_b, size_t work_b, kmv_error *err);

/** End text (size bytes) with '\0', replace control characters by blanks and what is no UTF-8 by
 *  '?': one line that can be printed and put into JSON. */
void kmv_one_line(char *text, size_t size);

#endif

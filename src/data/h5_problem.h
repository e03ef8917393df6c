/* data/h5_problem.h - the group of one problem or stack of problems: its arrays, checked against
 * each other, and its attributes. Called in children only (h5_child.h).
 */
#ifndef KMV_DATA_H5_PROBLEM_H
#define KMV_DATA_H5_PROBLEM_H

#include "data/h5_check.h"
#include "data/h5io.h"

/** q, k and v of a group; for stacks (heads, n, d) and (layers, heads, n, d) with query head h
 *  belonging to key head h / (heads / kv_heads). Plain groups have layers = heads = 1. */
typedef struct {
    kmv_h5_array q, k, v;
    int has_v;
    size_t layers, heads, kv_heads;
    size_t n_q, n_k, d, r; /* r = 0 without v */
} kmv_h5_problem;

/** Whether the group holds datasets q and k (or query and key), and their names (v: NULL when there
 *  is none). KMV_EFORMAT for half a problem or both ways of naming at once. */
kmv_status kmv_h5_problem_names(hid_t group, const char *where, const char *names[3],
                                int *is_problem, kmv_error *err);

/** Open and check the arrays. KMV_EFORMAT, or KMV_EINVAL where shapes do not belong together. */
kmv_status kmv_h5_problem_open(hid_t group, const char *where, kmv_h5_problem *p, kmv_error *err);
void kmv_h5_problem_close(kmv_h5_problem *p);

/** The attributes of the group into the fields of s (NaN, -1 or "" where there is none). A text
 *  that is too long for its field ends in "...". KMV_EFORMAT for a wrong type, KMV_EINVAL for a
 *  value out of range. */
kmv_status kmv_h5_attributes_read(hid_t group, const char *where, kmv_h5_summary *s,
                                  kmv_error *err);

#endif

/* algo/probe_check.h - the light part of some rows, exactly and as a sample gives it: what a
 * product of `probe` is checked by before it is made. */
#ifndef KMV_ALGO_PROBE_CHECK_H
#define KMV_ALGO_PROBE_CHECK_H

#include "algo/probe.h"

/** Squared error relative to |x|^2, estimated from the check rows. */
typedef struct {
    double left;  /* the estimate */
    double upper; /* the same, with two standard deviations */
} kmv_probe_residue;

/** What is left of the check rows without columns that are always taken (in_s = 1, others 0), into
 *  residual; x_norm2: |X|^2 in units of unit^2. Cost: checks n_k r multiply-adds. */
kmv_probe_residue kmv_probe_measure(kmv_probe *p, double x_norm2, double unit,
                                    const kmv_apply_context *context);

/** The same as the `count` columns of index estimate it with weights in_s, into estimate. */
void kmv_probe_estimate(kmv_probe *p, size_t count, const kmv_apply_context *context);

/** The lambda >= 0 with which the estimate comes closest to the residual, and how close. */
double kmv_probe_fit(const kmv_probe *p, size_t r, double x_norm2, double unit,
                     kmv_probe_residue *after);

#endif

/* algo/probe_sample.h - which columns a product of `probe` samples, and with which weights. */
#ifndef KMV_ALGO_PROBE_SAMPLE_H
#define KMV_ALGO_PROBE_SAMPLE_H

#include "algo/probe.h"

/** Draws S for this x: index and weight, and in_s. Returns how many; *expected is 0 where none but
 *  those with a large part of x are. Sets err_est. */
size_t kmv_probe_draw(kmv_probe *p, kmv_apply_context *context, double *expected);

#endif

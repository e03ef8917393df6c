/* bench/sigma.h - bandwidths as they are asked for. */
#ifndef KMV_BENCH_SIGMA_H
#define KMV_BENCH_SIGMA_H

#include "data/dataset.h"

/** KMV_OK for a number, x2 (times the natural one), sum:1 (so that sum(G)/n is 1); KMV_EINVAL for
 * other text and for values that are not finite and > 0. */
kmv_status kmv_sigma_check(const char *text, kmv_error *err);

/**
 * The bandwidth of `problem` (its sigma is ignored), whose natural one is kmv_dataset_sigma of
 * data. sum:S costs 10 to 20 exact products (gauss/bandwidth.h) and is KMV_EINVAL for softmax,
 * whose sum/n is 1. threads >= 1.
 */
kmv_status kmv_sigma_resolve(const char *text, const kmv_dataset *data, const kmv_problem *problem,
                             int threads, const char *isa, double *sigma, kmv_error *err);

#endif

/* algo/rounding.h - how far float32 products of a matrix are off, by what a pilot's rows say. */
#ifndef KMV_ALGO_ROUNDING_H
#define KMV_ALGO_ROUNDING_H

#include "algo/pilot.h"

/** Relative to |K|x||, what float32 products keep to in all tests (docs/numerics.md). */
#define KMV_ROUNDING 1e-5

/** KMV_ROUNDING times the gain of the matrix as the pilot's rows tell it: |y - Kx| / |x| that is
 *  not exceeded, a hundred times too much where errors of entries cancel. KMV_ENOMEM. */
kmv_status kmv_rounding_bound(const kmv_pilot *pilot, double *rounding, kmv_error *err);

/**
 * The same measured: three times the root mean square over the pilot's rows of what their float
 * entries, times x = 1 and times random signs (the larger counts), are off from float64,
 * plus 5e-7 of the gain for the sums. An estimate. isa: NULL for the best. Cost rows n_k (3 d +
 * 4) flops in float64, and packing the keys. KMV_ENOMEM.
 */
kmv_status kmv_rounding_measure(const kmv_pilot *pilot, const char *isa, uint64_t key,
                                kmv_cost *cost, double *rounding, kmv_error *err);

#endif

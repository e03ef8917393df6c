/* gauss/bandwidth.h - the bandwidth at which the Gaussian matrix has a given sum. */
#ifndef KMV_GAUSS_BANDWIDTH_H
#define KMV_GAUSS_BANDWIDTH_H

#include "kmv.h"

/**
 * *sigma with sum over all (unmasked) entries of G / n_q = target, which is monotone in sigma:
 * bracketing from d^(1/4) by factors of 2, then Brent's method on log sigma, over exact products
 * with ones. The sum is met to 1e-4 relative. problem->sigma is ignored, problem->matrix must be
 * gauss. KMV_EINVAL for a target that is not above (coinciding pairs)/n_q or not below
 * (unmasked pairs)/n_q, the limits for sigma to 0 and to infinity; KMV_ENOMEM.
 * Cost: 10 to 20 exact products (2 d + 2 flops per pair each). isa NULL: the best.
 */
kmv_status kmv_sigma_for_sum(const kmv_problem *problem, double target, int threads,
                             const char *isa, double *sigma, kmv_error *err);

#endif

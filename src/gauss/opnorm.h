/* gauss/opnorm.h - operator norm of a streamed nonnegative matrix. */
#ifndef KMV_GAUSS_OPNORM_H
#define KMV_GAUSS_OPNORM_H

#include "gauss/entries.h"

/**
 * Largest singular value of the entries A (rows packed, all keys) by power iteration on A'A from
 * the vector of ones, which no leading singular vector of a nonnegative matrix is orthogonal to.
 * *norm is a Rayleigh quotient |A v|, so a lower bound up to rounding; *tol is the residual
 * |A'A v - s^2 v| / s^2 reached: some singular value lies within about s tol / 2 of s.
 * Stops at tol <= 1e-3, when s grows by less than 1e-7 relative, or after max_iterations (>= 1).
 * u_min: no entry exceeds 2^-u_min (0 is always true; a sharp one keeps digits where all entries
 * are tiny). Each iteration is two passes of 2 d flops per pair. A zero matrix gives 0 and 0.
 * KMV_ENOMEM. Source: power method, Golub & Van Loan, Matrix Computations, section 8.2 (applied to
 * A'A).
 */
kmv_status kmv_op_norm(kmv_entries *e, double u_min, size_t max_iterations, double *norm,
                       double *tol, kmv_error *err);

#endif

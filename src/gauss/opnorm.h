/* gauss/opnorm.h - operator norm of a streamed nonnegative matrix. */
#ifndef KMV_GAUSS_OPNORM_H
#define KMV_GAUSS_OPNORM_H

#include "gauss/entries.h"

/**
 * Largest singular value of the entries A (rows packed, all keys): power iteration on A'A from the
 * vector of ones, which no leading singular vector of a nonnegative matrix is orthogonal to, taking
 * the best vector of all iterates' span instead of the last iterate (Lanczos; the span is kept
 * orthogonal in full). *norm is a Rayleigh quotient |A v|, so a lower bound up to rounding; *tol is
 * the residual |A'A v - s^2 v| / s^2 reached: some singular value lies within about s tol / 2 of s.
 * Stops at tol <= 1e-3 or after max_steps (1 to KMV_OP_NORM_STEPS).
 * u_min: no entry exceeds 2^-u_min (0 is always true; a sharp one keeps digits where all entries
 * are tiny). Each step is two passes of 2 d flops per pair and keeps n_k doubles. A zero matrix
 * gives 0 and 0. KMV_ENOMEM.
 * Source: Golub & Van Loan, Matrix Computations (4th ed.), sections 8.2 and 10.1, applied to A'A.
 */
enum { KMV_OP_NORM_STEPS = 40 };
kmv_status kmv_op_norm(kmv_entries *e, double u_min, size_t max_steps, double *norm, double *tol,
                       kmv_error *err);

#endif

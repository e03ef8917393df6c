/* gauss/opnorm.h - operator norm of a streamed nonnegative matrix. */
#ifndef KMV_GAUSS_OPNORM_H
#define KMV_GAUSS_OPNORM_H

#include "gauss/entries.h"

enum { KMV_OP_NORM_STEPS = 40 };

/** What was found: the singular value, and how well. */
typedef struct {
    double norm; /* a Rayleigh quotient |A v|, so a lower bound up to rounding */
    double
        tol; /* residual |A'A v - s^2 v| / s^2: some singular value lies within about s tol / 2 */
    size_t steps;
} kmv_singular;

/**
 * Largest singular value of the entries A (rows packed, all keys): power iteration on A'A from the
 * vector of ones, which no leading singular vector of a nonnegative matrix is orthogonal to, taking
 * the best vector of all iterates' span instead of the last iterate (Lanczos; the span is kept
 * orthogonal in full). Stops at tol <= wanted or after max_steps (1 to KMV_OP_NORM_STEPS).
 * u, v   out: the singular vectors, of length 1 (n_q by slot, n_k doubles), or both NULL
 * u_min  no entry exceeds 2^-u_min (0 is always true; a sharp one keeps digits where all entries
 *        are tiny; kmv_entries_least gives it)
 * Each step is two passes of 2 d flops per pair and keeps n_k doubles; vectors cost one pass more.
 * A zero matrix gives 0 and 0, and vectors 0. KMV_ENOMEM. Source: Golub & Van Loan, Matrix
 * Computations (4th ed.), sections 8.2 and 10.1, applied to A'A.
 */
kmv_status kmv_top_singular(kmv_entries *e, double u_min, double wanted, size_t max_steps,
                            double *u, double *v, kmv_singular *out, kmv_error *err);

/** The same without vectors, to tol <= 1e-3. */
kmv_status kmv_op_norm(kmv_entries *e, double u_min, size_t max_steps, double *norm, double *tol,
                       kmv_error *err);

/** The sharp u_min, from one pass; infinite when all entries are 0. KMV_ENOMEM. */
kmv_status kmv_entries_least(kmv_entries *e, double *u_min, kmv_error *err);

#endif

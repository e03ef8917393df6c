/* algo/power.h - operator norm of a Gaussian matrix by the power method, every product through an
 * algorithm. */
#ifndef KMV_ALGO_POWER_H
#define KMV_ALGO_POWER_H

#include "kmv.h"

typedef struct {
    const kmv_algo *algo;
    const char *options;   /* of the algorithm */
    kmv_settings settings; /* of every product; r is 1 */
    double tol;            /* stop when s changes by at most tol s */
    size_t max_steps;      /* >= 1 */
} kmv_power_spec;

typedef struct {
    double norm;     /* the last s */
    double mean, sd; /* of s over the later half of the steps: random products scatter about it */
    double change;   /* |s - s before| / s; NaN after one step */
    double residual; /* |K'u - s v| / s, K'u as the algorithm gave it: what has not converged and
                      * the error of that product together */
    size_t steps;
    kmv_cost prepare, apply; /* of both plans; of all products */
    double mem_peak_b;       /* of both plans */
    const char *isa;
} kmv_power;

/**
 * From v = 1/sqrt(n_k) each step takes y = K v, u = y / |y|, z = K'u, s = z.v, v = z / |z|: two
 * products, K'u as the product of the problem with queries and keys exchanged. Each product draws
 * its own sample, so that u and v are fixed before the sample that multiplies them is drawn: what
 * an algorithm promises for x fixed in advance holds at each step, and where it is unbiased, s is
 * for u'K v <= |K|_op. With exact products s rises to |K|_op, since K >= 0 and v is not orthogonal
 * to its singular vector. u, v: n_q and n_k doubles, out; of length 1, or u = 0 where a product was
 * 0 (then norm is 0). KMV_ENOTSUP: a softmax or causal matrix (its transpose is no problem of the
 * same kind), or one that the algorithm does not do; else as plan and apply.
 */
kmv_status kmv_power_norm(const kmv_problem *problem, const kmv_power_spec *spec, double *u,
                          double *v, kmv_power *out, kmv_error *err);

#endif

/* tests/small_problem.h - a small problem with normal points, its exact product, and products of an
 * algorithm as users get them. */
#ifndef KMV_TESTS_SMALL_PROBLEM_H
#define KMV_TESTS_SMALL_PROBLEM_H

#include "check.h"

typedef struct {
    kmv_points q, k;
    kmv_problem problem; /* sigma 1 */
    size_t r;
    double *x, *want; /* n_k x r; n_q x r, the exact product */
} small_problem;

/* Coordinates N(-shift, spread^2) of queries, N(shift, spread^2) of keys; x standard normal. The
 * points may be changed until small_problem_finish computes the product. */
small_problem small_problem_make(kmv_matrix matrix, size_t n_q, size_t n_k, size_t d, size_t r,
                                 double spread, double shift);
void small_problem_finish(small_problem *p);
void small_problem_clear(small_problem *p);

/* One product, of which the text of the plan is returned until the next call; checks that apply
 * allocates nothing. The address of the problem stays the same meanwhile. */
const char *small_problem_product(const small_problem *p, const char *algo, const char *options,
                                  const char *isa, uint64_t seed, int threads, double *y);

/* |y - want|_F / |x|_F */
double small_problem_error(const small_problem *p, const double *y);

/* Equal bits for 1 and 2 threads; every instruction set within `bound` (times the largest entry of
 * y) of the best. */
void small_problem_check_threads_and_isas(const small_problem *p, const char *algo,
                                          const char *options, double bound);

/* Central moments of n numbers. */
typedef struct {
    double mean, variance, fourth;
} moments;
moments moments_of(const double *v, size_t n);

#endif

/* tests/normal_problem.h - a Gaussian problem of normal points, for the tests of the planner and of
 * what it plans with. */
#ifndef KMV_TESTS_NORMAL_PROBLEM_H
#define KMV_TESTS_NORMAL_PROBLEM_H

#include "kmv.h"

/* With sigma = 1.5 entries have mean (1 + 2/sigma^2)^-8 = 0.0062 and mean square (1 +
 * 4/sigma^2)^-8 = 2.8e-4, spread over all pairs, so that F2 = 2.8e-4 n^2 and eps = 1 asks for m = n
 * / (1 + eps^2 n / F2) = 0.36 n columns at n = 2048. */
enum { NORMAL_D = 16 };
static const double NORMAL_SIGMA = 1.5;

typedef struct {
    kmv_points q, k;
    kmv_problem problem;
    double *x, *y, *exact; /* n x r: ones, and room for two products */
    size_t n, r;
} normal_problem;

/** n queries and n keys, standard normal in NORMAL_D dimensions; clear with normal_clear. */
void normal_make(normal_problem *f, size_t n, size_t r, int causal, double sigma);
void normal_clear(normal_problem *f);

#endif

/* tests/lsh_problem.h - a small Gaussian problem with all its entries, for the tests of hash tables
 * and of `lsh`. */
#ifndef KMV_TESTS_LSH_PROBLEM_H
#define KMV_TESTS_LSH_PROBLEM_H

#include "algo/hash_tables.h"

enum { LSH_N_Q = 45, LSH_N_K = 70, LSH_D = 5 };

typedef struct {
    kmv_points q, k;
    kmv_problem problem;
    size_t r;
    double *x, *exact;          /* n_k x r, standard normal; n_q x r, in float64 */
    double g[LSH_N_Q][LSH_N_K]; /* entries */
} lsh_problem;

/** Keys N(0, 0.7^2), each query near a key of its own, sigma 1; clear with lsh_clear. */
lsh_problem *lsh_make(size_t r);
void lsh_clear(lsh_problem *f);

/** Float entries to a few 1e-6, weights to 6e-8, of at most n_k terms a row: what rounding leaves
 * of |y - exact|. */
double lsh_float_tol(const lsh_problem *f);

/** The tables that a plan without pilot draws from this seed. */
kmv_hash_tables *lsh_tables(const lsh_problem *f, kmv_hash_input *in, const kmv_tile *tile,
                            size_t tables, kmv_hash_shape shape, size_t r, uint64_t seed);

/** The angle of a pair seen from the centre. */
double lsh_angle(const kmv_hash_input *in, size_t i, size_t j);

kmv_plan *lsh_plan(const lsh_problem *f, const char *options, const kmv_settings *settings);

#endif

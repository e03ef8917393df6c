/* tests/attention.h - problems with their reference product, and what every comparator is asked:
 * the same answer as the reference when its budget is everything, equal bits for any number of
 * threads, no allocation in apply. */
#ifndef KMV_TESTS_ATTENTION_H
#define KMV_TESTS_ATTENTION_H

#include <stddef.h>
#include <stdint.h>

#include "kmv.h"

typedef struct {
    kmv_points q, k;
    kmv_problem problem; /* borrows q and k from attention_reference on: no moving after that */
    size_t r;
    double *x, *y, *want; /* n_k x r; n_q x r twice, want from the reference */
    double size;          /* |A |x||_F, A the matrix: the scale of float rounding */
    char text[1024];      /* of the plan of the last run */
} attention;

/** How points are drawn: N(0, spread^2) a coordinate, queries shifted by shift - apart and keys by
 *  shift + apart, about one of 8 centres that both share, N(0, centres^2) a coordinate; about 0
 *  where centres = 0. */
typedef struct {
    size_t n_q, n_k, d, r;
    kmv_matrix matrix;
    int causal;
    double sigma, spread, shift, apart, centres;
    uint64_t seed;
} attention_shape;

/** Points, x ~ N(0, 1), reference product and size. Clear with attention_clear. */
void attention_make(attention *a, attention_shape shape);

/** The same with sigma 1, no mask and no reference yet: points, x and mask may still be changed,
 * and attention_reference is called then. */
attention attention_plain(kmv_matrix matrix, size_t n_q, size_t n_k, size_t d, size_t r,
                          double spread, double apart);

/** want and size, anew after points, x or the mask were changed. */
void attention_reference(attention *a);
void attention_clear(attention *a);

/** a->y = the product by that algorithm, whose apply allocates nothing; report may be NULL (its
 *  texts die with the plan). isa NULL: the best. */
void attention_run(attention *a, const char *algo, const char *options, const char *isa,
                   int threads, uint64_t seed, kmv_report *report);

/** |y - want|_F, and that over |x|_F: what eps bounds. */
double attention_error(const attention *a);
double attention_relative_error(const attention *a);

/** With these options the algorithm computes everything: for shapes from one point on, r = 1 and 3,
 *  all instruction sets. more_queries: also with n_q > n_k (full only). */
void attention_check_exact(const char *algo, const char *options, kmv_matrix matrix, int causal,
                           int more_queries);

/** Causal: all values are 1 but that of the last key, `far`, which the last query alone sees; so
 *  every other row is 1 whatever is drawn, within tolerance. */
void attention_check_masked(const char *algo, const char *options, size_t n_q, size_t n_k,
                            double far, double tolerance);

/** Equal bits for 1, 2 and 3 threads; every row of y written; apply does not allocate, neither with
 *  all columns nor with fewer than planned; the plan leaves no memory. */
void attention_check_contract(attention *a, const char *algo, const char *options);

/** Every instruction set gives the best one's y within bound, times its largest entry. */
void attention_check_isas(attention *a, const char *algo, const char *options, double bound);

/** The contract on a problem of 203 x 211 points, and: another seed gives other bits where
 * `random`, else the same. */
void attention_check_repeatable(const char *algo, const char *options, kmv_matrix matrix,
                                int causal, int random);

#endif

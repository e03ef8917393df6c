/* tests/attention_case.h - a small attention problem with its exact product, and what every method
 * owes on it. */
#ifndef KMV_TESTS_ATTENTION_CASE_H
#define KMV_TESTS_ATTENTION_CASE_H

#include "kmv.h"

typedef struct {
    kmv_points q, k;
    kmv_problem problem; /* softmax, sigma = d^(1/4) */
    size_t r;
    double *x, *exact; /* n_k x r, signed; P x in float64 */
    double size;       /* |P |x||_F: the scale of float rounding */
} attention_case;

/** Queries and keys N(0, 1) about 8 common centres that have norm `spread` sqrt(d). */
void attention_case_make(attention_case *c, size_t n_q, size_t n_k, size_t d, size_t r, int causal,
                         double spread);
void attention_case_clear(attention_case *c);

/** y (n_q x r) of a fresh plan. */
void attention_case_apply(const attention_case *c, const char *algo, const char *options,
                          int threads, const char *isa, double *y, kmv_report *report);

/** |y - P x|_F / size of a fresh plan on one thread. */
double attention_case_error(const attention_case *c, const char *algo, const char *options,
                            const char *isa);

/** Fails unless: 1 and 2 threads give the same bits, apply allocates nothing, neither with all
 *  columns nor with one, and clearing leaves no memory. */
void attention_case_contract(const attention_case *c, const char *algo, const char *options);

#endif

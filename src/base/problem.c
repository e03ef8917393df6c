/* base/problem.c - checks and counts of a kmv_problem, see kmv.h. */
#include <math.h>

#include "base/status.h"

size_t kmv_problem_heads(const kmv_problem *p)
{
    return p->heads > 1 ? p->heads : 1;
}

/* Queries of one head. */
static size_t length_of(const kmv_problem *p)
{
    return p->q->n / kmv_problem_heads(p);
}

kmv_status kmv_problem_check(const kmv_problem *p, kmv_error *err)
{
    if (p == NULL || p->q == NULL || p->k == NULL || p->q->x == NULL || p->k->x == NULL)
        return kmv_fail(err, KMV_EINVAL, "problem: queries or keys are missing");
    if (p->q->n == 0 || p->k->n == 0 || p->q->d == 0)
        return kmv_fail(err, KMV_EINVAL, "problem: want at least one point and d >= 1");
    if (p->q->d != p->k->d)
        return kmv_fail(err, KMV_EINVAL, "problem: queries have d = %zu, keys d = %zu", p->q->d,
                        p->k->d);
    if (p->matrix != KMV_GAUSS && p->matrix != KMV_SOFTMAX)
        return kmv_fail(err, KMV_EINVAL, "problem: unknown matrix %d", (int)p->matrix);
    if (!(p->sigma > 0) || !isfinite(p->sigma))
        return kmv_fail(err, KMV_EINVAL, "sigma: want a finite number > 0, got %g", p->sigma);
    if (!isfinite(p->sigma * p->sigma))
        return kmv_fail(err, KMV_EINVAL, "sigma: want a number whose square is finite, got %g",
                        p->sigma);
    if (p->q->n % kmv_problem_heads(p) != 0)
        return kmv_fail(err, KMV_EINVAL,
                        "problem: want queries in %zu heads of equal length, got %zu", p->heads,
                        p->q->n);
    if (p->causal && length_of(p) > p->k->n)
        return kmv_fail(err, KMV_EINVAL, "causal: want n_q <= n_k, got n_q = %zu, n_k = %zu",
                        length_of(p), p->k->n);
    return KMV_OK;
}

double kmv_problem_pairs(const kmv_problem *p)
{
    const double n_q = (double)length_of(p), n_k = (double)p->k->n;

    return (double)kmv_problem_heads(p) *
           (p->causal ? n_q * (n_k - n_q) + 0.5 * n_q * (n_q + 1) : n_q * n_k);
}

size_t kmv_problem_sees(const kmv_problem *p, size_t row)
{
    size_t length;

    if (!p->causal)
        return p->k->n;
    if (p->heads <= 1) /* it is asked often, and divisions are slow */
        return row + p->k->n - p->q->n + 1;
    length = length_of(p);
    return row % length + p->k->n - length + 1;
}

/* gauss/bandwidth.c - see bandwidth.h. */
#include "gauss/bandwidth.h"

#include <gsl/gsl_errno.h>
#include <gsl/gsl_roots.h>
#include <math.h>

#include "base/mem.h"
#include "base/status.h"
#include "gauss/product.h"

/* Beyond 2^40 times its neighbours in either direction a bandwidth means nothing in float. */
enum { MAX_DOUBLINGS = 40, MAX_STEPS = 60 };
#define SUM_TOLERANCE 1e-4

typedef struct {
    kmv_problem problem;
    kmv_packed q, k;
    kmv_workspace *workspace;
    double *centre, *x, *y;
    double target;
    int threads;
} search;

static double sum_over_n(search *s, double sigma)
{
    kmv_cost cost = {0};
    double sum = 0;

    s->problem.sigma = sigma;
    kmv_pack(&s->q, &s->problem, s->centre, NULL, s->problem.q->n, s->threads, &cost);
    kmv_pack(&s->k, &s->problem, s->centre, NULL, s->problem.k->n, s->threads, &cost);
    kmv_product(&s->q, &s->k, &s->problem, s->x, NULL, 1, s->threads, s->workspace, s->y, &cost);
    for (size_t i = 0; i < s->problem.q->n; i++)
        sum += s->y[i];
    return sum / (double)s->problem.q->n;
}

/* log of (sum/n over target): nearly linear in log sigma. A sum that underflows counts as the
 * smallest double. */
static double excess(double log_sigma, void *context)
{
    search *s = context;

    return log(fmax(sum_over_n(s, exp(log_sigma)), 1e-300)) - log(s->target);
}

/* Ends [lo, hi] in log sigma with excess below and above 0. */
static kmv_status bracket(search *s, double *lo, double *hi, kmv_error *err)
{
    const double start = 0.25 * log((double)s->problem.q->d);
    const int upwards = excess(start, s) < 0;

    *lo = *hi = start;
    for (int step = 0; step < MAX_DOUBLINGS; step++) {
        double *end = upwards ? hi : lo, *other = upwards ? lo : hi;

        *other = *end;
        *end += upwards ? M_LN2 : -M_LN2;
        if ((excess(*end, s) < 0) != upwards)
            return KMV_OK;
    }
    return kmv_fail(err, KMV_EINVAL,
                    upwards ? "sum:%g: no sigma up to %g reaches it"
                            : "sum:%g: coinciding points keep sum/n above it down to sigma = %g",
                    s->target, exp(upwards ? *hi : *lo));
}

static kmv_status solve(search *s, double *sigma, kmv_error *err)
{
    gsl_function f = {.function = excess, .params = s};
    gsl_root_fsolver *solver = gsl_root_fsolver_alloc(gsl_root_fsolver_brent);
    double lo, hi;
    kmv_status st = KMV_OK;

    if (solver == NULL)
        return kmv_fail(err, KMV_ENOMEM, "no memory for a root finder");
    if ((st = bracket(s, &lo, &hi, err)) != KMV_OK)
        goto out;
    if (gsl_root_fsolver_set(solver, &f, lo, hi) != GSL_SUCCESS) {
        st = kmv_fail(err, KMV_EINTERNAL, "sum:%g: the bracket [%g, %g] holds no root", s->target,
                      exp(lo), exp(hi));
        goto out;
    }
    for (int step = 0; step < MAX_STEPS; step++) {
        const double found = gsl_root_fsolver_root(solver);

        if (fabs(excess(found, s)) <= SUM_TOLERANCE / 2) {
            *sigma = exp(found);
            goto out;
        }
        if (gsl_root_fsolver_iterate(solver) != GSL_SUCCESS)
            break;
    }
    st = kmv_fail(err, KMV_EINVAL, "sum:%g: no sigma meets it to %g (the sum jumps near %g)",
                  s->target, SUM_TOLERANCE, exp(gsl_root_fsolver_root(solver)));
out:
    gsl_root_fsolver_free(solver);
    return st;
}

kmv_status kmv_sigma_for_sum(const kmv_problem *problem, double target, int threads,
                             const char *isa, double *sigma, kmv_error *err)
{
    const size_t n_q = problem->q->n, n_k = problem->k->n, d = problem->q->d;
    const double most = kmv_problem_pairs(problem) / (double)n_q;
    search s = {.problem = *problem, .target = target, .threads = threads};
    const kmv_tile *tile = NULL;
    kmv_status st;

    if (problem->matrix != KMV_GAUSS)
        return kmv_fail(err, KMV_EINVAL, "sum:%g: want the gauss matrix", target);
    if (!(most > 0))
        return kmv_fail(err, KMV_EINVAL,
                        "sum:%g: causal: want n_q <= n_k, got n_q = %zu, n_k = %zu", target, n_q,
                        n_k);
    if (!(target > 0 && target < most))
        return kmv_fail(err, KMV_EINVAL,
                        "sum:%g: want a sum/n in (0, %g), the (unmasked) keys per query", target,
                        most);
    if ((st = kmv_tile_select(isa, &tile, err)) != KMV_OK)
        return st;
    if ((s.centre = kmv_alloc(d, sizeof(double), "centre", err)) == NULL ||
        (s.x = kmv_alloc(n_k, sizeof(double), "ones", err)) == NULL ||
        (s.y = kmv_alloc(n_q, sizeof(double), "row sums", err)) == NULL) {
        st = KMV_ENOMEM;
        goto out;
    }
    if ((st = kmv_packed_init(&s.q, tile, KMV_QUERIES, n_q, d, 0, err)) != KMV_OK ||
        (st = kmv_packed_init(&s.k, tile, KMV_KEYS, n_k, d, 0, err)) != KMV_OK ||
        (st = kmv_workspace_create(tile, n_q, n_k, 1, threads, &s.workspace, err)) != KMV_OK)
        goto out;
    for (size_t j = 0; j < n_k; j++)
        s.x[j] = 1;
    kmv_centre(problem, s.centre);
    st = solve(&s, sigma, err);
out:
    kmv_workspace_destroy(s.workspace);
    kmv_packed_clear(&s.q);
    kmv_packed_clear(&s.k);
    kmv_free(s.centre);
    kmv_free(s.x);
    kmv_free(s.y);
    return st;
}

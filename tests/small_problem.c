/* tests/small_problem.c - see small_problem.h. */
#include "small_problem.h"

#include <gsl/gsl_randist.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "gauss/reference.h"
#include "gauss/tile.h"
#include "vectors.h"

static void fill(kmv_points *p, gsl_rng *rng, double spread, double shift)
{
    for (size_t i = 0; i < p->n; i++) {
        for (size_t l = 0; l < p->d; l++)
            p->x[i * p->ld + l] = (float)(shift + gsl_ran_gaussian(rng, spread));
    }
}

small_problem small_problem_make(kmv_matrix matrix, size_t n_q, size_t n_k, size_t d, size_t r,
                                 double spread, double shift)
{
    gsl_rng *rng = kmv_rng_create(kmv_stream_key(11, "small", n_q * 10000 + n_k), NULL);
    small_problem p = {.r = r, .problem = {.matrix = matrix, .sigma = 1}};
    kmv_error err = {""};

    CHECK_OK(kmv_points_init(&p.q, n_q, d, &err));
    CHECK_OK(kmv_points_init(&p.k, n_k, d, &err));
    fill(&p.q, rng, spread, -shift);
    fill(&p.k, rng, spread, shift);
    p.x = calloc(n_k * r, sizeof *p.x);
    p.want = calloc(n_q * r, sizeof *p.want);
    for (size_t i = 0; i < n_k * r; i++)
        p.x[i] = gsl_ran_gaussian(rng, 1);
    gsl_rng_free(rng);
    return p;
}

void small_problem_finish(small_problem *p)
{
    kmv_error err = {""};

    p->problem.q = &p->q;
    p->problem.k = &p->k;
    CHECK_OK(kmv_reference_product(&p->problem, NULL, p->q.n, p->x, p->r, 2, p->want, &err));
}

void small_problem_clear(small_problem *p)
{
    kmv_points_clear(&p->q);
    kmv_points_clear(&p->k);
    free(p->x);
    free(p->want);
}

const char *small_problem_product(const small_problem *p, const char *algo, const char *options,
                                  const char *isa, uint64_t seed, int threads, double *y)
{
    static char text[1024];
    const kmv_settings settings = {
        .eps = 0.1, .delta = 0.01, .r = p->r, .threads = threads, .isa = isa, .seed = seed};
    kmv_report report;
    kmv_plan *plan = NULL;
    kmv_error err = {""};
    size_t calls;

    CHECK_OK(kmv_plan_create(kmv_algo_find(algo), &p->problem, options, &settings, &plan, &err));
    calls = kmv_mem_calls();
    CHECK_OK(kmv_plan_apply(plan, p->x, p->r, y, &report, &err));
    assert_int_equal(kmv_mem_calls(), calls);
    snprintf(text, sizeof text, "%s", report.text);
    kmv_plan_destroy(plan);
    return text;
}

double small_problem_error(const small_problem *p, const double *y)
{
    return distance(y, p->want, p->q.n * p->r) / norm(p->x, p->k.n * p->r);
}

void small_problem_check_threads_and_isas(const small_problem *p, const char *algo,
                                          const char *options, double bound)
{
    const size_t n = p->q.n * p->r;
    double *one = calloc(n, sizeof *one), *two = calloc(n, sizeof *two), most = 0;
    const kmv_tile *tile;

    small_problem_product(p, algo, options, NULL, 1, 1, one);
    small_problem_product(p, algo, options, NULL, 1, 2, two);
    assert_memory_equal(one, two, n * sizeof *one);
    for (size_t i = 0; i < n; i++)
        most = fmax(most, fabs(one[i]));
    for (size_t t = 0; (tile = kmv_tile_at(t)) != NULL; t++) {
        if (!tile->can_run())
            continue;
        small_problem_product(p, algo, options, tile->name, 1, 1, two);
        for (size_t i = 0; i < n; i++)
            CHECK_CLOSE(two[i], one[i], bound * most);
    }
    free(one);
    free(two);
}

moments moments_of(const double *v, size_t n)
{
    moments m = {0};

    for (size_t i = 0; i < n; i++)
        m.mean += v[i] / (double)n;
    for (size_t i = 0; i < n; i++) {
        const double d2 = (v[i] - m.mean) * (v[i] - m.mean);

        m.variance += d2 / (double)n;
        m.fourth += d2 * d2 / (double)n;
    }
    return m;
}

/* tests/attention_case.c - see attention_case.h. */
#include "check.h"

#include <gsl/gsl_randist.h>
#include <stdlib.h>
#include <string.h>

#include "attention_case.h"
#include "base/mem.h"
#include "base/rng.h"
#include "gauss/reference.h"

enum { CENTRES = 8 };

static void fill(kmv_points *p, size_t n, size_t d, const double *centres, gsl_rng *rng)
{
    kmv_error err = {""};

    CHECK_OK(kmv_points_init(p, n, d, &err));
    for (size_t i = 0; i < n; i++) {
        const double *centre = centres + gsl_rng_uniform_int(rng, CENTRES) * d;

        for (size_t l = 0; l < d; l++)
            p->x[i * p->ld + l] = (float)(centre[l] + gsl_ran_gaussian(rng, 1));
    }
}

void attention_case_make(attention_case *c, size_t n_q, size_t n_k, size_t d, size_t r, int causal,
                         double spread)
{
    gsl_rng *rng = kmv_rng_create(kmv_stream_key(5, "attention", n_q + 131 * n_k + 7 * d), NULL);
    double *centres = calloc(CENTRES * d, sizeof *centres), *size = calloc(n_q * r, sizeof *size);
    double *absolute = calloc(n_k * r, sizeof *absolute);
    kmv_error err = {""};

    *c = (attention_case){.r = r};
    for (size_t t = 0; t < CENTRES * d; t++)
        centres[t] = gsl_ran_gaussian(rng, spread);
    fill(&c->q, n_q, d, centres, rng);
    fill(&c->k, n_k, d, centres, rng);
    c->problem = (kmv_problem){.q = &c->q,
                               .k = &c->k,
                               .matrix = KMV_SOFTMAX,
                               .causal = causal,
                               .sigma = pow((double)d, 0.25)};
    c->x = calloc(n_k * r, sizeof *c->x);
    c->exact = calloc(n_q * r, sizeof *c->exact);
    for (size_t t = 0; t < n_k * r; t++) {
        c->x[t] = gsl_ran_gaussian(rng, 3);
        absolute[t] = fabs(c->x[t]);
    }
    CHECK_OK(kmv_reference_product(&c->problem, NULL, n_q, c->x, r, 1, c->exact, &err));
    CHECK_OK(kmv_reference_product(&c->problem, NULL, n_q, absolute, r, 1, size, &err));
    for (size_t t = 0; t < n_q * r; t++)
        c->size += size[t] * size[t];
    c->size = sqrt(c->size);
    gsl_rng_free(rng);
    free(centres);
    free(size);
    free(absolute);
}

void attention_case_clear(attention_case *c)
{
    kmv_points_clear(&c->q);
    kmv_points_clear(&c->k);
    free(c->x);
    free(c->exact);
}

static kmv_plan *plan_of(const attention_case *c, const char *algo, const char *options,
                         int threads, const char *isa)
{
    kmv_settings s = KMV_SETTINGS_DEFAULT;
    kmv_plan *plan = NULL;
    kmv_error err = {""};

    s.r = c->r;
    s.threads = threads;
    s.isa = isa;
    CHECK_OK(kmv_plan_create(kmv_algo_find(algo), &c->problem, options, &s, &plan, &err));
    return plan;
}

void attention_case_apply(const attention_case *c, const char *algo, const char *options,
                          int threads, const char *isa, double *y, kmv_report *report)
{
    kmv_plan *plan = plan_of(c, algo, options, threads, isa);
    kmv_error err = {""};

    CHECK_OK(kmv_plan_apply(plan, c->x, c->r, y, report, &err));
    kmv_plan_destroy(plan);
}

double attention_case_error(const attention_case *c, const char *algo, const char *options,
                            const char *isa)
{
    double *y = calloc(c->q.n * c->r, sizeof *y), sum = 0;

    attention_case_apply(c, algo, options, 1, isa, y, NULL);
    for (size_t t = 0; t < c->q.n * c->r; t++)
        sum += (y[t] - c->exact[t]) * (y[t] - c->exact[t]);
    free(y);
    return sqrt(sum) / c->size;
}

void attention_case_contract(const attention_case *c, const char *algo, const char *options)
{
    const size_t count = c->q.n * c->r, before = kmv_mem_current();
    double *y = calloc(2 * count, sizeof *y);
    kmv_plan *plan = plan_of(c, algo, options, 2, NULL);
    kmv_error err = {""};
    size_t calls;

    attention_case_apply(c, algo, options, 1, NULL, y, NULL);
    calls = kmv_mem_calls();
    CHECK_OK(kmv_plan_apply(plan, c->x, c->r, y + count, NULL, &err));
    assert_memory_equal(y, y + count, count * sizeof *y);
    CHECK_OK(kmv_plan_apply(plan, c->x, 1, y + count, NULL, &err));
    assert_int_equal(kmv_mem_calls(), calls);
    for (size_t i = 0; i < c->q.n; i++)
        assert_true(isfinite(y[count + i]));
    kmv_plan_destroy(plan);
    assert_int_equal(kmv_mem_current(), before);
    free(y);
}

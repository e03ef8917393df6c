/* tests/normal_problem.c - see normal_problem.h. */
#include "normal_problem.h"

#include <gsl/gsl_randist.h>
#include <stdlib.h>

#include "base/rng.h"
#include "check.h"

void normal_make(normal_problem *f, size_t n, size_t r, int causal, double sigma)
{
    gsl_rng *rng = kmv_rng_create(kmv_stream_key(8, "auto", n), NULL);
    kmv_error err = {""};

    *f = (normal_problem){.n = n, .r = r};
    CHECK_OK(kmv_points_init(&f->q, n, NORMAL_D, &err));
    CHECK_OK(kmv_points_init(&f->k, n, NORMAL_D, &err));
    for (size_t l = 0; l < NORMAL_D; l++) {
        for (size_t i = 0; i < n; i++) {
            f->q.x[i * f->q.ld + l] = (float)gsl_ran_gaussian(rng, 1);
            f->k.x[i * f->k.ld + l] = (float)gsl_ran_gaussian(rng, 1);
        }
    }
    gsl_rng_free(rng);
    f->problem = (kmv_problem){
        .q = &f->q, .k = &f->k, .matrix = KMV_GAUSS, .sigma = sigma, .causal = causal};
    f->x = calloc(n * r, sizeof *f->x);
    f->y = calloc(n * r, sizeof *f->y);
    f->exact = calloc(n * r, sizeof *f->exact);
    for (size_t j = 0; j < n * r; j++)
        f->x[j] = 1;
}

void normal_clear(normal_problem *f)
{
    kmv_points_clear(&f->q);
    kmv_points_clear(&f->k);
    free(f->x);
    free(f->y);
    free(f->exact);
}

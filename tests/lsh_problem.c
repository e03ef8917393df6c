/* tests/lsh_problem.c - see lsh_problem.h. */
#include "lsh_problem.h"

#include <gsl/gsl_randist.h>
#include <stdlib.h>

#include "base/rng.h"
#include "check.h"
#include "gauss/reference.h"
#include "vectors.h"

lsh_problem *lsh_make(size_t r)
{
    gsl_rng *rng = kmv_rng_create(kmv_stream_key(8, "lsh", r), NULL);
    lsh_problem *f = calloc(1, sizeof *f);
    kmv_error err = {""};

    CHECK_OK(kmv_points_init(&f->q, LSH_N_Q, LSH_D, &err));
    CHECK_OK(kmv_points_init(&f->k, LSH_N_K, LSH_D, &err));
    for (size_t l = 0; l < LSH_D; l++) {
        for (size_t j = 0; j < LSH_N_K; j++)
            f->k.x[j * f->k.ld + l] = (float)gsl_ran_gaussian(rng, 0.7);
        for (size_t i = 0; i < LSH_N_Q; i++) /* each near a key of its own */
            f->q.x[i * f->q.ld + l] = f->k.x[i * f->k.ld + l] + (float)gsl_ran_gaussian(rng, 0.2);
    }
    f->r = r;
    f->x = calloc(LSH_N_K * r, sizeof *f->x);
    f->exact = calloc(LSH_N_Q * r, sizeof *f->exact);
    for (size_t j = 0; j < LSH_N_K * r; j++)
        f->x[j] = gsl_ran_gaussian(rng, 1);
    gsl_rng_free(rng);
    f->problem = (kmv_problem){.matrix = KMV_GAUSS, .sigma = 1, .q = &f->q, .k = &f->k};
    CHECK_OK(kmv_reference_product(&f->problem, NULL, LSH_N_Q, f->x, r, 1, f->exact, &err));
    for (size_t i = 0; i < LSH_N_Q; i++) {
        for (size_t j = 0; j < LSH_N_K; j++) {
            double square = 0;

            for (size_t l = 0; l < LSH_D; l++)
                square += pow((double)f->q.x[i * f->q.ld + l] - (double)f->k.x[j * f->k.ld + l], 2);
            f->g[i][j] = exp(-square / 2);
        }
    }
    return f;
}

void lsh_clear(lsh_problem *f)
{
    kmv_points_clear(&f->q);
    kmv_points_clear(&f->k);
    free(f->x);
    free(f->exact);
    free(f);
}

double lsh_float_tol(const lsh_problem *f)
{
    return 1e-5 * LSH_N_K * sqrt(norm2(f->x, LSH_N_K * f->r));
}

kmv_hash_tables *lsh_tables(const lsh_problem *f, kmv_hash_input *in, const kmv_tile *tile,
                            size_t tables, kmv_hash_shape shape, size_t r, uint64_t seed)
{
    gsl_rng *rng = kmv_rng_create(kmv_stream_key(seed, "prepare", 0), NULL);
    kmv_hash_tables *h = NULL;
    kmv_cost cost = {0};
    kmv_error err = {""};

    CHECK_OK(kmv_hash_input_init(in, &f->problem, tile, 1e-3, 1, &cost, &err));
    CHECK_OK(kmv_hash_tables_create(in, tables, shape, r, rng, 1, &h, &cost, &err));
    gsl_rng_free(rng);
    return h;
}

double lsh_angle(const kmv_hash_input *in, size_t i, size_t j)
{
    const uint32_t key = (uint32_t)j;
    const float *row[1];
    double dot = 0;

    kmv_hash_key_rows(in, &key, 1, 1, row);
    for (size_t l = 0; l < LSH_D; l++)
        dot += (double)in->q.x[i * in->q.ld + l] * (double)row[0][l];
    dot /= 2 * sqrt((double)in->q.offset[i] * (double)in->k.offset[j]);
    return acos(fmax(-1, fmin(1, dot)));
}

kmv_plan *lsh_plan(const lsh_problem *f, const char *options, const kmv_settings *settings)
{
    kmv_plan *plan = NULL;
    kmv_error err = {""};

    CHECK_OK(kmv_plan_create(kmv_algo_find("lsh"), &f->problem, options, settings, &plan, &err));
    return plan;
}

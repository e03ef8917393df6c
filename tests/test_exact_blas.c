/* `exact-blas` against the float64 reference, also where the expanded square cancels. */
#include "check.h"

#include <dirent.h>
#include <gsl/gsl_randist.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "gauss/reference.h"
#include "gauss/tile.h"
#include "vectors.h"

/* From OpenBLAS; its header and GSL's declare the same names differently. */
extern int openblas_get_num_threads(void);

typedef struct {
    kmv_points q, k;
    kmv_problem problem;
    double *x, *want, *weight; /* G x and G |x|, by the reference */
    size_t r;
} fixture;

static void fill(kmv_points *p, gsl_rng *rng, double spread, double shift)
{
    for (size_t i = 0; i < p->n; i++) {
        for (size_t l = 0; l < p->d; l++)
            p->x[i * p->ld + l] = (float)(shift + gsl_ran_gaussian(rng, spread));
    }
}

static fixture make(size_t n_q, size_t n_k, size_t d, size_t r, double spread, double shift)
{
    gsl_rng *rng = kmv_rng_create(kmv_stream_key(5, "blas", n_q * 10000 + n_k), NULL);
    fixture f = {.r = r};
    kmv_error err = {""};

    CHECK_OK(kmv_points_init(&f.q, n_q, d, &err));
    CHECK_OK(kmv_points_init(&f.k, n_k, d, &err));
    fill(&f.q, rng, spread, shift);
    fill(&f.k, rng, spread, shift);
    f.x = calloc(n_k * r, sizeof *f.x);
    f.want = calloc(n_q * r, sizeof *f.want);
    f.weight = calloc(n_q * r, sizeof *f.weight);
    for (size_t j = 0; j < n_k * r; j++)
        f.x[j] = gsl_ran_gaussian(rng, 1);
    gsl_rng_free(rng);
    f.problem = (kmv_problem){.matrix = KMV_GAUSS, .sigma = 1};
    return f;
}

static void finish(fixture *f)
{
    double *x = calloc(f->k.n * f->r, sizeof *x);
    kmv_error err = {""};

    f->problem.q = &f->q;
    f->problem.k = &f->k;
    for (size_t j = 0; j < f->k.n * f->r; j++)
        x[j] = fabs(f->x[j]);
    CHECK_OK(kmv_reference_product(&f->problem, NULL, f->q.n, f->x, f->r, 2, f->want, &err));
    CHECK_OK(kmv_reference_product(&f->problem, NULL, f->q.n, x, f->r, 2, f->weight, &err));
    free(x);
}

static void clear(fixture *f)
{
    kmv_points_clear(&f->q);
    kmv_points_clear(&f->k);
    free(f->x);
    free(f->want);
    free(f->weight);
}

static kmv_status apply(const fixture *f, const char *isa, int threads, double *y, kmv_error *err)
{
    const kmv_settings settings = {
        .eps = 0.1, .delta = 0.01, .r = f->r, .threads = threads, .isa = isa, .seed = 1};
    kmv_plan *plan = NULL;
    kmv_status st =
        kmv_plan_create(kmv_algo_find("exact-blas"), &f->problem, "", &settings, &plan, err);
    size_t calls = kmv_mem_calls();

    if (st == KMV_OK)
        st = kmv_plan_apply(plan, f->x, f->r, y, NULL, err);
    assert_int_equal(kmv_mem_calls(), calls);
    kmv_plan_destroy(plan);
    return st;
}

/* |y - G x|_2 <= 1e-5 |G |x||_2, what is promised, with every instruction set of this machine. */
static void check_agreement(fixture *f)
{
    const size_t n = f->q.n * f->r;
    double *y = calloc(n, sizeof *y);
    const kmv_tile *tile;
    kmv_error err = {""};

    finish(f);
    for (size_t t = 0; (tile = kmv_tile_at(t)) != NULL; t++) {
        if (!tile->can_run())
            continue;
        CHECK_OK(apply(f, tile->name, 2, y, &err));
        for (size_t i = 0; i < n; i++)
            y[i] -= f->want[i];
        CHECK_CLOSE(norm(y, n), 0, 1e-5 * norm(f->weight, n));
    }
    free(y);
    clear(f);
}

/* One point, and sizes around the blocks of 128 queries and 512 keys. */
static void sizes(void **state)
{
    static const size_t n_q[] = {1, 127, 129}, n_k[] = {1, 511, 512, 513};

    (void)state;
    for (size_t a = 0; a < 3; a++) {
        for (size_t b = 0; b < 4; b++) {
            fixture f = make(n_q[a], n_k[b], 7, 1, 0.4, 0);

            check_agreement(&f);
        }
    }
    {
        fixture f = make(40, 30, 1, 1, 1, 0);

        check_agreement(&f);
    }
}

static void causal_and_columns(void **state)
{
    fixture f = make(200, 700, 9, 3, 0.4, 0), g = make(600, 600, 5, 1, 0.5, 0);

    (void)state;
    f.problem.causal = 1;
    check_agreement(&f);
    g.problem.causal = 1;
    check_agreement(&g);
}

/* Many dimensions and norms that just stay in float (s |q| |k| below 100: |q|^2 below 69), every
 * point with a near partner, so that rounding is all in entries that count. */
static void large_norms_in_float(void **state)
{
    fixture f = make(256, 256, 64, 1, 0.8, 0);

    (void)state;
    for (size_t i = 0; i < 256; i++) {
        for (size_t l = 0; l < 64; l++)
            f.k.x[i * f.k.ld + l] = f.q.x[i * f.q.ld + l] + 0.05f * f.k.x[i * f.k.ld + l];
    }
    check_agreement(&f);
}

/* All points shifted by 1000 sigma. */
static void shifted(void **state)
{
    fixture f = make(150, 600, 16, 1, 0.3, 1000);

    (void)state;
    check_agreement(&f);
}

/* Two clouds 4000 sigma apart: the centre between them is far from both, and in float the square of
 * the distance would be off by about 1 within each. */
static void two_clouds(void **state)
{
    fixture f = make(200, 600, 4, 1, 0.3, 0);

    (void)state;
    for (size_t i = 0; i < 200; i++)
        f.q.x[i * f.q.ld] += i % 2 ? 4000 : 0;
    for (size_t j = 0; j < 600; j++)
        f.k.x[j * f.k.ld] += j % 2 ? 4000 : 0;
    check_agreement(&f);
}

/* One key far out, as an attention sink: its block alone is computed in double. */
static void outlier(void **state)
{
    fixture f = make(130, 600, 8, 1, 0.5, 0);

    (void)state;
    for (size_t l = 0; l < 8; l++)
        f.k.x[l] = f.q.x[3 * f.q.ld + l] = 500;
    check_agreement(&f);
}

/* Vectors whose squares leave double's range, and one that is tiny in float. */
static void extreme_x(void **state)
{
    static const double factor[] = {1e-290, 1e-60, 1e280};

    (void)state;
    for (size_t s = 0; s < 3; s++) {
        fixture f = make(20, 30, 3, 1, 0.5, 0);
        double y[20];
        kmv_error err = {""};

        finish(&f);
        for (size_t j = 0; j < 30; j++)
            f.x[j] *= factor[s];
        CHECK_OK(apply(&f, NULL, 1, y, &err));
        for (size_t i = 0; i < 20; i++)
            CHECK_CLOSE(y[i] / factor[s], f.want[i], 1e-5 * f.weight[i]);
        clear(&f);
    }
}

static size_t count_tasks(void)
{
    DIR *tasks = opendir("/proc/self/task");
    size_t count = 0;

    assert_non_null(tasks);
    while (readdir(tasks) != NULL)
        count++;
    closedir(tasks);
    return count;
}

/* With one thread asked for, OpenBLAS brings none of its own; any number gives the same bits. */
static void threads(void **state)
{
    fixture f = make(700, 600, 5, 1, 0.5, 0);
    double one[700], many[700];
    const size_t before = count_tasks();
    kmv_error err = {""};

    (void)state;
    f.problem.q = &f.q;
    f.problem.k = &f.k;
    CHECK_OK(apply(&f, NULL, 1, one, &err));
    assert_int_equal(count_tasks(), before);
    assert_int_equal(openblas_get_num_threads(), 1);
    for (int t = 2; t <= 3; t++) {
        /* Again and again: a work buffer handed to two callers shows now and then only. */
        for (size_t repeat = 0; repeat < 10; repeat++) {
            CHECK_OK(apply(&f, NULL, t, many, &err));
            assert_memory_equal(one, many, sizeof one);
        }
    }
    clear(&f);
}

static void too_far(void **state)
{
    fixture f = make(4, 5, 3, 1, 0.5, 0);
    double y[4];
    kmv_error err = {""};

    (void)state;
    f.problem.q = &f.q;
    f.problem.k = &f.k;
    f.k.x[0] = 1e5f;
    CHECK_FAILS(apply(&f, NULL, 1, y, &err), KMV_ENOTSUP, "sigma from their centre");
    f.problem.sigma = 1e-160;
    CHECK_FAILS(apply(&f, NULL, 1, y, &err), KMV_ENOTSUP, "sigma from their centre");
    clear(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads), /* first, while the process has one thread */
        cmocka_unit_test(sizes),
        cmocka_unit_test(causal_and_columns),
        cmocka_unit_test(large_norms_in_float),
        cmocka_unit_test(shifted),
        cmocka_unit_test(two_clouds),
        cmocka_unit_test(outlier),
        cmocka_unit_test(extreme_x),
        cmocka_unit_test(too_far),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

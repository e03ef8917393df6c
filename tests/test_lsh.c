/* `lsh` as users get it: exact where it retrieves everything, repeatable, planned from eps, and
 * what it refuses. */
#include "check.h"

#include <gsl/gsl_randist.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/rng.h"
#include "gauss/reference.h"
#include "lsh_problem.h"
#include "vectors.h"

/* No bits: everything meets. As many samples as columns: everything is drawn. */
static void exact_where_all_is_retrieved(void **state)
{
    static const char *const texts[] = {"tables=1,bits=0,wild=0,samples=15,pilot=0,clip=0",
                                        "tables=2,bits=0,wild=0,samples=0,clip=0.1",
                                        "tables=2,bits=3,wild=1,samples=70",
                                        "tables=2,bits=0,wild=0,samples=0"};
    (void)state;
    for (size_t r = 1; r <= 2; r++) {
        lsh_problem *f = lsh_make(r);
        const kmv_settings settings = {.eps = 0.1, .delta = 0.01, .r = r, .threads = 2, .seed = 3};
        double y[LSH_N_Q * 2];
        kmv_error err = {""};

        for (size_t s = 0; s < sizeof texts / sizeof *texts; s++) {
            kmv_plan *plan = lsh_plan(f, texts[s], &settings);

            CHECK_OK(kmv_plan_apply(plan, f->x, r, y, NULL, &err));
            CHECK_CLOSE(sqrt(distance2(y, f->exact, LSH_N_Q * r)), 0, lsh_float_tol(f));
            kmv_plan_destroy(plan);
        }
        lsh_clear(f);
    }
}

/* x with few entries: all of them are drawn, nothing is clipped, and the forecast knows. */
static void sparse_input(void **state)
{
    lsh_problem *f = lsh_make(1);
    const kmv_settings settings = {.eps = 0.5, .delta = 0.01, .r = 1, .threads = 2, .seed = 3};
    kmv_plan *plan = lsh_plan(f, "", &settings);
    double y[LSH_N_Q];
    kmv_error err = {""};
    kmv_report report;

    (void)state;
    memset(f->x, 0, LSH_N_K * sizeof *f->x);
    f->x[4] = -3;
    f->x[60] = 1e-5;
    CHECK_OK(kmv_reference_product(&f->problem, NULL, LSH_N_Q, f->x, 1, 1, f->exact, &err));
    CHECK_OK(kmv_plan_apply(plan, f->x, 1, y, &report, &err));
    CHECK_CLOSE(sqrt(distance2(y, f->exact, LSH_N_Q)), 0, lsh_float_tol(f));
    CHECK_CLOSE(report.err_est, 0, 0);
    CHECK_CLOSE(report.apply.pairs, 2 * LSH_N_Q, 0);
    kmv_plan_destroy(plan);
    lsh_clear(f);
}

/* Same bits for any number of threads; another seed and another apply draw anew; apply allocates
 * nothing; r = 2 is two products. */
static void draws_by_stream(void **state)
{
    static const char *const texts[] = {"tables=2,bits=3,wild=1,samples=20,pilot=0,clip=0.3",
                                        "tables=2,bits=3,pilot=9", ""};
    lsh_problem *f = lsh_make(2);
    double first[LSH_N_Q * 2], second[LSH_N_Q * 2], other[LSH_N_Q * 2];
    kmv_error err = {""};

    (void)state;
    for (size_t s = 0; s < sizeof texts / sizeof *texts; s++) {
        kmv_settings settings = {.eps = 4, .delta = 0.01, .r = 2, .threads = 1, .seed = 4};
        kmv_plan *plan = lsh_plan(f, texts[s], &settings);
        const size_t calls = kmv_mem_calls();

        CHECK_OK(kmv_plan_apply(plan, f->x, 2, first, NULL, &err));
        CHECK_OK(kmv_plan_apply(plan, f->x, 2, second, NULL, &err));
        assert_int_equal(kmv_mem_calls(), calls);
        kmv_plan_destroy(plan);
        settings.threads = 3;
        plan = lsh_plan(f, texts[s], &settings);
        CHECK_OK(kmv_plan_apply(plan, f->x, 2, other, NULL, &err));
        assert_memory_equal(first, other, sizeof first);
        kmv_plan_destroy(plan);
        if (s > 0)
            continue;
        assert_memory_not_equal(first, second, sizeof first);
        settings.seed = 5;
        plan = lsh_plan(f, texts[s], &settings);
        CHECK_OK(kmv_plan_apply(plan, f->x, 2, other, NULL, &err));
        assert_memory_not_equal(first, other, sizeof first);
        kmv_plan_destroy(plan);
    }
    lsh_clear(f);
}

/* A planted set, planned from eps alone: a sublinear plan, its forecast near the truth, eps met. */
static void planned_from_eps(void **state)
{
    enum { N = 2000, DIM = 16, SEEDS = 6 };
    gsl_rng *rng = kmv_rng_create(17, NULL);
    kmv_points q = {0}, k = {0};
    double *x = calloc(N, sizeof *x), *y = calloc(N, sizeof *y), *exact = calloc(N, sizeof *exact);
    kmv_error err = {""};
    double mean2 = 0, forecast2 = 0, x_norm2;
    size_t met = 0;

    (void)state;
    CHECK_OK(kmv_points_init(&q, N, DIM, &err));
    CHECK_OK(kmv_points_init(&k, N, DIM, &err));
    for (size_t i = 0; i < N; i++) {
        for (size_t l = 0; l < DIM; l++) {
            k.x[i * k.ld + l] = (float)gsl_ran_gaussian(rng, 1);
            q.x[i * q.ld + l] = k.x[i * k.ld + l] + (float)gsl_ran_gaussian(rng, 0.1);
        }
        x[i] = gsl_ran_gaussian(rng, 1);
    }
    gsl_rng_free(rng);
    x_norm2 = norm2(x, N);
    {
        const kmv_problem problem = {.matrix = KMV_GAUSS, .sigma = 1, .q = &q, .k = &k};

        CHECK_OK(kmv_reference_product(&problem, NULL, N, x, 1, 2, exact, &err));
        for (size_t s = 0; s < SEEDS; s++) {
            const kmv_settings settings = {
                .eps = 0.2, .delta = 0.01, .r = 1, .threads = 2, .seed = s};
            kmv_plan *plan = NULL;
            kmv_report report;

            CHECK_OK(kmv_plan_create(kmv_algo_find("lsh"), &problem, "", &settings, &plan, &err));
            CHECK_OK(kmv_plan_apply(plan, x, 1, y, &report, &err));
            assert_true(report.prepare.pairs + report.apply.pairs < 0.3 * N * N);
            met += distance2(y, exact, N) <= 0.04 * x_norm2;
            mean2 += distance2(y, exact, N) / x_norm2 / SEEDS;
            forecast2 += report.err_est * report.err_est / SEEDS;
            kmv_plan_destroy(plan);
        }
    }
    assert_true(met >= SEEDS - 1);
    /* The forecast rests on 64 rows, and for pairs that are missed on their probability. */
    assert_true(mean2 < 2 * forecast2 && forecast2 < 3 * mean2);
    kmv_points_clear(&q);
    kmv_points_clear(&k);
    free(x);
    free(y);
    free(exact);
}

/* Copies of a key share its codes: the tables find or miss all of them, and with x of one sign the
 * forecast must say so. Were they missed apart, it would be less than half. 40 sets of tables:
 * their mean is known to some 5 %. */
static void copies_are_missed_together(void **state)
{
    enum { POINTS = 64, COPIES = 8, N = POINTS * COPIES, DIM = 16, SEEDS = 40 };
    gsl_rng *rng = kmv_rng_create(23, NULL);
    kmv_points q = {0}, k = {0};
    double x[N], y[POINTS], exact[POINTS], mean2 = 0, forecast2 = 0;
    const kmv_problem problem = {.matrix = KMV_GAUSS, .sigma = 1, .q = &q, .k = &k};
    kmv_error err = {""};

    (void)state;
    CHECK_OK(kmv_points_init(&q, POINTS, DIM, &err));
    CHECK_OK(kmv_points_init(&k, N, DIM, &err));
    for (size_t i = 0; i < POINTS; i++) {
        for (size_t l = 0; l < DIM; l++) {
            const float at = (float)gsl_ran_gaussian(rng, 1);

            q.x[i * q.ld + l] = at + (float)gsl_ran_gaussian(rng, 0.3);
            for (size_t c = 0; c < COPIES; c++)
                k.x[(c * POINTS + i) * k.ld + l] = at;
        }
    }
    gsl_rng_free(rng);
    for (size_t j = 0; j < N; j++)
        x[j] = 1;
    CHECK_OK(kmv_reference_product(&problem, NULL, POINTS, x, 1, 1, exact, &err));
    for (size_t s = 0; s < SEEDS; s++) {
        const kmv_settings settings = {.eps = 0.2, .delta = 0.01, .r = 1, .threads = 1, .seed = s};
        kmv_plan *plan = NULL;
        kmv_report report;

        CHECK_OK(kmv_plan_create(kmv_algo_find("lsh"), &problem,
                                 "tables=1,bits=5,wild=0,samples=1,pilot=64,clip=0.01", &settings,
                                 &plan, &err));
        CHECK_OK(kmv_plan_apply(plan, x, 1, y, &report, &err));
        mean2 += distance2(y, exact, POINTS) / N / SEEDS;
        forecast2 += report.err_est * report.err_est / SEEDS;
        kmv_plan_destroy(plan);
    }
    CHECK_CLOSE(forecast2 / mean2, 1, 0.25);
    kmv_points_clear(&q);
    kmv_points_clear(&k);
}

static void degenerate_data(void **state)
{
    static const size_t sizes[][2] = {{1, 1}, {1, 9}, {9, 1}, {40, 33}};

    (void)state;
    for (size_t s = 0; s < 4; s++) {
        for (int spread = 0; spread < 2; spread++) { /* all points equal; queries apart from keys */
            const size_t n_q = sizes[s][0], n_k = sizes[s][1];
            const kmv_settings settings = {
                .eps = 0.1, .delta = 0.01, .r = 1, .threads = 2, .seed = 3};
            double x[33], y[40], total = 0, error2 = 0;
            kmv_points q = {0}, k = {0};
            kmv_error err = {""};

            CHECK_OK(kmv_points_init(&q, n_q, 3, &err));
            CHECK_OK(kmv_points_init(&k, n_k, 3, &err));
            for (size_t i = 0; i < n_q; i++)
                q.x[i * q.ld] = 2 + 0.5f * (float)spread;
            for (size_t j = 0; j < n_k; j++) {
                k.x[j * k.ld] = 2;
                total += x[j] = 1 + (double)j;
            }
            {
                const kmv_problem problem = {.matrix = KMV_GAUSS, .sigma = 1, .q = &q, .k = &k};
                kmv_plan *plan = NULL;

                CHECK_OK(
                    kmv_plan_create(kmv_algo_find("lsh"), &problem, "", &settings, &plan, &err));
                CHECK_OK(kmv_plan_apply(plan, x, 1, y, NULL, &err));
                for (size_t i = 0; i < n_q; i++)
                    error2 += pow(y[i] - exp(-0.125 * spread) * total, 2);
                /* Six times the error asked for, at seeds that are fixed: what a defect would
                 * leave is |G x| = 30 eps |x| and more. */
                CHECK_CLOSE(sqrt(error2), 0, 0.6 * sqrt(norm2(x, n_k)) * (n_k == 1 ? 0.2 : 1));
                kmv_plan_destroy(plan);
            }
            kmv_points_clear(&q);
            kmv_points_clear(&k);
        }
    }
}

static void rejections(void **state)
{
    lsh_problem *f = lsh_make(1);
    const kmv_algo *a = kmv_algo_find("lsh");
    const kmv_settings settings = KMV_SETTINGS_DEFAULT;
    kmv_plan *plan = NULL;
    kmv_error err = {""};

    (void)state;
    assert_null(kmv_algo_rejects(a, &f->problem, "", 2, 1));
    assert_string_equal(kmv_algo_rejects(a, &f->problem, "pilot=0", 1, 1),
                        "pilot = 0 needs tables, samples and clip");
    assert_string_equal(kmv_algo_rejects(a, &f->problem, "tables=1,bits=2,wild=2", 1, 1),
                        "wild is not below bits");
    assert_string_equal(kmv_algo_rejects(a, &f->problem, "tables=1,bits=20", 1, 1),
                        "bits: many more buckets than keys");
    assert_string_equal(kmv_algo_rejects(a, &f->problem, "clip=-0.5", 1, 1),
                        "clip is negative, and not -1");
    assert_true(kmv_algo_uses_eps(a, ""));
    assert_false(kmv_algo_uses_eps(a, "tables=2,samples=9,clip=0"));
    f->problem.sigma = 1e-4;
    CHECK_FAILS(kmv_plan_create(a, &f->problem, "", &settings, &plan, &err), KMV_ENOTSUP,
                "sigma = 0.0001 is too small");
    assert_null(plan);
    f->problem.causal = 1;
    assert_string_equal(kmv_algo_rejects(a, &f->problem, "", 1, 1), "does not do causal masks");
    lsh_clear(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exact_where_all_is_retrieved),
        cmocka_unit_test(sparse_input),
        cmocka_unit_test(draws_by_stream),
        cmocka_unit_test(planned_from_eps),
        cmocka_unit_test(copies_are_missed_together),
        cmocka_unit_test(degenerate_data),
        cmocka_unit_test(rejections),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The planner: what it chooses and says, that it keeps eps, repeats itself, and grows a plan whose
 * certificate fails. */
#include "check.h"

#include <gsl/gsl_randist.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "algo/candidate.h"
#include "attention.h"
#include "base/mem.h"
#include "base/rng.h"
#include "data/synth.h"
#include "gauss/reference.h"
#include "normal_problem.h"
#include "softmax_points.h"

enum { N = 2048 };

static kmv_settings settings(double eps, int threads)
{
    /* Plans depend on the instruction set, since its tiles set what exact costs: the one that every
     * machine has. */
    return (kmv_settings){
        .eps = eps, .delta = 0.01, .r = 1, .threads = threads, .isa = "portable", .seed = 3};
}

static kmv_plan *plan_of(const normal_problem *f, const char *name, const char *options,
                         const kmv_settings *s)
{
    kmv_plan *plan = NULL;
    kmv_error err = {""};

    CHECK_OK(kmv_plan_create(kmv_algo_find(name), &f->problem, options, s, &plan, &err));
    return plan;
}

/* One product of a new plan; the report's text lives as long as the plan that is returned. */
static kmv_plan *product(normal_problem *f, const char *options, double eps, kmv_report *report)
{
    kmv_settings s = settings(eps, 1);
    kmv_error err = {""};
    kmv_plan *plan;
    size_t calls;

    s.r = f->r;
    plan = plan_of(f, "auto", options, &s);
    calls = kmv_mem_calls();
    CHECK_OK(kmv_plan_apply(plan, f->x, f->r, f->y, report, &err));
    assert_int_equal(kmv_mem_calls(), calls); /* whatever the certificates say */
    return plan;
}

static double error_of(normal_problem *f)
{
    double error2 = 0, x2 = 0;
    kmv_error err = {""};

    CHECK_OK(kmv_reference_product(&f->problem, NULL, f->n, f->x, f->r, 1, f->exact, &err));
    for (size_t i = 0; i < f->n * f->r; i++) {
        error2 += pow(f->y[i] - f->exact[i], 2);
        x2 += f->x[i] * f->x[i];
    }
    return sqrt(error2 / x2);
}

static void check_text(const kmv_report *report, const char *start, const char *part)
{
    if (strncmp(report->text, start, strlen(start)) != 0 || strstr(report->text, part) == NULL)
        fail_msg("plan '%s': want '%s' at its start and '%s' in it", report->text, start, part);
}

/* The same bits as exact, at few more pairs: below 2048 points, and where every entry counts. */
static void exact_where_sampling_cannot_win(void **state)
{
    const struct {
        size_t n;
        double sigma, eps, pairs;
        const char *why;
    } cases[] = {
        {300, 1.5, 10, 0, "n < 2048"},
        {N, 8, 1, 16, "rows"},     /* entries about 1: few rows say so */
        {N, 1.5, 0.2, 16, "rows"}, /* too many middling entries to find or sample */
    };

    (void)state;
    for (size_t c = 0; c < 3; c++) {
        const kmv_settings s = settings(cases[c].eps, 1);
        normal_problem f;
        kmv_report report;
        kmv_error err = {""};
        kmv_plan *plan, *exact;

        normal_make(&f, cases[c].n, 1, 0, cases[c].sigma);
        plan = product(&f, "", cases[c].eps, &report);
        check_text(&report, "auto: exact", cases[c].why);
        assert_string_equal(report.bound_kind, "");
        assert_true(isnan(report.t_certify_s));
        /* and 128 rows of a look at blocks and leaves */
        assert_true(report.prepare.pairs <=
                    (cases[c].pairs > 0 ? cases[c].pairs + 128 : 0) * (double)f.n);
        exact = plan_of(&f, "exact", "", &s);
        CHECK_OK(kmv_plan_apply(exact, f.x, 1, f.exact, NULL, &err));
        assert_memory_equal(f.y, f.exact, f.n * sizeof *f.y);
        kmv_plan_destroy(exact);
        kmv_plan_destroy(plan);
        normal_clear(&f);
    }
}

/* Columns are sampled where that is cheaper, for every kind of x, and eps is kept: the rms error
 * aimed at is eps / 1.25, and what the certificate finds above eps is computed again. */
static void samples_and_keeps_eps(void **state)
{
    (void)state;
    for (size_t kind = 0; kind < 5; kind++) {
        gsl_rng *rng = kmv_rng_create(kind, NULL);
        normal_problem f;
        kmv_report report;
        kmv_plan *plan;
        double error;

        normal_make(&f, N, kind == 3 ? 2 : 1, kind == 4, NORMAL_SIGMA);
        for (size_t j = 0; j < f.n * f.r && kind > 0; j++)
            f.x[j] = kind == 1 ? fabs(gsl_ran_gaussian(rng, 1)) : gsl_ran_gaussian(rng, 1);
        if (kind == 2)
            f.x[777] = 1e4; /* kept for certain */
        plan = product(&f, "rows=64,only=importance", 1, &report);
        check_text(&report, "auto: importance with m = ", "exact 1 (");
        check_text(&report, "auto: importance with m = ", "of the rows err by more than");
        error = error_of(&f);
        assert_true(error <= 1);
        assert_string_equal(report.bound_kind, "model");
        assert_true(report.bound >= error);
        assert_true(report.bound <= 4 * error);
        assert_true(report.t_certify_s > 0);
        assert_true(report.apply.pairs < 0.8 * kmv_problem_pairs(&f.problem));
        kmv_plan_destroy(plan);
        normal_clear(&f);
        gsl_rng_free(rng);
    }
}

/* 0.1 % of the samples: the certificate finds it, a second product does not help, so exact. Without
 * growth a bad product is returned, with a bound that says so. */
static void failing_certificate(void **state)
{
    normal_problem f;
    kmv_report report;
    kmv_plan *plan;
    double error;

    (void)state;
    normal_make(&f, N, 1, 0, NORMAL_SIGMA);
    /* No column or one, and an error of that tells nothing of how many are needed. */
    plan = product(&f, "effort=0.001,rows=64,only=importance", 1, &report);
    check_text(&report, "auto: importance", "then exact, since after 2 products");
    assert_true(error_of(&f) <= 1e-4);
    assert_string_equal(report.bound_kind, "");
    assert_true(isnan(report.bound) && report.t_certify_s > 0);
    assert_true(report.apply.pairs > kmv_problem_pairs(&f.problem));
    kmv_plan_destroy(plan);

    plan = product(&f, "effort=0.01,rows=64,grow=no,only=importance", 1, &report);
    error = error_of(&f);
    assert_true(error > 1);
    assert_true(report.bound >= error);
    kmv_plan_destroy(plan);

    /* A quarter of the samples: the second product passes, averaged with the first. */
    plan = product(&f, "effort=0.25,rows=64,only=importance", 1, &report);
    check_text(&report, "auto: importance", "product 2");
    error = error_of(&f);
    assert_true(error <= 1 && report.bound >= error);
    kmv_plan_destroy(plan);
    normal_clear(&f);
}

/* A tenth of the samples: the first product of each of several seeds fails, the mean of it and a
 * second one passes; attention_run counts allocations. */
static void failing_attention(void **state)
{
    attention a;
    int second = 0, bad = 0;

    (void)state;
    attention_make(&a, (attention_shape){.n_q = 1100,
                                         .n_k = 1300,
                                         .d = 24,
                                         .r = 3,
                                         .matrix = KMV_SOFTMAX,
                                         .sigma = 1.5,
                                         .spread = 0.5,
                                         .centres = 1,
                                         .seed = 8});
    a.problem.q = &a.q; /* the struct may have moved */
    a.problem.k = &a.k;
    attention_reference(&a);
    for (uint64_t seed = 1; seed <= 4; seed++) {
        kmv_report report;

        attention_run(&a, "auto", "effort=0.1", "portable", 2, seed, &report);
        second += strstr(a.text, "product 2") != NULL;
        assert_true(attention_relative_error(&a) <= 0.1);
        assert_true(report.bound >= attention_relative_error(&a));
        attention_run(&a, "auto", "effort=0.1,grow=no", "portable", 2, seed, NULL);
        assert_non_null(strstr(a.text, "product 1"));
        bad += attention_relative_error(&a) > 0.1;
    }
    assert_true(second >= 2 && bad >= 2);
    attention_clear(&a);
}

/* One near neighbour per query and little else: the search wins, for every kind of x, repeats
 * itself for any number of threads, and meets eps. d = 16: q - k has length 0.4, entries of
 * neighbours are exp(-0.08); others lie 4 sigma and more apart. */
static void searches_for_neighbours(void **state)
{
    gsl_rng *rng = kmv_rng_create(21, NULL);
    double *first;
    normal_problem f;

    (void)state;
    normal_make(&f, 2 * N, 1, 0, 1);
    first = calloc(f.n, sizeof *first);
    for (size_t i = 0; i < f.n; i++) {
        for (size_t l = 0; l < NORMAL_D; l++) {
            f.k.x[i * f.k.ld + l] *= 2;
            f.q.x[i * f.q.ld + l] = f.k.x[i * f.k.ld + l] + (float)gsl_ran_gaussian(rng, 0.1);
        }
    }
    for (size_t kind = 0; kind < 3; kind++) {
        kmv_report report;
        kmv_error err = {""};
        double error;

        for (size_t j = 0; j < f.n; j++)
            f.x[j] = kind == 0 ? 1 : kind == 1 ? gsl_ran_gaussian(rng, 1) : j == 5 ? 100 : 1e-3;
        for (int threads = 1; threads <= 2; threads++) {
            const kmv_settings s = settings(0.1, threads);
            kmv_plan *plan = plan_of(&f, "auto", "", &s);
            const size_t calls = kmv_mem_calls();

            CHECK_OK(kmv_plan_apply(plan, f.x, 1, threads == 1 ? first : f.y, &report, &err));
            assert_int_equal(kmv_mem_calls(), calls);
            check_text(&report, "auto: probe with ", "exact 1 (");
            if (threads == 2)
                assert_memory_equal(first, f.y, f.n * sizeof *first);
            kmv_plan_destroy(plan);
        }
        error = error_of(&f);
        assert_true(error <= 0.1);
        assert_string_equal(report.bound_kind, "model");
        /* A spike concerns few rows: no sample of rows need see them. */
        assert_true(kind == 2 || report.bound >= error);
        assert_true(report.prepare.pairs + report.apply.pairs < 0.25 * (double)f.n * (double)f.n);
    }
    free(first);
    normal_clear(&f);
    gsl_rng_free(rng);
}

/* Clusters in runs, in each of which a hundred entries are moderately large: too many to keep one
 * by one, and all in three leaves. Taken with a matrix unit or without one, where others are asked
 * as well. */
static void runs_of_neighbours(void **state)
{
    kmv_error err = {""};
    kmv_points points = {0};
    normal_problem f = {.n = 4096, .r = 1};
    uint32_t seed = 5;
    kmv_settings s = settings(0.1, 2);
    kmv_report report;
    kmv_plan *plan;

    (void)state;
    clusters(&points, f.n, NORMAL_D, 64, 4, 1.4, 1, 5);
    f.problem = (kmv_problem){.q = &points, .k = &points, .matrix = KMV_GAUSS, .sigma = 2};
    f.x = calloc(f.n, sizeof *f.x);
    f.y = calloc(f.n, sizeof *f.y);
    for (size_t j = 0; j < f.n; j++)
        f.x[j] = draw(&seed);
    plan = plan_of(&f, "auto", "certify=none", &s);
    CHECK_OK(kmv_plan_apply(plan, f.x, 1, f.y, &report, &err));
    check_text(&report, "auto: leaves with ", "exact 1 (");
    assert_true(report.apply.pairs < 0.3 * (double)f.n * (double)f.n);
    kmv_plan_destroy(plan);
    kmv_points_clear(&points);
    free(f.x);
    free(f.y);
}

/* Neighbours scattered over a thousand leaves, of which the rows of a pilot meet few: a look that
 * overlooks them takes leaves for cheap, whose plan then visits all of them. The search wins ten
 * times over, whatever the seed of the plan. */
static void scattered_neighbours(void **state)
{
    kmv_dataset d = {0};
    kmv_error err = {""};
    normal_problem f = {.n = 32768, .r = 1};

    (void)state;
    CHECK_OK(kmv_generate("planted", "n=32768,d=64", 7, &d, &err));
    f.problem = (kmv_problem){.q = &d.q, .k = &d.k, .matrix = KMV_GAUSS, .sigma = 1};
    f.x = calloc(f.n, sizeof *f.x);
    f.y = calloc(f.n, sizeof *f.y);
    for (size_t j = 0; j < f.n; j++)
        f.x[j] = j % 2 == 0 ? 1 : -1;
    for (uint64_t seed = 1; seed <= 5; seed++) {
        kmv_settings s = settings(0.1, 2);
        kmv_report report;
        kmv_plan *plan;

        s.seed = seed;
        plan = plan_of(&f, "auto", "certify=none", &s);
        CHECK_OK(kmv_plan_apply(plan, f.x, 1, f.y, &report, &err));
        check_text(&report, "auto: probe with ", "exact 1 (");
        kmv_plan_destroy(plan);
    }
    kmv_dataset_clear(&d);
    free(f.x);
    free(f.y);
}

/* Plans, and so products, do not depend on the number of threads, also where asking costs about
 * what may be won. */
static void plans_for_any_threads(void **state)
{
    enum { SIZE = 4096 };
    static const char *isas[] = {"portable", NULL};
    double *first = malloc(SIZE * sizeof *first);
    normal_problem f;
    int sampled = 0;

    (void)state;
    normal_make(&f, SIZE, 1, 0, NORMAL_SIGMA);
    for (int c = 0; c < 6; c++) {
        char text[400] = "";

        for (int threads = 1; threads <= 4; threads *= 2) {
            kmv_settings s = settings(2.0 / (1 << c / 2), threads);
            kmv_report report;
            kmv_plan *plan;
            kmv_error err = {""};

            s.isa = isas[c % 2];
            plan = plan_of(&f, "auto", "certify=none", &s);
            CHECK_OK(kmv_plan_apply(plan, f.x, 1, threads == 1 ? first : f.y, &report, &err));
            if (threads == 1)
                snprintf(text, sizeof text, "%s", report.text);
            assert_int_equal(strncmp(text, report.text, sizeof text - 1), 0);
            assert_true(threads == 1 || memcmp(first, f.y, SIZE * sizeof *first) == 0);
            sampled += strncmp(text, "auto: exact", 11) != 0;
            kmv_plan_destroy(plan);
        }
    }
    assert_true(sampled > 0);
    free(first);
    normal_clear(&f);
}

/* Of 2048 queries 512 are searched further than planned, to see what a search would miss: one
 * entry of about 1 among them is an error of 1/512^(1/2) = 0.044. For eps = 0.03 no search can be
 * trusted, and none is begun; for 0.3 it is. */
static void no_search_that_nobody_can_judge(void **state)
{
    const double eps[2] = {0.03, 0.3};
    const char *start[2] = {"auto: exact (", "auto: probe with "};
    const char *part[2] = {"no other plan is expected", "exact 1 ("};
    kmv_dataset d = {0};
    kmv_error err = {""};
    normal_problem f = {.n = N, .r = 1};

    (void)state;
    CHECK_OK(kmv_generate("planted", "n=2048,d=64", 7, &d, &err));
    f.problem = (kmv_problem){.q = &d.q, .k = &d.k, .matrix = KMV_GAUSS, .sigma = 1};
    f.x = calloc(f.n, sizeof *f.x);
    f.y = calloc(f.n, sizeof *f.y);
    for (size_t j = 0; j < f.n; j++)
        f.x[j] = j % 2 == 0 ? 1 : -1;
    for (size_t e = 0; e < 2; e++) {
        kmv_report report;
        kmv_plan *plan = product(&f, "certify=none", eps[e], &report);

        check_text(&report, start[e], part[e]);
        kmv_plan_destroy(plan);
    }
    kmv_dataset_clear(&d);
    free(f.x);
    free(f.y);
}

static void kinds_of_certificates(void **state)
{
    normal_problem f;
    kmv_report report;
    kmv_plan *plan;

    (void)state;
    normal_make(&f, N, 1, 0, NORMAL_SIGMA);
    plan = product(&f, "certify=range", 1, &report);
    assert_string_equal(report.bound_kind, "range");
    assert_true(report.bound >= error_of(&f) && report.err_est <= 1);
    kmv_plan_destroy(plan);
    plan = product(&f, "certify=none,only=importance", 1, &report);
    assert_string_equal(report.bound_kind, "");
    assert_true(isnan(report.bound) && isnan(report.t_certify_s));
    assert_true(report.err_est > 0.4 && report.err_est < 1); /* what was predicted */
    kmv_plan_destroy(plan);
    normal_clear(&f);
}

/* eps that float32 does not reach. */
static void float64_for_small_eps(void **state)
{
    (void)state;
    for (size_t n = 200; n <= N; n += N - 200) {
        normal_problem f;
        kmv_report report;
        kmv_plan *plan;

        normal_make(&f, n, 1, 1, NORMAL_SIGMA);
        plan = product(&f, "", 1e-7, &report);
        check_text(&report, "auto: exact-f64", "float32 may be off by");
        assert_true(error_of(&f) <= 1e-12);
        kmv_plan_destroy(plan);
        normal_clear(&f);
    }
}

/* Where all entries are near 1 the bound on rounding, 1e-5 |K|x||, is 0.02 |x|; what float32 is off
 * by, measured on some rows, is far less, and float64 would take four times as long. */
static void float32_on_dense_sets(void **state)
{
    normal_problem f;
    kmv_report report;
    kmv_plan *plan;

    (void)state;
    normal_make(&f, N, 1, 1, 30 * NORMAL_SIGMA);
    plan = product(&f, "", 0.01, &report);
    check_text(&report, "auto: exact (", "expected to come clearly below it");
    assert_true(error_of(&f) <= 1e-3);
    kmv_plan_destroy(plan);
    plan = product(&f, "", 1e-4, &report);
    check_text(&report, "auto: exact-f64", "float32 may be off by");
    kmv_plan_destroy(plan);
    normal_clear(&f);
}

/* Hash tables, forced: made from the pilot's choice, certified, and more of them where a quarter of
 * the samples was planned; on their own they are asked from 8192 points on only. */
static void tables(void **state)
{
    normal_problem f;
    kmv_report report;
    kmv_plan *plan;

    (void)state;
    normal_make(&f, N, 1, 0, NORMAL_SIGMA);
    plan = product(&f, "only=lsh", 0.5, &report);
    check_text(&report, "auto: lsh with", "columns drawn, from eps");
    assert_true(error_of(&f) <= 0.5 && report.err_est <= 0.5);
    assert_true(error_of(&f) <= report.bound);
    kmv_plan_destroy(plan);
    plan = product(&f, "", 0.5, &report);
    assert_null(strstr(report.text, "lsh"));
    kmv_plan_destroy(plan);
    normal_clear(&f);
}

/* The same y for any number of threads and for a plan made again; another one for the next x. */
static void repeatable(void **state)
{
    double *first;
    normal_problem f;
    size_t calls;
    kmv_error err = {""};
    kmv_report report;

    (void)state;
    normal_make(&f, N, 1, 0, NORMAL_SIGMA);
    first = calloc(f.n, sizeof *first);
    for (int threads = 1; threads <= 2; threads++) {
        const kmv_settings s = settings(1, threads);
        kmv_plan *plan = plan_of(&f, "auto", "only=importance", &s);

        calls = kmv_mem_calls();
        CHECK_OK(kmv_plan_apply(plan, f.x, 1, threads == 1 ? first : f.y, &report, &err));
        assert_int_equal(kmv_mem_calls(), calls); /* certificate included */
        if (threads == 2) {
            assert_memory_equal(first, f.y, f.n * sizeof *first);
            CHECK_OK(kmv_plan_apply(plan, f.x, 1, f.y, &report, &err));
            assert_memory_not_equal(first, f.y, f.n * sizeof *first);
        }
        /* inputs are two sets of n x NORMAL_D floats */
        assert_true(report.mem_peak_b <= 3 * 2 * N * NORMAL_D * sizeof(float) + 1e6);
        kmv_plan_destroy(plan);
    }
    free(first);
    normal_clear(&f);
}

static void zero_and_forced(void **state)
{
    normal_problem f;
    kmv_report report;
    kmv_plan *plan;

    (void)state;
    normal_make(&f, N, 1, 0, NORMAL_SIGMA);
    plan = product(&f, "only=exact", 1, &report);
    check_text(&report, "auto: exact, as asked", "");
    kmv_plan_destroy(plan);
    memset(f.x, 0, f.n * sizeof *f.x);
    f.y[5] = 1;
    plan = product(&f, "only=importance", 1, &report);
    CHECK_CLOSE(f.y[5], 0, 0);
    kmv_plan_destroy(plan);
    normal_clear(&f);
    normal_make(&f, 100, 1, 0, NORMAL_SIGMA); /* the only candidate, although n is small */
    plan = product(&f, "only=importance,rows=8", 1, &report);
    check_text(&report, "auto: ", "importance");
    kmv_plan_destroy(plan);
    normal_clear(&f);
    normal_make(&f, 1, 1, 1, NORMAL_SIGMA);
    plan = product(&f, "", 0.1, &report);
    assert_true(error_of(&f) <= 1e-5);
    kmv_plan_destroy(plan);
    normal_clear(&f);
}

static void measured_speeds(void **state)
{
    normal_problem f;
    kmv_report report;
    kmv_plan *plan;

    (void)state;
    normal_make(&f, N, 1, 0, NORMAL_SIGMA);
    plan = product(&f, "calibrate=measured,only=importance", 1, &report);
    check_text(&report, "auto: importance", "by predicted cost");
    kmv_plan_destroy(plan);
    normal_clear(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exact_where_sampling_cannot_win),
        cmocka_unit_test(samples_and_keeps_eps),
        cmocka_unit_test(failing_certificate),
        cmocka_unit_test(failing_attention),
        cmocka_unit_test(searches_for_neighbours),
        cmocka_unit_test(runs_of_neighbours),
        cmocka_unit_test(scattered_neighbours),
        cmocka_unit_test(plans_for_any_threads),
        cmocka_unit_test(no_search_that_nobody_can_judge),
        cmocka_unit_test(kinds_of_certificates),
        cmocka_unit_test(float64_for_small_eps),
        cmocka_unit_test(tables),
        cmocka_unit_test(float32_on_dense_sets),
        cmocka_unit_test(repeatable),
        cmocka_unit_test(zero_and_forced),
        cmocka_unit_test(measured_speeds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

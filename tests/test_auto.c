/* The planner: what it chooses and says, that it keeps eps, repeats itself, and grows a plan whose
 * certificate fails. */
#include "check.h"

#include <gsl/gsl_randist.h>
#include <stdlib.h>
#include <string.h>

#include "algo/candidate.h"
#include "algo/speeds.h"
#include "attention.h"
#include "base/mem.h"
#include "base/rng.h"
#include "data/synth.h"
#include "gauss/reference.h"
#include "softmax_points.h"

/* iid points with d = 16 and sigma = 1.5: entries have mean (1 + 2/sigma^2)^-8 = 0.0062 and mean
 * square (1 + 4/sigma^2)^-8 = 2.8e-4, spread over all pairs, so that F2 = 2.8e-4 n^2 and eps = 1
 * asks for m = n / (1 + eps^2 n / F2) = 0.36 n columns at n = 2048. */
enum { N = 2048, D = 16 };
static const double SIGMA = 1.5;

typedef struct {
    kmv_points q, k;
    kmv_problem problem;
    double *x, *y, *exact;
    size_t n, r;
} fixture;

static void make(fixture *f, size_t n, size_t r, int causal, double sigma)
{
    gsl_rng *rng = kmv_rng_create(kmv_stream_key(8, "auto", n), NULL);
    kmv_error err = {""};

    *f = (fixture){.n = n, .r = r};
    CHECK_OK(kmv_points_init(&f->q, n, D, &err));
    CHECK_OK(kmv_points_init(&f->k, n, D, &err));
    for (size_t l = 0; l < D; l++) {
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

static void clear(fixture *f)
{
    kmv_points_clear(&f->q);
    kmv_points_clear(&f->k);
    free(f->x);
    free(f->y);
    free(f->exact);
}

static kmv_settings settings(double eps, int threads)
{
    /* Plans depend on the instruction set, since its tiles set what exact costs: the one that every
     * machine has. */
    return (kmv_settings){
        .eps = eps, .delta = 0.01, .r = 1, .threads = threads, .isa = "portable", .seed = 3};
}

static kmv_plan *plan_of(const fixture *f, const char *name, const char *options,
                         const kmv_settings *s)
{
    kmv_plan *plan = NULL;
    kmv_error err = {""};

    CHECK_OK(kmv_plan_create(kmv_algo_find(name), &f->problem, options, s, &plan, &err));
    return plan;
}

/* One product of a new plan; the report's text lives as long as the plan that is returned. */
static kmv_plan *product(fixture *f, const char *options, double eps, kmv_report *report)
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

static double error_of(fixture *f)
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
        fixture f;
        kmv_report report;
        kmv_error err = {""};
        kmv_plan *plan, *exact;

        make(&f, cases[c].n, 1, 0, cases[c].sigma);
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
        clear(&f);
    }
}

/* Columns are sampled where that is cheaper, for every kind of x, and eps is kept: the rms error
 * aimed at is eps / 1.25, and what the certificate finds above eps is computed again. */
static void samples_and_keeps_eps(void **state)
{
    (void)state;
    for (size_t kind = 0; kind < 5; kind++) {
        gsl_rng *rng = kmv_rng_create(kind, NULL);
        fixture f;
        kmv_report report;
        kmv_plan *plan;
        double error;

        make(&f, N, kind == 3 ? 2 : 1, kind == 4, SIGMA);
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
        clear(&f);
        gsl_rng_free(rng);
    }
}

/* 0.1 % of the samples: the certificate finds it, a second product does not help, so exact. Without
 * growth a bad product is returned, with a bound that says so. */
static void failing_certificate(void **state)
{
    fixture f;
    kmv_report report;
    kmv_plan *plan;
    double error;

    (void)state;
    make(&f, N, 1, 0, SIGMA);
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
    clear(&f);
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
    fixture f;

    (void)state;
    make(&f, 2 * N, 1, 0, 1);
    first = calloc(f.n, sizeof *first);
    for (size_t i = 0; i < f.n; i++) {
        for (size_t l = 0; l < D; l++) {
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
    clear(&f);
    gsl_rng_free(rng);
}

/* Clusters in runs, in each of which a hundred entries are moderately large: too many to keep one
 * by one, and all in three leaves. Taken with a matrix unit or without one, where others are asked
 * as well. */
static void runs_of_neighbours(void **state)
{
    kmv_error err = {""};
    kmv_points points = {0};
    fixture f = {.n = 4096, .r = 1};
    uint32_t seed = 5;
    kmv_settings s = settings(0.1, 2);
    kmv_report report;
    kmv_plan *plan;

    (void)state;
    clusters(&points, f.n, D, 64, 4, 1.4, 1, 5);
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
    fixture f = {.n = 32768, .r = 1};

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

static void kinds_of_certificates(void **state)
{
    fixture f;
    kmv_report report;
    kmv_plan *plan;

    (void)state;
    make(&f, N, 1, 0, SIGMA);
    plan = product(&f, "certify=range", 1, &report);
    assert_string_equal(report.bound_kind, "range");
    assert_true(report.bound >= error_of(&f) && report.err_est <= 1);
    kmv_plan_destroy(plan);
    plan = product(&f, "certify=none,only=importance", 1, &report);
    assert_string_equal(report.bound_kind, "");
    assert_true(isnan(report.bound) && isnan(report.t_certify_s));
    assert_true(report.err_est > 0.4 && report.err_est < 1); /* what was predicted */
    kmv_plan_destroy(plan);
    clear(&f);
}

/* eps that float32 does not reach. */
static void float64_for_small_eps(void **state)
{
    (void)state;
    for (size_t n = 200; n <= N; n += N - 200) {
        fixture f;
        kmv_report report;
        kmv_plan *plan;

        make(&f, n, 1, 1, SIGMA);
        plan = product(&f, "", 1e-7, &report);
        check_text(&report, "auto: exact-f64", "float32 may be off by");
        assert_true(error_of(&f) <= 1e-12);
        kmv_plan_destroy(plan);
        clear(&f);
    }
}

/* The same y for any number of threads and for a plan made again; another one for the next x. */
static void repeatable(void **state)
{
    double *first;
    fixture f;
    size_t calls;
    kmv_error err = {""};
    kmv_report report;

    (void)state;
    make(&f, N, 1, 0, SIGMA);
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
        /* inputs are two sets of n x D floats */
        assert_true(report.mem_peak_b <= 3 * 2 * N * D * sizeof(float) + 1e6);
        kmv_plan_destroy(plan);
    }
    free(first);
    clear(&f);
}

static void zero_and_forced(void **state)
{
    fixture f;
    kmv_report report;
    kmv_plan *plan;

    (void)state;
    make(&f, N, 1, 0, SIGMA);
    plan = product(&f, "only=exact", 1, &report);
    check_text(&report, "auto: exact, as asked", "");
    kmv_plan_destroy(plan);
    memset(f.x, 0, f.n * sizeof *f.x);
    f.y[5] = 1;
    plan = product(&f, "only=importance", 1, &report);
    CHECK_CLOSE(f.y[5], 0, 0);
    kmv_plan_destroy(plan);
    clear(&f);
    make(&f, 100, 1, 0, SIGMA); /* the only candidate, although n is small */
    plan = product(&f, "only=importance,rows=8", 1, &report);
    check_text(&report, "auto: ", "importance");
    kmv_plan_destroy(plan);
    clear(&f);
    make(&f, 1, 1, 1, SIGMA);
    plan = product(&f, "", 0.1, &report);
    assert_true(error_of(&f) <= 1e-5);
    kmv_plan_destroy(plan);
    clear(&f);
}

/* ---- what it plans with ---------------------------------------------------------------------- */

static kmv_prepare_context context_of(const kmv_settings *s, kmv_cost *cost, char *text)
{
    return (kmv_prepare_context){.settings = s,
                                 .tile = kmv_tile_best(),
                                 .threads = 1,
                                 .key = 5,
                                 .cost = cost,
                                 .text = text,
                                 .text_size = 1};
}

/* Rows of the pilot are rows of the matrix, column norms are theirs, and what is computed first
 * stays when more are added. */
static void pilot(void **state)
{
    enum { SIZE = 90 };
    const kmv_settings s = settings(1, 1);
    kmv_cost cost = {0};
    char text[1];
    const kmv_prepare_context context = context_of(&s, &cost, text);
    double e[SIZE] = {0}, row[SIZE], c2[SIZE], want[SIZE] = {0};
    int seen[SIZE] = {0};
    kmv_error err = {""};
    kmv_pilot p;
    fixture f;

    (void)state;
    make(&f, SIZE, 1, 1, SIGMA);
    CHECK_OK(kmv_pilot_init(&p, &f.problem, &context, 1000, &err));
    assert_int_equal(p.capacity, SIZE);
    CHECK_OK(kmv_pilot_extend(&p, 7, &cost, &err));
    CHECK_OK(kmv_pilot_extend(&p, 1000, &cost, &err));
    assert_int_equal(p.count, SIZE);
    CHECK_CLOSE(cost.pairs, SIZE * SIZE, 0);
    for (size_t j = 0; j < SIZE; j++) { /* column j of the matrix, as float64 sees it */
        e[j] = 1;
        CHECK_OK(kmv_reference_product(&f.problem, NULL, SIZE, e, 1, 1, row, &err));
        e[j] = 0;
        for (size_t i = 0; i < SIZE; i++) {
            /* entries to 1e-5: |p|^2 / sigma^2 < 20 */
            CHECK_CLOSE((double)p.entries[i * p.ld + j], row[p.rows[i]], 1e-5);
            want[j] += row[i] * row[i];
        }
    }
    for (size_t i = 0; i < SIZE; i++)
        seen[p.rows[i]]++;
    kmv_pilot_column_norms(&p, 0, 1, c2);
    for (size_t i = 0; i < SIZE; i++) {
        assert_int_equal(seen[i], 1); /* every row once */
        CHECK_CLOSE(c2[i], want[i], 3e-5 * (1 + want[i]));
    }
    kmv_pilot_drop_entries(&p);
    assert_null(p.entries);
    kmv_pilot_clear(&p);
    clear(&f);
}

/* Whether the keys are packed beforehand or some at a time (960, so in two parts), a row has the
 * same entries: equal points in equal places of a group give equal bits. */
static void pilot_of_unpacked_keys(void **state)
{
    enum { SIZE = 1000, ROWS = 5 };
    const kmv_settings s = settings(1, 1);
    kmv_cost cost = {0};
    char text[1];
    const kmv_prepare_context context = context_of(&s, &cost, text);
    kmv_error err = {""};
    kmv_pilot p[2];
    fixture f;

    (void)state;
    make(&f, SIZE, 1, 0, SIGMA);
    for (size_t packed = 0; packed < 2; packed++) {
        CHECK_OK(kmv_pilot_init(&p[packed], &f.problem, &context, ROWS, &err));
        if (packed)
            CHECK_OK(kmv_pilot_pack_keys(&p[packed], &cost, &err));
        CHECK_OK(kmv_pilot_extend(&p[packed], ROWS, &cost, &err));
    }
    assert_int_equal(p[0].keys.n, 0);
    for (size_t i = 0; i < ROWS; i++)
        assert_memory_equal(p[0].entries + i * p[0].ld, p[1].entries + i * p[1].ld,
                            SIZE * sizeof(float));
    CHECK_CLOSE(kmv_pilot_oracle_pairs(&p[0], 0.5), kmv_pilot_oracle_pairs(&p[1], 0.5), 0);
    kmv_pilot_clear(&p[0]);
    kmv_pilot_clear(&p[1]);
    clear(&f);
}

/* All points in one place: entries 1, F2 = n^2, and eps = 8 needs 1 / (1/64 + 64/64^2) = 32
 * columns. Then keys a hundred sigma away but for one: one pair a row. */
static void oracle_by_hand(void **state)
{
    enum { SIZE = 64 };
    const kmv_settings s = settings(1, 1);
    kmv_cost cost = {0};
    char text[1];
    const kmv_prepare_context context = context_of(&s, &cost, text);
    kmv_error err = {""};
    kmv_pilot p;
    fixture f;

    (void)state;
    make(&f, SIZE, 1, 0, 1);
    memset(f.q.x, 0, SIZE * f.q.ld * sizeof *f.q.x);
    memset(f.k.x, 0, SIZE * f.k.ld * sizeof *f.k.x);
    CHECK_OK(kmv_pilot_init(&p, &f.problem, &context, 10, &err));
    CHECK_OK(kmv_pilot_extend(&p, 10, &cost, &err));
    CHECK_CLOSE(kmv_pilot_oracle_pairs(&p, 8), 32, 1e-3);
    kmv_pilot_clear(&p);
    for (size_t j = 0; j < SIZE; j++)
        f.k.x[j * f.k.ld] = j == 9 ? 0 : 100;
    CHECK_OK(kmv_pilot_init(&p, &f.problem, &context, 10, &err));
    CHECK_OK(kmv_pilot_extend(&p, 10, &cost, &err));
    CHECK_CLOSE(kmv_pilot_oracle_pairs(&p, 0.1), 1, 1e-9);
    kmv_pilot_clear(&p);
    clear(&f);
}

/* Known values of chi^2, and matrices whose directions are known: all columns equal, none alike. */
static void directions(void **state)
{
    enum { SIZE = 64 };
    const kmv_settings s = settings(1, 1);
    kmv_cost cost = {0};
    char text[1];
    const kmv_prepare_context context = context_of(&s, &cost, text);
    kmv_error err = {""};
    kmv_pilot p;
    fixture f;

    (void)state;
    CHECK_CLOSE(kmv_error_safety(1, 0.01), 2.5758293035489, 1e-9); /* the normal's 0.995 */
    CHECK_CLOSE(kmv_error_safety(2, 0.05), sqrt(-log(0.05)), 1e-9);
    /* sqrt(1 + 2.3263 sqrt(2 / nu)) for large nu; and no step where the formula changes */
    CHECK_CLOSE(kmv_error_safety(1e6, 0.01), 1.001644, 2e-6);
    CHECK_CLOSE(kmv_error_safety(1000, 0.01), kmv_error_safety(1001, 0.01), 1e-4);
    for (size_t alike = 0; alike < 2; alike++) {
        make(&f, SIZE, 1, 0, 1);
        for (size_t i = 0; i < SIZE; i++) {
            for (size_t l = 0; l < D; l++)
                f.q.x[i * f.q.ld + l] = f.k.x[i * f.k.ld + l] = alike || l > 0 ? 0 : 100 * (float)i;
        }
        CHECK_OK(kmv_pilot_init(&p, &f.problem, &context, 10, &err));
        CHECK_OK(kmv_pilot_extend(&p, 10, &cost, &err));
        CHECK_CLOSE(kmv_pilot_directions(&p, 8), alike ? 1 : SIZE, 1e-3);
        kmv_pilot_clear(&p);
        clear(&f);
    }
}

static void speeds(void **state)
{
    const kmv_settings s = settings(1, 1);
    const kmv_speeds narrow = kmv_speeds_nominal(kmv_tile_best(), 16, 1);
    const kmv_speeds wide = kmv_speeds_nominal(kmv_tile_best(), 64, 8);
    kmv_cost cost = {0};
    char text[1];
    const kmv_prepare_context context = context_of(&s, &cost, text);
    kmv_error err = {""};
    kmv_speeds measured = {0};
    kmv_report report;
    kmv_plan *plan;
    kmv_pilot p;
    fixture f;

    (void)state;
    assert_true(narrow.pair_s > 0 && wide.pair_s > narrow.pair_s);
    make(&f, 200, 1, 1, SIGMA);
    CHECK_OK(kmv_pilot_init(&p, &f.problem, &context, 10, &err));
    CHECK_OK(kmv_speeds_measure(&p, 1, &measured, &err));
    assert_true(measured.pair_s >= 0 && isfinite(measured.pair_s));
    assert_true(measured.flop_s >= 0 && isfinite(measured.flop_s));
    assert_true(measured.byte_s >= 0 && isfinite(measured.byte_s));
    kmv_pilot_clear(&p);
    clear(&f);
    make(&f, N, 1, 0, SIGMA);
    plan = product(&f, "calibrate=measured,only=importance", 1, &report);
    check_text(&report, "auto: importance", "by predicted cost");
    kmv_plan_destroy(plan);
    clear(&f);
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
        cmocka_unit_test(kinds_of_certificates),
        cmocka_unit_test(float64_for_small_eps),
        cmocka_unit_test(repeatable),
        cmocka_unit_test(zero_and_forced),
        cmocka_unit_test(pilot),
        cmocka_unit_test(pilot_of_unpacked_keys),
        cmocka_unit_test(oracle_by_hand),
        cmocka_unit_test(directions),
        cmocka_unit_test(speeds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

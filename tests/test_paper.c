/* The parts of `paper` - heavy keys, densities - and the whole through plans. */
#include "check.h"

#include <gsl/gsl_randist.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "algo/algo.h"
#include "algo/kde_hash.h"
#include "base/mem.h"
#include "base/rng.h"
#include "data/synth.h"
#include "data/xgen.h"
#include "gauss/reference.h"

static kmv_error err;

/* n x d points N(0, spread^2 I) in units of sigma. */
static kmv_scaled random_points(size_t n, size_t d, double spread, uint64_t index)
{
    gsl_rng *rng = kmv_rng_create(kmv_stream_key(8, "points", index), NULL);
    const double centre[16] = {0};
    kmv_points p = {0};
    kmv_scaled s = {0};

    CHECK_OK(kmv_points_init(&p, n, d, &err));
    for (size_t i = 0; i < n; i++) {
        for (size_t l = 0; l < d; l++)
            p.x[i * p.ld + l] = (float)gsl_ran_gaussian(rng, spread);
    }
    CHECK_OK(kmv_scaled_init(&s, &p, centre, 1, &err));
    kmv_points_clear(&p);
    gsl_rng_free(rng);
    return s;
}

static double distance(const kmv_scaled *q, size_t i, const kmv_scaled *k, size_t j)
{
    return sqrt((double)kmv_scaled_distance2(q->x + i * q->ld, k->x + j * k->ld, k->ld));
}

static const kmv_heavy_spec spec = {
    .alpha = 1.0 / 3, .rho = 0.5, .miss = 0.1, .width = 2, .room = 1, .budget = 4};

/* One pair at the radius, 60 keys far off: found in all but 1 - (1 - p)^tables of 300 searches, to
 * 5 standard deviations (failure probability below 1e-6); and that is at least 1 - miss. */
static void heavy_recall(void **state)
{
    enum { N = 61, SEARCHES = 300 };
    kmv_scaled q = random_points(1, 4, 0, 0), k = random_points(N, 4, 0, 1);
    const double radius = sqrt(2.0 / 3 * log((double)N));
    double found = 0, want = 0;

    (void)state;
    for (size_t j = 1; j < N; j++)
        k.x[j * k.ld] = 1000 + (float)j;
    k.x[0] = (float)(0.999 * radius);
    for (uint64_t key = 0; key < SEARCHES; key++) {
        kmv_cost cost = {0};
        kmv_heavy h = {0};

        CHECK_OK(kmv_heavy_find(&q, &k, &spec, 1, key, &h, &cost, &err));
        CHECK_CLOSE(h.radius, radius, 1e-14);
        want = 1 - pow(1 - pow(kmv_euclid_collision(0.999, 2), (double)h.hashes), (double)h.tables);
        found += (double)h.start[1];
        assert_true(h.start[1] <= 1 && cost.pairs >= (double)h.start[1]);
        kmv_heavy_clear(&h);
    }
    assert_true(want >= 1 - spec.miss);
    CHECK_CLOSE(found / SEARCHES, want, 5 * sqrt(want * (1 - want) / SEARCHES));
    kmv_scaled_clear(&q);
    kmv_scaled_clear(&k);
}

/* Only heavy pairs, each once, ascending, with their entries; the same for any number of threads.
 * 300 queries: three pools, the last one not full. */
static void heavy_rows(void **state)
{
    enum { N_Q = 300, N_K = 60 };
    kmv_scaled q = random_points(N_Q, 3, 0.7, 2), k = random_points(N_K, 3, 0.7, 3);
    kmv_heavy_spec all = {
        .alpha = 1.0 / 3, .rho = 0.5, .miss = 1e-6, .width = 2, .room = 40, .budget = 1e6};
    kmv_heavy one = {0}, two = {0};
    kmv_cost cost = {0};
    size_t heavy = 0;

    (void)state;
    CHECK_OK(kmv_heavy_find(&q, &k, &all, 1, 9, &one, &cost, &err));
    CHECK_OK(kmv_heavy_find(&q, &k, &all, 2, 9, &two, &cost, &err));
    for (size_t i = 0; i < N_Q; i++) {
        assert_int_equal(one.start[i + 1], two.start[i + 1]);
        for (size_t t = one.start[i]; t < one.start[i + 1]; t++) {
            const double r = distance(&q, i, &k, one.key[t]);

            assert_true(r * r <= one.radius * one.radius);
            assert_true(t == one.start[i] || one.key[t] > one.key[t - 1]);
            assert_int_equal(one.key[t], two.key[t]);
            CHECK_CLOSE((double)one.value[t], exp(-r * r / 2), 1e-6);
        }
        for (uint32_t j = 0; j < N_K; j++)
            heavy += distance(&q, i, &k, j) <= one.radius && !kmv_heavy_has(&one, i, j);
    }
    /* each is missed with probability 1e-6 at most: at most 300 * 60 * 1e-6 = 0.02 expected */
    assert_int_equal(heavy, 0);
    assert_int_equal(one.cut_short, 0);
    kmv_heavy_clear(&one);
    kmv_heavy_clear(&two);
    all.room = 0.01; /* 128 * 0.01 * 60^(1/3) = 5.01: six in each of three pools */
    CHECK_OK(kmv_heavy_find(&q, &k, &all, 1, 9, &one, &cost, &err));
    assert_int_equal(one.start[N_Q], 18);
    assert_int_equal(one.cut_short, N_Q); /* all but few at once; those few later */
    kmv_heavy_clear(&one);
    all.room = 40;
    all.budget = 0.2; /* 0.2 * 60^(2/3) = 3.07: four candidates, known or new */
    CHECK_OK(kmv_heavy_find(&q, &k, &all, 1, 9, &one, &cost, &err));
    assert_true(one.evaluated <= 4 * N_Q && one.evaluated > 2 * N_Q);
    assert_int_equal(one.cut_short, N_Q);
    kmv_heavy_clear(&one);
    kmv_heavy_clear(&one);
    kmv_scaled_clear(&q);
    kmv_scaled_clear(&k);
}

/*
 * Single draws at 12 queries: their mean against S, their second moment against the bound of the
 * header and against the part sum_j K^4 / p of it with l = j, which it cannot fall below.
 * Tolerances are 5 standard deviations of means over RUNS: Var Z <= the bound, and Var Z^2 <=
 * Z_max^2 E Z^2 with Z_max = n max K^2 / p; tables are shared among queries, so at most 36
 * statements of 1e-6.
 */
static void density_moments(void **state)
{
    enum { N_Q = 12, N_K = 50, RUNS = 2000 };
    kmv_scaled q = random_points(N_Q, 3, 0.8, 4), k = random_points(N_K, 3, 0.8, 5);
    double mean[N_Q] = {0}, square[N_Q] = {0}, light[N_Q] = {0}, mean_of_light = 0;
    uint32_t members[N_K];
    kmv_heavy heavy = {0};
    kmv_kde_hash e = {0};
    kmv_cost cost = {0};

    (void)state;
    for (uint32_t j = 0; j < N_K; j++)
        members[j] = N_K - 1 - j; /* positions in the list are not keys */
    CHECK_OK(kmv_heavy_find(&q, &k, &spec, 1, 1, &heavy, &cost, &err));
    CHECK_OK(kmv_kde_hash_init(&e, &q, &k, &heavy, 1, 1, 1, &err));
    for (uint64_t run = 0; run < RUNS; run++) {
        const double pairs = kmv_kde_hash_run(&e, members, N_K, 1, run, &cost);

        assert_true(pairs >= 0 && pairs <= N_Q);
        mean_of_light += e.light_mean / RUNS;
        for (size_t i = 0; i < N_Q; i++) {
            mean[i] += e.all[i] / RUNS;
            light[i] += e.light[i] / RUNS;
            square[i] += e.all[i] * e.all[i] / RUNS;
        }
    }
    for (size_t i = 0; i < N_Q; i++) {
        double sum = 0, sum_light = 0, bound = 0, least = 0, largest = 0;

        mean_of_light -= light[i] / N_Q;
        for (uint32_t j = 0; j < N_K; j++) {
            const double r = distance(&q, i, &k, j), p = kmv_kde_hash_collision(&e, r);

            sum += exp(-r * r);
            sum_light += kmv_heavy_has(&heavy, i, j) ? 0 : exp(-r * r);
            least += exp(-2 * r * r) / p;
            largest = fmax(largest, N_K * exp(-r * r) / p);
            for (size_t l = 0; l < N_K; l++) {
                const double other = kmv_kde_hash_collision(&e, distance(&q, i, &k, l));

                bound += exp(-2 * r * r) / (p * p) * fmin(p, other);
            }
        }
        CHECK_CLOSE(mean[i], sum, 5 * sqrt(bound / RUNS));
        CHECK_CLOSE(light[i], sum_light, 5 * sqrt(bound / RUNS));
        assert_true(square[i] <= bound + 5 * largest * sqrt(bound / RUNS));
        assert_true(square[i] >= least - 5 * largest * sqrt(bound / RUNS));
    }
    CHECK_CLOSE(mean_of_light, 0, 1e-9); /* the same numbers, summed in another order */
    kmv_kde_hash_clear(&e);
    kmv_kde_hash_clear(&e);
    kmv_heavy_clear(&heavy);
    kmv_scaled_clear(&q);
    kmv_scaled_clear(&k);
}

/* The median of groups: one key at distance 0 is drawn by every table, so every group says 1. */
static void density_of_one(void **state)
{
    kmv_scaled q = random_points(2, 3, 0, 6), k = random_points(2, 3, 0, 7);
    const uint32_t member = 1;
    kmv_heavy none = {.n_q = 2};
    size_t start[3] = {0};
    kmv_kde_hash e = {0};
    kmv_cost cost = {0};

    (void)state;
    none.start = start;
    q.x[q.ld] = 1e6f; /* the second query's cell is empty */
    CHECK_OK(kmv_kde_hash_init(&e, &q, &k, &none, 1, 3, 1, &err));
    CHECK_CLOSE(kmv_kde_hash_run(&e, &member, 1, 4, 5, &cost), 12, 0);
    CHECK_CLOSE(e.all[0], 1, 0);
    CHECK_CLOSE(e.light[0], 1, 0);
    CHECK_CLOSE(e.all[1], 0, 0);
    CHECK_CLOSE(e.light_mean, 0.5, 1e-15);
    CHECK_CLOSE(cost.pairs, 12, 0);
    kmv_kde_hash_clear(&e);
    kmv_scaled_clear(&q);
    kmv_scaled_clear(&k);
}

/* A synthetic problem with its exact product. */
typedef struct {
    kmv_dataset d;
    kmv_problem problem;
    double *x, *exact, *y;
    double x_norm;
    size_t n;
} fixture;

static fixture make(const char *generator, const char *options, const char *x_kind, uint64_t seed)
{
    fixture f = {0};
    size_t r = 0;

    CHECK_OK(kmv_generate(generator, options, seed, &f.d, &err));
    f.n = f.d.k.n;
    CHECK_OK(kmv_x_make(x_kind, seed, f.n, NULL, 0, &r, &f.x, &err));
    f.exact = calloc(f.d.q.n, sizeof *f.exact);
    f.y = calloc(f.d.q.n, sizeof *f.y);
    f.problem = (kmv_problem){.matrix = KMV_GAUSS, .sigma = f.d.sigma};
    for (size_t j = 0; j < f.n; j++)
        f.x_norm = hypot(f.x_norm, f.x[j]);
    return f;
}

static void finish(fixture *f) /* once it has come to rest */
{
    f->problem.q = &f->d.q;
    f->problem.k = &f->d.k;
    CHECK_OK(kmv_reference_product(&f->problem, NULL, f->d.q.n, f->x, 1, 1, f->exact, &err));
}

static void clear(fixture *f)
{
    kmv_dataset_clear(&f->d);
    kmv_free(f->x);
    free(f->exact);
    free(f->y);
}

static double error_of(const fixture *f)
{
    double sum = 0;

    for (size_t i = 0; i < f->d.q.n; i++)
        sum += (f->y[i] - f->exact[i]) * (f->y[i] - f->exact[i]);
    return sqrt(sum) / f->x_norm;
}

static kmv_plan *plan_of(const fixture *f, const char *options, double eps, uint64_t seed,
                         int threads)
{
    kmv_settings s = KMV_SETTINGS_DEFAULT;
    kmv_plan *plan = NULL;

    s.eps = eps;
    s.seed = seed;
    s.threads = threads;
    CHECK_OK(kmv_plan_create(kmv_algo_find("paper"), &f->problem, options, &s, &plan, &err));
    return plan;
}

/* The number after `name` in the plan's text. */
static double part(const kmv_report *report, const char *name)
{
    const char *at = strstr(report->text, name);

    if (at == NULL)
        fail_msg("'%s' lacks '%s'", report->text, name);
    return strtod(at + strlen(name), NULL);
}

/* Float entries: distances to (ld / 16 + 6) FLT_EPSILON relative, entries below 1e-5 absolute; a
 * matrix of them has norm at most n 1e-5. */
static double float_tol(const fixture *f)
{
    return 1e-5 * (double)f->n;
}

/*
 * eps is met. With safety = 3 the expected squared error is eps^2 / 9 where the estimates bound
 * what they should, so each seed fails with probability at most 1/9 (Markov), and more than 8 of 20
 * with at most 2e-4. The counts of the text add up to those of the costs, and no phase is empty.
 */
static void meets_eps(void **state)
{
    enum { SEEDS = 20 };
    size_t failures = 0;

    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        fixture f = make("planted", "n=300,d=16", seed % 2 ? "gauss" : "ones", seed);
        kmv_report report;
        kmv_plan *plan;
        double null_err = 0;

        finish(&f);
        plan = plan_of(&f, "safety=3,kde_scale=0.5", 0.4, seed, 2);
        CHECK_OK(kmv_plan_apply(plan, f.x, 1, f.y, &report, &err));
        failures += !(error_of(&f) <= 0.4);
        for (size_t i = 0; i < f.d.q.n; i++)
            null_err = hypot(null_err, f.exact[i] / f.x_norm);
        assert_true(null_err > 0.4); /* 0 would not do */
        CHECK_CLOSE(part(&report, "largest=") + part(&report, "kde=") + part(&report, "samples="),
                    report.apply.pairs, 0);
        CHECK_CLOSE(part(&report, "heavy="), report.prepare.pairs, 0);
        CHECK_CLOSE(part(&report, "largest="), 300 * ceil(pow(300, 1 - 0.109)), 0);
        assert_true(part(&report, "heavy=") > 0 && part(&report, "kde=") > 0);
        assert_true(part(&report, "samples=") >= 300 &&
                    part(&report, "samples=") + part(&report, "largest=") < 0.9 * 300 * 300);
        kmv_plan_destroy(plan);
        clear(&f);
    }
    assert_true(failures <= 8);
}

/*
 * Given the heavy keys found - here by one table, so that many are missed - the mean of T applies
 * is the exact product: |mean - exact|^2 has expectation V / T, V the variance of one apply. About
 * n_q independent rows share it, so more than 4 V / T has probability below 1e-9 if they are alike,
 * and 1/4 whatever they are. light_kde only changes how many samples there are.
 */
static void unbiased(void **state)
{
    enum { APPLIES = 300, N = 60 };

    (void)state;
    for (int light = 0; light < 2; light++) {
        fixture f = make("planted", "n=60,d=6", "gauss", 3);
        const char *options = light ? "heavy_miss=0.9,gamma=0.5,kde_scale=0.05,light_kde=yes"
                                    : "heavy_miss=0.9,gamma=0.5,kde_scale=0.05";
        double mean[N] = {0}, square = 0, off = 0, spread;
        kmv_report report;
        kmv_plan *plan;

        finish(&f);
        plan = plan_of(&f, options, 5, 4, 1);
        for (size_t t = 0; t < APPLIES; t++) {
            CHECK_OK(kmv_plan_apply(plan, f.x, 1, f.y, &report, &err));
            for (size_t i = 0; i < N; i++)
                mean[i] += f.y[i] / APPLIES;
            square += pow(error_of(&f) * f.x_norm, 2) / APPLIES;
        }
        for (size_t i = 0; i < N; i++)
            off += pow(mean[i] - f.exact[i], 2);
        spread = square - off;
        assert_true(part(&report, "samples=") < 20 * N); /* of the 52 keys left */
        assert_true(spread > 100 * pow(float_tol(&f), 2));
        assert_true(off <= 4 * spread / APPLIES);
        kmv_plan_destroy(plan);
        clear(&f);
    }
}

/* Everything that is computed, nothing sampled: x with few entries, few points, one huge entry that
 * leaves the rest below n^-4 |x|. */
static void exact_cases(void **state)
{
    static const char *const sizes[] = {"n=1,d=1", "n=2,d=3", "n=3,d=17", "n=9,d=2",
                                        "n=12,n_k=30,d=5"};

    (void)state;
    for (size_t t = 0; t < 5; t++) {
        fixture f = make("iid", sizes[t], "gauss", t + 1);
        kmv_plan *plan;

        finish(&f);
        plan = plan_of(&f, "", 0.1, 1, 1);
        CHECK_OK(kmv_plan_apply(plan, f.x, 1, f.y, NULL, &err));
        CHECK_CLOSE(error_of(&f), 0, float_tol(&f)); /* buckets this small are computed */
        kmv_plan_destroy(plan);
        clear(&f);
    }
    for (int huge = 0; huge < 2; huge++) {
        fixture f = make("planted", "n=300,d=8", huge ? "gauss" : "sparse:20", 5);
        kmv_report report;
        kmv_plan *plan;

        f.x[17] = huge ? 1e15 : 1; /* 300^-4 of it is above every other entry */
        f.x_norm = 0;
        for (size_t j = 0; j < f.n; j++)
            f.x_norm = hypot(f.x_norm, f.x[j]);
        finish(&f);
        plan = plan_of(&f, "", 0.1, 1, 1);
        CHECK_OK(kmv_plan_apply(plan, f.x, 1, f.y, &report, &err));
        CHECK_CLOSE(error_of(&f), 0, float_tol(&f));
        CHECK_CLOSE(part(&report, "samples=") + part(&report, "kde="), 0, 0);
        assert_true(part(&report, "largest=") <= (huge ? 1 : 21) * 300.0);
        kmv_plan_destroy(plan);
        clear(&f);
    }
}

/* Equal bits for 1, 2 and 3 threads, other ones at the next apply; nothing allocated on the way. */
static void threads_keep_bits(void **state)
{
    fixture f = make("planted", "n=300,d=16", "gauss", 6);
    double *first = calloc(f.n, sizeof *first);

    (void)state;
    finish(&f);
    for (int threads = 1; threads <= 3; threads++) {
        kmv_plan *plan = plan_of(&f, "kde_scale=0.3", 0.5, 2, threads);
        const size_t calls = kmv_mem_calls();

        CHECK_OK(kmv_plan_apply(plan, f.x, 1, f.y, NULL, &err));
        assert_int_equal(kmv_mem_calls(), calls);
        if (threads == 1)
            memcpy(first, f.y, f.n * sizeof *first);
        assert_memory_equal(first, f.y, f.n * sizeof *first);
        CHECK_OK(kmv_plan_apply(plan, f.x, 1, f.y, NULL, &err));
        assert_memory_not_equal(first, f.y, f.n * sizeof *first);
        kmv_plan_destroy(plan);
    }
    free(first);
    clear(&f);
}

static void refusals(void **state)
{
    fixture f = make("planted", "n=20,d=2", "ones", 1);
    const kmv_algo *a = kmv_algo_find("paper");
    kmv_settings s = KMV_SETTINGS_DEFAULT;
    kmv_plan *plan = NULL;

    (void)state;
    f.problem.q = &f.d.q;
    f.problem.k = &f.d.k;
    CHECK_FAILS(kmv_plan_create(a, &f.problem, "kde_groups=4", &s, &plan, &err), KMV_ENOTSUP,
                "odd");
    CHECK_FAILS(kmv_plan_create(a, &f.problem, "alpha=0", &s, &plan, &err), KMV_EINVAL, "alpha");
    f.problem.sigma = 1e-20;
    CHECK_FAILS(kmv_plan_create(a, &f.problem, "", &s, &plan, &err), KMV_ENOTSUP, "too small");
    assert_null(plan);
    clear(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heavy_recall),    cmocka_unit_test(heavy_rows),
        cmocka_unit_test(density_moments), cmocka_unit_test(density_of_one),
        cmocka_unit_test(meets_eps),       cmocka_unit_test(unbiased),
        cmocka_unit_test(exact_cases),     cmocka_unit_test(threads_keep_bits),
        cmocka_unit_test(refusals),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The algorithm `probe`: against the float64 reference where everything is found, unbiased with the
 * stated variance where nothing is weighed, eps met by default, odd shapes. */
#include "check.h"

#include <gsl/gsl_randist.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "algo/probe.h"
#include "base/mem.h"
#include "base/rng.h"
#include "gauss/reference.h"
#include "vectors.h"

extern const kmv_algo kmv_algo_probe;

typedef struct {
    kmv_points q, k;
    kmv_problem problem;
    double *x, *exact;
    size_t r;
} fixture;

/* Each query near a key of its own (t apart per coordinate), keys spread by s0. */
static void make(fixture *f, size_t n_q, size_t n_k, size_t d, double s0, double t, size_t r)
{
    gsl_rng *rng = kmv_rng_create(kmv_stream_key(3, "probe", n_q + 7 * d), NULL);
    kmv_error err = {""};

    *f = (fixture){.r = r};
    CHECK_OK(kmv_points_init(&f->q, n_q, d, &err));
    CHECK_OK(kmv_points_init(&f->k, n_k, d, &err));
    for (size_t l = 0; l < d; l++) {
        for (size_t j = 0; j < n_k; j++)
            f->k.x[j * f->k.ld + l] = (float)gsl_ran_gaussian(rng, s0);
        for (size_t i = 0; i < n_q; i++)
            f->q.x[i * f->q.ld + l] =
                f->k.x[i % n_k * f->k.ld + l] + (float)gsl_ran_gaussian(rng, t);
    }
    f->x = calloc(n_k * r, sizeof *f->x);
    f->exact = calloc(n_q * r, sizeof *f->exact);
    for (size_t j = 0; j < n_k * r; j++)
        f->x[j] = gsl_ran_gaussian(rng, 1);
    gsl_rng_free(rng);
    f->problem = (kmv_problem){.q = &f->q, .k = &f->k, .matrix = KMV_GAUSS, .sigma = 1};
}

static void solve(fixture *f)
{
    kmv_error err = {""};

    CHECK_OK(kmv_reference_product(&f->problem, NULL, f->q.n, f->x, f->r, 1, f->exact, &err));
}

static void clear(fixture *f)
{
    kmv_points_clear(&f->q);
    kmv_points_clear(&f->k);
    free(f->x);
    free(f->exact);
}

/* |y - G x| / |x| of one apply of a fresh plan. */
static double error_of(const fixture *f, const char *options, const kmv_settings *settings)
{
    double *y = calloc(f->q.n * f->r, sizeof *y), off;
    kmv_plan *plan = NULL;
    kmv_error err = {""};

    CHECK_OK(kmv_plan_create(&kmv_algo_probe, &f->problem, options, settings, &plan, &err));
    CHECK_OK(kmv_plan_apply(plan, f->x, f->r, y, NULL, &err));
    kmv_plan_destroy(plan);
    for (size_t t = 0; t < f->q.n * f->r; t++)
        y[t] -= f->exact[t];
    off = norm(y, f->q.n * f->r) / norm(f->x, f->k.n * f->r);
    free(y);
    return off;
}

static kmv_settings settings_for(size_t r, double eps)
{
    kmv_settings s = KMV_SETTINGS_DEFAULT;

    s.r = r;
    s.eps = eps;
    s.threads = 1;
    return s;
}

/* All cells, all sketches, all entries kept: the exact product, up to rounding of floats (the bound
 * that exact promises), for any shape. Nothing is left to sample. */
static void everything_found_is_exact(void **unused)
{
    static const struct {
        size_t n_q, n_k, d, r;
    } shape[] = {{1, 1, 1, 1},   {5, 3, 2, 1},      {3, 200, 17, 3},
                 {300, 7, 5, 1}, {600, 700, 20, 3}, {257, 513, 64, 1}};

    (void)unused;
    for (size_t c = 0; c < sizeof shape / sizeof *shape; c++) {
        const kmv_settings s = settings_for(shape[c].r, 0.1);
        fixture f;

        make(&f, shape[c].n_q, shape[c].n_k, shape[c].d, 0.4, 0.1, shape[c].r);
        solve(&f);
        CHECK_CLOSE(error_of(&f, "radius=1e30,bits_apart=64,heavy=1e-37,cell=16", &s), 0,
                    1e-5 * (double)f.q.n);
        clear(&f);
    }
}

/* clip and shrink off: y - G x = sum_j x_j ([j in S]/p_j - 1) G_.j over light entries, of mean 0
 * and with E|y - G x|^2 = sum_j x_j^2 (1/p_j - 1) c_j^2. H is known where all cells and sketches
 * are searched: all entries > tau. */
static void unbiased_with_the_stated_variance(void **unused)
{
    enum { N = 160, D = 3, REPEATS = 2000 };
    const double tau = 0.5;
    kmv_probe_options options = {
        .samples = 30, .cell = 16, .bits_apart = 64, .radius = 1e30, .heavy = tau, .safety = 1};
    kmv_settings settings = settings_for(1, 0.1);
    kmv_cost cost = {0};
    char text[512];
    kmv_prepare_context prepare = {.settings = &settings,
                                   .tile = kmv_tile_best(),
                                   .threads = 1,
                                   .key = 4,
                                   .cost = &cost,
                                   .text = text,
                                   .text_size = sizeof text};
    double y[N], sum[N] = {0}, sum2 = 0, sum4 = 0, want = 0, mean = 0;
    kmv_probe *p = NULL;
    fixture f;
    kmv_error err = {""};

    (void)unused;
    make(&f, N, N, D, 0.6, 0.1, 1);
    solve(&f);
    CHECK_OK(kmv_probe_create(&f.problem, &options, &prepare, INFINITY, &p, &err));
    for (size_t a = 0; a < REPEATS; a++) {
        kmv_apply_context context = {
            .x = f.x, .r = 1, .y = y, .key = kmv_stream_key(8, "apply", a), .cost = &cost};
        double off = 0;

        CHECK_OK(kmv_probe_apply(p, &context, &err));
        for (size_t i = 0; i < N; i++) {
            sum[i] += y[i] - f.exact[i];
            off += pow(y[i] - f.exact[i], 2);
        }
        sum2 += off;
        sum4 += off * off;
    }
    for (size_t j = 0; j < N; j++) {
        double c2 = 0;

        for (size_t i = 0; i < N; i++) {
            double r2 = 0, g;

            for (size_t l = 0; l < D; l++)
                r2 += pow((double)f.q.x[i * f.q.ld + l] - (double)f.k.x[j * f.k.ld + l], 2);
            g = exp(-r2 / 2);
            c2 += g > tau ? 0 : g * g;
        }
        want += f.x[j] * f.x[j] * (1 / p->p[j] - 1) * c2;
    }
    for (size_t i = 0; i < N; i++)
        mean += sum[i] / REPEATS * (sum[i] / REPEATS);
    /* E|mean error|^2 = V / REPEATS; by Markov it exceeds 20 times that with probability <= 1/20
     * for a bad seed, and the seed is fixed; a bias of V would show as REPEATS times. */
    assert_true(mean <= 20 * want / REPEATS);
    /* Five standard errors of the mean of |y - G x|^2, by its own spread: probability < 1e-6. */
    CHECK_CLOSE(sum2 / REPEATS, want,
                5 * sqrt((sum4 / REPEATS - pow(sum2 / REPEATS, 2)) / REPEATS));
    kmv_probe_destroy(p);
    kmv_probe_destroy(NULL);
    kmv_algo_probe.destroy(NULL);
    clear(&f);
}

/* With the defaults the error is predicted, not proved; with room of 1.5 the fixed seeds of these
 * sets keep within eps, and what answers 0 does not. */
static void eps_is_met(void **unused)
{
    enum { N = 2000, D = 16 };
    const kmv_settings s = settings_for(1, 0.1);
    fixture f;

    (void)unused;
    make(&f, N, N, D, 0.7, 0.2, 1);
    solve(&f);
    assert_true(norm(f.exact, N) > 0.3 * norm(f.x, N));
    CHECK_CLOSE(error_of(&f, "", &s), 0, 0.1);
    for (size_t j = 0; j < N; j++) /* one sign: nothing cancels */
        f.x[j] = fabs(f.x[j]);
    solve(&f);
    assert_true(norm(f.exact, N) > 1.5 * norm(f.x, N));
    CHECK_CLOSE(error_of(&f, "", &s), 0, 0.15);
    for (size_t j = 0; j < N; j++) /* a few entries hold nearly all of x: they are exact */
        f.x[j] = j % 500 == 0 ? 1 : 1e-4;
    solve(&f);
    CHECK_CLOSE(error_of(&f, "", &s), 0, 0.1);
    clear(&f);
}

static void columns_are_independent_products(void **unused)
{
    enum { N = 1000, D = 24, R = 3 };
    const kmv_settings s = settings_for(R, 0.1);
    fixture f;

    (void)unused;
    make(&f, N, N, D, 0.8, 0.15, R);
    solve(&f);
    CHECK_CLOSE(error_of(&f, "", &s), 0, 0.15);
    for (size_t t = 0; t < N * R; t++) /* one column signed, two not */
        f.x[t] = t % R == 0 ? f.x[t] : fabs(f.x[t]);
    solve(&f);
    CHECK_CLOSE(error_of(&f, "", &s), 0, 0.15);
    clear(&f);
}

/* All keys the same: no plane divides them, every entry of a row is the same. */
static void equal_keys(void **unused)
{
    enum { N = 700, D = 9 };
    const kmv_settings s = settings_for(1, 0.1);
    fixture f;

    (void)unused;
    make(&f, N, N, D, 0.3, 0.1, 1);
    for (size_t j = 1; j < N; j++)
        memcpy(f.k.x + j * f.k.ld, f.k.x, D * sizeof(float));
    solve(&f);
    CHECK_CLOSE(error_of(&f, "", &s), 0, 0.15);
    for (size_t i = 0; i < N * f.q.ld; i++) /* and queries far from all: the result is zero */
        f.q.x[i] += i % f.q.ld < D ? 40 : 0;
    solve(&f);
    CHECK_CLOSE(error_of(&f, "", &s), 0, 1e-30);
    clear(&f);
}

/* Each key four times, each query near four keys, x of one sign: entries that lie together are
 * missed together and add up. Planned as if their signs were random, more than half of these seeds
 * missed eps, by up to 2.1 times. */
static void duplicate_keys(void **unused)
{
    enum { N = 4096, D = 64, COPIES = 4 };
    fixture f;

    (void)unused;
    make(&f, N, N, D, 0.5, 0.1, 1);
    for (size_t j = 0; j < N; j++) { /* copies far apart, or next to each other */
        const size_t of = j % 2 == 0 ? j / (2 * COPIES) * (2 * COPIES) : j % (N / COPIES) | 1;

        memcpy(f.k.x + j * f.k.ld, f.k.x + of * f.k.ld, D * sizeof(float));
        f.x[j] = 1;
    }
    for (size_t i = 0; i < N; i++) {
        const float *near = f.k.x + (N - 1 - i) * f.k.ld;

        for (size_t l = 0; l < D; l++) /* 0.1 apart in each coordinate, signs by bits */
            f.q.x[i * f.q.ld + l] = near[l] + ((i * 2654435761u >> (l % 31)) & 1 ? 0.1f : -0.1f);
    }
    solve(&f);
    assert_true(norm(f.exact, N) > 2 * norm(f.x, N));
    for (uint64_t seed = 1; seed <= 8; seed++) {
        kmv_settings s = settings_for(1, 0.1);

        s.seed = seed;
        CHECK_CLOSE(error_of(&f, "", &s), 0, 0.1);
    }
    clear(&f);
}

/* Origins of queries and keys are part of the points. */
static void origins_count(void **unused)
{
    enum { N = 500, D = 12 };
    const kmv_settings s = settings_for(1, 0.1);
    fixture f;

    (void)unused;
    make(&f, N, N, D, 0.8, 0.15, 1);
    for (size_t l = 0; l < D; l++) {
        f.q.origin[l] = 1000;
        f.k.origin[l] = 1000.125;
    }
    solve(&f);
    assert_true(norm(f.exact, N) > 0.3 * norm(f.x, N));
    CHECK_CLOSE(error_of(&f, "", &s), 0, 0.1);
    CHECK_CLOSE(error_of(&f, "radius=1e30,bits_apart=64,heavy=1e-37", &s), 0, 1e-4);
    clear(&f);
}

static void threads_change_no_bit_and_nothing_is_allocated(void **unused)
{
    enum { N = 3000, D = 20 };
    double *y[2] = {calloc(N, sizeof(double)), calloc(N, sizeof(double))};
    const char *options[] = {"", "samples=100", "clip=no,shrink=no,samples=100"};
    fixture f;

    (void)unused;
    make(&f, N, N, D, 0.7, 0.15, 1);
    for (size_t j = 0; j < N; j++)
        f.x[j] = fabs(f.x[j]);
    for (size_t o = 0; o < 3; o++) {
        for (size_t t = 0; t < 2; t++) {
            kmv_settings s = settings_for(1, 0.1);
            kmv_plan *plan = NULL;
            kmv_report report;
            kmv_error err = {""};
            size_t calls;

            s.threads = (int)t + 1;
            CHECK_OK(kmv_plan_create(&kmv_algo_probe, &f.problem, options[o], &s, &plan, &err));
            calls = kmv_mem_calls();
            CHECK_OK(kmv_plan_apply(plan, f.x, 1, y[t], &report, &err));
            assert_int_equal(kmv_mem_calls(), calls);
            assert_true(report.prepare.pairs > 0 && report.prepare.flops > 0);
            kmv_plan_destroy(plan);
        }
        assert_memory_equal(y[0], y[1], N * sizeof(double));
    }
    free(y[0]);
    free(y[1]);
    clear(&f);
}

/* Mean errors over seeds with clip and without: the first must be less than half of the second. */
static void clip_halves_the_error(double spread, const char *crude)
{
    enum { N = 2000, D = 16, SEEDS = 8 };
    double with = 0, without = 0;
    fixture f;

    make(&f, N, N, D, spread, 0.15, 1);
    solve(&f);
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        kmv_settings s = settings_for(1, 0.1);
        char options[128];

        s.seed = seed;
        snprintf(options, sizeof options, "%s,clip=yes", crude);
        with += error_of(&f, options, &s) / SEEDS;
        snprintf(options, sizeof options, "%s,clip=no", crude);
        without += error_of(&f, options, &s) / SEEDS;
    }
    assert_true(with < without / 2);
    clear(&f);
}

/* 1/p grows without bound where heavy pairs are missed; clip finds those of the sample. A search
 * that visits one cell only, with clip, must do much better than without. */
static void clipping_tames_missed_pairs(void **unused)
{
    (void)unused;
    clip_halves_the_error(1.2, "radius=1e-6,bits_apart=20,samples=100,shrink=no");
}

/* All cells are visited, but sketches may differ in 2 bits only, so that most heavy pairs are
 * missed: with a sample of a twentieth they would count twenty times. Clipping looks 8 bits further
 * for entries that would jump so. */
static void clipping_looks_further_for_what_would_jump(void **unused)
{
    (void)unused;
    clip_halves_the_error(2.0, "radius=1e30,bits_apart=2,samples=100,shrink=no");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_found_is_exact),
        cmocka_unit_test(unbiased_with_the_stated_variance),
        cmocka_unit_test(eps_is_met),
        cmocka_unit_test(columns_are_independent_products),
        cmocka_unit_test(equal_keys),
        cmocka_unit_test(duplicate_keys),
        cmocka_unit_test(origins_count),
        cmocka_unit_test(threads_change_no_bit_and_nothing_is_allocated),
        cmocka_unit_test(clipping_tames_missed_pairs),
        cmocka_unit_test(clipping_looks_further_for_what_would_jump),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

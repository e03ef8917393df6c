/* Certificates: bounds of a mean by hand and in simulation, the assumption-free share, and the
 * certificate of products with errors that are known. */
#include "check.h"

#include <gsl/gsl_randist.h>
#include <stdlib.h>
#include <string.h>

#include "algo/certificate.h"
#include "base/mem.h"
#include "base/rng.h"
#include "gauss/reference.h"
#include "vectors.h"

static void unseen_share(void **state)
{
    (void)state;
    CHECK_CLOSE(kmv_unseen_share(1, 0.05), 0.95, 1e-15);
    CHECK_CLOSE(kmv_unseen_share(2, 0.25), 0.5, 1e-15);
    CHECK_CLOSE(kmv_unseen_share(0, 0.05), 1, 0);
    /* 1 - delta^(1/M) <= ln(1/delta) / M, and near it for large M */
    CHECK_CLOSE(kmv_unseen_share(1000, 0.01), log(100) / 1000, 2e-5);
    assert_true(kmv_unseen_share(1000, 0.01) < log(100) / 1000);
}

/* mean 2, s^2 = 8/3, largest 4: by the formula with L = ln(1/delta). */
static void model_by_hand(void **state)
{
    const double z[4] = {0, 2, 2, 4}, log_term = log(20);

    (void)state;
    CHECK_CLOSE(kmv_mean_bound_model(z, 4, 0.05), 2 + sqrt(8.0 / 3 * 2 * log_term / 4) + log_term,
                1e-14);
}

/* One value: the stake is the cap 0.9 (0.25 in the variance, so that sqrt(2 L / 0.25) > 0.9), the
 * wealth 1 + 0.9 (m - z) <= 1.9 < 1/delta, and nothing can be said. Two zeros and delta = 0.5: both
 * stakes capped, (1 + 0.9 m)^2 = 2. */
static void range_by_hand(void **state)
{
    const double z[2] = {0, 0};

    (void)state;
    CHECK_CLOSE(kmv_mean_bound_range(z, 1, 7, 0.05), 7, 0);
    CHECK_CLOSE(kmv_mean_bound_range(z, 2, 10, 0.5), 10 * (sqrt(2) - 1) / 0.9, 1e-12);
    CHECK_CLOSE(kmv_mean_bound_range(z, 2, 0, 0.5), 0, 0);
}

/* The bound scales with the values, and adding to a value cannot lower that of `model`. */
static void scaling(void **state)
{
    double z[64], twice[64];

    (void)state;
    for (size_t t = 0; t < 64; t++) {
        z[t] = (double)((t * 37) % 64) / 64;
        twice[t] = 8 * z[t];
    }
    CHECK_CLOSE(kmv_mean_bound_range(twice, 64, 8, 0.01), 8 * kmv_mean_bound_range(z, 64, 1, 0.01),
                1e-13);
    CHECK_CLOSE(kmv_mean_bound_model(twice, 64, 0.01), 8 * kmv_mean_bound_model(z, 64, 0.01),
                1e-13);
    /* Nothing below the mean: a bound that were would be one of something else. */
    assert_true(kmv_mean_bound_range(z, 64, 1, 0.01) > 63.0 / 128);
    assert_true(kmv_mean_bound_range(z, 64, 1, 0.5) < kmv_mean_bound_range(z, 64, 1, 0.01));
}

/* ---- coverage in simulation ------------------------------------------------------------------ */

/* Squared row errors of the kinds that products leave: a population of N with a share `rare` of
 * rows that are `factor` times as large in e, or a Gaussian times exp(spread N(0, 1)). */
typedef struct {
    const char *name;
    double rare, factor, spread;
    double model_least; /* of `model`, in percent: what the table of docs/certificate.md says, less
                           six standard deviations of REPEATS binomial draws */
} population;

enum { N = 4096, M = 256, REPEATS = 400 };
static const double DELTA = 0.01;

static const population populations[] = {
    {"Gaussian", 0, 1, 0, 97},
    {"Gaussian times lognormal(1/2)", 0, 1, 0.5, 97},
    {"Gaussian times lognormal(1)", 0, 1, 1, 88},
    {"5 % of rows 10 times as large", 0.05, 10, 0, 93},
    {"2 % of rows 10 times as large", 0.02, 10, 0, 78},
    {"1 % of rows 10 times as large", 0.01, 10, 0, 60},
    {"1 % of rows 30 times as large", 0.01, 30, 0, 60},
};

static double fill(const population *p, gsl_rng *rng, double *e2, double *largest)
{
    double sum = 0;

    *largest = 0;
    for (size_t i = 0; i < N; i++) {
        double e = gsl_ran_gaussian(rng, 1) * exp(p->spread * gsl_ran_gaussian(rng, 1));

        e *= gsl_rng_uniform(rng) < p->rare ? p->factor : 1;
        e2[i] = e * e;
        sum += e2[i];
        *largest = fmax(*largest, e2[i]);
    }
    return sum / N;
}

static int by_value(const void *a, const void *b)
{
    const double u = *(const double *)a, v = *(const double *)b;

    return (u > v) - (u < v);
}

/* The table of docs/certificate.md: coverage and median of bound/true, as errors (roots), of rows
 * drawn uniformly. `range` gets twice the largest value as its range. */
static void coverage(void **state)
{
    gsl_rng *rng = kmv_rng_create(kmv_stream_key(17, "coverage", 0), NULL);
    double *e2 = calloc(N, sizeof *e2), z[M], ratio[2][REPEATS];

    (void)state;
    print_message("%-32s %10s %8s %10s %8s\n", "errors", "model %", "ratio", "range %", "ratio");
    for (size_t k = 0; k < sizeof populations / sizeof *populations; k++) {
        size_t covered[2] = {0};

        for (size_t t = 0; t < REPEATS; t++) {
            double largest, bound[2];
            const double mean = fill(&populations[k], rng, e2, &largest);

            for (size_t s = 0; s < M; s++)
                z[s] = e2[gsl_rng_uniform_int(rng, N)];
            bound[0] = kmv_mean_bound_model(z, M, DELTA);
            bound[1] = kmv_mean_bound_range(z, M, 2 * largest, DELTA);
            for (size_t b = 0; b < 2; b++) {
                covered[b] += bound[b] >= mean;
                ratio[b][t] = sqrt(bound[b] / mean);
            }
        }
        for (size_t b = 0; b < 2; b++)
            qsort(ratio[b], REPEATS, sizeof **ratio, by_value);
        print_message("%-32s %10.1f %8.2f %10.1f %8.2f\n", populations[k].name,
                      100.0 * (double)covered[0] / REPEATS, ratio[0][REPEATS / 2],
                      100.0 * (double)covered[1] / REPEATS, ratio[1][REPEATS / 2]);
        assert_true((double)covered[0] >= populations[k].model_least / 100 * REPEATS);
        /* Proved: each misses with probability at most 0.01; more than 4 + 6 sqrt(4) of 400 with
         * probability below 1e-5 (Poisson). */
        assert_true(REPEATS - covered[1] <= 16);
    }
    free(e2);
    gsl_rng_free(rng);
}

/* Two-point values at the edge, where bounds are hardest: coverage holds for every share, order and
 * sample size that is tried. 1000 draws of at most 0.05: more than 50 + 6 sqrt(50) misses have a
 * probability below 1e-7. */
static void range_holds_for_two_points(void **state)
{
    static const double shares[] = {0.003, 0.02, 0.1, 0.5, 0.95};
    gsl_rng *rng = kmv_rng_create(kmv_stream_key(18, "two points", 0), NULL);
    double z[200];

    (void)state;
    for (size_t k = 0; k < 5; k++) {
        for (size_t count = 20; count <= 200; count *= 10) {
            size_t misses = 0;

            for (size_t t = 0; t < 1000; t++) {
                for (size_t s = 0; s < count; s++)
                    z[s] = gsl_rng_uniform(rng) < shares[k];
                misses += kmv_mean_bound_range(z, count, 1, 0.05) < shares[k];
            }
            assert_true(misses <= 92);
        }
    }
    gsl_rng_free(rng);
}

/* ---- certificates of products ---------------------------------------------------------------- */

enum { ROWS = 300, KEYS = 200, D = 5 };

typedef struct {
    kmv_points q, k;
    kmv_problem problem;
    double *x, *y, *error; /* y = G x + error */
    double *centre;
    kmv_packed keys;
    kmv_workspace *workspace;
    size_t r;
    kmv_certifier_setup setup;
} fixture;

static void make(fixture *f, size_t r, int causal, int threads)
{
    gsl_rng *rng = kmv_rng_create(kmv_stream_key(5, "certificate", r), NULL);
    kmv_error err = {""};
    kmv_cost cost = {0};
    const size_t n_q = causal ? KEYS : ROWS;

    *f = (fixture){.r = r};
    CHECK_OK(kmv_points_init(&f->q, n_q, D, &err));
    CHECK_OK(kmv_points_init(&f->k, KEYS, D, &err));
    for (size_t l = 0; l < D; l++) {
        for (size_t i = 0; i < n_q; i++)
            f->q.x[i * f->q.ld + l] = (float)gsl_ran_gaussian(rng, 0.5);
        for (size_t j = 0; j < KEYS; j++)
            f->k.x[j * f->k.ld + l] = (float)gsl_ran_gaussian(rng, 0.5);
    }
    f->problem =
        (kmv_problem){.q = &f->q, .k = &f->k, .matrix = KMV_GAUSS, .sigma = 1, .causal = causal};
    f->x = calloc(KEYS * r, sizeof *f->x);
    f->y = calloc(n_q * r, sizeof *f->y);
    f->error = calloc(n_q * r, sizeof *f->error);
    f->centre = calloc(D, sizeof *f->centre);
    for (size_t j = 0; j < KEYS * r; j++)
        f->x[j] = gsl_ran_gaussian(rng, 3);
    CHECK_OK(kmv_reference_product(&f->problem, NULL, n_q, f->x, r, 1, f->y, &err));
    for (size_t i = 0; i < n_q * r; i++) {
        f->error[i] = gsl_ran_gaussian(rng, i % 8 == 0 ? 12 : 3);
        f->y[i] += f->error[i];
    }
    gsl_rng_free(rng);
    kmv_centre(&f->problem, f->centre);
    CHECK_OK(kmv_packed_init(&f->keys, kmv_tile_best(), KMV_KEYS, KEYS, D, 0, &err));
    kmv_pack(&f->keys, &f->problem, f->centre, NULL, KEYS, 1, &cost);
    CHECK_OK(kmv_workspace_create(kmv_tile_best(), n_q, KEYS, r, threads, &f->workspace, &err));
    f->setup = (kmv_certifier_setup){.problem = &f->problem,
                                     .centre = f->centre,
                                     .keys = &f->keys,
                                     .workspace = f->workspace,
                                     .columns = r,
                                     .rows = 64,
                                     .kind = KMV_CERTIFY_MODEL,
                                     .threads = threads};
}

static void clear(fixture *f)
{
    kmv_points_clear(&f->q);
    kmv_points_clear(&f->k);
    kmv_packed_clear(&f->keys);
    kmv_workspace_destroy(f->workspace);
    free(f->x);
    free(f->y);
    free(f->error);
    free(f->centre);
}

static double true_error(const fixture *f)
{
    return sqrt(norm2(f->error, f->problem.q->n * f->r) / norm2(f->x, KEYS * f->r));
}

static kmv_certificate certify(const fixture *f, kmv_certifier *c, uint64_t key, double delta)
{
    kmv_cost cost = {0};
    const kmv_apply_context context = {.x = f->x, .r = f->r, .y = f->y, .cost = &cost};
    kmv_certificate out;
    const size_t calls = kmv_mem_calls();

    kmv_certify(c, &context, key, delta, &out);
    assert_int_equal(kmv_mem_calls(), calls); /* allocates nothing */
    assert_true(cost.pairs > 0 && cost.pairs <= 64.0 * KEYS);
    return out;
}

/* The square of err_est is unbiased, whichever way rows are drawn; the bounds cover. */
static void of_products(void **state)
{
    enum { DRAWS = 600 };
    static const double shares[] = {0, 0.5};

    (void)state;
    for (size_t v = 0; v < 8; v++) {
        const int causal = (v >> 1) & 1, range = (v >> 2) & 1;
        fixture f;
        kmv_certifier *c = NULL;
        kmv_error err = {""};
        double mean = 0, square = 0, truth2;
        size_t covered = 0;

        make(&f, causal ? 3 : 1, causal, 1);
        f.setup.share = shares[v & 1];
        f.setup.kind = range ? KMV_CERTIFY_RANGE : KMV_CERTIFY_MODEL;
        CHECK_OK(kmv_certifier_create(&f.setup, &c, &err));
        truth2 = pow(true_error(&f), 2);
        for (size_t t = 0; t < DRAWS; t++) {
            const kmv_certificate got = certify(&f, c, t, 0.05);
            const double est2 = got.err_est * got.err_est;

            mean += est2 / DRAWS;
            square += est2 * est2 / DRAWS;
            covered += got.bound >= sqrt(truth2);
            assert_true(got.bound > got.err_est);
            assert_true(got.share > 0 && got.share < 1 && got.row_max > 0);
        }
        /* Six standard errors; and they are small enough for a wrong weight to show. */
        CHECK_CLOSE(mean, truth2, 6 * sqrt((square - mean * mean) / DRAWS));
        assert_true(6 * sqrt((square - mean * mean) / DRAWS) < 0.4 * truth2);
        /* range: at most 5 % misses, 30 + 6 sqrt(30) of 600 < 1e-6. model: 92 % were measured. */
        assert_true(covered >= DRAWS - 63 - (range ? 0 : 20));
        kmv_certifier_destroy(c);
        clear(&f);
    }
}

/* Errors only where y is large: rows drawn by |y_i|^2 find them, uniform ones mostly do not. */
static void draws_where_y_is_large(void **state)
{
    double spread[2] = {0};

    (void)state;
    for (size_t v = 0; v < 2; v++) {
        fixture f;
        kmv_certifier *c = NULL;
        kmv_error err = {""};

        make(&f, 1, 0, 1);
        for (size_t i = 0; i < ROWS; i++) {
            f.y[i] += (i % 50 == 7 ? 500 : 0) - f.error[i];
            f.error[i] = i % 50 == 7 ? 500 : 0;
        }
        f.setup.share = v == 0 ? 0 : 0.5;
        CHECK_OK(kmv_certifier_create(&f.setup, &c, &err));
        for (size_t t = 0; t < 200; t++)
            spread[v] += fabs(certify(&f, c, t, 0.05).err_est / true_error(&f) - 1) / 200;
        kmv_certifier_destroy(c);
        clear(&f);
    }
    assert_true(spread[1] < spread[0] / 2);
}

static void same_for_any_threads(void **state)
{
    kmv_certificate got[2];

    (void)state;
    for (int threads = 1; threads <= 2; threads++) {
        fixture f;
        kmv_certifier *c = NULL;
        kmv_error err = {""};

        make(&f, 1, 1, threads);
        f.setup.share = 0.5;
        CHECK_OK(kmv_certifier_create(&f.setup, &c, &err));
        got[threads - 1] = certify(&f, c, 77, 0.05);
        kmv_certifier_destroy(c);
        clear(&f);
    }
    assert_memory_equal(&got[0], &got[1], sizeof got[0]);
}

/* A y that is not finite has no bound; a y that is exact has one of rounding's size. */
static void edges(void **state)
{
    fixture f;
    kmv_certifier *c = NULL;
    kmv_error err = {""};
    kmv_certificate got;

    (void)state;
    make(&f, 1, 0, 1);
    f.setup.share = 0.5;
    f.setup.rounding = 0.125;
    CHECK_OK(kmv_certifier_create(&f.setup, &c, &err));
    for (size_t i = 0; i < ROWS; i++)
        f.y[i] -= f.error[i];
    got = certify(&f, c, 1, 0.05);
    CHECK_CLOSE(got.err_est, 0, 1e-4); /* float entries to 1e-5, |G|x|| <= 30 |x| */
    CHECK_CLOSE(got.bound, 0.125, 1e-3);
    f.y[3] = NAN;
    got = certify(&f, c, 1, 0.05);
    assert_true(isinf(got.bound));
    memset(f.y, 0, ROWS * sizeof *f.y); /* no weights to draw by: all uniform */
    got = certify(&f, c, 1, 0.05);
    assert_true(got.err_est > 0.1 && isfinite(got.bound));
    CHECK_CLOSE(got.share, kmv_unseen_share(64, 0.05), 0);
    kmv_certifier_destroy(c);
    kmv_certifier_destroy(NULL);
    clear(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unseen_share),
        cmocka_unit_test(model_by_hand),
        cmocka_unit_test(range_by_hand),
        cmocka_unit_test(scaling),
        cmocka_unit_test(coverage),
        cmocka_unit_test(range_holds_for_two_points),
        cmocka_unit_test(of_products),
        cmocka_unit_test(draws_where_y_is_large),
        cmocka_unit_test(same_for_any_threads),
        cmocka_unit_test(edges),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

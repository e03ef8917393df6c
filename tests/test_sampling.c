/* Column sampling: probabilities, draws, unbiasedness and the stated variance; `uniform` and
 * `importance` through plans. */
#include "check.h"

#include <gsl/gsl_randist.h>
#include <stdlib.h>
#include <string.h>

#include "algo/column_sample.h"
#include "base/mem.h"
#include "base/rng.h"
#include "gauss/reference.h"
#include "vectors.h"

enum { N_Q = 60, N_K = 90, D = 4, REPEATS = 1000 };

typedef struct {
    kmv_points q, k;
    kmv_problem problem;
    double *x, *exact;
    size_t r;
} fixture;

static fixture make(size_t r, int causal)
{
    gsl_rng *rng = kmv_rng_create(kmv_stream_key(3, "sampling", r), NULL);
    fixture f = {.r = r};
    kmv_error err = {""};

    CHECK_OK(kmv_points_init(&f.q, N_Q, D, &err));
    CHECK_OK(kmv_points_init(&f.k, N_K, D, &err));
    for (size_t l = 0; l < D; l++) {
        for (size_t i = 0; i < N_Q; i++)
            f.q.x[i * f.q.ld + l] = (float)gsl_ran_gaussian(rng, 0.5);
        for (size_t j = 0; j < N_K; j++)
            f.k.x[j * f.k.ld + l] = (float)gsl_ran_gaussian(rng, 0.5);
    }
    f.x = calloc(N_K * r, sizeof *f.x);
    f.exact = calloc(N_Q * r, sizeof *f.exact);
    for (size_t j = 0; j < N_K * r; j++)
        f.x[j] = gsl_ran_gaussian(rng, 1);
    gsl_rng_free(rng);
    f.problem = (kmv_problem){.matrix = KMV_GAUSS, .sigma = 1, .causal = causal};
    return f;
}

/* Fills in what depends on x and on where the fixture lives. */
static void finish(fixture *f)
{
    kmv_error err = {""};

    f->problem.q = &f->q;
    f->problem.k = &f->k;
    CHECK_OK(kmv_reference_product(&f->problem, NULL, N_Q, f->x, f->r, 1, f->exact, &err));
}

static void clear(fixture *f)
{
    kmv_points_clear(&f->q);
    kmv_points_clear(&f->k);
    free(f->x);
    free(f->exact);
}

static kmv_plan *plan_of(const fixture *f, const char *name, const char *options,
                         const kmv_settings *settings)
{
    kmv_plan *plan = NULL;
    kmv_error err = {""};

    CHECK_OK(kmv_plan_create(kmv_algo_find(name), &f->problem, options, settings, &plan, &err));
    return plan;
}

/* Float tiles: entries to a few times 1e-6 here (|p|^2/sigma^2 < 10), so of |G|x|| <= 90 |x|. */
static double float_tol(const fixture *f)
{
    return 1e-5 * N_K * sqrt(norm2(f->x, N_K * f->r));
}

static void probabilities(void **state)
{
    const double score[6] = {0, 1, 2, 3, 100, 1000};
    double p[6], sum = 0;

    (void)state;
    kmv_sample_probabilities(score, 6, 3.2, p); /* both large ones saturate: 1.2 over 1 + 2 + 3 */
    CHECK_CLOSE(p[0], 0, 0);
    CHECK_CLOSE(p[1], 0.2, 1e-15);
    CHECK_CLOSE(p[2], 0.4, 1e-15);
    CHECK_CLOSE(p[3], 0.6, 1e-15);
    CHECK_CLOSE(p[4], 1, 0);
    CHECK_CLOSE(p[5], 1, 0);
    kmv_sample_probabilities(score, 6, 0.5, p);
    for (size_t j = 0; j < 6; j++)
        sum += p[j];
    CHECK_CLOSE(sum, 0.5, 1e-15);
    CHECK_CLOSE(p[5] / p[4], 10, 1e-14);
    kmv_sample_probabilities(score, 6, 5, p);
    for (size_t j = 1; j < 6; j++)
        CHECK_CLOSE(p[j], 1, 0);
    kmv_sample_probabilities(score, 6, 60, p);
    CHECK_CLOSE(p[1], 1, 0);
    CHECK_CLOSE(p[0], 0, 0); /* never drawn, and it need not be */
}

/* Scores over 200 orders of magnitude: the sum is still m. */
static void probabilities_of_steep_scores(void **state)
{
    double score[200], p[200], sum = 0;

    (void)state;
    for (size_t j = 0; j < 200; j++)
        score[j] = pow(10, (double)j - 100);
    kmv_sample_probabilities(score, 200, 30.5, p);
    for (size_t j = 0; j < 200; j++)
        sum += p[j];
    CHECK_CLOSE(sum, 30.5, 1e-12);
}

static void draws(void **state)
{
    const double p[5] = {0, 1, 0.25, 1, 0.5};
    gsl_rng *rng = kmv_rng_create(11, NULL);
    size_t index[5], kept[5] = {0};
    double weight[5];

    (void)state;
    for (size_t t = 0; t < 4000; t++) {
        const size_t count = kmv_sample_draw(p, 5, rng, index, weight);

        for (size_t s = 0; s < count; s++) {
            kept[index[s]]++;
            CHECK_CLOSE(weight[s], 1 / p[index[s]], 0);
            assert_true(s == 0 || index[s] > index[s - 1]);
        }
    }
    assert_int_equal(kept[0], 0);
    assert_int_equal(kept[1], 4000);
    assert_int_equal(kept[3], 4000);
    /* Binomial, sd 27.4 and 31.6: six sd, failure below 1e-8. */
    CHECK_CLOSE((double)kept[2], 1000, 6 * 27.4);
    CHECK_CLOSE((double)kept[4], 2000, 6 * 31.6);
    gsl_rng_free(rng);
}

/* V and the deviation by hand: one uncertain column with p = 1/5, x = 2, c = 3. */
static void variance_by_hand(void **state)
{
    const double x2[2] = {4, 7}, c2[2] = {9, 1}, p[2] = {0.2, 1};
    const double t = kmv_sample_deviation(x2, c2, p, 2, 0.01), log_term = log(200);

    (void)state;
    CHECK_CLOSE(kmv_sample_variance(x2, c2, p, 2), 36 * 4, 1e-12);
    CHECK_CLOSE(t * t, log_term * (2 * 144 + 2 * (2 * 3 * 4) * t / 3), 1e-9 * t * t);
}

/* By hand: columns 0 and 1 share the mean of 1 and 3, columns 2 and 3 that of 8 and 10; the other
 * way about 1 and 3 are alone and 8 and 10 share a bin. Half of either. */
static void calibrated_norms(void **state)
{
    const double fit[4] = {0, 0, 4, 5}, check[4] = {1, 3, 8, 10};
    double c2[4];

    (void)state;
    kmv_sample_calibrate(fit, check, 4, 0, c2);
    CHECK_CLOSE(c2[0], 2.0 / 2 + 0, 1e-12);
    CHECK_CLOSE(c2[1], 2.0 / 2 + 0, 1e-12);
    CHECK_CLOSE(c2[2], 9.0 / 2 + 4.5 / 2, 1e-12);
    CHECK_CLOSE(c2[3], 9.0 / 2 + 4.5 / 2, 1e-12);
    /* Two columns of the mean of all, 5.5 and 2.25, lift the first two to (4 + 11) / 4 and
     * (0 + 4.5) / 3, and no other. */
    kmv_sample_calibrate(fit, check, 4, 2, c2);
    CHECK_CLOSE(c2[0], 15.0 / 4 / 2 + 4.5 / 3 / 2, 1e-12);
    CHECK_CLOSE(c2[3], 9.0 / 2 + 4.5 / 2, 1e-12);
    kmv_sample_calibrate(fit, fit, 4, 1, c2); /* true norms stay what they are */
    assert_memory_equal(c2, fit, sizeof c2);
}

/* Columns with more than the share are certain, others keep their probability. */
static void forced_columns(void **state)
{
    const double x2[3] = {1, 2, 7};
    double p[3] = {0.1, 0.2, 0.3};

    (void)state;
    kmv_sample_force(x2, 3, 0.2, 10, p);
    CHECK_CLOSE(p[0], 0.1, 0);
    CHECK_CLOSE(p[1], 0.2, 0);
    CHECK_CLOSE(p[2], 1, 0);
}

/* V of a product by its formula, with the true column norms, for the sampler's probabilities of
 * `samples` columns by score. */
static double variance_of(const fixture *f, const double *score, double samples)
{
    double c2[N_K] = {0}, x2[N_K], p[N_K];

    for (size_t j = 0; j < N_K; j++) {
        x2[j] = norm2(f->x + j * f->r, f->r);
        for (size_t i = 0; i < N_Q; i++) {
            double square = 0;

            if (f->problem.causal && j > i + N_K - N_Q)
                continue;
            for (size_t l = 0; l < D; l++)
                square += pow((double)f->q.x[i * f->q.ld + l] - (double)f->k.x[j * f->k.ld + l], 2);
            c2[j] += exp(-square);
        }
    }
    kmv_sample_probabilities(score, N_K, samples, p);
    return kmv_sample_variance(x2, c2, p, N_K);
}

/* Over many draws of a plan: the mean error vanishes as sqrt(V / REPEATS), and the mean squared
 * error is V. */
static void check_law(fixture *f, const char *name, const char *options, const double *score,
                      double samples)
{
    const kmv_settings settings = {.eps = 0.1, .delta = 0.01, .r = f->r, .threads = 1, .seed = 4};
    const double variance = variance_of(f, score, samples);
    const size_t n = N_Q * f->r;
    double *y = calloc(n, sizeof *y), *mean = calloc(n, sizeof *mean), mse = 0, fourth = 0;
    kmv_plan *plan = plan_of(f, name, options, &settings);
    kmv_error err = {""};
    double tol;

    for (size_t t = 0; t < REPEATS; t++) {
        double error2;

        CHECK_OK(kmv_plan_apply(plan, f->x, f->r, y, NULL, &err));
        for (size_t i = 0; i < n; i++)
            mean[i] += y[i] / REPEATS;
        error2 = distance2(y, f->exact, n);
        mse += error2 / REPEATS;
        fourth += error2 * error2 / REPEATS;
    }
    /* E|mean - exact|^2 = V / REPEATS; Markov's bound on its square would be loose, but the mean is
     * nearly Gaussian in at least a few directions: |mean - exact| > 6 sqrt(V / REPEATS) has a
     * probability below 2 exp(-6^2 / 2 / (1 + small)) < 1e-7 by Bernstein. */
    CHECK_CLOSE(sqrt(distance2(mean, f->exact, n)), 0, 6 * sqrt(variance / REPEATS));
    /* The mean of REPEATS independent squared errors: six of its standard errors. */
    tol = 6 * sqrt((fourth - mse * mse) / REPEATS);
    CHECK_CLOSE(mse, variance, tol);
    assert_true(tol < 0.3 * variance); /* so that a wrong formula cannot hide */
    kmv_plan_destroy(plan);
    free(y);
    free(mean);
}

static void uniform_law(void **state)
{
    double score[N_K];

    (void)state;
    for (size_t j = 0; j < N_K; j++)
        score[j] = 1;
    for (size_t r = 1; r <= 3; r += 2) {
        for (int causal = 0; causal < 2; causal++) {
            fixture f = make(r, causal);

            finish(&f);
            check_law(&f, "uniform", "samples=30", score, 30);
            clear(&f);
        }
    }
}

/* Importance with shares that need no pilot: half by |x_j|^2, half uniformly; and all by |x_j|. */
static void importance_law(void **state)
{
    (void)state;
    for (size_t r = 1; r <= 3; r += 2) {
        fixture f = make(r, r == 3);
        double mixed[N_K], root[N_K];

        finish(&f);
        for (size_t j = 0; j < N_K; j++) {
            const double square = norm2(f.x + j * r, r);

            mixed[j] = 0.5 * square / norm2(f.x, N_K * r) + 0.5 / N_K;
            root[j] = sqrt(square);
        }
        check_law(&f, "importance", "samples=20,pilot=0,share_x2=0.5,share_x=0,share_uniform=0.5",
                  mixed, 20);
        check_law(&f, "importance", "samples=25,pilot=0,share_x2=0,share_x=1,share_uniform=0", root,
                  25);
        clear(&f);
    }
}

/* One-signed x: misses add up in a row instead of cancelling; still unbiased. */
static void one_signed(void **state)
{
    fixture f = make(1, 0);
    double score[N_K];

    (void)state;
    for (size_t j = 0; j < N_K; j++) {
        f.x[j] = fabs(f.x[j]);
        score[j] = 1;
    }
    finish(&f);
    check_law(&f, "uniform", "samples=30", score, 30);
    clear(&f);
}

/* A pilot of all rows knows c_j; the predicted rms error is then V's. */
static void prediction_with_all_rows(void **state)
{
    fixture f = make(1, 1);
    const kmv_settings settings = {.eps = 0.1, .delta = 0.01, .r = 1, .threads = 1, .seed = 4};
    double x_norm, score[N_K], y[N_Q], c2[N_K] = {0};
    kmv_error err = {""};
    kmv_report report;
    kmv_plan *plan;

    (void)state;
    finish(&f);
    x_norm = sqrt(norm2(f.x, N_K));
    plan = plan_of(&f, "importance", "samples=20,pilot=60,share_x2=0,share_x=0,share_uniform=0",
                   &settings);
    CHECK_OK(kmv_plan_apply(plan, f.x, 1, y, &report, &err));
    for (size_t j = 0; j < N_K; j++) { /* score |x_j| c_j */
        for (size_t i = j > N_K - N_Q ? j - (N_K - N_Q) : 0; i < N_Q; i++) {
            double square = 0;

            for (size_t l = 0; l < D; l++)
                square += pow((double)f.q.x[i * f.q.ld + l] - (double)f.k.x[j * f.k.ld + l], 2);
            c2[j] += exp(-square);
        }
        score[j] = fabs(f.x[j]) * sqrt(c2[j]);
    }
    /* c_j through float entries: 1e-5 */
    CHECK_CLOSE(report.err_est, sqrt(variance_of(&f, score, 20)) / x_norm, 1e-4 * report.err_est);
    CHECK_CLOSE(report.prepare.pairs, N_Q * N_K, 0);
    kmv_plan_destroy(plan);
    clear(&f);
}

/* As many samples as columns, or an eps that only the whole product meets: the exact result. */
static void all_columns(void **state)
{
    static const char *const names[] = {"uniform", "importance"};
    static const char *const options[] = {"samples=90", ""};
    fixture f = make(3, 1);
    const kmv_settings settings = {.eps = 1e-6, .delta = 0.01, .r = 3, .threads = 2, .seed = 4};
    double y[N_Q * 3], exact[N_Q * 3];
    kmv_error err = {""};
    kmv_plan *plan;

    (void)state;
    finish(&f);
    plan = plan_of(&f, "exact", "", &settings);
    CHECK_OK(kmv_plan_apply(plan, f.x, 3, exact, NULL, &err));
    kmv_plan_destroy(plan);
    for (size_t a = 0; a < 2; a++) {
        for (size_t o = 0; o < 2; o++) {
            plan = plan_of(&f, names[a], options[o], &settings);
            CHECK_OK(kmv_plan_apply(plan, f.x, 3, y, NULL, &err));
            assert_memory_equal(y, exact, sizeof y); /* the same tiles on the same panels */
            CHECK_CLOSE(sqrt(distance2(y, f.exact, N_Q * 3)), 0, float_tol(&f));
            kmv_plan_destroy(plan);
        }
    }
    clear(&f);
}

/* x with few entries: importance sampling takes them all and is exact. */
static void sparse_input(void **state)
{
    fixture f = make(1, 0);
    const kmv_settings settings = {.eps = 0.1, .delta = 0.01, .r = 1, .threads = 2, .seed = 4};
    double y[N_Q];
    kmv_error err = {""};
    kmv_report report;
    kmv_plan *plan;

    (void)state;
    memset(f.x, 0, N_K * sizeof *f.x);
    f.x[3] = -2;
    f.x[89] = 1e-3;
    finish(&f);
    plan = plan_of(&f, "importance", "samples=5", &settings);
    CHECK_OK(kmv_plan_apply(plan, f.x, 1, y, &report, &err));
    CHECK_CLOSE(sqrt(distance2(y, f.exact, N_Q)), 0, float_tol(&f));
    CHECK_CLOSE(report.apply.pairs, 2 * N_Q, 0);
    CHECK_CLOSE(report.err_est, 0, 0);
    kmv_plan_destroy(plan);
    clear(&f);
}

/* The error asked for is kept: 200 draws, each failing with probability at most 0.05, would fail
 * more than 30 times with probability below 1e-6 (binomial); Bernstein's bound is far from tight,
 * the pilot knows all rows, so in truth hardly any does. And fewer columns than all are used. */
static void eps_is_kept(void **state)
{
    static const char *const names[] = {"uniform", "importance"};
    fixture f = make(1, 0);
    const kmv_settings settings = {.eps = 8, .delta = 0.05, .r = 1, .threads = 1, .seed = 9};
    const double target2 = 64 * norm2(f.x, N_K);
    double y[N_Q], pairs = 0;
    kmv_error err = {""};
    kmv_report report;

    (void)state;
    finish(&f);
    for (size_t a = 0; a < 2; a++) {
        kmv_plan *plan = plan_of(&f, names[a], "pilot=60", &settings);
        size_t failures = 0;

        for (size_t t = 0; t < 200; t++) {
            CHECK_OK(kmv_plan_apply(plan, f.x, 1, y, &report, &err));
            failures += !(distance2(y, f.exact, N_Q) <= target2);
            pairs = fmax(pairs, report.apply.pairs);
        }
        assert_true(failures <= 30);
        assert_true(report.err_est < 8); /* the bound asks for more than the rms error */
        assert_true(pairs < 0.9 * N_Q * N_K);
        kmv_plan_destroy(plan);
    }
    clear(&f);
}

/* Sized for its rms error: that is what the draws then have. The size is found to 2 %, which at two
 * thirds of all columns moves V by 6 %; to it come six standard errors of 300 draws (sd of one
 * squared error: below V; failure below 1e-8). */
static void rms_is_met(void **state)
{
    fixture f = make(1, 0);
    const kmv_settings settings = {.eps = 2, .delta = 0.01, .r = 1, .threads = 1, .seed = 2};
    const double x_norm2 = norm2(f.x, N_K);
    kmv_plan *plan;
    kmv_error err = {""};
    kmv_report report;
    double y[N_Q], mse = 0;

    (void)state;
    finish(&f);
    plan = plan_of(&f, "importance", "pilot=60,safety=1", &settings);
    for (size_t t = 0; t < 300; t++) {
        CHECK_OK(kmv_plan_apply(plan, f.x, 1, y, &report, &err));
        mse += distance2(y, f.exact, N_Q) / 300;
    }
    CHECK_CLOSE(report.err_est, 2, 0.1);
    CHECK_CLOSE(mse, 4 * x_norm2, (0.1 + 6 / sqrt(300)) * 4 * x_norm2);
    kmv_plan_destroy(plan);
    clear(&f);
}

/* Same bits for any number of threads; another seed and another apply draw anew; nothing is
 * allocated by apply. */
static void draws_by_stream(void **state)
{
    static const char *const names[] = {"uniform", "importance"};
    fixture f = make(1, 1);
    double first[N_Q], second[N_Q], other[N_Q];
    kmv_error err = {""};

    (void)state;
    finish(&f);
    for (size_t a = 0; a < 2; a++) {
        kmv_settings settings = {.eps = 0.1, .delta = 0.01, .r = 1, .threads = 1, .seed = 4};
        const char *options = a == 0 ? "samples=40" : "samples=40,pilot=10";
        kmv_plan *plan = plan_of(&f, names[a], options, &settings);
        size_t calls = kmv_mem_calls();

        CHECK_OK(kmv_plan_apply(plan, f.x, 1, first, NULL, &err));
        CHECK_OK(kmv_plan_apply(plan, f.x, 1, second, NULL, &err));
        assert_int_equal(kmv_mem_calls(), calls);
        assert_memory_not_equal(first, second, sizeof first);
        kmv_plan_destroy(plan);
        settings.threads = 3;
        plan = plan_of(&f, names[a], options, &settings);
        CHECK_OK(kmv_plan_apply(plan, f.x, 1, other, NULL, &err));
        assert_memory_equal(first, other, sizeof first);
        kmv_plan_destroy(plan);
        settings.seed = 5;
        plan = plan_of(&f, names[a], options, &settings);
        CHECK_OK(kmv_plan_apply(plan, f.x, 1, other, NULL, &err));
        assert_memory_not_equal(first, other, sizeof first);
        kmv_plan_destroy(plan);
    }
    clear(&f);
}

static void rejections(void **state)
{
    fixture f = make(1, 0);
    const kmv_algo *a = kmv_algo_find("importance");
    const kmv_settings settings = KMV_SETTINGS_DEFAULT;
    kmv_plan *plan = NULL;
    kmv_error err = {""};

    (void)state;
    finish(&f);
    assert_null(kmv_algo_rejects(a, &f.problem, "", 1, 1));
    assert_string_equal(kmv_algo_rejects(a, &f.problem, "share_x2=0.9,share_x=0.2", 1, 1),
                        "share_x2 + share_x + share_uniform > 1");
    assert_string_equal(kmv_algo_rejects(a, &f.problem, "pilot=0", 1, 1),
                        "samples = 0 (from eps) needs pilot > 0");
    assert_non_null(kmv_algo_rejects(
        a, &f.problem, "pilot=0,samples=9,share_x=0,share_x2=0,share_uniform=0", 1, 1));
    f.problem.sigma = 1e-30;
    CHECK_FAILS(kmv_plan_create(a, &f.problem, "", &settings, &plan, &err), KMV_ENOTSUP,
                "sigma = 1e-30 is too small");
    assert_null(plan);
    f.problem.matrix = KMV_SOFTMAX;
    assert_string_equal(kmv_algo_rejects(a, &f.problem, "", 1, 1), "does not do softmax matrices");
    clear(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(probabilities),
        cmocka_unit_test(probabilities_of_steep_scores),
        cmocka_unit_test(draws),
        cmocka_unit_test(variance_by_hand),
        cmocka_unit_test(calibrated_norms),
        cmocka_unit_test(forced_columns),
        cmocka_unit_test(uniform_law),
        cmocka_unit_test(importance_law),
        cmocka_unit_test(one_signed),
        cmocka_unit_test(prediction_with_all_rows),
        cmocka_unit_test(all_columns),
        cmocka_unit_test(sparse_input),
        cmocka_unit_test(eps_is_kept),
        cmocka_unit_test(rms_is_met),
        cmocka_unit_test(draws_by_stream),
        cmocka_unit_test(rejections),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* `lsh`: errors have the size that docs/lsh.md proves. */
#include "check.h"

#include <stdlib.h>

#include "gauss/reference.h"
#include "lsh_problem.h"
#include "vectors.h"

enum { REPEATS = 700 };

/* Probabilities without a pilot: 0.85 by |x_j|^2, 0.15 by |x_j|, as the docs say. */
static void probabilities(const lsh_problem *f, double samples, double *p)
{
    double score[LSH_N_K], total = 0;

    for (size_t j = 0; j < LSH_N_K; j++)
        total += sqrt(norm2(f->x + j * f->r, f->r));
    for (size_t j = 0; j < LSH_N_K; j++) {
        const double square = norm2(f->x + j * f->r, f->r);

        score[j] = 0.85 * square / norm2(f->x, LSH_N_K * f->r) + 0.15 * sqrt(square) / total;
    }
    for (double lambda = samples;; lambda *= 1.000001) { /* sum p = samples, from below */
        double sum = 0;

        for (size_t j = 0; j < LSH_N_K; j++)
            sum += p[j] = fmin(1, lambda * score[j]);
        if (sum >= samples)
            break;
    }
}

/* Expected squared error over S with clip, section by section of docs/lsh.md; missed[i][j]: the
 * probability that the tables miss a pair (0 or 1 for given tables). */
static double expected_error(const lsh_problem *f, const double *p, double clip,
                             double (*missed)[LSH_N_K])
{
    double total = 0;

    for (size_t i = 0; i < LSH_N_Q; i++) {
        for (size_t c = 0; c < f->r; c++) {
            double heavy = 0;

            for (size_t j = 0; j < LSH_N_K; j++) {
                const double term = f->g[i][j] * f->x[j * f->r + c];
                const double left = missed[i][j] * term * term;

                if (f->g[i][j] > clip) {
                    heavy += missed[i][j] * (1 - p[j]) * term;
                    total += left * p[j] * (1 - p[j]);
                } else {
                    total += left * (1 / p[j] - 1);
                }
            }
            total += heavy * heavy;
        }
    }
    return total;
}

/* Squared errors of REPEATS applies: their mean is `want` within six standard errors, with the
 * deviation seen (failure below 1e-8 for errors that are sums over many columns). */
static void check_mean(double sum, double squares, size_t repeats, double want)
{
    const double mean = sum / (double)repeats;
    const double error = sqrt((squares / (double)repeats - mean * mean) / (double)repeats);

    CHECK_CLOSE(mean, want, 6 * error + 1e-4 * want); /* and float entries */
    assert_true(6 * error < 0.35 * want);             /* so that a wrong formula cannot hide */
}

/* One set of tables, many samples. */
static void check_given_tables(lsh_problem *f, const char *options, double clip)
{
    const kmv_settings settings = {.eps = 0.1, .delta = 0.01, .r = f->r, .threads = 1, .seed = 6};
    const kmv_hash_shape shape = {.bits = 3, .wild = 1};
    kmv_hash_input in;
    kmv_hash_tables *h = lsh_tables(f, &in, kmv_tile_best(), 2, shape, f->r, settings.seed);
    kmv_plan *plan = lsh_plan(f, options, &settings);
    const size_t n = LSH_N_Q * f->r;
    double *y = calloc(n, sizeof *y), *mean = calloc(n, sizeof *mean), p[LSH_N_K];
    double(*missed)[LSH_N_K] = calloc(LSH_N_Q, sizeof *missed), sum = 0, squares = 0, want;
    kmv_error err = {""};

    for (size_t i = 0; i < LSH_N_Q; i++) {
        for (size_t j = 0; j < LSH_N_K; j++) {
            missed[i][j] = !kmv_hash_tables_meet(h, i, j);
            /* no entry so near to the clip that float and double differ about it */
            assert_true(!(fabs(f->g[i][j] - clip) <= 1e-6));
        }
    }
    probabilities(f, 15, p);
    want = expected_error(f, p, clip, missed);
    for (size_t t = 0; t < REPEATS; t++) {
        double error2;

        CHECK_OK(kmv_plan_apply(plan, f->x, f->r, y, NULL, &err));
        for (size_t m = 0; m < n; m++)
            mean[m] += y[m] / REPEATS;
        error2 = distance2(y, f->exact, n);
        sum += error2;
        squares += error2 * error2;
    }
    check_mean(sum, squares, REPEATS, want);
    if (clip >= 1) { /* unbiased: a mean of REPEATS, six of its standard deviations (Bernstein) */
        CHECK_CLOSE(sqrt(distance2(mean, f->exact, n)), 0, 6 * sqrt(want / REPEATS));
    } else { /* the clip does something here */
        const double unclipped = expected_error(f, p, 2, missed);

        assert_true(fabs(want - unclipped) > 0.2 * unclipped);
    }
    kmv_plan_destroy(plan);
    kmv_hash_tables_destroy(h);
    kmv_hash_input_clear(&in);
    free(missed);
    free(mean);
    free(y);
}

static void error_for_given_tables(void **state)
{
    (void)state;
    for (size_t r = 1; r <= 2; r++) {
        lsh_problem *f = lsh_make(r);

        check_given_tables(f, "tables=2,bits=3,wild=1,samples=15,pilot=0,clip=0", 2);
        check_given_tables(f, "tables=2,bits=3,wild=1,samples=15,pilot=0,clip=0.3", 0.3);
        lsh_clear(f);
    }
}

/* One-signed x: missed large entries of a row add up. */
static void error_of_one_signed(void **state)
{
    lsh_problem *f = lsh_make(1);
    kmv_error err = {""};

    (void)state;
    for (size_t j = 0; j < LSH_N_K; j++)
        f->x[j] = fabs(f->x[j]) + 0.5;
    CHECK_OK(kmv_reference_product(&f->problem, NULL, LSH_N_Q, f->x, 1, 1, f->exact, &err));
    check_given_tables(f, "tables=2,bits=3,wild=1,samples=15,pilot=0,clip=0.05", 0.05);
    lsh_clear(f);
}

/* New tables each time: the statement of docs/lsh.md, with h for the hash in use. */
static void error_over_tables(void **state)
{
    static const char *const texts[] = {"tables=3,bits=4,wild=0,samples=15,pilot=0,clip=0",
                                        "tables=2,bits=5,wild=2,samples=15,pilot=0,clip=0"};
    static const struct {
        size_t tables;
        kmv_hash_shape shape;
    } drawn[] = {{3, {.bits = 4}}, {2, {.bits = 5, .wild = 2}}};
    lsh_problem *f = lsh_make(1);
    double(*missed)[LSH_N_K] = calloc(LSH_N_Q, sizeof *missed), p[LSH_N_K], y[LSH_N_Q];
    kmv_error err = {""};

    (void)state;
    probabilities(f, 15, p);
    for (size_t s = 0; s < 2; s++) {
        double sum = 0, squares = 0;
        kmv_hash_input in;
        kmv_hash_tables *h = lsh_tables(f, &in, kmv_tile_best(), 0, drawn[s].shape, 1, 1);

        for (size_t i = 0; i < LSH_N_Q; i++) {
            for (size_t j = 0; j < LSH_N_K; j++) {
                const double theta = lsh_angle(&in, i, j);
                double agree[KMV_HASH_POINTS];

                kmv_hash_agreement(theta, agree);
                missed[i][j] = pow(1 - kmv_hash_probability(theta, agree, drawn[s].shape),
                                   (double)drawn[s].tables);
            }
        }
        for (size_t t = 0; t < REPEATS; t++) {
            const kmv_settings settings = {
                .eps = 0.1, .delta = 0.01, .r = 1, .threads = 1, .seed = 100 + t};
            kmv_plan *plan = lsh_plan(f, texts[s], &settings);
            double error2;

            CHECK_OK(kmv_plan_apply(plan, f->x, 1, y, NULL, &err));
            error2 = distance2(y, f->exact, LSH_N_Q);
            sum += error2;
            squares += error2 * error2;
            kmv_plan_destroy(plan);
        }
        check_mean(sum, squares, REPEATS, expected_error(f, p, 2, missed));
        kmv_hash_tables_destroy(h);
        kmv_hash_input_clear(&in);
    }
    free(missed);
    lsh_clear(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(error_for_given_tables),
        cmocka_unit_test(error_of_one_signed),
        cmocka_unit_test(error_over_tables),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* `hbe`: the estimate of one key has two values; the mean of many is the product, and its mean
 * squared error lies between what is known from either side. */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "algo/euclid_hash.h"
#include "attention.h"

/* One query, one key at distance r: y = K x / p with probability p, else 0, in one draw. */
static void one_key(void **state)
{
    enum { SEEDS = 3000, HASHES = 2 };
    const double r = 1.3, width = 2 * sqrt(2 * log(2)); /* of a single key: n counts as 2 */
    const double p = pow(kmv_euclid_collision(r, width), HASHES), x = -3;
    kmv_points q = {0}, k = {0};
    kmv_problem problem = {.q = &q, .k = &k, .matrix = KMV_GAUSS, .sigma = 2};
    kmv_settings settings = KMV_SETTINGS_DEFAULT;
    kmv_error err = {""};
    double found = 0, y;

    (void)state;
    CHECK_OK(kmv_points_init(&q, 1, 5, &err));
    CHECK_OK(kmv_points_init(&k, 1, 5, &err));
    k.x[3] = (float)(2 * r);
    settings.threads = 1;
    for (settings.seed = 0; settings.seed < SEEDS; settings.seed++) {
        kmv_report report;
        kmv_plan *plan = NULL;

        CHECK_OK(kmv_plan_create(kmv_algo_find("hbe"), &problem, "draws=1,hashes=2,width=2",
                                 &settings, &plan, &err));
        CHECK_OK(kmv_plan_apply(plan, &x, 1, &y, &report, &err));
        if (y != 0)
            CHECK_CLOSE(y, x * exp(-r * r / 2) / p, 2e-5 * fabs(x)); /* p from a table: 1e-6 */
        CHECK_CLOSE(report.apply.pairs, y != 0, 0);
        found += y != 0;
        kmv_plan_destroy(plan);
    }
    /* Binomial: six standard deviations, failure below 1e-8. */
    CHECK_CLOSE(found, p * SEEDS, 6 * sqrt(SEEDS * p * (1 - p)));
    kmv_points_clear(&q);
    kmv_points_clear(&k);
}

/* Bounds of E Z_i^2, summed over rows: below, since a cell that holds key j holds at least one key;
 * above, by the published inequality. */
static void second_moments(const attention *a, double width, double hashes, double *low,
                           double *high)
{
    *low = *high = 0;
    for (size_t i = 0; i < a->q.n; i++) {
        double entry[128], p[128];

        for (size_t j = 0; j < a->k.n; j++) {
            double square = 0;

            for (size_t l = 0; l < a->q.d; l++)
                square += pow((double)a->q.x[i * a->q.ld + l] - (double)a->k.x[j * a->k.ld + l], 2);
            square /= a->problem.sigma * a->problem.sigma;
            entry[j] = exp(-square / 2);
            p[j] = pow(kmv_euclid_collision(sqrt(square), width), hashes);
        }
        for (size_t j = 0; j < a->k.n; j++) {
            double x2 = 0, together = 0;

            if (a->problem.causal && j > i + a->k.n - a->q.n)
                continue;
            for (size_t c = 0; c < a->r; c++)
                x2 += a->x[j * a->r + c] * a->x[j * a->r + c];
            for (size_t l = 0; l < a->k.n; l++)
                together += fmin(p[j], p[l]);
            *low += entry[j] * entry[j] * x2 / p[j];
            *high += entry[j] * entry[j] * x2 / (p[j] * p[j]) * together;
        }
    }
}

static void law(void **state)
{
    enum { SEEDS = 400, DRAWS = 20, HASHES = 3 };

    (void)state;
    for (size_t r = 1; r <= 3; r += 2) {
        const int causal = r == 3;
        double *mean, low, high, truth = 0, mse = 0, fourth = 0, off = 0;
        char options[64];
        attention a;
        size_t n;

        attention_make(&a, (attention_shape){.n_q = 40,
                                             .n_k = 90,
                                             .d = 4,
                                             .r = r,
                                             .matrix = KMV_GAUSS,
                                             .causal = causal,
                                             .sigma = 1,
                                             .spread = 0.6,
                                             .seed = 3});
        snprintf(options, sizeof options, "draws=%d,hashes=%d,width=1", DRAWS, HASHES);
        n = a.q.n * a.r;
        mean = calloc(n, sizeof *mean);
        for (uint64_t seed = 0; seed < SEEDS; seed++) {
            double error;

            attention_run(&a, "hbe", options, NULL, 1, seed, NULL);
            error = attention_error(&a);
            mse += error * error / SEEDS;
            fourth += pow(error, 4) / SEEDS;
            for (size_t m = 0; m < n; m++)
                mean[m] += a.y[m] / SEEDS;
        }
        for (size_t m = 0; m < n; m++) {
            truth += a.want[m] * a.want[m];
            off += (mean[m] - a.want[m]) * (mean[m] - a.want[m]);
        }
        second_moments(&a, sqrt(2 * log(90)), HASHES, &low, &high);
        /* E |mean - Kx|^2 = mse / SEEDS, rows and draws are many: above 36 times that only for a
         * bias. The mean squared error is known to six of its standard errors. */
        assert_true(off <= 36 * mse / SEEDS);
        assert_true(off <= 0.2 * truth); /* so that a wrong weight cannot hide */
        assert_true(mse <= (high - truth) / DRAWS + 6 * sqrt((fourth - mse * mse) / SEEDS));
        assert_true(mse >= (low - truth) / DRAWS - 6 * sqrt((fourth - mse * mse) / SEEDS));
        free(mean);
        attention_clear(&a);
    }
}

/* Keys that equal the query: every draw gives n x_j; one key is then exact. */
static void same_points(void **state)
{
    const double x = 2.5;
    attention a;

    (void)state;
    attention_make(
        &a, (attention_shape){
                .n_q = 1, .n_k = 1, .d = 3, .r = 1, .matrix = KMV_GAUSS, .sigma = 1, .spread = 1});
    memcpy(a.q.x, a.k.x, a.k.ld * sizeof *a.k.x);
    a.x[0] = x;
    attention_run(&a, "hbe", "draws=33", NULL, 1, 1, NULL);
    CHECK_CLOSE(a.y[0], x, 1e-5);
    attention_clear(&a);
}

static void repeatable(void **state)
{
    (void)state;
    for (int causal = 0; causal < 2; causal++)
        attention_check_repeatable("hbe", "draws=37", KMV_GAUSS, causal, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_key),
        cmocka_unit_test(law),
        cmocka_unit_test(same_points),
        cmocka_unit_test(repeatable),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

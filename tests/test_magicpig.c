/* algo/sign_tables.h and `magicpig`: how often a key is found, and what it then weighs. */
#include "check.h"

#include <stdlib.h>
#include <string.h>

#include "algo/sign_tables.h"
#include "attention.h"
#include "base/mem.h"
#include "gauss/pack.h"

enum { D = 16 };

/* u by hand; for two matches the formula of the paper. */
static void probabilities(void **state)
{
    const double theta = 1.1, p = 1 - theta / M_PI, a = p * p * p;

    (void)state;
    CHECK_CLOSE(kmv_sign_log2_exact((kmv_sign_shape){1, 1, 1}, theta), log2(p), 1e-12);
    CHECK_CLOSE(kmv_sign_log2_exact((kmv_sign_shape){3, 1, 1}, theta), log2(a), 1e-12);
    CHECK_CLOSE(kmv_sign_log2_exact((kmv_sign_shape){3, 9, 1}, theta), log2(1 - pow(1 - a, 9)),
                1e-12);
    CHECK_CLOSE(kmv_sign_log2_exact((kmv_sign_shape){3, 9, 2}, theta),
                log2(1 - pow(1 - a, 9) - 9 * a * pow(1 - a, 8)), 1e-12);
    CHECK_CLOSE(kmv_sign_log2_exact((kmv_sign_shape){10, 150, 2}, 0), 0, 1e-12);
    assert_true(isfinite(kmv_sign_log2_exact((kmv_sign_shape){16, 2, 2}, M_PI)));
}

/* One query e_1, keys at angles 0.2 and 0.4 and so on from it. */
static void angles(kmv_scaled *q, kmv_scaled *k, size_t n_k)
{
    *q = (kmv_scaled){.n = 1, .d = D, .ld = D, .x = kmv_alloc(1, D * sizeof(float), "q", NULL)};
    *k = (kmv_scaled){.n = n_k, .d = D, .ld = D, .x = kmv_alloc(n_k, D * sizeof(float), "k", NULL)};
    q->x[0] = 1.5f;
    for (size_t j = 0; j < n_k; j++) {
        k->x[j * D] = (float)(2 * cos(0.2 * (double)(j + 1)));
        k->x[j * D + 1 + j % (D - 1)] = (float)(2 * sin(0.2 * (double)(j + 1)));
    }
}

/* The tabulated u, over all angles, against the computed one. */
static void interpolation(void **state)
{
    static const kmv_sign_shape shapes[] = {{10, 150, 2}, {1, 200, 1}, {16, 30, 1}, {4, 3, 3}};

    (void)state;
    for (size_t s = 0; s < 4; s++) {
        kmv_sign_odds odds;

        kmv_sign_odds_fill(&odds, shapes[s]);
        for (double theta = 0; theta <= M_PI; theta += 0.003) {
            const float cosine = (float)cos(theta);
            const double exact = kmv_sign_log2_exact(shapes[s], acos(fmin((double)cosine, 1)));

            /* Rounded to float in the end. */
            CHECK_CLOSE((double)kmv_sign_log2(&odds, cosine), exact, 1e-3 + 1e-6 * fabs(exact));
        }
    }
}

/* Over many draws of the tables a key is found as often as u says. */
static void found_as_often_as_said(void **state)
{
    enum { KEYS = 14, DRAWS = 2000 };
    static const kmv_sign_shape shapes[] = {{3, 6, 1}, {2, 5, 2}};
    kmv_scaled q, k;

    (void)state;
    angles(&q, &k, KEYS);
    for (size_t s = 0; s < 2; s++) {
        double found[KEYS] = {0}, visited = 0;

        for (uint64_t seed = 0; seed < DRAWS; seed++) {
            uint16_t met[KEYS] = {0};
            uint32_t list[KEYS + 1];
            kmv_sign_tables t;
            kmv_cost cost = {0};
            kmv_error err = {""};
            size_t count;

            CHECK_OK(
                kmv_sign_tables_init(&t, shapes[s], &q, &k, kmv_tile_best(), seed, 1, &cost, &err));
            met[3] = KMV_SIGN_LEAVE_OUT;
            count = kmv_sign_tables_find(&t, 0, met, list, &visited);
            for (size_t m = 0; m < count; m++)
                found[list[m]]++;
            kmv_sign_tables_clear(&t);
        }
        CHECK_CLOSE(found[3], 0, 0);
        for (size_t j = 0; j < KEYS; j++) {
            const double u = exp2(kmv_sign_log2_exact(shapes[s], 0.2 * (double)(j + 1)));

            /* Binomial: six standard deviations, failure below 1e-8 for each. */
            if (j != 3)
                CHECK_CLOSE(found[j], u * DRAWS, 6 * sqrt(DRAWS * u * (1 - u)) + 1);
        }
    }
    kmv_scaled_clear(&q);
    kmv_scaled_clear(&k);
}

/* A sink of weight W and value 0, one other key of weight w and value 1: y = (w/u) / (W + w/u) when
 * it is found, which has probability u, else 0. So w/u times that probability is w: unbiased. */
static void weight_of_one_key(void **state)
{
    enum { DRAWS = 600 };
    const double x[2] = {0, 1};
    kmv_points q = {0}, k = {0};
    kmv_problem p = {.q = &q, .k = &k, .matrix = KMV_SOFTMAX, .sigma = 1};
    kmv_settings settings = KMV_SETTINGS_DEFAULT;
    kmv_error err = {""};
    double u, z, y, found = 0;

    (void)state;
    CHECK_OK(kmv_points_init(&q, 1, D, &err));
    CHECK_OK(kmv_points_init(&k, 2, D, &err));
    q.x[0] = 1;
    k.x[0] = -0.4f; /* their mean is 0: nothing is moved */
    k.x[1] = -0.3f;
    k.x[D] = 0.4f;
    k.x[D + 1] = 0.3f;
    u = exp2(kmv_sign_log2_exact((kmv_sign_shape){3, 4, 1}, acos(0.8)));
    z = exp(0.4) / u;
    for (settings.seed = 0; settings.seed < DRAWS; settings.seed++) {
        kmv_plan *plan = NULL;

        CHECK_OK(kmv_plan_create(kmv_algo_find("magicpig"), &p,
                                 "bits=3,tables=4,matches=1,sinks=1,window=0", &settings, &plan,
                                 &err));
        CHECK_OK(kmv_plan_apply(plan, x, 1, &y, NULL, &err));
        kmv_plan_destroy(plan);
        if (y != 0)
            CHECK_CLOSE(y, z / (exp(-0.4) + z), 1e-4);
        found += y != 0;
    }
    CHECK_CLOSE(found, u * DRAWS, 6 * sqrt(DRAWS * u * (1 - u))); /* binomial, as above */
    kmv_points_clear(&q);
    kmv_points_clear(&k);
}

/* One bit and so many tables that every key but an opposite one is found. */
static void all_keys(void **state)
{
    (void)state;
    for (int causal = 0; causal < 2; causal++) {
        attention_check_exact("magicpig", "bits=1,tables=600,matches=1,sinks=4,window=4",
                              KMV_SOFTMAX, causal, 0);
        attention_check_exact("magicpig", "tables=2,window=400", KMV_SOFTMAX, causal, 0);
        attention_check_repeatable("magicpig", "bits=4,tables=9", KMV_SOFTMAX, causal, 1);
    }
}

static void refused(void **state)
{
    kmv_points q = {.n = 5, .d = 1}, k = {.n = 4, .d = 1};
    const kmv_problem p = {.q = &q, .k = &k, .matrix = KMV_SOFTMAX, .sigma = 1};
    const kmv_algo *a = kmv_algo_find("magicpig");

    (void)state;
    assert_non_null(kmv_algo_rejects(a, &p, "", 1, 1));
    assert_null(kmv_algo_rejects(a, &p, "window=0", 1, 1));
    assert_non_null(kmv_algo_rejects(a, &p, "window=0,tables=1", 1, 1));
}

static void masked_keys_do_not_count(void **state)
{
    (void)state;
    attention_check_masked("magicpig", "bits=1,tables=20,matches=1,window=1", 40, 40, 1e9, 1e-6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(probabilities),
        cmocka_unit_test(interpolation),
        cmocka_unit_test(found_as_often_as_said),
        cmocka_unit_test(weight_of_one_key),
        cmocka_unit_test(all_keys),
        cmocka_unit_test(masked_keys_do_not_count),
        cmocka_unit_test(refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

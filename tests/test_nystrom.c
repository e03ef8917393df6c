/* `nystrom`: exact with all points as landmarks, better with more of them. */
#include "check.h"

#include <stdio.h>

#include "attention.h"

/* Landmarks = all keys (and queries). gauss: the error is at most sqrt(ridge |G_QQ|) |x| (the
 * operator G_QK ((G + ridge)^-1 G - I)), |G_QQ| <= 40; float tiles add 1e-5 times up to
 * sqrt(40 / ridge). softmax: directions of A with singular values below sqrt(ridge) |A|_F are lost,
 * by at most half of that; |A|_F <= sqrt(40). */
static void all_landmarks_are_exact(void **state)
{
    static const char *const select[] = {"uniform", "segments", "kmeans"};

    (void)state;
    for (int t = 0; t < 12; t++) {
        attention p =
            attention_plain(t / 6 ? KMV_SOFTMAX : KMV_GAUSS, 37, 37, 6, t % 2 ? 3 : 1, 1.5, 0);
        char text[80];

        attention_reference(&p);
        snprintf(text, sizeof text, "landmarks=37,ridge=1e-6,select=%s", select[t / 2 % 3]);
        attention_run(&p, "nystrom", text, NULL, 2, 1, NULL);
        CHECK_CLOSE(attention_relative_error(&p), 0, sqrt(1e-6 * 40) + 1e-5 * sqrt(40 / 1e-6));
        attention_clear(&p);
    }
}

static void one_point_and_more_landmarks(void **state)
{
    (void)state;
    for (int softmax = 0; softmax < 2; softmax++) {
        attention p = attention_plain(softmax ? KMV_SOFTMAX : KMV_GAUSS, 400, 400, 3, 2, 0.7, 0);
        attention one = attention_plain(softmax ? KMV_SOFTMAX : KMV_GAUSS, 1, 1, 1, 1, 0.2, 0);
        double few;

        attention_reference(&one);
        attention_run(&one, "nystrom", "landmarks=1,ridge=1e-9", NULL, 1, 1, NULL);
        CHECK_CLOSE(one.y[0], one.want[0], 1e-5 * fabs(one.x[0]));
        attention_reference(&p);
        attention_run(&p, "nystrom", "landmarks=4", NULL, 2, 1, NULL);
        few = attention_relative_error(&p);
        attention_run(&p, "nystrom", "landmarks=100", NULL, 2, 1, NULL);
        assert_true(attention_relative_error(&p) <= few / 2);
        attention_check_contract(&p, "nystrom", "");
        attention_check_isas(&p, "nystrom", "", 1e-2);
        attention_clear(&p);
        attention_clear(&one);
    }
}

static void refusals(void **state)
{
    attention p = attention_plain(KMV_GAUSS, 4, 5, 3, 1, 1, 0);
    const kmv_algo *a = kmv_algo_find("nystrom");
    kmv_settings settings = KMV_SETTINGS_DEFAULT;
    kmv_plan *plan = NULL;
    kmv_error err;

    (void)state;
    attention_reference(&p);
    assert_string_equal(kmv_algo_rejects(a, &p.problem, "landmarks=6", 1, 0), "landmarks > n_k");
    p.problem.matrix = KMV_SOFTMAX;
    assert_string_equal(kmv_algo_rejects(a, &p.problem, "landmarks=5", 1, 0), "landmarks > n_q");
    p.problem.causal = 1;
    assert_non_null(kmv_algo_rejects(a, &p.problem, "landmarks=2", 1, 0));
    p.problem.causal = 0;
    p.problem.sigma = 1e-4; /* logits of 1e8, of which floats keep no fraction */
    CHECK_OK(kmv_plan_create(a, &p.problem, "landmarks=2", &settings, &plan, &err));
    CHECK_FAILS(kmv_plan_apply(plan, p.x, 1, p.y, NULL, &err), KMV_ENOTSUP, "logits this large");
    kmv_plan_destroy(plan);
    attention_clear(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_landmarks_are_exact),
        cmocka_unit_test(one_point_and_more_landmarks),
        cmocka_unit_test(refusals),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* algo/algo_table.c: every row is complete, and is found by its name and near it. */
#include "check.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "algo/algo.h"
#include "base/option.h"

static void is_complete(void **state)
{
    kmv_error err = {""};

    (void)state;
    CHECK_OK(kmv_algo_check_table(&err));
}

static void rows_are_found(void **state)
{
    const kmv_algo *a;
    size_t count = 0;

    (void)state;
    for (; (a = kmv_algo_at(count)) != NULL; count++) {
        char misspelt[64];

        assert_ptr_equal(kmv_algo_find(a->name), a);
        assert_ptr_equal(kmv_algo_closest(a->name), a);
        snprintf(misspelt, sizeof misspelt, "%sx", a->name);
        assert_null(kmv_algo_find(misspelt));
        assert_ptr_equal(kmv_algo_closest(misspelt), a);
        assert_string_equal(kmv_algo_name(a), a->name);
        assert_string_equal(kmv_algo_summary(a), a->summary);
        assert_string_equal(kmv_algo_guarantee(a), a->guarantee);
        assert_string_equal(kmv_algo_source(a), a->source);
        assert_int_equal(kmv_algo_flags(a), a->flags);
        assert_ptr_equal(kmv_algo_options(a), a->options);
    }
    assert_true(count > 0);
    assert_null(kmv_algo_at(count + 5)); /* past the end, not only at it */
    assert_null(kmv_algo_at(SIZE_MAX));
    assert_null(kmv_algo_find(""));
    assert_null(kmv_algo_closest("no algorithm is called so"));
}

/* Names stand in configurations and TSV files, texts on one line of `kmv list`. */
static void texts_fit_their_places(void **state)
{
    const kmv_algo *a;

    (void)state;
    for (size_t i = 0; (a = kmv_algo_at(i)) != NULL; i++) {
        assert_true(strlen(a->name) < 32);
        for (const char *c = a->name; *c != '\0'; c++)
            assert_true(islower((unsigned char)*c) || isdigit((unsigned char)*c) || *c == '-');
        assert_null(strpbrk(a->summary, "\n\t"));
        assert_null(strpbrk(a->guarantee, "\n\t"));
        assert_true(*a->summary != '\0' && *a->guarantee != '\0' && *a->source != '\0');
        for (const kmv_option *o = a->options; o != NULL && o->name != NULL; o++) {
            assert_non_null(o->help);
            assert_null(strpbrk(o->name, " ,=\t"));
            assert_true(o->offset < a->options_size);
            assert_ptr_equal(kmv_option_find(a->options, o->name), o); /* no name twice */
        }
    }
}

static void rejects_what_its_flags_exclude(void **state)
{
    float one[] = {1, 2, 3, 4};
    kmv_points p = {0};
    kmv_error err = {""};
    const kmv_algo *a;

    (void)state;
    CHECK_OK(kmv_points_from_f32(&p, one, 4, 1, 1, &err));
    for (size_t i = 0; (a = kmv_algo_at(i)) != NULL; i++) {
        kmv_problem gauss = {.q = &p, .k = &p, .matrix = KMV_GAUSS, .sigma = 1};
        kmv_problem softmax = {.q = &p, .k = &p, .matrix = KMV_SOFTMAX, .sigma = 1};
        kmv_problem *plain = a->flags & KMV_CAN_GAUSS ? &gauss : &softmax;

        if (!(a->flags & KMV_CAN_GAUSS))
            assert_non_null(kmv_algo_rejects(a, &gauss, "", 1, 0));
        if (!(a->flags & KMV_CAN_SOFTMAX))
            assert_non_null(kmv_algo_rejects(a, &softmax, "", 1, 0));
        if (!(a->flags & KMV_CAN_COLUMNS))
            assert_non_null(kmv_algo_rejects(a, plain, "", 2, 0));
        if (!(a->flags & KMV_CAN_SIGNED))
            assert_non_null(kmv_algo_rejects(a, plain, "", 1, 1));
        plain->causal = 1;
        if (!(a->flags & KMV_CAN_CAUSAL))
            assert_non_null(kmv_algo_rejects(a, plain, "", 1, 0));
    }
    kmv_points_clear(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_complete),
        cmocka_unit_test(rows_are_found),
        cmocka_unit_test(texts_fit_their_places),
        cmocka_unit_test(rejects_what_its_flags_exclude),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

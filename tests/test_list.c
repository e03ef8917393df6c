/* Lists of configurations and command lines. */
#include "check.h"

#include <string.h>

#include "base/list.h"

static kmv_error err;

static void check_items(const char *text, const char *const *want, size_t count)
{
    kmv_list list = {0};

    CHECK_OK(kmv_list_parse(text, &list, &err));
    assert_int_equal(list.count, count);
    for (size_t i = 0; i < count; i++)
        assert_string_equal(list.items[i], want[i]);
    kmv_list_clear(&list);
    assert_null(list.items);
    kmv_list_clear(&list);
}

static void splits_at_commas_outside_parentheses(void **state)
{
    static const char *const plain[] = {"a", "b c", "f(1, 2)", "2^9"};

    (void)state;
    check_items(" a,b c ,f(1, 2),2^9", plain, 4);
    check_items("x", (const char *const[]){"x"}, 1);
}

static void expands_ranges(void **state)
{
    static const char *const powers[] = {"512", "1024", "2048", "4096", "all"};
    static const char *const thirds[] = {"0.5", "1.5", "4.5"};
    static const char *const once[] = {"7"};

    (void)state;
    check_items("geom(2^9, 4096, 2), all", powers, 5);
    check_items("geom(0.5,5,3)", thirds, 3);
    check_items("geom(7, 7, 10)", once, 1);
}

/* The last value is met although 0.1 * 10^i is not exact in binary. */
static void last_value_is_included(void **state)
{
    static const char *const want[] = {"0.1", "1", "10", "100"};

    (void)state;
    check_items("geom(0.1, 100, 10)", want, 4);
}

static void bad_lists_fail(void **state)
{
    static const struct {
        const char *text, *part;
    } bad[] = {
        {"", "empty"},
        {"a,,b", "empty"},
        {"a,", "empty"},
        {"geom(1,2", "'(' without ')'"},
        {"a)", "')' without '('"},
        {"geom(1,2)", "want geom("},
        {"geom(1,2,3,4)", "want geom("},
        {"geom(0,2,2)", "want geom("},
        {"geom(4,2,2)", "want geom("},
        {"geom(1,2,1)", "want geom("},
        {"geom(1,x,2)", "want geom("},
        {"geom(1,1e300,1.0001)", "more than"},
    };
    kmv_list list = {.count = 99};

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK_FAILS(kmv_list_parse(bad[i].text, &list, &err), KMV_EINVAL, bad[i].part);
    assert_int_equal(list.count, 99); /* untouched on failure */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(splits_at_commas_outside_parentheses),
        cmocka_unit_test(expands_ranges),
        cmocka_unit_test(last_value_is_included),
        cmocka_unit_test(bad_lists_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

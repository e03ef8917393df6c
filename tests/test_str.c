/* base/str.c: numbers and names out of text, nothing accepted that is not wholly one. */
#include "check.h"

#include <float.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"

static void reads_reals(void **state)
{
    static const struct {
        const char *text;
        double want;
    } good[] = {{"0", 0},
                {"-1", -1},
                {"+2.5", 2.5},
                {".5", 0.5},
                {"1e3", 1000},
                {"1E-2", 0.01},
                {"5.", 5},
                {"-0", 0},
                {"0e-999999", 0},
                {"4.9406564584124654e-324", 0x1p-1074},
                {"1.7976931348623157e308", DBL_MAX}};
    static const char *const bad[] = {"",      " 1",     "1 ",     "inf", "nan",      "0x10", "1e",
                                      "1e+",   "--1",    "1.2.3",  "1,5", "e5",       "-",    ".",
                                      "1e400", "-1e400", "1e-400", "1d3", "infinity", "1_000"};

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        double v = 42;

        assert_int_equal(kmv_parse_real(good[i].text, &v), 1);
        CHECK_CLOSE(v, good[i].want, 0);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        double v = 42;

        if (kmv_parse_real(bad[i], &v))
            fail_msg("'%s' was read as %g", bad[i], v);
        CHECK_CLOSE(v, 42, 0); /* untouched */
    }
}

static void reads_sizes(void **state)
{
    static const struct {
        const char *text;
        size_t want;
    } good[] = {{"0", 0},         {"007", 7},        {"65536", 65536},
                {"2^0", 1},       {"2^20", 1048576}, {"2^62", (size_t)1 << 62},
                {"1e6", 1000000}, {"1.5e3", 1500},   {"18446744073709551615", SIZE_MAX}};
    static const char *const bad[] = {"",
                                      "-1",
                                      "+1",
                                      "1.5",
                                      "2^63",
                                      "2^-1",
                                      "2^",
                                      "3^2",
                                      "2^3^1",
                                      " 1",
                                      "1 ",
                                      "1e99",
                                      "0x10",
                                      "1k",
                                      "1e-1",
                                      "18446744073709551616",
                                      "2^99999999999999999999"};

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        size_t v = 42;

        if (!kmv_parse_size(good[i].text, &v) || v != good[i].want)
            fail_msg("'%s': got %zu, want %zu", good[i].text, v, good[i].want);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        size_t v = 42;

        if (kmv_parse_size(bad[i], &v) || v != 42)
            fail_msg("'%s' was read as %zu", bad[i], v);
    }
}

static void reads_words_for_yes_and_no(void **state)
{
    int v = 7;

    (void)state;
    assert_true(kmv_parse_bool("yes", &v) && v == 1);
    assert_true(kmv_parse_bool("False", &v) && v == 0);
    assert_true(kmv_parse_bool("ON", &v) && v == 1);
    assert_true(kmv_parse_bool("0", &v) && v == 0);
    v = 7;
    assert_false(kmv_parse_bool("", &v));
    assert_false(kmv_parse_bool("2", &v));
    assert_false(kmv_parse_bool("yes ", &v));
    assert_int_equal(v, 7);
}

static void counts_edits(void **state)
{
    char longer[80];

    (void)state;
    memset(longer, 'a', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    assert_int_equal(kmv_edit_distance("", "", 5), 0);
    assert_int_equal(kmv_edit_distance("", "abc", 5), 3);
    assert_int_equal(kmv_edit_distance("kitten", "sitting", 5), 3); /* the textbook's pair */
    assert_int_equal(kmv_edit_distance("sitting", "kitten", 5), 3); /* symmetric */
    assert_int_equal(kmv_edit_distance("kitten", "sitting", 2), 3); /* more than the limit */
    assert_int_equal(kmv_edit_distance("same", "same", 0), 0);
    assert_int_equal(kmv_edit_distance(longer, longer, 4), 5); /* too long to say */
}

static void suggests_the_nearest(void **state)
{
    static const char *const names[] = {"list", "measure", "run", "n"};

    (void)state;
    assert_string_equal(kmv_closest("lst", names, 4), "list");
    assert_string_equal(kmv_closest("measrue", names, 4), "measure");
    assert_string_equal(kmv_closest("list", names, 4), "list");
    assert_null(kmv_closest("plot", names, 3));
    /* A word of which nothing remains suggests nothing, however short its neighbours are. */
    assert_null(kmv_closest("xy", names, 4));
    assert_null(kmv_closest("", names, 4));
    assert_null(kmv_closest("list", names, 0));
}

static void writes_reals_that_read_back(void **state)
{
    static const double values[] = {
        0.1, 1.0 / 3, 1e300, 5e-324, DBL_MAX, -2.5, 0.1 + 0.2, 1e15, 123456789012345678.0};
    char text[64];

    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        double v = 0;

        kmv_real_text(values[i], text, sizeof text);
        assert_true(kmv_parse_real(text, &v));
        CHECK_CLOSE(v, values[i], 0);
    }
    kmv_real_text(0.1, text, sizeof text);
    assert_string_equal(text, "0.1");
    kmv_real_text(0.1 + 0.2, text, sizeof text); /* the next double but 0.3 */
    assert_string_equal(text, "0.30000000000000004");
}

static void describes_ranges(void **state)
{
    static const struct {
        double lo, hi;
        int integer;
        const char *want;
    } cases[] = {{0, 1, 0, "a number in [0, 1]"},       {1, 4096, 1, "an integer in [1, 4096]"},
                 {0, INFINITY, 0, "a number >= 0"},     {1, (double)SIZE_MAX, 1, "an integer >= 1"},
                 {DBL_MIN, DBL_MAX, 0, "a number > 0"}, {DBL_MIN, 2, 0, "a number in (0, 2]"},
                 {-DBL_MAX, DBL_MAX, 0, "a number"},    {-INFINITY, 5, 0, "a number in [-inf, 5]"}};
    char text[96];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        kmv_range_text(cases[i].lo, cases[i].hi, cases[i].integer, text, sizeof text);
        assert_string_equal(text, cases[i].want);
    }
}

static void trims_and_copies(void **state)
{
    char padded[] = " \t two words\n", blank[] = "   ", empty[] = "", dst[4];

    (void)state;
    assert_string_equal(kmv_trim(padded), "two words");
    assert_string_equal(kmv_trim(blank), "");
    assert_string_equal(kmv_trim(empty), "");
    assert_int_equal(kmv_copy_text(dst, sizeof dst, "abc"), 1);
    assert_string_equal(dst, "abc");
    assert_int_equal(kmv_copy_text(dst, sizeof dst, "abcd"), 0);
    assert_string_equal(dst, "abc");
    assert_int_equal(kmv_copy_text(dst, 1, ""), 1);
    assert_string_equal(dst, "");
}

static void shell_words(void **state)
{
    char out[32], small[8];

    (void)state;
    assert_string_equal(kmv_shell_word("a/b-1.ini", out, sizeof out), "a/b-1.ini");
    assert_string_equal(kmv_shell_word("", out, sizeof out), "''");
    assert_string_equal(kmv_shell_word("two words", out, sizeof out), "'two words'");
    assert_string_equal(kmv_shell_word("it's $5%s", out, sizeof out), "'it'\\''s $5%s'");
    kmv_shell_word("a lot of text", small, sizeof small); /* cut, and still one closed word */
    assert_true(strlen(small) < sizeof small && small[0] == '\'' &&
                small[strlen(small) - 1] == '\'');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_reals),
        cmocka_unit_test(reads_sizes),
        cmocka_unit_test(reads_words_for_yes_and_no),
        cmocka_unit_test(counts_edits),
        cmocka_unit_test(suggests_the_nearest),
        cmocka_unit_test(writes_reals_that_read_back),
        cmocka_unit_test(describes_ranges),
        cmocka_unit_test(trims_and_copies),
        cmocka_unit_test(shell_words),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

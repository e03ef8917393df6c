/* base/option.c: one table gives parsing, ranges, defaults, canonical text and help. */
#include "check.h"

#include <string.h>

#include "base/option.h"

typedef struct {
    size_t samples;
    double width;
    int exact, mode;
} opts;

static const kmv_option table[] = {
    {"samples", KMV_OPT_SIZE, offsetof(opts, samples), "1e3", 1, 1e9, "columns to draw", NULL},
    {"width", KMV_OPT_REAL, offsetof(opts, width), "0.50", 0, 4, "of a cell", NULL},
    {"exact", KMV_OPT_BOOL, offsetof(opts, exact), "no", 0, 0, "whether", NULL},
    {"mode", KMV_OPT_ENUM, offsetof(opts, mode), "norms", 0, 0, "how", "rows|norms|rowsum"},
    {0},
};

static void sets_defaults(void **state)
{
    kmv_error err = {""};
    opts o = {9, 9, 9, 9};

    (void)state;
    CHECK_OK(kmv_options_default(table, &o, &err));
    assert_int_equal(o.samples, 1000);
    CHECK_CLOSE(o.width, 0.5, 0);
    assert_int_equal(o.exact, 0);
    assert_int_equal(o.mode, 1);
    CHECK_OK(kmv_options_default(NULL, &o, &err)); /* no table: no options */
}

static void parses(void **state)
{
    kmv_error err = {""};
    opts o;

    (void)state;
    CHECK_OK(kmv_options_default(table, &o, &err));
    CHECK_OK(kmv_options_parse(table, &o, "", &err));
    assert_int_equal(o.samples, 1000);
    CHECK_OK(kmv_options_parse(table, &o, "samples=2^10,width=4,exact=yes,mode=rowsum", &err));
    assert_int_equal(o.samples, 1024);
    CHECK_CLOSE(o.width, 4, 0); /* ends of a range belong to it */
    assert_int_equal(o.exact, 1);
    assert_int_equal(o.mode, 2);
    CHECK_OK(kmv_options_parse(table, &o, "mode=rows", &err)); /* not the prefix of rowsum */
    assert_int_equal(o.mode, 0);
}

static void refuses(void **state)
{
    kmv_error err;
    opts o = {0};

    (void)state;
    CHECK_FAILS(kmv_options_parse(table, &o, "samples=0", &err), KMV_EINVAL,
                "samples: want an integer in [1, 1000000000], got '0'");
    CHECK_FAILS(kmv_options_parse(table, &o, "samples=-1", &err), KMV_EINVAL, "got '-1'");
    CHECK_FAILS(kmv_options_parse(table, &o, "samples=2e9", &err), KMV_EINVAL, "got '2e9'");
    CHECK_FAILS(kmv_options_parse(table, &o, "width=nan", &err), KMV_EINVAL,
                "width: want a number in [0, 4], got 'nan'");
    CHECK_FAILS(kmv_options_parse(table, &o, "width=", &err), KMV_EINVAL, "got ''");
    CHECK_FAILS(kmv_options_parse(table, &o, "width=4.0000001", &err), KMV_EINVAL, "width");
    CHECK_FAILS(kmv_options_parse(table, &o, "exact=maybe", &err), KMV_EINVAL,
                "exact: want yes or no, got 'maybe'");
    CHECK_FAILS(kmv_options_parse(table, &o, "mode=row", &err), KMV_EINVAL,
                "mode: want one of rows|norms|rowsum, got 'row'");
    CHECK_FAILS(kmv_options_parse(table, &o, "mode=", &err), KMV_EINVAL, "mode: want");
    CHECK_FAILS(kmv_options_parse(table, &o, "sampels=3", &err), KMV_EINVAL,
                "unknown option 'sampels', did you mean 'samples'?");
    CHECK_FAILS(kmv_options_parse(table, &o, "colour=3", &err), KMV_EINVAL,
                "unknown option 'colour', want one of samples, width, exact, mode");
    CHECK_FAILS(kmv_options_parse(NULL, &o, "a=1", &err), KMV_EINVAL, "no options here");
    CHECK_FAILS(kmv_options_parse(table, &o, "samples", &err), KMV_EINVAL, "want name=value");
    CHECK_FAILS(kmv_options_parse(table, &o, "samples=1,", &err), KMV_EINVAL, "end with a comma");
    CHECK_FAILS(kmv_options_parse(table, &o, ",samples=1", &err), KMV_EINVAL, "want name=value");
    CHECK_FAILS(kmv_options_parse(table, &o, "samples=1,,exact=1", &err), KMV_EINVAL, "name=value");
    CHECK_FAILS(kmv_options_parse(table, &o, "samples=1,width=1,samples=2", &err), KMV_EINVAL,
                "'samples' is given twice");
    assert_int_equal(kmv_options_parse(table, &o, "samples=0", NULL), KMV_EINVAL);
}

static void refuses_what_is_too_long(void **state)
{
    char text[400] = "samples=";
    kmv_error err;
    opts o = {0};

    (void)state;
    memset(text + 8, '1', sizeof text - 9);
    text[sizeof text - 1] = '\0';
    CHECK_FAILS(kmv_options_parse(table, &o, text, &err), KMV_EINVAL, "longer than 127");
}

static void keeps_what_an_error_did_not_reach(void **state)
{
    kmv_error err = {""};
    opts o = {.samples = 5, .width = 2};

    (void)state;
    CHECK_FAILS(kmv_option_set(table, &o, "width", "9", &err), KMV_EINVAL, "width");
    CHECK_CLOSE(o.width, 2, 0);
    CHECK_FAILS(kmv_option_set(table, &o, "samples", "x", &err), KMV_EINVAL, "samples");
    assert_int_equal(o.samples, 5);
}

static void canonical_text(void **state)
{
    kmv_error err = {""};
    char text[128], again[128], little[8];
    opts o, p;

    (void)state;
    CHECK_OK(kmv_options_default(table, &o, &err));
    assert_int_equal(kmv_options_format(table, &o, text, sizeof text), 0);
    assert_string_equal(text, "");
    /* Another spelling of a default is the default; order and spelling do not matter. */
    CHECK_OK(kmv_options_parse(table, &o, "mode=norms,exact=true,width=0.3,samples=1000", &err));
    assert_int_equal(kmv_options_format(table, &o, text, sizeof text), 19);
    assert_string_equal(text, "width=0.3,exact=yes");
    /* What was formatted parses back to equal text. */
    CHECK_OK(kmv_options_default(table, &p, &err));
    CHECK_OK(kmv_options_parse(table, &p, text, &err));
    kmv_options_format(table, &p, again, sizeof again);
    assert_string_equal(again, text);
    /* Neighbouring doubles are different options. */
    p.width = nextafter(0.3, 1);
    kmv_options_format(table, &p, again, sizeof again);
    assert_string_not_equal(again, text);
    /* Short buffers are cut, ended, and the need is told, as by snprintf. */
    assert_int_equal(kmv_options_format(table, &o, little, sizeof little), 19);
    assert_string_equal(little, "width=0");
    assert_int_equal(kmv_options_format(table, &o, NULL, 0), 19);
}

static void finds_and_describes(void **state)
{
    char text[64];

    (void)state;
    assert_ptr_equal(kmv_option_find(table, "exact"), &table[2]);
    assert_null(kmv_option_find(table, "exac"));
    assert_null(kmv_option_find(NULL, "exact"));
    kmv_option_domain(&table[0], text, sizeof text);
    assert_string_equal(text, "an integer in [1, 1000000000]");
    kmv_option_domain(&table[3], text, sizeof text);
    assert_string_equal(text, "one of rows|norms|rowsum");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sets_defaults),
        cmocka_unit_test(parses),
        cmocka_unit_test(refuses),
        cmocka_unit_test(refuses_what_is_too_long),
        cmocka_unit_test(keeps_what_an_error_did_not_reach),
        cmocka_unit_test(canonical_text),
        cmocka_unit_test(finds_and_describes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

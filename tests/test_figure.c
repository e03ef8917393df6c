/* Sections [figure NAME]: what is accepted, what is an error with its line, which rows they keep.
 */
#include "check.h"

#include <string.h>

#include "bench/figure.h"
#include "bench/record.h"

static void add(kmv_config_figure *f, const char *key, const char *value)
{
    kmv_config_entry *e = &f->entries[f->count];

    snprintf(e->key, sizeof e->key, "%s", key);
    snprintf(e->value, sizeof e->value, "%s", value);
    e->line = 11 + f->count++;
}

static void sections_are_checked(void **state)
{
    static const struct {
        const char *key, *value, *want; /* want NULL: fine */
    } cases[] = {
        {"title", "anything at all", NULL},
        {"n", "4096, 2^13", NULL},
        {"dataset", "planted, sample:*", NULL},
        {"sigma", "x2, sum:1", NULL},
        {"causal", "yes", NULL},
        {"panel", "none", NULL},
        {"panel", "matrix", NULL},
        {"algo_opts", "samples=3,clip=yes", NULL},
        {"kind", "sigma", "12: kind: stands twice"},
        {"datasets", "a", "12: unknown key 'datasets', did you mean 'dataset'?"},
        {"colour", "red", "12: unknown key 'colour', want one of"},
        {"panel", "colour", "12: panel: no such column 'colour'"},
        {"n", "many", "12: n: want numbers, got 'many'"},
        {"n", "1,,2", "12: n: want a list"},
        {"causal", "perhaps", "12: causal: want yes or no"},
    };
    kmv_error err;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        kmv_config_figure f = {.name = "a", .line = 10};

        add(&f, "kind", "time_vs_n");
        add(&f, cases[i].key, cases[i].value);
        if (cases[i].want == NULL) {
            CHECK_OK(kmv_figure_check(&f, &err));
        } else {
            CHECK_FAILS(kmv_figure_check(&f, &err), KMV_EINVAL, cases[i].want);
            assert_memory_equal(err.text, "12:", 3); /* the place comes first */
        }
    }
}

static void kind_and_name_are_needed(void **state)
{
    kmv_config_figure none = {.name = "a", .line = 10}, wrong = {.name = "a", .line = 10};
    kmv_config_figure path = {.name = "../a", .line = 10}, measured = {.name = "a", .line = 10};
    kmv_error err;

    (void)state;
    CHECK_FAILS(kmv_figure_check(&none, &err), KMV_EINVAL, "10: [figure a]: want a key 'kind'");
    add(&wrong, "kind", "time_vs_m");
    CHECK_FAILS(kmv_figure_check(&wrong, &err), KMV_EINVAL, "did you mean 'time_vs_n'?");
    add(&path, "kind", "sigma");
    CHECK_FAILS(kmv_figure_check(&path, &err), KMV_EINVAL, "10: [figure ../a]: want a name");
    add(&measured, "kind", "assumption"); /* a measured row has no algorithm */
    add(&measured, "algo", "exact");
    CHECK_FAILS(kmv_figure_check(&measured, &err), KMV_EINVAL, "12: unknown key 'algo'");
}

static int keeps(const char *key, const char *value)
{
    kmv_config_figure f = {.name = "a"};
    kmv_record row;

    kmv_row_clear(&kmv_record_schema, &row);
    strcpy(row.dataset, "sample:L09H8");
    strcpy(row.sigma_spec, "x2");
    row.n_q = 4096;
    row.causal = 0;
    add(&f, "kind", "sigma");
    add(&f, key, value);
    return kmv_figure_selects(&f, &kmv_record_schema, &row, 0);
}

static void filters_keep_rows(void **state)
{
    (void)state;
    assert_true(keeps("title", "sample"));
    assert_true(keeps("dataset", "sample"));
    assert_true(keeps("dataset", "planted, sample:L09*"));
    assert_false(keeps("dataset", "sample:L10*, planted"));
    assert_false(keeps("dataset", "samp"));
    assert_true(keeps("n", "1024, 2^12"));
    assert_false(keeps("n", "1024"));
    assert_true(keeps("sigma", "x2"));
    assert_false(keeps("sigma", "2"));
    assert_true(keeps("causal", "no"));
    assert_false(keeps("causal", "yes"));
    assert_true(keeps("eps", "0.1")); /* the row's eps is empty: it is judged against every eps */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sections_are_checked),
        cmocka_unit_test(kind_and_name_are_needed),
        cmocka_unit_test(filters_keep_rows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

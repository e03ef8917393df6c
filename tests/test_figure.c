/* Sections [figure NAME]: what is accepted, what is an error with its line, which rows they keep.
 */
#include "check.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "base/mem.h"
#include "bench/figure_parts.h"
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

/* Exponents beside those that are fitted, in figures of phases alone. */
static void predicted_exponents(void **state)
{
    static const char *const wrong[] = {"", "kde", "kde 1.6,", "kde 1.6, 1.9", "kde x", "kde inf"};
    kmv_config_figure f = {.name = "a", .line = 10};
    double exponent = 0;
    kmv_error err;

    (void)state;
    add(&f, "kind", "phase_pairs");
    add(&f, "predicted", "kde 1.6 ,  the rest -0.5");
    CHECK_OK(kmv_figure_check(&f, &err));
    assert_true(kmv_figure_predicted(&f, "kde", &exponent));
    assert_float_equal(exponent, 1.6, 0);
    assert_true(kmv_figure_predicted(&f, "the rest", &exponent));
    assert_float_equal(exponent, -0.5, 0);
    assert_false(kmv_figure_predicted(&f, "rest", &exponent));
    assert_float_equal(exponent, -0.5, 0); /* left alone */
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        f.count = 1;
        add(&f, "predicted", wrong[i]);
        CHECK_FAILS(kmv_figure_check(&f, &err), KMV_EINVAL, "12: predicted: want a list");
    }
    f.count = 0;
    add(&f, "kind", "pairs_vs_n");
    add(&f, "predicted", "kde 1.6");
    CHECK_FAILS(kmv_figure_check(&f, &err), KMV_EINVAL, "12: unknown key 'predicted'");
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

static void planned_rows(void **state)
{
    kmv_config_figure f = {.name = "a"}, map = {.name = "b"};
    kmv_record row;

    (void)state;
    kmv_row_clear(&kmv_record_schema, &row);
    strcpy(row.algo, "null");
    add(&f, "kind", "time_vs_n");
    assert_false(kmv_figure_selects(&f, &kmv_record_schema, &row, 1)); /* left out */
    strcpy(row.algo, "exact");
    add(&f, "threads", "4");
    add(&f, "isa", "avx2");
    assert_false(kmv_figure_selects(&f, &kmv_record_schema, &row, 0));
    assert_true(kmv_figure_selects(&f, &kmv_record_schema, &row, 1)); /* the run may have them */
    row.threads = 2;
    assert_false(kmv_figure_selects(&f, &kmv_record_schema, &row, 1));
    row.threads = 4;
    add(&f, "layer", "3");
    assert_false(kmv_figure_selects(&f, &kmv_record_schema, &row, 1)); /* it has none, nor will */
    row.layer = 3;
    assert_true(kmv_figure_selects(&f, &kmv_record_schema, &row, 1));
    add(&map, "kind", "plan_map");
    assert_false(kmv_figure_selects(&map, &kmv_record_schema, &row, 1)); /* auto alone */
    strcpy(row.algo, "auto");
    assert_true(kmv_figure_selects(&map, &kmv_record_schema, &row, 1));
}

static kmv_summary pooled_case(const char *dataset, const char *options, double time, double error)
{
    kmv_summary c;

    kmv_row_clear(&kmv_summary_schema, &c);
    strcpy(c.dataset, dataset);
    strcpy(c.algo, "hyper");
    strcpy(c.algo_opts, options);
    c.n_q = c.n_k = 64;
    c.t_total_med_s = time;
    c.err_l2_med = error;
    return c;
}

/* Medians and quartiles over the data sets of the section; no number where a set has none. */
static void data_sets_are_pooled(void **state)
{
    kmv_summary cases[] = {
        pooled_case("heads:a", "block=8", 1, 0.5),  pooled_case("heads:b", "block=8", 5, 0.1),
        pooled_case("heads:c", "block=8", 2, 0.2),  pooled_case("heads:a", "block=16", 9, 0.4),
        pooled_case("heads:b", "block=16", NAN, 1), pooled_case("heads:c", "block=16", 9, 0.4),
        pooled_case("other:d", "block=8", 100, 7),
    };
    const kmv_results results = {.cases = cases, .n_cases = sizeof cases / sizeof *cases};
    kmv_config_figure f = {.name = "a"};
    const kmv_column *pooled;
    kmv_schema schema;
    const kmv_summary *row;
    void *rows = NULL;
    size_t count = 0;
    kmv_error err;

    (void)state;
    add(&f, "kind", "pooled_error_vs_time");
    add(&f, "dataset", "heads:*");
    CHECK_OK(kmv_figure_pool(&f, &results, &schema, &rows, &count, &err));
    assert_int_equal(count, 2);
    pooled = kmv_column_find(&schema, "pooled");
    for (size_t i = 0; i < count; i++) {
        row = (const void *)((const char *)rows + i * schema.row_size);
        assert_float_equal(kmv_cell_value(pooled, row), 3, 0);
        assert_string_equal(row->dataset, "heads");
        if (strcmp(row->algo_opts, "block=8") == 0) {
            assert_float_equal(row->t_total_med_s, 2, 0);
            assert_float_equal(row->t_total_lo_s, 1.5, 1e-12);
            assert_float_equal(row->t_total_hi_s, 3.5, 1e-12);
            assert_float_equal(row->err_l2_med, 0.2, 0);
            assert_float_equal(row->err_l2_lo, 0.15, 1e-12);
        } else {
            assert_true(isnan(row->t_total_med_s));
            assert_string_equal(row->reason, "numbers from 2 of 3 data sets");
        }
    }
    kmv_free((void *)(uintptr_t)schema.columns);
    kmv_free(rows);
}

/* A curve at n = 1, 4, 16 with these speed-ups (median, lower and upper end) and times 1, 2, 8. */
static kmv_figure_curve cross(const double speedups[3][3])
{
    static const double times[] = {1, 2, 8};
    kmv_summary rows[3];
    kmv_figure_point points[3] = {{0}};
    kmv_figure_job job = {.kind = kmv_figure_kind_find("time_vs_n"),
                          .schema = &kmv_summary_schema,
                          .points = points,
                          .n_points = 3};
    kmv_figure_curve c = {.begin = 0, .end = 3};

    for (size_t i = 0; i < 3; i++) {
        kmv_row_clear(&kmv_summary_schema, &rows[i]);
        rows[i].speedup_total_med = speedups[i][0];
        rows[i].speedup_total_lo = speedups[i][1];
        rows[i].speedup_total_hi = speedups[i][2];
        rows[i].t_total_med_s = times[i];
        points[i].row = &rows[i];
        points[i].first = "probe";
        points[i].x = pow(4, (double)i);
    }
    kmv_figure_cross(&job, &c);
    return c;
}

static void crossings(void **state)
{
    /* From 1/2 at n = 4 to 2 at n = 16: halfway in logarithms, n = 8, time 4. The upper end rises
     * from 1/4 at n = 1 to 1 at n = 4; the lower from 1/4 at n = 4 to 4 at n = 16 gives 8 as well.
     */
    const double once[3][3] = {{0.25, 0.25, 0.25}, {0.5, 0.25, 1}, {2, 4, 4}};
    const double open[3][3] = {{0.25, 0.25, 0.25}, {0.5, 0.5, 0.5}, {2, 0.5, 4}};
    const double never[3][3] = {{2, 2, 2}, {2, 2, 2}, {0.5, 0.5, 0.5}};
    const double always[3][3] = {{2, 2, 2}, {3, 3, 3}, {4, 4, 4}};
    const double missing[3][3] = {{0.5, 0.5, 0.5}, {NAN, NAN, NAN}, {2, 2, 2}};
    kmv_figure_curve c;

    (void)state;
    c = cross(once);
    CHECK_CLOSE(c.cross_n, 8, 1e-14);
    CHECK_CLOSE(c.cross_t, 4, 1e-14);
    CHECK_CLOSE(c.cross_lo, 4, 1e-14);
    CHECK_CLOSE(c.cross_hi, 8, 1e-14);
    assert_string_equal(c.crossing, "; as exact at n 8 [4, 8]");
    c = cross(open);
    assert_true(isnan(c.cross_hi));
    assert_string_equal(c.crossing, "; as exact at n 8 [6, ...]"); /* 4 * 4^(1/3) = 6.3 */
    c = cross(never);
    assert_true(isnan(c.cross_n) && c.crossing[0] == '\0');
    c = cross(always);
    assert_true(isnan(c.cross_n)); /* nothing to mark */
    assert_string_equal(c.crossing, "; under exact from n 1");
    c = cross(missing);
    assert_true(isnan(c.cross_n) && c.crossing[0] == '\0');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sections_are_checked),
        cmocka_unit_test(kind_and_name_are_needed),
        cmocka_unit_test(predicted_exponents),
        cmocka_unit_test(data_sets_are_pooled),
        cmocka_unit_test(filters_keep_rows),
        cmocka_unit_test(planned_rows),
        cmocka_unit_test(crossings),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

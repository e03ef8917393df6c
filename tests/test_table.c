/* Cases out of raw rows, and tables of them in every format. */
#include "check.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "bench/report.h"
#include "bench/table.h"

static kmv_record row(const char *algo, double rep, double eps, double t, double error)
{
    kmv_record r;

    kmv_row_clear(&kmv_record_schema, &r);
    strcpy(r.experiment, "e");
    snprintf(r.case_id, sizeof r.case_id, "%s-%g", algo, eps);
    strcpy(r.status, "ok");
    strcpy(r.dataset, "a_b");
    strcpy(r.matrix, "gauss");
    strcpy(r.center, "none");
    strcpy(r.sigma_spec, "x1");
    strcpy(r.x_kind, "gauss");
    strcpy(r.algo, algo);
    strcpy(r.isa, "avx2");
    r.rep = rep;
    r.causal = 0;
    r.n_q = r.n_k = 100;
    r.d = 8;
    r.r = r.threads = 1;
    r.sigma = 2;
    r.eps = eps;
    r.t_prepare_s = t / 4;
    r.t_apply_s = 3 * t / 4;
    r.pairs_frac = 0.5;
    r.err_l2 = error;
    r.err_hi = error;
    r.null_err = 0.15;
    return r;
}

static const kmv_summary *find(const kmv_summary *cases, size_t count, const char *algo, double eps)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(cases[i].algo, algo) == 0 && cases[i].eps_judged == eps)
            return &cases[i];
    }
    fail_msg("no case of %s with eps %g", algo, eps);
    return NULL;
}

static void plans_and_positions(void **state)
{
    kmv_record rows[3] = {row("auto", 0, 0.1, 1, 0.01), row("auto", 1, 0.1, 1, 0.01),
                          row("auto", 2, 0.1, 1, 0.01)};
    kmv_summary *cases = NULL;
    size_t count = 0;
    kmv_error err;

    (void)state;
    strcpy(rows[0].status, "error"); /* did not run: says nothing */
    strcpy(rows[0].plan, "exact by default");
    strcpy(rows[1].plan, "auto: probe with m = 8");
    strcpy(rows[2].plan, "importance, 64 columns");
    strcpy(rows[0].pos_err, "9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9");
    strcpy(rows[1].pos_err, "1 - 3 0 0 0 0 0 0 0 0 0 0 0 0 4");
    strcpy(rows[2].pos_err, "2 - - 0 0 0 0 0 0 0 0 0 0 0 0 4");
    CHECK_OK(kmv_summaries_make(rows, 3, 1, &cases, &count, &err));
    assert_int_equal(count, 1);
    assert_string_equal(cases[0].chosen, "probe");
    assert_string_equal(cases[0].pos_err, "1.5 - 3 0 0 0 0 0 0 0 0 0 0 0 0 4");
    kmv_free(cases);
    strcpy(rows[1].plan, "32 tables"); /* no method by that name */
    CHECK_OK(kmv_summaries_make(rows, 2, 1, &cases, &count, &err));
    assert_string_equal(cases[0].chosen, "");
    kmv_free(cases);
}

/* Entries by phase are told apart from plans that count something else, or nothing. */
static void phases_of_plans(void **state)
{
    static const struct {
        const char *plan[3], *want;
    } cases[] = {
        {{"near=10 far=7 pairs: 3 keys", "near=30 far=5 pairs", "near=20 far=6 pairs"},
         "near 20 far 6"},
        {{"near=10 pairs", "", ""}, "near 10"},
        {{"m=8 columns", "m=8 columns", "m=9 columns"}, ""},
        {{"near= pairs", "=3 pairs", "near 3 pairs"}, ""},
        {{"near=10 far=7 pairs", "near=30 off=5 pairs", "near=50 far=8"}, "near 20 far 7"},
    };

    (void)state;
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        kmv_record rows[3] = {row("paper", 0, 0.1, 1, 0.01), row("paper", 1, 0.1, 1, 0.01),
                              row("paper", 2, 0.1, 1, 0.01)};
        kmv_summary *found = NULL;
        size_t count = 0;
        kmv_error err;

        for (size_t i = 0; i < 3; i++)
            strcpy(rows[i].plan, cases[k].plan[i]);
        CHECK_OK(kmv_summaries_make(rows, 3, 1, &found, &count, &err));
        assert_string_equal(found[0].phase_pairs, cases[k].want);
        kmv_free(found);
    }
}

static void cases_of_rows(void **state)
{
    /* `uniform` is always four times as fast, although repetition 1 was slow for both. */
    kmv_record rows[] = {
        row("uniform", 1, 0.1, 2, 0.09), row("exact", 1, NAN, 8, 1e-7),
        row("exact", 0, NAN, 4, 1e-7),   row("uniform", 0, 0.1, 1, 0.05),
        row("uniform", 0, 0.2, 1, NAN),  row("uniform", 1, 0.2, 1, 0.1),
    };
    kmv_summary *cases = NULL;
    const kmv_summary *c;
    size_t count = 0;
    kmv_error err;

    (void)state;
    CHECK_OK(kmv_summaries_make(rows, 6, 1, &cases, &count, &err));
    assert_int_equal(count, 4); /* exact against both eps, uniform against its own */
    c = find(cases, count, "uniform", 0.1);
    CHECK_CLOSE(c->t_total_med_s, 1.5, 0);
    CHECK_CLOSE(c->speedup_total_med, 4, 0);
    CHECK_CLOSE(c->speedup_total_lo, 4, 0);
    CHECK_CLOSE(c->speedup_apply_hi, 4, 0);
    CHECK_CLOSE(c->err_l2_max, 0.09, 0);
    CHECK_CLOSE(c->pairs_per_query, 50, 0);
    assert_true(c->meets_eps == 1 && c->trivial == 0 && c->ok == 2 && c->reps == 2);
    c = find(cases, count, "uniform", 0.2);
    assert_true(c->meets_eps == 0); /* an error that is not known has not met it */
    assert_true(c->trivial == 1);
    CHECK_CLOSE(c->err_l2_max, 0.1, 0);
    c = find(cases, count, "exact", 0.2);
    assert_true(isnan(c->eps) && c->meets_eps == 1 && c->trivial == 1);
    CHECK_CLOSE(c->speedup_total_med, 1, 0);
    kmv_free(cases);
    CHECK_OK(kmv_summaries_make(rows, 6, 0, &cases, &count, &err));
    assert_int_equal(count, 3);
    kmv_free(cases);
    CHECK_OK(kmv_summaries_make(rows, 0, 1, &cases, &count, &err));
    assert_int_equal(count, 0);
    kmv_free(cases);
}

static void rows_that_did_not_run(void **state)
{
    kmv_record rows[] = {row("exact", 0, NAN, 4, 1e-7), row("uniform", 0, 0.1, 1, 0.05),
                         row("uniform", 1, 0.1, 1, 0.05), row("uniform", 1, 0.1, 2, 0.01)};
    kmv_summary *cases = NULL;
    const kmv_summary *c;
    size_t count = 0;
    kmv_error err;

    (void)state;
    strcpy(rows[1].status, "timeout");
    strcpy(rows[1].reason, "after 10 s");
    rows[2].t_apply_s = 77;
    CHECK_OK(kmv_summaries_make(rows, 4, 1, &cases, &count, &err));
    c = find(cases, count, "uniform", 0.1);
    assert_true(c->timeout == 1 && c->ok == 1 && c->reps == 2 && c->meets_eps == 0);
    assert_string_equal(c->reason, "after 10 s");
    CHECK_CLOSE(c->t_total_med_s, 2, 0);      /* the later row of repetition 1 counts */
    assert_true(isnan(c->speedup_total_med)); /* exact has no repetition 1 */
    kmv_free(cases);
}

static void other_products_are_no_partner(void **state)
{
    kmv_record rows[] = {row("exact", 0, NAN, 4, 1e-7), row("uniform", 0, 0.1, 1, 0.05)};
    kmv_summary *cases = NULL;
    size_t count = 0;
    kmv_error err;

    (void)state;
    rows[0].d = 16;
    CHECK_OK(kmv_summaries_make(rows, 2, 1, &cases, &count, &err));
    assert_true(isnan(find(cases, count, "uniform", 0.1)->speedup_total_med));
    kmv_free(cases);
}

/* Rows of outside programs name no instruction set: they stand beside exact of any, are judged by
 * the same eps and can win. One that did not run says nothing about exact. */
static void outside_programs(void **state)
{
    kmv_record rows[] = {row("exact", 0, NAN, 4, 1e-7), row("uniform", 0, 0.1, 2, 0.05),
                         row("outside", 0, NAN, 1, 0.01), row("missing", 0, 0.3, 1, NAN)};
    kmv_summary *cases = NULL;
    kmv_winner *found = NULL;
    const kmv_summary *c;
    size_t count = 0, n = 0;
    kmv_error err;

    (void)state;
    rows[2].isa[0] = rows[3].isa[0] = '\0';
    strcpy(rows[3].status, "skipped");
    CHECK_OK(kmv_summaries_make(rows, 4, 1, &cases, &count, &err));
    assert_int_equal(count, 4); /* none of them against the eps of the row that did not run */
    c = find(cases, count, "outside", 0.1);
    CHECK_CLOSE(c->speedup_total_med, 4, 0);
    assert_true(c->meets_eps == 1);
    CHECK_OK(kmv_winners_make(cases, count, &found, &n, &err));
    assert_int_equal(n, 1);
    assert_string_equal(found[0].fastest, "outside");
    kmv_free(found);
    kmv_free(cases);
    rows[2].threads = 2; /* another product all the same */
    CHECK_OK(kmv_summaries_make(rows, 4, 0, &cases, &count, &err));
    for (size_t i = 0; i < count; i++)
        assert_true(strcmp(cases[i].algo, "outside") != 0 || isnan(cases[i].speedup_total_med));
    kmv_free(cases);
}

typedef struct {
    char name[32];
    double count, t_med_s, t_lo_s, t_hi_s;
} line;

static const kmv_column line_columns[] = {
    KMV_COLUMN(line, name, "", KMV_COL_TEXT, "a name"),
    KMV_COLUMN(line, count, "", KMV_COL_INT, "a count"),
    KMV_COLUMN(line, t_med_s, "s", KMV_COL_REAL, "a time"),
    KMV_COLUMN(line, t_lo_s, "s", KMV_COL_REAL, "its lower end"),
    KMV_COLUMN(line, t_hi_s, "s", KMV_COL_REAL, "its upper end"),
    {0},
};
static const kmv_schema line_schema = {line_columns, sizeof(line)};

static void formats(void **state)
{
    static const line lines[] = {{"a_b & 50%", 1234567, 0.123456, 0.1, 0.2},
                                 {"x|y\\<z>", 2, 12.3456, 12.3456, 12.3456},
                                 {"{#$~^}[", NAN, NAN, NAN, NAN}};
    static const struct {
        kmv_table_format format;
        const char *columns, *want;
    } cases[] = {
        {KMV_TABLE_TSV, "all",
         "name\tcount\tt_med_s\tt_lo_s\tt_hi_s\n"
         "a_b & 50%\t1234567\t0.123456\t0.1\t0.2\n"
         "x|y\\\\<z>\t2\t12.3456\t12.3456\t12.3456\n"
         "{#$~^}[\t\t\t\t\n"},
        {KMV_TABLE_MD, "name,count,t_med_s",
         "| name | count | t \\[s] |\n|---|---:|---:|\n"
         "| a\\_b &amp; 50% | 1234567 | 0.123 \\[0.1, 0.2] |\n"
         "| x\\|y\\\\&lt;z&gt; | 2 | 12.3 |\n"
         "| {#$~^}\\[ | - | - |\n"},
        {KMV_TABLE_TEX, "name,t_med_s",
         "\\begin{tabular}{lr}\n\\toprule\nname & t {[}s] \\\\\n\\midrule\n"
         "a\\_b \\& 50\\% & 0.123 {[}0.1, 0.2] \\\\\n"
         "x\\textbar{}y\\textbackslash{}\\textless{}z\\textgreater{} & 12.3 \\\\\n"
         "\\{\\#\\$\\textasciitilde{}\\textasciicircum{}\\}{[} & -- \\\\\n"
         "\\bottomrule\n\\end{tabular}\n"},
        {KMV_TABLE_HTML, "name",
         "<div class=\"wide\"><table>\n<thead><tr><th>name</th></tr>\n</thead>\n<tbody>\n"
         "<tr><td>a_b &amp; 50%</td></tr>\n<tr><td>x|y\\&lt;z&gt;</td></tr>\n"
         "<tr><td>{#$~^}[</td></tr>\n</tbody></table></div>\n"},
    };
    kmv_error err;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        kmv_table_columns columns;
        char *text = NULL;
        size_t size = 0;
        FILE *f = open_memstream(&text, &size);

        CHECK_OK(kmv_table_columns_parse(&line_schema, cases[i].columns, cases[i].format, &columns,
                                         &err));
        CHECK_OK(kmv_table_write(&line_schema, &columns, lines, 3, cases[i].format, f, &err));
        fclose(f);
        assert_string_equal(text, cases[i].want);
        free(text);
    }
}

static void words(void **state)
{
    kmv_table_columns columns;
    kmv_table_format format;
    kmv_error err;

    (void)state;
    CHECK_OK(kmv_table_format_parse("tex", &format, &err));
    assert_int_equal(format, KMV_TABLE_TEX);
    CHECK_FAILS(kmv_table_format_parse("html", &format, &err), KMV_EINVAL, "want tsv, md or tex");
    CHECK_FAILS(kmv_table_columns_parse(&line_schema, "name,nam", KMV_TABLE_MD, &columns, &err),
                KMV_EINVAL, "no column 'nam'");
}

static void winners(void **state)
{
    kmv_record rows[] = {row("exact", 0, NAN, 4, 1e-7),     row("uniform", 0, 0.1, 1, 0.05),
                         row("importance", 0, 0.1, 2, 0.1), row("null", 0, NAN, 0.01, 0.15),
                         row("uniform", 0, 0.2, 1, 0.05),   row("uniform", 0, 0.05, 1, 0.06)};
    kmv_summary *cases = NULL;
    kmv_winner *found = NULL;
    size_t count = 0, n = 0;
    char text[512];
    kmv_error err;

    (void)state;
    CHECK_OK(kmv_summaries_make(rows, 6, 1, &cases, &count, &err));
    CHECK_OK(kmv_winners_make(cases, count, &found, &n, &err));
    assert_int_equal(n, 3);
    assert_string_equal(found[0].fastest, "exact");                        /* uniform missed 0.05 */
    assert_non_null(strstr(found[0].verdict, "not measured well enough")); /* twice */
    assert_string_equal(found[1].fastest, "uniform");
    assert_true(strncmp(found[1].verdict, "not measured well enough", 24) == 0); /* 1 repetition */
    CHECK_CLOSE(found[1].speedup_total_med, 4, 0);
    assert_true(strncmp(found[2].verdict, "trivial", 7) == 0); /* null_err 0.15 <= 0.2 */
    kmv_winners_sentence(found, n, 0, text, sizeof text);
    assert_string_equal(text,
                        "n = 100: of 3 products and errors asked, exact is the fastest in 1, "
                        "in 1 answering 0 would do, in 1 the times are not measured well enough "
                        "to tell; nothing else beats it.");
    kmv_free(found);
    kmv_free(cases);
}

/* Three repetitions tell of a product that takes exact a millisecond, not of a shorter one. */
static void verdicts_need_time(void **state)
{
    enum { REPS = 3 };
    const double exact_s[] = {4, 4e-6};
    kmv_error err;

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        kmv_record rows[3 * REPS];
        kmv_summary *cases = NULL;
        kmv_winner *found = NULL;
        size_t count = 0, n = 0;

        for (size_t rep = 0; rep < REPS; rep++) {
            rows[2 * rep] = row("exact", (double)rep, NAN, exact_s[i], 1e-7);
            rows[2 * rep + 1] = row("uniform", (double)rep, 0.1, exact_s[i] / 4, 0.05);
            rows[2 * REPS + rep] = row("auto", (double)rep, 0.1, exact_s[i] / 8, 0.05);
            strcpy(rows[2 * REPS + rep].plan, "auto: exact, by predicted cost"); /* chance */
        }
        CHECK_OK(kmv_summaries_make(rows, 3 * REPS, 1, &cases, &count, &err));
        CHECK_OK(kmv_winners_make(cases, count, &found, &n, &err));
        assert_int_equal(n, 1);
        assert_string_equal(found[0].fastest, "uniform");
        assert_string_equal(found[0].verdict,
                            i == 0 ? "faster than exact"
                                   : "not measured well enough (fewer than 3 repetitions, or under "
                                     "a millisecond)");
        kmv_free(found);
        kmv_free(cases);
        for (size_t rep = 0; rep < REPS; rep++)
            rows[2 * rep + 1].err_l2 = rows[2 * rep + 1].err_hi = 0.2; /* uniform misses */
        CHECK_OK(kmv_summaries_make(rows, 3 * REPS, 1, &cases, &count, &err));
        CHECK_OK(kmv_winners_make(cases, count, &found, &n, &err));
        assert_string_equal(found[0].fastest, "exact");
        if (i == 0)
            assert_string_equal(found[0].verdict, "exact wins");
        kmv_free(found);
        kmv_free(cases);
    }
}

/* An eps asked at one n is no question at another. */
static void judged_by_own_product(void **state)
{
    kmv_record rows[] = {row("exact", 0, NAN, 4, 1e-7), row("exact", 0, NAN, 4, 1e-7),
                         row("uniform", 0, 0.1, 1, 0.05)};
    kmv_summary *cases = NULL;
    size_t count = 0;
    kmv_error err;

    (void)state;
    rows[0].n_q = rows[0].n_k = 50;
    strcpy(rows[0].case_id, "smaller");
    CHECK_OK(kmv_summaries_make(rows, 3, 1, &cases, &count, &err));
    assert_int_equal(count, 3);
    assert_true(cases[0].n_q == 50 && isnan(cases[0].eps_judged));
    assert_true(find(cases, count, "exact", 0.1)->n_q == 100);
    kmv_free(cases);
}

static void headlines(void **state)
{
    enum { REPS = 3 };
    kmv_record rows[3 * REPS];
    char lines[KMV_HEADLINES][KMV_HEADLINE_SIZE];
    kmv_error err;

    (void)state;
    for (size_t rep = 0; rep < REPS; rep++) {
        rows[3 * rep] = row("exact", (double)rep, NAN, 4, 1e-7);
        rows[3 * rep].pairs_frac = 1;
        rows[3 * rep + 1] = row("uniform", (double)rep, 0.1, 1, 0.05);
        rows[3 * rep + 2] = row("uniform", (double)rep, 0.2, 0.5, 0.05);
    }
    for (size_t reps = 1; reps <= REPS; reps++) {
        kmv_results r = {.records = rows, .n_records = 3 * reps};

        CHECK_OK(kmv_summaries_make(rows, 3 * reps, 0, &r.cases, &r.n_cases, &err));
        CHECK_OK(kmv_summaries_make(rows, 3 * reps, 1, &r.judged, &r.n_judged, &err));
        CHECK_OK(kmv_report_headline(&r, lines, &err));
        /* One or two repetitions make no headline; 8x at 0.2 is trivial. */
        assert_int_equal(strstr(lines[0], "4.00x [4.00, 4.00] by uniform") != NULL, reps == REPS);
        assert_non_null(strstr(lines[1], "not measured"));
        /* 10^4 entries in 4 s, 16 flops each */
        assert_non_null(strstr(lines[2], "2.5e+03 entries/s, 4e-05 GFLOP/s"));
        kmv_free(r.cases);
        kmv_free(r.judged);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cases_of_rows),
        cmocka_unit_test(plans_and_positions),
        cmocka_unit_test(phases_of_plans),
        cmocka_unit_test(rows_that_did_not_run),
        cmocka_unit_test(other_products_are_no_partner),
        cmocka_unit_test(outside_programs),
        cmocka_unit_test(formats),
        cmocka_unit_test(words),
        cmocka_unit_test(winners),
        cmocka_unit_test(verdicts_need_time),
        cmocka_unit_test(judged_by_own_product),
        cmocka_unit_test(headlines),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

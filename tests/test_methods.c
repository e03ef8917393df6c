/* Methods at their best settings, worked out by hand. */
#include "check.h"

#include <string.h>

#include "base/mem.h"
#include "bench/methods.h"

static kmv_record row(const char *dataset, const char *algo, const char *options, double t,
                      double error)
{
    kmv_record r;

    kmv_row_clear(&kmv_record_schema, &r);
    strcpy(r.experiment, "test");
    snprintf(r.case_id, sizeof r.case_id, "%s%s%s", dataset, algo, options);
    strcpy(r.status, "ok");
    strcpy(r.dataset, dataset);
    strcpy(r.matrix, "gauss");
    strcpy(r.center, "none");
    strcpy(r.sigma_spec, "x1");
    strcpy(r.x_kind, "gauss");
    strcpy(r.algo, algo);
    strcpy(r.algo_opts, options);
    strcpy(r.isa, "avx2");
    r.causal = r.rep = 0;
    r.n_q = r.n_k = 100;
    r.d = 8;
    r.r = r.threads = 1;
    r.sigma = 2;
    r.t_prepare_s = t / 4;
    r.t_apply_s = 3 * t / 4;
    r.pairs_frac = t / 10;
    r.err_l2 = r.err_hi = error;
    r.null_err = 0.5;
    return r;
}

static const kmv_method_row *find(const kmv_method_row *rows, size_t count, const char *algo)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(rows[i].algo, algo) == 0)
            return &rows[i];
    }
    fail_msg("no row of %s", algo);
    return NULL;
}

/* On A of three settings the second meets 0.1, on B the first already; on C none does; on D
 * answering 0 does. exact takes 8. */
static void best_settings(void **state)
{
    kmv_record rows[] = {
        row("A", "exact", "", 8, 0),          row("B", "exact", "", 8, 0),
        row("C", "exact", "", 8, 0),          row("D", "exact", "", 8, 0),
        row("A", "uniform", "m=1", 1, 0.3),   row("A", "uniform", "m=2", 2, 0.09),
        row("A", "uniform", "m=9", 10, 0.01), row("B", "uniform", "m=1", 1, 0.05),
        row("B", "uniform", "m=2", 2, 0.03),  row("B", "uniform", "m=9", 10, 0.02),
        row("C", "uniform", "m=1", 1, 0.3),   row("C", "uniform", "m=2", 2, 0.2),
        row("C", "uniform", "m=9", 10, 0.11), row("D", "uniform", "m=1", 1, 0.01),
        row("A", "probe", "", 4, 0.05),       row("A", "null", "", 0.1, 0.5),
    };
    kmv_summary *cases = NULL;
    kmv_method_row *found = NULL;
    const kmv_method_row *m;
    size_t count = 0, n = 0;
    kmv_error err;

    (void)state;
    rows[3].null_err = rows[13].null_err = 0.05;
    rows[14].eps = 0.1; /* what all are judged by on A; the others are asked, too */
    for (size_t i = 7; i < 14; i++)
        rows[i].eps = 0.1;
    CHECK_OK(kmv_summaries_make(rows, sizeof rows / sizeof *rows, 1, &cases, &count, &err));
    CHECK_OK(kmv_methods_make(cases, count, &found, &n, &err));
    assert_int_equal(n, 3); /* null is no method */
    m = find(found, n, "uniform");
    CHECK_CLOSE(m->eps_judged, 0.1, 0);
    CHECK_CLOSE(m->problems, 3, 0); /* D is trivial */
    CHECK_CLOSE(m->met, 2, 0);
    CHECK_CLOSE(m->speedup_total_lo, 4, 1e-12);
    CHECK_CLOSE(m->speedup_total_hi, 8, 1e-12);
    CHECK_CLOSE(m->speedup_total_med, 6, 1e-12);
    CHECK_CLOSE(m->settings, 3, 0);
    CHECK_CLOSE(m->decades, 1, 1e-12);
    CHECK_CLOSE(m->at_least, 1, 0); /* B */
    CHECK_CLOSE(m->at_most, 0, 0);
    CHECK_CLOSE(m->err_hi_max, 0.09, 0);
    assert_non_null(/* measured once */
                    strstr(m->verdict,
                           "not measured well enough, where it meets eps at all; the best is"));
    m = find(found, n, "probe");
    CHECK_CLOSE(m->speedup_total_med, 2, 1e-12);
    CHECK_CLOSE(m->at_least + m->at_most, 0, 0); /* one setting has no edge */
    m = find(found, n, "exact");
    CHECK_CLOSE(m->speedup_total_med, 1, 0);
    CHECK_CLOSE(m->met, 3, 0);
    kmv_free(found);
    kmv_free(cases);
}

static void none_meets(void **state)
{
    kmv_record rows[] = {row("A", "exact", "", 8, 0), row("A", "uniform", "m=1", 1, 0.3)};
    kmv_summary *cases = NULL;
    kmv_method_row *found = NULL;
    size_t count = 0, n = 0;
    kmv_error err;

    (void)state;
    rows[1].eps = 0.1;
    CHECK_OK(kmv_summaries_make(rows, 2, 1, &cases, &count, &err));
    CHECK_OK(kmv_methods_make(cases, count, &found, &n, &err));
    assert_string_equal(find(found, n, "uniform")->verdict, "no setting meets eps");
    assert_true(isnan(find(found, n, "uniform")->speedup_total_med));
    kmv_free(found);
    kmv_free(cases);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(best_settings),
        cmocka_unit_test(none_meets),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

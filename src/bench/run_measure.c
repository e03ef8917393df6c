/* bench/run_measure.c - the [measure] sections of a run, see run.h. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/status.h"
#include "base/str.h"
#include "bench/runner.h"

static void fill_asked(const kmv_runner *r, const kmv_measure_case *c, kmv_measure_row *row)
{
    kmv_planned_measure_row(r->config, c, row);
    kmv_utc_now(row->started);
    kmv_copy_text(row->commit, sizeof row->commit, r->provenance.commit);
    kmv_copy_text(row->host, sizeof row->host, r->provenance.cpu);
}

static int is_done(const kmv_runner *r, const kmv_measure_case *c)
{
    const kmv_measure_row *rows = r->measure.rows;

    for (size_t i = 0; i < r->measure.count; i++) {
        if (strcmp(rows[i].case_id, c->id) == 0)
            return 1;
    }
    return 0;
}

static kmv_status store(kmv_runner *r, const kmv_measure_row *row, kmv_error *err)
{
    kmv_status st = kmv_journal_append(&r->measure, row, err);

    if (st == KMV_OK) {
        kmv_run_count(r->summary, row->status);
        r->done++;
    }
    return st;
}

/* One measurement in a child; the data is loaded or has failed. */
static kmv_status measure_one(kmv_runner *r, const kmv_measure_case *c, const kmv_shared *shared,
                              const kmv_run_failure *failure, kmv_error *err)
{
    kmv_trial trial = {
        .settings = &r->trial, .data = &shared->data, .problem = &c->problem, .measure = c};
    kmv_status work_status = KMV_OK, st;
    kmv_child_end end;
    kmv_error why = {""};
    kmv_measure_row row;

    fill_asked(r, c, &row);
    if (*c->problem.skip != '\0' || failure->failed) {
        const int skip = *c->problem.skip != '\0';

        kmv_copy_text(row.status, sizeof row.status, skip ? "skipped" : failure->status);
        kmv_copy_text(row.reason, sizeof row.reason, skip ? c->problem.skip : failure->reason);
        return store(r, &row, err);
    }
    kmv_run_progress(r, c->key);
    st = kmv_forked_run(kmv_trial_measure, &trial, &row, sizeof row, &r->limits, r->signal_fd, &end,
                        &work_status, &why);
    if (st != KMV_OK)
        return kmv_fail(err, st, "%s", why.text);
    if (end == KMV_CHILD_INTERRUPTED) {
        r->summary->interrupted = 1;
        return KMV_OK;
    }
    (void)kmv_run_outcome(end, work_status, 1, &why, row.status, row.reason);
    return store(r, &row, err);
}

/* All pending measures on the data of measures[first]. */
static kmv_status measure_group(kmv_runner *r, size_t first, unsigned char *taken, kmv_error *err)
{
    const kmv_measure_case *all = r->cases->measures;
    kmv_run_failure failure = {0};
    kmv_shared shared = {0};
    kmv_status st = kmv_run_load(r, &all[first].problem, &shared, &failure, err);

    for (size_t i = first; st == KMV_OK && i < r->cases->n_measures && !r->summary->interrupted;
         i++) {
        if (taken[i] || strcmp(all[i].problem.data_key, all[first].problem.data_key) != 0)
            continue;
        taken[i] = 1;
        st = measure_one(r, &all[i], &shared, &failure, err);
    }
    kmv_shared_clear(&shared);
    return st;
}

static int is_fitted(const kmv_measure_case *c, const kmv_measure_row *row, const char *series)
{
    return strcmp(c->series, series) == 0 && strcmp(row->status, "ok") == 0;
}

/* Fit one series in place: its rows are brought together, fitted and put back. */
static void fit_series(const kmv_measure_case *const *of, kmv_measure_row *rows, size_t count,
                       const char *series, kmv_measure_row *scratch)
{
    size_t used = 0;

    for (size_t i = 0; i < count; i++) {
        if (of[i] != NULL && is_fitted(of[i], &rows[i], series))
            scratch[used++] = rows[i];
    }
    kmv_measure_fit(scratch, used);
    used = 0;
    for (size_t i = 0; i < count; i++) {
        if (of[i] != NULL && is_fitted(of[i], &rows[i], series))
            rows[i] = scratch[used++];
    }
}

static const kmv_measure_case *find_measure(const kmv_cases *cases, const char *id)
{
    for (size_t i = 0; i < cases->n_measures; i++) {
        if (strcmp(cases->measures[i].id, id) == 0)
            return &cases->measures[i];
    }
    return NULL;
}

static kmv_status write_rows(const kmv_runner *r, const kmv_measure_row *rows, size_t count,
                             kmv_error *err)
{
    char *text = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);
    kmv_status st;

    if (f == NULL)
        return kmv_fail(err, KMV_ENOMEM, "no memory for measure.tsv");
    st = kmv_tsv_header(&kmv_measure_schema, f, err);
    for (size_t i = 0; st == KMV_OK && i < count; i++)
        st = kmv_tsv_row(&kmv_measure_schema, &rows[i], f, err);
    fclose(f);
    if (st == KMV_OK)
        st = kmv_file_replace(r->options->dir, "measure.tsv", text, size, err);
    free(text);
    return st;
}

/* When all rows are there their exponents are fitted and the file is replaced as a whole. */
static kmv_status fit_all(kmv_runner *r, kmv_error *err)
{
    const kmv_measure_case **of = NULL;
    kmv_measure_row *scratch = NULL;
    kmv_measure_row *rows;
    kmv_status st;

    kmv_journal_close(&r->measure);
    if ((st = kmv_journal_open(r->options->dir, "measure.tsv", &kmv_measure_schema, &r->measure,
                               err)) != KMV_OK)
        return st;
    rows = r->measure.rows;
    if ((of = kmv_alloc(r->measure.count, sizeof *of, "measures", err)) == NULL ||
        (scratch = kmv_alloc(r->measure.count, sizeof *scratch, "measures", err)) == NULL) {
        st = KMV_ENOMEM;
        goto out;
    }
    for (size_t i = 0; i < r->measure.count; i++)
        of[i] = find_measure(r->cases, rows[i].case_id);
    for (size_t i = 0; i < r->measure.count; i++) {
        size_t before = 0;

        while (before < i && (of[before] == NULL || of[i] == NULL ||
                              strcmp(of[before]->series, of[i]->series) != 0))
            before++;
        if (before == i && of[i] != NULL) /* the first of its series */
            fit_series(of, rows, r->measure.count, of[i]->series, scratch);
    }
    st = write_rows(r, rows, r->measure.count, err);
out:
    kmv_free(scratch);
    kmv_free(of);
    return st;
}

kmv_status kmv_run_measures(kmv_runner *r, kmv_error *err)
{
    const size_t n = r->cases->n_measures;
    unsigned char *taken;
    size_t pending = 0;
    kmv_status st = KMV_OK;

    if (n == 0)
        return KMV_OK;
    if ((taken = kmv_alloc(n, 1, "measures", err)) == NULL)
        return KMV_ENOMEM;
    for (size_t i = 0; i < n; i++) {
        taken[i] = (unsigned char)is_done(r, &r->cases->measures[i]);
        pending += !taken[i];
    }
    for (size_t i = 0; st == KMV_OK && i < n && !r->summary->interrupted; i++) {
        if (!taken[i])
            st = measure_group(r, i, taken, err);
    }
    kmv_free(taken);
    if (st == KMV_OK && pending > 0 && !r->summary->interrupted)
        st = fit_all(r, err);
    return st;
}

kmv_status kmv_run_open_measures(kmv_runner *r, kmv_error *err)
{
    const kmv_measure_row *rows;
    kmv_status st;

    if (r->cases->n_measures == 0)
        return KMV_OK;
    if ((st = kmv_journal_open(r->options->dir, "measure.tsv", &kmv_measure_schema, &r->measure,
                               err)) != KMV_OK)
        return st;
    rows = r->measure.rows;
    for (size_t i = 0; i < r->measure.count; i++) {
        if (find_measure(r->cases, rows[i].case_id) != NULL) {
            kmv_run_count(r->summary, rows[i].status);
            r->done++;
        }
    }
    r->total += r->cases->n_measures;
    return KMV_OK;
}

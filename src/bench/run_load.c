/* bench/run_load.c - the data of a group, and the note of what it was in datasets.tsv. */
#include <string.h>

#include "base/status.h"
#include "base/str.h"
#include "bench/runner.h"

/* One row per set of points that was loaded: what its name and size stand for. */
typedef struct {
    char data[768], dataset[128];
    double n_q, n_k, d, r, sigma;
    char sha256[KMV_HASH_SIZE], source[256], model[128], license[128];
} data_row;

#define ROW(field, unit, type, help) KMV_COLUMN(data_row, field, unit, type, help)

static const kmv_column columns[] = {
    ROW(data, "", KMV_COL_TEXT, "what was loaded: file, or generator with options and sizes"),
    ROW(dataset, "", KMV_COL_TEXT, "its name in raw.tsv and measure.tsv"),
    ROW(n_q, "", KMV_COL_INT, "queries"),
    ROW(n_k, "", KMV_COL_INT, "keys"),
    ROW(d, "", KMV_COL_INT, "dimension"),
    ROW(r, "", KMV_COL_INT, "columns of V, 0 without V"),
    ROW(sigma, "coordinate", KMV_COL_REAL, "bandwidth that belongs to it; empty without one"),
    ROW(sha256, "", KMV_COL_TEXT, "of the arrays"),
    ROW(source, "", KMV_COL_TEXT, "where it is from"),
    ROW(model, "", KMV_COL_TEXT, "model that made it"),
    ROW(license, "", KMV_COL_TEXT, "licence of the data"),
    {0},
};

static const kmv_schema data_schema = {columns, sizeof(data_row)};

/* Opened at the first load: a run that has nothing to do writes nothing. */
static kmv_status note(kmv_runner *runner, const char *data_key, const kmv_dataset *data,
                       kmv_error *err)
{
    kmv_journal *journal = &runner->datasets;
    const data_row *rows;
    data_row row;
    kmv_status st;

    kmv_journal_close(journal);
    if ((st = kmv_journal_open(runner->options->dir, "datasets.tsv", &data_schema, journal, err)) !=
        KMV_OK)
        return st;
    rows = journal->rows;
    for (size_t i = 0; i < journal->count; i++) {
        if (strcmp(rows[i].data, data_key) != 0)
            continue;
        if (strcmp(rows[i].sha256, data->sha256) == 0)
            return KMV_OK;
        return kmv_fail(err, KMV_EINVAL,
                        "%s: results belong to other data of this name: sha256 %.12s..., now "
                        "%.12s...; want a new folder",
                        data_key, rows[i].sha256, data->sha256);
    }
    kmv_row_clear(&data_schema, &row);
    kmv_copy_text(row.data, sizeof row.data, data_key);
    kmv_copy_text(row.dataset, sizeof row.dataset, data->name);
    row.n_q = (double)data->q.n;
    row.n_k = (double)data->k.n;
    row.d = (double)data->q.d;
    row.r = (double)data->r;
    row.sigma = data->sigma;
    kmv_copy_text(row.sha256, sizeof row.sha256, data->sha256);
    kmv_copy_text(row.source, sizeof row.source, data->source);
    kmv_copy_text(row.model, sizeof row.model, data->model);
    kmv_copy_text(row.license, sizeof row.license, data->license);
    return kmv_journal_append(journal, &row, err);
}

kmv_status kmv_run_load(kmv_runner *runner, const kmv_case_problem *problem, kmv_shared *shared,
                        kmv_run_failure *failure, kmv_error *err)
{
    kmv_status work_status = KMV_OK, st;
    kmv_child_end end;
    kmv_error why = {""};

    kmv_run_progress(runner, problem->data_key);
    st = kmv_shared_load(problem, runner->trial.seed, &runner->limits, runner->signal_fd, shared,
                         &end, &work_status, &why);
    if (st != KMV_OK)
        return kmv_fail(err, st, "%s", why.text);
    if (end == KMV_CHILD_INTERRUPTED) {
        runner->summary->interrupted = 1;
        return KMV_OK;
    }
    failure->failed = !kmv_run_outcome(end, work_status, *problem->source->generator != '\0', &why,
                                       failure->status, failure->reason);
    return failure->failed ? KMV_OK : note(runner, problem->data_key, &shared->data, err);
}

/* cli/cmd_table.c - `kmv table`: the cases of results folders, or the assumption, as a table. */
#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "base/status.h"
#include "bench/claim.h"
#include "bench/methods.h"
#include "bench/report.h"
#include "cli/commands.h"
#include "cli/folders.h"

static const kmv_cli_option options[] = {
    {"--format", "NAME", "tsv (default: every column), md or tex"},
    {"--table", "NAME",
     "cases (default), fastest, methods (each at its best setting), assumption or claims"},
    {"--columns", "LIST", "names of columns, or all (see the header of the TSV)"},
    {"-o", "FILE", "write there instead of to standard output"},
    {0},
};

/* The rows of one table of one folder; made: what is to be freed, or NULL. */
typedef struct {
    const void *rows;
    size_t count;
    void *made;
} table_rows;

static kmv_status cases_of(const kmv_results *r, table_rows *out, kmv_error *err)
{
    (void)err;
    *out = (table_rows){r->judged, r->n_judged, NULL};
    return KMV_OK;
}

static kmv_status assumption_of(const kmv_results *r, table_rows *out, kmv_error *err)
{
    (void)err;
    *out = (table_rows){r->measures, r->n_measures, NULL};
    return KMV_OK;
}

static kmv_status fastest_of(const kmv_results *r, table_rows *out, kmv_error *err)
{
    kmv_winner *rows = NULL;
    const kmv_status st = kmv_winners_make(r->judged, r->n_judged, &rows, &out->count, err);

    out->rows = out->made = rows;
    return st;
}

static kmv_status methods_of(const kmv_results *r, table_rows *out, kmv_error *err)
{
    kmv_method_row *rows = NULL;
    const kmv_status st = kmv_methods_make(r->judged, r->n_judged, &rows, &out->count, err);

    out->rows = out->made = rows;
    return st;
}

static kmv_status claims_of(const kmv_results *r, table_rows *out, kmv_error *err)
{
    kmv_claim_row *rows = NULL;
    const kmv_status st = kmv_claims_make(r, &rows, &out->count, err);

    out->rows = out->made = rows;
    return st;
}

typedef struct {
    const char *name;
    const kmv_schema *schema;
    kmv_status (*rows_of)(const kmv_results *r, table_rows *out, kmv_error *err);
} table_kind;

static const table_kind kinds[] = {
    {"cases", &kmv_summary_schema, cases_of},    {"fastest", &kmv_winner_schema, fastest_of},
    {"methods", &kmv_method_schema, methods_of}, {"assumption", &kmv_measure_schema, assumption_of},
    {"claims", &kmv_claim_schema, claims_of},
};

static kmv_status find_kind(const char *name, const table_kind **kind, kmv_error *err)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(name, kinds[i].name) == 0) {
            *kind = &kinds[i];
            return KMV_OK;
        }
    }
    return kmv_fail(err, KMV_EINVAL,
                    "--table: want cases, fastest, methods, assumption or claims, got '%s'", name);
}

/* Rows of one table of all folders, one after the other. */
static kmv_status gather(const kmv_folders *folders, const table_kind *kind, void **rows,
                         size_t *count, kmv_error *err)
{
    const size_t size = kind->schema->row_size;
    char *all = NULL;
    size_t used = 0;
    kmv_status st = KMV_OK;

    for (size_t i = 0; i < folders->count && st == KMV_OK; i++) {
        table_rows these = {0};
        char *moved;

        st = kind->rows_of(&folders->results[i], &these, err);
        if (st == KMV_OK &&
            (moved = kmv_alloc(used + these.count, size, "rows of a table", err)) != NULL) {
            if (used > 0)
                memcpy(moved, all, used * size);
            if (these.count > 0)
                memcpy(moved + used * size, these.rows, these.count * size);
            kmv_free(all);
            all = moved;
            used += these.count;
        } else if (st == KMV_OK) {
            st = KMV_ENOMEM;
        }
        kmv_free(these.made);
    }
    if (st != KMV_OK) {
        kmv_free(all);
        return st;
    }
    *rows = all;
    *count = used;
    return KMV_OK;
}

static kmv_status run(kmv_cli *cli, const kmv_args *args, int *exit_code, kmv_error *err)
{
    const char *path = kmv_args_value(args, "-o", NULL);
    const char *columns_text = kmv_args_value(args, "--columns", NULL);
    kmv_table_format format = KMV_TABLE_TSV;
    const table_kind *kind = NULL;
    kmv_table_columns columns;
    kmv_folders folders = {0};
    kmv_new_file f = {.out = cli->out};
    void *rows = NULL;
    size_t count = 0;
    kmv_status st;

    (void)exit_code;
    if ((st = find_kind(kmv_args_value(args, "--table", "cases"), &kind, err)) != KMV_OK)
        return st;
    st = kmv_table_format_parse(kmv_args_value(args, "--format", "tsv"), &format, err);
    if (st != KMV_OK || (st = kmv_folders_read(args, &folders, err)) != KMV_OK ||
        (st = gather(&folders, kind, &rows, &count, err)) != KMV_OK)
        goto out;
    if ((st = kmv_table_columns_parse(kind->schema, columns_text, format, &columns, err)) !=
            KMV_OK ||
        (path != NULL && (st = kmv_new_file_open(&f, err, "%s", path)) != KMV_OK))
        goto out;
    st = kmv_table_write(kind->schema, &columns, rows, count, format, f.out, err);
    if (path != NULL)
        st = kmv_new_file_commit(&f, st, err);
out:
    kmv_free(rows);
    kmv_folders_clear(&folders);
    return st;
}

const kmv_command kmv_command_table = {
    .name = "table",
    .usage = "table DIR... [--format tsv|md|tex] [--table NAME] [--columns LIST] [-o FILE]",
    .summary = "results as a table: one row per case and error asked",
    .options = options,
    .positional_min = 1,
    .positional_max = KMV_ARGS_MAX,
    .run = run,
};

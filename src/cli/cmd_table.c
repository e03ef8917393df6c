/* cli/cmd_table.c - `kmv table`: the cases of results folders, or the assumption, as a table. */
#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "base/status.h"
#include "bench/claim.h"
#include "bench/report.h"
#include "cli/commands.h"
#include "cli/folders.h"

static const kmv_cli_option options[] = {
    {"--format", "NAME", "tsv (default: every column), md or tex"},
    {"--table", "NAME", "cases (default), fastest, assumption or claims"},
    {"--columns", "LIST", "names of columns, or all (see the header of the TSV)"},
    {"-o", "FILE", "write there instead of to standard output"},
    {0},
};

/* Rows of one table of all folders, one after the other. */
static kmv_status gather(const kmv_folders *folders, const char *name, const kmv_schema **schema,
                         void **rows, size_t *count, kmv_error *err)
{
    char *all = NULL;
    size_t used = 0;
    kmv_status st = KMV_OK;

    for (size_t i = 0; i < folders->count && st == KMV_OK; i++) {
        const kmv_results *r = &folders->results[i];
        const void *these = r->judged;
        size_t n = r->n_judged;
        void *made = NULL;
        char *moved;

        *schema = &kmv_summary_schema;
        if (strcmp(name, "assumption") == 0) {
            *schema = &kmv_measure_schema;
            these = r->measures;
            n = r->n_measures;
        } else if (strcmp(name, "fastest") == 0) {
            kmv_winner *winners = NULL;

            *schema = &kmv_winner_schema;
            st = kmv_winners_make(r->judged, r->n_judged, &winners, &n, err);
            these = made = winners;
        } else if (strcmp(name, "claims") == 0) {
            kmv_claim_row *claims = NULL;

            *schema = &kmv_claim_schema;
            st = kmv_claims_make(r, &claims, &n, err);
            these = made = claims;
        }
        if (st == KMV_OK &&
            (moved = kmv_alloc(used + n, (*schema)->row_size, "rows of a table", err)) != NULL) {
            if (used > 0)
                memcpy(moved, all, used * (*schema)->row_size);
            if (n > 0)
                memcpy(moved + used * (*schema)->row_size, these, n * (*schema)->row_size);
            kmv_free(all);
            all = moved;
            used += n;
        } else if (st == KMV_OK) {
            st = KMV_ENOMEM;
        }
        kmv_free(made);
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
    const char *path = kmv_args_value(args, "-o", NULL), *name;
    const char *columns_text = kmv_args_value(args, "--columns", NULL);
    kmv_table_format format = KMV_TABLE_TSV;
    const kmv_schema *schema = NULL;
    kmv_table_columns columns;
    kmv_folders folders = {0};
    kmv_new_file f = {.out = cli->out};
    void *rows = NULL;
    size_t count = 0;
    kmv_status st;

    (void)exit_code;
    name = kmv_args_value(args, "--table", "cases");
    if (strcmp(name, "cases") != 0 && strcmp(name, "fastest") != 0 &&
        strcmp(name, "assumption") != 0 && strcmp(name, "claims") != 0)
        return kmv_fail(err, KMV_EINVAL,
                        "--table: want cases, fastest, assumption or claims, got '%s'", name);
    st = kmv_table_format_parse(kmv_args_value(args, "--format", "tsv"), &format, err);
    if (st != KMV_OK || (st = kmv_folders_read(args, &folders, err)) != KMV_OK ||
        (st = gather(&folders, name, &schema, &rows, &count, err)) != KMV_OK)
        goto out;
    if ((st = kmv_table_columns_parse(schema, columns_text, format, &columns, err)) != KMV_OK ||
        (path != NULL && (st = kmv_new_file_open(&f, err, "%s", path)) != KMV_OK))
        goto out;
    st = kmv_table_write(schema, &columns, rows, count, format, f.out, err);
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

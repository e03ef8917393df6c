/* cli/cmd_report.c - `kmv report`: figures, tables and report of results folders, made anew. */
#include "base/status.h"
#include "bench/claim.h"
#include "bench/report.h"
#include "cli/commands.h"
#include "cli/folders.h"

static const kmv_cli_option options[] = {
    {"-o", "BASE", "write BASE.html and BASE.md (default: DIR/report)"},
    {0},
};

static kmv_status run(kmv_cli *cli, const kmv_args *args, int *exit_code, kmv_error *err)
{
    const char *base = kmv_args_value(args, "-o", NULL);
    kmv_folders folders = {0};
    kmv_status st;

    if (base == NULL && args->n_positional > 1)
        return kmv_fail(err, KMV_EINVAL, "report: of several folders, want -o BASE");
    if ((st = kmv_folders_read(args, &folders, err)) != KMV_OK)
        return st;
    if ((st = kmv_report_write(folders.results, folders.count, base, err)) == KMV_OK)
        fprintf(cli->out, "%s%s.html\n", base != NULL ? base : args->positional[0],
                base != NULL ? "" : "/report");
    for (size_t i = 0; i < folders.count && st == KMV_OK; i++) {
        size_t failed = 0;

        if ((st = kmv_results_write_tables(&folders.results[i], err)) == KMV_OK)
            st = kmv_claims_count_failed(&folders.results[i], &failed, err);
        *exit_code |= cli->strict && failed > 0;
    }
    kmv_folders_clear(&folders);
    return st;
}

const kmv_command kmv_command_report = {
    .name = "report",
    .usage = "report DIR... [-o BASE]",
    .summary = "tables, figures and the report (HTML and Markdown) of results folders",
    .options = options,
    .positional_min = 1,
    .positional_max = KMV_ARGS_MAX,
    .run = run,
};

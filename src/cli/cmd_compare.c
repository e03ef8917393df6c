/* cli/cmd_compare.c - `kmv compare`: two results folders, a verdict in words for each case. */
#include "base/mem.h"
#include "base/status.h"
#include "bench/compare.h"
#include "bench/stats.h"
#include "cli/commands.h"
#include "cli/folders.h"

static const kmv_cli_option options[] = {
    {"--threshold", "SHARE",
     "changes by less are noise (default: 0.1); slower: the whole interval beyond it"},
    {"--relative", NULL, "times over that of exact in the same repetition: the machine cancels"},
    {"--format", "NAME", "tsv (default: every column), md or tex"},
    {"--columns", "LIST", "names of columns, or all (see the header of the TSV)"},
    {"-o", "FILE", "write there instead of to standard output"},
    {0},
};

static const char short_columns[] =
    "verdict,dataset,matrix,causal,n_q,d,sigma_spec,x_kind,algo,algo_opts,eps,time_ratio_med,"
    "err_hi_a,err_hi_b,pairs_frac_a,pairs_frac_b,note,reason";

/* Where most cases moved alike it was the machine that did. */
static kmv_status say(const kmv_comparison *rows, size_t count, size_t regressions, FILE *out,
                      kmv_error *err)
{
    double *ratios = kmv_alloc(count, sizeof *ratios, "ratios of times", err);

    if (ratios == NULL)
        return KMV_ENOMEM;
    for (size_t i = 0; i < count; i++)
        ratios[i] = rows[i].time_ratio_med;
    fprintf(out, "%zu cases, %zu regressions; median ratio of their times %.3g\n", count,
            regressions, kmv_quantile(ratios, count, 0.5));
    kmv_free(ratios);
    return KMV_OK;
}

static kmv_status run(kmv_cli *cli, const kmv_args *args, int *exit_code, kmv_error *err)
{
    const char *path = kmv_args_value(args, "-o", NULL);
    const char *names = kmv_args_value(args, "--columns", NULL);
    kmv_table_format format = KMV_TABLE_TSV;
    kmv_table_columns columns;
    kmv_folders folders = {0};
    kmv_new_file f = {.out = cli->out};
    kmv_comparison *rows = NULL;
    double threshold = 0.1;
    size_t count = 0, regressions = 0;
    kmv_status st = kmv_table_format_parse(kmv_args_value(args, "--format", "tsv"), &format, err);

    if (names == NULL && format != KMV_TABLE_TSV)
        names = short_columns;
    if (st != KMV_OK ||
        (st = kmv_args_real(args, "--threshold", 0, 100, &threshold, err)) != KMV_OK ||
        (st = kmv_table_columns_parse(&kmv_comparison_schema, names, format, &columns, err)) !=
            KMV_OK ||
        (st = kmv_folders_read(args, &folders, err)) != KMV_OK ||
        (st = kmv_compare(&folders.results[0], &folders.results[1], threshold,
                          kmv_args_has(args, "--relative"), &rows, &count, err)) != KMV_OK ||
        (path != NULL && (st = kmv_new_file_open(&f, err, "%s", path)) != KMV_OK))
        goto out;
    st = kmv_table_write(&kmv_comparison_schema, &columns, rows, count, format, f.out, err);
    if (path != NULL)
        st = kmv_new_file_commit(&f, st, err);
    for (size_t i = 0; i < count; i++)
        regressions += rows[i].regression > 0;
    if (st == KMV_OK && !cli->quiet)
        st = say(rows, count, regressions, cli->err, err);
    *exit_code = regressions > 0;
out:
    kmv_free(rows);
    kmv_folders_clear(&folders);
    return st;
}

const kmv_command kmv_command_compare = {
    .name = "compare",
    .usage = "compare DIR_A DIR_B [--threshold SHARE] [--relative] [--format tsv|md|tex] [-o FILE]",
    .summary = "what changed from A to B, a verdict per case; exit 1 on a regression",
    .options = options,
    .positional_min = 2,
    .positional_max = 2,
    .run = run,
};

/* cli/cmd_plot.c - `kmv plot`: the figures of a results folder, from its raw rows. */
#include <string.h>

#include "base/status.h"
#include "bench/figure.h"
#include "cli/commands.h"

static const kmv_cli_option options[] = {
    {"--figure", "NAME", "only this one (default: every [figure] of the config)"},
    {"--data-only", NULL, "write agg/ and do not call gnuplot"},
    {0},
};

static void say(FILE *out, const kmv_results *r, const kmv_config_figure *f, int data_only,
                const kmv_figure_outcome *o)
{
    if (!o->drawn)
        fprintf(out, "figure %s: not drawn; %s\n", f->name, o->note);
    else
        fprintf(out, "%s/%s/%s%s: %zu points in %zu curves%s%s\n", r->dir,
                data_only ? "agg" : "plots", f->name, data_only ? "" : ".svg", o->points, o->series,
                o->note[0] != '\0' ? "; " : "", o->note);
}

static kmv_status run(kmv_cli *cli, const kmv_args *args, int *exit_code, kmv_error *err)
{
    const char *only = kmv_args_value(args, "--figure", NULL);
    const int data_only = kmv_args_has(args, "--data-only");
    kmv_results r;
    size_t drawn = 0;
    kmv_status st = kmv_results_read(args->positional[0], &r, err);

    (void)exit_code;
    if (st != KMV_OK)
        return st;
    for (size_t i = 0; i < r.config.n_figures && st == KMV_OK; i++) {
        const kmv_config_figure *f = &r.config.figures[i];
        kmv_figure_outcome outcome = {0};

        if (only != NULL && strcmp(only, f->name) != 0)
            continue;
        st = data_only ? kmv_figure_data(f, &r, &outcome, err)
                       : kmv_figure_draw(f, &r, &outcome, err);
        if (st != KMV_OK)
            break;
        drawn++;
        say(cli->out, &r, f, data_only, &outcome);
    }
    if (st == KMV_OK && drawn == 0)
        st = only != NULL
                 ? kmv_fail(err, KMV_EINVAL, "--figure: no [figure %s] in %s/config.ini", only,
                            r.dir)
                 : kmv_fail(err, KMV_EINVAL, "%s: its config.ini has no [figure] section", r.dir);
    kmv_results_clear(&r);
    return st;
}

const kmv_command kmv_command_plot = {
    .name = "plot",
    .usage = "plot DIR [--figure NAME] [--data-only]",
    .summary = "draw the figures of a results folder: SVG, PDF and PNG",
    .options = options,
    .positional_min = 1,
    .positional_max = 1,
    .run = run,
};

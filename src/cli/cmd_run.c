/* cli/cmd_run.c - `kmv run`: an experiment from its configuration to its folder of results. */
#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/status.h"
#include "bench/claim.h"
#include "bench/config_check.h"
#include "bench/planned.h"
#include "bench/report.h"
#include "bench/run.h"
#include "cli/commands.h"

/* Seconds between two lines where lines stay (a log): every case would be thousands of them. */
static const double log_every_s = 5;

typedef struct {
    kmv_cli *cli;
    double last_s; /* when the last line was written */
} progress_state;

static void show_progress(void *context, const kmv_progress *p)
{
    progress_state *state = context;
    kmv_cli *cli = state->cli;
    char eta[32] = "";

    if (!cli->color && !cli->verbose && p->done < p->total &&
        kmv_now_s() - state->last_s < log_every_s)
        return;
    state->last_s = kmv_now_s();

    if (isfinite(p->eta_s))
        snprintf(eta, sizeof eta, ", %.0f s left", p->eta_s);
    if (cli->color) /* a terminal: one line that renews itself */
        fprintf(cli->err, "\r\033[K%zu/%zu%s  %.90s", p->done, p->total, eta, p->what);
    else
        fprintf(cli->err, "%zu/%zu%s  %s\n", p->done, p->total, eta, p->what);
    fflush(cli->err);
}

static void print_cases(const kmv_cases *cases, const kmv_config *config, FILE *out)
{
    for (size_t i = 0; i < cases->n_cases; i++)
        fprintf(out, "%s  %s%s%s\n", cases->cases[i].id, cases->cases[i].key,
                *cases->cases[i].problem.skip ? "  skipped: " : "", cases->cases[i].problem.skip);
    for (size_t i = 0; i < cases->n_measures; i++)
        fprintf(out, "%s  measure %s%s%s\n", cases->measures[i].id, cases->measures[i].key,
                *cases->measures[i].problem.skip ? "  skipped: " : "",
                cases->measures[i].problem.skip);
    fprintf(out, "%zu cases, %zu repetitions each; %zu measures\n", cases->n_cases, config->reps,
            cases->n_measures);
}

static kmv_status read_limit(const kmv_args *args, const char *name,
                             int (*parse)(const char *, double *), const char *what, double *value,
                             kmv_error *err)
{
    const char *text = kmv_args_value(args, name, NULL);
    double v;

    if (text == NULL)
        return KMV_OK;
    if (!parse(text, &v) || !(v > 0))
        return kmv_fail(err, KMV_EINVAL, "%s: want %s > 0, got '%s'", name, what, text);
    *value = v;
    return KMV_OK;
}

static void print_summary(const kmv_run_summary *s, const char *dir, FILE *out)
{
    fprintf(out, "%s: %zu ok, %zu fail_eps, %zu skipped, %zu timeout, %zu oom, %zu error%s\n", dir,
            s->ok, s->fail_eps, s->skipped, s->timeout, s->oom, s->error,
            s->interrupted ? " - interrupted; the same command goes on from here" : "");
}

/* Tables, figures and report; then where they are, the three numbers of the experiment, and how
 * many claims failed. */
static kmv_status write_results(const char *dir, FILE *out, size_t *failed, kmv_error *err)
{
    char lines[KMV_HEADLINES][KMV_HEADLINE_SIZE];
    kmv_results results;
    kmv_status st = kmv_results_write(dir, err);

    if (st != KMV_OK || (st = kmv_results_read(dir, &results, err)) != KMV_OK)
        return st;
    if ((st = kmv_report_headline(&results, lines, err)) == KMV_OK) {
        for (size_t i = 0; i < KMV_HEADLINES; i++)
            fprintf(out, "%s\n", lines[i]);
        fprintf(out, "report: %s/report.html\n", dir);
        st = kmv_claims_count_failed(&results, failed, err);
    }
    kmv_results_clear(&results);
    return st;
}

static kmv_status read_limits(const kmv_args *args, kmv_run_options *options, kmv_error *err)
{
    const kmv_status st =
        read_limit(args, "--limit-time", kmv_parse_seconds, "seconds", &options->limit_time_s, err);

    return st != KMV_OK ? st
                        : read_limit(args, "--limit-memory", kmv_parse_bytes, "bytes",
                                     &options->limit_memory_b, err);
}

static kmv_status run_cases(kmv_cli *cli, const kmv_args *args, const kmv_config *config,
                            const kmv_cases *cases, const char *identity, int *exit_code,
                            kmv_error *err)
{
    progress_state progress = {.cli = cli, .last_s = kmv_now_s()};
    kmv_run_options options = {.dir = kmv_args_value(args, "-o", NULL),
                               .identity = identity,
                               .filtered = kmv_args_has(args, "--filter"),
                               .threads = cli->threads,
                               .isa = cli->isa,
                               .limit_time_s = config->limit_time_s,
                               .limit_memory_b = config->limit_memory_b,
                               .progress = cli->quiet ? NULL : show_progress,
                               .progress_context = &progress};
    kmv_run_summary summary;
    size_t failed = 0;
    kmv_status st;

    if (options.dir == NULL)
        return kmv_fail(err, KMV_EINVAL, "run: want -o DIR (or --dry-run)");
    if ((cli->isa != NULL && (st = kmv_check_isa(cli->isa, err)) != KMV_OK) ||
        (st = read_limits(args, &options, err)) != KMV_OK)
        return st;
    st = kmv_run(config, cases, &options, &summary, err);
    if (!cli->quiet && cli->color)
        fputs("\r\033[K", cli->err);
    if (st != KMV_OK)
        return st;
    print_summary(&summary, options.dir, cli->out);
    if (!summary.interrupted && (st = write_results(options.dir, cli->out, &failed, err)) != KMV_OK)
        return st;
    *exit_code = summary.error > 0 || summary.interrupted ||
                 (cli->strict &&
                  summary.fail_eps + summary.skipped + summary.timeout + summary.oom + failed > 0);
    return KMV_OK;
}

static kmv_status run(kmv_cli *cli, const kmv_args *args, int *exit_code, kmv_error *err)
{
    const char *filter = kmv_args_value(args, "--filter", NULL);
    kmv_config config = {0};
    kmv_cases cases = {0};
    char identity[KMV_HASH_SIZE];
    kmv_run_options checked = {0}; /* the limits, by a dry run too */
    kmv_status st = read_limits(args, &checked, err);

    if (st == KMV_OK)
        st = kmv_config_read(args->positional[0], &config, err);
    if (st == KMV_OK && cli->seed_given)
        config.seed = cli->seed;
    if (st == KMV_OK)
        st = kmv_cases_make(&config, &cases, err);
    if (st == KMV_OK && (st = kmv_planned_check(&config, &cases, err)) == KMV_OK)
        st = kmv_planned_hash(&config, &cases, identity, err);
    if (st == KMV_OK && filter != NULL)
        st = kmv_cases_filter(&cases, filter, err);
    if (st == KMV_OK && kmv_args_has(args, "--dry-run"))
        print_cases(&cases, &config, cli->out);
    else if (st == KMV_OK)
        st = run_cases(cli, args, &config, &cases, identity, exit_code, err);
    kmv_cases_clear(&cases);
    kmv_config_clear(&config);
    return st;
}

static const kmv_cli_option options[] = {
    {"-o", "DIR", "folder of results; one of the same cases is resumed"},
    {"--dry-run", NULL, "print the cases, run nothing"},
    {"--filter", "TEXT", "only cases with key=value[,key=value], or with this text in them"},
    {"--limit-time", "T", "per case, such as 30s or 10m (default: the config's, 10m)"},
    {"--limit-memory", "M", "per case, such as 500M or 2G (default: the config's, the machine's)"},
    {0},
};

const kmv_command kmv_command_run = {
    .name = "run",
    .usage = "run CONFIG -o DIR [--dry-run] [--filter TEXT]",
    .summary = "a sweep: every case in a child of its own, resumable",
    .options = options,
    .positional_min = 1,
    .positional_max = 1,
    .run = run,
};

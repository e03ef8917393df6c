/* cli/args.c - see args.h. */
#include "cli/args.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "base/str.h"
#include "bench/config_check.h"

const kmv_cli_option kmv_common_options[] = {
    {"--threads", "N", "threads (default: all cores the process may use)"},
    {"--isa", "NAME", "instruction set, see `kmv list isas` (default: the best)"},
    {"--seed", "N", "seed of everything random (default: 1, or the config's)"},
    {"--strict", NULL, "fail_eps, skipped, timeout, oom and failed claims exit with 1"},
    {"-q", NULL, "no progress on stderr"},
    {"-v", NULL, "more on stderr"},
    {"--no-color", NULL, "no colour on terminals (also: NO_COLOR in the environment)"},
    {"--help", NULL, "this text"},
    {"--version", NULL, "the version"},
    {0},
};

int kmv_cli_threads(const kmv_cli *cli)
{
    return cli->threads > 0 ? cli->threads : omp_get_num_procs();
}

static const kmv_cli_option *find(const kmv_cli_option *table, const char *name, size_t length)
{
    for (const kmv_cli_option *o = table; o != NULL && o->name != NULL; o++) {
        if (strlen(o->name) == length && strncmp(o->name, name, length) == 0)
            return o;
    }
    return NULL;
}

static kmv_status unknown_option(const kmv_command *command, const char *word, size_t length,
                                 kmv_error *err)
{
    const kmv_cli_option *tables[2] = {command->options, kmv_common_options};
    const char *names[KMV_ARGS_MAX], *near;
    char name[64];
    size_t count = 0;

    snprintf(name, sizeof name, "%.*s", (int)length, word);
    for (size_t t = 0; t < 2; t++) {
        for (const kmv_cli_option *o = tables[t]; o != NULL && o->name != NULL; o++)
            names[count++] = o->name;
    }
    near = length > 2 ? kmv_closest(name, names, count) : NULL;
    return kmv_fail(err, KMV_EINVAL, "%s: unknown option '%s'%s%s%s", command->name, name,
                    near != NULL ? ", did you mean '" : "", near != NULL ? near : "",
                    near != NULL ? "'?" : "");
}

static kmv_status set_common(kmv_cli *cli, const char *name, const char *value, kmv_error *err)
{
    size_t count = 0;

    if (strcmp(name, "--threads") == 0) {
        if (!kmv_parse_size(value, &count) || count < 1 || count > 4096)
            return kmv_fail(err, KMV_EINVAL, "--threads: want an integer in [1, 4096], got '%s'",
                            value);
        cli->threads = (int)count;
    } else if (strcmp(name, "--isa") == 0) {
        cli->isa = value;
        return kmv_check_isa(value, err); /* here, so that no command takes a wrong name */
    } else if (strcmp(name, "--seed") == 0) {
        if (!kmv_parse_size(value, &count))
            return kmv_fail(err, KMV_EINVAL, "--seed: want an integer >= 0, got '%s'", value);
        cli->seed = count;
        cli->seed_given = 1;
    } else if (strcmp(name, "--strict") == 0) {
        cli->strict = 1;
    } else if (strcmp(name, "-q") == 0) {
        cli->quiet = 1;
    } else if (strcmp(name, "-v") == 0) {
        cli->verbose = 1;
    } else if (strcmp(name, "--no-color") == 0) {
        cli->color = 0;
    }
    return KMV_OK; /* --help and --version were answered before parsing */
}

static int is_known(const kmv_command *command, const char *word)
{
    return find(kmv_common_options, word, strlen(word)) != NULL ||
           find(command->options, word, strlen(word)) != NULL;
}

/* A word that begins with '-' and is no number is an option: "-1" may be a value or a file. */
static int is_option(const char *word)
{
    double number;

    return word[0] == '-' && word[1] != '\0' && !kmv_parse_real(word, &number);
}

static kmv_status take_option(const kmv_command *command, int argc, char **argv, int *at,
                              kmv_cli *cli, kmv_args *args, kmv_error *err)
{
    const char *word = argv[*at], *equals = strchr(word, '='), *value = NULL;
    const size_t length = equals != NULL ? (size_t)(equals - word) : strlen(word);
    const kmv_cli_option *common = find(kmv_common_options, word, length);
    const kmv_cli_option *o = common != NULL ? common : find(command->options, word, length);

    if (o == NULL)
        return unknown_option(command, word, length, err);
    if (o->value == NULL && equals != NULL)
        return kmv_fail(err, KMV_EINVAL, "%s: takes no value", o->name);
    if (o->value != NULL) {
        if (equals != NULL)
            value = equals + 1;
        else if (*at + 1 < argc && !is_known(command, argv[*at + 1]))
            value = argv[++*at]; /* an option's name is a forgotten value; --name=-q still is one */
        else
            return kmv_fail(err, KMV_EINVAL, "%s: want a value (%s)", o->name, o->value);
    }
    if (value != NULL && kmv_args_has(args, o->name))
        return kmv_fail(err, KMV_EINVAL, "%s: given twice", o->name);
    if (args->n_options == KMV_ARGS_MAX)
        return kmv_fail(err, KMV_EINVAL, "more than %d options", KMV_ARGS_MAX);
    args->names[args->n_options] = o->name;
    args->values[args->n_options++] = value;
    return common != NULL ? set_common(cli, o->name, value, err) : KMV_OK;
}

kmv_status kmv_args_parse(const kmv_command *command, int argc, char **argv, kmv_cli *cli,
                          kmv_args *args, kmv_error *err)
{
    int only_words = 0;
    kmv_status st;

    *args = (kmv_args){0};
    for (int at = 0; at < argc; at++) {
        if (!only_words && strcmp(argv[at], "--") == 0) {
            only_words = 1;
        } else if (!only_words && is_option(argv[at])) {
            if ((st = take_option(command, argc, argv, &at, cli, args, err)) != KMV_OK)
                return st;
        } else if (args->n_positional == KMV_ARGS_MAX) {
            return kmv_fail(err, KMV_EINVAL, "more than %d arguments", KMV_ARGS_MAX);
        } else {
            args->positional[args->n_positional++] = argv[at];
        }
    }
    if (args->n_positional < command->positional_min)
        return kmv_fail(err, KMV_EINVAL, "%s: an argument is missing, want: kmv %s", command->name,
                        command->usage);
    if (args->n_positional > command->positional_max)
        return kmv_fail(err, KMV_EINVAL, "%s: unexpected argument '%s', want: kmv %s",
                        command->name, args->positional[command->positional_max], command->usage);
    return KMV_OK;
}

const char *kmv_args_value(const kmv_args *args, const char *name, const char *fallback)
{
    for (size_t i = 0; i < args->n_options; i++) {
        if (strcmp(args->names[i], name) == 0)
            return args->values[i];
    }
    return fallback;
}

int kmv_args_has(const kmv_args *args, const char *name)
{
    for (size_t i = 0; i < args->n_options; i++) {
        if (strcmp(args->names[i], name) == 0)
            return 1;
    }
    return 0;
}

kmv_status kmv_args_real(const kmv_args *args, const char *name, double lo, double hi,
                         double *value, kmv_error *err)
{
    const char *text = kmv_args_value(args, name, NULL);
    char range[96];
    double v;

    if (text == NULL)
        return KMV_OK;
    if (!kmv_parse_real(text, &v) || !(v >= lo && v <= hi)) {
        kmv_range_text(lo, hi, 0, range, sizeof range);
        return kmv_fail(err, KMV_EINVAL, "%s: want %s, got '%s'", name, range, text);
    }
    *value = v;
    return KMV_OK;
}

kmv_status kmv_args_size(const kmv_args *args, const char *name, size_t lo, size_t hi,
                         size_t *value, kmv_error *err)
{
    const char *text = kmv_args_value(args, name, NULL);
    char range[96];
    size_t v;

    if (text == NULL)
        return KMV_OK;
    if (!kmv_parse_size(text, &v) || v < lo || v > hi) {
        kmv_range_text((double)lo, (double)hi, 1, range, sizeof range);
        return kmv_fail(err, KMV_EINVAL, "%s: want %s, got '%s'", name, range, text);
    }
    *value = v;
    return KMV_OK;
}

kmv_status kmv_args_bool(const kmv_args *args, const char *name, int *value, kmv_error *err)
{
    const char *text = kmv_args_value(args, name, NULL);

    if (text != NULL && !kmv_parse_bool(text, value))
        return kmv_fail(err, KMV_EINVAL, "%s: want yes or no, got '%s'", name, text);
    return KMV_OK;
}

static void help_options(const kmv_cli_option *table, FILE *out)
{
    for (const kmv_cli_option *o = table; o != NULL && o->name != NULL; o++) {
        char left[64];

        snprintf(left, sizeof left, "%s%s%s", o->name, o->value != NULL ? " " : "",
                 o->value != NULL ? o->value : "");
        fprintf(out, "  %-26s %s\n", left, o->help);
    }
}

void kmv_help_command(const kmv_command *command, FILE *out)
{
    fprintf(out, "usage: kmv %s\n%s\n", command->usage, command->summary);
    if (command->options != NULL) {
        fputs("\noptions:\n", out);
        help_options(command->options, out);
    }
    fputs("\ncommon options:\n", out);
    help_options(kmv_common_options, out);
}

void kmv_help_all(FILE *out)
{
    fputs("usage: kmv COMMAND ...\n"
          "Products with Gaussian kernel and attention matrices, and their benchmarks.\n\n"
          "commands:\n",
          out);
    for (size_t i = 0; kmv_commands[i] != NULL; i++)
        fprintf(out, "  %-10s %s\n", kmv_commands[i]->name, kmv_commands[i]->summary);
    fputs("\n`kmv COMMAND --help` shows the options of one command. Exit codes: 0 done; 1 a case\n"
          "ended in error or broke its certificate; 2 usage, config or input error.\n",
          out);
}

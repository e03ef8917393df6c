/* cli/cmd_gen.c - `kmv gen`: a synthetic problem into an HDF5 file. */
#include <string.h>

#include "base/status.h"
#include "cli/commands.h"
#include "data/h5io.h"
#include "data/synth.h"

enum { MAX_TEXT = 1024 };

/* Words "key=value" as one text "key=value,key=value". */
static kmv_status join_options(const kmv_args *args, char text[MAX_TEXT], kmv_error *err)
{
    size_t used = 0;

    text[0] = '\0';
    for (size_t i = 1; i < args->n_positional; i++) {
        const char *word = args->positional[i];

        if (strchr(word, '=') == NULL)
            return kmv_fail(err, KMV_EINVAL, "gen: want key=value, got '%s'", word);
        used += (size_t)snprintf(text + used, MAX_TEXT - used, "%s%s", used > 0 ? "," : "", word);
        if (used >= MAX_TEXT)
            return kmv_fail(err, KMV_EINVAL, "gen: the options are longer than %d characters",
                            MAX_TEXT - 1);
    }
    return KMV_OK;
}

/* FILE:GROUP split at the last colon, since a path may hold one. */
static kmv_status split_target(const char *target, char *path, size_t size, const char **group,
                               kmv_error *err)
{
    const char *colon = target != NULL ? strrchr(target, ':') : NULL;

    if (colon == NULL || colon == target || colon[1] == '\0' || (size_t)(colon - target) >= size)
        return kmv_fail(err, KMV_EINVAL, "gen: -o: want FILE:GROUP, got %s%s%s",
                        target != NULL ? "'" : "nothing", target != NULL ? target : "",
                        target != NULL ? "'" : "");
    memcpy(path, target, (size_t)(colon - target));
    path[colon - target] = '\0';
    *group = colon + 1;
    return KMV_OK;
}

static kmv_status run(kmv_cli *cli, const kmv_args *args, int *exit_code, kmv_error *err)
{
    char options[MAX_TEXT], path[MAX_TEXT];
    const char *group = NULL;
    kmv_dataset data = {0};
    kmv_status st;

    (void)exit_code;
    if ((st = join_options(args, options, err)) != KMV_OK ||
        (st = split_target(kmv_args_value(args, "-o", NULL), path, sizeof path, &group, err)) !=
            KMV_OK ||
        (st = kmv_generate(args->positional[0], options, cli->seed, &data, err)) != KMV_OK ||
        (st = kmv_dataset_write(path, group, &data, err)) != KMV_OK)
        goto out;
    if (!cli->quiet)
        fprintf(cli->out,
                "%s:%s: %s, q %zu x %zu, k %zu x %zu, v %zu columns, sigma %g, sha256 %s\n", path,
                group, data.name, data.q.n, data.q.d, data.k.n, data.k.d, data.r, data.sigma,
                data.sha256);
out:
    kmv_dataset_clear(&data);
    return st;
}

static const kmv_cli_option options[] = {
    {"-o", "FILE:GROUP", "where the problem goes; an existing file keeps its other groups"},
    {0},
};

const kmv_command kmv_command_gen = {
    .name = "gen",
    .usage = "gen GENERATOR key=value... -o FILE:GROUP",
    .summary = "a synthetic problem, see `kmv list generators`",
    .options = options,
    .positional_min = 1,
    .positional_max = KMV_ARGS_MAX,
    .run = run,
};

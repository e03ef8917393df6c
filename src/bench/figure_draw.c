/* bench/figure_draw.c - from curves to pictures, through scripts/plot.sh. */
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/status.h"
#include "base/str.h"
#include "bench/figure.h"

extern char **environ;

static int readable(char *path, size_t size, const char *folder, const char *between,
                    const char *relative)
{
    const int length = snprintf(path, size, "%s%s%s", folder, between, relative);

    return length > 0 && (size_t)length < size && access(path, R_OK) == 0;
}

kmv_status kmv_figure_find(const char *relative, char *path, size_t size, kmv_error *err)
{
    static const char plots[] = "plots/";
    const char *custom = getenv("KMV_PLOTS");
    const int is_plot = strncmp(relative, plots, sizeof plots - 1) == 0;
    char program[PATH_MAX];
    ssize_t length;

    if (readable(path, size, ".", "/", relative))
        return KMV_OK;
    if (custom != NULL && (is_plot ? readable(path, size, custom, "/", relative + sizeof plots - 1)
                                   : readable(path, size, custom, "/../", relative)))
        return KMV_OK;
#ifdef KMV_DATADIR
    if (readable(path, size, KMV_DATADIR, "/", relative))
        return KMV_OK;
#endif
    if ((length = readlink("/proc/self/exe", program, sizeof program - 1)) > 0) {
        program[length] = '\0';
        dirname(program);
        if (readable(path, size, program, "/../", relative) ||
            readable(path, size, program, "/../share/kmv/", relative))
            return KMV_OK;
    }
    return kmv_fail(err, KMV_EIO,
                    "%s: not found in the working directory, by KMV_PLOTS, or where kmv is "
                    "installed",
                    relative);
}

/* Run a program; the first line it writes on stderr is kept. Returns its exit code, or -1. */
static int run(char *const arguments[], char *line, size_t size)
{
    posix_spawn_file_actions_t actions;
    int ends[2], status = 0, rc = -1;
    ssize_t got;
    size_t used = 0;
    pid_t child;

    *line = '\0';
    if (pipe(ends) != 0)
        return -1;
    if (posix_spawn_file_actions_init(&actions) != 0)
        goto out;
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO);
    posix_spawn_file_actions_addclose(&actions, ends[0]);
    posix_spawn_file_actions_addclose(&actions, ends[1]);
    if (posix_spawn(&child, arguments[0], &actions, NULL, arguments, environ) != 0) {
        posix_spawn_file_actions_destroy(&actions);
        goto out;
    }
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    ends[1] = -1;
    do { /* read to the end, so that the child never waits for us */
        char rest[256];

        got = used + 1 < size ? read(ends[0], line + used, size - 1 - used)
                              : read(ends[0], rest, sizeof rest);
        if (got > 0 && used + 1 < size)
            used += (size_t)got;
    } while (got > 0 || (got < 0 && errno == EINTR));
    line[used] = '\0';
    line[strcspn(line, "\n")] = '\0';
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        continue;
    rc = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
out:
    close(ends[0]);
    if (ends[1] >= 0)
        close(ends[1]);
    return rc;
}

kmv_status kmv_figure_draw(const kmv_config_figure *figure, const kmv_results *results,
                           kmv_figure_outcome *outcome, kmv_error *err)
{
    char relative[128], script[PATH_MAX], template[PATH_MAX], agg[PATH_MAX], base[PATH_MAX];
    char line[512], *arguments[] = {script, template, agg, base, NULL};
    kmv_status st = kmv_figure_data(figure, results, outcome, err);

    if (st != KMV_OK || !outcome->drawn)
        return st;
    snprintf(relative, sizeof relative, "plots/%s.gp", kmv_figure_value(figure, "kind", ""));
    if ((st = kmv_figure_find(relative, template, sizeof template, err)) != KMV_OK ||
        (st = kmv_figure_find("scripts/plot.sh", script, sizeof script, err)) != KMV_OK)
        return st;
    snprintf(base, sizeof base, "%s/plots", results->dir);
    if ((st = kmv_folder_make(base, err)) != KMV_OK)
        return st;
    snprintf(base, sizeof base, "%s/plots/%s", results->dir, figure->name);
    snprintf(agg, sizeof agg, "%s/agg/%s", results->dir, figure->name);
    if (run(arguments, line, sizeof line) != 0)
        return kmv_fail(err, KMV_EFORMAT, "[figure %s]: %s", figure->name,
                        *line != '\0' ? line : "scripts/plot.sh could not be run");
    return KMV_OK;
}

kmv_status kmv_figures_draw(const kmv_results *results, kmv_figure_outcome *outcomes,
                            kmv_error *err)
{
    kmv_status first = KMV_OK;

    for (size_t i = 0; i < results->config.n_figures; i++) {
        kmv_error why = {""};
        const kmv_status st =
            kmv_figure_draw(&results->config.figures[i], results, &outcomes[i], &why);

        if (st == KMV_OK)
            continue;
        outcomes[i].drawn = 0;
        snprintf(outcomes[i].note, sizeof outcomes[i].note, "Not drawn: %.480s", why.text);
        if (first == KMV_OK)
            first = kmv_fail(err, st, "%s", why.text);
    }
    return first;
}

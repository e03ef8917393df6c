/* bench/run.c - see run.h: the folder, what it holds already, and the order of the groups. */
#include "bench/run.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/status.h"
#include "base/str.h"
#include "bench/runner.h"
#include "gauss/tile.h"

enum { PREPARATION_TIMES = 10 };

void kmv_run_count(kmv_run_summary *s, const char *status)
{
    size_t *const counts[] = {&s->ok, &s->fail_eps, &s->skipped, &s->timeout, &s->oom, &s->error};
    static const char *const names[] = {"ok", "fail_eps", "skipped", "timeout", "oom", "error"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        *counts[i] += strcmp(status, names[i]) == 0;
}

int kmv_run_is_final(const char *status)
{
    return strcmp(status, "skipped") == 0 || strcmp(status, "timeout") == 0 ||
           strcmp(status, "oom") == 0;
}

void kmv_run_progress(kmv_runner *r, const char *what)
{
    const size_t here = r->done - r->done_before;
    kmv_progress p = {.done = r->done, .total = r->total, .eta_s = NAN};
    char text[1536];

    if (here > 0)
        p.eta_s = (kmv_now_s() - r->started) / (double)here * (double)(r->total - r->done);
    p.what = kmv_planned_text(what, text, sizeof text);
    if (r->options->progress != NULL)
        r->options->progress(r->options->progress_context, &p);
}

int kmv_run_outcome(kmv_child_end end, kmv_status work_status, int unfit, const kmv_error *why,
                    char status[16], char reason[256])
{
    const char *word = "error";

    if (end == KMV_CHILD_DONE && work_status == KMV_OK)
        return 1;
    if (end == KMV_CHILD_TIMEOUT)
        word = "timeout";
    else if (end == KMV_CHILD_DONE && work_status == KMV_ENOMEM)
        word = "oom";
    else if (end == KMV_CHILD_DONE && unfit &&
             (work_status == KMV_ENOTSUP || work_status == KMV_EINVAL))
        word = "skipped";
    snprintf(status, 16, "%s", word);
    snprintf(reason, 256, "%.255s", why->text);
    return 0;
}

/* ---- the folder ------------------------------------------------------------------------------ */

static int exists(const char *dir, const char *name, char *path, size_t size)
{
    struct stat info;

    snprintf(path, size, "%s/%s", dir, name);
    return stat(path, &info) == 0;
}

static const char *isa_name(const kmv_runner *r)
{
    return r->trial.isa != NULL ? r->trial.isa : kmv_tile_best()->name;
}

/* started: of the folder. */
static kmv_status write_provenance(const kmv_runner *r, const char *started, kmv_error *err)
{
    char *text = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);
    kmv_status st;

    if (f == NULL)
        return kmv_fail(err, KMV_ENOMEM, "no memory for the provenance");
    fprintf(f, "experiment\t%s\ntitle\t%s\nconfig\t%s\ncases_sha256\t%s\nseed\t%llu\nstarted\t%s\n",
            r->config->name, r->config->title, r->config->path, r->options->identity,
            (unsigned long long)r->config->seed, started);
    fprintf(f, "threads\t%d\nisa\t%s\nlimit_time_s\t%g\nlimit_memory_b\t%.0f\n", r->trial.threads,
            isa_name(r), r->limits.time_s, r->limits.memory_b);
    kmv_provenance_write(&r->provenance, "\t", f);
    fclose(f);
    st = kmv_file_replace(r->options->dir, "provenance.tsv", text, size, err);
    free(text);
    return st;
}

/* The value of a fact in dir/provenance.tsv; "" when there is none. */
static void read_fact(const char *dir, const char *name, char *value, size_t size)
{
    const size_t length = strlen(name);
    char path[1024], line[1200];
    FILE *f;

    snprintf(path, sizeof path, "%s/provenance.tsv", dir);
    snprintf(value, size, "%s", "");
    if ((f = fopen(path, "r")) == NULL)
        return;
    while (fgets(line, sizeof line, f) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        if (strncmp(line, name, length) == 0 && line[length] == '\t')
            kmv_copy_text(value, size, line + length + 1);
    }
    fclose(f);
}

/* These may come from the command line or the machine, so that equal configs alone are not enough:
 * repetitions of one case must not differ in them. */
static kmv_status check_facts(const kmv_runner *r, kmv_error *err)
{
    static const char *const names[] = {"seed", "threads", "isa"};
    char want[3][64], found[64];

    snprintf(want[0], sizeof want[0], "%llu", (unsigned long long)r->config->seed);
    snprintf(want[1], sizeof want[1], "%d", r->trial.threads);
    snprintf(want[2], sizeof want[2], "%s", isa_name(r));
    for (size_t i = 0; i < 3; i++) {
        read_fact(r->options->dir, names[i], found, sizeof found);
        if (strcmp(found, want[i]) != 0)
            return kmv_fail(err, KMV_EINVAL,
                            "%s: holds results with %s %s, asked for %s; want the same or a new "
                            "folder",
                            r->options->dir, names[i], found, want[i]);
    }
    return KMV_OK;
}

static kmv_status mark_incomplete(const kmv_runner *r, kmv_error *err)
{
    static const char text[] = "Cases of config.ini have no row yet: kmv run goes on from here.\n";

    return kmv_file_replace(r->options->dir, KMV_RUN_INCOMPLETE, text, sizeof text - 1, err);
}

static void mark_complete(const kmv_runner *r)
{
    char path[1024];

    snprintf(path, sizeof path, "%s/%s", r->options->dir, KMV_RUN_INCOMPLETE);
    unlink(path);
}

static kmv_status write_config(const kmv_runner *r, kmv_error *err)
{
    return kmv_file_replace(r->options->dir, "config.ini", r->config->text, r->config->text_size,
                            err);
}

/* The same cases may come with other figures, titles or claims: config.ini follows. */
static kmv_status resume_folder(const kmv_runner *r, const char *config_path, kmv_error *err)
{
    const char *dir = r->options->dir;
    char hash[KMV_HASH_SIZE], found[KMV_HASH_SIZE + 1], started[32];
    kmv_status st;

    read_fact(dir, "cases_sha256", found, sizeof found);
    if (*found == '\0')
        return kmv_fail(err, KMV_EINVAL,
                        "%s: made by another version of kmv, which did not note the hash of its "
                        "cases; want a new folder",
                        dir);
    if (strcmp(found, r->options->identity) != 0)
        return kmv_fail(err, KMV_EINVAL,
                        "%s: holds results of other cases than %s asks for (config.ini there says "
                        "which); want a new folder",
                        dir, r->config->path);
    if ((st = check_facts(r, err)) != KMV_OK ||
        (st = kmv_hash_file(config_path, hash, err)) != KMV_OK)
        return st;
    if (strcmp(hash, r->config->hash) == 0)
        return KMV_OK;
    read_fact(dir, "started", started, sizeof started);
    if ((st = write_provenance(r, started, err)) != KMV_OK)
        return st;
    return write_config(r, err);
}

/* config.ini is written last: a folder that has it is set up. */
static kmv_status open_folder(kmv_runner *r, kmv_error *err)
{
    const char *dir = r->options->dir;
    char path[1024], started[32];
    kmv_status st;

    if (exists(dir, "config.ini", path, sizeof path))
        return resume_folder(r, path, err);
    if (exists(dir, "raw.tsv", path, sizeof path))
        return kmv_fail(err, KMV_EINVAL, "%s: holds raw.tsv but no config.ini; want a new folder",
                        dir);
    kmv_utc_now(started);
    if ((st = mark_incomplete(r, err)) != KMV_OK ||
        (st = write_provenance(r, started, err)) != KMV_OK)
        return st;
    return write_config(r, err);
}

/* ---- what is done ---------------------------------------------------------------------------- */

static int compare_ids(const void *a, const void *b, void *cases)
{
    const kmv_planned *planned = cases;

    return strcmp(planned[*(const size_t *)a].id, planned[*(const size_t *)b].id);
}

static size_t find_case(const kmv_cases *cases, const size_t *sorted, const char *id)
{
    size_t lo = 0, hi = cases->n_cases;

    while (lo < hi) {
        const size_t mid = lo + (hi - lo) / 2;

        if (strcmp(cases->cases[sorted[mid]].id, id) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < cases->n_cases && strcmp(cases->cases[sorted[lo]].id, id) == 0 ? sorted[lo]
                                                                               : cases->n_cases;
}

static kmv_status take_done(kmv_runner *r, kmv_done *done, kmv_error *err)
{
    const kmv_record *rows = r->raw.rows;
    const size_t n = r->cases->n_cases, reps = r->trial.reps;
    size_t *sorted = kmv_alloc(n, sizeof *sorted, "cases", err);

    if (sorted == NULL)
        return KMV_ENOMEM;
    if ((done->flags = kmv_alloc(n * reps, 1, "cases", err)) == NULL) {
        kmv_free(sorted);
        return KMV_ENOMEM;
    }
    done->reps = reps;
    for (size_t i = 0; i < n; i++)
        sorted[i] = i;
    qsort_r(sorted, n, sizeof *sorted, compare_ids, r->cases->cases);
    for (size_t i = 0; i < r->raw.count; i++) {
        const size_t c = find_case(r->cases, sorted, rows[i].case_id);

        if (c == n || !(rows[i].rep >= 0 && rows[i].rep < (double)reps))
            continue; /* of a case that --filter leaves out now */
        done->flags[c * reps + (size_t)rows[i].rep] = 1;
        if (kmv_run_is_final(rows[i].status))
            memset(done->flags + c * reps, 1, reps);
        kmv_run_count(r->summary, rows[i].status);
    }
    for (size_t i = 0; i < n * reps; i++)
        r->done += done->flags[i];
    r->total += n * reps;
    kmv_free(sorted);
    return KMV_OK;
}

/* ---- groups ---------------------------------------------------------------------------------- */

static kmv_status run_groups(kmv_runner *r, kmv_done *done, kmv_error *err)
{
    const size_t n = r->cases->n_cases;
    size_t *members = kmv_alloc(n, sizeof *members, "cases", err);
    unsigned char *taken = kmv_alloc(n, 1, "cases", err);
    kmv_status st = members == NULL || taken == NULL ? KMV_ENOMEM : KMV_OK;

    for (size_t i = 0; st == KMV_OK && i < n && !r->summary->interrupted; i++) {
        size_t count = 0;

        if (taken[i])
            continue;
        for (size_t j = i; j < n; j++) {
            if (strcmp(r->cases->cases[j].problem.data_key, r->cases->cases[i].problem.data_key) ==
                0) {
                members[count++] = j;
                taken[j] = 1;
            }
        }
        st = kmv_run_group(r, members, count, done, err);
    }
    kmv_free(members);
    kmv_free(taken);
    return st;
}

/* SIGINT and SIGTERM become readable, so that a child's end and a wish to stop are waited for at
 * once; nothing runs inside a handler. */
static kmv_status hold_signals(sigset_t *before, int *fd, kmv_error *err)
{
    sigset_t stop;

    sigemptyset(&stop);
    sigaddset(&stop, SIGINT);
    sigaddset(&stop, SIGTERM);
    if (sigprocmask(SIG_BLOCK, &stop, before) != 0 ||
        (*fd = signalfd(-1, &stop, SFD_CLOEXEC | SFD_NONBLOCK)) < 0)
        return kmv_fail(err, KMV_EIO, "signals: %s", strerror(errno));
    return KMV_OK;
}

static void release_signals(const sigset_t *before, int fd)
{
    struct signalfd_siginfo info;

    while (read(fd, &info, sizeof info) > 0) /* they were answered */
        ;
    close(fd);
    sigprocmask(SIG_SETMASK, before, NULL);
}

static void set_up(kmv_runner *r, const char *cache)
{
    const kmv_config *c = r->config;

    kmv_provenance_get(&r->provenance);
    r->trial = (kmv_trial_settings){.seed = c->seed,
                                    .reps = c->reps,
                                    .min_time_s = c->min_time_s,
                                    .threads = r->options->threads > 0 ? r->options->threads
                                                                       : r->provenance.cores,
                                    .isa = r->options->isa,
                                    .judge = {.cache = cache,
                                              .seed = c->seed,
                                              .rows = c->verify_rows,
                                              .pairs_max = c->verify_pairs_max,
                                              .op_norm_pairs = c->op_norm_pairs_max}};
    r->trial.judge.threads = r->provenance.cores;
    r->limits =
        (kmv_limits){r->options->limit_time_s, r->options->limit_memory_b, r->trial.threads + 1};
    r->preparation = (kmv_limits){PREPARATION_TIMES * r->options->limit_time_s, 0, 0};
}

kmv_status kmv_run(const kmv_config *config, const kmv_cases *cases, const kmv_run_options *options,
                   kmv_run_summary *summary, kmv_error *err)
{
    kmv_runner r = {.config = config,
                    .cases = cases,
                    .options = options,
                    .summary = summary,
                    .started = kmv_now_s(),
                    .signal_fd = -1};
    kmv_done done = {0};
    sigset_t before;
    char cache[1024];
    int lock = -1;
    kmv_status st;

    *summary = (kmv_run_summary){0};
    snprintf(cache, sizeof cache, "%s/cache", options->dir);
    set_up(&r, cache);
    if ((st = kmv_folders_make(options->dir, err)) != KMV_OK ||
        (st = kmv_folder_lock(options->dir, &lock, err)) != KMV_OK ||
        (st = open_folder(&r, err)) != KMV_OK || (st = kmv_folders_make(cache, err)) != KMV_OK ||
        (st = kmv_journal_open(options->dir, "raw.tsv", &kmv_record_schema, &r.raw, err)) !=
            KMV_OK ||
        (st = take_done(&r, &done, err)) != KMV_OK ||
        (st = kmv_run_open_measures(&r, err)) != KMV_OK ||
        (st = hold_signals(&before, &r.signal_fd, err)) != KMV_OK)
        goto out;
    r.done_before = r.done;
    if ((st = kmv_run_measures(&r, err)) == KMV_OK)
        st = run_groups(&r, &done, err);
    if (st == KMV_OK && !summary->interrupted && !options->filtered)
        mark_complete(&r);
    release_signals(&before, r.signal_fd);
out:
    kmv_free(done.flags);
    kmv_journal_close(&r.raw);
    kmv_journal_close(&r.measure);
    kmv_journal_close(&r.datasets);
    if (lock >= 0)
        close(lock);
    return st;
}

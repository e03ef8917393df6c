/* bench/run_group.c - the cases that share their data: load, prepare, repeat. See run.h. */
#include <gsl/gsl_randist.h>
#include <gsl/gsl_rng.h>
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "base/status.h"
#include "base/str.h"
#include "bench/runner.h"

/* A step that several cases share: a bandwidth, or the references of one x. */
typedef struct {
    const kmv_planned *first; /* the case that stands for all of them */
    kmv_run_failure failure;
    kmv_resolved resolved;
} step;

typedef struct {
    kmv_runner *runner;
    const size_t *members;
    size_t count;
    kmv_done *done;
    kmv_shared shared;
    step *problems, *inputs;
    size_t n_problems, n_inputs;
    size_t *problem_of, *input_of; /* by member */
    kmv_run_failure failure;       /* of loading the data */
} group;

static const kmv_planned *member(const group *g, size_t m)
{
    return &g->runner->cases->cases[g->members[m]];
}

static unsigned char *flags_of(const group *g, size_t m)
{
    return g->done->flags + g->members[m] * g->done->reps;
}

static int is_pending(const group *g, size_t m)
{
    return memchr(flags_of(g, m), 0, g->done->reps) != NULL;
}

/* ---- rows ------------------------------------------------------------------------------------ */

static void fill_asked(const group *g, size_t m, size_t rep, kmv_record *row)
{
    const kmv_runner *r = g->runner;
    const kmv_planned *c = member(g, m);

    kmv_planned_row(r->config, c, row);
    row->rep = (double)rep;
    if (*row->isa == '\0' && r->trial.isa != NULL)
        kmv_copy_text(row->isa, sizeof row->isa, r->trial.isa);
    if (isnan(row->threads))
        row->threads = r->trial.threads;
    snprintf(row->seed, sizeof row->seed, "%llu",
             (unsigned long long)kmv_trial_seed(&r->trial, c, rep));
    kmv_utc_now(row->started);
    kmv_copy_text(row->commit, sizeof row->commit, r->provenance.commit);
    kmv_copy_text(row->host, sizeof row->host, r->provenance.cpu);
}

static void fill_resolved(const kmv_resolved *resolved, kmv_record *row)
{
    row->sigma = resolved->sigma;
    row->causal = resolved->causal;
    row->n_q = (double)resolved->n_q;
    row->n_k = (double)resolved->n_k;
    row->d = (double)resolved->d;
}

static kmv_status store(group *g, size_t m, size_t rep, const kmv_record *row, kmv_error *err)
{
    kmv_runner *r = g->runner;
    unsigned char *flags = flags_of(g, m);
    kmv_status st = kmv_journal_append(&r->raw, row, err);

    if (st != KMV_OK)
        return st;
    kmv_run_count(r->summary, row->status);
    for (size_t i = 0; i < g->done->reps; i++) {
        if (!flags[i] && (i == rep || kmv_run_is_final(row->status))) {
            flags[i] = 1;
            r->done++;
        }
    }
    return KMV_OK;
}

static void set_outcome(kmv_record *row, const char *status, const char *reason)
{
    kmv_copy_text(row->status, sizeof row->status, status);
    kmv_copy_text(row->reason, sizeof row->reason, reason);
}

/* ---- steps before the repetitions ------------------------------------------------------------ */

/* Run work for a step. Trouble with the disk is the run's, all else the cases'. */
static kmv_status run_step(group *g, step *s, kmv_child_work *work, const kmv_trial *trial,
                           void *result, size_t size, kmv_error *err)
{
    kmv_runner *r = g->runner;
    kmv_status work_status = KMV_OK, st;
    kmv_child_end end;
    kmv_error why = {""};

    st = kmv_forked_run(work, trial, result, size, &r->preparation, r->signal_fd, &end,
                        &work_status, &why);
    if (st == KMV_OK && end == KMV_CHILD_DONE && work_status == KMV_EIO)
        st = KMV_EIO;
    if (st != KMV_OK)
        return kmv_fail(err, st, "%s", why.text);
    if (end == KMV_CHILD_INTERRUPTED) {
        r->summary->interrupted = 1;
        return KMV_OK;
    }
    s->failure.failed =
        !kmv_run_outcome(end, work_status, 1, &why, s->failure.status, s->failure.reason);
    return KMV_OK;
}

static size_t find_problem(group *g, const kmv_planned *c)
{
    size_t i = 0;

    while (i < g->n_problems && strcmp(g->problems[i].first->problem.key, c->problem.key) != 0)
        i++;
    return i;
}

static size_t find_input(group *g, const kmv_planned *c)
{
    size_t i = 0;

    while (i < g->n_inputs && (strcmp(g->inputs[i].first->problem.key, c->problem.key) != 0 ||
                               strcmp(g->inputs[i].first->x_kind, c->x_kind) != 0))
        i++;
    return i;
}

static kmv_status prepare_member(group *g, size_t m, kmv_error *err)
{
    const kmv_planned *c = member(g, m);
    kmv_trial trial = {
        .settings = &g->runner->trial, .data = &g->shared.data, .problem = &c->problem, .one = c};
    const size_t p = find_problem(g, c), i = find_input(g, c);
    kmv_status st;

    g->problem_of[m] = p;
    g->input_of[m] = i;
    if (p == g->n_problems) {
        g->problems[g->n_problems++].first = c;
        kmv_run_progress(g->runner, c->problem.key);
        st = run_step(g, &g->problems[p], kmv_trial_resolve, &trial, &g->problems[p].resolved,
                      sizeof g->problems[p].resolved, err);
        if (st != KMV_OK || g->runner->summary->interrupted)
            return st;
    }
    if (i < g->n_inputs)
        return KMV_OK;
    g->inputs[g->n_inputs++].first = c;
    if (g->problems[p].failure.failed) {
        g->inputs[i] = g->problems[p];
        g->inputs[i].first = c;
        return KMV_OK;
    }
    trial.resolved = &g->problems[p].resolved;
    return run_step(g, &g->inputs[i], kmv_trial_references, &trial, NULL, 0, err);
}

static kmv_status prepare_members(group *g, kmv_error *err)
{
    kmv_status st = KMV_OK;

    for (size_t m = 0; st == KMV_OK && m < g->count && !g->runner->summary->interrupted; m++) {
        if (is_pending(g, m) && *member(g, m)->problem.skip == '\0')
            st = prepare_member(g, m, err);
    }
    return st;
}

/* ---- repetitions ----------------------------------------------------------------------------- */

static kmv_status run_one(group *g, size_t m, size_t rep, kmv_error *err)
{
    kmv_runner *r = g->runner;
    const kmv_planned *c = member(g, m);
    kmv_trial trial = {.settings = &r->trial,
                       .data = &g->shared.data,
                       .problem = &c->problem,
                       .one = c,
                       .rep = rep};
    kmv_limits limits = r->limits;
    kmv_status work_status = KMV_OK, st;
    kmv_child_end end;
    kmv_error why = {""};
    kmv_record row;

    fill_asked(g, m, rep, &row);
    if (*c->problem.skip != '\0') {
        set_outcome(&row, "skipped", c->problem.skip);
    } else if (g->failure.failed) {
        set_outcome(&row, g->failure.status, g->failure.reason);
    } else {
        const step *input = &g->inputs[g->input_of[m]];

        trial.resolved = &g->problems[g->problem_of[m]].resolved;
        if (!g->problems[g->problem_of[m]].failure.failed)
            fill_resolved(trial.resolved, &row);
        if (input->failure.failed) {
            set_outcome(&row, input->failure.status, input->failure.reason);
            return store(g, m, rep, &row, err);
        }
        kmv_run_progress(r, c->key);
        if (c->threads > 0)
            limits.threads = c->threads + 1;
        st = kmv_forked_run(kmv_trial_run, &trial, &row, sizeof row, &limits, r->signal_fd, &end,
                            &work_status, &why);
        if (st == KMV_OK && end == KMV_CHILD_DONE && work_status == KMV_EIO)
            st = KMV_EIO; /* trouble with the disk is the run's, not the case's */
        if (st != KMV_OK)
            return kmv_fail(err, st, "%s", why.text);
        if (end == KMV_CHILD_INTERRUPTED) {
            r->summary->interrupted = 1;
            return KMV_OK;
        }
        (void)kmv_run_outcome(end, work_status, 0, &why, row.status, row.reason);
    }
    return store(g, m, rep, &row, err);
}

static kmv_status run_repetition(group *g, size_t rep, size_t *order, kmv_error *err)
{
    gsl_rng *rng = kmv_rng_create(
        kmv_stream_key(g->runner->trial.seed, member(g, 0)->problem.data_key, rep), err);
    kmv_status st = KMV_OK;

    if (rng == NULL)
        return KMV_ENOMEM;
    for (size_t m = 0; m < g->count; m++)
        order[m] = m;
    gsl_ran_shuffle(rng, order, g->count, sizeof *order);
    gsl_rng_free(rng);
    for (size_t i = 0; st == KMV_OK && i < g->count && !g->runner->summary->interrupted; i++) {
        if (!flags_of(g, order[i])[rep])
            st = run_one(g, order[i], rep, err);
    }
    return st;
}

kmv_status kmv_run_group(kmv_runner *runner, const size_t *members, size_t count, kmv_done *done,
                         kmv_error *err)
{
    group g = {.runner = runner, .members = members, .count = count, .done = done};
    size_t pending = 0, *order = NULL;
    kmv_status st = KMV_OK;

    for (size_t m = 0; m < count; m++)
        pending += (size_t)is_pending(&g, m);
    if (pending == 0)
        return KMV_OK;
    if ((g.problems = kmv_alloc(count, sizeof *g.problems, "cases", err)) == NULL ||
        (g.inputs = kmv_alloc(count, sizeof *g.inputs, "cases", err)) == NULL ||
        (g.problem_of = kmv_alloc(2 * count, sizeof *g.problem_of, "cases", err)) == NULL ||
        (order = kmv_alloc(count, sizeof *order, "cases", err)) == NULL) {
        st = KMV_ENOMEM;
        goto out;
    }
    g.input_of = g.problem_of + count;
    st = kmv_run_load(runner, &member(&g, 0)->problem, &g.shared, &g.failure, err);
    if (st == KMV_OK && !g.failure.failed && !runner->summary->interrupted)
        st = prepare_members(&g, err);
    for (size_t rep = 0; st == KMV_OK && rep < done->reps && !runner->summary->interrupted; rep++)
        st = run_repetition(&g, rep, order, err);
out:
    kmv_shared_clear(&g.shared);
    kmv_free(order);
    kmv_free(g.problem_of);
    kmv_free(g.inputs);
    kmv_free(g.problems);
    return st;
}

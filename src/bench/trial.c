/* bench/trial.c - see trial.h. */
#include "bench/trial.h"

#include <malloc.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/status.h"
#include "bench/sigma.h"
#include "data/xgen.h"

enum {
    WARM_TIMES = 4,
    WARM_MOST = 1 << 30,
    FIRST_COUNTS = 20 /* times min_time: a first, cold product of as long is counted */
};

uint64_t kmv_trial_seed(const kmv_trial_settings *settings, const kmv_planned *one, size_t rep)
{
    return kmv_stream_key(settings->seed, one->id, rep);
}

static kmv_matrix matrix_of(const kmv_case_problem *p)
{
    return strcmp(p->matrix, "gauss") == 0 ? KMV_GAUSS : KMV_SOFTMAX;
}

/* How many points of each kind are used of what was loaded; 0: all, as a generator made them. */
static size_t prefix_of(const kmv_trial *t)
{
    return *t->problem->source->generator != '\0' ? 0 : t->problem->n;
}

/* The view and, on it, the problem; sigma is set by the caller. */
static kmv_status open_view(const kmv_trial *t, kmv_view *view, kmv_problem *problem,
                            kmv_error *err)
{
    const int causal = t->problem->causal;
    const size_t drop = t->measure != NULL ? t->measure->drop_first : 0;
    kmv_status st = kmv_view_init(view, t->data, prefix_of(t), drop, t->problem->center, err);

    if (st != KMV_OK)
        kmv_fail_prefix(err, st, "%s", t->data->name);

    if (st == KMV_OK)
        *problem = (kmv_problem){.q = &view->q,
                                 .k = &view->k,
                                 .matrix = matrix_of(t->problem),
                                 .causal = causal >= 0 ? causal : t->data->causal == 1,
                                 .heads = view->heads};
    return st;
}

static void identity_of(const kmv_trial *t, char *text, size_t size)
{
    snprintf(text, size, "data=%s n=%zu center=%s", t->data->sha256, t->problem->n,
             kmv_center_name(t->problem->center));
}

/* x is the same for all algorithms, bandwidths and masks: they are compared on it. */
static kmv_status make_x(const kmv_trial *t, const kmv_view *view, size_t rep, size_t *r,
                         double **x, kmv_error *err)
{
    char text[896];

    snprintf(text, sizeof text, "%s n=%zu x=%s", t->problem->data_key, t->problem->n,
             t->one->x_kind);
    return kmv_x_make(t->one->x_kind, kmv_stream_key(t->settings->seed, text, rep), view->k.n,
                      view->v, view->r, r, x, err);
}

/* ---- bandwidth ------------------------------------------------------------------------------- */

kmv_status kmv_trial_resolve(const void *context, void *result, kmv_error *err)
{
    const kmv_trial *t = context;
    kmv_resolved *out = result;
    kmv_view view = {0};
    kmv_problem problem;
    double sigma = NAN;
    kmv_status st = open_view(t, &view, &problem, err);

    if (st == KMV_OK &&
        (st = kmv_sigma_resolve(t->problem->sigma_spec, t->data, &problem, t->settings->threads,
                                t->settings->isa, &sigma, err)) == KMV_OK) {
        problem.sigma = sigma;
        st = kmv_problem_check(&problem, err);
    }
    if (st == KMV_OK)
        *out = (kmv_resolved){sigma, problem.causal, view.q.n, view.k.n, view.q.d};
    kmv_view_clear(&view);
    return st;
}

/* ---- references ------------------------------------------------------------------------------ */

kmv_status kmv_trial_references(const void *context, void *result, kmv_error *err)
{
    const kmv_trial *t = context;
    const size_t reps = t->settings->reps;
    kmv_view view = {0};
    kmv_problem problem;
    char identity[256];
    double **x = NULL;
    size_t r = 0, count = 0;
    kmv_status st = open_view(t, &view, &problem, err);

    (void)result;
    if (st != KMV_OK)
        return st;
    problem.sigma = t->resolved->sigma;
    identity_of(t, identity, sizeof identity);
    if ((x = kmv_alloc(reps, sizeof *x, "inputs", err)) == NULL)
        st = KMV_ENOMEM;
    for (size_t rep = 0; st == KMV_OK && rep < reps; rep++) {
        st = make_x(t, &view, rep, &r, &x[count], err);
        if (st == KMV_OK)
            count++;
        /* Kinds without randomness give the same input again. */
        if (st == KMV_OK && count > 1 && memcmp(x[0], x[count - 1], view.k.n * r * sizeof **x) == 0)
            kmv_free(x[--count]);
    }
    if (st == KMV_OK)
        st = kmv_judge_prepare(&t->settings->judge, &problem, identity, (const double *const *)x,
                               count, r, err);
    for (size_t i = 0; i < count; i++)
        kmv_free(x[i]);
    kmv_free(x);
    kmv_view_clear(&view);
    return st;
}

/* ---- one repetition -------------------------------------------------------------------------- */

static double norm(const double *v, size_t count)
{
    double sum = 0;

    for (size_t i = 0; i < count; i++)
        sum += v[i] * v[i];
    return sqrt(sum);
}

/* Whether a batch is to be timed, *iters: how many in it, after one of so many that took batch_s,
 * 0: the first of all, which finds caches that hold other things. It counts only if it is long. */
static int another_batch(const kmv_trial *t, double batch_s, size_t *iters)
{
    const double least_s = (*iters == 0 ? FIRST_COUNTS : 1) * t->settings->min_time_s;

    if (!(batch_s < least_s))
        return 0;
    *iters = *iters == 0 ? 1 : 2 * *iters;
    return 1;
}

/* Time products until a batch lasts min_time; each batch has twice as many as the one before. The
 * whole batch counts towards min_time, its products alone towards t_apply_s: an algorithm that does
 * next to nothing would otherwise run for minutes. */
static kmv_status time_products(kmv_plan *plan, const kmv_trial *t, const double *x, size_t r,
                                double *y, double first_s, kmv_record *record, kmv_error *err)
{
    double batch = first_s;
    size_t iters = 0;
    kmv_report report;
    kmv_status st;

    record->t_apply_s = first_s;
    while (another_batch(t, batch, &iters)) {
        const double start = kmv_now_s();
        double total = 0, certify = 0;

        for (size_t i = 0; i < iters; i++) {
            if ((st = kmv_plan_apply(plan, x, r, y, &report, err)) != KMV_OK)
                return st;
            total += report.apply.seconds;
            certify += report.t_certify_s; /* NaN where nothing is certified */
        }
        batch = kmv_now_s() - start;
        record->t_apply_s = total / (double)iters;
        record->t_certify_s = certify / (double)iters;
    }
    record->iters = iters > 0 ? (double)iters : 1;
    return KMV_OK;
}

/* Preparations again, as products are. */
static kmv_status time_preparations(const kmv_trial *t, const kmv_problem *problem,
                                    const kmv_settings *settings, kmv_record *record,
                                    kmv_error *err)
{
    double batch = record->t_prepare_first_s;
    size_t iters = 0;

    while (another_batch(t, batch, &iters)) {
        const double start = kmv_now_s();
        double total = 0;

        for (size_t i = 0; i < iters; i++) {
            kmv_plan *plan = NULL;
            const kmv_status st =
                kmv_plan_create(t->one->algo, problem, t->one->options, settings, &plan, err);

            if (st != KMV_OK)
                return st;
            total += kmv_plan_prepare_cost(plan).seconds;
            kmv_plan_destroy(plan);
        }
        batch = kmv_now_s() - start;
        record->t_prepare_s = total / (double)iters;
    }
    return KMV_OK;
}

/* The threads start before anything is timed: a plan in a long-lived program finds them running. */
static void start_threads(int threads)
{
    volatile int started = 0;

#pragma omp parallel num_threads(threads) reduction(+ : started)
    started += 1;
}

static void take_report(const kmv_report *report, const kmv_problem *problem, kmv_record *record)
{
    record->t_prepare_s = record->t_prepare_first_s = report->prepare.seconds;
    record->t_certify_s = report->t_certify_s;
    record->pairs_frac = (report->prepare.pairs + report->apply.pairs) / kmv_problem_pairs(problem);
    record->flops = report->prepare.flops + report->apply.flops;
    record->mem_peak_b = report->mem_peak_b;
    record->bound = report->bound;
    record->err_est = report->err_est;
    record->threads = report->threads;
    snprintf(record->bound_kind, sizeof record->bound_kind, "%s",
             report->bound_kind != NULL ? report->bound_kind : "");
    snprintf(record->isa, sizeof record->isa, "%s", report->isa);
    snprintf(record->plan, sizeof record->plan, "%s", report->text);
}

/* Memory that the process has held before is given out again without a fault for every page, as in
 * a long-lived program: some times the points and X, which is what most algorithms need. A first
 * touch costs microseconds a page on a virtual machine, and would be most of the time of a fast
 * preparation. */
static void warm_memory(const kmv_problem *problem, size_t r)
{
    const size_t points = (problem->q->n + problem->k->n) * problem->k->ld * sizeof(float);
    const size_t bytes = WARM_TIMES * points + 2 * problem->k->n * r * sizeof(double);
    char *block;

    mallopt(M_MMAP_THRESHOLD, 1 << 30); /* from the heap, and the heap keeps what is freed */
    mallopt(M_TRIM_THRESHOLD, -1);
    if (bytes > WARM_MOST || (block = malloc(bytes)) == NULL)
        return;
    memset(block, 1, bytes);
    __asm__ volatile(""
                     :
                     : "r"(block)
                     : "memory"); /* else the compiler sees that nobody reads it */
    free(block);
}

static kmv_status judge_result(const kmv_trial *t, const kmv_problem *problem, const double *x,
                               size_t r, const double *y, kmv_record *record, kmv_error *err)
{
    const double x_norm = sqrt((double)kmv_problem_heads(problem)) * norm(x, problem->k->n * r);
    kmv_judge judge = {0};
    char identity[256];
    kmv_status st;

    identity_of(t, identity, sizeof identity);
    st = kmv_judge_get(&t->settings->judge, problem, identity, x, r, &judge, err);
    if (st == KMV_OK)
        st = kmv_verify(&judge, y, x_norm, t->settings->seed, record, err);
    if (st == KMV_OK && problem->matrix == KMV_SOFTMAX)
        st = kmv_verify_softmax(&judge, problem, y, x, x_norm, record, err);
    if (st == KMV_OK)
        kmv_verdict(record);
    kmv_judge_clear(&judge);
    return st;
}

static kmv_status run_products(const kmv_trial *t, const kmv_problem *problem, const double *x,
                               size_t r, double *y, double *spare, kmv_record *record,
                               kmv_error *err)
{
    const kmv_planned *one = t->one;
    kmv_settings settings = KMV_SETTINGS_DEFAULT;
    kmv_plan *plan = NULL;
    kmv_report report;
    kmv_status st;

    if (!isnan(one->eps)) {
        settings.eps = one->eps;
        settings.delta = one->delta;
    }
    settings.r = r;
    settings.threads = one->threads > 0 ? one->threads : t->settings->threads;
    settings.isa = *one->isa != '\0' ? one->isa : t->settings->isa;
    settings.seed = kmv_trial_seed(t->settings, one, t->rep);
    start_threads(settings.threads);
    warm_memory(problem, r);
    if ((st = kmv_plan_create(one->algo, problem, one->options, &settings, &plan, err)) != KMV_OK)
        return st;
    if ((st = kmv_plan_apply(plan, x, r, y, &report, err)) == KMV_OK) {
        take_report(&report, problem, record);
        st = time_products(plan, t, x, r, spare, report.apply.seconds, record, err);
    }
    kmv_plan_destroy(plan);
    if (st == KMV_OK)
        st = time_preparations(t, problem, &settings, record, err);
    return st;
}

static int has_negative(const double *x, size_t count)
{
    int found = 0;

    for (size_t i = 0; i < count; i++)
        found |= x[i] < 0;
    return found;
}

static kmv_status run_on_view(const kmv_trial *t, const kmv_view *view, const kmv_problem *problem,
                              kmv_record *record, kmv_error *err)
{
    double *x = NULL, *y = NULL, *spare = NULL;
    const char *reason;
    size_t r = 0;
    kmv_status st = make_x(t, view, t->rep, &r, &x, err);

    if (st != KMV_OK)
        return st;
    record->r = (double)r;
    reason =
        kmv_algo_rejects(t->one->algo, problem, t->one->options, r, has_negative(x, view->k.n * r));
    if (reason != NULL) {
        snprintf(record->status, sizeof record->status, "skipped");
        snprintf(record->reason, sizeof record->reason, "%s", reason);
        goto out;
    }
    if ((y = kmv_alloc(view->q.n * r, sizeof *y, "y", err)) == NULL ||
        (spare = kmv_alloc(view->q.n * r, sizeof *spare, "y", err)) == NULL) {
        st = KMV_ENOMEM;
        goto out;
    }
    st = run_products(t, problem, x, r, y, spare, record, err);
    if (st == KMV_ENOTSUP) { /* what only the preparation could see */
        snprintf(record->status, sizeof record->status, "skipped");
        snprintf(record->reason, sizeof record->reason, "%.*s", (int)sizeof record->reason - 1,
                 err->text);
        st = KMV_OK;
        goto out;
    }
    if (st == KMV_OK)
        st = judge_result(t, problem, x, r, y, record, err);
out:
    kmv_free(spare);
    kmv_free(y);
    kmv_free(x);
    return st;
}

kmv_status kmv_trial_run(const void *context, void *result, kmv_error *err)
{
    const kmv_trial *t = context;
    kmv_view view = {0};
    kmv_problem problem;
    kmv_status st = open_view(t, &view, &problem, err);

    if (st != KMV_OK)
        return st;
    problem.sigma = t->resolved->sigma;
    st = run_on_view(t, &view, &problem, result, err);
    kmv_view_clear(&view);
    return st;
}

/* ---- measures -------------------------------------------------------------------------------- */

kmv_status kmv_trial_measure(const void *context, void *result, kmv_error *err)
{
    const kmv_trial *t = context;
    const kmv_measure_row asked = *(const kmv_measure_row *)result;
    kmv_measure_spec spec = {.center = t->problem->center,
                             .drop_first = t->measure->drop_first,
                             .rows = t->measure->rows,
                             .with_op_norm = t->measure->op_norm,
                             .threads = t->settings->threads,
                             .isa = t->settings->isa,
                             .seed = kmv_stream_key(t->settings->seed, t->measure->id, 0)};
    kmv_measure_row *row = result;
    kmv_resolved resolved = {.sigma = NAN};
    kmv_status st = kmv_measure_matrix_parse(t->problem->matrix, &spec.matrix, err);

    if (st != KMV_OK || (st = kmv_trial_resolve(t, &resolved, err)) != KMV_OK)
        return st;
    spec.sigma = resolved.sigma;
    spec.causal = resolved.causal;
    if ((st = kmv_measure(t->data, prefix_of(t), &spec, row, err)) != KMV_OK)
        return st;
    memcpy(row->experiment, asked.experiment, sizeof row->experiment);
    memcpy(row->dataset, asked.dataset, sizeof row->dataset);
    memcpy(row->sigma_spec, asked.sigma_spec, sizeof row->sigma_spec);
    memcpy(row->case_id, asked.case_id, sizeof row->case_id);
    memcpy(row->started, asked.started, sizeof row->started);
    memcpy(row->commit, asked.commit, sizeof row->commit);
    memcpy(row->host, asked.host, sizeof row->host);
    snprintf(row->status, sizeof row->status, "ok");
    return KMV_OK;
}

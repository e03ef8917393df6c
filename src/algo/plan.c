/* algo/plan.c - plan and apply: what is checked, timed and counted around every algorithm. */
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <string.h>

#include "algo/algo.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/option.h"
#include "base/rng.h"
#include "base/status.h"

enum { TEXT_MAX = 512 };

struct kmv_plan {
    const kmv_algo *algo;
    kmv_problem problem;
    kmv_settings settings;
    const kmv_tile *tile;
    int threads;
    _Alignas(max_align_t) unsigned char options[KMV_ALGO_OPTIONS_MAX];
    void *state;
    uint64_t applies;
    kmv_cost prepare;
    size_t mem_base, mem_peak;
    char text[TEXT_MAX];
};

static const char *flags_reject(const kmv_algo *a, const kmv_problem *p, size_t r, int signed_x)
{
    if (p->matrix == KMV_GAUSS && !(a->flags & KMV_CAN_GAUSS))
        return "does softmax matrices only";
    if (p->matrix == KMV_SOFTMAX && !(a->flags & KMV_CAN_SOFTMAX))
        return "does not do softmax matrices";
    if (p->causal && !(a->flags & KMV_CAN_CAUSAL))
        return "does not do causal masks";
    if (p->causal && p->heads > 1 && (p->matrix == KMV_GAUSS || !(a->flags & KMV_CAN_HEADS)))
        return "does causal masks of one query head at a time only";
    if (r > 1 && !(a->flags & KMV_CAN_COLUMNS))
        return "does one column only";
    if (signed_x && !(a->flags & KMV_CAN_SIGNED))
        return "needs x >= 0";
    return NULL;
}

static kmv_status parse_options(const kmv_algo *a, const char *text, void *options, kmv_error *err)
{
    kmv_status st;

    if ((st = kmv_options_default(a->options, options, err)) != KMV_OK ||
        (st = kmv_options_parse(a->options, options, text != NULL ? text : "", err)) != KMV_OK)
        return kmv_fail_prefix(err, st, "%s", a->name);
    return KMV_OK;
}

const char *kmv_algo_rejects(const kmv_algo *a, const kmv_problem *p, const char *options, size_t r,
                             int signed_x)
{
    _Alignas(max_align_t) unsigned char parsed[KMV_ALGO_OPTIONS_MAX] = {0};
    const char *reason = flags_reject(a, p, r, signed_x);

    if (reason != NULL || a->reject == NULL || parse_options(a, options, parsed, NULL) != KMV_OK)
        return reason;
    return a->reject(p, parsed, r);
}

int kmv_algo_uses_eps(const kmv_algo *a, const char *options)
{
    _Alignas(max_align_t) unsigned char parsed[KMV_ALGO_OPTIONS_MAX] = {0};

    if (!(a->flags & KMV_USES_EPS))
        return 0;
    return a->uses_eps == NULL || parse_options(a, options, parsed, NULL) != KMV_OK ||
           a->uses_eps(parsed);
}

/* Relative to |x|, below which no product out of float32 entries comes (docs/numerics.md). */
static const double LEAST_EPS = 1e-6;

/* A prediction from samples says nothing of rounding. */
static kmv_status check_eps(const kmv_plan *plan, kmv_error *err)
{
    const kmv_algo *a = plan->algo;

    if (!(a->flags & KMV_USES_EPS) || (a->flags & KMV_ANY_EPS) || plan->settings.eps >= LEAST_EPS ||
        (a->uses_eps != NULL && !a->uses_eps(plan->options)))
        return KMV_OK;
    return kmv_fail(err, KMV_ENOTSUP,
                    "%s: eps = %g is below what float32 reaches (%g); want exact-f64 or auto",
                    a->name, plan->settings.eps, LEAST_EPS);
}

static kmv_status check_settings(const kmv_settings *s, kmv_error *err)
{
    if (!(s->eps > 0) || !isfinite(s->eps))
        return kmv_fail(err, KMV_EINVAL, "eps: want a finite number > 0, got %g", s->eps);
    if (!(s->delta > 0 && s->delta < 1))
        return kmv_fail(err, KMV_EINVAL, "delta: want a number in (0, 1), got %g", s->delta);
    if (s->r < 1)
        return kmv_fail(err, KMV_EINVAL, "r: want at least one column");
    if (s->threads < 0)
        return kmv_fail(err, KMV_EINVAL, "threads: want >= 0, got %d", s->threads);
    return KMV_OK;
}

kmv_status kmv_plan_create(const kmv_algo *a, const kmv_problem *p, const char *options,
                           const kmv_settings *s, kmv_plan **plan, kmv_error *err)
{
    kmv_prepare_context context;
    kmv_plan *out = NULL;
    const char *reason;
    kmv_status st;
    double start;

    if (a == NULL)
        return kmv_fail(err, KMV_EINVAL, "no such algorithm");
    if ((st = kmv_problem_check(p, err)) != KMV_OK || (st = check_settings(s, err)) != KMV_OK)
        return st;
    if ((out = kmv_alloc(1, sizeof *out, "plan", err)) == NULL)
        return KMV_ENOMEM;
    out->algo = a;
    out->problem = *p;
    out->settings = *s;
    out->threads = s->threads > 0 ? s->threads : omp_get_num_procs();
    if ((st = kmv_tile_select(s->isa, &out->tile, err)) != KMV_OK ||
        (st = parse_options(a, options, out->options, err)) != KMV_OK ||
        (st = check_eps(out, err)) != KMV_OK)
        goto out;
    reason = flags_reject(a, p, s->r, 0);
    if (reason == NULL && a->reject != NULL)
        reason = a->reject(&out->problem, out->options, s->r);
    if (reason != NULL) {
        st = kmv_fail(err, KMV_ENOTSUP, "%s: %s", a->name, reason);
        goto out;
    }
    snprintf(out->text, sizeof out->text, "%s", a->name);
    context = (kmv_prepare_context){.settings = &out->settings,
                                    .tile = out->tile,
                                    .threads = out->threads,
                                    .key = kmv_stream_key(s->seed, "prepare", 0),
                                    .cost = &out->prepare,
                                    .text = out->text,
                                    .text_size = sizeof out->text};
    kmv_mem_reset_peak();
    out->mem_base = kmv_mem_current();
    start = kmv_now_s();
    if ((st = a->prepare(&out->problem, out->options, &context, &out->state, err)) != KMV_OK)
        goto out;
    out->prepare.seconds = kmv_now_s() - start;
    out->mem_peak = kmv_mem_peak() - out->mem_base;
    *plan = out;
    out = NULL;
out:
    kmv_free(out);
    return st;
}

/* What a piece of x holds. */
typedef struct {
    double nought; /* NaN from infinities and NaN */
    double least, most;
} scanned;

static scanned scan_piece(const double *x, size_t count)
{
    double nought = 0, least = 0, most = 0;

#pragma omp simd reduction(+ : nought) reduction(min : least) reduction(max : most)
    for (size_t j = 0; j < count; j++) {
        nought += x[j] * 0;
        least = x[j] < least ? x[j] : least;
        most = x[j] > most ? x[j] : most;
    }
    return (scanned){nought, least, most};
}

/* Whether all is finite, all zero, any negative; names the first value that is not finite. */
static kmv_status scan_x(const double *x, size_t n, size_t r, int threads, int *all_zero,
                         int *negative, kmv_error *err)
{
    enum { PIECE = 1 << 14 };
    const size_t count = n * r, pieces = (count + PIECE - 1) / PIECE;
    double nought = 0, least = 0, most = 0;

#pragma omp parallel for num_threads(pieces > 4 ? threads : 1) schedule(static)                    \
    reduction(+ : nought) reduction(min : least) reduction(max : most)
    for (size_t m = 0; m < pieces; m++) {
        const size_t first = m * PIECE, left = count - first;
        const scanned s = scan_piece(x + first, left < PIECE ? left : PIECE);

        nought += s.nought;
        least = s.least < least ? s.least : least;
        most = s.most > most ? s.most : most;
    }
    *all_zero = least == 0 && most == 0;
    *negative = least < 0;
    for (size_t j = 0; j < count && !(nought == 0); j++) {
        if (!isfinite(x[j]))
            return kmv_fail(err, KMV_EINVAL, "x: element [%zu, %zu] is %g, want finite", j / r,
                            j % r, x[j]);
    }
    return KMV_OK;
}

kmv_status kmv_plan_apply(kmv_plan *plan, const double *x, size_t r, double *y, kmv_report *report,
                          kmv_error *err)
{
    kmv_cost cost = {0};
    kmv_apply_context context = {.x = x,
                                 .r = r,
                                 .y = y,
                                 .cost = &cost,
                                 .bound = NAN,
                                 .err_est = NAN,
                                 .t_certify_s = NAN,
                                 .bound_kind = ""};
    kmv_status st;
    int all_zero, negative;
    double start;

    if (r < 1 || r > plan->settings.r)
        return kmv_fail(err, KMV_EINVAL, "x: %zu columns, the plan was made for 1 to %zu", r,
                        plan->settings.r);
    if ((st = scan_x(x, plan->problem.k->n, r, plan->threads, &all_zero, &negative, err)) != KMV_OK)
        return st;
    if (negative && !(plan->algo->flags & KMV_CAN_SIGNED))
        return kmv_fail(err, KMV_ENOTSUP, "%s: needs x >= 0", plan->algo->name);
    context.key = kmv_stream_key(plan->settings.seed, "apply", plan->applies++);
    start = kmv_now_s();
    if (all_zero)
        memset(y, 0, plan->problem.q->n * r * sizeof *y);
    else if ((st = plan->algo->apply(plan->state, &context, err)) != KMV_OK)
        return st;
    cost.seconds = kmv_now_s() - start;
    if (!isnan(context.t_certify_s))
        cost.seconds -= context.t_certify_s; /* reported beside the product, not in it */
    if (report != NULL)
        *report = (kmv_report){.prepare = plan->prepare,
                               .apply = cost,
                               .mem_peak_b = (double)plan->mem_peak,
                               .bound = context.bound,
                               .bound_kind = context.bound_kind,
                               .err_est = context.err_est,
                               .t_certify_s = context.t_certify_s,
                               .isa = plan->tile->name,
                               .threads = plan->threads,
                               .text = plan->text};
    return KMV_OK;
}

kmv_cost kmv_plan_prepare_cost(const kmv_plan *plan)
{
    return plan->prepare;
}

void kmv_plan_destroy(kmv_plan *plan)
{
    if (plan == NULL)
        return;
    plan->algo->destroy(plan->state);
    kmv_free(plan);
}

/* algo/algo_auto.c - the planner: asks every candidate what it would cost and miss, takes the
 * cheapest that meets eps, certifies what it returns, and grows the plan where that fails. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "algo/auto_softmax.h"
#include "algo/candidate.h"
#include "algo/certificate.h"
#include "algo/failed_product.h"
#include "algo/speeds.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/status.h"
#include "gauss/reference.h"

enum {
    FEW_KEYS = 32768,  /* fewer are packed at once: packing them twice would show */
    MANY = 32768,      /* points, beyond which an answer is cheap beside exact */
    SMALLEST = 2048,   /* points, below which exact is chosen at once */
    FEW = 4096,        /* points, below which an answer takes a third of exact's time */
    FEW_ROWS = 32,     /* that say so much more surely whether to ask at all */
    FIRST_SHARE = 256, /* one row in so many, from 8 to 16, or 8 of many points, by which hopeless
                          cases are known */
    ATTEMPTS = 2,      /* products with samples, before exact */
    PACKING_FLOPS = 6, /* a coordinate of the queries; keys are packed for all */
    CANDIDATES_MAX = 8
};

/* Times exact's cost: what a candidate must be expected to stay below at the least for a longer
 * look. */
static const double HOPELESS = 0.7, HOPELESS_FEW = 0.6;

/* What a longer look costs, in pairs of exact: an entry of a further pilot row, which is computed
 * in float and kept; and what a candidate does with a key before it answers. Measured: 6 and 270
 * ns. Cores that wait meanwhile: look_s. */
static const double LOOK_PAIRS = 16, ANSWER_PAIRS = 700, WAITING_CORES = 2;

/* Share of the pairs that an oracle may need: a search and a sample need some times as many. */
static const double BY_ORACLE = 0.3;

/* Times exact's cost: what a candidate must come below, since its forecast may be wrong and exact's
 * cost is known; and a search that comes out so cheap is taken without asking the others. */
static const double CLEARLY = 0.85, CHEAP = 0.5;

/* Times what a look promised: more than that, and the others are asked as well. */
static const double SURPRISE = 1.5;

/* Times what a look promised: what others may come to, and so spend on an answer, unless all that
 * was promised is little, times exact's cost. A search in vain takes most of its budget. */
static const double BESIDE = 0.6, LITTLE = 0.35;

/* Times the samples, at the least, of a product that replaces one whose certificate failed: half
 * the error. */
static const double REPLACED = 4;

/* Rounding of a float32 product, relative to |K|x||: docs/numerics.md. */
static const double ROUNDING = 1e-5;

typedef struct {
    int certify, calibrate, only, grow;
    size_t rows, pilot, applies;
    double share, effort;
} opts;

static const kmv_option options[] = {
    {"certify", KMV_OPT_ENUM, offsetof(opts, certify), "model", 0, 0,
     "bound on the error of every product that is not exact", KMV_CERTIFY_CHOICES},
    {"rows", KMV_OPT_SIZE, offsetof(opts, rows), "256", 2, 1e6, "rows of the certificate", NULL},
    {"share", KMV_OPT_REAL, offsetof(opts, share), "0.5", 0, 0.95,
     "of them drawn by |y_i|^2, the others uniformly", NULL},
    {"grow", KMV_OPT_BOOL, offsetof(opts, grow), "yes", 0, 0,
     "more samples, at last exact, where the certificate finds the error above eps", NULL},
    {"applies", KMV_OPT_SIZE, offsetof(opts, applies), "1", 1, 1e9,
     "products that the preparation is to serve", NULL},
    {"pilot", KMV_OPT_SIZE, offsetof(opts, pilot), "64", 4, 1e6,
     "rows computed exactly for planning, at most", NULL},
    {"calibrate", KMV_OPT_ENUM, offsetof(opts, calibrate), "nominal", 0, 0,
     "speeds that costs are compared by; measured ones make plans depend on the clock",
     "nominal|measured"},
    {"only", KMV_OPT_ENUM, offsetof(opts, only), "any", 0, 0,
     "the candidate to take, whatever its cost", "any|exact|importance|probe|leaves"},
    {"effort", KMV_OPT_REAL, offsetof(opts, effort), "1", 0.001, 1000,
     "times the samples planned; below 1 sabotages, for tests of certificates", NULL},
    {0},
};

typedef struct {
    const kmv_problem *problem;
    const opts *options;
    double eps, delta;
    int few; /* points */
    kmv_pilot pilot;
    const kmv_candidate *chosen; /* NULL: exact */
    void *state;                 /* of the chosen candidate */
    kmv_reference *reference;    /* float64 instead, where it is not NULL */
    kmv_certifier *certifier;
    kmv_failed_product failed;
    double unseen2;            /* of the chosen forecast */
    kmv_auto_softmax *softmax; /* for softmax: instead of all of it */
    kmv_auto_softmax_options how;
    char decision[320], detail[160];
    char *text; /* of the plan */
    size_t text_size;
} planner;

static void destroy(void *state)
{
    planner *p = state;

    if (p == NULL)
        return;
    if (p->chosen != NULL)
        p->chosen->destroy(p->state);
    kmv_certifier_destroy(p->certifier);
    kmv_failed_product_clear(&p->failed);
    kmv_reference_destroy(p->reference);
    kmv_pilot_clear(&p->pilot);
    kmv_auto_softmax_destroy(p->softmax);
    kmv_free(p);
}

/* ---- planning -------------------------------------------------------------------------------- */

/* What planning knows; decision goes to the planner. */
typedef struct {
    planner *p;
    const kmv_prepare_context *context; /* text is the planner's detail */
    double rounding;                    /* of float32, in |x| */
    kmv_speeds speeds;
    double exact_s, certify_s, least_s; /* predicted costs; least_s: what the next must come
                                           below */
    int asked[CANDIDATES_MAX];          /* or not worth asking */
    double expected_s[CANDIDATES_MAX];  /* what each may come down to */
    double promised_s[CANDIDATES_MAX];  /* by a look, of those not asked alone; else 0 */
    kmv_forecast forecast[CANDIDATES_MAX];
    void *draft[CANDIDATES_MAX];
    char others[200]; /* what the candidates said */
} planning;

static kmv_status measure_rounding(planning *w, kmv_error *err)
{
    kmv_pilot *pilot = &w->p->pilot;
    double *c2 = kmv_alloc(pilot->problem->k->n, sizeof *c2, "column norms", err);

    if (c2 == NULL)
        return KMV_ENOMEM;
    kmv_pilot_column_norms(pilot, 0, 1, c2);
    w->rounding = ROUNDING * kmv_pilot_gain(pilot, c2);
    kmv_free(c2);
    return KMV_OK;
}

static kmv_status take_float64(planning *w, kmv_error *err)
{
    planner *p = w->p;

    snprintf(p->decision, sizeof p->decision,
             "auto: exact-f64, since float32 may be off by %.2g |x|, more than eps", w->rounding);
    return kmv_reference_create(p->problem, w->context->settings->r, w->context->tile->name,
                                w->context->threads, &p->reference, err);
}

static int does(const kmv_candidate *c, const kmv_problem *problem, size_t r)
{
    return (c->flags & KMV_CAN_SIGNED) && (c->flags & KMV_CAN_GAUSS) &&
           (!problem->causal || (c->flags & KMV_CAN_CAUSAL)) &&
           (r == 1 || (c->flags & KMV_CAN_COLUMNS));
}

static void say(planning *w, size_t best)
{
    planner *p = w->p;
    const int found = best < CANDIDATES_MAX;

    snprintf(p->decision, sizeof p->decision,
             "auto: %s%s%s, by predicted cost: exact 1 (%.3g core-ms)%s; pilot of %zu rows",
             found ? kmv_candidate_table[best]->name : "exact", found ? " with " : "",
             found ? w->forecast[best].text : "", 1e3 * w->exact_s, w->others, p->pilot.count);
}

/* What candidate c must come below: what has been found, or what others have promised. */
static double budget_for(const planning *w, size_t c)
{
    double budget = w->least_s;

    for (size_t other = 0; kmv_candidate_table[other] != NULL; other++) {
        if (other != c && !w->asked[other] && w->promised_s[other] > 0)
            budget = fmin(budget, fmin(w->promised_s[other],
                                       fmax(BESIDE * w->promised_s[other], LITTLE * w->exact_s)));
    }
    return w->p->options->only > 0 ? INFINITY : budget - w->certify_s;
}

/* Ask candidate c; it is the best if it meets eps at less than what has been found. */
static kmv_status ask_one(planning *w, size_t c, size_t *best, kmv_error *err)
{
    planner *p = w->p;
    const opts *o = p->options;
    const kmv_candidate *candidate = kmv_candidate_table[c];
    const double applies = (double)o->applies;
    const size_t used = strlen(w->others);
    kmv_forecast *f = &w->forecast[c];
    size_t beaten = c;
    kmv_status st;
    double total;

    w->asked[c] = 1;
    if ((st = candidate->forecast(p->problem, w->context, &p->pilot, &w->speeds, applies,
                                  budget_for(w, c), f, &w->draft[c], err)) != KMV_OK)
        return st;
    total = f->prepare_s + applies * f->apply_s + w->certify_s;
    if (isfinite(f->error))
        snprintf(w->others + used, sizeof w->others - used, ", %s %.3g", candidate->name,
                 total / w->exact_s);
    else
        snprintf(w->others + used, sizeof w->others - used, ", %s %s", candidate->name, f->text);
    if (f->error <= p->eps && (total < w->least_s || o->only > 0)) {
        w->least_s = total;
        beaten = *best;
        *best = c;
    }
    if (beaten < CANDIDATES_MAX) { /* its room is wanted for others */
        kmv_candidate_table[beaten]->discard(w->draft[beaten]);
        w->draft[beaten] = NULL;
    }
    return KMV_OK;
}

/* Ask the candidates that have not been asked (searching: those that search only) and take the
 * cheapest; its number, or CANDIDATES_MAX for exact. */
static kmv_status ask(planning *w, int searching, size_t *best, kmv_error *err)
{
    kmv_status st;

    for (size_t c = 0; kmv_candidate_table[c] != NULL; c++) {
        if (w->asked[c] || (searching && !kmv_candidate_table[c]->searches) ||
            w->promised_s[c] > w->least_s)
            continue;
        if ((st = ask_one(w, c, best, err)) != KMV_OK)
            return st;
    }
    say(w, *best);
    return KMV_OK;
}

/* A candidate that by its own look comes clearly below exact may be asked alone; what it says then
 * settles the matter, unless it is much more than the look promised. */
static kmv_status ask_promising(planning *w, size_t *best, int *settled, kmv_error *err)
{
    const planner *p = w->p;
    const opts *o = p->options;
    kmv_status st;

    for (size_t c = 0; kmv_candidate_table[c] != NULL && !*settled; c++) {
        const kmv_candidate *candidate = kmv_candidate_table[c];
        double expected_s;
        int alone;

        if (candidate->promise == NULL || o->only > 0 ||
            !does(candidate, p->problem, w->context->settings->r))
            continue;
        if ((st = candidate->promise(p->problem, w->context, &p->pilot, &w->speeds,
                                     (double)o->applies, &expected_s, &alone, err)) != KMV_OK)
            return st;
        expected_s += w->certify_s;
        if (!alone)
            w->promised_s[c] = expected_s;
        if (alone && expected_s < w->least_s && (st = ask_one(w, c, best, err)) != KMV_OK)
            return st;
        *settled = *best == c && w->least_s <= SURPRISE * expected_s;
    }
    say(w, *best);
    return KMV_OK;
}

static kmv_status set_costs(planning *w, kmv_error *err)
{
    const planner *p = w->p;
    const opts *o = p->options;
    const size_t r = w->context->settings->r;
    const double applies = (double)o->applies, n_k = (double)p->problem->k->n;
    kmv_status st;

    w->speeds = kmv_speeds_nominal(w->context->tile, p->problem->k->d, r);
    if (o->calibrate && (st = kmv_speeds_measure(&p->pilot, r, &w->speeds, err)) != KMV_OK)
        return st;
    w->exact_s =
        applies * kmv_problem_pairs(p->problem) * w->speeds.pair_s +
        PACKING_FLOPS * (double)p->problem->q->n * (double)p->problem->k->d * w->speeds.flop_s;
    w->least_s = CLEARLY * w->exact_s;
    w->certify_s =
        o->certify != KMV_CERTIFY_NONE ? applies * (double)o->rows * n_k * w->speeds.pair_s : 0;
    return KMV_OK;
}

/* Core-seconds until the candidates that do not search have answered; the cores, of which there are
 * two or more, wait for one of them most of the time. A constant, since plans must not depend on
 * the number of threads. */
static double look_s(const planning *w)
{
    const kmv_pilot *pilot = &w->p->pilot;
    const double rows = (double)(pilot->capacity - pilot->count);

    return (LOOK_PAIRS * rows + ANSWER_PAIRS) * (double)w->p->problem->k->n * w->speeds.pair_s *
           WAITING_CORES;
}

/* Turns away the candidates that are not expected to stay below exact, with what it takes to find
 * out; *left: how many remain. */
static kmv_status turn_away(planning *w, size_t *left, kmv_error *err)
{
    planner *p = w->p;
    const opts *o = p->options;

    *left = 0;
    for (size_t c = 0; kmv_candidate_table[c] != NULL; c++) {
        const kmv_candidate *candidate = kmv_candidate_table[c];
        const double hopeless = w->promised_s[c] > 0 ? CLEARLY : p->few ? HOPELESS_FEW : HOPELESS;
        double least_s = 0;
        kmv_status st;

        if (w->asked[c])
            continue;
        if ((o->only > 0 && o->only != (int)c + 2) ||
            !does(candidate, p->problem, w->context->settings->r)) {
            w->asked[c] = 1;
            continue;
        }
        if (w->promised_s[c] > 0)
            least_s = w->promised_s[c];
        else if (o->only == 0 &&
                 (st = candidate->least(p->problem, w->context, &p->pilot, &w->speeds,
                                        (double)o->applies, &least_s, err)) != KMV_OK)
            return st;
        w->expected_s[c] = least_s;
        if (!candidate->searches && o->only == 0)
            least_s += look_s(w);
        w->asked[c] = !(least_s <= hopeless * w->exact_s);
        *left += !w->asked[c];
    }
    if (*left == 0)
        snprintf(p->decision, sizeof p->decision,
                 "auto: exact (%.3g core-ms), since from counts and %zu rows no other plan is "
                 "expected to come clearly below it",
                 1e3 * w->exact_s, p->pilot.count);
    return KMV_OK;
}

/* Whether one that has not been asked may come below what has been found. */
static int worth_asking(const planning *w)
{
    int worth = 0;

    for (size_t c = 0; kmv_candidate_table[c] != NULL; c++)
        worth |= !w->asked[c] && w->expected_s[c] + w->certify_s < w->least_s;
    return worth;
}

/* Whether one that searches, and so needs no more of the pilot, may be the cheapest. */
static int search_first(const planning *w)
{
    double best[2] = {INFINITY, INFINITY};

    for (size_t c = 0; kmv_candidate_table[c] != NULL; c++) {
        const size_t s = kmv_candidate_table[c]->searches != 0;

        best[s] = w->asked[c] ? best[s] : fmin(best[s], w->expected_s[c]);
    }
    return best[1] <= best[0];
}

static size_t first_rows(size_t n_q)
{
    const size_t rows = n_q / FIRST_SHARE;

    return rows < 8 || n_q > MANY ? 8 : rows > 16 ? 16 : rows;
}

/* Exact where that is clear after few rows or none; else what the candidates say. */
static kmv_status decide(planning *w, size_t *best, kmv_error *err)
{
    planner *p = w->p;
    const size_t n_q = p->problem->q->n, n_k = p->problem->k->n;
    const double most = sqrt((double)n_q * (double)n_k); /* of |K x| / |x|: entries are <= 1 */
    const double per_row = kmv_problem_pairs(p->problem) / (double)n_q;
    const int small = n_q < SMALLEST || n_k < SMALLEST;
    size_t left = 1;
    int settled = 0;
    double oracle;
    kmv_status st;

    *best = CANDIDATES_MAX;
    if (p->options->only == 1) {
        snprintf(p->decision, sizeof p->decision, "auto: exact, as asked");
        left = 0;
    } else if (small && p->options->only == 0) {
        snprintf(p->decision, sizeof p->decision, "auto: exact, since n < %d", SMALLEST);
        left = 0;
    } else if ((st = set_costs(w, err)) != KMV_OK || (st = turn_away(w, &left, err)) != KMV_OK) {
        return st;
    }
    if (left > 0 || p->eps < ROUNDING * most) {
        if ((n_k < FEW_KEYS &&
             (st = kmv_pilot_pack_keys(&p->pilot, w->context->cost, err)) != KMV_OK) ||
            (st = kmv_pilot_extend(&p->pilot, first_rows(n_q), w->context->cost, err)) != KMV_OK ||
            (st = measure_rounding(w, err)) != KMV_OK)
            return st;
        if (p->eps < w->rounding)
            return take_float64(w, err);
    }
    if (left > 0 && ((st = ask_promising(w, best, &settled, err)) != KMV_OK || settled))
        return st;
    if (left > 0 && p->options->only == 0 &&
        (oracle = kmv_pilot_oracle_pairs(&p->pilot, p->eps)) > BY_ORACLE * per_row) {
        if (*best == CANDIDATES_MAX)
            snprintf(p->decision, sizeof p->decision,
                     "auto: exact, since from %zu rows even with the large entries known some %.3g "
                     "of %.3g pairs per row would be needed",
                     p->pilot.count, oracle, per_row);
        return KMV_OK;
    }
    if (left > 0 && (st = turn_away(w, &left, err)) != KMV_OK)
        return st;
    if (left > 0 && p->few && p->options->only == 0 &&
        ((st = kmv_pilot_extend(&p->pilot, FEW_ROWS, w->context->cost, err)) != KMV_OK ||
         (st = turn_away(w, &left, err)) != KMV_OK))
        return st;
    if (left == 0) {
        if (*best < CANDIDATES_MAX) /* the look's plan, dearer than promised, is what there is */
            say(w, *best);
        return KMV_OK;
    }
    /* A search that comes out cheap spares the other rows. */
    if (p->options->only == 0 && search_first(w)) {
        if ((st = ask(w, 1, best, err)) != KMV_OK)
            return st;
        if (w->least_s < CHEAP * w->exact_s || !worth_asking(w))
            return KMV_OK;
    }
    if ((st = kmv_pilot_pack_keys(&p->pilot, w->context->cost, err)) != KMV_OK ||
        (st = kmv_pilot_extend(&p->pilot, p->pilot.capacity, w->context->cost, err)) != KMV_OK)
        return st;
    return ask(w, 0, best, err);
}

static kmv_status make_certifier(const planning *w, kmv_error *err)
{
    planner *p = w->p;
    const kmv_certifier_setup setup = {.problem = p->problem,
                                       .centre = p->pilot.centre,
                                       .keys = &p->pilot.keys,
                                       .workspace = p->pilot.workspace,
                                       .columns = w->context->settings->r,
                                       .rows = p->options->rows,
                                       .kind = (kmv_certify_kind)p->options->certify,
                                       .share = p->options->share,
                                       .rounding = w->rounding,
                                       .threads = w->context->threads};

    kmv_status st;

    if (p->options->certify == KMV_CERTIFY_NONE)
        return KMV_OK;
    if ((st = kmv_pilot_pack_keys(&p->pilot, w->context->cost, err)) != KMV_OK ||
        (p->options->grow && !p->chosen->biased &&
         (st = kmv_failed_product_init(&p->failed, p->problem->q->n * setup.columns, err)) !=
             KMV_OK))
        return st;
    return kmv_certifier_create(&setup, &p->certifier, err);
}

static kmv_status prepare(const kmv_problem *problem, const void *opt,
                          const kmv_prepare_context *context, void **out, kmv_error *err)
{
    const opts *o = opt;
    kmv_prepare_context inner = *context;
    planner *p = kmv_alloc(1, sizeof *p, "planner", err);
    planning w = {.p = p, .context = &inner};
    size_t best;
    kmv_status st;

    if (p == NULL)
        return KMV_ENOMEM;
    p->problem = problem;
    p->options = o;
    p->few = problem->q->n < FEW || problem->k->n < FEW;
    p->eps = context->settings->eps;
    p->delta = context->settings->delta;
    p->text = context->text;
    p->text_size = context->text_size;
    inner.text = p->detail;
    inner.text_size = sizeof p->detail;
    if (problem->matrix == KMV_SOFTMAX) {
        p->how = (kmv_auto_softmax_options){.certify = (kmv_certify_kind)o->certify,
                                            .rows = o->rows,
                                            .share = o->share,
                                            .grow = o->grow,
                                            .exact = o->only == 1,
                                            .effort = o->effort};
        if ((st = kmv_auto_softmax_create(problem, &p->how, context, &p->softmax, err)) == KMV_OK) {
            *out = p;
            p = NULL;
        }
        goto out;
    }
    if ((st = kmv_pilot_init(&p->pilot, problem, context, o->pilot, err)) != KMV_OK ||
        (st = decide(&w, &best, err)) != KMV_OK)
        goto out;
    if (p->reference == NULL &&
        (best == CANDIDATES_MAX || !kmv_candidate_table[best]->own_points) &&
        ((st = kmv_pilot_pack_keys(&p->pilot, context->cost, err)) != KMV_OK ||
         (st = kmv_pilot_pack_queries(&p->pilot, context->cost, err)) != KMV_OK))
        goto out;
    if (best < CANDIDATES_MAX) {
        const kmv_candidate *chosen = kmv_candidate_table[best];
        void *draft = w.draft[best];

        w.draft[best] = NULL;
        if ((st = chosen->prepare(problem, &inner, &p->pilot, draft, &p->state, err)) != KMV_OK)
            goto out;
        p->chosen = chosen;
        p->unseen2 = w.forecast[best].unseen2;
        if ((st = make_certifier(&w, err)) != KMV_OK)
            goto out;
    }
    kmv_pilot_drop_entries(&p->pilot);
    if (p->chosen != NULL && p->chosen->own_points && p->certifier == NULL)
        kmv_pilot_drop_points(&p->pilot);
    /* Whatever a product may come to need: exact at once, or after failing certificates. */
    if ((p->chosen == NULL || p->certifier != NULL) && p->reference == NULL &&
        (st = kmv_pilot_reserve(&p->pilot, err)) != KMV_OK)
        goto out;
    snprintf(p->text, p->text_size, "%s", p->decision);
    *out = p;
    p = NULL;
out:
    for (size_t c = 0; kmv_candidate_table[c] != NULL; c++)
        kmv_candidate_table[c]->discard(w.draft[c]);
    destroy(p);
    return st;
}

/* ---- products -------------------------------------------------------------------------------- */

/* Another product is needed. Sets *effort, in terms of the one before, and keeps that if the next
 * is to be added to it. */
static void grow(planner *p, const kmv_apply_context *context, double err_est, double *effort)
{
    const double growth = kmv_failed_product_growth(err_est, p->eps);

    if (p->chosen->biased) {
        *effort = fmax(REPLACED, 1 + growth);
        return;
    }
    *effort = growth;
    kmv_failed_product_keep(&p->failed, context->y, p->problem->q->n * context->r);
}

/* Products of the chosen candidate until a certificate finds the error within eps, at last exact.
 * Each certificate has rows of its own and its part of delta. */
static kmv_status sampled_product(planner *p, kmv_apply_context *context, kmv_error *err)
{
    const opts *o = p->options;
    const uint64_t key = context->key;
    const int may_grow = o->grow && p->certifier != NULL;
    const size_t attempts = may_grow ? ATTEMPTS : 1;
    double effort = 1, certify_s = 0;
    kmv_certificate found = {NAN, NAN, NAN, NAN};
    kmv_status st = KMV_OK;

    kmv_failed_product_keep(&p->failed, NULL, 0);
    for (size_t a = 0; a < attempts; a++) {
        double start;

        context->key = kmv_stream_key(key, "attempt", a);
        if ((st = p->chosen->apply(p->state, effort * o->effort, context, err)) != KMV_OK)
            goto out;
        kmv_failed_product_add(&p->failed, effort, context->y);
        if (p->certifier == NULL) {
            snprintf(p->text, p->text_size, "%s; %s", p->decision, p->detail);
            goto out;
        }
        start = kmv_now_s();
        kmv_certify(p->certifier, context, kmv_stream_key(key, "certificate", a),
                    p->delta / (double)attempts, &found);
        certify_s += kmv_now_s() - start;
        context->err_est = found.err_est;
        if (found.err_est <= p->eps || !may_grow) {
            context->bound = o->certify == KMV_CERTIFY_RANGE
                                 ? found.bound
                                 : sqrt(found.bound * found.bound + p->unseen2);
            context->bound_kind = o->certify == KMV_CERTIFY_RANGE ? "range" : "model";
            context->t_certify_s = certify_s;
            snprintf(p->text, p->text_size,
                     "%s; %s; product %zu; at most %.2g of the rows err by more than %.3g |x|",
                     p->decision, p->detail, a + 1, found.share, found.row_max);
            goto out;
        }
        grow(p, context, found.err_est, &effort);
    }
    if ((st = kmv_pilot_product(&p->pilot, context->x, context->r, context->y, context->cost,
                                err)) != KMV_OK)
        goto out;
    context->err_est = NAN; /* it was of another y */
    context->t_certify_s = certify_s;
    snprintf(p->text, p->text_size,
             "%s; then exact, since after %zu products the certificate still found %.3g |x|",
             p->decision, attempts, found.err_est);
out:
    context->key = key;
    return st;
}

static kmv_status apply(void *state, kmv_apply_context *context, kmv_error *err)
{
    planner *p = state;

    if (p->softmax != NULL)
        return kmv_auto_softmax_apply(p->softmax, context, err);
    if (p->reference != NULL) {
        kmv_reference_apply(p->reference, NULL, p->problem->q->n, context->x, context->r,
                            context->y);
        context->cost->pairs += kmv_problem_pairs(p->problem);
        context->cost->flops += kmv_reference_flops(p->problem, context->r);
        return KMV_OK;
    }
    if (p->chosen == NULL)
        return kmv_pilot_product(&p->pilot, context->x, context->r, context->y, context->cost, err);
    return sampled_product(p, context, err);
}

const kmv_algo kmv_algo_auto = {
    .name = "auto",
    .summary = "the cheapest of exact and the sampling methods that a pilot predicts to meet eps",
    .guarantee = "|y - Kx| <= eps |x| predicted from a pilot, judged by a certificate on fresh "
                 "rows (certify=range: its bound is proved; model: coverage measured), else exact",
    .source = "this program",
    .flags = KMV_CAN_GAUSS | KMV_CAN_SOFTMAX | KMV_CAN_CAUSAL | KMV_CAN_COLUMNS | KMV_CAN_SIGNED |
             KMV_CAN_HEADS | KMV_USES_EPS | KMV_IS_RANDOM,
    .options = options,
    .options_size = sizeof(opts),
    .prepare = prepare,
    .apply = apply,
    .destroy = destroy,
};

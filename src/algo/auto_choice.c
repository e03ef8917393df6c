/* algo/auto_choice.c - see auto_choice.h. */
#include "algo/auto_choice.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "algo/rounding.h"
#include "algo/speeds.h"
#include "base/rng.h"
#include "base/status.h"

enum {
    FEW_KEYS = 32768,  /* fewer are packed at once: packing them twice would show */
    MANY = 32768,      /* points, beyond which an answer is cheap beside exact */
    SMALLEST = 2048,   /* points, below which exact is chosen at once */
    FEW = 4096,        /* points, below which an answer takes a third of exact's time */
    FEW_ROWS = 32,     /* that say so much more surely whether to ask at all */
    FIRST_SHARE = 256, /* one row in so many, from 8 to 16, or 8 of many points, by which hopeless
                          cases are known */
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

/* Times the cost of a plan that by its look stands alone: others that may come to less than that
 * are asked as well. */
static const double RIVAL = 0.5;

typedef struct {
    const kmv_problem *problem;
    const kmv_auto_choice_options *options;
    const kmv_prepare_context *context;
    kmv_pilot *pilot;
    kmv_auto_choice *out;
    int few; /* points */
    double eps;
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

/* What float32 may be off by; measured where the bound would rule it out. */
static kmv_status find_rounding(planning *w, kmv_error *err)
{
    kmv_auto_choice *out = w->out;
    const kmv_status st = kmv_rounding_bound(w->pilot, &out->rounding, err);

    if (st != KMV_OK || w->eps >= out->rounding)
        return st;
    return kmv_rounding_measure(w->pilot, w->context->tile->name,
                                kmv_stream_key(w->context->key, "rounding", 0), w->context->cost,
                                &out->rounding, err);
}

static kmv_status take_float64(planning *w)
{
    snprintf(w->out->why, sizeof w->out->why,
             "auto: exact-f64, since float32 may be off by %.2g |x|, more than eps",
             w->out->rounding);
    w->out->float64 = 1;
    return KMV_OK;
}

static int does(const kmv_candidate *c, const kmv_problem *problem, size_t r)
{
    return (c->flags & KMV_CAN_SIGNED) && (c->flags & KMV_CAN_GAUSS) &&
           (!problem->causal || (c->flags & KMV_CAN_CAUSAL)) &&
           (r == 1 || (c->flags & KMV_CAN_COLUMNS));
}

static void say(planning *w, size_t best)
{
    const int found = best < CANDIDATES_MAX;

    snprintf(w->out->why, sizeof w->out->why,
             "auto: %s%s%s, by predicted cost: exact 1 (%.3g core-ms)%s; pilot of %zu rows",
             found ? kmv_candidate_table[best]->name : "exact", found ? " with " : "",
             found ? w->forecast[best].text : "", 1e3 * w->exact_s, w->others, w->pilot->count);
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
    return w->options->only != KMV_AUTO_ANY ? INFINITY : budget - w->certify_s;
}

/* Ask candidate c; it is the best if it meets eps at less than what has been found. */
static kmv_status ask_one(planning *w, size_t c, size_t *best, kmv_error *err)
{
    const kmv_auto_choice_options *o = w->options;
    const kmv_candidate *candidate = kmv_candidate_table[c];
    const double applies = (double)o->applies;
    const size_t used = strlen(w->others);
    kmv_forecast *f = &w->forecast[c];
    size_t beaten = c;
    kmv_status st;
    double total;

    w->asked[c] = 1;
    if ((st = candidate->forecast(w->problem, w->context, w->pilot, &w->speeds, applies,
                                  budget_for(w, c), f, &w->draft[c], err)) != KMV_OK)
        return st;
    total = f->prepare_s + applies * f->apply_s + w->certify_s;
    if (isfinite(f->error))
        snprintf(w->others + used, sizeof w->others - used, ", %s %.3g", candidate->name,
                 total / w->exact_s);
    else
        snprintf(w->others + used, sizeof w->others - used, ", %s %s", candidate->name, f->text);
    if (f->error <= w->eps && (total < w->least_s || o->only != KMV_AUTO_ANY)) {
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

/* *yes: one that has not been asked, other than c, may cost much less than cost_s. */
static kmv_status has_rival(const planning *w, size_t c, double cost_s, int *yes, kmv_error *err)
{
    *yes = 0;
    for (size_t other = 0; kmv_candidate_table[other] != NULL; other++) {
        double least_s;
        kmv_status st;

        if (other == c || w->asked[other])
            continue;
        if ((st = kmv_candidate_table[other]->least(w->problem, w->context, w->pilot, &w->speeds,
                                                    (double)w->options->applies, &least_s, err)) !=
            KMV_OK)
            return st;
        *yes |= least_s + w->certify_s < RIVAL * cost_s;
    }
    return KMV_OK;
}

/* A candidate that by its own look comes clearly below exact, and not far above what others may
 * need, may be asked alone; what it says then settles the matter, unless it is much more than the
 * look promised or than others may need. */
static kmv_status ask_promising(planning *w, size_t *best, int *settled, kmv_error *err)
{
    const kmv_auto_choice_options *o = w->options;
    kmv_status st;

    for (size_t c = 0; kmv_candidate_table[c] != NULL && !*settled; c++) {
        const kmv_candidate *candidate = kmv_candidate_table[c];
        double expected_s;
        int alone, rival = 0;

        if (candidate->promise == NULL || o->only != KMV_AUTO_ANY ||
            !does(candidate, w->problem, w->context->settings->r))
            continue;
        if ((st = candidate->promise(w->problem, w->context, w->pilot, &w->speeds,
                                     (double)o->applies, &expected_s, &alone, err)) != KMV_OK)
            return st;
        expected_s += w->certify_s;
        if (alone && (st = has_rival(w, c, expected_s, &rival, err)) != KMV_OK)
            return st;
        alone = alone && !rival;
        if (!alone)
            w->promised_s[c] = expected_s;
        if (alone && expected_s < w->least_s && (st = ask_one(w, c, best, err)) != KMV_OK)
            return st;
        if (*best == c && (st = has_rival(w, c, w->least_s, &rival, err)) != KMV_OK)
            return st;
        *settled = *best == c && w->least_s <= SURPRISE * expected_s && !rival;
    }
    say(w, *best);
    return KMV_OK;
}

static kmv_status set_costs(planning *w, kmv_error *err)
{
    const kmv_auto_choice_options *o = w->options;
    const size_t r = w->context->settings->r;
    const double applies = (double)o->applies, n_k = (double)w->problem->k->n;
    kmv_status st;

    w->speeds = kmv_speeds_nominal(w->context->tile, w->problem->k->d, r);
    if (o->calibrate && (st = kmv_speeds_measure(w->pilot, r, &w->speeds, err)) != KMV_OK)
        return st;
    w->exact_s =
        applies * kmv_problem_pairs(w->problem) * w->speeds.pair_s +
        PACKING_FLOPS * (double)w->problem->q->n * (double)w->problem->k->d * w->speeds.flop_s;
    w->least_s = CLEARLY * w->exact_s;
    w->certify_s = applies * (double)o->certified_rows * n_k * w->speeds.pair_s;
    return KMV_OK;
}

/* Core-seconds until the candidates that do not search have answered; the cores, of which there are
 * two or more, wait for one of them most of the time. A constant, since plans must not depend on
 * the number of threads. */
static double look_s(const planning *w)
{
    const kmv_pilot *pilot = w->pilot;
    const double rows = (double)(pilot->capacity - pilot->count);

    return (LOOK_PAIRS * rows + ANSWER_PAIRS) * (double)w->problem->k->n * w->speeds.pair_s *
           WAITING_CORES;
}

/* Turns away the candidates that are not expected to stay below exact, with what it takes to find
 * out; *left: how many remain. */
static kmv_status turn_away(planning *w, size_t *left, kmv_error *err)
{
    const kmv_auto_choice_options *o = w->options;

    *left = 0;
    for (size_t c = 0; kmv_candidate_table[c] != NULL; c++) {
        const kmv_candidate *candidate = kmv_candidate_table[c];
        const double hopeless = w->promised_s[c] > 0 ? CLEARLY : w->few ? HOPELESS_FEW : HOPELESS;
        double least_s = 0;
        kmv_status st;

        if (w->asked[c])
            continue;
        if ((o->only != KMV_AUTO_ANY && o->only != (int)c + KMV_AUTO_FIRST_CANDIDATE) ||
            !does(candidate, w->problem, w->context->settings->r)) {
            w->asked[c] = 1;
            continue;
        }
        if (w->promised_s[c] > 0)
            least_s = w->promised_s[c];
        else if (o->only == KMV_AUTO_ANY &&
                 (st = candidate->least(w->problem, w->context, w->pilot, &w->speeds,
                                        (double)o->applies, &least_s, err)) != KMV_OK)
            return st;
        w->expected_s[c] = least_s;
        if (!candidate->searches && o->only == KMV_AUTO_ANY)
            least_s += look_s(w);
        w->asked[c] = !(least_s <= hopeless * w->exact_s);
        *left += !w->asked[c];
    }
    if (*left == 0)
        snprintf(w->out->why, sizeof w->out->why,
                 "auto: exact (%.3g core-ms), since from counts and %zu rows no other plan is "
                 "expected to come clearly below it",
                 1e3 * w->exact_s, w->pilot->count);
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
    const size_t n_q = w->problem->q->n, n_k = w->problem->k->n;
    const double most = sqrt((double)n_q * (double)n_k); /* of |K x| / |x|: entries are <= 1 */
    const double per_row = kmv_problem_pairs(w->problem) / (double)n_q;
    const int small = n_q < SMALLEST || n_k < SMALLEST;
    size_t left = 1;
    int settled = 0;
    double oracle;
    kmv_status st;

    *best = CANDIDATES_MAX;
    if (w->options->only == KMV_AUTO_EXACT) {
        snprintf(w->out->why, sizeof w->out->why, "auto: exact, as asked");
        left = 0;
    } else if (small && w->options->only == KMV_AUTO_ANY) {
        snprintf(w->out->why, sizeof w->out->why, "auto: exact, since n < %d", SMALLEST);
        left = 0;
    } else if ((st = set_costs(w, err)) != KMV_OK || (st = turn_away(w, &left, err)) != KMV_OK) {
        return st;
    }
    if (left > 0 || w->eps < KMV_ROUNDING * most) {
        if ((n_k < FEW_KEYS &&
             (st = kmv_pilot_pack_keys(w->pilot, w->context->cost, err)) != KMV_OK) ||
            (st = kmv_pilot_extend(w->pilot, first_rows(n_q), w->context->cost, err)) != KMV_OK ||
            (st = find_rounding(w, err)) != KMV_OK)
            return st;
        if (w->eps < w->out->rounding)
            return take_float64(w);
    }
    if (left > 0 && ((st = ask_promising(w, best, &settled, err)) != KMV_OK || settled))
        return st;
    if (left > 0 && w->options->only == KMV_AUTO_ANY &&
        (oracle = kmv_pilot_oracle_pairs(w->pilot, w->eps)) > BY_ORACLE * per_row) {
        if (*best == CANDIDATES_MAX)
            snprintf(w->out->why, sizeof w->out->why,
                     "auto: exact, since from %zu rows even with the large entries known some %.3g "
                     "of %.3g pairs per row would be needed",
                     w->pilot->count, oracle, per_row);
        return KMV_OK;
    }
    if (left > 0 && (st = turn_away(w, &left, err)) != KMV_OK)
        return st;
    if (left > 0 && w->few && w->options->only == KMV_AUTO_ANY &&
        ((st = kmv_pilot_extend(w->pilot, FEW_ROWS, w->context->cost, err)) != KMV_OK ||
         (st = turn_away(w, &left, err)) != KMV_OK))
        return st;
    if (left == 0) {
        if (*best < CANDIDATES_MAX) /* the look's plan, dearer than promised, is what there is */
            say(w, *best);
        return KMV_OK;
    }
    /* A search that comes out cheap spares the other rows. */
    if (w->options->only == KMV_AUTO_ANY && search_first(w)) {
        if ((st = ask(w, 1, best, err)) != KMV_OK)
            return st;
        if (w->least_s < CHEAP * w->exact_s || !worth_asking(w))
            return KMV_OK;
    }
    if ((st = kmv_pilot_pack_keys(w->pilot, w->context->cost, err)) != KMV_OK ||
        (st = kmv_pilot_extend(w->pilot, w->pilot->capacity, w->context->cost, err)) != KMV_OK)
        return st;
    return ask(w, 0, best, err);
}

kmv_status kmv_auto_choose(const kmv_problem *problem, const kmv_auto_choice_options *options,
                           const kmv_prepare_context *context, kmv_pilot *pilot,
                           kmv_auto_choice *out, kmv_error *err)
{
    planning w = {.problem = problem,
                  .options = options,
                  .context = context,
                  .pilot = pilot,
                  .out = out,
                  .few = problem->q->n < FEW || problem->k->n < FEW,
                  .eps = context->settings->eps};
    size_t best = CANDIDATES_MAX;
    kmv_status st;

    *out = (kmv_auto_choice){0};
    if ((st = decide(&w, &best, err)) == KMV_OK && best < CANDIDATES_MAX) {
        out->candidate = kmv_candidate_table[best];
        out->forecast = w.forecast[best];
        out->draft = w.draft[best];
        w.draft[best] = NULL;
    }
    for (size_t c = 0; kmv_candidate_table[c] != NULL; c++)
        kmv_candidate_table[c]->discard(w.draft[c]);
    return st;
}

void kmv_auto_choice_clear(kmv_auto_choice *choice)
{
    if (choice->candidate != NULL)
        choice->candidate->discard(choice->draft);
    choice->draft = NULL;
}

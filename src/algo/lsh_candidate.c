/* algo/lsh_candidate.c - hash tables and samples as a candidate of `auto`: wins where rows have
 * many large entries that lie together, which a search keeps one by one and tables evaluate in
 * blocks. */
#include <math.h>
#include <stdio.h>

#include "algo/candidate.h"
#include "algo/lsh.h"
#include "base/rng.h"

/* The defaults of `lsh`. */
static const kmv_lsh_options planned = {
    .bits = 10, .wild = 2, .clip = -1, .pilot = 128, .safety = 1.5};

/* Preparation but for the tables, in pairs a key: the pilot's rows twice, and what is made of them.
 * Measured with AVX2 at d = 64: 820 at n = 16384, 1100 at 4096. */
static const double PREPARE_PAIRS = 900;

/* What tables evaluate for each large entry that they are to find. */
static const double LARGE = 4;

/* Points below which a look in vain costs up to a fifth of exact's time, and what it finds gains
 * less than that: measured on clusters, n = 4096; 3 to 9 % at 8192. */
enum { FEWEST = 8192 };

/* Fewest columns sampled, as lsh_product.c. */
static const double SAMPLES_LEAST = 96;

static double prepare_s(const kmv_problem *problem, const kmv_speeds *speeds)
{
    return PREPARE_PAIRS * (double)problem->k->n * speeds->pair_s;
}

static kmv_status least(const kmv_problem *problem, const kmv_prepare_context *context,
                        const kmv_pilot *pilot, const kmv_speeds *speeds, double applies,
                        double *least_s, kmv_error *err)
{
    const double aim = context->settings->eps / planned.safety;
    double pairs = SAMPLES_LEAST;

    (void)err;
    if (problem->q->n < FEWEST || problem->k->n < FEWEST) {
        *least_s = INFINITY;
        return KMV_OK;
    }
    if (pilot->count > 0)
        pairs = fmax(pairs, kmv_pilot_split_pairs(pilot, aim, LARGE));
    *least_s =
        prepare_s(problem, speeds) + applies * (double)problem->q->n * pairs * speeds->pair_s;
    return KMV_OK;
}

static void discard(void *draft)
{
    kmv_lsh_destroy(draft);
}

static kmv_status forecast(const kmv_problem *problem, const kmv_prepare_context *context,
                           const kmv_pilot *pilot, const kmv_speeds *speeds, double applies,
                           double budget_s, kmv_forecast *out, void **draft, kmv_error *err)
{
    kmv_prepare_context own = *context;
    kmv_forecast f = {.error = INFINITY, .text = "too much in tables"};
    kmv_lsh *s = NULL;
    double least_s;
    kmv_status st = least(problem, context, pilot, speeds, applies, &least_s, err);

    *draft = NULL;
    f.prepare_s = prepare_s(problem, speeds);
    if (st == KMV_OK && (isinf(budget_s) || least_s < budget_s) &&
        kmv_lsh_reject(problem, &planned) == NULL) {
        const double most =
            (budget_s - f.prepare_s) / (applies * (double)problem->q->n * speeds->pair_s);

        own.key = kmv_stream_key(context->key, "lsh", 0);
        st = kmv_lsh_plan(problem, &planned, &own, most, &s, err);
        if (st == KMV_ENOTSUP) { /* exponents beyond float: others may do it */
            snprintf(f.text, sizeof f.text, "out of reach");
            st = KMV_OK;
        }
    }
    if (st == KMV_OK && s != NULL) {
        f.pairs =
            (double)problem->q->n * (s->choice.cost + fmax(0, SAMPLES_LEAST - s->choice.samples));
        f.apply_s = f.pairs * speeds->pair_s;
        f.error = context->settings->eps;
        f.unseen2 = s->choice.bias2;
        snprintf(f.text, sizeof f.text, "%zu tables of %zu bits, %.4g pairs a row, %.3g columns",
                 s->choice.tables, s->choice.shape.bits, s->choice.pairs, s->choice.samples);
        *draft = s;
    }
    if (*draft != NULL && !(f.prepare_s + applies * f.apply_s < budget_s)) {
        kmv_lsh_destroy(s);
        *draft = NULL;
        f.error = INFINITY;
    }
    *out = f;
    return st;
}

static kmv_status prepare(const kmv_problem *problem, const kmv_prepare_context *context,
                          const kmv_pilot *pilot, void *draft, void **state, kmv_error *err)
{
    const kmv_status st = kmv_lsh_build(draft, context->settings->r, context->cost, err);

    (void)problem;
    (void)pilot;
    if (st == KMV_OK)
        *state = draft;
    else
        kmv_lsh_destroy(draft);
    return st;
}

/* The squared error aimed at falls with the samples. */
static kmv_status apply(void *state, double effort, kmv_apply_context *context, kmv_error *err)
{
    kmv_lsh *s = state;
    const double target2 = s->target2;

    (void)err;
    s->target2 = target2 / effort;
    kmv_lsh_apply(s, context);
    s->target2 = target2;
    return KMV_OK;
}

static double unseen2(const void *state)
{
    return ((const kmv_lsh *)state)->unseen2;
}

const kmv_candidate kmv_candidate_lsh = {
    .name = "lsh",
    .flags = KMV_CAN_GAUSS | KMV_CAN_COLUMNS | KMV_CAN_SIGNED,
    .own_points = 1,
    .biased = 1, /* clipped */
    .searches = 1,
    .least = least,
    .forecast = forecast,
    .discard = discard,
    .prepare = prepare,
    .apply = apply,
    .unseen2 = unseen2,
    .destroy = discard,
};

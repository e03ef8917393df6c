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

/* Preparation but for the tables, in flops outside of tiles for each key, and for each of its
 * dimensions: the pilot's rows twice, and what is made of them. 2.2 us a key were measured with
 * AVX-512 at d = 64 and n = 32768, 1.9 with AVX2. */
static const double PREPARE = 2200, PREPARE_A_DIMENSION = 34;

/* A flop of a pair in a bucket, in flops outside of tiles. Buckets are small and their keys far
 * apart in memory, so that a matrix unit's pairs, or a wide vector's, are no measure for theirs:
 * 1.4 ns at d = 64 with AVX-512, where exact needs 0.4 and 0.7. */
static const double BUCKET_FLOP = 0.02;

/* What tables evaluate for each large entry that they are to find. */
static const double LARGE = 4;

/* Points below which a look in vain costs up to a fifth of exact's time, and what it finds gains
 * less than that: measured on clusters, n = 4096; 3 to 9 % at 8192. */
enum { FEWEST = 8192 };

/* Fewest columns sampled, as lsh_product.c. */
static const double SAMPLES_LEAST = 96;

static double prepare_s(const kmv_problem *problem, const kmv_speeds *speeds)
{
    return (PREPARE + PREPARE_A_DIMENSION * (double)problem->k->d) * (double)problem->k->n *
           speeds->flop_s;
}

/* One pair for each query, on one thread, in all products. */
static double pairs_s(const kmv_problem *problem, const kmv_prepare_context *context,
                      const kmv_speeds *speeds, double applies)
{
    const double flops = 2 * (double)(problem->k->d + context->settings->r) + 16;

    return applies * (double)problem->q->n *
           fmax(speeds->pair_s, BUCKET_FLOP * flops * speeds->flop_s);
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
    *least_s = prepare_s(problem, speeds) + pairs * pairs_s(problem, context, speeds, applies);
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
        const double most = (budget_s - f.prepare_s) / pairs_s(problem, context, speeds, applies);

        own.key = kmv_stream_key(context->key, "lsh", 0);
        st = kmv_lsh_plan(problem, &planned, &own, most, &s, err);
        if (st == KMV_ENOTSUP) { /* exponents beyond float: others may do it */
            snprintf(f.text, sizeof f.text, "out of reach");
            st = KMV_OK;
        }
    }
    if (st == KMV_OK && s != NULL) {
        const double pairs = s->choice.cost + fmax(0, SAMPLES_LEAST - s->choice.samples);

        f.pairs = (double)problem->q->n * pairs;
        f.apply_s = pairs * pairs_s(problem, context, speeds, 1);
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

/* The squared error aimed at falls with the samples; effort below 1 drops that part of the tables
 * too. */
static kmv_status apply(void *state, double effort, kmv_apply_context *context, kmv_error *err)
{
    kmv_lsh *s = state;
    const double target2 = s->target2;

    (void)err;
    s->target2 = target2 / effort;
    s->joined = (size_t)(fmin(1, effort) * (double)s->choice.tables);
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

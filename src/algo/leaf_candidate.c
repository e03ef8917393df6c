/* algo/leaf_candidate.c - leaves and samples as a candidate of `auto` for Gaussian matrices: wins
 * where large entries lie together, as in sequences, and little where they are scattered. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "algo/candidate.h"
#include "algo/leaf_engine.h"
#include "base/mem.h"
#include "base/rng.h"

enum {
    BLOCKS = 16,          /* looked at before all are */
    LOOK_ROWS = 128,      /* of their rows, computed in full */
    LOOK_KEYS = 8192,     /* that they are compared with, of 32768 and more; else a quarter */
    LOOK_STRIDE = 16,     /* leaves, at the most, of which one is compared with */
    FEWEST = 2048,        /* points below which exact is never beaten */
    FEWEST_BESIDE = 4096, /* the same where others are asked beside it */
    PILOT_ROWS = 192,     /* as leaf_engine.c */
    PLAN_FLOPS = 200      /* a key: thresholds and probabilities */
};

static const kmv_leaf_options options = {0};

/* Share of the pairs that an oracle may need for a look to be worth while: beyond, leaves were
 * never cheaper than exact on real heads; with two parts a number their pairs cost more. */
static const double BY_ORACLE = 0.35, BY_ORACLE_FINE = 0.1;

/* The look is at few blocks; more must be found before a plan is made for all. */
static const double DOUBT = 1.15, LOOK_SAFETY = 1.25;

/* Seconds a pair of a visited leaf takes one thread: measured on AMX (0.3e-9 at d = 64, r = 1 and
 * one part), where exponentials and conversions outweigh the products. */
static double pair_s(const kmv_problem *problem, const kmv_prepare_context *context,
                     const kmv_speeds *speeds)
{
    const size_t d = problem->k->d, ld = kmv_round_up(context->settings->r, 32);
    const kmv_attend_unit u = kmv_attend_unit_of(context->tile, d);
    const int fine = context->settings->eps < KMV_LEAF_ONE_PART_EPS;

    if (!u.rounds)
        return 1.1 * speeds->pair_s;
    return (fine ? 0.36e-9 : 0.20e-9) + 2 * (double)(fine ? 3 * d + 4 * ld : d + ld) / 2.0e12;
}

/* What does not depend on how many pairs the plan needs. */
static double fixed_s(const kmv_problem *problem, const kmv_prepare_context *context,
                      const kmv_speeds *speeds)
{
    const double n_q = (double)problem->q->n, n_k = (double)problem->k->n;
    const kmv_attend_unit u = kmv_attend_unit_of(context->tile, problem->k->d);
    const double pairs = n_q * n_k / (double)u.keys + PILOT_ROWS * n_k;
    const double packing = 6 * (n_q + n_k) * (double)problem->k->d;

    return 1.3 * pairs * pair_s(problem, context, speeds) +
           (packing / (u.rounds ? 6 : 1) + PLAN_FLOPS * n_k) * speeds->flop_s;
}

/* Some points of a set, in runs: run m begins at row first + m step. */
static kmv_status take_runs(const kmv_points *p, size_t first, size_t step, size_t run, size_t runs,
                            kmv_points *out, kmv_error *err)
{
    const kmv_status st = kmv_points_init(out, runs * run, p->d, err);

    if (st != KMV_OK)
        return st;
    for (size_t m = 0; m < runs; m++)
        memcpy(out->x + m * run * out->ld, p->x + (first + m * step) * p->ld,
               run * p->ld * sizeof *p->x);
    if (p->origin != NULL)
        memcpy(out->origin, p->origin, p->d * sizeof *p->origin);
    return KMV_OK;
}

/* One leaf in so many is looked at. */
static size_t look_stride(size_t n_k)
{
    const size_t stride = n_k / LOOK_KEYS;

    if (stride <= kmv_leaf_plan_stride(n_k))
        return kmv_leaf_plan_stride(n_k);
    return stride < LOOK_STRIDE ? stride : LOOK_STRIDE;
}

/* Pairs per row that a plan needs, from some blocks and one leaf in a few: a problem of its own,
 * with an eps that leaves each row as much of the error as in the whole. */
static kmv_status look(const kmv_problem *problem, const kmv_prepare_context *context,
                       double *pairs, kmv_error *err)
{
    const kmv_attend_unit u = kmv_attend_unit_of(context->tile, problem->k->d);
    const size_t n_q = problem->q->n, n_k = problem->k->n, rows = BLOCKS * u.rows;
    const size_t step = n_q / BLOCKS, stride = look_stride(n_k);
    const size_t leaves = n_k / u.keys / stride, keys_n = leaves * u.keys;
    const double eps =
        kmv_planned_eps(context->settings) / LOOK_SAFETY * sqrt((double)rows / (double)n_q);
    kmv_points q = {0}, k = {0};
    kmv_problem part = *problem;
    kmv_leaf_frame frame = {0};
    kmv_leaf_set queries = {0}, keys = {0};
    kmv_leaf_scores scores = {0};
    kmv_leaf_plan plan = {0};
    kmv_status st;

    part.q = &q;
    part.k = &k;
    part.causal = 0;
    if ((st = take_runs(problem->q, step / 2 / u.rows * u.rows, step / u.rows * u.rows, u.rows,
                        BLOCKS, &q, err)) != KMV_OK ||
        (st = take_runs(problem->k, 0, stride * u.keys, u.keys, leaves, &k, err)) != KMV_OK ||
        (st = kmv_leaf_frame_init(&frame, &part, err)) != KMV_OK ||
        (st = kmv_leaf_set_init(&queries, &u, 0, 1, rows, q.d, err)) != KMV_OK ||
        (st = kmv_leaf_set_init(&keys, &u, 1, 1, keys_n, q.d, err)) != KMV_OK)
        goto out;
    kmv_leaf_set_pack(&queries, &frame, &q, NULL, rows, context->threads, context->cost);
    kmv_leaf_set_pack(&keys, &frame, &k, NULL, keys_n, context->threads, context->cost);
    if ((st = kmv_leaf_scores_create(&scores, &part, &frame, &queries, &keys, context->threads,
                                     context->cost, err)) != KMV_OK ||
        (st = kmv_leaf_plan_create(
             &plan, &part, &frame, &keys, &queries, &scores, eps, 0, LOOK_ROWS, context->threads,
             kmv_stream_key(context->key, "look", 0), context->cost, err)) != KMV_OK)
        goto out;
    *pairs = plan.all
                 ? (double)n_k
                 : fmin((double)n_k, (plan.heavy + plan.sampled) * (double)n_k / (double)keys_n);
out:
    kmv_leaf_plan_clear(&plan);
    kmv_leaf_scores_clear(&scores);
    kmv_leaf_set_clear(&keys);
    kmv_leaf_set_clear(&queries);
    kmv_leaf_frame_clear(&frame);
    kmv_points_clear(&k);
    kmv_points_clear(&q);
    return st;
}

/* Where a pair of a leaf is much cheaper than exact's, or nobody else does the problem, a look says
 * whether to ask nobody else. Without a matrix unit `probe`, which samples as much as x needs, is
 * up to 14 times cheaper on generated sets, and hardly ever on real heads. */
static int stands_alone(const kmv_problem *problem, const kmv_prepare_context *context)
{
    return problem->causal || kmv_attend_unit_of(context->tile, problem->k->d).rounds;
}

static int does(const kmv_problem *problem, const kmv_prepare_context *context)
{
    const size_t fewest = stands_alone(problem, context) ? FEWEST : FEWEST_BESIDE;

    return problem->q->n >= fewest && problem->k->n >= fewest &&
           !kmv_leaf_engine_too_large(problem, context->tile);
}

static kmv_status promise(const kmv_problem *problem, const kmv_prepare_context *context,
                          const kmv_pilot *pilot, const kmv_speeds *speeds, double applies,
                          double *expected_s, int *alone, kmv_error *err)
{
    const double eps = context->settings->eps, rows = (double)problem->q->n;
    const double share = kmv_problem_pairs(problem) / (rows * (double)problem->k->n);
    const int fine =
        eps < KMV_LEAF_ONE_PART_EPS && kmv_attend_unit_of(context->tile, problem->k->d).rounds;
    double pairs = INFINITY;
    kmv_status st = KMV_OK;

    *alone = stands_alone(problem, context);
    if (does(problem, context) &&
        kmv_pilot_oracle_pairs(pilot, eps) <=
            (fine ? BY_ORACLE_FINE : BY_ORACLE) * share * (double)problem->k->n)
        st = look(problem, context, &pairs, err);
    *expected_s = fixed_s(problem, context, speeds) +
                  DOUBT * applies * share * pairs * rows * pair_s(problem, context, speeds);
    return st;
}

/* Every leaf, at less than exact's precision: what is left to one that stands alone and saw no
 * promise. Of one that does not nothing is known before its look. */
static kmv_status least(const kmv_problem *problem, const kmv_prepare_context *context,
                        const kmv_pilot *pilot, const kmv_speeds *speeds, double applies,
                        double *least_s, kmv_error *err)
{
    const double pairs = stands_alone(problem, context) ? kmv_problem_pairs(problem) : 0;

    (void)pilot;
    (void)err;
    *least_s = does(problem, context) ? fixed_s(problem, context, speeds) +
                                            applies * pairs * pair_s(problem, context, speeds)
                                      : INFINITY;
    return KMV_OK;
}

static void discard(void *draft)
{
    kmv_leaf_engine_destroy(draft);
}

static kmv_status forecast(const kmv_problem *problem, const kmv_prepare_context *context,
                           const kmv_pilot *pilot, const kmv_speeds *speeds, double applies,
                           double budget_s, kmv_forecast *out, void **draft, kmv_error *err)
{
    const double n_q = (double)problem->q->n;
    kmv_forecast f = {.error = INFINITY, .text = "leaves hold too little"};
    kmv_leaf_engine *a = NULL;

    (void)pilot;
    (void)applies;
    f.prepare_s = fixed_s(problem, context, speeds);
    if (f.prepare_s < budget_s) {
        const kmv_leaf_plan *plan;
        kmv_status st;

        if ((st = kmv_leaf_engine_create(problem, &options, context, &a, err)) != KMV_OK)
            return st;
        plan = kmv_leaf_engine_plan(a);
        f.pairs = plan->all ? kmv_problem_pairs(problem) : n_q * (plan->heavy + plan->sampled);
        f.apply_s = f.pairs * pair_s(problem, context, speeds);
        f.error = context->settings->eps;
        if (plan->all)
            snprintf(f.text, sizeof f.text, "every leaf");
        else
            snprintf(f.text, sizeof f.text, "%.4g keys a row in leaves, %.4g sampled", plan->heavy,
                     plan->sampled);
    }
    *out = f;
    *draft = a;
    return KMV_OK;
}

static kmv_status prepare(const kmv_problem *problem, const kmv_prepare_context *context,
                          const kmv_pilot *pilot, void *draft, void **state, kmv_error *err)
{
    (void)problem;
    (void)context;
    (void)pilot;
    (void)err;
    *state = draft; /* the plan is made */
    return KMV_OK;
}

static kmv_status apply(void *state, double effort, kmv_apply_context *context, kmv_error *err)
{
    return kmv_leaf_engine_apply(state, effort, context, err);
}

const kmv_candidate kmv_candidate_leaves = {
    .name = "leaves",
    .flags = KMV_CAN_GAUSS | KMV_CAN_CAUSAL | KMV_CAN_COLUMNS | KMV_CAN_SIGNED,
    .own_points = 1,
    .searches = 1,
    .promise = promise,
    .least = least,
    .forecast = forecast,
    .discard = discard,
    .prepare = prepare,
    .apply = apply,
    .destroy = discard,
};

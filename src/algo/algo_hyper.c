/* algo/algo_hyper.c - HyperAttention (Han, Jayaram, Karbasi, Mirrokni, Woodruff, Zandieh, ICLR
 * 2024, arXiv 2310.05869).
 *
 * Without a mask ("sortLSH"): queries and keys are sorted by angular hashes in Gray order and cut
 * into blocks of equal size; a query meets the keys of its block exactly and all others through
 * `samples` keys drawn with replacement, pairs of one block left out (block_attention.h).
 * With a causal mask: the lower right triangle is cut into halves again and again. The square
 * below the diagonal that each cut leaves (later half of the queries, earlier half of the keys) has
 * no mask and is done as above; triangles of at most `base` queries are done exactly; parts are
 * added in the log domain. With more keys than queries, the keys that every query sees are one
 * further such rectangle.
 *
 * The paper's: blocks, sample, recursion. It estimates the denominators (its algorithm 2, uniform
 * draws with large terms capped) and the product (rows of V drawn by |v_j|^2) apart; its code draws
 * once, uniformly, for both, without capping, and so does draw=uniform. draw=values draws by |v_j|,
 * for both as well. Ours: blocks differ in size by at most one instead of padding with zeros; every
 * rectangle is approximated, where the code does exactly what has fewer queries than `base`.
 *
 * Guarantee of the source: |y - PV|_op <= eps |P|_op |V|_op for bounded columns of P outside of the
 * blocks and rows of similar residual, with m = n^o(1) / eps^2 draws; not certified here.
 */
#include <math.h>
#include <omp.h>
#include <stddef.h>
#include <stdio.h>

#include "algo/algo.h"
#include "algo/angular_order.h"
#include "algo/block_attention.h"
#include "base/mem.h"
#include "base/rng.h"

enum { UNIFORM, BY_VALUES };

typedef struct {
    size_t block, samples, bits, base;
    int draw, centred;
} opts;

static const kmv_option options[] = {
    {"block", KMV_OPT_SIZE, offsetof(opts, block), "256", 1, 1e9, "keys of a block", NULL},
    {"samples", KMV_OPT_SIZE, offsetof(opts, samples), "256", 0, 1e9,
     "draws of keys for each part without mask, with replacement", NULL},
    {"bits", KMV_OPT_SIZE, offsetof(opts, bits), "7", 1, KMV_ANGULAR_BITS_MAX,
     "random hyperplanes of the hash", NULL},
    {"base", KMV_OPT_SIZE, offsetof(opts, base), "4096", 1, 1e9,
     "causal: triangles of at most so many queries are exact", NULL},
    {"draw", KMV_OPT_ENUM, offsetof(opts, draw), "uniform", 0, 0, "how keys are drawn",
     "uniform|values"},
    {"centred", KMV_OPT_BOOL, offsetof(opts, centred), "no", 0, 0,
     "hash queries and keys less their means (not in the paper)", NULL},
    {0},
};

/* Queries q .. q + n_q - 1 against keys k .. k + n_k - 1, without mask; or, where triangle is set,
 * with the mask. */
typedef struct {
    size_t q, n_q, k, n_k;
    int triangle;
    kmv_blocks blocks; /* without mask */
} part;

typedef struct {
    const opts *options;
    kmv_problem problem;
    int threads;
    double *centre;
    part *parts;
    size_t count, capacity;
    kmv_packed q, k; /* in order, for triangles */
    kmv_values values;
    kmv_key_sample sample;
    kmv_block_room room;
    kmv_softmax_sums total;
    double *score;
} state;

static void destroy(void *s)
{
    state *st = s;

    if (st == NULL)
        return;
    for (size_t p = 0; p < st->count; p++)
        kmv_blocks_clear(&st->parts[p].blocks);
    kmv_free(st->parts);
    kmv_free(st->centre);
    kmv_packed_clear(&st->q);
    kmv_packed_clear(&st->k);
    kmv_values_clear(&st->values);
    kmv_key_sample_clear(&st->sample);
    kmv_block_room_clear(&st->room);
    kmv_softmax_sums_clear(&st->total);
    kmv_free(st->score);
    kmv_free(st);
}

/* ---- parts ----------------------------------------------------------------------------------- */

static void add_part(state *s, part p)
{
    if (p.n_q > 0 && p.n_k > 0)
        s->parts[s->count++] = p;
}

/* Queries q .. q + n - 1 and as many keys from k on, with the mask. */
static void halve(state *s, size_t q, size_t k, size_t n)
{
    const size_t first = n / 2, second = n - first;

    if (n <= s->options->base) {
        add_part(s, (part){.q = q, .n_q = n, .k = k, .n_k = n, .triangle = 1});
        return;
    }
    add_part(s, (part){.q = q + first, .n_q = second, .k = k, .n_k = first});
    halve(s, q, k, first);
    halve(s, q + first, k + first, second);
}

static kmv_status list_parts(state *s, kmv_error *err)
{
    const size_t n_q = s->problem.q->n, n_k = s->problem.k->n;
    size_t leaves = 1;

    if (!s->problem.causal) {
        s->capacity = 1;
    } else {
        /* Triangles have more than base / 2 queries where there is more than one. */
        for (size_t n = n_q; n > s->options->base; n = n - n / 2)
            leaves *= 2;
        s->capacity = 2 * leaves;
    }
    if ((s->parts = kmv_alloc(s->capacity, sizeof *s->parts, "parts", err)) == NULL)
        return KMV_ENOMEM;
    if (!s->problem.causal) {
        add_part(s, (part){.n_q = n_q, .n_k = n_k});
        return KMV_OK;
    }
    add_part(s, (part){.n_q = n_q, .n_k = n_k - n_q}); /* seen by all */
    halve(s, 0, n_k - n_q, n_q);
    return KMV_OK;
}

/* Slots that the values of any part take, and keys of the largest part without mask. */
static size_t largest(const state *s, size_t *keys)
{
    size_t slots = s->k.n;

    *keys = 0;
    for (size_t p = 0; p < s->count; p++) {
        const part *at = &s->parts[p];

        if (at->triangle)
            continue;
        slots = at->blocks.k.n > slots ? at->blocks.k.n : slots;
        *keys = at->n_k > *keys ? at->n_k : *keys;
    }
    return slots;
}

static kmv_status build_blocks(state *s, const kmv_prepare_context *context, kmv_error *err)
{
    const opts *o = s->options;
    const size_t n_q = s->problem.q->n, n_k = s->problem.k->n;
    gsl_rng *rng = kmv_rng_create(context->key, err);
    uint32_t *rank = kmv_alloc(n_q + n_k, sizeof *rank, "hashes", err);
    size_t *order = kmv_alloc(n_q + n_k, sizeof *order, "order", err);
    kmv_status st = KMV_ENOMEM;

    if (rng == NULL || rank == NULL || order == NULL ||
        (st = kmv_angular_ranks(&s->problem, context->tile, o->bits, o->centred, rng, s->threads,
                                rank, rank + n_q, context->cost, err)) != KMV_OK)
        goto out;
    for (size_t p = 0; p < s->count && st == KMV_OK; p++) {
        part *at = &s->parts[p];

        if (at->triangle)
            continue;
        kmv_angular_sort(rank, o->bits, at->q, at->n_q, order);
        kmv_angular_sort(rank + n_q, o->bits, at->k, at->n_k, order + n_q);
        st = kmv_blocks_init(&at->blocks, &s->problem, context->tile, order, at->n_q, order + n_q,
                             at->n_k, at->k, o->block, s->centre, s->threads, context->cost, err);
    }
out:
    if (rng != NULL)
        gsl_rng_free(rng);
    kmv_free(rank);
    kmv_free(order);
    return st;
}

/* All queries and keys in order, for triangles. */
static kmv_status pack_in_order(state *s, const kmv_prepare_context *context, kmv_error *err)
{
    const size_t n_q = s->problem.q->n, n_k = s->problem.k->n, d = s->problem.q->d;
    kmv_status st;

    if (!s->problem.causal)
        return KMV_OK;
    if ((st = kmv_packed_init(&s->q, context->tile, KMV_QUERIES, n_q, d, 0, err)) != KMV_OK ||
        (st = kmv_packed_init(&s->k, context->tile, KMV_KEYS, n_k, d, 0, err)) != KMV_OK)
        return st;
    kmv_pack(&s->q, &s->problem, s->centre, NULL, n_q, s->threads, context->cost);
    kmv_pack(&s->k, &s->problem, s->centre, NULL, n_k, s->threads, context->cost);
    return kmv_blocks_check(&s->q, &s->k, &s->problem, err);
}

static kmv_status reserve(state *s, const kmv_prepare_context *context, kmv_error *err)
{
    const opts *o = s->options;
    const kmv_tile *tile = context->tile;
    const size_t n_q = s->problem.q->n, d = s->problem.q->d, r = context->settings->r;
    size_t keys;
    const size_t slots = largest(s, &keys);
    kmv_status st;

    if ((s->score = kmv_alloc(keys, sizeof *s->score, "scores", err)) == NULL)
        return KMV_ENOMEM;
    if ((st = kmv_values_init(&s->values, tile, slots, r, err)) != KMV_OK ||
        (st = kmv_key_sample_init(&s->sample, tile, o->samples, keys, d, r, err)) != KMV_OK ||
        (st = kmv_block_room_init(&s->room, tile, o->samples < keys ? o->samples : keys, r,
                                  s->threads, err)) != KMV_OK)
        return st;
    return s->problem.causal ? kmv_softmax_sums_init(&s->total, tile, n_q, r, err) : KMV_OK;
}

static void describe(const state *s, const kmv_prepare_context *context)
{
    size_t triangles = 0, blocks = 0;

    for (size_t p = 0; p < s->count; p++) {
        triangles += (size_t)s->parts[p].triangle;
        blocks += s->parts[p].blocks.blocks;
    }
    snprintf(context->text, context->text_size,
             "hyper: %zu parts without mask in %zu blocks and %zu draws each, %zu exact triangles",
             s->count - triangles, blocks, s->options->samples, triangles);
}

static kmv_status prepare(const kmv_problem *problem, const void *opt,
                          const kmv_prepare_context *context, void **out, kmv_error *err)
{
    state *s = kmv_alloc(1, sizeof *s, "state of hyper", err);
    kmv_status st;

    if (s == NULL)
        return KMV_ENOMEM;
    s->options = opt;
    s->problem = *problem;
    s->threads = context->threads;
    s->centre = kmv_alloc(problem->q->d, sizeof *s->centre, "centre", err);
    if (s->centre == NULL) {
        destroy(s);
        return KMV_ENOMEM;
    }
    kmv_centre(problem, s->centre);
    if ((st = list_parts(s, err)) != KMV_OK || (st = build_blocks(s, context, err)) != KMV_OK ||
        (st = pack_in_order(s, context, err)) != KMV_OK ||
        (st = reserve(s, context, err)) != KMV_OK) {
        destroy(s);
        return st;
    }
    describe(s, context);
    *out = s;
    return KMV_OK;
}

/* ---- apply ----------------------------------------------------------------------------------- */

/* One group of query slots of a triangle; keys before its first are in the panel of that one, and
 * get weight 0. Returns the pairs. */
static double attend_triangle_group(state *s, const part *at, size_t g, int thread)
{
    const kmv_softmax_operands o = {&s->problem, &s->q, &s->k, &s->values};
    const size_t group = kmv_softmax_group(s->q.tile), lanes = s->k.width, width = s->q.width;
    const size_t slots = (s->q.n + width - 1) / width - g * KMV_BLOCKS_MAX;
    const size_t tiles = slots < KMV_BLOCKS_MAX ? slots : KMV_BLOCKS_MAX;
    const size_t first = at->k / lanes, end = (at->k + at->n_k + lanes - 1) / lanes;
    const size_t row = (size_t)thread * group;
    float *weights = s->room.weights + (size_t)thread * s->room.stride;
    double pairs = 0, unused = 0; /* rows of other triangles would count */

    for (size_t j = 0; j < lanes; j++)
        weights[j] = first * lanes + j < at->k ? -INFINITY : 0;
    kmv_softmax_sums_reset(&s->room.sums, row, group);
    kmv_softmax_attend(&o, g * KMV_BLOCKS_MAX, tiles, first, 1, weights, s->room.space, thread,
                       &s->room.sums, row, &unused);
    if (end > first + 1)
        kmv_softmax_attend(&o, g * KMV_BLOCKS_MAX, tiles, first + 1, end - first - 1, NULL,
                           s->room.space, thread, &s->room.sums, row, &unused);
    for (size_t i = g * group; i < (g + 1) * group; i++) {
        if (i < at->q || i >= at->q + at->n_q)
            continue;
        kmv_softmax_sums_merge(&s->total, i, &s->room.sums, row + i - g * group, s->values.r);
        pairs += (double)(i - at->q + 1);
    }
    return pairs;
}

static void attend_triangle(state *s, const part *at, kmv_cost *cost)
{
    const size_t group = kmv_softmax_group(s->q.tile), last = (at->q + at->n_q - 1) / group;
    const double per_pair = 2 * (double)(s->problem.q->d + s->values.r);
    const double expected = per_pair / 2 * (double)at->n_q * (double)at->n_q;
    double pairs = 0;

#pragma omp parallel for num_threads(kmv_threads_for(expected, s->threads)) schedule(dynamic, 1) \
    reduction(+ : pairs)
    for (size_t g = at->q / group; g <= last; g++)
        pairs += attend_triangle_group(s, at, last - (g - at->q / group), omp_get_thread_num());
    cost->pairs += pairs;
    cost->flops += per_pair * pairs;
}

static void attend_blocks(state *s, const part *at, const kmv_apply_context *context, double unit)
{
    const opts *o = s->options;
    const kmv_block_parts parts = {&at->blocks, &s->values, NULL, &s->sample};
    const size_t r = context->r;

    s->sample.count = 0;
    if (o->samples > 0 && at->blocks.blocks > 1) { /* one block holds all keys */
        const int by_values = o->draw == BY_VALUES &&
                              kmv_value_norms(context->x, at->k, at->n_k, r, unit, s->score) > 0;

        kmv_key_sample_draw(&s->sample, by_values ? s->score : NULL, at->k, at->n_k, o->samples);
        kmv_key_sample_pack(&s->sample, &at->blocks.problem, s->centre, NULL, s->threads,
                            context->cost);
        kmv_values_load_in_unit(&s->sample.values, &s->sample.keys, context->x, r, unit,
                                s->threads);
    }
    kmv_values_load_in_unit(&s->values, &at->blocks.k, context->x, r, unit, s->threads);
    kmv_block_attend(&parts, &s->room,
                     (kmv_block_target){s->problem.causal ? &s->total : NULL, context->y},
                     context->cost);
}

static kmv_status apply(void *state_, kmv_apply_context *context, kmv_error *err)
{
    state *s = state_;
    const size_t n_q = s->problem.q->n, r = context->r;
    const double unit = kmv_values_common_unit(context->x, s->problem.k->n * r);

    (void)err;
    kmv_rng_restart(s->sample.rng, context->key);
    if (s->problem.causal)
        kmv_softmax_sums_reset(&s->total, 0, n_q);
    for (size_t p = 0; p < s->count; p++) {
        if (!s->parts[p].triangle)
            attend_blocks(s, &s->parts[p], context, unit);
    }
    if (!s->problem.causal)
        return KMV_OK;
    kmv_values_load_in_unit(&s->values, &s->k, context->x, r, unit, s->threads);
    for (size_t p = 0; p < s->count; p++) {
        if (s->parts[p].triangle)
            attend_triangle(s, &s->parts[p], context->cost);
    }
    for (size_t i = 0; i < n_q; i++)
        kmv_softmax_sums_row(&s->total, i, r, unit, context->y + i * r);
    return KMV_OK;
}

const kmv_algo kmv_algo_hyper = {
    .name = "hyper",
    .summary = "sorted hash blocks exactly, the rest from a sample of keys; causal by halving",
    .guarantee = "|y - PV|_op <= eps |P|_op |V|_op in the source, under its assumptions on columns "
                 "and residual rows; not certified",
    .source = "Han, Jayaram, Karbasi, Mirrokni, Woodruff, Zandieh, ICLR 2024 (arXiv 2310.05869)",
    .flags = KMV_CAN_SOFTMAX | KMV_CAN_CAUSAL | KMV_CAN_COLUMNS | KMV_CAN_SIGNED | KMV_IS_RANDOM,
    .options = options,
    .options_size = sizeof(opts),
    .prepare = prepare,
    .apply = apply,
    .destroy = destroy,
};

/* algo/algo_reformer.c - attention within hash buckets (Kitaev, Kaiser, Levskaya, "Reformer: the
 * efficient transformer", ICLR 2020, arXiv 2001.04451).
 *
 * In each of `rounds` rounds of hashing a query meets the keys of its bucket that lie in its own
 * chunk of the sorted keys and the one before (lsh_rounds.h). With S_i the union over the rounds
 * and N_ij in how many of them i and j meet,
 *     y_i = sum over rounds and keys met of exp(l_ij) / N_ij v_j  /  the same without v_j,
 * which is softmax over S_i: the rounds, each a softmax of its own, are combined by their log sums
 * of exponentials, and a pair that meets several times counts once. There is no estimate of what no
 * round finds.
 *
 * The paper's: one set of vectors for queries and keys (k = q / |q|), so that a query has a place
 * among the keys, never lacks a key of its bucket (itself), and is told not to use itself unless it
 * has nothing else, since q.q is always large. With given q and k none of that holds: the place is
 * that of lsh_rounds.h, nobody is left out for standing at the query's own place, and a query that
 * finds no key in any round gets the value at its own place, as the paper's last resort.
 * Buckets: 2 n_k / chunk by default, which makes chunks twice an average bucket, as in the paper.
 *
 * Guarantee: none; exact once all keys share a bucket and a chunk.
 */
#include <math.h>
#include <omp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "algo/algo.h"
#include "algo/block_attention.h"
#include "algo/lsh_rounds.h"
#include "base/mem.h"
#include "base/rng.h"
#include "gauss/softmax_pairs.h"

typedef struct {
    size_t rounds, chunk, buckets;
} opts;

static const kmv_option options[] = {
    {"rounds", KMV_OPT_SIZE, offsetof(opts, rounds), "8", 1, KMV_ROUNDS_MAX, "rounds of hashing",
     NULL},
    {"chunk", KMV_OPT_SIZE, offsetof(opts, chunk), "64", 1, 1e9,
     "keys of a chunk; a query sees its own and the one before", NULL},
    {"buckets", KMV_OPT_SIZE, offsetof(opts, buckets), "0", 0, 1e6,
     "buckets of a round, even; 0: twice the number of chunks; 1: no hashing", NULL},
    {0},
};

static const char *reject(const kmv_problem *problem, const void *opt, size_t r)
{
    const opts *o = opt;

    (void)r;
    if (o->buckets > 1 && o->buckets % 2 != 0)
        return "buckets is odd: a hash is the place of the largest of (xR, -xR)";
    if (problem->k->n > UINT32_MAX || problem->q->n > UINT32_MAX)
        return "more than 2^32 points";
    return NULL;
}

/* One round: queries and keys packed in its order. */
typedef struct {
    kmv_packed q, k;
    uint32_t *place; /* rounds x n_k: by slot of k, where that key stands in each round */
} packed_round;

typedef struct {
    kmv_problem problem;
    int threads;
    kmv_lsh_rounds rounds;
    packed_round *packed;
    kmv_values first, values; /* in the order of round 0; of the round at work */
    kmv_pair_space *space;
    kmv_softmax_sums total;
    char *text;
    size_t text_size;
} state;

static void destroy(void *s)
{
    state *st = s;

    if (st == NULL)
        return;
    for (size_t t = 0; t < st->rounds.rounds && st->packed != NULL; t++) {
        kmv_packed_clear(&st->packed[t].q);
        kmv_packed_clear(&st->packed[t].k);
        kmv_free(st->packed[t].place);
    }
    kmv_free(st->packed);
    kmv_lsh_rounds_clear(&st->rounds);
    kmv_values_clear(&st->first);
    kmv_values_clear(&st->values);
    kmv_pair_space_destroy(st->space);
    kmv_softmax_sums_clear(&st->total);
    kmv_free(st);
}

/* ---- prepare --------------------------------------------------------------------------------- */

static kmv_status pack_round(state *s, const kmv_tile *tile, size_t t, const double *centre,
                             size_t *which, kmv_cost *cost, kmv_error *err)
{
    const kmv_lsh_rounds *l = &s->rounds;
    const size_t d = s->problem.q->d;
    packed_round *p = &s->packed[t];
    kmv_status st;

    if ((st = kmv_packed_init(&p->q, tile, KMV_QUERIES, l->n_q, d, 1, err)) != KMV_OK ||
        (st = kmv_packed_init(&p->k, tile, KMV_KEYS, l->n_k, d, 1, err)) != KMV_OK)
        return st;
    p->place = kmv_alloc(l->rounds * l->n_k, sizeof *p->place, "places of keys", err);
    if (p->place == NULL)
        return KMV_ENOMEM;
    for (size_t i = 0; i < l->n_q; i++)
        which[i] = l->q_order[t * l->n_q + i];
    kmv_pack(&p->q, &s->problem, centre, which, l->n_q, s->threads, cost);
    for (size_t j = 0; j < l->n_k; j++)
        which[j] = l->k_order[t * l->n_k + j];
    kmv_pack(&p->k, &s->problem, centre, which, l->n_k, s->threads, cost);
    for (size_t u = 0; u < l->rounds; u++) {
        for (size_t j = 0; j < l->n_k; j++)
            p->place[u * l->n_k + j] = l->place[u * l->n_k + which[j]];
    }
    return kmv_blocks_check(&p->q, &p->k, &s->problem, err);
}

static kmv_status build(state *s, const opts *o, const kmv_prepare_context *context,
                        const kmv_tile *tile, kmv_error *err)
{
    const size_t n_q = s->problem.q->n, n_k = s->problem.k->n;
    const size_t chunks = (n_k + o->chunk - 1) / o->chunk;
    const size_t buckets = o->buckets > 0 ? o->buckets : 2 * chunks;
    gsl_rng *rng = kmv_rng_create(context->key, err);
    double *centre = kmv_alloc(s->problem.q->d, sizeof *centre, "centre", err);
    size_t *which = kmv_alloc(n_q > n_k ? n_q : n_k, sizeof *which, "order", err);
    kmv_status st = KMV_ENOMEM;

    if (rng == NULL || centre == NULL || which == NULL ||
        (s->packed = kmv_alloc(o->rounds, sizeof *s->packed, "rounds", err)) == NULL ||
        (st = kmv_lsh_rounds_init(&s->rounds, &s->problem, tile, o->rounds, buckets, o->chunk, rng,
                                  s->threads, context->cost, err)) != KMV_OK)
        goto out;
    kmv_centre(&s->problem, centre);
    for (size_t t = 0; t < o->rounds && st == KMV_OK; t++)
        st = pack_round(s, tile, t, centre, which, context->cost, err);
out:
    if (rng != NULL)
        gsl_rng_free(rng);
    kmv_free(centre);
    kmv_free(which);
    return st;
}

static kmv_status prepare(const kmv_problem *problem, const void *opt,
                          const kmv_prepare_context *context, void **out, kmv_error *err)
{
    const size_t n_q = problem->q->n, n_k = problem->k->n, r = context->settings->r;
    const kmv_tile *tile = NULL;
    state *s = NULL;
    kmv_status st;

    /* Pairs are weighed in vectors; operands of a matrix unit would be packed for nothing. */
    if ((st = kmv_tile_select(context->tile->vectors, &tile, err)) != KMV_OK)
        return st;
    if ((s = kmv_alloc(1, sizeof *s, "state of reformer", err)) == NULL)
        return KMV_ENOMEM;
    s->problem = *problem;
    s->threads = context->threads;
    s->text = context->text;
    s->text_size = context->text_size;
    if ((st = build(s, opt, context, tile, err)) != KMV_OK ||
        (st = kmv_values_init(&s->first, tile, n_k, r, err)) != KMV_OK ||
        (st = kmv_values_init(&s->values, tile, n_k, r, err)) != KMV_OK ||
        (st = kmv_pair_space_create(tile, r, s->threads, &s->space, err)) != KMV_OK ||
        (st = kmv_softmax_sums_init(&s->total, tile, n_q, r, err)) != KMV_OK) {
        destroy(s);
        return st;
    }
    snprintf(s->text, s->text_size, "reformer: %zu rounds of %zu buckets, chunks of %zu keys",
             s->rounds.rounds, s->rounds.buckets, s->rounds.chunk);
    *out = s;
    return KMV_OK;
}

/* ---- apply ----------------------------------------------------------------------------------- */

/* Weights of the keys at places first .. first + count - 1 of round t for one query: 1 / N_ij for
 * those it meets, 0 for others. */
static void fill_weights(const state *s, size_t t, size_t query, size_t first, size_t count,
                         float *weight)
{
    const kmv_lsh_rounds *l = &s->rounds;
    const size_t lo = l->lo[t * l->n_q + query], hi = l->hi[t * l->n_q + query];
    const size_t from = lo > first ? lo - first : 0, end = hi > first ? hi - first : 0;
    const size_t to = end < count ? end : count;
    int32_t meets[KMV_PAIR_KEYS] = {0};

    memset(weight, 0, count * sizeof *weight);
    for (size_t u = 0; u < l->rounds; u++) {
        const uint32_t *place = s->packed[t].place + u * l->n_k + first;
        const uint32_t least = l->lo[u * l->n_q + query], span = l->hi[u * l->n_q + query] - least;

        for (size_t j = from; j < to; j++)
            meets[j] += place[j] - least < span; /* places before it wrap around */
    }
    for (size_t j = from; j < to; j++)
        weight[j] = 1 / (float)meets[j];
}

/* One block of queries in round t; returns the entries evaluated. */
static double attend_block(state *s, size_t t, size_t block, int thread)
{
    const kmv_lsh_rounds *l = &s->rounds;
    const kmv_packed *q = &s->packed[t].q, *k = &s->packed[t].k;
    const kmv_softmax_operands o = {&s->problem, q, k, &s->values};
    const size_t first = block * q->width, left = q->n - first, lanes = k->width;
    const size_t count = left < q->width ? left : q->width, step = KMV_PAIR_KEYS / lanes;
    const size_t *row = q->index + first;
    float *weights = kmv_pair_weights(s->space, thread);
    size_t lo = SIZE_MAX, hi = 0, end;

    for (size_t i = 0; i < count; i++) {
        const size_t from = l->lo[t * l->n_q + row[i]], to = l->hi[t * l->n_q + row[i]];

        if (from < to) {
            lo = from < lo ? from : lo;
            hi = to > hi ? to : hi;
        }
    }
    if (lo >= hi)
        return 0;
    end = (hi + lanes - 1) / lanes;
    for (size_t panel = lo / lanes, take; panel < end; panel += take) {
        take = end - panel < step ? end - panel : step;
        for (size_t i = 0; i < count; i++)
            fill_weights(s, t, row[i], panel * lanes, take * lanes, weights + i * KMV_PAIR_KEYS);
        kmv_softmax_attend_pairs(&o, block, count, panel, take, s->space, thread, &s->total, row);
    }
    end = end * lanes < k->n ? end * lanes : k->n;
    return (double)count * (double)(end - lo / lanes * lanes);
}

static void attend_round(state *s, size_t t, kmv_cost *cost)
{
    const kmv_packed *q = &s->packed[t].q;
    const size_t blocks = (q->n + q->width - 1) / q->width, d = q->d, r = s->values.r;
    const double expected = 4.0 * (double)(q->n * s->rounds.chunk) * (double)(d + r);
    double pairs = 0;

#pragma omp parallel for num_threads(kmv_threads_for(expected, s->threads)) schedule(dynamic, 4) \
    reduction(+ : pairs)
    for (size_t b = 0; b < blocks; b++)
        pairs += attend_block(s, t, b, omp_get_thread_num());
    cost->pairs += pairs;
    cost->flops += 2 * pairs * (double)(d + r);
}

/* Values in the order of round t from those in the order of round 0: floats are moved where loading
 * them anew would search for their unit and round them again. */
static void order_values(state *s, size_t t)
{
    const kmv_values *from = &s->first;
    const uint32_t *place = s->packed[t].place; /* in round 0 */
    const size_t n = s->rounds.n_k, ld = from->ld, width = s->packed[t].k.width;
    const size_t padded = (n + width - 1) / width * width;

    s->values.r = from->r;
    s->values.unit = from->unit;
#pragma omp parallel for num_threads(kmv_threads_for((double)(n * ld), s->threads)) schedule(static)
    for (size_t j = 0; j < n; j++)
        memcpy(s->values.x + j * ld, from->x + place[j] * ld, ld * sizeof *from->x);
    memset(s->values.x + n * ld, 0, (padded - n) * ld * sizeof *from->x);
}

static kmv_status apply(void *state_, kmv_apply_context *context, kmv_error *err)
{
    state *s = state_;
    const size_t n_q = s->problem.q->n, r = context->r;
    size_t alone = 0;

    (void)err;
    kmv_softmax_sums_reset(&s->total, 0, n_q);
    kmv_values_load(&s->first, &s->packed[0].k, context->x, r, s->threads);
    for (size_t t = 0; t < s->rounds.rounds; t++) {
        order_values(s, t);
        attend_round(s, t, context->cost);
    }
    for (size_t i = 0; i < n_q; i++) {
        double *y = context->y + i * r;

        if (isfinite(s->total.top[i])) {
            kmv_softmax_sums_row(&s->total, i, r, s->values.unit, y);
            continue;
        }
        memcpy(y, context->x + kmv_lsh_own_key(&s->problem, i) * r, r * sizeof *y);
        alone++;
    }
    snprintf(s->text, s->text_size,
             "reformer: %zu rounds of %zu buckets, chunks of %zu keys; %zu queries met no key",
             s->rounds.rounds, s->rounds.buckets, s->rounds.chunk, alone);
    return KMV_OK;
}

const kmv_algo kmv_algo_reformer = {
    .name = "reformer",
    .summary = "softmax over the keys of the same hash bucket and chunk, several rounds",
    .guarantee = "none",
    .source = "Kitaev, Kaiser, Levskaya, ICLR 2020 (arXiv 2001.04451)",
    .flags = KMV_CAN_SOFTMAX | KMV_CAN_CAUSAL | KMV_CAN_COLUMNS | KMV_CAN_SIGNED | KMV_IS_RANDOM,
    .options = options,
    .options_size = sizeof(opts),
    .reject = reject,
    .prepare = prepare,
    .apply = apply,
    .destroy = destroy,
};

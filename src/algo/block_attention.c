/* algo/block_attention.c - see block_attention.h. */
#include "algo/block_attention.h"

#include <math.h>
#include <omp.h>
#include <string.h>

#include "base/mem.h"
#include "base/status.h"

/* ---- blocks ---------------------------------------------------------------------------------- */

static size_t whole(size_t n, size_t step)
{
    return (n + step - 1) / step * step;
}

/* start[b], slot[b] of n points in blocks, each padded to whole steps of slots. */
static void cut(size_t n, size_t blocks, size_t step, size_t *start, size_t *slot)
{
    for (size_t b = 0; b <= blocks; b++)
        start[b] = (size_t)((double)n * (double)b / (double)blocks);
    start[blocks] = n;
    slot[0] = 0;
    for (size_t b = 0; b < blocks; b++)
        slot[b + 1] = slot[b] + whole(start[b + 1] - start[b], step);
}

/* The slots of all blocks: padding repeats a block's first query, or holds no key. */
static void fill_slots(const size_t *order, const size_t *start, const size_t *slot, size_t blocks,
                       int keys, size_t *which)
{
    for (size_t b = 0; b < blocks; b++) {
        const size_t count = start[b + 1] - start[b];

        for (size_t s = 0; slot[b] + s < slot[b + 1]; s++) {
            const size_t pad = keys ? KMV_EMPTY_SLOT : order[start[b]];

            which[slot[b] + s] = s < count ? order[start[b] + s] : pad;
        }
    }
}

static kmv_status reserve(kmv_blocks *b, const kmv_tile *tile, size_t n_q, size_t n_k,
                          kmv_error *err)
{
    const size_t d = b->problem.q->d, group = kmv_softmax_group(tile);
    kmv_status st;

    if ((b->q_start = kmv_alloc(4 * (b->blocks + 1), sizeof *b->q_start, "blocks", err)) == NULL ||
        (b->key_block = kmv_alloc(n_k, sizeof *b->key_block, "blocks of keys", err)) == NULL)
        return KMV_ENOMEM;
    b->q_slot = b->q_start + b->blocks + 1;
    b->k_start = b->q_slot + b->blocks + 1;
    b->k_slot = b->k_start + b->blocks + 1;
    cut(n_q, b->blocks, group, b->q_start, b->q_slot);
    cut(n_k, b->blocks, tile->lanes, b->k_start, b->k_slot);
    b->groups = b->q_slot[b->blocks] / group;
    if ((b->group_block = kmv_alloc(b->groups, sizeof *b->group_block, "blocks of groups", err)) ==
        NULL)
        return KMV_ENOMEM;
    if ((st = kmv_packed_init(&b->q, tile, KMV_QUERIES, b->q_slot[b->blocks], d, 1, err)) != KMV_OK)
        return st;
    return kmv_packed_init(&b->k, tile, KMV_KEYS, b->k_slot[b->blocks], d, 1, err);
}

kmv_status kmv_blocks_check(const kmv_packed *q, const kmv_packed *k, const kmv_problem *problem,
                            kmv_error *err)
{
    /* NaN is caught too. */
    if (q->norm2_max <= 1e30 && k->norm2_max <= 1e30)
        return KMV_OK;
    return kmv_fail(err, KMV_ENOTSUP,
                    "sigma = %g is too small for these points: |p|^2 / sigma^2 reaches %g, want <= "
                    "1e30",
                    problem->sigma, q->norm2_max + k->norm2_max);
}

kmv_status kmv_blocks_init(kmv_blocks *out, const kmv_problem *problem, const kmv_tile *tile,
                           const size_t *q_order, size_t n_q, const size_t *k_order, size_t n_k,
                           size_t k_first, size_t block_keys, const double *centre, int threads,
                           kmv_cost *cost, kmv_error *err)
{
    const size_t group = kmv_softmax_group(tile);
    kmv_blocks b = {
        .problem = *problem, .blocks = (n_k + block_keys - 1) / block_keys, .k_first = k_first};
    size_t *which = NULL, slots_q, slots_k;
    kmv_status st;

    b.problem.causal = 0;
    if ((st = reserve(&b, tile, n_q, n_k, err)) != KMV_OK)
        goto out;
    slots_q = b.q_slot[b.blocks];
    slots_k = b.k_slot[b.blocks];
    which = kmv_alloc(slots_q > slots_k ? slots_q : slots_k, sizeof *which, "slots", err);
    if (which == NULL) {
        st = KMV_ENOMEM;
        goto out;
    }
    for (size_t i = 0; i < b.blocks; i++) {
        for (size_t g = b.q_slot[i] / group; g < b.q_slot[i + 1] / group; g++)
            b.group_block[g] = (uint32_t)i;
        for (size_t j = b.k_start[i]; j < b.k_start[i + 1]; j++)
            b.key_block[k_order[j] - k_first] = (uint32_t)i;
    }
    fill_slots(q_order, b.q_start, b.q_slot, b.blocks, 0, which);
    kmv_pack(&b.q, &b.problem, centre, which, slots_q, threads, cost);
    fill_slots(k_order, b.k_start, b.k_slot, b.blocks, 1, which);
    kmv_pack(&b.k, &b.problem, centre, which, slots_k, threads, cost);
    if ((st = kmv_blocks_check(&b.q, &b.k, problem, err)) != KMV_OK)
        goto out;
    *out = b;
    b = (kmv_blocks){0};
out:
    kmv_free(which);
    kmv_blocks_clear(&b);
    return st;
}

void kmv_blocks_clear(kmv_blocks *b)
{
    kmv_free(b->q_start); /* one block with the other three */
    kmv_free(b->group_block);
    kmv_free(b->key_block);
    kmv_packed_clear(&b->q);
    kmv_packed_clear(&b->k);
    *b = (kmv_blocks){0};
}

/* ---- room ------------------------------------------------------------------------------------ */

kmv_status kmv_block_room_init(kmv_block_room *room, const kmv_tile *tile, size_t draws, size_t r,
                               int threads, kmv_error *err)
{
    kmv_block_room out = {
        .stride = whole(draws, tile->lanes) + tile->lanes, .r = r, .threads = threads};
    kmv_status st;

    if ((st = kmv_softmax_space_create(tile, r, threads, &out.space, err)) != KMV_OK ||
        (st = kmv_softmax_sums_init(&out.sums, tile, (size_t)threads * kmv_softmax_group(tile), r,
                                    err)) != KMV_OK)
        goto out;
    out.weights =
        kmv_alloc((size_t)threads, out.stride * sizeof *out.weights, "weights of threads", err);
    if (out.weights == NULL) {
        st = KMV_ENOMEM;
        goto out;
    }
    *room = out;
    return KMV_OK;
out:
    kmv_block_room_clear(&out);
    return st;
}

void kmv_block_room_clear(kmv_block_room *room)
{
    kmv_softmax_space_destroy(room->space);
    kmv_softmax_sums_clear(&room->sums);
    kmv_free(room->weights);
    *room = (kmv_block_room){0};
}

/* ---- sums ------------------------------------------------------------------------------------ */

/* Weights of the sample for queries of one block. */
static const float *sample_weights(const kmv_block_parts *parts, size_t block, float *weights)
{
    const kmv_key_sample *s = parts->sample;
    const kmv_blocks *b = parts->blocks;

    if (parts->values == NULL)
        return s->log2_weight;
    memcpy(weights, s->log2_weight, whole(s->count, b->k.width) * sizeof *weights);
    for (size_t t = 0; t < s->count; t++) {
        if (b->key_block[s->index[t] - b->k_first] == block)
            weights[t] = -INFINITY;
    }
    return weights;
}

/* Adds one group of query slots, all of one block; returns the pairs evaluated. */
static double attend_group(const kmv_block_parts *parts, size_t g, kmv_block_room *room, int thread,
                           kmv_block_target target)
{
    const kmv_blocks *b = parts->blocks;
    const kmv_key_sample *s = parts->sample;
    const kmv_values *values = parts->values != NULL ? parts->values : &s->values;
    const size_t group = kmv_softmax_group(b->q.tile), lanes = b->k.width;
    const size_t block = b->group_block[g], row = (size_t)thread * group;
    const size_t queries = b->q_start[block + 1] - b->q_start[block];
    const size_t left = queries - (g * group - b->q_slot[block]);
    const size_t real = left < group ? left : group;
    const size_t tiles = (real + b->q.width - 1) / b->q.width;
    double pairs = 0, unused = 0; /* repeated queries would count */

    kmv_softmax_sums_reset(&room->sums, row, group);
    if (parts->values != NULL) {
        const kmv_softmax_operands o = {&b->problem, &b->q, &b->k, parts->values};
        const size_t first = b->k_slot[block];

        kmv_softmax_attend(&o, g * KMV_BLOCKS_MAX, tiles, first / lanes,
                           (b->k_slot[block + 1] - first) / lanes,
                           parts->log2_weight != NULL ? parts->log2_weight + first : NULL,
                           room->space, thread, &room->sums, row, &unused);
        pairs += (double)real * (double)(b->k_start[block + 1] - b->k_start[block]);
    }
    if (s != NULL && s->count > 0) {
        const kmv_softmax_operands o = {&b->problem, &b->q, &s->keys, &s->values};

        kmv_softmax_attend(
            &o, g * KMV_BLOCKS_MAX, tiles, 0, whole(s->count, lanes) / lanes,
            sample_weights(parts, block, room->weights + (size_t)thread * room->stride),
            room->space, thread, &room->sums, row, &unused);
        pairs += (double)real * (double)s->count;
    }
    for (size_t i = 0; i < real; i++) {
        const size_t query = b->q.index[g * group + i], r = values->r;

        if (target.total != NULL)
            kmv_softmax_sums_merge(target.total, query, &room->sums, row + i, r);
        else
            kmv_softmax_sums_row(&room->sums, row + i, r, values->unit, target.y + query * r);
    }
    return pairs;
}

void kmv_block_attend(const kmv_block_parts *parts, kmv_block_room *room, kmv_block_target target,
                      kmv_cost *cost)
{
    const kmv_blocks *b = parts->blocks;
    const size_t r = parts->values != NULL ? parts->values->r : parts->sample->values.r;
    const size_t in_block = parts->values != NULL ? b->k.n / b->blocks : 0;
    const double keys = (double)(in_block + (parts->sample != NULL ? parts->sample->count : 0));
    const double expected = 2 * (double)b->q.n * keys * (double)(b->q.d + r);
    double pairs = 0;

#pragma omp parallel for num_threads(kmv_threads_for(expected, room->threads)) \
    schedule(dynamic, 1) reduction(+ : pairs)
    for (size_t g = 0; g < b->groups; g++)
        pairs += attend_group(parts, g, room, omp_get_thread_num(), target);
    cost->pairs += pairs;
    cost->flops += 2 * pairs * (double)(b->q.d + r);
}

/* ---- values ---------------------------------------------------------------------------------- */

double kmv_values_common_unit(const double *x, size_t count)
{
    double top = 0;
    int exponent;

#pragma omp simd reduction(max : top)
    for (size_t t = 0; t < count; t++)
        top = fabs(x[t]) > top ? fabs(x[t]) : top;
    frexp(top, &exponent);
    return ldexp(1.0, exponent > -1000 ? exponent : -1000); /* 1 / unit stays finite */
}

double kmv_value_norms(const double *x, size_t first, size_t n, size_t r, double unit, double *norm)
{
    const double factor = 1 / unit;
    double sum = 0;

    for (size_t j = 0; j < n; j++) {
        const double *row = x + (first + j) * r;
        double square = 0;

#pragma omp simd reduction(+ : square)
        for (size_t c = 0; c < r; c++)
            square += (factor * row[c]) * (factor * row[c]);
        norm[j] = sqrt(square);
        sum += norm[j];
    }
    return sum;
}

void kmv_values_load_in_unit(kmv_values *v, const kmv_packed *k, const double *x, size_t r,
                             double unit, int threads)
{
    const size_t padded = whole(k->n, k->width);
    float factor;

    kmv_values_load(v, k, x, r, threads);
    if (v->unit == unit)
        return;
    factor = (float)(v->unit / unit); /* a power of two below 1 */
    for (size_t t = 0; t < padded * v->ld; t++)
        v->x[t] *= factor;
    v->unit = unit;
}

/* algo/leaf_scores.c - see leaf_scores.h. */
#include "algo/leaf_scores.h"

#include <math.h>
#include <omp.h>
#include <string.h>

#include "base/mem.h"
#include "gauss/pack.h"

enum {
    WIDE = 16,         /* what tiles want rows to be multiples of */
    SOFTMAX_STRIDE = 2 /* softmax: one row in so many is scored */
};

void kmv_leaf_scores_clear(kmv_leaf_scores *s)
{
    kmv_free(s->share);
    kmv_free(s->top);
    *s = (kmv_leaf_scores){0};
}

/* Whether one query head ends within the rows and another begins: then some row sees all keys, and
 * some row sees as few as the first of all. */
static int holds_border(const kmv_problem *problem, size_t first, size_t last)
{
    const size_t n_q = problem->q->n, length = n_q / kmv_problem_heads(problem);

    return problem->heads > 1 && first / length != (last < n_q ? last : n_q - 1) / length;
}

size_t kmv_leaf_scores_visible(const kmv_leaf_scores *s, const kmv_problem *problem,
                               const kmv_leaf_set *queries, const kmv_leaf_set *keys, size_t block)
{
    const size_t first = block * queries->each, last = first + queries->each - 1;
    const size_t seen =
        holds_border(problem, first, last) ? problem->k->n : kmv_leaf_seen(problem, last);
    const size_t leaves = (seen + keys->each - 1) / keys->each;

    return leaves < s->leaves ? leaves : s->leaves;
}

size_t kmv_leaf_scores_partial(const kmv_problem *problem, const kmv_leaf_set *queries,
                               const kmv_leaf_set *keys, size_t block)
{
    const size_t first = block * queries->each, last = first + queries->each - 1;

    if (!problem->causal)
        return keys->count;
    return kmv_leaf_seen(problem, holds_border(problem, first, last) ? 0 : first) / keys->each;
}

/* Means of leaves, in stored coordinates. */
static kmv_status centroids(const kmv_points *k, const kmv_leaf_set *keys, int threads,
                            kmv_points *out, kmv_error *err)
{
    kmv_status st = kmv_points_init(out, keys->count, k->d, err);

    if (st != KMV_OK)
        return st;
#pragma omp parallel for num_threads(kmv_threads_for(4.0 * (double)(k->n * k->d), threads))        \
    schedule(static)
    for (size_t m = 0; m < keys->count; m++) {
        const size_t first = m * keys->each;
        const size_t count = k->n - first < keys->each ? k->n - first : keys->each;
        float *mean = out->x + m * out->ld;

        for (size_t j = first; j < first + count; j++) {
            for (size_t l = 0; l < k->ld; l++)
                mean[l] += k->x[j * k->ld + l];
        }
        for (size_t l = 0; l < k->ld; l++)
            mean[l] /= (float)count;
    }
    return KMV_OK;
}

/* The rows of a block are alike, and shares of half of them choose leaves as well
 * (docs/attention.md). Masses of gauss, relative to 1, are each row's own. */
static size_t scored_stride(const kmv_problem *problem)
{
    return problem->matrix == KMV_SOFTMAX ? SOFTMAX_STRIDE : 1;
}

/* What is scored: `stride` blocks of queries in one of scored rows. */
typedef struct {
    const kmv_problem *problem;
    const kmv_leaf_set *queries, *keys, *rows, *centres;
    size_t stride;
} scoring;

/* Add a scored row to the shares of its block. slot: among the scored; an empty one only gets its
 * top. */
static void score_row(const scoring *x, size_t slot, size_t n, float *row, kmv_leaf_scores *s)
{
    const size_t first = slot * x->stride, block = first / x->queries->each;
    const size_t seen =
        (kmv_leaf_seen(x->problem, kmv_leaf_row(x->rows, slot)) + x->keys->each - 1) /
        x->keys->each;
    const size_t each = x->queries->each / x->stride, left = x->rows->n - slot / each * each;
    const float root = sqrtf((float)(left < each ? left : each));
    float sum, top;

    for (size_t l = seen; l < n; l++)
        row[l] = -INFINITY;
    sum = x->keys->unit.tile->soften(row, n, &top);
    if (x->problem->matrix == KMV_GAUSS) /* masses themselves, of whole leaves */
        sum = exp2f(-top) / (float)x->keys->each;
    if (slot < x->rows->n)
        x->keys->unit.tile->add_squares(row, 1 / (sum * root), n, s->share + block * s->ld);
    for (size_t i = 0; i < x->stride; i++)
        s->top[first + i] = top;
}

/* All blocks of queries whose scored rows stand in one block of these. */
static void score_block(const scoring *x, size_t block, float *e, kmv_leaf_scores *s)
{
    const kmv_attend_unit *u = &x->queries->unit;
    const size_t first = block * x->stride, left = s->blocks - first;
    const size_t blocks = left < x->stride ? left : x->stride;
    const size_t visible =
        kmv_leaf_scores_visible(s, x->problem, x->queries, x->keys, first + blocks - 1);
    const size_t whole = (visible + u->keys - 1) / u->keys, n = whole * u->keys;

    u->exponents(u, x->rows->data + block * x->rows->size, x->rows->offset + block * u->rows,
                 x->centres->data, x->centres->offset, whole, x->rows->d, x->rows->parts, e, s->ld);
    for (size_t i = 0; i < blocks * u->rows / x->stride; i++)
        score_row(x, block * u->rows + i, n, e + i * s->ld, s);
    for (size_t b = first; b < first + blocks; b++) {
        for (size_t l = 0; l < n; l++)
            s->share[b * s->ld + l] = sqrtf(s->share[b * s->ld + l]);
    }
}

/* The rows to be scored, in the middle of each `stride`. Beyond the end the last one is repeated.
 */
static kmv_status pack_rows(scoring *x, const kmv_leaf_frame *frame, size_t blocks, size_t **which,
                            kmv_leaf_set *rows, int threads, kmv_cost *cost, kmv_error *err)
{
    const kmv_attend_unit *u = &x->queries->unit;
    const size_t n = blocks * u->rows / x->stride;
    kmv_status st;

    if ((*which = kmv_alloc_raw(n, sizeof **which, "scored rows", err)) == NULL)
        return KMV_ENOMEM;
    if ((st = kmv_leaf_set_init(rows, u, 0, x->queries->parts, n, x->queries->d, err)) != KMV_OK)
        return st;
    for (size_t m = 0; m < n; m++)
        (*which)[m] = kmv_leaf_row(x->queries, m * x->stride + x->stride / 2);
    kmv_leaf_set_pack(rows, frame, x->problem->q, *which, n, threads, cost);
    return KMV_OK;
}

kmv_status kmv_leaf_scores_create(kmv_leaf_scores *s, const kmv_problem *problem,
                                  const kmv_leaf_frame *frame, const kmv_leaf_set *queries,
                                  const kmv_leaf_set *keys, int threads, kmv_cost *cost,
                                  kmv_error *err)
{
    const kmv_attend_unit *u = &queries->unit;
    kmv_leaf_scores out = {.blocks = queries->count, .leaves = keys->count};
    kmv_points centre = {0};
    kmv_leaf_set centres = {0}, rows = {0};
    scoring x = {.problem = problem,
                 .queries = queries,
                 .keys = keys,
                 .rows = queries,
                 .centres = &centres,
                 .stride = scored_stride(problem)};
    size_t *which = NULL;
    float *room = NULL;
    kmv_status st;

    /* Rows of whole leaves of centroids, and of whole vectors; one more, or the rows of a block
     * would meet in one set of the cache. */
    out.ld = kmv_round_up((keys->count + u->keys - 1) / u->keys * u->keys, WIDE) + WIDE;
    if ((st = centroids(problem->k, keys, threads, &centre, err)) != KMV_OK ||
        (st = kmv_leaf_set_init(&centres, u, 1, keys->parts, keys->count, keys->d, err)) != KMV_OK)
        goto out;
    st = KMV_ENOMEM;
    if ((out.share = kmv_alloc(out.blocks * out.ld, sizeof(float), "shares of leaves", err)) ==
            NULL ||
        (out.top = kmv_alloc(out.blocks * u->rows, sizeof(float), "row exponents", err)) == NULL ||
        (room = kmv_alloc((size_t)threads * u->rows * out.ld, sizeof(float), "room for scores",
                          err)) == NULL)
        goto out;
    kmv_leaf_set_pack(&centres, frame, &centre, NULL, keys->count, threads, cost);
    if (x.stride > 1) {
        if ((st = pack_rows(&x, frame, out.blocks, &which, &rows, threads, cost, err)) != KMV_OK)
            goto out;
        x.rows = &rows;
    }
#pragma omp parallel for num_threads(threads) schedule(dynamic, 1)
    for (size_t b = 0; b < x.rows->count; b++)
        score_block(&x, b, room + (size_t)omp_get_thread_num() * u->rows * out.ld, &out);
    cost->flops += 2.0 * (double)x.rows->n * (double)keys->count * (double)(keys->d + 2);
    *s = out;
    out = (kmv_leaf_scores){0};
    st = KMV_OK;
out:
    kmv_free(room);
    kmv_free(which);
    kmv_leaf_scores_clear(&out);
    kmv_leaf_set_clear(&rows);
    kmv_leaf_set_clear(&centres);
    kmv_points_clear(&centre);
    return st;
}

/* algo/leaf_scores.c - see leaf_scores.h. */
#include "algo/leaf_scores.h"

#include <math.h>
#include <omp.h>
#include <string.h>

#include "base/mem.h"
#include "gauss/pack.h"

enum { WIDE = 16 }; /* what tiles want rows to be multiples of */

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

static void score_block(kmv_leaf_scores *s, const kmv_problem *problem, const kmv_leaf_set *queries,
                        const kmv_leaf_set *keys, const kmv_leaf_set *centres, size_t block,
                        float *e)
{
    const kmv_attend_unit *u = &queries->unit;
    const size_t first = block * u->rows, left = queries->n - first;
    const size_t rows = left < u->rows ? left : u->rows;
    const size_t visible = kmv_leaf_scores_visible(s, problem, queries, keys, block);
    const size_t whole = (visible + u->keys - 1) / u->keys, n = whole * u->keys;
    const float root = sqrtf((float)rows);
    float *share = s->share + block * s->ld, sum;

    u->exponents(u, queries->data + block * queries->size, queries->offset + first, centres->data,
                 centres->offset, whole, queries->d, queries->parts, e, s->ld);
    for (size_t i = 0; i < u->rows; i++) {
        const size_t seen = (kmv_leaf_seen(problem, first + i) + keys->each - 1) / keys->each;
        float *row = e + i * s->ld;

        for (size_t l = seen; l < n; l++)
            row[l] = -INFINITY;
        sum = u->tile->soften(row, n, &s->top[first + i]);
        if (problem->matrix == KMV_GAUSS) /* masses themselves, of whole leaves */
            sum = exp2f(-s->top[first + i]) / (float)keys->each;
        if (i < rows)
            u->tile->add_squares(row, 1 / (sum * root), n, share);
    }
    for (size_t l = 0; l < n; l++)
        share[l] = sqrtf(share[l]);
}

kmv_status kmv_leaf_scores_create(kmv_leaf_scores *s, const kmv_problem *problem,
                                  const kmv_leaf_frame *frame, const kmv_leaf_set *queries,
                                  const kmv_leaf_set *keys, int threads, kmv_cost *cost,
                                  kmv_error *err)
{
    const kmv_attend_unit *u = &queries->unit;
    kmv_leaf_scores out = {.blocks = queries->count, .leaves = keys->count};
    kmv_points centre = {0};
    kmv_leaf_set centres = {0};
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
#pragma omp parallel for num_threads(threads) schedule(dynamic, 4)
    for (size_t b = 0; b < out.blocks; b++)
        score_block(&out, problem, queries, keys, &centres, b,
                    room + (size_t)omp_get_thread_num() * u->rows * out.ld);
    cost->flops += 2.0 * (double)queries->n * (double)keys->count * (double)(keys->d + 2);
    *s = out;
    out = (kmv_leaf_scores){0};
    st = KMV_OK;
out:
    kmv_free(room);
    kmv_leaf_scores_clear(&out);
    kmv_leaf_set_clear(&centres);
    kmv_points_clear(&centre);
    return st;
}

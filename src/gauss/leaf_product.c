/* gauss/leaf_product.c - see leaf_product.h. */
#include "gauss/leaf_product.h"

#include <math.h>
#include <omp.h>
#include <stdio.h>

#include "base/mem.h"
#include "gauss/pack.h"
#include "gauss/softmax.h"

/* Keys and values of a chunk stay in L2 while all blocks pass. */
enum { CHUNK_BYTES = 5 << 18 };

struct kmv_leaf_product {
    const kmv_problem *problem;
    int threads;
    kmv_leaf_frame frame;
    kmv_leaf_set queries, keys;
    kmv_leaf_values values;
    kmv_softmax_sums sums;
    kmv_leaf_sums *rooms;
    uint32_t *list; /* 0, 1, 2, ... */
    double *mean;   /* r: of the values */
};

void kmv_leaf_product_destroy(kmv_leaf_product *p)
{
    if (p == NULL)
        return;
    for (int t = 0; p->rooms != NULL && t < p->threads; t++)
        kmv_leaf_sums_clear(&p->rooms[t]);
    kmv_free(p->rooms);
    kmv_free(p->list);
    kmv_free(p->mean);
    kmv_softmax_sums_clear(&p->sums);
    kmv_leaf_values_clear(&p->values);
    kmv_leaf_set_clear(&p->keys);
    kmv_leaf_set_clear(&p->queries);
    kmv_leaf_frame_clear(&p->frame);
    kmv_free(p);
}

static kmv_status make_rooms(kmv_leaf_product *p, size_t r, kmv_error *err)
{
    const size_t leaves = p->keys.capacity / p->keys.each;
    kmv_status st;

    if ((p->rooms = kmv_alloc((size_t)p->threads, sizeof *p->rooms, "room of threads", err)) ==
            NULL ||
        (p->list = kmv_alloc(leaves, sizeof *p->list, "list of leaves", err)) == NULL ||
        (p->mean = kmv_alloc(r, sizeof *p->mean, "mean of values", err)) == NULL)
        return KMV_ENOMEM;
    for (size_t l = 0; l < leaves; l++)
        p->list[l] = (uint32_t)l;
    for (int t = 0; t < p->threads; t++) {
        if ((st = kmv_leaf_sums_init(&p->rooms[t], &p->queries.unit, p->values.ld, err)) != KMV_OK)
            return st;
    }
    return KMV_OK;
}

kmv_status kmv_leaf_product_create(const kmv_problem *problem, const kmv_tile *tile, int parts,
                                   size_t rows, size_t r, int threads, kmv_leaf_product **out,
                                   kmv_cost *cost, kmv_error *err)
{
    const size_t n_k = problem->k->n, d = problem->q->d;
    const kmv_attend_unit unit = kmv_attend_unit_of(tile, d);
    kmv_leaf_product *p = kmv_alloc(1, sizeof *p, "exact attention", err);
    kmv_status st;

    if (p == NULL)
        return KMV_ENOMEM;
    p->problem = problem;
    p->threads = threads;
    if ((st = kmv_leaf_frame_init(&p->frame, problem, err)) != KMV_OK ||
        (st = kmv_leaf_set_init(&p->queries, &unit, 0, parts, rows, d, err)) != KMV_OK ||
        (st = kmv_leaf_set_init(&p->keys, &unit, 1, parts, n_k, d, err)) != KMV_OK ||
        (st = kmv_leaf_values_init(&p->values, &unit, parts, n_k, r, err)) != KMV_OK ||
        (st = kmv_softmax_sums_init(&p->sums, tile, p->queries.capacity, r, err)) != KMV_OK ||
        (st = make_rooms(p, r, err)) != KMV_OK) {
        kmv_leaf_product_destroy(p);
        return st;
    }
    kmv_leaf_set_pack(&p->keys, &p->frame, problem->k, NULL, n_k, threads, cost);
    *out = p;
    return KMV_OK;
}

void kmv_leaf_product_queries(kmv_leaf_product *p, const size_t *which, size_t n, kmv_cost *cost)
{
    kmv_leaf_set_pack(&p->queries, &p->frame, p->problem->q, which, n, p->threads, cost);
}

void kmv_leaf_product_describe(const kmv_leaf_product *p, char *text, size_t size)
{
    const kmv_attend_unit *u = &p->queries.unit;
    const int used = snprintf(text, size, "exact: all pairs, %s, %zu queries x %zu keys",
                              u->tile->name, u->rows, u->keys);

    if (u->rounds && used > 0 && (size_t)used < size)
        snprintf(text + used, size - (size_t)used,
                 ", %d bfloat16 parts a number on the matrix unit", p->keys.parts);
}

/* The block's sums over leaves first .. end - 1. Exponents are taken relative to the largest of the
 * first leaf's, of those that the row sees. */
static double attend(kmv_leaf_product *p, size_t block, size_t first, size_t end, size_t r,
                     kmv_leaf_sums *room)
{
    const kmv_attend_unit *u = &p->queries.unit;
    const size_t row = block * u->rows;
    size_t seen_most = 0, seen[KMV_ATTEND_ROWS_MAX];
    kmv_leaf_visit visit = {.keys = &p->keys,
                            .values = &p->values,
                            .list = p->list + first,
                            .masked = p->problem->causal};
    double pairs;

    for (size_t i = 0; i < u->rows; i++) {
        seen[i] = kmv_leaf_seen(p->problem, kmv_leaf_row(&p->queries, row + i));
        seen_most = seen[i] > seen_most ? seen[i] : seen_most;
    }
    end = end * u->keys < seen_most ? end : (seen_most + u->keys - 1) / u->keys;
    if (end <= first)
        return 0;
    visit.count = end - first;
    u->exponents(u, p->queries.data + block * p->queries.size, p->queries.offset + row,
                 p->keys.data + first * p->keys.size, p->keys.offset + first * u->keys, 1,
                 p->keys.d, p->keys.parts, room->e, u->keys);
    for (size_t i = 0; i < u->rows; i++) {
        float top = -INFINITY;

        for (size_t j = 0; j < u->keys && first * u->keys + j < seen[i]; j++)
            top = room->e[i * u->keys + j] > top ? room->e[i * u->keys + j] : top;
        room->top[i] = isfinite(top) ? ceilf(top) : 0;
    }
    pairs = kmv_leaf_block(p->problem, &p->queries, block, &visit, 1, room);
    for (size_t i = 0; i < u->rows; i++) {
        if (!(room->sum[i] == 0)) /* rows that see none of these keys; NaN goes on */
            kmv_softmax_sums_add(&p->sums, row + i, room->top[i], room->sum[i],
                                 room->part + i * room->ld, r);
    }
    return pairs;
}

int kmv_leaf_product_apply(kmv_leaf_product *p, const double *x, size_t r, double *y,
                           kmv_cost *cost)
{
    const size_t n_q = p->queries.n, blocks = p->queries.count;
    const size_t fit = CHUNK_BYTES / (p->keys.size + p->values.size), step = fit > 0 ? fit : 1;
    double unit, pairs = 0;
    int good = 1;

    kmv_leaf_values_mean(x, p->problem->k->n, r, p->mean);
    kmv_leaf_values_take(&p->values, x, r, p->problem->k->n, p->mean, p->threads, &unit);
    kmv_softmax_sums_reset(&p->sums, 0, p->queries.capacity);
#pragma omp parallel num_threads(p->threads) reduction(+ : pairs) reduction(min : good)
    {
        kmv_leaf_sums *room = p->rooms + omp_get_thread_num();

        for (size_t first = 0; first < p->keys.count; first += step) {
            const size_t left = p->keys.count - first, end = first + (left < step ? left : step);

#pragma omp for schedule(dynamic, 1)
            for (size_t b = 0; b < blocks; b++) /* causal: the long rows first */
                pairs += attend(p, blocks - 1 - b, first, end, r, room);
        }
#pragma omp for schedule(static)
        for (size_t i = 0; i < n_q; i++) {
            good &= isfinite(p->sums.sum[i]) && p->sums.sum[i] > 0 &&
                    fabsf(p->sums.top[i]) <= KMV_SOFTMAX_EXPONENT_MAX;
            kmv_softmax_sums_row(&p->sums, i, r, unit, y + i * r);
            for (size_t c = 0; c < r; c++)
                y[i * r + c] += p->mean[c];
        }
    }
    cost->pairs += pairs;
    cost->flops += 2 * pairs * (double)(p->problem->q->d + r);
    return good;
}

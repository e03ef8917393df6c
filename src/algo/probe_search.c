/* algo/probe_search.c - see probe_search.h. */
#include "algo/probe_search.h"

#include <omp.h>

#include "base/mem.h"
#include "base/status.h"

typedef struct {
    kmv_visit_space *space;
    kmv_visit_counts counts;
    kmv_status status;
    kmv_error err;
} search_room;

kmv_status kmv_probe_search(const kmv_visit *v, int threads, uint64_t *word, float *margin2,
                            uint32_t *order, kmv_heavy_chunk *chunks, kmv_visit_counts *counts,
                            kmv_cost *cost, kmv_error *err)
{
    const size_t n_q = v->problem->q->n, d = v->problem->k->d;
    search_room *room = kmv_alloc((size_t)threads, sizeof *room, "rooms of threads", err);
    kmv_visit_counts sum = {0};
    kmv_status st = KMV_OK;

    if (room == NULL)
        return KMV_ENOMEM;
    for (size_t t = 0; t < (size_t)threads; t++) {
        if ((st = kmv_visit_space_create(v, &room[t].space, err)) != KMV_OK)
            goto out;
    }
#pragma omp parallel for num_threads(threads) schedule(static)
    for (size_t first = 0; first < n_q; first += KMV_VISIT_QUERIES)
        kmv_visit_sketch(v, first,
                         n_q - first < KMV_VISIT_QUERIES ? n_q - first : KMV_VISIT_QUERIES,
                         room[omp_get_thread_num()].space, word, margin2);
    if ((st = kmv_visit_order(v, word, order, err)) != KMV_OK)
        goto out;
#pragma omp parallel for num_threads(threads) schedule(dynamic, 1)
    for (size_t first = 0; first < n_q; first += KMV_VISIT_QUERIES) {
        search_room *mine = &room[omp_get_thread_num()];
        const size_t left = n_q - first;

        if (mine->status == KMV_OK)
            mine->status = kmv_visit_rows(
                v, order + first, left < KMV_VISIT_QUERIES ? left : KMV_VISIT_QUERIES, mine->space,
                word, margin2, &chunks[first / KMV_VISIT_QUERIES], &mine->counts, &mine->err);
    }
    for (size_t t = 0; t < (size_t)threads; t++) {
        if (room[t].status != KMV_OK) {
            st = kmv_fail(err, room[t].status, "%s", room[t].err.text);
            goto out;
        }
        sum.cells += room[t].counts.cells;
        sum.scanned += room[t].counts.scanned;
        sum.evaluated += room[t].counts.evaluated;
        sum.kept += room[t].counts.kept;
    }
    cost->pairs += sum.evaluated;
    /* A comparison of sketches counts as 2, like a multiply-add of one word. */
    cost->flops += sum.evaluated * 3 * (double)d + sum.scanned * 2 +
                   (double)n_q * KMV_SKETCH_BITS * 2 * (double)d;
    *counts = sum;
out:
    for (size_t t = 0; t < (size_t)threads; t++)
        kmv_visit_space_destroy(room[t].space);
    kmv_free(room);
    return st;
}

size_t kmv_probe_chunks(size_t rows)
{
    return (rows + KMV_VISIT_QUERIES - 1) / KMV_VISIT_QUERIES;
}

void kmv_probe_free_chunks(kmv_heavy_chunk *chunk, size_t count)
{
    for (size_t c = 0; c < count && chunk != NULL; c++)
        kmv_heavy_chunk_clear(&chunk[c]);
    kmv_free(chunk);
}

kmv_visit kmv_probe_visit(const kmv_probe *p)
{
    return (kmv_visit){.problem = &p->problem,
                       .tile = p->tile,
                       .sketcher = &p->sketcher,
                       .partition = &p->partition,
                       .rule = p->rule};
}

kmv_status kmv_probe_search_all(kmv_probe *p, kmv_cost *cost, kmv_error *err)
{
    const kmv_visit v = kmv_probe_visit(p);
    const size_t n_q = p->problem.q->n;
    float *margin2 =
        kmv_alloc_raw(n_q, KMV_CELL_BITS_MAX * sizeof *margin2, "margins of queries", err);
    uint32_t *order = kmv_alloc_raw(n_q, sizeof *order, "order of queries", err);
    kmv_status st = KMV_ENOMEM;

    p->chunks = kmv_probe_chunks(n_q);
    if (margin2 == NULL || order == NULL ||
        (p->place = kmv_alloc_raw(n_q, sizeof *p->place, "order of queries", err)) == NULL ||
        (p->heavy = kmv_alloc(p->chunks, sizeof *p->heavy, "heavy entries", err)) == NULL ||
        (st = kmv_probe_search(&v, p->threads, p->word_q, margin2, order, p->heavy, &p->counts,
                               cost, err)) != KMV_OK)
        goto out;
    for (size_t t = 0; t < n_q; t++)
        p->place[order[t]] = (uint32_t)t;
out:
    kmv_free(margin2);
    kmv_free(order);
    return st;
}

/* algo/visit.c - see visit.h. */
#include "algo/visit.h"

#include <string.h>

#include "base/mem.h"

enum {
    PAIRS = 4096, /* evaluated at once */
    AHEAD = 12    /* pairs whose key is fetched beforehand */
};

static const double LOG2_E = 1.44269504088896340736;

struct kmv_visit_space {
    float *e, *shift, *value, *cost;
    uint32_t *hits, *row, *place, *key, *cell; /* place: of the row in its chunk */
    size_t pairs;
};

void kmv_visit_space_destroy(kmv_visit_space *space)
{
    if (space == NULL)
        return;
    kmv_free(space->e);
    kmv_free(space->shift);
    kmv_free(space->value);
    kmv_free(space->cost);
    kmv_free(space->hits);
    kmv_free(space->row);
    kmv_free(space->place);
    kmv_free(space->key);
    kmv_free(space->cell);
    kmv_free(space);
}

kmv_status kmv_visit_space_create(const kmv_visit *v, kmv_visit_space **out, kmv_error *err)
{
    kmv_visit_space *s = kmv_alloc(1, sizeof *s, "room of a search", err);

    if (s == NULL)
        return KMV_ENOMEM;
    if ((s->e = kmv_alloc(KMV_SKETCH_AT_ONCE * KMV_SKETCH_BITS, sizeof(float), "projections",
                          err)) == NULL ||
        (s->shift = kmv_alloc(v->problem->k->ld, sizeof(float), "shift", err)) == NULL ||
        (s->value = kmv_alloc(PAIRS, sizeof(float), "entries", err)) == NULL ||
        (s->cost = kmv_alloc(KMV_VISIT_CELLS_MAX, sizeof(float), "cells", err)) == NULL ||
        (s->cell = kmv_alloc(KMV_VISIT_CELLS_MAX, sizeof(uint32_t), "cells", err)) == NULL ||
        (s->hits = kmv_alloc(PAIRS, sizeof(uint32_t), "hits", err)) == NULL ||
        (s->row = kmv_alloc(PAIRS, sizeof(uint32_t), "pairs", err)) == NULL ||
        (s->place = kmv_alloc(PAIRS, sizeof(uint32_t), "pairs", err)) == NULL ||
        (s->key = kmv_alloc(PAIRS, sizeof(uint32_t), "pairs", err)) == NULL) {
        kmv_visit_space_destroy(s);
        return KMV_ENOMEM;
    }
    kmv_visit_shift(v->problem, s->shift);
    *out = s;
    return KMV_OK;
}

void kmv_heavy_chunk_clear(kmv_heavy_chunk *chunk)
{
    kmv_free(chunk->key);
    kmv_free(chunk->value);
    *chunk = (kmv_heavy_chunk){0};
}

int kmv_heavy_chunk_has(const kmv_heavy_chunk *chunk, size_t row, uint32_t key)
{
    for (uint32_t t = chunk->start[row]; t < chunk->start[row + 1]; t++) {
        if (chunk->key[t] == key)
            return 1;
    }
    return 0;
}

void kmv_visit_shift(const kmv_problem *problem, float *shift)
{
    const kmv_points *q = problem->q, *k = problem->k;

    for (size_t l = 0; l < q->d; l++)
        shift[l] = (float)((q->origin != NULL ? q->origin[l] : 0) -
                           (k->origin != NULL ? k->origin[l] : 0));
}

void kmv_visit_entries(const kmv_visit *v, const float *shift, const uint32_t *row,
                       const uint32_t *key, size_t count, float *value)
{
    const double sigma = v->problem->sigma;
    const float scale = (float)(-LOG2_E / 2 / (sigma * sigma));
    const kmv_points *q = v->problem->q, *k = v->problem->k;

    for (size_t t = 0; t < count; t++) {
        if (t + AHEAD < count) {
            const char *next_k = (const char *)(k->x + key[t + AHEAD] * k->ld);
            const char *next_q = (const char *)(q->x + row[t + AHEAD] * q->ld);

            for (size_t b = 0; b < k->ld * sizeof(float); b += KMV_ALIGN) {
                __builtin_prefetch(next_k + b);
                __builtin_prefetch(next_q + b);
            }
        }
        value[t] = scale * v->sketcher->isa->distance2(q->x + row[t] * q->ld, k->x + key[t] * k->ld,
                                                       shift, k->ld);
    }
    v->tile->exp2(value, count);
}

uint64_t kmv_visit_word(const kmv_sketcher *s, const kmv_partition *p, const float *e,
                        float *margin2)
{
    memset(margin2, 0, KMV_CELL_BITS_MAX * sizeof *margin2);
    for (size_t b = 0; b < p->bits; b++) {
        const float margin = e[p->bit[b]] - s->threshold_q[p->bit[b]];

        margin2[b] = margin * margin;
    }
    return s->isa->signs(e, s->threshold_q);
}

static kmv_status reserve(kmv_heavy_chunk *c, size_t more, kmv_error *err)
{
    size_t room = c->room > 0 ? c->room : KMV_VISIT_QUERIES;
    uint32_t *key = NULL;
    float *value = NULL;

    if (c->count + more <= c->room)
        return KMV_OK;
    while (room < c->count + more)
        room += room / 2;
    if ((key = kmv_alloc(room, sizeof *key, "heavy entries", err)) == NULL ||
        (value = kmv_alloc(room, sizeof *value, "heavy entries", err)) == NULL) {
        kmv_free(key);
        return KMV_ENOMEM;
    }
    if (c->count > 0) {
        memcpy(key, c->key, c->count * sizeof *key);
        memcpy(value, c->value, c->count * sizeof *value);
    }
    kmv_free(c->key);
    kmv_free(c->value);
    c->key = key;
    c->value = value;
    c->room = room;
    return KMV_OK;
}

/* Evaluate the pairs gathered so far and keep what exceeds tau; start[i + 1] counts row i's. */
static kmv_status flush(const kmv_visit *v, kmv_visit_space *s, kmv_heavy_chunk *chunk,
                        kmv_visit_counts *counts, kmv_error *err)
{
    kmv_status st;

    if ((st = reserve(chunk, s->pairs, err)) != KMV_OK)
        return st;
    kmv_visit_entries(v, s->shift, s->row, s->key, s->pairs, s->value);
    for (size_t t = 0; t < s->pairs; t++) {
        if (!(s->value[t] > v->rule.tau))
            continue;
        chunk->key[chunk->count] = s->key[t];
        chunk->value[chunk->count++] = s->value[t];
        chunk->start[s->place[t] + 1]++;
    }
    counts->evaluated += (double)s->pairs;
    s->pairs = 0;
    return KMV_OK;
}

typedef struct {
    uint32_t row, place;
    uint64_t word;
} query;

/* The hits of one row, slots of the partition, join the pairs to be evaluated. */
static void take_hits(const kmv_partition *p, const query *q, size_t found, kmv_visit_space *s)
{
    for (size_t h = 0; h < found; h++) {
        s->row[s->pairs] = q->row;
        s->place[s->pairs] = q->place;
        s->key[s->pairs++] = p->key[s->hits[h]];
    }
}

/* A cell of any size, some keys at a time. */
static kmv_status search_slices(const kmv_visit *v, const query *q, uint32_t cell,
                                kmv_visit_space *s, kmv_heavy_chunk *chunk,
                                kmv_visit_counts *counts, kmv_error *err)
{
    const kmv_partition *p = v->partition;
    const size_t end = p->start[cell + 1];

    for (size_t at = p->start[cell]; at < end; at += PAIRS) {
        const size_t count = end - at < PAIRS ? end - at : PAIRS;
        const size_t found = v->sketcher->isa->scan(p->word + at, count, q->word,
                                                    v->rule.bits_apart, (uint32_t)at, s->hits);
        kmv_status st;

        take_hits(p, q, found, s);
        counts->scanned += (double)count;
        if ((st = flush(v, s, chunk, counts, err)) != KMV_OK)
            return st;
    }
    return KMV_OK;
}

static kmv_status search(const kmv_visit *v, const query *q, const float *margin2,
                         kmv_visit_space *s, kmv_heavy_chunk *chunk, kmv_visit_counts *counts,
                         kmv_error *err)
{
    const kmv_partition *p = v->partition;
    const size_t cells = kmv_partition_near(p, kmv_partition_cell(p, q->word), margin2,
                                            v->rule.radius, KMV_VISIT_CELLS_MAX, s->cell, s->cost);
    kmv_status st;

    for (size_t c = 0; c < cells;) {
        kmv_sketch_found found;
        const size_t done =
            v->sketcher->isa->scan_cells(p->word, p->start, s->cell + c, cells - c, q->word,
                                         v->rule.bits_apart, s->hits, PAIRS - s->pairs, &found);

        take_hits(p, q, found.hits, s);
        counts->scanned += (double)found.words;
        c += done;
        if (c == cells)
            break;
        if (done == 0 && s->pairs == 0) /* more keys in a cell than there is room for */
            st = search_slices(v, q, s->cell[c++], s, chunk, counts, err);
        else
            st = flush(v, s, chunk, counts, err);
        if (st != KMV_OK)
            return st;
    }
    counts->cells += (double)cells;
    return KMV_OK;
}

void kmv_visit_sketch(const kmv_visit *v, size_t first, size_t n, kmv_visit_space *s,
                      uint64_t *word, float *margin2)
{
    const kmv_points *q = v->problem->q;

    for (size_t i = 0; i < n; i++) {
        const size_t at = i % KMV_SKETCH_AT_ONCE, left = n - i, row = first + i;

        if (at == 0)
            v->sketcher->isa->project(q->x + row * q->ld, q->ld,
                                      left < KMV_SKETCH_AT_ONCE ? left : KMV_SKETCH_AT_ONCE,
                                      v->sketcher->across, v->sketcher->d, s->e);
        word[row] = kmv_visit_word(v->sketcher, v->partition, s->e + at * KMV_SKETCH_BITS,
                                   margin2 + row * KMV_CELL_BITS_MAX);
    }
}

kmv_status kmv_visit_order(const kmv_visit *v, const uint64_t *word, uint32_t *order,
                           kmv_error *err)
{
    const size_t n = v->problem->q->n, cells = v->partition->cells;
    uint32_t *end = kmv_alloc(cells, sizeof *end, "cells of queries", err);

    if (end == NULL)
        return KMV_ENOMEM;
    for (size_t i = 0; i < n; i++)
        end[kmv_partition_cell(v->partition, word[i])]++;
    for (size_t c = 1; c < cells; c++)
        end[c] += end[c - 1];
    for (size_t i = n; i-- > 0;)
        order[--end[kmv_partition_cell(v->partition, word[i])]] = (uint32_t)i;
    kmv_free(end);
    return KMV_OK;
}

kmv_status kmv_visit_rows(const kmv_visit *v, const uint32_t *row, size_t n, kmv_visit_space *s,
                          const uint64_t *word, const float *margin2, kmv_heavy_chunk *chunk,
                          kmv_visit_counts *counts, kmv_error *err)
{
    kmv_status st;

    memset(chunk->start, 0, sizeof chunk->start);
    s->pairs = 0;
    for (size_t i = 0; i < n; i++) {
        if (i + AHEAD < n) {
            __builtin_prefetch(margin2 + (size_t)row[i + AHEAD] * KMV_CELL_BITS_MAX);
            __builtin_prefetch(word + row[i + AHEAD]);
        }
        const query q = {.row = row[i], .place = (uint32_t)i, .word = word[row[i]]};

        if ((st = search(v, &q, margin2 + (size_t)row[i] * KMV_CELL_BITS_MAX, s, chunk, counts,
                         err)) != KMV_OK)
            return st;
    }
    if ((st = flush(v, s, chunk, counts, err)) != KMV_OK)
        return st;
    for (size_t i = 0; i < KMV_VISIT_QUERIES; i++)
        chunk->start[i + 1] += chunk->start[i];
    counts->kept += (double)chunk->count;
    return KMV_OK;
}

/* algo/paper_heavy.c - see paper_heavy.h. */
#include "algo/paper_heavy.h"

#include <math.h>
#include <omp.h>
#include <string.h>

#include "algo/euclid_hash.h"
#include "base/mem.h"
#include "base/rng.h"

enum { CHUNK = 128 }; /* queries that share one pool: the same for any number of threads */
#define NONE UINT32_MAX

/* Found pairs are lists through the pool of their chunk, so that a pair that shares several cells
 * is evaluated and kept once. */
typedef struct {
    uint32_t key, next;
    float value;
} node;

typedef struct {
    const kmv_scaled *q, *k;
    kmv_euclid_hash hash;
    kmv_cells cells;
    uint64_t *codes;        /* of the keys */
    node *pool;             /* chunks x room */
    size_t *used, room;     /* per chunk; of one chunk */
    uint32_t *last;         /* per query: head of its list */
    double *looked, budget; /* candidates per query so far, at most; infinite: cut short */
    double nearest;         /* K >= n^-alpha is |u - v|^2 <= this */
    size_t evaluated, cut_short;
} search;

static int is_known(const node *pool, uint32_t head, uint32_t key)
{
    for (; head != NONE; head = pool[head].next) {
        if (pool[head].key == key)
            return 1;
    }
    return 0;
}

/* Query i looks at the keys of its cell in the current table; 0 when it is cut short on the way. */
static int search_cell(search *s, size_t i, size_t *evaluated)
{
    const float *u = s->q->x + i * s->q->ld;
    const size_t chunk = i / CHUNK;
    node *pool = s->pool + chunk * s->room;
    const uint32_t *items;
    const size_t count = kmv_cells_find(&s->cells, kmv_euclid_hash_code(&s->hash, u), &items);

    for (size_t t = 0; t < count; t++) {
        double distance2;

        if (s->looked[i]++ >= s->budget)
            return 0;
        if (is_known(pool, s->last[i], items[t]))
            continue;
        distance2 = (double)kmv_scaled_distance2(u, s->k->x + items[t] * s->k->ld, s->k->ld);
        ++*evaluated;
        if (!(distance2 <= s->nearest))
            continue;
        if (s->used[chunk] == s->room)
            return 0;
        pool[s->used[chunk]] =
            (node){.key = items[t], .next = s->last[i], .value = (float)exp(-distance2 / 2)};
        s->last[i] = (uint32_t)s->used[chunk]++;
    }
    return 1;
}

static void search_table(search *s, int threads)
{
    const size_t chunks = (s->q->n + CHUNK - 1) / CHUNK;
    size_t evaluated = 0, cut_short = 0;

#pragma omp parallel for num_threads(threads) schedule(static)
    for (size_t j = 0; j < s->k->n; j++)
        s->codes[j] = kmv_euclid_hash_code(&s->hash, s->k->x + j * s->k->ld);
    kmv_cells_build(&s->cells, s->codes, s->k->n);
#pragma omp parallel for num_threads(threads) schedule(dynamic) reduction(+ : evaluated, cut_short)
    for (size_t chunk = 0; chunk < chunks; chunk++) {
        for (size_t i = chunk * CHUNK; i < (chunk + 1) * CHUNK && i < s->q->n; i++) {
            if (isfinite(s->looked[i]) && !search_cell(s, i, &evaluated)) {
                s->looked[i] = INFINITY;
                cut_short++;
            }
        }
    }
    s->evaluated += evaluated;
    s->cut_short += cut_short;
}

/* The lists as rows with ascending keys (by insertion: they are short). */
static kmv_status collect(const search *s, kmv_heavy *out, kmv_error *err)
{
    size_t total = 0;

    for (size_t chunk = 0; chunk * CHUNK < s->q->n; chunk++)
        total += s->used[chunk];
    if ((out->start = kmv_alloc(s->q->n + 1, sizeof *out->start, "heavy keys", err)) == NULL ||
        (out->key = kmv_alloc(total, sizeof *out->key, "heavy keys", err)) == NULL ||
        (out->value = kmv_alloc(total, sizeof *out->value, "heavy keys", err)) == NULL)
        return KMV_ENOMEM;
    total = 0;
    for (size_t i = 0; i < s->q->n; i++) {
        const node *pool = s->pool + i / CHUNK * s->room;

        for (uint32_t p = s->last[i]; p != NONE; p = pool[p].next) {
            size_t at = total++;

            for (; at > out->start[i] && out->key[at - 1] > pool[p].key; at--) {
                out->key[at] = out->key[at - 1];
                out->value[at] = out->value[at - 1];
            }
            out->key[at] = pool[p].key;
            out->value[at] = pool[p].value;
        }
        out->start[i + 1] = total;
    }
    return KMV_OK;
}

/* Tables and functions by the spec; the radius is 0 for a single key. */
static void design(const kmv_heavy_spec *spec, size_t n, kmv_heavy *out)
{
    const double log_n = log((double)n);
    const double log_p1 = log(kmv_euclid_collision(1, spec->width));
    const double wanted = floor(0.5 - spec->rho * log_n / log_p1);

    out->radius = sqrt(2 * spec->alpha * log_n);
    out->hashes = (size_t)fmin(fmax(wanted, 1), KMV_HASHES_MAX);
    out->tables = (size_t)ceil(-log(spec->miss) * exp(-(double)out->hashes * log_p1));
}

static void clear_search(search *s)
{
    kmv_euclid_hash_clear(&s->hash);
    kmv_cells_clear(&s->cells);
    kmv_free(s->codes);
    kmv_free(s->pool);
    kmv_free(s->used);
    kmv_free(s->last);
    kmv_free(s->looked);
}

kmv_status kmv_heavy_find(const kmv_scaled *q, const kmv_scaled *k, const kmv_heavy_spec *spec,
                          int threads, uint64_t key, kmv_heavy *out, kmv_cost *cost, kmv_error *err)
{
    const size_t chunks = (q->n + CHUNK - 1) / CHUNK;
    kmv_heavy h = {.n_q = q->n};
    search s = {.q = q, .k = k};
    kmv_status st = KMV_ENOMEM;

    design(spec, k->n, &h);
    s.nearest = h.radius * h.radius;
    s.budget = ceil(spec->budget * pow((double)k->n, 2 * spec->alpha));
    s.room = (size_t)ceil(spec->room * CHUNK * pow((double)k->n, spec->alpha));
    if ((s.codes = kmv_alloc(k->n, sizeof *s.codes, "codes of keys", err)) == NULL ||
        (s.pool = kmv_alloc(chunks * s.room, sizeof *s.pool, "heavy pairs", err)) == NULL ||
        (s.used = kmv_alloc(chunks, sizeof *s.used, "heavy pairs", err)) == NULL ||
        (s.looked = kmv_alloc(q->n, sizeof *s.looked, "heavy pairs", err)) == NULL ||
        (s.last = kmv_alloc(q->n, sizeof *s.last, "heavy pairs", err)) == NULL ||
        (st = kmv_cells_init(&s.cells, k->n, err)) != KMV_OK ||
        (st = kmv_euclid_hash_init(&s.hash, h.hashes, fmax(spec->width * h.radius, 1e-3), k->ld,
                                   err)) != KMV_OK)
        goto out;
    memset(s.last, 0xff, q->n * sizeof *s.last); /* NONE */
    for (size_t t = 0; t < h.tables; t++) {
        kmv_euclid_hash_draw(&s.hash, k->d, kmv_stream_key(key, "heavy", t));
        search_table(&s, threads);
    }
    if ((st = collect(&s, &h, err)) != KMV_OK)
        goto out;
    h.evaluated = (double)s.evaluated;
    h.cut_short = s.cut_short;
    cost->pairs += h.evaluated;
    cost->flops += h.evaluated * 3 * (double)k->d +
                   (double)h.tables * (double)(q->n + k->n) * (double)h.hashes * 2 * (double)k->d;
    *out = h;
    h = (kmv_heavy){0};
out:
    clear_search(&s);
    kmv_heavy_clear(&h);
    return st;
}

void kmv_heavy_clear(kmv_heavy *h)
{
    if (h == NULL)
        return;
    kmv_free(h->start);
    kmv_free(h->key);
    kmv_free(h->value);
    *h = (kmv_heavy){0};
}

int kmv_heavy_has(const kmv_heavy *h, size_t i, uint32_t j)
{
    size_t lo = h->start[i], hi = h->start[i + 1];

    while (lo < hi) {
        const size_t middle = lo + (hi - lo) / 2;

        if (h->key[middle] < j)
            lo = middle + 1;
        else
            hi = middle;
    }
    return lo < h->start[i + 1] && h->key[lo] == j;
}

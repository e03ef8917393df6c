/* algo/hash_tables.c - see hash_tables.h. */
#include "algo/hash_tables.h"

#include <gsl/gsl_randist.h>
#include <math.h>
#include <omp.h>
#include <string.h>

#include "base/mem.h"
#include "base/status.h"

enum {
    CHUNK_ENTRIES = 512, /* queries of a table that one thread takes at a time */
    CHUNK_GROUPS = 256   /* groups that wait in L2 while queries pass */
};

/* ---- codes ----------------------------------------------------------------------------------- */

/* Codes of all points in all tables; mask NULL for keys. planes: groups of directions; products:
 * room of each thread. */
static void fill_codes(const kmv_hash_tables *h, const kmv_hash_points *points, const float *planes,
                       float *products, uint32_t *code, uint32_t *mask)
{
    const kmv_join_kernel *kernel = h->in->kernel;
    const size_t bits = h->shape.bits, ld = (h->tables * bits + kernel->width - 1) / kernel->width;

#pragma omp parallel for num_threads(h->threads) schedule(static)
    for (size_t first = 0; first < points->n; first += kernel->rows) {
        float *out = products + (size_t)omp_get_thread_num() *
                                    (kernel->rows * ld * kernel->width + KMV_JOIN_BITS);
        const float *row[KMV_JOIN_ROWS];

        uint32_t key[KMV_JOIN_ROWS];
        size_t count = points->n - first < kernel->rows ? points->n - first : kernel->rows;

        for (size_t i = 0; i < kernel->rows; i++) {
            key[i] = (uint32_t)(first + (i < count ? i : count - 1));
            row[i] = points->x + key[i] * points->ld;
        }
        if (points->x == NULL)
            kmv_hash_key_rows(h->in, key, count, kernel->rows, row);
        kernel->dots(row, planes, ld, points->d, out);
        for (size_t i = 0; i < count; i++) {
            for (size_t t = 0; t < h->tables; t++) {
                const float *product = out + i * ld * kernel->width + t * bits;
                const size_t at = t * points->n + first + i;
                uint32_t sure;

                kernel->signs(product, bits, mask != NULL ? h->shape.wild : 0, code + at,
                              mask != NULL ? mask + at : &sure);
            }
        }
    }
}

static kmv_status draw_codes(kmv_hash_tables *h, gsl_rng *rng, kmv_cost *cost, kmv_error *err)
{
    const size_t width = h->in->kernel->width, d = h->in->k.d, count = h->tables * h->shape.bits;
    const size_t groups = (count + width - 1) / width;
    float *planes = kmv_alloc(groups * width * d, sizeof *planes, "hyperplanes", err);
    float *products =
        kmv_alloc((size_t)h->threads * (h->in->kernel->rows * groups * width + KMV_JOIN_BITS),
                  sizeof *products, "products with hyperplanes", err);
    const kmv_status st = planes != NULL && products != NULL ? KMV_OK : KMV_ENOMEM;

    if (st == KMV_OK) {
        for (size_t p = 0; p < count; p++) {
            for (size_t l = 0; l < d; l++)
                planes[(p / width * d + l) * width + p % width] = (float)gsl_ran_ugaussian(rng);
        }
        fill_codes(h, &h->in->q, planes, products, h->q_code, h->q_mask);
        fill_codes(h, &h->in->k, planes, products, h->k_code, NULL);
        cost->flops += 2.0 * (double)(h->in->q.n + h->in->k.n) * (double)count * (double)d;
    }
    kmv_free(planes);
    kmv_free(products);
    return st;
}

/* ---- buckets --------------------------------------------------------------------------------- */

/* Slots of keys by code: counting sort, each bucket from a group of its own. */
static kmv_status sort_keys(kmv_hash_tables *h, size_t t, kmv_key_groups *g, kmv_error *err)
{
    const size_t n = h->in->k.n, width = h->in->kernel->width;
    const uint32_t *code = h->k_code + t * n;
    uint32_t *next = kmv_alloc(g->buckets, sizeof *next, "buckets", err);

    if (next == NULL ||
        (g->group_start = kmv_alloc(g->buckets + 1, sizeof(uint32_t), "buckets", err)) == NULL) {
        kmv_free(next);
        return KMV_ENOMEM;
    }
    for (size_t j = 0; j < n; j++)
        next[code[j]]++;
    for (size_t c = 0; c < g->buckets; c++) {
        const size_t groups = (next[c] + width - 1) / width;

        g->group_start[c + 1] = g->group_start[c] + (uint32_t)groups;
        next[c] = (uint32_t)(g->group_start[c] * width);
    }
    g->groups = g->capacity = g->group_start[g->buckets];
    if ((g->key = kmv_alloc(g->groups * width, sizeof *g->key, "keys of a table", err)) != NULL) {
        memset(g->key, 0xff, g->groups * width * sizeof *g->key);
        for (size_t j = 0; j < n; j++)
            g->key[next[code[j]]++] = (uint32_t)j;
    }
    kmv_free(next);
    return g->key != NULL ? KMV_OK : KMV_ENOMEM;
}

/* For each bucket with keys the queries that look into it, ascending. */
static kmv_status sort_queries(kmv_hash_tables *h, size_t t, kmv_key_groups *g, kmv_error *err)
{
    const size_t n = h->in->q.n, width = h->in->kernel->width;
    const uint32_t *code = h->q_code + t * n, *mask = h->q_mask + t * n;
    const uint32_t all = (uint32_t)(((uint64_t)1 << h->shape.bits) - 1);
    size_t entries = 0;

    g->entry_start = kmv_alloc(g->buckets + 2, sizeof(uint32_t), "buckets", err);
    if (g->entry_start == NULL)
        return KMV_ENOMEM;
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < n; i++) {
            const uint32_t wild = all & ~mask[i];
            uint32_t flips = 0;

            do { /* all subsets of the wild bits */
                const uint32_t c = code[i] ^ flips;

                flips = (flips - wild) & wild;
                if (g->group_start[c] == g->group_start[c + 1])
                    continue;
                if (pass == 0)
                    g->entry_start[c + 2]++;
                else
                    g->query[g->entry_start[c + 1]++] = (uint32_t)i;
            } while (flips != 0);
        }
        if (pass == 0) {
            for (size_t c = 0; c < g->buckets; c++)
                g->entry_start[c + 2] += g->entry_start[c + 1];
            entries = g->entry_start[g->buckets + 1];
            g->query = kmv_alloc(entries, sizeof *g->query, "queries of a table", err);
            if (g->query == NULL)
                return KMV_ENOMEM;
        }
    }
    for (size_t c = 0; c < g->buckets; c++) {
        size_t slots = (g->group_start[c + 1] - g->group_start[c]) * width, keys = slots;

        while (keys > 0 && g->key[g->group_start[c] * width + keys - 1] == KMV_NO_KEY)
            keys--;
        g->pairs += (double)keys * (double)(g->entry_start[c + 1] - g->entry_start[c]);
    }
    return KMV_OK;
}

/* Codes of the slots of table t in the tables before it. */
static kmv_status copy_codes(kmv_hash_tables *h, size_t t, kmv_key_groups *g, kmv_error *err)
{
    const size_t slots = g->groups * h->in->kernel->width;
    uint32_t *codes;

    if (t == 0)
        return KMV_OK;
    if ((g->key_code = kmv_alloc(t, sizeof *g->key_code, "codes", err)) == NULL ||
        (codes = kmv_alloc(kmv_round_up(slots, 16) * t, sizeof *codes, "codes", err)) == NULL)
        return KMV_ENOMEM;
    for (size_t s = 0; s < t; s++) {
        g->key_code[s] = codes + s * kmv_round_up(slots, 16);
        for (size_t m = 0; m < slots; m++)
            g->key_code[s][m] = g->key[m] != KMV_NO_KEY ? h->k_code[s * h->in->k.n + g->key[m]] : 0;
    }
    return KMV_OK;
}

static kmv_status fill_table(kmv_hash_tables *h, size_t t, kmv_error *err)
{
    kmv_key_groups *g = &h->table[t];
    const size_t width = h->in->kernel->width, d = h->in->k.d;
    kmv_status st;

    g->buckets = (size_t)1 << h->shape.bits;
    if ((st = sort_keys(h, t, g, err)) != KMV_OK || (st = sort_queries(h, t, g, err)) != KMV_OK ||
        (st = copy_codes(h, t, g, err)) != KMV_OK)
        return st;
    if ((g->x = kmv_alloc(g->groups * width * d, sizeof(float), "keys of a table", err)) == NULL ||
        (g->offset = kmv_alloc(g->groups * width, sizeof(float), "keys of a table", err)) == NULL)
        return KMV_ENOMEM;
    kmv_key_groups_pack(g, h->in, h->threads);
    return KMV_OK;
}

kmv_status kmv_hash_tables_create(const kmv_hash_input *in, size_t tables, kmv_hash_shape shape,
                                  size_t r, gsl_rng *rng, int threads, kmv_hash_tables **out,
                                  kmv_cost *cost, kmv_error *err)
{
    kmv_hash_tables *h = kmv_alloc(1, sizeof *h, "hash tables", err);
    size_t groups = in->k.n / in->kernel->width + 1, entries = in->q.n;
    kmv_status st = KMV_ENOMEM;

    if (h == NULL)
        return st;
    *h = (kmv_hash_tables){.in = in, .tables = tables, .shape = shape, .threads = threads};
    h->columns = r < KMV_JOIN_COLUMNS ? r : KMV_JOIN_COLUMNS;
    if ((h->q_code = kmv_alloc(tables * in->q.n, sizeof *h->q_code, "codes", err)) == NULL ||
        (h->q_mask = kmv_alloc(tables * in->q.n, sizeof *h->q_mask, "codes", err)) == NULL ||
        (h->k_code = kmv_alloc(tables * in->k.n, sizeof *h->k_code, "codes", err)) == NULL ||
        (h->table = kmv_alloc(tables, sizeof *h->table, "hash tables", err)) == NULL ||
        (st = draw_codes(h, rng, cost, err)) != KMV_OK)
        goto out;
    for (size_t t = 0; t < tables; t++) {
        const kmv_key_groups *g = &h->table[t];

        if ((st = fill_table(h, t, err)) != KMV_OK)
            goto out;
        groups = g->groups > groups ? g->groups : groups;
        entries = g->entry_start[g->buckets] > entries ? g->entry_start[g->buckets] : entries;
    }
    st = KMV_ENOMEM;
    groups *= in->kernel->width * h->columns;
    if ((h->light = kmv_alloc(groups, sizeof(float), "weights", err)) == NULL ||
        (h->heavy = kmv_alloc(groups, sizeof(float), "weights", err)) == NULL ||
        (h->part = kmv_alloc(entries * h->columns, sizeof(float), "sums of buckets", err)) == NULL)
        goto out;
    st = KMV_OK;
    *out = h;
    h = NULL;
out:
    kmv_hash_tables_destroy(h);
    return st;
}

void kmv_hash_tables_destroy(kmv_hash_tables *h)
{
    if (h == NULL)
        return;
    for (size_t t = 0; t < h->tables && h->table != NULL; t++)
        kmv_key_groups_clear(&h->table[t]);
    kmv_free(h->table);
    kmv_free(h->q_code);
    kmv_free(h->q_mask);
    kmv_free(h->k_code);
    kmv_free(h->light);
    kmv_free(h->heavy);
    kmv_free(h->part);
    kmv_free(h);
}

int kmv_hash_tables_meet(const kmv_hash_tables *h, size_t i, size_t j)
{
    for (size_t t = 0; t < h->tables; t++) {
        const size_t at = t * h->in->q.n + i;

        if (((h->k_code[t * h->in->k.n + j] ^ h->q_code[at]) & h->q_mask[at]) == 0)
            return 1;
    }
    return 0;
}

/* ---- joins ----------------------------------------------------------------------------------- */

/* One join: groups of keys, weights of its slots, where sums go. */
typedef struct {
    const kmv_hash_tables *h;
    const kmv_key_groups *g;
    size_t earlier, columns, ldw;
    float clip;
} joining;

/* Brings the rows of the next block near while this one computes. */
static void fetch_rows(const joining *w, size_t begin, size_t end)
{
    const kmv_hash_points *q = &w->h->in->q;

    for (size_t e = begin; e < end && w->g->query != NULL; e++) {
        const float *row = q->x + w->g->query[e] * q->ld;

        for (size_t l = 0; l < q->d; l += 16)
            __builtin_prefetch(row + l);
    }
}

/* part += sums of entries begin .. end - 1, all of bucket c, over its groups. */
static void join_run(const joining *w, size_t c, size_t begin, size_t end)
{
    const kmv_hash_input *in = w->h->in;
    const kmv_join_kernel *kernel = in->kernel;
    const size_t rows = kernel->rows, n_q = in->q.n, last = w->g->group_start[c + 1];
    _Alignas(64) float y[KMV_JOIN_COLUMNS * KMV_JOIN_ROWS];
    kmv_join_call call = {.d = in->k.d,
                          .columns = w->columns,
                          .ldw = w->ldw,
                          .clip = w->clip,
                          .earlier = w->earlier,
                          .y = y};

    for (size_t group = w->g->group_start[c]; group < last; group += CHUNK_GROUPS) {
        const size_t slot = group * kernel->width;

        call.groups = last - group < CHUNK_GROUPS ? last - group : CHUNK_GROUPS;
        call.k = w->g->x + slot * in->k.d;
        call.b = w->g->offset + slot;
        call.light = w->h->light + slot;
        call.heavy = w->h->heavy + slot;
        for (size_t s = 0; s < w->earlier; s++)
            call.key_code[s] = w->g->key_code[s] + slot;
        for (size_t e = begin; e < end; e += rows) {
            fetch_rows(w, e + rows, e + 2 * rows < end ? e + 2 * rows : end);
            for (size_t i = 0; i < rows; i++) {
                const size_t entry = e + i < end ? e + i : end - 1;
                const size_t query = w->g->query != NULL ? w->g->query[entry] : entry;

                call.q[i] = in->q.x + query * in->q.ld;
                call.a[i] = in->q.offset[query];
                for (size_t s = 0; s < w->earlier; s++) {
                    call.code[s][i] = w->h->q_code[s * n_q + query];
                    call.mask[s][i] = w->h->q_mask[s * n_q + query];
                }
            }
            kernel->join(&call);
            for (size_t i = 0; i < rows && e + i < end; i++) {
                for (size_t v = 0; v < w->columns; v++)
                    w->h->part[(e + i) * w->columns + v] += y[v * rows + i];
            }
        }
    }
}

/* Fixed chunks of entries; the bits of a sum do not depend on which queries are its neighbours. */
static void join_entries(const joining *w)
{
    const uint32_t *start = w->g->entry_start;
    const size_t entries = start[w->g->buckets];

    memset(w->h->part, 0, entries * w->columns * sizeof(float));
#pragma omp parallel for num_threads(w->h->threads) schedule(dynamic, 4)
    for (size_t first = 0; first < entries; first += CHUNK_ENTRIES) {
        const size_t end = entries - first < CHUNK_ENTRIES ? entries : first + CHUNK_ENTRIES;
        size_t lo = 0, hi = w->g->buckets;

        while (hi - lo > 1) { /* the last bucket that starts at or before `first` */
            const size_t middle = lo + (hi - lo) / 2;

            if (start[middle] <= first)
                lo = middle;
            else
                hi = middle;
        }
        for (size_t at = first, c = lo; at < end; c++) {
            const size_t stop = start[c + 1] < end ? start[c + 1] : end;

            if (stop > at)
                join_run(w, c, at, stop);
            at = stop;
        }
    }
}

/* Weights of columns c0 .. by slot. */
static void load_weights(const kmv_hash_tables *h, const kmv_key_groups *g, const double *from,
                         const kmv_pair_weights *w, size_t c0, size_t columns, float *to)
{
    const size_t slots = g->groups * h->in->kernel->width;

#pragma omp parallel for num_threads(h->threads) schedule(static)
    for (size_t s = 0; s < slots; s++) {
        for (size_t c = 0; c < columns; c++)
            to[c * slots + s] =
                g->key[s] != KMV_NO_KEY ? (float)(from[g->key[s] * w->r + c0 + c] / w->unit) : 0;
    }
}

static void join_table(kmv_hash_tables *h, const kmv_key_groups *g, size_t earlier,
                       const kmv_pair_weights *w, double *y, kmv_cost *cost)
{
    const size_t entries = g->entry_start[g->buckets];

    for (size_t c0 = 0, columns; c0 < w->r; c0 += columns) {
        joining join = {.h = h, .g = g, .earlier = earlier, .clip = (float)w->clip};

        columns = join.columns = w->r - c0 < h->columns ? w->r - c0 : h->columns;
        join.ldw = g->groups * h->in->kernel->width;
        load_weights(h, g, w->light, w, c0, columns, h->light);
        if (w->clip < INFINITY)
            load_weights(h, g, w->heavy, w, c0, columns, h->heavy);
        join_entries(&join);
        /* In the order of entries, so that each sum has one order. */
        for (size_t e = 0; e < entries; e++) {
            double *row = y + (g->query != NULL ? g->query[e] : e) * w->r + c0;

            for (size_t c = 0; c < columns; c++)
                row[c] += w->unit * (double)h->part[e * columns + c];
        }
        cost->pairs += g->pairs;
        cost->flops += g->pairs * 2 * (double)(h->in->k.d + columns);
    }
}

void kmv_hash_join(kmv_hash_tables *h, size_t t, const kmv_pair_weights *w, double *y,
                   kmv_cost *cost)
{
    join_table(h, &h->table[t], t, w, y, cost);
}

void kmv_hash_join_all(kmv_hash_tables *h, const kmv_key_groups *groups, const kmv_pair_weights *w,
                       double *y, kmv_cost *cost)
{
    join_table(h, groups, 0, w, y, cost);
}

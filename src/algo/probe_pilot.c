/* algo/probe_pilot.c - see pilot.h. */
#include "algo/probe_pilot.h"

#include <gsl/gsl_randist.h>
#include <stdlib.h>
#include <string.h>

#include "algo/sketch.h"
#include "base/mem.h"
#include "base/rng.h"

enum { SLICE = 256 }; /* entries on the stack */

kmv_status kmv_heavy_reserve(kmv_heavy_list *list, size_t more, kmv_error *err)
{
    size_t room = list->room > 0 ? list->room : 1024;
    kmv_heavy_entry *larger;

    if (list->count + more <= list->room)
        return KMV_OK;
    while (room < list->count + more)
        room *= 2;
    if ((larger = kmv_alloc(room, sizeof *larger, "heavy entries", err)) == NULL)
        return KMV_ENOMEM;
    if (list->count > 0)
        memcpy(larger, list->entry, list->count * sizeof *larger);
    kmv_free(list->entry);
    list->entry = larger;
    list->room = room;
    return KMV_OK;
}

/* Floyd's algorithm would need a set; n_q marks are cheap beside everything else. */
static kmv_status draw_rows(kmv_probe_pilot *p, size_t n_q, uint64_t key, kmv_error *err)
{
    gsl_rng *rng = kmv_rng_create(key, err);
    unsigned char *taken = kmv_alloc(n_q, 1, "marks of rows", err);
    kmv_status st = KMV_ENOMEM;
    size_t count = 0;

    if (rng == NULL || taken == NULL)
        goto out;
    for (size_t m = n_q - p->n; m < n_q; m++) {
        const size_t i = gsl_rng_uniform_int(rng, (unsigned long)m + 1);

        taken[taken[i] ? m : i] = 1;
    }
    for (size_t i = 0; i < n_q; i++) {
        if (taken[i])
            p->row[count++] = i;
    }
    st = KMV_OK;
out:
    if (rng != NULL)
        gsl_rng_free(rng);
    kmv_free(taken);
    return st;
}

kmv_status kmv_probe_pilot_init(kmv_probe_pilot *p, const kmv_problem *problem,
                                const double *centre, size_t n, size_t kept, const kmv_tile *tile,
                                uint64_t key, kmv_cost *cost, kmv_error *err)
{
    kmv_probe_pilot out = {.n = n, .kept = kept};
    kmv_status st;

    if ((out.row = kmv_alloc(n, sizeof *out.row, "pilot rows", err)) == NULL ||
        (out.c2[0] = kmv_alloc(problem->k->n, sizeof(float), "column norms", err)) == NULL ||
        (out.c2[1] = kmv_alloc(problem->k->n, sizeof(float), "column norms", err)) == NULL ||
        (out.entry = kmv_alloc_raw(kept * problem->k->n, sizeof *out.entry, "entries of check rows",
                                   err)) == NULL) {
        st = KMV_ENOMEM;
        goto out;
    }
    if ((st = draw_rows(&out, problem->q->n, key, err)) != KMV_OK ||
        (st = kmv_packed_init(&out.queries, tile, KMV_QUERIES, n, problem->q->d, 1, err)) != KMV_OK)
        goto out;
    kmv_pack(&out.queries, problem, centre, out.row, n, 1, cost);
    *p = out;
    out = (kmv_probe_pilot){0};
out:
    kmv_probe_pilot_clear(&out);
    return st;
}

void kmv_probe_pilot_clear(kmv_probe_pilot *p)
{
    if (p == NULL)
        return;
    kmv_packed_clear(&p->queries);
    kmv_free(p->row);
    kmv_free(p->c2[0]);
    kmv_free(p->c2[1]);
    kmv_free(p->heavy.entry);
    kmv_free(p->entry);
    *p = (kmv_probe_pilot){0};
}

typedef struct {
    kmv_probe_pilot *pilot;
    const kmv_tile *tile;
    const kmv_sketch_isa *isa;
    size_t first, n_k;
    float tau;
    kmv_heavy_list *heavy;
    kmv_error *err;
    kmv_status status;
} sink_context;

/* At most SLICE entries of row i from key j on. */
static void take_slice(sink_context *c, size_t i, size_t j, size_t count, const float *exponents)
{
    _Alignas(KMV_ALIGN) float v[SLICE];
    const kmv_probe_pilot *pilot = c->pilot;
    const size_t check = (i * pilot->kept + pilot->n - 1) / pilot->n; /* first with slot >= i */
    float *c2 = pilot->c2[i % 2] + j;
    uint16_t *kept = NULL;
    size_t above;

    if (check < pilot->kept && check * pilot->n / pilot->kept == i)
        kept = pilot->entry + check * c->n_k + j;
    memcpy(v, exponents, count * sizeof *v);
    c->tile->exp2(v, count);
    above = c->isa->take_entries(v, count, c->tau, c2, kept);
    if (above == 0 || c->status != KMV_OK ||
        (c->status = kmv_heavy_reserve(c->heavy, above, c->err)) != KMV_OK)
        return;
    for (size_t t = 0; t < count; t++) {
        if (v[t] > c->tau)
            c->heavy->entry[c->heavy->count++] =
                (kmv_heavy_entry){.row = (uint32_t)i, .key = (uint32_t)(j + t), .value = v[t]};
    }
}

static void take_exponents(void *context, int thread, size_t i, size_t j, size_t count,
                           const float *exponents)
{
    sink_context *c = context;

    (void)thread;
    for (size_t t = 0; t < count; t += SLICE)
        take_slice(c, i, c->first + j + t, count - t < SLICE ? count - t : SLICE, exponents + t);
}

kmv_status kmv_probe_pilot_chunk(kmv_probe_pilot *p, const kmv_problem *problem,
                                 const kmv_packed *keys, size_t first, size_t n_k, float tau,
                                 kmv_workspace *space, kmv_heavy_list *heavy, kmv_error *err)
{
    sink_context c = {.pilot = p,
                      .tile = keys->tile,
                      .isa = kmv_sketch_isa_best(),
                      .first = first,
                      .n_k = n_k,
                      .tau = tau,
                      .heavy = heavy,
                      .err = err,
                      .status = KMV_OK};

    kmv_stream_exponents(&p->queries, keys, problem, 1, space, take_exponents, &c);
    return c.status;
}

static int by_row_and_key(const void *a_, const void *b_)
{
    const kmv_heavy_entry *a = a_, *b = b_;

    if (a->row != b->row)
        return a->row < b->row ? -1 : 1;
    return a->key < b->key ? -1 : a->key > b->key;
}

kmv_status kmv_probe_pilot_finish(kmv_probe_pilot *p, kmv_heavy_list *lists, size_t count,
                                  size_t n_k, kmv_error *err)
{
    kmv_status st;

    for (size_t l = 0; l < count; l++) {
        if ((st = kmv_heavy_reserve(&p->heavy, lists[l].count, err)) != KMV_OK)
            return st;
        if (lists[l].count > 0)
            memcpy(p->heavy.entry + p->heavy.count, lists[l].entry,
                   lists[l].count * sizeof *p->heavy.entry);
        p->heavy.count += lists[l].count;
    }
    if (p->heavy.count > 0)
        qsort(p->heavy.entry, p->heavy.count, sizeof *p->heavy.entry, by_row_and_key);
    p->total2 = 0;
    for (size_t j = 0; j < n_k; j++)
        p->total2 += (double)p->c2[0][j] + (double)p->c2[1][j];
    return KMV_OK;
}

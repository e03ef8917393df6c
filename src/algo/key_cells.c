/* algo/key_cells.c - see key_cells.h. */
#include "algo/key_cells.h"

#include <gsl/gsl_randist.h>
#include <gsl/gsl_rng.h>
#include <math.h>
#include <omp.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"

enum { SAMPLE_PER_CELL = 32 };

/* What a round needs beside the cells. */
typedef struct {
    kmv_scaled sample;
    size_t *chosen;  /* keys of the sample */
    uint32_t *near;  /* nearest centre, of the sample or of all keys */
    float *product;  /* threads x rows of a block x centres */
    double *sum;     /* cells x d */
    size_t *members; /* cells */
} work;

static void clear_work(work *w)
{
    kmv_scaled_clear(&w->sample);
    kmv_free(w->chosen);
    kmv_free(w->near);
    kmv_free(w->product);
    kmv_free(w->sum);
    kmv_free(w->members);
}

/* A random sample without replacement, as rows. */
static kmv_status take_sample(work *w, const kmv_scaled *k, size_t n, gsl_rng *rng, kmv_error *err)
{
    size_t *all = kmv_alloc(k->n, sizeof *all, "numbers of keys", err);

    if (all == NULL ||
        (w->sample.x = kmv_alloc(n, k->ld * sizeof(float), "sample of keys", err)) == NULL) {
        kmv_free(all);
        return KMV_ENOMEM;
    }
    for (size_t j = 0; j < k->n; j++)
        all[j] = j;
    gsl_ran_choose(rng, w->chosen, n, all, k->n, sizeof *all);
    gsl_ran_shuffle(rng, w->chosen, n, sizeof *w->chosen); /* the first ones begin as centres */
    kmv_free(all);
    w->sample.n = n;
    w->sample.d = k->d;
    w->sample.ld = k->ld;
    for (size_t t = 0; t < n; t++)
        memcpy(w->sample.x + t * k->ld, k->x + w->chosen[t] * k->ld, k->ld * sizeof(float));
    return KMV_OK;
}

/* Centres as they stand, for the tiles. */
static void settle(kmv_key_cells *c)
{
    const kmv_points *rows = &c->centre.rows;

    for (size_t m = 0; m < c->cells; m++) {
        double norm2 = 0;

        for (size_t l = 0; l < rows->d; l++)
            norm2 += (double)rows->x[m * rows->ld + l] * (double)rows->x[m * rows->ld + l];
        c->half_norm2[m] = (float)(norm2 / 2);
    }
    kmv_directions_pack(&c->centre);
}

/* near[i]: the centre with the largest x.c - |c|^2 / 2, the first of equal ones. */
static void find_nearest(const kmv_key_cells *c, const kmv_packed *points, float *product,
                         uint32_t *near, int threads, kmv_cost *cost)
{
    const size_t ld = kmv_project_ld(&c->centre), rows = points->width, n = points->n;

#pragma omp parallel for num_threads(threads) schedule(static)
    for (size_t first = 0; first < n; first += rows) {
        float *here = product + (size_t)omp_get_thread_num() * rows * ld;

        kmv_project(points, &c->centre, first, here);
        for (size_t i = 0; i < rows && first + i < n; i++) {
            float best = -INFINITY;

            near[first + i] = 0;
            for (size_t m = 0; m < c->cells; m++) {
                const float score = here[i * ld + m] - c->half_norm2[m];

                if (score > best) {
                    best = score;
                    near[first + i] = (uint32_t)m;
                }
            }
        }
    }
    cost->flops += 2 * (double)(n * points->d) * (double)c->cells;
}

/* Each centre to the mean of the sample points that are nearest to it. */
static void move_centres(kmv_key_cells *c, work *w)
{
    const kmv_scaled *s = &w->sample;

    memset(w->sum, 0, c->cells * s->d * sizeof *w->sum);
    memset(w->members, 0, c->cells * sizeof *w->members);
    for (size_t t = 0; t < s->n; t++) {
        w->members[w->near[t]]++;
        for (size_t l = 0; l < s->d; l++)
            w->sum[w->near[t] * s->d + l] += (double)s->x[t * s->ld + l];
    }
    for (size_t m = 0; m < c->cells; m++) {
        float *centre = c->centre.rows.x + m * c->centre.rows.ld;

        for (size_t l = 0; l < s->d && w->members[m] > 0; l++)
            centre[l] = (float)(w->sum[m * s->d + l] / (double)w->members[m]);
    }
}

static void sort_keys(kmv_key_cells *c, const uint32_t *near)
{
    for (size_t j = 0; j < c->n; j++)
        c->start[near[j] + 1]++;
    for (size_t m = 0; m < c->cells; m++)
        c->start[m + 1] += c->start[m];
    for (size_t j = c->n; j-- > 0;) { /* from behind: ends move to the starts of the next cell */
        const uint32_t slot = --c->start[near[j] + 1];

        c->order[slot] = j;
        c->cell[slot] = near[j];
    }
    memmove(c->start, c->start + 1, c->cells * sizeof *c->start);
    c->start[c->cells] = (uint32_t)c->n;
}

static kmv_status make_room(kmv_key_cells *c, work *w, const kmv_scaled *k, size_t sample,
                            const kmv_tile *tile, int threads, kmv_error *err)
{
    const size_t rows = (size_t)threads * tile->rows;
    kmv_status st;

    if ((st = kmv_directions_init(&c->centre, c->cells, k->d, tile, err)) != KMV_OK)
        return st;
    if ((c->half_norm2 = kmv_alloc(c->cells, sizeof *c->half_norm2, "centres", err)) == NULL ||
        (c->order = kmv_alloc(c->n, sizeof *c->order, "order of keys", err)) == NULL ||
        (c->start = kmv_alloc(c->cells + 1, sizeof *c->start, "cells", err)) == NULL ||
        (c->cell = kmv_alloc(c->n, sizeof *c->cell, "cells of keys", err)) == NULL ||
        (w->chosen = kmv_alloc(sample, sizeof *w->chosen, "sample of keys", err)) == NULL ||
        (w->near = kmv_alloc(c->n, sizeof *w->near, "nearest centres", err)) == NULL ||
        (w->product = kmv_alloc_raw(rows, kmv_project_ld(&c->centre) * sizeof(float), "projections",
                                    err)) == NULL ||
        (w->sum = kmv_alloc(c->cells, k->d * sizeof *w->sum, "means of cells", err)) == NULL ||
        (w->members = kmv_alloc(c->cells, sizeof *w->members, "sizes of cells", err)) == NULL)
        return KMV_ENOMEM;
    return KMV_OK;
}

kmv_status kmv_key_cells_init(kmv_key_cells *c, const kmv_scaled *k, size_t cells, size_t rounds,
                              const kmv_tile *tile, uint64_t key, int threads, kmv_cost *cost,
                              kmv_error *err)
{
    const size_t most = SAMPLE_PER_CELL * cells, sample = k->n < most ? k->n : most;
    kmv_key_cells out = {.n = k->n, .cells = cells};
    kmv_packed packed = {0}, all = {0};
    gsl_rng *rng = kmv_rng_create(key, err);
    work w = {0};
    kmv_status st = KMV_ENOMEM;

    if (rng == NULL || (st = make_room(&out, &w, k, sample, tile, threads, err)) != KMV_OK ||
        (st = take_sample(&w, k, sample, rng, err)) != KMV_OK ||
        (st = kmv_project_pack(&packed, &w.sample, tile, threads, cost, err)) != KMV_OK ||
        (st = kmv_project_pack(&all, k, tile, threads, cost, err)) != KMV_OK) {
        kmv_key_cells_clear(&out);
        goto out;
    }
    for (size_t m = 0; m < cells; m++)
        memcpy(out.centre.rows.x + m * out.centre.rows.ld, w.sample.x + m * k->ld,
               k->d * sizeof(float));
    settle(&out);
    for (size_t t = 0; t < rounds; t++) {
        find_nearest(&out, &packed, w.product, w.near, threads, cost);
        move_centres(&out, &w);
        settle(&out);
    }
    find_nearest(&out, &all, w.product, w.near, threads, cost);
    sort_keys(&out, w.near);
    *c = out;
out:
    if (rng != NULL)
        gsl_rng_free(rng);
    kmv_packed_clear(&packed);
    kmv_packed_clear(&all);
    clear_work(&w);
    return st;
}

void kmv_key_cells_clear(kmv_key_cells *c)
{
    kmv_directions_clear(&c->centre);
    kmv_free(c->half_norm2);
    kmv_free(c->order);
    kmv_free(c->start);
    kmv_free(c->cell);
    *c = (kmv_key_cells){0};
}

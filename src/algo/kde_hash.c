/* algo/kde_hash.c - see kde_hash.h. */
#include "algo/kde_hash.h"

#include <math.h>
#include <omp.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"

double kmv_uniform_at(uint64_t key, uint64_t at)
{
    return (double)(kmv_stream_key(key, "", at) >> 11) * 0x1p-53;
}

kmv_status kmv_kde_hash_init(kmv_kde_hash *e, const kmv_scaled *q, const kmv_scaled *k,
                             const kmv_heavy *heavy, double width, size_t groups, int threads,
                             kmv_error *err)
{
    const double log_n = log(fmax((double)k->n, 2)), r0 = sqrt(log_n);
    const double hashes = ceil(-0.5 * log_n / log(kmv_euclid_collision(r0, width * r0)));
    kmv_kde_hash out = {.q = q, .k = k, .heavy = heavy, .threads = threads, .groups = groups};
    kmv_status st = KMV_ENOMEM;

    if ((out.codes = kmv_alloc(k->n, sizeof *out.codes, "codes of keys", err)) == NULL ||
        (out.sum_all = kmv_alloc(q->n, groups * sizeof(double), "densities", err)) == NULL ||
        (out.sum_light = kmv_alloc(q->n, groups * sizeof(double), "densities", err)) == NULL ||
        (out.all = kmv_alloc(q->n, sizeof *out.all, "densities", err)) == NULL ||
        (out.light = kmv_alloc(q->n, sizeof *out.light, "densities", err)) == NULL ||
        (st = kmv_cells_init(&out.cells, k->n, err)) != KMV_OK ||
        (st = kmv_euclid_hash_init(&out.hash, (size_t)fmin(hashes, KMV_HASHES_MAX), width * r0,
                                   k->ld, err)) != KMV_OK) {
        kmv_kde_hash_clear(&out);
        return st;
    }
    *e = out;
    return KMV_OK;
}

void kmv_kde_hash_clear(kmv_kde_hash *e)
{
    if (e == NULL)
        return;
    kmv_euclid_hash_clear(&e->hash);
    kmv_cells_clear(&e->cells);
    kmv_free(e->codes);
    kmv_free(e->sum_all);
    kmv_free(e->sum_light);
    kmv_free(e->all);
    kmv_free(e->light);
    *e = (kmv_kde_hash){0};
}

double kmv_kde_hash_collision(const kmv_kde_hash *e, double r)
{
    return pow(kmv_euclid_collision(r, e->hash.width), (double)e->hash.hashes);
}

/* One draw for query i from the current table. */
static size_t draw(kmv_kde_hash *e, const uint32_t *members, size_t i, size_t group, uint64_t key)
{
    const float *u = e->q->x + i * e->q->ld;
    const uint32_t *items;
    const size_t count = kmv_cells_find(&e->cells, kmv_euclid_hash_code(&e->hash, u), &items);
    uint32_t j;
    double distance2, z;

    if (count == 0)
        return 0;
    j = members[items[(size_t)(kmv_uniform_at(key, i) * (double)count)]];
    distance2 = (double)kmv_scaled_distance2(u, e->k->x + j * e->k->ld, e->k->ld);
    z = (double)count * exp(-distance2) / kmv_kde_hash_collision(e, sqrt(distance2));
    e->sum_all[i * e->groups + group] += z;
    if (!kmv_heavy_has(e->heavy, i, j))
        e->sum_light[i * e->groups + group] += z;
    return 1;
}

/* The middle one of `count` (odd) numbers, which are sorted on the way. */
static double median(double *v, size_t count)
{
    for (size_t a = 1; a < count; a++) {
        const double one = v[a];
        size_t b = a;

        for (; b > 0 && v[b - 1] > one; b--)
            v[b] = v[b - 1];
        v[b] = one;
    }
    return v[count / 2];
}

double kmv_kde_hash_run(kmv_kde_hash *e, const uint32_t *members, size_t n, size_t draws,
                        uint64_t key, kmv_cost *cost)
{
    const size_t n_q = e->q->n, tables = e->groups * draws;
    size_t evaluated = 0;

    memset(e->sum_all, 0, n_q * e->groups * sizeof(double));
    memset(e->sum_light, 0, n_q * e->groups * sizeof(double));
    for (size_t table = 0; table < tables; table++) {
        const uint64_t table_key = kmv_stream_key(key, "kde", table),
                       pick_key = kmv_stream_key(table_key, "pick", 0);

        kmv_euclid_hash_draw(&e->hash, e->k->d, table_key);
#pragma omp parallel for num_threads(e->threads) schedule(static)
        for (size_t t = 0; t < n; t++)
            e->codes[t] = kmv_euclid_hash_code(&e->hash, e->k->x + members[t] * e->k->ld);
        kmv_cells_build(&e->cells, e->codes, n);
#pragma omp parallel for num_threads(e->threads) schedule(static) reduction(+ : evaluated)
        for (size_t i = 0; i < n_q; i++)
            evaluated += draw(e, members, i, table / draws, pick_key);
    }
    e->light_mean = 0;
    for (size_t i = 0; i < n_q * e->groups; i++)
        e->light_mean += e->sum_light[i] / ((double)tables * (double)n_q);
    for (size_t i = 0; i < n_q; i++) {
        e->all[i] = median(e->sum_all + i * e->groups, e->groups) / (double)draws;
        e->light[i] = median(e->sum_light + i * e->groups, e->groups) / (double)draws;
    }
    cost->pairs += (double)evaluated;
    cost->flops += (double)evaluated * 3 * (double)e->k->d + (double)tables * (double)(n_q + n) *
                                                                 (double)e->hash.hashes * 2 *
                                                                 (double)e->k->d;
    return (double)evaluated;
}

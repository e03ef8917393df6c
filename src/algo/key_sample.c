/* algo/key_sample.c - see key_sample.h. */
#include "algo/key_sample.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"

kmv_status kmv_key_sample_init(kmv_key_sample *s, const kmv_tile *tile, size_t draws_max,
                               size_t range_max, size_t d, size_t r, kmv_error *err)
{
    const size_t most = draws_max < range_max ? draws_max : range_max;
    kmv_key_sample out = {.draws_max = draws_max, .range_max = range_max};
    kmv_status st = KMV_ENOMEM;

    if ((out.rng = kmv_rng_create(0, err)) == NULL ||
        (out.index = kmv_alloc(most, sizeof *out.index, "sample of keys", err)) == NULL ||
        (out.weight = kmv_alloc(most, sizeof *out.weight, "weights of the sample", err)) == NULL ||
        (out.cumulative = kmv_alloc(range_max, sizeof *out.cumulative, "scores", err)) == NULL ||
        (out.hits = kmv_alloc(range_max, sizeof *out.hits, "draws", err)) == NULL ||
        (out.log2_weight = kmv_alloc(most + tile->lanes, sizeof *out.log2_weight,
                                     "weights of the sample", err)) == NULL ||
        (st = kmv_packed_init(&out.keys, tile, KMV_KEYS, most, d, 1, err)) != KMV_OK ||
        (st = kmv_values_init(&out.values, tile, most, r, err)) != KMV_OK) {
        kmv_key_sample_clear(&out);
        return st;
    }
    *s = out;
    return KMV_OK;
}

void kmv_key_sample_clear(kmv_key_sample *s)
{
    if (s->rng != NULL)
        gsl_rng_free(s->rng);
    kmv_free(s->index);
    kmv_free(s->weight);
    kmv_free(s->cumulative);
    kmv_free(s->hits);
    kmv_free(s->log2_weight);
    kmv_packed_clear(&s->keys);
    kmv_values_clear(&s->values);
    *s = (kmv_key_sample){0};
}

/* The first j with cumulative[j] > u; the last one with a positive score where rounding left none.
 */
static size_t find(const double *cumulative, size_t n, double u)
{
    size_t lo = 0, hi = n - 1;

    while (lo < hi) {
        const size_t middle = lo + (hi - lo) / 2;

        if (cumulative[middle] > u)
            hi = middle;
        else
            lo = middle + 1;
    }
    while (lo > 0 && !(cumulative[lo] > cumulative[lo - 1]))
        lo--;
    return lo;
}

void kmv_key_sample_draw(kmv_key_sample *s, const double *score, size_t first, size_t n,
                         size_t draws)
{
    double sum = 0;

    for (size_t j = 0; j < n && score != NULL; j++) {
        sum += score[j];
        s->cumulative[j] = sum;
    }
    memset(s->hits, 0, n * sizeof *s->hits);
    for (size_t t = 0; t < draws; t++) {
        if (score != NULL)
            s->hits[find(s->cumulative, n, sum * gsl_rng_uniform(s->rng))]++;
        else
            s->hits[gsl_rng_uniform_int(s->rng, n)]++;
    }
    s->count = 0;
    for (size_t j = 0; j < n; j++) {
        const double p = score != NULL ? score[j] / sum : 1 / (double)n;

        if (s->hits[j] == 0)
            continue;
        s->index[s->count] = first + j;
        s->weight[s->count++] = (double)s->hits[j] / ((double)draws * p);
    }
}

void kmv_key_sample_pack(kmv_key_sample *s, const kmv_problem *problem, const double *centre,
                         const double *log2_extra, int threads, kmv_cost *cost)
{
    const size_t width = s->keys.width, padded = (s->count + width - 1) / width * width;

    if (s->count == 0)
        return;
    kmv_pack(&s->keys, problem, centre, s->index, s->count, threads, cost);
    for (size_t t = 0; t < padded; t++) {
        const double extra = log2_extra != NULL && t < s->count ? log2_extra[s->index[t]] : 0;

        s->log2_weight[t] = t < s->count ? (float)(log2(s->weight[t]) + extra) : -INFINITY;
    }
}

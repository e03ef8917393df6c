/* gauss/values.c - see values.h. */
#include "gauss/values.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"

kmv_status kmv_values_init(kmv_values *v, const kmv_tile *tile, size_t capacity, size_t r,
                           kmv_error *err)
{
    kmv_values out = {.tile = tile,
                      .capacity = (capacity / tile->lanes + 1) * tile->lanes,
                      .ld = kmv_round_up(r, 16),
                      .unit = 1};

    out.x = kmv_alloc_raw(out.capacity, out.ld * sizeof *out.x, "values of keys", err);
    if (out.x == NULL)
        return KMV_ENOMEM;
    *v = out;
    return KMV_OK;
}

void kmv_values_clear(kmv_values *v)
{
    kmv_free(v->x);
    *v = (kmv_values){0};
}

enum { LOWEST = -1000, HIGHEST = 1023 }; /* unit and 1 / unit stay finite */

static const double *row_of(const kmv_packed *k, const double *x, size_t r, size_t slot)
{
    const size_t point = k->index != NULL ? k->index[slot] : slot;

    return point != KMV_EMPTY_SLOT ? x + point * r : NULL;
}

void kmv_values_load(kmv_values *v, const kmv_packed *k, const double *x, size_t r, int threads)
{
    const size_t n = k->n, padded = (n + k->width - 1) / k->width * k->width;
    double top = 0;
    int exponent;

    threads = kmv_threads_for(4.0 * (double)(n * r), threads);
#pragma omp parallel for num_threads(threads) schedule(static) reduction(max : top)
    for (size_t j = 0; j < n; j++) {
        const double *row = row_of(k, x, r, j);

        for (size_t c = 0; c < r && row != NULL; c++)
            top = fabs(row[c]) > top ? fabs(row[c]) : top;
    }
    frexp(top, &exponent);
    exponent = exponent > LOWEST ? exponent : LOWEST;
    exponent = exponent < HIGHEST ? exponent : HIGHEST;
    v->unit = ldexp(1.0, exponent);
    v->r = r;
#pragma omp parallel for num_threads(threads) schedule(static)
    for (size_t j = 0; j < padded; j++) {
        const double *row = j < n ? row_of(k, x, r, j) : NULL;
        const double factor = 1 / v->unit;
        float *out = v->x + j * v->ld;

        for (size_t c = 0; c < r && row != NULL; c++)
            out[c] = (float)(factor * row[c]);
        memset(out + (row != NULL ? r : 0), 0, (v->ld - (row != NULL ? r : 0)) * sizeof *out);
    }
}

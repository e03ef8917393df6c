/* algo/projection.c - see projection.h. */
#include "algo/projection.h"

#include <math.h>

#include "base/mem.h"

/* Packing multiplies queries by log2(e) / sigma^2: that is 1. */
static kmv_problem unscaled(const kmv_points *q, const kmv_points *k)
{
    return (kmv_problem){.q = q, .k = k, .matrix = KMV_SOFTMAX, .sigma = sqrt(M_LOG2E)};
}

kmv_status kmv_directions_init(kmv_directions *a, size_t n, size_t d, const kmv_tile *tile,
                               kmv_error *err)
{
    kmv_directions out = {0};
    kmv_status st = KMV_ENOMEM;

    if ((out.zero = kmv_alloc(d, sizeof *out.zero, "zero", err)) == NULL ||
        (st = kmv_points_init(&out.rows, n, d, err)) != KMV_OK ||
        (st = kmv_packed_init(&out.packed, tile, KMV_KEYS, n, d, 0, err)) != KMV_OK) {
        kmv_directions_clear(&out);
        return st;
    }
    *a = out;
    return KMV_OK;
}

void kmv_directions_clear(kmv_directions *a)
{
    kmv_points_clear(&a->rows);
    kmv_packed_clear(&a->packed);
    kmv_free(a->zero);
    *a = (kmv_directions){0};
}

void kmv_directions_pack(kmv_directions *a)
{
    const kmv_problem problem = unscaled(NULL, &a->rows);
    kmv_cost ignored = {0}; /* a few directions for many points */

    kmv_pack(&a->packed, &problem, a->zero, NULL, a->rows.n, 1, &ignored);
}

kmv_status kmv_project_pack(kmv_packed *points, const kmv_scaled *s, const kmv_tile *tile,
                            int threads, kmv_cost *cost, kmv_error *err)
{
    const kmv_points rows = {.n = s->n, .d = s->d, .ld = s->ld, .x = s->x};
    const kmv_problem problem = unscaled(&rows, NULL);
    double *zero = kmv_alloc(s->d, sizeof *zero, "zero", err);
    kmv_status st = KMV_ENOMEM;

    if (zero != NULL &&
        (st = kmv_packed_init(points, tile, KMV_QUERIES, s->n, s->d, 0, err)) == KMV_OK)
        kmv_pack(points, &problem, zero, NULL, s->n, threads, cost);
    kmv_free(zero);
    return st;
}

size_t kmv_project_ld(const kmv_directions *a)
{
    const size_t width = a->packed.width;

    return kmv_round_up((a->rows.n + width - 1) / width * width, KMV_ALIGN / sizeof(float));
}

void kmv_project(const kmv_packed *points, const kmv_directions *a, size_t first, float *out)
{
    const kmv_packed *k = &a->packed;
    const size_t ld = kmv_project_ld(a), d = k->d;

    for (size_t m = 0; m < k->n; m += k->width)
        points->tile->exponents(points->x + first * d, points->offset + first, k->x + m * d,
                                k->offset + m, d, 1, out + m, ld);
}

/* algo/speeds.c - see speeds.h. */
#include "algo/speeds.h"

#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

enum { QUERIES = 96, KEYS = 4096, REPEATS = 3, EXP_FLOPS = 16 };

/* Flops per second of the fused tile, its exponential counted as EXP_FLOPS: 2.7 Gpairs/s per core
 * at d = 64 were measured with AMX, 1.5 with AVX-512; with AVX2 0.75 on that core and 0.24 on one
 * of Zen 1, whose vectors are half as wide. */
static double tile_flops(const kmv_tile *tile, size_t d)
{
    if (tile->split != NULL && d >= KMV_SPLIT_DIMS_MIN)
        return 4.0e11;
    if (strcmp(tile->vectors, "avx512") == 0)
        return 2.2e11;
    return strcmp(tile->vectors, "avx2") == 0 ? 0.7e11 : 1.0e10;
}

kmv_speeds kmv_speeds_nominal(const kmv_tile *tile, size_t d, size_t r)
{
    return (kmv_speeds){.pair_s = (2 * (double)(d + r) + EXP_FLOPS) / tile_flops(tile, d),
                        .flop_s = 0.5e-9,
                        .byte_s = 0.25e-9};
}

/* Seconds per byte of points fetched in an order that no prefetcher follows. */
static double gather_s(const kmv_points *points, size_t n)
{
    const size_t stride = 1031; /* a prime: visits every point once unless it divides n */
    const double start = kmv_now_s();
    volatile float sink;
    float sum = 0;
    double seconds;

    for (size_t i = 0, at = 0; i < n; i++, at = (at + stride) % n) {
        for (size_t l = 0; l < points->d; l++)
            sum += points->x[at * points->ld + l];
    }
    sink = sum;
    (void)sink;
    seconds = kmv_now_s() - start;
    return seconds / (4 * (double)n * (double)points->d);
}

kmv_status kmv_speeds_measure(const kmv_pilot *pilot, size_t r, kmv_speeds *out, kmv_error *err)
{
    const kmv_problem *p = pilot->problem;
    const size_t d = p->k->d, n_q = p->q->n < QUERIES ? p->q->n : QUERIES;
    const size_t n_k = p->k->n < KEYS ? p->k->n : KEYS;
    const kmv_points q = kmv_points_prefix(p->q, n_q), k = kmv_points_prefix(p->k, n_k);
    const kmv_problem part = {.q = &q, .k = &k, .matrix = p->matrix, .sigma = p->sigma};
    kmv_packed rows = {0}, keys = {0};
    double *x = NULL, *y = NULL;
    kmv_speeds best = {INFINITY, INFINITY, INFINITY};
    kmv_cost packing = {0}, product = {0};
    kmv_status st = KMV_ENOMEM;

    if ((x = kmv_alloc(n_k * r, sizeof *x, "x of the calibration", err)) == NULL ||
        (y = kmv_alloc(n_q * r, sizeof *y, "y of the calibration", err)) == NULL ||
        (st = kmv_packed_init(&rows, pilot->tile, KMV_QUERIES, n_q, d, 0, err)) != KMV_OK ||
        (st = kmv_packed_init(&keys, pilot->tile, KMV_KEYS, n_k, d, 0, err)) != KMV_OK)
        goto out;
    for (size_t j = 0; j < n_k * r; j++)
        x[j] = 1;
    kmv_pack(&rows, &part, pilot->centre, NULL, n_q, 1, &product);
    for (int repeat = 0; repeat < REPEATS; repeat++) {
        double start = kmv_now_s();

        packing = product = (kmv_cost){0};
        kmv_pack(&keys, &part, pilot->centre, NULL, n_k, 1, &packing);
        best.flop_s = fmin(best.flop_s, (kmv_now_s() - start) / packing.flops);
        start = kmv_now_s();
        kmv_product(&rows, &keys, &part, x, NULL, r, 1, pilot->workspace, y, &product);
        best.pair_s = fmin(best.pair_s, (kmv_now_s() - start) / product.pairs);
        best.byte_s = fmin(best.byte_s, gather_s(&k, n_k));
    }
    *out = best;
out:
    kmv_packed_clear(&rows);
    kmv_packed_clear(&keys);
    kmv_free(x);
    kmv_free(y);
    return st;
}

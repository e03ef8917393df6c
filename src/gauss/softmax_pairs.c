/* gauss/softmax_pairs.c - see softmax_pairs.h. Sums of one call are made apart, relative to its
 * largest exponents, and then merged. */
#include "gauss/softmax_pairs.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"

struct kmv_pair_space {
    size_t stride, ld; /* floats a thread; columns of values */
    float *buffers, *ones;
    kmv_softmax_sums sums; /* rows of a block for each thread */
};

kmv_status kmv_pair_space_create(const kmv_tile *tile, size_t r, int threads,
                                 kmv_pair_space **space, kmv_error *err)
{
    kmv_pair_space *out = kmv_alloc(1, sizeof *out, "space of weighted pairs", err);
    kmv_status st = KMV_ENOMEM;

    if (out == NULL)
        return st;
    out->ld = kmv_round_up(r, 16);
    out->stride = kmv_round_up(tile->rows * (2 * KMV_PAIR_KEYS + out->ld), 16);
    if ((out->buffers = kmv_alloc((size_t)threads, out->stride * sizeof(float),
                                  "buffers of threads", err)) == NULL ||
        (out->ones = kmv_alloc(KMV_PAIR_KEYS, sizeof(float), "ones", err)) == NULL ||
        (st = kmv_softmax_sums_init(&out->sums, tile, (size_t)threads * tile->rows, r, err)) !=
            KMV_OK) {
        kmv_pair_space_destroy(out);
        return st;
    }
    for (size_t j = 0; j < KMV_PAIR_KEYS; j++)
        out->ones[j] = 1;
    *space = out;
    return KMV_OK;
}

void kmv_pair_space_destroy(kmv_pair_space *space)
{
    if (space == NULL)
        return;
    kmv_free(space->buffers);
    kmv_free(space->ones);
    kmv_softmax_sums_clear(&space->sums);
    kmv_free(space);
}

float *kmv_pair_weights(kmv_pair_space *space, int thread)
{
    return space->buffers + (size_t)thread * space->stride;
}

/* p: exponents become weighted entries relative to 2^top; returns top, -infinity for a row of
 * weights 0. */
static float weigh(const kmv_tile *tile, const float *weight, size_t count, float *p)
{
    float top = -INFINITY;

#pragma omp simd reduction(max : top)
    for (size_t j = 0; j < count; j++) {
        p[j] = weight[j] > 0 ? p[j] : -INFINITY;
        top = p[j] > top ? p[j] : top;
    }
    top = ceilf(top);
    if (!isfinite(top)) {
        memset(p, 0, count * sizeof *p);
        return top;
    }
    for (size_t j = 0; j < count; j++)
        p[j] -= top;
    tile->exp2(p, count);
    for (size_t j = 0; j < count; j++)
        p[j] *= weight[j];
    return top;
}

void kmv_softmax_attend_pairs(const kmv_softmax_operands *o, size_t block, size_t count,
                              size_t panel, size_t panels, kmv_pair_space *space, int thread,
                              kmv_softmax_sums *sums, const size_t *row)
{
    const kmv_packed *q = o->q, *k = o->k;
    const kmv_tile *tile = q->tile;
    const size_t rows = q->width, lanes = k->width, d = q->d, keys = panels * lanes;
    const size_t ld = o->values->ld, r = o->values->r, own = (size_t)thread * rows;
    const float *weight = kmv_pair_weights(space, thread);
    float *p = space->buffers + (size_t)thread * space->stride + rows * KMV_PAIR_KEYS;
    float *part = p + rows * KMV_PAIR_KEYS;
    double *sum = space->sums.sum + own;

    for (size_t v = panel; v < panel + panels; v++)
        tile->exponents(q->x + block * rows * d, q->offset + block * rows, k->x + v * lanes * d,
                        k->offset + v * lanes, d, 1, p + (v - panel) * lanes, KMV_PAIR_KEYS);
    for (size_t i = 0; i < rows; i++) {
        if (i < count)
            space->sums.top[own + i] =
                weigh(tile, weight + i * KMV_PAIR_KEYS, keys, p + i * KMV_PAIR_KEYS);
        else
            memset(p + i * KMV_PAIR_KEYS, 0, keys * sizeof *p);
        sum[i] = 0;
    }
    memset(part, 0, rows * ld * sizeof *part);
    tile->row_sums(p, KMV_PAIR_KEYS, space->ones, keys, sum);
    tile->accumulate(p, KMV_PAIR_KEYS, keys, o->values->x + panel * lanes * ld, ld, part);
    for (size_t i = 0; i < count; i++) {
        double *y = space->sums.y + (own + i) * space->sums.ld;

        for (size_t c = 0; c < r; c++)
            y[c] = (double)part[i * ld + c];
        kmv_softmax_sums_merge(sums, row[i], &space->sums, own + i, r);
    }
}

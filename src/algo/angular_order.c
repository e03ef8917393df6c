/* algo/angular_order.c - see angular_order.h. */
#include "algo/angular_order.h"

#include <string.h>

#include "base/mem.h"
#include "gauss/pack.h"

uint32_t kmv_gray_rank(uint32_t code)
{
    for (unsigned shift = 1; shift < 32; shift *= 2)
        code ^= code >> shift;
    return code;
}

/* Mean of the points, in double. */
static void mean_of(const kmv_points *p, double *mean)
{
    memset(mean, 0, p->d * sizeof *mean);
    for (size_t i = 0; i < p->n; i++) {
        for (size_t l = 0; l < p->d; l++)
            mean[l] += (double)p->x[i * p->ld + l];
    }
    for (size_t l = 0; l < p->d; l++)
        mean[l] = mean[l] / (double)p->n + (p->origin != NULL ? p->origin[l] : 0);
}

static void ranks_of(const kmv_projections *planes, const kmv_points *points, const float *shift,
                     int threads, uint32_t *rank, kmv_cost *cost)
{
    const size_t steps = (points->n + KMV_PROJECTED_AT_ONCE - 1) / KMV_PROJECTED_AT_ONCE;
    const double flops = 2.0 * (double)(points->n * points->d * planes->count);

#pragma omp parallel for num_threads(kmv_threads_for(flops, threads)) schedule(static)
    for (size_t step = 0; step < steps; step++) {
        _Alignas(KMV_ALIGN) float product[KMV_PROJECTED_AT_ONCE * KMV_JOIN_BITS] = {0};
        const size_t first = step * KMV_PROJECTED_AT_ONCE, left = points->n - first;
        const size_t count = left < KMV_PROJECTED_AT_ONCE ? left : KMV_PROJECTED_AT_ONCE;

        kmv_projections_of(planes, points, shift, first, count, product);
        for (size_t t = 0; t < count; t++) {
            uint32_t code = 0;

            for (size_t b = 0; b < planes->count; b++)
                code |= (product[t * planes->ld + b] > 0 ? 1u : 0u) << b;
            rank[first + t] = kmv_gray_rank(code);
        }
    }
    cost->flops += flops;
}

kmv_status kmv_angular_ranks(const kmv_problem *problem, const kmv_tile *tile, size_t bits,
                             int centred, gsl_rng *rng, int threads, uint32_t *q_rank,
                             uint32_t *k_rank, kmv_cost *cost, kmv_error *err)
{
    kmv_projections planes = {0};
    double *mean = kmv_alloc(problem->q->d, sizeof *mean, "mean", err);
    kmv_status st = KMV_ENOMEM;

    if (mean == NULL || (st = kmv_projections_init(&planes, tile, bits, problem->q->d, rng, err)))
        goto out;
    for (int keys = 0; keys < 2; keys++) {
        const kmv_points *points = keys ? problem->k : problem->q;
        float shift[KMV_JOIN_BITS];

        if (centred)
            mean_of(points, mean);
        kmv_projections_shift(&planes, points, centred ? mean : NULL, shift);
        ranks_of(&planes, points, shift, threads, keys ? k_rank : q_rank, cost);
    }
    st = KMV_OK;
out:
    kmv_projections_clear(&planes);
    kmv_free(mean);
    return st;
}

void kmv_angular_sort(const uint32_t *rank, size_t bits, size_t first, size_t n, size_t *order)
{
    uint32_t start[(1 << KMV_ANGULAR_BITS_MAX) + 1];
    const size_t buckets = (size_t)1 << bits;

    memset(start, 0, (buckets + 1) * sizeof *start);
    for (size_t i = first; i < first + n; i++)
        start[rank[i] + 1]++;
    for (size_t b = 0; b < buckets; b++)
        start[b + 1] += start[b];
    for (size_t i = first; i < first + n; i++)
        order[start[rank[i]]++] = i;
}

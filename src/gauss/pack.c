/* gauss/pack.c - see pack.h. */
#include "gauss/pack.h"

#include <math.h>
#include <omp.h>
#include <string.h>

#include "base/mem.h"

static const double LOG2_E = 1.44269504088896340736;

kmv_status kmv_packed_init(kmv_packed *p, const kmv_tile *tile, kmv_role role, size_t capacity,
                           size_t d, int with_index, kmv_error *err)
{
    const size_t width = role == KMV_QUERIES ? tile->rows : tile->lanes;
    const size_t groups = capacity / width + (capacity % width != 0);
    kmv_packed out = {
        .tile = tile, .role = role, .width = width, .capacity = capacity, .n = 0, .d = d};

    out.x = kmv_alloc(groups * d, width * sizeof(float), "packed points", err);
    if (out.x != NULL)
        out.offset = kmv_alloc(groups, width * sizeof(float), "packed offsets", err);
    if (out.offset != NULL)
        out.reach = kmv_alloc(groups, sizeof(float), "reach of packed groups", err);
    if (out.reach != NULL && with_index)
        out.index = kmv_alloc(capacity, sizeof(size_t), "index of packed points", err);
    if (out.reach == NULL || (with_index && out.index == NULL)) {
        kmv_packed_clear(&out);
        return KMV_ENOMEM;
    }
    *p = out;
    return KMV_OK;
}

void kmv_packed_clear(kmv_packed *p)
{
    if (p == NULL)
        return;
    kmv_free(p->x);
    kmv_free(p->offset);
    kmv_free(p->reach);
    kmv_free(p->index);
    *p = (kmv_packed){0};
}

/* centre += weight (mean of p) */
static void add_mean(const kmv_points *p, double weight, double *centre)
{
    for (size_t l = 0; l < p->d; l++) {
        double sum = 0;

        for (size_t i = 0; i < p->n; i++)
            sum += (double)p->x[i * p->ld + l];
        centre[l] += weight * (sum / (double)p->n + (p->origin != NULL ? p->origin[l] : 0));
    }
}

void kmv_centre(const kmv_problem *problem, double *centre)
{
    const double n_q = (double)problem->q->n, n_k = (double)problem->k->n;

    memset(centre, 0, problem->q->d * sizeof *centre);
    add_mean(problem->q, n_q / (n_q + n_k), centre);
    add_mean(problem->k, n_k / (n_q + n_k), centre);
}

/* One group: points `which` (or first, first + 1, ...), `count` of them real. */
static double pack_group(kmv_packed *p, const kmv_problem *problem, const double *centre,
                         const size_t *which, size_t group)
{
    const kmv_points *points = p->role == KMV_QUERIES ? problem->q : problem->k;
    const double scale = LOG2_E / (problem->sigma * problem->sigma);
    const double factor = p->role == KMV_QUERIES ? scale : 1;
    const size_t first = group * p->width, width = p->width;
    float *x = p->x + first * p->d, *offset = p->offset + first;
    double norm2_max = 0;

    for (size_t s = 0; s < width; s++) {
        const int real = first + s < p->n;
        const size_t slot = real ? first + s : p->n - 1;
        const float *row = points->x + (which != NULL ? which[slot] : slot) * points->ld;
        double norm2 = 0, dot = 0;

        if (!real && p->role == KMV_KEYS) {
            for (size_t l = 0; l < p->d; l++)
                x[l * width + s] = 0;
            offset[s] = -INFINITY;
            continue;
        }
        for (size_t l = 0; l < p->d; l++) {
            const double origin = points->origin != NULL ? points->origin[l] : 0;
            const float value = (float)(factor * ((double)row[l] + (origin - centre[l])));
            const double exact = (double)value / factor;

            x[l * width + s] = value;
            norm2 += exact * exact;
            dot += exact * centre[l] + (p->role == KMV_QUERIES ? centre[l] * centre[l] : 0);
        }
        if (p->index != NULL && real)
            p->index[slot] = which != NULL ? which[slot] : slot;
        offset[s] = (float)(problem->matrix == KMV_GAUSS ? -scale / 2 * norm2 : scale * dot);
        if (!isfinite(norm2)) /* NaN would lose every comparison */
            norm2 = INFINITY;
        norm2_max = norm2_max >= norm2 ? norm2_max : norm2;
    }
    p->reach[group] = (float)(scale / 2 * norm2_max);
    return norm2_max / (problem->sigma * problem->sigma);
}

void kmv_pack(kmv_packed *p, const kmv_problem *problem, const double *centre, const size_t *which,
              size_t n, int threads, kmv_cost *cost)
{
    const size_t groups = n / p->width + (n % p->width != 0);
    double norm2_max = 0;

    p->n = n;
#pragma omp parallel for num_threads(threads) schedule(static) reduction(max : norm2_max)
    for (size_t g = 0; g < groups; g++) {
        const double norm2 = pack_group(p, problem, centre, which, g);

        norm2_max = norm2_max >= norm2 ? norm2_max : norm2;
    }
    p->norm2_max = norm2_max;
    cost->flops += 6.0 * (double)n * (double)p->d;
}

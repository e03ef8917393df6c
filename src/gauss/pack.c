/* gauss/pack.c - see pack.h. */
#include "gauss/pack.h"

#include <math.h>
#include <omp.h>
#include <string.h>

#include "base/mem.h"

enum { CHUNK = 64 }; /* coordinates packed at a time */

static const double LOG2_E = 1.44269504088896340736;

/* Slots that have parts: queries in whole groups of blocks. */
static size_t slots_of_parts(const kmv_tile *tile, kmv_role role, size_t groups)
{
    if (role == KMV_KEYS)
        return groups * tile->lanes;
    return (groups + KMV_BLOCKS_MAX - 1) / KMV_BLOCKS_MAX * KMV_BLOCKS_MAX * tile->rows;
}

kmv_status kmv_packed_init(kmv_packed *p, const kmv_tile *tile, kmv_role role, size_t capacity,
                           size_t d, int with_index, kmv_error *err)
{
    const size_t width = role == KMV_QUERIES ? tile->rows : tile->lanes;
    const size_t groups = capacity / width + (capacity % width != 0);
    const int split = tile->split != NULL && d >= KMV_SPLIT_DIMS_MIN;
    kmv_packed out = {
        .tile = tile, .role = role, .width = width, .capacity = capacity, .n = 0, .d = d};

    out.x = kmv_alloc_raw(groups * d, width * sizeof(float), "packed points", err);
    if (out.x != NULL)
        out.offset = kmv_alloc_raw(groups, width * sizeof(float), "packed offsets", err);
    if (out.offset != NULL && split)
        out.parts =
            kmv_alloc_raw(slots_of_parts(tile, role, groups) * kmv_round_up(d, KMV_SPLIT_DIMS),
                          KMV_SPLIT_PARTS * sizeof(uint16_t), "split points", err);
    if (out.offset != NULL && (!split || out.parts != NULL))
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
    kmv_free(p->parts);
    kmv_free(p->index);
    *p = (kmv_packed){0};
}

int kmv_threads_for(double flops, int threads)
{
    return flops < 3e5 ? 1 : threads;
}

/* sum += rows of p without the origin, all or evenly spread ones; returns how many. */
static size_t add_rows(const kmv_points *p, double *sum)
{
    enum { MOST = 1024 };
    const size_t step = p->n / MOST + 1;
    size_t count = 0;

    for (size_t i = 0; i < p->n; i += step, count++) {
        const float *row = p->x + i * p->ld;

        for (size_t l = 0; l < p->d; l++)
            sum[l] += (double)row[l];
    }
    return count;
}

void kmv_centre(const kmv_problem *problem, double *centre)
{
    const kmv_points *q = problem->q, *k = problem->k;
    double n_q, n_k;

    memset(centre, 0, q->d * sizeof *centre);
    n_q = (double)add_rows(q, centre);
    n_k = (double)add_rows(k, centre);
    for (size_t l = 0; l < q->d; l++) {
        const double o_q = q->origin != NULL ? q->origin[l] : 0;
        const double o_k = k->origin != NULL ? k->origin[l] : 0;

        centre[l] = (centre[l] + n_q * o_q + n_k * o_k) / (n_q + n_k);
    }
}

/* Everything about packing one role that does not depend on the point. */
typedef struct {
    const kmv_points *points;
    const double *centre;
    double factor;      /* what coordinates are multiplied by */
    double scale;       /* log2(e) / sigma^2 */
    double from_origin; /* softmax: what the centre alone adds to a query's logits */
    int gauss;
} packing;

/* a'b in double. Four partial sums that stay in registers, or the additions would wait for each
 * other. */
static double dot_product(const float *a, const double *b, size_t count)
{
    double sum[4] = {0};
    size_t l;

    for (l = 0; l + 4 <= count; l += 4) {
        sum[0] += (double)a[l] * b[l];
        sum[1] += (double)a[l + 1] * b[l + 1];
        sum[2] += (double)a[l + 2] * b[l + 2];
        sum[3] += (double)a[l + 3] * b[l + 3];
    }
    for (; l < count; l++)
        sum[0] += (double)a[l] * b[l];
    return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

/* Coordinates l0 .. l0 + count - 1 of one point, into column s of its group; their part of
 * |value|^2 and of value.centre. */
static void pack_part(const packing *g, const float *row, size_t l0, size_t count, size_t width,
                      float *x, double *norm2, double *dot)
{
    float value[CHUNK];
    double exact[CHUNK];
    const double *centre = g->centre + l0;

    if (g->points->origin != NULL) {
        const double *origin = g->points->origin + l0;

        for (size_t l = 0; l < count; l++)
            value[l] = (float)(g->factor * ((double)row[l0 + l] + (origin[l] - centre[l])));
    } else {
        for (size_t l = 0; l < count; l++)
            value[l] = (float)(g->factor * ((double)row[l0 + l] - centre[l]));
    }
    for (size_t l = 0; l < count; l++) {
        x[(l0 + l) * width] = value[l];
        exact[l] = (double)value[l];
    }
    *norm2 += dot_product(value, exact, count);
    if (!g->gauss)
        *dot += dot_product(value, centre, count);
}

static void split_group(kmv_packed *p, size_t group)
{
    const kmv_split *split = p->tile->split;
    const size_t per_point = KMV_SPLIT_PARTS * kmv_round_up(p->d, KMV_SPLIT_DIMS);
    const float *x = p->x + group * p->width * p->d;
    const size_t at = p->role == KMV_QUERIES ? group % KMV_BLOCKS_MAX : 0;
    uint16_t *parts = p->parts + (group - at) * p->width * per_point;

    if (p->role == KMV_QUERIES)
        split->queries(x, p->d, at, parts);
    else
        split->keys(x, p->d, parts);
}

/* A last group of query blocks may be incomplete; the matrix unit reads it whole. */
static void clear_last_parts(kmv_packed *p, size_t groups)
{
    const size_t per_point = KMV_SPLIT_PARTS * kmv_round_up(p->d, KMV_SPLIT_DIMS);
    const size_t at = groups % KMV_BLOCKS_MAX, first = (groups - at) * p->width;

    if (p->role == KMV_QUERIES && at > 0)
        memset(p->parts + first * per_point, 0,
               KMV_BLOCKS_MAX * p->width * per_point * sizeof *p->parts);
}

/* Returns the largest |p - c|^2 of the group; infinity where float overflowed. */
static double pack_group(kmv_packed *p, const packing *g, const size_t *which, size_t group)
{
    const size_t first = group * p->width, width = p->width;
    float *x = p->x + first * p->d, *offset = p->offset + first;
    double norm2_max = 0;

    for (size_t s = 0; s < width; s++) {
        const size_t slot = first + s < p->n ? first + s : p->n - 1;
        const size_t point = which != NULL ? which[slot] : slot;
        const int real = first + s < p->n && point != KMV_EMPTY_SLOT;
        const float *row;
        double norm2 = 0, dot = 0;

        if (p->index != NULL && first + s < p->n)
            p->index[slot] = point;
        if (!real && p->role == KMV_KEYS) {
            for (size_t l = 0; l < p->d; l++)
                x[l * width + s] = 0;
            offset[s] = -INFINITY;
            continue;
        }
        row = g->points->x + point * g->points->ld;
        for (size_t l = 0; l < p->d; l += CHUNK)
            pack_part(g, row, l, p->d - l < CHUNK ? p->d - l : CHUNK, width, x + s, &norm2, &dot);
        norm2 /= g->factor * g->factor;
        if (!isfinite(norm2)) /* NaN would lose every comparison */
            norm2 = INFINITY;
        offset[s] = (float)(g->gauss ? -g->scale / 2 * norm2
                                     : g->scale * (dot / g->factor + g->from_origin));
        norm2_max = norm2_max >= norm2 ? norm2_max : norm2;
    }
    p->reach[group] = (float)(g->scale / 2 * norm2_max);
    if (p->parts != NULL)
        split_group(p, group);
    return norm2_max;
}

void kmv_pack(kmv_packed *p, const kmv_problem *problem, const double *centre, const size_t *which,
              size_t n, int threads, kmv_cost *cost)
{
    const size_t groups = n / p->width + (n % p->width != 0);
    const double scale = LOG2_E / (problem->sigma * problem->sigma);
    const int is_query = p->role == KMV_QUERIES;
    packing g = {.points = is_query ? problem->q : problem->k,
                 .centre = centre,
                 .factor = is_query ? scale : 1,
                 .scale = scale,
                 .gauss = problem->matrix == KMV_GAUSS};
    const double flops = 6.0 * (double)n * (double)p->d;
    double norm2_max = 0;

    threads = kmv_threads_for(flops, threads);
    for (size_t l = 0; l < p->d && is_query; l++)
        g.from_origin += centre[l] * centre[l];
    p->n = n;
    if (p->parts != NULL)
        clear_last_parts(p, groups);
#pragma omp parallel for num_threads(threads) schedule(static) reduction(max : norm2_max)
    for (size_t i = 0; i < groups; i++) {
        const double norm2 = pack_group(p, &g, which, i);

        norm2_max = norm2_max >= norm2 ? norm2_max : norm2;
    }
    p->norm2_max = norm2_max / (problem->sigma * problem->sigma);
    p->parts_fit = p->parts != NULL && sqrt(norm2_max) * g.factor < KMV_SPLIT_MAX;
    cost->flops += flops;
}

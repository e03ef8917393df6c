/* algo/hash_points.c - points row by row for join kernels, and groups of keys; see hash_tables.h.
 */
#include <math.h>
#include <omp.h>
#include <string.h>

#include "algo/hash_tables.h"
#include "base/mem.h"
#include "base/status.h"
#include "gauss/pack.h"

static const double LOG2_E = 1.44269504088896340736;

/* row = factor (point - shift), rounded; returns |row|^2. */
static double fill_row(const kmv_points *p, size_t i, const double *shift, double factor,
                       float *row)
{
    const float *from = p->x + i * p->ld;
    double norm2 = 0;

    for (size_t l = 0; l < p->d; l++)
        row[l] = (float)(factor * ((double)from[l] - shift[l]));
    for (size_t l = 0; l < p->d; l++)
        norm2 += (double)row[l] * (double)row[l];
    return norm2;
}

/* The largest |offset|; infinite where float overflows. */
static double fill_points(const kmv_hash_input *in, kmv_hash_points *out, const kmv_points *p,
                          const double *shift, double scale, double factor, int threads)
{
    double reach = 0;

#pragma omp parallel for num_threads(threads) schedule(static) reduction(max : reach)
    for (size_t i = 0; i < p->n; i++) {
        float *row = out->x != NULL
                         ? out->x + i * out->ld
                         : in->room + (size_t)omp_get_thread_num() * KMV_JOIN_WIDTH * p->d;
        double offset = scale / 2 * fill_row(p, i, shift, factor, row) / (factor * factor);

        offset = isfinite((float)offset) ? offset : INFINITY; /* NaN would lose every comparison */
        out->offset[i] = (float)-offset;
        reach = reach >= offset ? reach : offset;
    }
    return reach;
}

void kmv_hash_key_rows(const kmv_hash_input *in, const uint32_t *key, size_t count, size_t width,
                       const float **row)
{
    const size_t d = in->k.d;
    float *room = in->room + (size_t)omp_get_thread_num() * KMV_JOIN_WIDTH * d;

    for (size_t i = 0; i < count; i++)
        (void)fill_row(in->keys, key[i], in->shift, 1, room + i * d);
    for (size_t i = 0; i < width; i++)
        row[i] = room + (i < count ? i : count - 1) * d;
}

static kmv_status points_init(kmv_hash_points *out, const kmv_points *p, int rows, const char *what,
                              kmv_error *err)
{
    out->n = p->n;
    out->d = p->d;
    out->ld = p->d;
    if ((rows && (out->x = kmv_alloc(p->n * out->ld, sizeof *out->x, what, err)) == NULL) ||
        (out->offset = kmv_alloc(p->n, sizeof *out->offset, what, err)) == NULL)
        return KMV_ENOMEM;
    return KMV_OK;
}

/* Largest reach at which the rounding of an exponent leaves an entry's relative error (rms) below
 * `error`: docs/numerics.md, "An entry", solved for it; one chain of d multiply-adds. */
static double reach_limit(size_t d, double error)
{
    return error / (0.69314718055994531 * 0x1p-24 * sqrt(0.243 * 0.243 * (double)d + 0.26));
}

kmv_status kmv_hash_input_init(kmv_hash_input *in, const kmv_problem *problem, const kmv_tile *tile,
                               double error, int threads, kmv_cost *cost, kmv_error *err)
{
    const size_t d = problem->k->d;
    const double scale = LOG2_E / (problem->sigma * problem->sigma), limit = reach_limit(d, error);
    kmv_hash_input out = {.kernel = kmv_join_for(tile), .keys = problem->k};
    double *centre = kmv_alloc(2 * d, sizeof *centre, "centre", err);
    double *shift_q = centre + d;
    kmv_status st = KMV_ENOMEM;

    if (centre == NULL || (out.shift = kmv_alloc(d, sizeof *out.shift, "centre", err)) == NULL ||
        (out.room = kmv_alloc((size_t)threads * KMV_JOIN_WIDTH * d, sizeof *out.room,
                              "rows of threads", err)) == NULL ||
        (st = points_init(&out.q, problem->q, 1, "queries", err)) != KMV_OK ||
        (st = points_init(&out.k, problem->k, 0, "keys", err)) != KMV_OK)
        goto out;
    kmv_centre(problem, centre);
    for (size_t l = 0; l < d; l++) {
        shift_q[l] = centre[l] - (problem->q->origin != NULL ? problem->q->origin[l] : 0);
        out.shift[l] = centre[l] - (problem->k->origin != NULL ? problem->k->origin[l] : 0);
    }
    out.reach = fill_points(&out, &out.q, problem->q, shift_q, scale, scale, threads) +
                fill_points(&out, &out.k, problem->k, out.shift, scale, 1, threads);
    cost->flops += 3.0 * (double)(out.q.n + out.k.n) * (double)d;
    if (!(out.reach <= limit)) {
        st =
            kmv_fail(err, KMV_ENOTSUP,
                     "sigma = %g is too small for these points: exponents reach %g, and entries to "
                     "%g want <= %g",
                     problem->sigma, out.reach, error, limit);
        goto out;
    }
    *in = out;
    out = (kmv_hash_input){0};
out:
    kmv_hash_input_clear(&out);
    kmv_free(centre);
    return st;
}

void kmv_hash_input_clear(kmv_hash_input *in)
{
    kmv_free(in->q.x);
    kmv_free(in->q.offset);
    kmv_free(in->shift);
    kmv_free(in->room);
    kmv_free(in->k.offset);
    *in = (kmv_hash_input){0};
}

kmv_status kmv_key_groups_init(kmv_key_groups *g, const kmv_hash_input *in, size_t n,
                               kmv_error *err)
{
    const size_t width = in->kernel->width, groups = n / width + (n % width != 0);
    kmv_key_groups out = {.buckets = 1, .capacity = groups};

    if ((out.group_start = kmv_alloc(2, sizeof(uint32_t), "buckets", err)) == NULL ||
        (out.entry_start = kmv_alloc(2, sizeof(uint32_t), "buckets", err)) == NULL ||
        (out.key = kmv_alloc(groups * width, sizeof(uint32_t), "keys in groups", err)) == NULL ||
        (out.x = kmv_alloc(groups * width * in->k.d, sizeof(float), "keys in groups", err)) ==
            NULL ||
        (out.offset = kmv_alloc(groups * width, sizeof(float), "keys in groups", err)) == NULL) {
        kmv_key_groups_clear(&out);
        return KMV_ENOMEM;
    }
    *g = out;
    return KMV_OK;
}

void kmv_key_groups_clear(kmv_key_groups *g)
{
    kmv_free(g->group_start);
    kmv_free(g->entry_start);
    kmv_free(g->key);
    kmv_free(g->query);
    kmv_free(g->x);
    kmv_free(g->offset);
    if (g->key_code != NULL)
        kmv_free(g->key_code[0]);
    kmv_free(g->key_code);
    *g = (kmv_key_groups){0};
}

void kmv_key_groups_pack(kmv_key_groups *g, const kmv_hash_input *in, int threads)
{
    const size_t width = in->kernel->width, d = in->k.d;

#pragma omp parallel for num_threads(threads) schedule(static)
    for (size_t group = 0; group < g->groups; group++) {
        const uint32_t *key = g->key + group * width;
        const float *row[KMV_JOIN_WIDTH];
        size_t count = 0;

        for (size_t s = 0; s < width; s++) {
            count += key[s] != KMV_NO_KEY;
            g->offset[group * width + s] = key[s] != KMV_NO_KEY ? in->k.offset[key[s]] : -INFINITY;
        }
        /* Empty slots, the last ones, hold some point at infinite distance. */
        kmv_hash_key_rows(in, key, count, width, row);
        in->kernel->pack(row, d, g->x + group * width * d);
    }
}

void kmv_key_groups_set(kmv_key_groups *g, const kmv_hash_input *in, const size_t *keys, size_t n,
                        int threads)
{
    const size_t width = in->kernel->width;

    g->groups = n / width + (n % width != 0);
    g->group_start[1] = (uint32_t)g->groups;
    g->entry_start[1] = (uint32_t)in->q.n;
    g->pairs = (double)n * (double)in->q.n;
    for (size_t s = 0; s < g->groups * width; s++)
        g->key[s] = s < n ? (uint32_t)keys[s] : KMV_NO_KEY;
    kmv_key_groups_pack(g, in, threads);
}

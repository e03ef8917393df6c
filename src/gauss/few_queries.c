/* gauss/few_queries.c - see few_queries.h. */
#include "gauss/few_queries.h"

#include <math.h>
#include <omp.h>
#include <stdint.h>
#include <string.h>

#include "base/mem.h"
#include "gauss/leaves.h"
#include "gauss/rows.h"
#include "gauss/softmax.h"

/* Keys that are summed up by one thread, and those that are copied, without their centre, at a
 * time: these and their values stay in L2 while all queries pass. */
enum { PART_KEYS = 2048, COPIED = 256, LOWEST = -1000 };

/* Room of one thread. */
typedef struct {
    float *keys, *values;  /* COPIED rows each */
    float *exponent, *sum; /* COPIED; ld_x */
} room;

struct kmv_few_queries {
    const kmv_problem *problem;
    const kmv_tile *tile;
    const kmv_row_kernel *kernel;
    int threads;
    size_t parts, ld_x;
    kmv_leaf_frame frame;
    float *queries;        /* n_q x ld: s q_i, in true coordinates */
    uint32_t list[COPIED]; /* 0, 1, 2, ... */
    kmv_softmax_sums sums; /* part after part, n_q rows each; at last the first n_q are all */
    room *rooms;
};

void kmv_few_queries_destroy(kmv_few_queries *f)
{
    if (f == NULL)
        return;
    for (int t = 0; f->rooms != NULL && t < f->threads; t++)
        kmv_free(f->rooms[t].keys);
    kmv_free(f->rooms);
    kmv_free(f->queries);
    kmv_softmax_sums_clear(&f->sums);
    kmv_leaf_frame_clear(&f->frame);
    kmv_free(f);
}

static kmv_status make_rooms(kmv_few_queries *f, kmv_error *err)
{
    const size_t ld = f->problem->k->ld;

    if ((f->rooms = kmv_alloc((size_t)f->threads, sizeof *f->rooms, "room of threads", err)) ==
        NULL)
        return KMV_ENOMEM;
    for (int t = 0; t < f->threads; t++) {
        room *own = f->rooms + t;

        own->keys =
            kmv_alloc(COPIED * (ld + f->ld_x + 1) + f->ld_x, sizeof(float), "copied keys", err);
        if (own->keys == NULL)
            return KMV_ENOMEM;
        own->values = own->keys + COPIED * ld;
        own->exponent = own->values + COPIED * f->ld_x;
        own->sum = own->exponent + COPIED;
    }
    return KMV_OK;
}

kmv_status kmv_few_queries_create(const kmv_problem *problem, const kmv_tile *tile, size_t r,
                                  int threads, kmv_few_queries **out, kmv_error *err)
{
    const kmv_points *q = problem->q;
    kmv_few_queries *f = kmv_alloc(1, sizeof *f, "exact attention", err);
    kmv_status st;

    if (f == NULL)
        return KMV_ENOMEM;
    f->problem = problem;
    f->tile = tile;
    f->kernel = kmv_row_kernel_for(tile);
    f->threads = threads;
    f->parts = (problem->k->n + PART_KEYS - 1) / PART_KEYS;
    f->ld_x = kmv_round_up(r, 16);
    for (size_t j = 0; j < COPIED; j++)
        f->list[j] = (uint32_t)j;
    if ((st = kmv_leaf_frame_init(&f->frame, problem, err)) != KMV_OK ||
        (st = kmv_softmax_sums_init(&f->sums, tile, f->parts * q->n, r, err)) != KMV_OK ||
        (st = make_rooms(f, err)) != KMV_OK)
        goto out;
    st = KMV_ENOMEM;
    if ((f->queries = kmv_alloc(q->n, q->ld * sizeof(float), "queries", err)) == NULL)
        goto out;
    for (size_t i = 0; i < q->n; i++) {
        for (size_t l = 0; l < q->d; l++)
            f->queries[i * q->ld + l] =
                (float)(f->frame.scale *
                        ((double)q->x[i * q->ld + l] + (q->origin != NULL ? q->origin[l] : 0)));
    }
    *out = f;
    return KMV_OK;
out:
    kmv_few_queries_destroy(f);
    return st;
}

/* Keys first .. first + count - 1 and their values, as floats; returns the largest of these. */
static double copy_rows(const kmv_few_queries *f, const double *x, size_t r, double factor,
                        size_t first, size_t count, room *own)
{
    const kmv_points *k = f->problem->k;
    double most[2] = {0, 0};

    for (size_t j = 0; j < count; j++) {
        const float *row = k->x + (first + j) * k->ld;
        const double *value = x + (first + j) * r;

        for (size_t l = 0; l < k->d; l++)
            own->keys[j * k->ld + l] = row[l] + f->frame.k_shift[l];
        for (size_t c = 0; c < r; c++) {
            const double v = factor * value[c];

            own->values[j * f->ld_x + c] = (float)v;
            most[c % 2] = fabs(v) > most[c % 2] ? fabs(v) : most[c % 2];
        }
    }
    return most[0] > most[1] ? most[0] : most[1];
}

/* Add the copied keys that the row sees. */
static void add_rows(kmv_few_queries *f, size_t part, size_t i, size_t count, size_t r, room *own)
{
    const kmv_points *q = f->problem->q, *k = f->problem->k;
    const size_t padded = kmv_round_up(count, 16);
    float top, total;

    if (count == 0)
        return;
    f->kernel->dots(f->queries + i * q->ld, own->keys, k->ld, f->list, count, own->exponent);
    for (size_t j = count; j < padded; j++)
        own->exponent[j] = -INFINITY;
    total = f->tile->soften(own->exponent, padded, &top);
    memset(own->sum, 0, f->ld_x * sizeof *own->sum);
    f->kernel->combine(own->exponent, own->values, f->ld_x, f->list, count, own->sum);
    kmv_softmax_sums_add(&f->sums, part * q->n + i, top, total, own->sum, r);
}

/* All sums with values divided by `unit`; returns the largest |x| / unit. */
static double sum_up(kmv_few_queries *f, const double *x, size_t r, double unit)
{
    const kmv_problem *p = f->problem;
    const size_t n_q = p->q->n, n_k = p->k->n;
    double largest = 0;

    kmv_softmax_sums_reset(&f->sums, 0, f->parts * n_q);
#pragma omp parallel for num_threads(f->threads) schedule(dynamic, 1) reduction(max : largest)
    for (size_t part = 0; part < f->parts; part++) {
        const size_t end = (part + 1) * PART_KEYS < n_k ? (part + 1) * PART_KEYS : n_k;
        room *own = f->rooms + omp_get_thread_num();

        for (size_t first = part * PART_KEYS; first < end; first += COPIED) {
            const size_t count = end - first < COPIED ? end - first : COPIED;
            const double most = copy_rows(f, x, r, 1 / unit, first, count, own);

            largest = most > largest ? most : largest;
            for (size_t i = 0; i < n_q; i++) {
                const size_t seen = kmv_leaf_seen(p, i), left = seen > first ? seen - first : 0;

                add_rows(f, part, i, left < count ? left : count, r, own);
            }
        }
    }
    return largest;
}

int kmv_few_queries_apply(kmv_few_queries *f, const double *x, size_t r, double *y, kmv_cost *cost)
{
    const kmv_problem *p = f->problem;
    const size_t n_q = p->q->n;
    const double largest = sum_up(f, x, r, 1), pairs = kmv_problem_pairs(p);
    double unit = 1;
    int good = 1, exponent;

    if (!(largest > 1e-25 && largest < 1e25)) { /* near the ends of float: again, in another unit */
        frexp(largest, &exponent);
        unit = ldexp(1.0, exponent > LOWEST ? exponent : LOWEST);
        sum_up(f, x, r, unit);
    }
    for (size_t i = 0; i < n_q; i++) {
        for (size_t part = 1; part < f->parts; part++)
            kmv_softmax_sums_merge(&f->sums, i, &f->sums, part * n_q + i, r);
        good &= isfinite(f->sums.sum[i]) && f->sums.sum[i] > 0 &&
                fabsf(f->sums.top[i]) <= KMV_SOFTMAX_EXPONENT_MAX;
        kmv_softmax_sums_row(&f->sums, i, r, unit, y + i * r);
    }
    cost->pairs += pairs;
    cost->flops += 2 * pairs * (double)(p->q->d + r);
    return good;
}

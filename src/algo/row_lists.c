/* algo/row_lists.c - see row_lists.h. */
#include "algo/row_lists.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"

enum {
    LANES = 16,   /* independent sums: one vector operation each */
    CHUNK = 1024, /* terms of a float sum */
    FEW = 64      /* keys per query from which on X is not copied */
};

static const double LOG2_E = 1.44269504088896340736;

const char *kmv_row_lists_reject(const kmv_problem *problem, const void *options, size_t r)
{
    (void)options;
    (void)r;
    return problem->k->n >= UINT32_MAX ? "2^32 keys or more" : NULL;
}

/* Mean of the keys, in double. */
static void key_mean(const kmv_points *k, double *mean)
{
    memset(mean, 0, k->d * sizeof *mean);
    for (size_t j = 0; j < k->n; j++) {
        for (size_t l = 0; l < k->d; l++)
            mean[l] += (double)k->x[j * k->ld + l];
    }
    for (size_t l = 0; l < k->d; l++)
        mean[l] = mean[l] / (double)k->n + (k->origin != NULL ? k->origin[l] : 0);
}

static kmv_status take_points(kmv_row_lists *l, kmv_error *err)
{
    const kmv_problem *p = l->problem;
    const size_t d = p->q->d;
    double *centre = kmv_alloc(2 * d, sizeof *centre, "centres", err);
    kmv_status st = KMV_ENOMEM;

    if (centre == NULL)
        return st;
    if (p->matrix == KMV_SOFTMAX) {
        key_mean(p->k, centre + d);
    } else {
        kmv_centre(p, centre);
        memcpy(centre + d, centre, d * sizeof *centre);
    }
    if ((st = kmv_scaled_init(&l->q, p->q, centre, p->sigma, err)) == KMV_OK)
        st = kmv_scaled_init(&l->k, p->k, centre + d, p->sigma, err);
    kmv_free(centre);
    return st;
}

kmv_status kmv_row_lists_init(kmv_row_lists *l, const kmv_problem *problem, const kmv_tile *tile,
                              int with_points, size_t capacity, size_t r, int threads,
                              kmv_error *err)
{
    const size_t n_k = problem->k->n, lists = (size_t)threads;
    kmv_row_lists out = {.problem = problem,
                         .tile = tile,
                         .kernel = kmv_row_kernel_for(tile),
                         .threads = threads,
                         .capacity = capacity};
    kmv_status st = KMV_ENOMEM;

    out.slots = (kmv_packed){.tile = tile, .role = KMV_KEYS, .width = tile->lanes, .n = n_k};
    if ((st = kmv_values_init(&out.values, tile, n_k, r, err)) != KMV_OK ||
        (st = kmv_softmax_sums_init(&out.row, tile, lists, r, err)) != KMV_OK)
        goto fail;
    st = KMV_ENOMEM;
    if ((out.part = kmv_alloc(lists, out.values.ld * sizeof *out.part, "sums of lists", err)) ==
            NULL ||
        (out.list = kmv_alloc(lists, capacity * sizeof *out.list, "lists of keys", err)) == NULL ||
        (out.exponent = kmv_alloc(lists, capacity * sizeof *out.exponent, "exponents of lists",
                                  err)) == NULL ||
        (with_points && (st = take_points(&out, err)) != KMV_OK))
        goto fail;
    *l = out;
    return KMV_OK;
fail:
    kmv_row_lists_clear(&out);
    return st;
}

void kmv_row_lists_clear(kmv_row_lists *l)
{
    kmv_scaled_clear(&l->q);
    kmv_scaled_clear(&l->k);
    kmv_values_clear(&l->values);
    kmv_softmax_sums_clear(&l->row);
    kmv_free(l->part);
    kmv_free(l->list);
    kmv_free(l->exponent);
    *l = (kmv_row_lists){0};
}

kmv_status kmv_row_lists_order(kmv_row_lists *l, const size_t *order, kmv_error *err)
{
    kmv_scaled *k = &l->k;
    float *x = kmv_alloc_raw(k->n, k->ld * sizeof *x, "ordered keys", err);

    if (x == NULL)
        return KMV_ENOMEM;
    for (size_t j = 0; j < k->n; j++)
        memcpy(x + j * k->ld, k->x + order[j] * k->ld, k->ld * sizeof *x);
    kmv_free(k->x);
    k->x = x;
    l->slots.index = (size_t *)order; /* only read */
    return KMV_OK;
}

void kmv_row_lists_take(kmv_row_lists *l, const double *x, size_t r)
{
    if (l->problem->q->n > l->problem->k->n / FEW) {
        kmv_row_lists_load(l, x, r);
        return;
    }
    l->x = x;
    l->values.r = r;
    l->values.unit = 1;
}

void kmv_row_lists_load(kmv_row_lists *l, const double *x, size_t r)
{
    l->x = NULL;
    kmv_values_load(&l->values, &l->slots, x, r, l->threads);
}

uint32_t *kmv_row_list(const kmv_row_lists *l, int thread)
{
    return l->list + (size_t)thread * l->capacity;
}

float *kmv_row_exponent(const kmv_row_lists *l, int thread)
{
    return l->exponent + (size_t)thread * l->capacity;
}

void kmv_row_exponents(const kmv_row_lists *l, size_t i, const uint32_t *list, size_t count,
                       float *exponent)
{
    const float *u = l->q.x + i * l->q.ld;
    const int gauss = l->problem->matrix == KMV_GAUSS;
    const float factor = (float)(gauss ? -LOG2_E / 2 : LOG2_E);

    if (gauss)
        l->kernel->distances2(u, l->k.x, l->k.ld, list, count, exponent);
    else
        l->kernel->dots(u, l->k.x, l->k.ld, list, count, exponent);
    for (size_t t = 0; t < count; t++)
        exponent[t] *= factor;
}

/* y[c] += sum of p[t] times the values of the list, in units of values.unit. */
static void combine(const kmv_row_lists *l, int thread, const float *p, const uint32_t *list,
                    size_t count, double factor, double *y)
{
    const size_t r = l->values.r;
    float *part = l->part + (size_t)thread * l->values.ld;

    if (l->x != NULL) {
        for (size_t t = 0; t < count; t++) {
            const size_t key = l->slots.index != NULL ? l->slots.index[list[t]] : list[t];
            const double weight = (double)p[t];

            for (size_t c = 0; c < r; c++)
                y[c] += weight * l->x[key * r + c];
        }
        return;
    }
    memset(part, 0, l->values.ld * sizeof *part);
    l->kernel->combine(p, l->values.x, l->values.ld, list, count, part);
    for (size_t c = 0; c < r; c++)
        y[c] += factor * (double)part[c];
}

static float largest(const float *v, size_t count)
{
    float part[LANES], top = -INFINITY;
    size_t t = 0;

    for (size_t m = 0; m < LANES; m++)
        part[m] = -INFINITY;
    for (; t + LANES <= count; t += LANES) {
        for (size_t m = 0; m < LANES; m++)
            part[m] = v[t + m] > part[m] ? v[t + m] : part[m];
    }
    for (; t < count; t++)
        top = v[t] > top ? v[t] : top;
    for (size_t m = 0; m < LANES; m++)
        top = part[m] > top ? part[m] : top;
    return top;
}

/* Of at most CHUNK numbers. */
static double sum_of(const float *v, size_t count)
{
    float part[LANES] = {0};
    double sum = 0;
    size_t t = 0;

    for (; t + LANES <= count; t += LANES) {
        for (size_t m = 0; m < LANES; m++)
            part[m] += v[t + m];
    }
    for (; t < count; t++)
        sum += (double)v[t];
    for (size_t m = 0; m < LANES; m++)
        sum += (double)part[m];
    return sum;
}

/* One chunk into the thread's row of sums. */
static void sum_chunk(kmv_row_lists *l, int thread, const uint32_t *list, float *exponent,
                      size_t count)
{
    kmv_softmax_sums *row = &l->row;
    float top = largest(exponent, count);

    kmv_softmax_sums_reset(row, (size_t)thread, 1);
    if (!isfinite(top)) /* all left out */
        return;
    top = ceilf(top);
    for (size_t t = 0; t < count; t++)
        exponent[t] -= top;
    l->tile->exp2(exponent, count);
    combine(l, thread, exponent, list, count, 1, row->y + (size_t)thread * row->ld);
    row->top[thread] = top;
    row->sum[thread] = sum_of(exponent, count);
}

void kmv_row_add(kmv_row_lists *l, int thread, const uint32_t *list, float *exponent, size_t count,
                 kmv_softmax_sums *sums, size_t row)
{
    for (size_t t = 0, take; t < count; t += take) {
        take = count - t < CHUNK ? count - t : CHUNK;
        sum_chunk(l, thread, list + t, exponent + t, take);
        kmv_softmax_sums_merge(sums, row, &l->row, (size_t)thread, l->values.r);
    }
}

void kmv_row_add_weighted(kmv_row_lists *l, int thread, const uint32_t *list, const float *weight,
                          size_t count, double *y)
{
    for (size_t t = 0, take; t < count; t += take) {
        take = count - t < CHUNK ? count - t : CHUNK;
        combine(l, thread, weight + t, list + t, take, l->values.unit, y);
    }
}

/* gauss/leaves.c - see leaves.h. */
#include "gauss/leaves.h"

#include <math.h>
#include <omp.h>
#include <string.h>

#include "base/mem.h"
#include "gauss/pack.h"

enum {
    CENTRE_ROWS = 128,
    MEAN_ROWS = 512,
    LOWEST = -1000, /* exponents of a unit, so that it and 1 / unit stay finite */
    HIGHEST = 1023
};

static const double LOG2_E = 1.44269504088896340736;
static const float SUM_MAX = 0x1p100f;

/* Of |X|_F^2, and of its mean over rows, taken as they are. */
static const double NORM2_MOST = 1e12, ROW2_LEAST = 1e-12;

/* ---- frame ----------------------------------------------------------------------------------- */

/* Mean of some rows, in true coordinates. */
static void mean_of(const kmv_points *p, double *mean)
{
    const size_t step = p->n / CENTRE_ROWS + 1;
    size_t count = 0;

    for (size_t i = 0; i < p->n; i += step, count++) {
        for (size_t l = 0; l < p->d; l++)
            mean[l] += (double)p->x[i * p->ld + l];
    }
    for (size_t l = 0; l < p->d; l++)
        mean[l] = mean[l] / (double)count + (p->origin != NULL ? p->origin[l] : 0);
}

static void set_shift(const kmv_points *p, const double *centre, float *shift)
{
    for (size_t l = 0; l < p->d; l++)
        shift[l] = (float)((p->origin != NULL ? p->origin[l] : 0) - centre[l]);
}

kmv_status kmv_leaf_frame_init(kmv_leaf_frame *f, const kmv_problem *problem, kmv_error *err)
{
    const size_t d = problem->q->d, padded = kmv_round_up(d, KMV_SPLIT_DIMS);
    const int gauss = problem->matrix == KMV_GAUSS;
    kmv_leaf_frame out = {.scale = LOG2_E / (problem->sigma * problem->sigma)};
    double *mean_q = kmv_alloc(2 * d, sizeof *mean_q, "centres", err), *mean_k = mean_q + d;

    out.q_shift = kmv_alloc(3 * padded, sizeof(float), "centres", err);
    if (mean_q == NULL || out.q_shift == NULL) {
        kmv_free(mean_q);
        kmv_free(out.q_shift);
        return KMV_ENOMEM;
    }
    out.k_shift = out.q_shift + padded;
    out.along = out.k_shift + padded;
    out.square = gauss ? -out.scale / 2 : 0;
    mean_of(problem->q, mean_q);
    mean_of(problem->k, mean_k);
    for (size_t l = 0; l < d && gauss; l++)
        mean_q[l] = mean_k[l] = (mean_q[l] + mean_k[l]) / 2;
    for (size_t l = 0; l < d && !gauss; l++)
        out.along[l] = (float)(out.scale * mean_q[l]);
    set_shift(problem->q, mean_q, out.q_shift);
    set_shift(problem->k, mean_k, out.k_shift);
    kmv_free(mean_q);
    *f = out;
    return KMV_OK;
}

void kmv_leaf_frame_clear(kmv_leaf_frame *f)
{
    kmv_free(f->q_shift);
    *f = (kmv_leaf_frame){0};
}

/* ---- sets ------------------------------------------------------------------------------------ */

kmv_status kmv_leaf_set_init(kmv_leaf_set *s, const kmv_attend_unit *unit, int keys, int parts,
                             size_t capacity, size_t d, kmv_error *err)
{
    kmv_leaf_set out = {.unit = *unit, .keys = keys, .parts = parts, .d = d};
    size_t most;

    out.each = keys ? unit->keys : unit->rows;
    out.size = keys ? unit->key_size(unit, d, parts) : unit->query_size(unit, d, parts);
    most = capacity / out.each + (capacity % out.each != 0);
    out.capacity = most * out.each;
    if ((out.data = kmv_alloc_raw(most, out.size, "packed points", err)) == NULL ||
        (out.offset = kmv_alloc_raw(out.capacity, sizeof(float), "packed offsets", err)) == NULL) {
        kmv_leaf_set_clear(&out);
        return KMV_ENOMEM;
    }
    *s = out;
    return KMV_OK;
}

void kmv_leaf_set_clear(kmv_leaf_set *s)
{
    kmv_free(s->data);
    kmv_free(s->offset);
    *s = (kmv_leaf_set){0};
}

void kmv_leaf_set_pack(kmv_leaf_set *s, const kmv_leaf_frame *f, const kmv_points *p,
                       const size_t *which, size_t n, int threads, kmv_cost *cost)
{
    const double flops = 6.0 * (double)n * (double)s->d;

    s->n = n;
    s->which = which;
    s->count = n / s->each + (n % s->each != 0);
#pragma omp parallel for num_threads(kmv_threads_for(flops, threads)) schedule(static)
    for (size_t m = 0; m < s->count; m++) {
        const size_t first = m * s->each, left = n - first;
        const kmv_attend_points from = {.x = p->x,
                                        .ld = p->ld,
                                        .d = s->d,
                                        .first = first,
                                        .which = which != NULL ? which + first : NULL,
                                        .shift = s->keys ? f->k_shift : f->q_shift,
                                        .factor = s->keys ? 1 : (float)f->scale,
                                        .square = (float)f->square,
                                        .along = s->keys ? f->along : NULL};
        const size_t count = left < s->each ? left : s->each;

        if (s->keys)
            s->unit.pack_keys(&s->unit, &from, count, s->parts, s->data + m * s->size,
                              s->offset + first);
        else
            s->unit.pack_queries(&s->unit, &from, count, s->parts, s->data + m * s->size,
                                 s->offset + first);
    }
    cost->flops += flops;
}

kmv_status kmv_leaf_values_init(kmv_leaf_values *v, const kmv_attend_unit *unit, int parts,
                                size_t capacity, size_t r, kmv_error *err)
{
    kmv_leaf_values out = {
        .unit = *unit, .parts = parts, .ld = kmv_round_up(r, unit->rounds ? 32 : 16)};
    const size_t most = capacity / unit->keys + (capacity % unit->keys != 0);

    out.capacity = most * unit->keys;
    out.size = unit->value_size(unit, out.ld, parts);
    out.data = kmv_alloc_raw(most, out.size, "values of keys", err);
    out.square = kmv_alloc_raw(out.capacity, sizeof *out.square, "squares of values", err);
    out.norm2 = kmv_alloc_raw(most, sizeof *out.norm2, "squares of values", err);
    if (out.data == NULL || out.square == NULL || out.norm2 == NULL) {
        kmv_leaf_values_clear(&out);
        return KMV_ENOMEM;
    }
    *v = out;
    return KMV_OK;
}

void kmv_leaf_values_clear(kmv_leaf_values *v)
{
    kmv_free(v->data);
    kmv_free(v->square);
    kmv_free(v->norm2);
    *v = (kmv_leaf_values){0};
}

double kmv_leaf_values_pack(kmv_leaf_values *v, const double *x, size_t r, const size_t *which,
                            size_t n, const double *shift, double factor, int threads)
{
    const size_t each = v->unit.keys, leaves = n / each + (n % each != 0);
    double norm2 = 0;

    v->r = r;
#pragma omp parallel for num_threads(kmv_threads_for(6.0 * (double)(n * r), threads))              \
    schedule(static)
    for (size_t m = 0; m < leaves; m++) {
        const size_t first = m * each, left = n - first;

        v->norm2[m] = v->unit.pack_values(
            &v->unit, x, r, first, which != NULL ? which + first : NULL, left < each ? left : each,
            shift, factor, v->ld, v->parts, v->data + m * v->size, v->square + first);
    }
    for (size_t m = 0; m < leaves; m++)
        norm2 += v->norm2[m];
    return norm2;
}

void kmv_leaf_values_mean(const double *x, size_t n, size_t r, double *mean)
{
    const size_t step = n / MEAN_ROWS + 1;
    size_t count = 0;

    memset(mean, 0, r * sizeof *mean);
    for (size_t j = 0; j < n; j += step, count++) {
        for (size_t c = 0; c < r; c++)
            mean[c] += (x[j * r + c] - mean[c]) / (double)(count + 1);
    }
}

double kmv_leaf_values_take(kmv_leaf_values *v, const double *x, size_t r, size_t n,
                            const double *shift, int threads, double *unit)
{
    const double norm2 = kmv_leaf_values_pack(v, x, r, NULL, n, shift, 1, threads);
    double largest = 0;
    int exponent;

    *unit = 1;
    if (norm2 > ROW2_LEAST * (double)n && norm2 < NORM2_MOST)
        return norm2;
    for (size_t m = 0; m < n * r; m++)
        largest = fabs(x[m]) > largest ? fabs(x[m]) : largest;
    frexp(largest, &exponent);
    exponent = exponent > LOWEST ? exponent : LOWEST;
    *unit = ldexp(1.0, exponent < HIGHEST ? exponent : HIGHEST);
    return kmv_leaf_values_pack(v, x, r, NULL, n, shift, 1 / *unit, threads);
}

/* ---- a block --------------------------------------------------------------------------------- */

kmv_status kmv_leaf_sums_init(kmv_leaf_sums *s, const kmv_attend_unit *unit, size_t ld,
                              kmv_error *err)
{
    const size_t rows = unit->rows;
    float *room =
        kmv_alloc(rows * (3 + ld + unit->keys) + 64, sizeof *room, "sums of a block", err);

    if (room == NULL)
        return KMV_ENOMEM;
    *s = (kmv_leaf_sums){.rows = rows, .ld = ld, .part = room};
    s->e = s->part + rows * ld;
    s->top = s->e + rows * unit->keys;
    s->sum = s->top + kmv_round_up(rows, 16);
    s->a = s->sum + kmv_round_up(rows, 16);
    return KMV_OK;
}

void kmv_leaf_sums_clear(kmv_leaf_sums *s)
{
    kmv_free(s->part);
    *s = (kmv_leaf_sums){0};
}

size_t kmv_leaf_seen(const kmv_problem *problem, size_t row)
{
    const size_t n_q = problem->q->n;

    return kmv_problem_sees(problem, row < n_q ? row : n_q - 1);
}

size_t kmv_leaf_row(const kmv_leaf_set *queries, size_t slot)
{
    slot = slot < queries->n ? slot : queries->n - 1;
    return queries->which != NULL ? queries->which[slot] : slot;
}

static void run(const kmv_leaf_set *queries, size_t block, const kmv_leaf_visit *visits,
                size_t n_visits, size_t seen_least, kmv_leaf_sums *s)
{
    memset(s->sum, 0, s->rows * sizeof *s->sum);
    memset(s->part, 0, s->rows * s->ld * sizeof *s->part);
    for (size_t i = 0; i < s->rows; i++)
        s->a[i] = queries->offset[block * s->rows + i] - s->top[i];
    for (size_t v = 0; v < n_visits; v++) {
        const kmv_leaf_visit *visit = visits + v;
        const kmv_attend_job job = {.block = queries->data + block * queries->size,
                                    .a = s->a,
                                    .keys = visit->keys->data,
                                    .b = visit->keys->offset,
                                    .list = visit->list,
                                    .count = visit->count,
                                    .offsets = visit->offsets,
                                    .seen = visit->masked ? s->seen : NULL,
                                    .seen_least = seen_least,
                                    .values = visit->values->data,
                                    .d = queries->d,
                                    .ld = s->ld,
                                    .parts = queries->parts,
                                    .sum = s->sum,
                                    .part = s->part};

        queries->unit.attend(&queries->unit, &job);
    }
}

/* Whether each row's sum is one that floats can hold: neither overflown nor vanished. */
static int in_range(const kmv_leaf_sums *s)
{
    int good = 1;

    for (size_t i = 0; i < s->rows; i++)
        good &= s->sum[i] <= SUM_MAX && s->sum[i] >= 1 / SUM_MAX;
    return good;
}

/* top = the largest exponent of each row among the visited keys; rows without any keep theirs. */
static void find_tops(const kmv_leaf_set *queries, size_t block, const kmv_leaf_visit *visits,
                      size_t n_visits, kmv_leaf_sums *s)
{
    const kmv_attend_unit *u = &queries->unit;
    float top[KMV_ATTEND_ROWS_MAX];

    for (size_t i = 0; i < s->rows; i++)
        top[i] = -INFINITY;
    for (size_t v = 0; v < n_visits; v++) {
        const kmv_leaf_visit *visit = visits + v;

        for (size_t l = 0; l < visit->count; l++) {
            const size_t leaf = visit->list[l], first = leaf * u->keys;

            u->exponents(
                u, queries->data + block * queries->size, queries->offset + block * s->rows,
                visit->keys->data + leaf * visit->keys->size,
                visit->offsets != NULL ? visit->offsets + l * u->keys : visit->keys->offset + first,
                1, queries->d, queries->parts, s->e, u->keys);
            for (size_t i = 0; i < s->rows; i++) {
                const size_t end = visit->masked && s->seen[i] < first + u->keys
                                       ? s->seen[i] > first ? s->seen[i] - first : 0
                                       : u->keys;

                for (size_t j = 0; j < end; j++)
                    top[i] = s->e[i * u->keys + j] > top[i] ? s->e[i * u->keys + j] : top[i];
            }
        }
    }
    for (size_t i = 0; i < s->rows; i++)
        s->top[i] = isfinite(top[i]) ? top[i] : s->top[i];
}

double kmv_leaf_block(const kmv_problem *problem, const kmv_leaf_set *queries, size_t block,
                      const kmv_leaf_visit *visits, size_t n_visits, kmv_leaf_sums *s)
{
    const size_t first = block * s->rows, keys = queries->unit.keys;
    const size_t rows = queries->n - first < s->rows ? queries->n - first : s->rows;
    size_t least = SIZE_MAX;
    double pairs = 0;

    for (size_t i = 0; i < s->rows; i++) {
        s->seen[i] = kmv_leaf_seen(problem, kmv_leaf_row(queries, first + i));
        least = s->seen[i] < least ? s->seen[i] : least;
    }
    run(queries, block, visits, n_visits, least, s);
    if (!in_range(s)) {
        find_tops(queries, block, visits, n_visits, s);
        run(queries, block, visits, n_visits, least, s);
    }
    for (size_t v = 0; v < n_visits; v++) {
        for (size_t l = 0; l < visits[v].count; l++) {
            const size_t from = (size_t)visits[v].list[l] * keys;
            const size_t end = from + keys < visits[v].keys->n ? from + keys : visits[v].keys->n;

            if (!visits[v].masked || least >= end) {
                pairs += (double)rows * (double)(end - from);
                continue;
            }
            for (size_t i = 0; i < rows; i++)
                pairs +=
                    s->seen[i] <= from ? 0 : (double)((s->seen[i] < end ? s->seen[i] : end) - from);
        }
    }
    return pairs;
}

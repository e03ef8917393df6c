/* algo/feature_product.c - see feature_product.h. */
#include "algo/feature_product.h"

#include <cblas.h>
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <string.h>

#include "algo/blas.h"
#include "algo/feature_loops.h"
#include "base/mem.h"

/* A chunk of queries or keys is one call of sgemm. A causal chunk also costs its pairs, so it is
 * smaller. Chunks are made ready in groups of `slots`, side by side by the threads. */
enum { CHUNK = 128, CHUNK_CAUSAL = 64, SLOTS = 16, SLOTS_LARGE = 4, MANY_FEATURES = 4096 };

/* What underflows within a causal chunk is below 2^-126 per feature and key; a denominator above
 * this does not miss it. */
static const double SAFE = 0x1p-90;

/* Rows as numbers times 2^scale. */
typedef struct {
    float *values, *scale;
} block;

/* Sums over keys: m x c numbers; feature f stands in units of 2^top[f], or all in 2^top[0]. */
typedef struct {
    float *part, *top;
} sums;

/* Of one thread. */
typedef struct {
    block raw, rows; /* as the map gives them; relative to the tops of some keys */
    float *x;        /* chunk x c: X in units, a column of ones for softmax */
    float *row_top, *y, *y_own, *pairs;
    double *sum; /* c */
} scratch;

struct kmv_feature_product {
    const kmv_problem *problem;
    const kmv_feature_map *map;
    const kmv_tile *tile;
    const kmv_feature_loops *loops;
    int threads;
    size_t chunk, slots, m, tops, columns_most;
    char *text;
    size_t text_size, text_base;

    block keys[SLOTS]; /* causal: features of the keys of a chunk */
    sums slot[SLOTS];  /* over the keys of a chunk; then over all keys before it */
    float *before;     /* [slots + 1][tops] */
    double *state;     /* m x c: over all keys so far */
    float *state_top;
    scratch *scratch; /* [threads] */
    float *floats;    /* the memory of all of these */

    /* of one apply */
    const double *x;
    size_t r, columns;
    double unit;
};

static int normalised(const kmv_feature_product *p)
{
    return p->problem->matrix == KMV_SOFTMAX;
}

double kmv_feature_entry(const kmv_feature_map *map, const float *q, double q_scale, const float *k,
                         double k_scale, double *exponent)
{
    double sum = 0, top = 0;

    if (map->exponents) {
        top = (double)q[0] + (double)k[0];
        for (size_t f = 1; f < map->features; f++)
            top = fmax(top, (double)q[f] + (double)k[f]);
    }
    for (size_t f = 0; f < map->features; f++)
        sum +=
            map->exponents ? exp2((double)q[f] + (double)k[f] - top) : (double)q[f] * (double)k[f];
    *exponent = top + q_scale + k_scale;
    return map->factor * sum;
}

/* ---- memory ---------------------------------------------------------------------------------- */

/* Deals out floats from `base` on, or only counts them when that is NULL. */
typedef struct {
    float *base;
    size_t used;
} dealer;

static float *take(dealer *from, size_t count)
{
    float *out = from->base != NULL ? from->base + from->used : NULL;

    from->used += kmv_round_up(count, KMV_ALIGN / sizeof *out);
    return out;
}

static block take_block(dealer *from, size_t chunk, size_t m)
{
    block b;

    b.values = take(from, chunk * m);
    b.scale = take(from, chunk);
    return b;
}

static size_t deal(kmv_feature_product *p, float *base)
{
    const size_t c = p->columns_most, chunk = p->chunk;
    dealer from = {base, 0};

    for (size_t s = 0; s < p->slots; s++) {
        p->slot[s].part = take(&from, p->m * c);
        p->slot[s].top = take(&from, p->tops);
        if (p->problem->causal)
            p->keys[s] = take_block(&from, chunk, p->m);
    }
    p->before = take(&from, (p->slots + 1) * p->tops);
    p->state = (double *)take(&from, 2 * p->m * c);
    p->state_top = take(&from, p->tops);
    for (int t = 0; t < p->threads; t++) {
        scratch *s = &p->scratch[t];

        s->raw = take_block(&from, chunk, p->m);
        s->rows = take_block(&from, chunk, p->m);
        s->x = take(&from, chunk * c);
        s->row_top = take(&from, chunk);
        s->y = take(&from, chunk * c);
        s->y_own = take(&from, chunk * c);
        s->pairs = take(&from, chunk * chunk);
        s->sum = (double *)take(&from, 2 * c);
    }
    return from.used;
}

kmv_status kmv_feature_product_create(const kmv_problem *problem, const kmv_feature_map *map,
                                      const kmv_prepare_context *context, kmv_feature_product **out,
                                      kmv_error *err)
{
    kmv_feature_product *p = kmv_alloc(1, sizeof *p, "product of features", err);

    if (p == NULL)
        return KMV_ENOMEM;
    p->problem = problem;
    p->map = map;
    p->tile = context->tile;
    p->loops = kmv_feature_loops_for(context->tile);
    p->threads = kmv_blas_threads(context->threads);
    p->m = map->features;
    p->tops = map->exponents ? p->m : 1;
    p->chunk = problem->causal ? CHUNK_CAUSAL : CHUNK;
    p->slots = p->m > MANY_FEATURES ? SLOTS_LARGE : SLOTS;
    p->columns_most = context->settings->r + (size_t)normalised(p);
    p->text = context->text;
    p->text_size = context->text_size;
    p->text_base = strlen(p->text);
    if ((p->scratch = kmv_alloc((size_t)p->threads, sizeof *p->scratch, "buffers", err)) == NULL ||
        (p->floats = kmv_alloc(deal(p, NULL), sizeof *p->floats, "features and sums", err)) ==
            NULL) {
        kmv_feature_product_destroy(p);
        return KMV_ENOMEM;
    }
    deal(p, p->floats);
    *out = p;
    return KMV_OK;
}

void kmv_feature_product_destroy(kmv_feature_product *p)
{
    if (p == NULL)
        return;
    kmv_free(p->scratch);
    kmv_free(p->floats);
    kmv_free(p);
}

/* ---- sums over keys -------------------------------------------------------------------------- */

/* C = A B, A rows x inner, or its transpose. */
static void gemm(int transposed, size_t rows, size_t columns, size_t inner, const float *a,
                 const float *b, float *c)
{
    if (columns == 1 && transposed) {
        cblas_sgemv(CblasRowMajor, CblasTrans, (int)inner, (int)rows, 1, a, (int)rows, b, 1, 0, c,
                    1);
        return;
    }
    cblas_sgemm(CblasRowMajor, transposed ? CblasTrans : CblasNoTrans, CblasNoTrans, (int)rows,
                (int)columns, (int)inner, 1, a, (int)(transposed ? rows : inner), b, (int)columns,
                0, c, (int)columns);
}

static void load_x(const kmv_feature_product *p, size_t first, size_t count, float *to)
{
    const size_t r = p->r, c = p->columns;

    for (size_t j = 0; j < count; j++) {
        for (size_t l = 0; l < r; l++)
            to[j * c + l] = (float)(p->x[(first + j) * r + l] / p->unit);
        if (c > r)
            to[j * c + r] = 1;
    }
}

/* Features of keys relative to their own tops. */
static void key_features(const kmv_feature_product *p, size_t first, size_t count, block to,
                         float *top)
{
    p->map->rows(p->map->map, KMV_KEYS, first, count, to.values, to.scale);
    if (p->map->exponents) {
        p->loops->column_tops(to.values, count, p->m, to.scale, top);
        p->loops->shift(to.values, count, p->m, to.scale, top);
        p->tile->exp2(to.values, count * p->m);
        return;
    }
    top[0] = to.scale[0];
    for (size_t j = 1; j < count; j++)
        top[0] = to.scale[j] > top[0] ? to.scale[j] : top[0];
    top[0] = ceilf(top[0]);
    for (size_t j = 0; j < count; j++)
        p->loops->scale(exp2f(to.scale[j] - top[0]), to.values + j * p->m, p->m);
}

static void sum_chunk(const kmv_feature_product *p, size_t s, size_t first, size_t count)
{
    const scratch *own = &p->scratch[omp_get_thread_num()];
    const block keys = p->problem->causal ? p->keys[s] : own->rows;

    key_features(p, first, count, keys, p->slot[s].top);
    load_x(p, first, count, own->x);
    gemm(1, p->m, p->columns, count, keys.values, own->x, p->slot[s].part);
}

/* Feature f: what each slot holds becomes the sum over all keys before it, and the state takes all
 * of them. Powers of two of whole numbers: no rounding. */
static void scan_feature(const kmv_feature_product *p, size_t f, size_t slots)
{
    const size_t c = p->columns, t = p->tops > 1 ? f : 0;
    double *state = p->state + f * c;

    for (size_t s = 0; s < slots; s++) {
        const double after = (double)p->before[(s + 1) * p->tops + t];
        const double keep = exp2((double)p->before[s * p->tops + t] - after);
        const double add = exp2((double)p->slot[s].top[t] - after);
        float *part = p->slot[s].part + f * c;

        for (size_t l = 0; l < c; l++) {
            const double own = (double)part[l];

            part[l] = (float)state[l];
            state[l] = keep * state[l] + add * own;
        }
    }
}

/* Keys first .. end - 1, at most a chunk for each slot. */
static void sum_group(kmv_feature_product *p, size_t first, size_t end)
{
    const size_t slots = (end - first + p->chunk - 1) / p->chunk;

#pragma omp parallel for num_threads(p->threads) schedule(dynamic, 1)
    for (size_t s = 0; s < slots; s++) {
        const size_t at = first + s * p->chunk;

        sum_chunk(p, s, at, end - at < p->chunk ? end - at : p->chunk);
    }
    memcpy(p->before, p->state_top, p->tops * sizeof *p->before);
    for (size_t s = 0; s < slots; s++) {
        const float *before = p->before + s * p->tops, *top = p->slot[s].top;
        float *after = p->before + (s + 1) * p->tops;

        for (size_t t = 0; t < p->tops; t++)
            after[t] = top[t] > before[t] ? top[t] : before[t];
    }
#pragma omp parallel for num_threads(p->threads) schedule(static)
    for (size_t f = 0; f < p->m; f++)
        scan_feature(p, f, slots);
    memcpy(p->state_top, p->before + slots * p->tops, p->tops * sizeof *p->before);
}

static void sum_keys(kmv_feature_product *p, size_t first, size_t end)
{
    const size_t step = p->slots * p->chunk;

    for (; first < end; first += step)
        sum_group(p, first, end - first < step ? end : first + step);
}

/* ---- rows of the product --------------------------------------------------------------------- */

/* Queries first .. first + count - 1, and what they see: `before`, and of the chunk's own keys
 * those up to the query's own. */
typedef struct {
    const kmv_feature_product *p;
    const scratch *own;
    size_t first, count;
    const sums *before; /* NULL: no keys before */
    const block *keys;  /* NULL: not causal */
    const float *key_top;
} rows;

/* The raw features of the queries times 2^top, and the power of two each row then stands for. */
static const float *against(const rows *w, const float *top)
{
    const kmv_feature_product *p = w->p;

    if (!p->map->exponents) {
        for (size_t i = 0; i < w->count; i++)
            w->own->row_top[i] = top[0];
        return w->own->raw.values;
    }
    p->loops->shift_rows(w->own->raw.values, w->count, p->m, top, w->own->rows.values,
                         w->own->row_top);
    p->tile->exp2(w->own->rows.values, w->count * p->m);
    return w->own->rows.values;
}

static void mask(float *pairs, size_t count)
{
    for (size_t i = 0; i < count; i++)
        memset(pairs + i * count + i + 1, 0, (count - i - 1) * sizeof *pairs);
}

/* Add 2^power y to the row's sum, which stands in units of 2^*top. */
static void merge(double *sum, double *top, const float *y, size_t c, double power)
{
    const double most = power > *top ? power : *top, keep = exp2(*top - most);
    const double add = exp2(power - most);

    for (size_t l = 0; l < c; l++)
        sum[l] = keep * sum[l] + add * (double)y[l];
    *top = most;
}

/* The chunk's own keys for query i, one by one in the log domain. raw: their features. */
static void merge_pairs(const rows *w, size_t i, const float *raw, const float *scale, double *top)
{
    const kmv_feature_product *p = w->p;
    const size_t c = p->columns;

    for (size_t j = 0; j <= i; j++) {
        double power;
        const double a = kmv_feature_entry(p->map, w->own->raw.values + i * p->m, 0, raw + j * p->m,
                                           (double)scale[j], &power) /
                         p->map->factor;

        for (size_t l = 0; l < c; l++)
            w->own->y_own[i * c + l] = (float)a * w->own->x[j * c + l];
        merge(w->own->sum, top, w->own->y_own + i * c, c, power);
    }
}

/* y_i from its sum; whether there was a positive denominator. */
static int finish_row(const rows *w, size_t i, double top, double *y)
{
    const kmv_feature_product *p = w->p;
    const double *sum = w->own->sum;
    double *row = y + (w->first + i) * p->r, scale;

    if (normalised(p) && !(sum[p->r] > 0)) {
        memset(row, 0, p->r * sizeof *row);
        return 0;
    }
    scale = normalised(p) ? p->unit / sum[p->r]
                          : p->unit * p->map->factor * exp2(top + (double)w->own->raw.scale[i]);
    for (size_t l = 0; l < p->r; l++)
        row[l] = scale * sum[l];
    return 1;
}

/* Rows of the product; returns how many had no positive denominator. */
static size_t multiply(const rows *w, double *y)
{
    const kmv_feature_product *p = w->p;
    const scratch *own = w->own;
    const size_t c = p->columns, count = w->count;
    float before_top[CHUNK];
    size_t lost = 0;
    int have_raw_keys = 0;

    p->map->rows(p->map->map, KMV_QUERIES, w->first, count, own->raw.values, own->raw.scale);
    if (w->before != NULL) {
        gemm(0, count, c, p->m, against(w, w->before->top), w->before->part, own->y);
        memcpy(before_top, own->row_top, count * sizeof *before_top);
    }
    if (w->keys != NULL) {
        const size_t shift = p->problem->k->n - p->problem->q->n;

        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)count, (int)count, (int)p->m, 1,
                    against(w, w->key_top), (int)p->m, w->keys->values, (int)p->m, 0, own->pairs,
                    (int)count);
        mask(own->pairs, count);
        load_x(p, w->first + shift, count, own->x);
        gemm(0, count, c, count, own->pairs, own->x, own->y_own);
    }
    for (size_t i = 0; i < count; i++) {
        double top = -INFINITY;

        memset(own->sum, 0, c * sizeof *own->sum);
        if (w->before != NULL)
            merge(own->sum, &top, own->y + i * c, c, (double)before_top[i]);
        if (w->keys != NULL) {
            const double power = (double)own->row_top[i];
            const double seen = normalised(p) ? own->sum[p->r] * exp2(top - power) +
                                                    (double)own->y_own[i * c + p->r]
                                              : 1;

            if (seen > SAFE)
                merge(own->sum, &top, own->y_own + i * c, c, power);
            else {
                if (!have_raw_keys) /* the room of the rows is free by now */
                    p->map->rows(p->map->map, KMV_KEYS,
                                 w->first + p->problem->k->n - p->problem->q->n, count,
                                 own->rows.values, own->rows.scale);
                have_raw_keys = 1;
                merge_pairs(w, i, own->rows.values, own->rows.scale, &top);
            }
        }
        lost += !finish_row(w, i, top, y);
    }
    return lost;
}

/* Queries first .. end - 1, all of which see all the keys summed so far. */
static size_t multiply_all(kmv_feature_product *p, double *y)
{
    const size_t n_q = p->problem->q->n;
    const sums all = {p->slot[0].part, p->state_top};
    size_t lost = 0;

    for (size_t l = 0; l < p->m * p->columns; l++)
        all.part[l] = (float)p->state[l];
#pragma omp parallel for num_threads(p->threads) schedule(dynamic, 1) reduction(+ : lost)
    for (size_t first = 0; first < n_q; first += p->chunk) {
        const rows w = {.p = p,
                        .own = &p->scratch[omp_get_thread_num()],
                        .first = first,
                        .count = n_q - first < p->chunk ? n_q - first : p->chunk,
                        .before = &all};

        lost += multiply(&w, y);
    }
    return lost;
}

static size_t multiply_causal(kmv_feature_product *p, double *y)
{
    const size_t n_q = p->problem->q->n, shift = p->problem->k->n - n_q;
    const size_t step = p->slots * p->chunk;
    size_t lost = 0;

    sum_keys(p, 0, shift);
    for (size_t group = 0; group < n_q; group += step) {
        const size_t end = n_q - group < step ? n_q : group + step;

        sum_group(p, group + shift, end + shift);
#pragma omp parallel for num_threads(p->threads) schedule(dynamic, 1) reduction(+ : lost)
        for (size_t s = 0; s < (end - group + p->chunk - 1) / p->chunk; s++) {
            const size_t first = group + s * p->chunk;
            const sums before = {p->slot[s].part, p->before + s * p->tops};
            const rows w = {.p = p,
                            .own = &p->scratch[omp_get_thread_num()],
                            .first = first,
                            .count = end - first < p->chunk ? end - first : p->chunk,
                            .before = first + shift > 0 ? &before : NULL,
                            .keys = &p->keys[s],
                            .key_top = p->slot[s].top};

            lost += multiply(&w, y);
        }
    }
    return lost;
}

/* ---- the whole ------------------------------------------------------------------------------- */

static double unit_of(const double *x, size_t count)
{
    double top = 0;
    int exponent;

    for (size_t i = 0; i < count; i++)
        top = fabs(x[i]) > top ? fabs(x[i]) : top;
    frexp(top, &exponent);
    return ldexp(1, exponent > -1000 ? exponent : -1000); /* 1 / unit stays finite */
}

void kmv_feature_product_apply(kmv_feature_product *p, kmv_apply_context *context)
{
    const size_t n_q = p->problem->q->n, n_k = p->problem->k->n;
    const double m = (double)p->m;
    size_t lost;

    p->x = context->x;
    p->r = context->r;
    p->columns = p->r + (size_t)normalised(p);
    p->unit = unit_of(p->x, n_k * p->r);
    memset(p->state, 0, p->m * p->columns * sizeof *p->state);
    for (size_t t = 0; t < p->tops; t++)
        p->state_top[t] = -INFINITY;
    if (p->problem->causal)
        lost = multiply_causal(p, context->y);
    else {
        sum_keys(p, 0, n_k);
        lost = multiply_all(p, context->y);
    }
    context->cost->flops += (double)(n_q + n_k) * (p->map->flops + 2 * m * (double)p->columns);
    if (p->problem->causal)
        context->cost->flops += 2.0 * (double)n_q * CHUNK_CAUSAL * (m + (double)p->columns);
    p->text[p->text_base] = '\0';
    if (lost > 0)
        snprintf(p->text + p->text_base, p->text_size - p->text_base,
                 "; %zu rows without a positive denominator answered with 0", lost);
}

/* algo/algo_hbe.c - hashing-based estimate of every row.
 *
 * One draw hashes all keys and queries with fresh Euclidean hashes of collision probability p(r), r
 * in units of sigma, picks for query i one of the C keys in its cell, key j, uniformly, and takes
 *     Z_i = C K_ij x_j / p(r_ij)          (0 for an empty cell).
 * Unbiased for any x: E Z_i = (K x)_i. For any hash
 *     E |Z_i|^2 <= sum_j sum_l (K_ij^2 |x_j|^2 / p_ij^2) min(p_ij, p_il),
 * since a third key shares the cell of both no more often than each of them does. y_i is the mean
 * of `draws` of them: the expected squared error of a row is at most that over `draws`.
 * Source: Charikar & Siminelakis, FOCS 2017 (arXiv 1808.10530), Gaussian kernel; hash of Datar,
 * Immorlica, Indyk & Mirrokni 2004. A currency of its own: with p = K^(1/2) their bound is relative
 * to the density (K 1)_i of nonnegative sums, 1/sqrt(mu) draws for density mu n; for x of any sign
 * it is an absolute error per row.
 *
 * p(r0) = n^-1/2 at the r0 = sqrt(2 ln n) where K = 1/n, which is p = K^(1/2) there; the curve
 * between is that of the hash, wider than K^(1/2) nearby. `hashes` sets another number of
 * functions.
 *
 * Ours: x stands in the estimator, with its signs and r columns; the median of means, which turns
 * the variance into a failure probability for each row, is left out: it is biased, and judged here
 * is the error of all rows together. A masked key counts as a draw of 0. All draws are made in
 * apply, so each product has fresh ones. Rows share the tables, so their errors are dependent. */
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <string.h>

#include "algo/algo.h"
#include "algo/kde_hash.h"
#include "algo/projection.h"
#include "algo/row_lists.h"
#include "base/mem.h"
#include "base/rng.h"

typedef struct {
    size_t draws, hashes;
    double width;
} opts;

static const kmv_option options[] = {
    {"draws", KMV_OPT_SIZE, offsetof(opts, draws), "256", 1, 1e6, "tables, one draw a query each",
     NULL},
    {"hashes", KMV_OPT_SIZE, offsetof(opts, hashes), "0", 0, KMV_HASHES_MAX,
     "functions of a table; 0: so many that p = n^-1/2 where K = 1/n", NULL},
    {"width", KMV_OPT_REAL, offsetof(opts, width), "1", 0.05, 8,
     "width of the cells in units of sqrt(2 ln n)", NULL},
    {0},
};

enum {
    BATCH = 16,    /* tables at a time */
    STEPS = 16384, /* of the table of probabilities, which ends at REACH widths */
    REACH = 8
};

typedef struct {
    kmv_problem problem;
    kmv_row_lists lists;
    kmv_packed q, k;       /* to be projected */
    kmv_euclid_hash hash;  /* the functions of one table */
    kmv_directions across; /* those of a batch */
    float shift[BATCH][KMV_HASHES_MAX];
    float *product;            /* threads x rows of a block x directions */
    uint64_t *q_code, *k_code; /* BATCH x n */
    float *log2_p;             /* STEPS + 1: by distance */
    kmv_cells *cells;          /* of each thread */
    uint32_t *drawn;           /* n_q x BATCH: keys */
    float *count;              /* n_q x BATCH: of their cells; 0: nothing drawn */
    size_t draws;
    int threads;
} state;

static void destroy(void *s)
{
    state *st = s;

    if (st == NULL)
        return;
    for (int t = 0; t < st->threads && st->cells != NULL; t++)
        kmv_cells_clear(&st->cells[t]);
    kmv_free(st->cells);
    kmv_row_lists_clear(&st->lists);
    kmv_packed_clear(&st->q);
    kmv_packed_clear(&st->k);
    kmv_euclid_hash_clear(&st->hash);
    kmv_directions_clear(&st->across);
    kmv_free(st->product);
    kmv_free(st->log2_p);
    kmv_free(st->q_code);
    kmv_free(st->k_code);
    kmv_free(st->drawn);
    kmv_free(st->count);
    kmv_free(st);
}

/* The number of hashes with which p(r0) = K(r0)^(1/2) = n^-1/2. */
static size_t hashes_for(size_t n, double r0, double width)
{
    const double hashes = ceil(-0.5 * log((double)n) / log(kmv_euclid_collision(r0, width)));

    return (size_t)fmin(fmax(hashes, 1), KMV_HASHES_MAX);
}

static kmv_status make_tables(state *s, const opts *o, const kmv_tile *tile, kmv_error *err)
{
    const size_t n_q = s->problem.q->n, n_k = s->problem.k->n, threads = (size_t)s->threads;
    const double r0 = sqrt(2 * log(fmax((double)n_k, 2))), width = o->width * r0;
    const size_t hashes = o->hashes > 0 ? o->hashes : hashes_for(n_k, r0, width);
    kmv_status st;

    if ((st = kmv_euclid_hash_init(&s->hash, hashes, width, s->lists.k.ld, err)) != KMV_OK ||
        (st = kmv_directions_init(&s->across, BATCH * hashes, s->problem.k->d, tile, err)) !=
            KMV_OK)
        return st;
    if ((s->product =
             kmv_alloc_raw(threads * tile->rows, kmv_project_ld(&s->across) * sizeof *s->product,
                           "projections", err)) == NULL ||
        (s->q_code = kmv_alloc_raw(n_q, BATCH * sizeof *s->q_code, "codes", err)) == NULL ||
        (s->k_code = kmv_alloc_raw(n_k, BATCH * sizeof *s->k_code, "codes", err)) == NULL ||
        (s->drawn = kmv_alloc_raw(n_q, BATCH * sizeof *s->drawn, "draws", err)) == NULL ||
        (s->count = kmv_alloc_raw(n_q, BATCH * sizeof *s->count, "sizes of cells", err)) == NULL ||
        (s->log2_p = kmv_alloc(STEPS + 1, sizeof *s->log2_p, "probabilities", err)) == NULL ||
        (s->cells = kmv_alloc(threads, sizeof *s->cells, "tables", err)) == NULL)
        return KMV_ENOMEM;
    for (size_t m = 0; m <= STEPS; m++)
        s->log2_p[m] =
            (float)((double)hashes *
                    log2(kmv_euclid_collision(REACH * width * (double)m / STEPS, width)));
    for (size_t t = 0; t < threads; t++) {
        if ((st = kmv_cells_init(&s->cells[t], n_k, err)) != KMV_OK)
            return st;
    }
    return KMV_OK;
}

static kmv_status prepare(const kmv_problem *problem, const void *opt,
                          const kmv_prepare_context *context, void **out, kmv_error *err)
{
    const opts *o = opt;
    state *s = kmv_alloc(1, sizeof *s, "state of hbe", err);
    kmv_status st;

    if (s == NULL)
        return KMV_ENOMEM;
    s->problem = *problem;
    s->threads = context->threads;
    s->draws = o->draws;
    if ((st = kmv_row_lists_init(&s->lists, problem, context->tile, 1, BATCH, context->settings->r,
                                 s->threads, err)) != KMV_OK ||
        (st = make_tables(s, o, context->tile, err)) != KMV_OK ||
        (st = kmv_project_pack(&s->q, &s->lists.q, context->tile, s->threads, context->cost,
                               err)) != KMV_OK ||
        (st = kmv_project_pack(&s->k, &s->lists.k, context->tile, s->threads, context->cost,
                               err)) != KMV_OK) {
        destroy(s);
        return st;
    }
    snprintf(context->text, context->text_size,
             "hbe: %zu tables of %zu Euclidean hashes, cells %.2f sigma wide, one draw a query",
             s->draws, s->hash.hashes, s->hash.width);
    *out = s;
    return KMV_OK;
}

/* log2 of the collision probability at a distance; tabulated it is off by at most 1e-6 hashes. */
static float log2_collision(const state *s, float distance2)
{
    const float place = sqrtf(distance2) * (float)(STEPS / (REACH * s->hash.width));
    const size_t step = (size_t)place;

    if (!(place < STEPS))
        return (float)((double)s->hash.hashes *
                       log2(kmv_euclid_collision(sqrt((double)distance2), s->hash.width)));
    return s->log2_p[step] + (place - (float)step) * (s->log2_p[step + 1] - s->log2_p[step]);
}

/* Functions of the tables first .. first + BATCH - 1. */
static void draw_functions(state *s, size_t first, uint64_t key)
{
    const size_t hashes = s->hash.hashes, d = s->problem.k->d;

    for (size_t t = 0; t < BATCH; t++) {
        kmv_euclid_hash_draw(&s->hash, d, kmv_stream_key(key, "table", first + t));
        memcpy(s->shift[t], s->hash.shift, sizeof s->shift[t]);
        for (size_t m = 0; m < hashes; m++) {
            float *row = s->across.rows.x + (t * hashes + m) * s->across.rows.ld;

            for (size_t l = 0; l < d; l++)
                row[l] = s->hash.directions[l * s->hash.columns + m];
        }
    }
    kmv_directions_pack(&s->across);
}

/* Codes of all points in these tables: code[t * n + i]. */
static void hash_points(state *s, const kmv_packed *points, size_t tables, uint64_t *code)
{
    const size_t ld = kmv_project_ld(&s->across), rows = points->width, n = points->n;

#pragma omp parallel for num_threads(s->threads) schedule(static)
    for (size_t first = 0; first < n; first += rows) {
        float *product = s->product + (size_t)omp_get_thread_num() * rows * ld;

        kmv_project(points, &s->across, first, product);
        for (size_t i = 0; i < rows && first + i < n; i++) {
            for (size_t t = 0; t < tables; t++)
                code[t * n + first + i] = kmv_euclid_hash_cell(
                    &s->hash, s->shift[t], product + i * ld + t * s->hash.hashes);
        }
    }
}

/* Table t of the batch, and one draw from it for every query. */
static void draw_keys(state *s, size_t t, uint64_t key, kmv_cells *cells)
{
    const size_t n_q = s->problem.q->n, n_k = s->problem.k->n;

    kmv_cells_build(cells, s->k_code + t * n_k, n_k);
    for (size_t i = 0; i < n_q; i++) {
        const uint32_t *items;
        const size_t count = kmv_cells_find(cells, s->q_code[t * n_q + i], &items);
        const uint32_t j = count > 0 ? items[(size_t)(kmv_uniform_at(key, i) * (double)count)] : 0;
        const int taken = count > 0 && j < kmv_problem_sees(&s->problem, i);

        s->drawn[i * BATCH + t] = j;
        s->count[i * BATCH + t] = taken ? (float)count : 0;
    }
}

/* y_i += the draws of the batch. Returns how many there were. */
static size_t sum_draws(state *s, size_t i, size_t tables, int thread, double *y)
{
    uint32_t *list = kmv_row_list(&s->lists, thread);
    float *weight = kmv_row_exponent(&s->lists, thread), size[BATCH];
    size_t count = 0;

    for (size_t t = 0; t < tables; t++) {
        if (s->count[i * BATCH + t] > 0) {
            list[count] = s->drawn[i * BATCH + t];
            size[count++] = s->count[i * BATCH + t];
        }
    }
    kmv_row_exponents(&s->lists, i, list, count, weight);
    for (size_t t = 0; t < count; t++) /* the exponent is -r^2 log2(e) / 2 */
        weight[t] -= log2_collision(s, (float)(-2 * M_LN2) * weight[t]);
    s->lists.tile->exp2(weight, count);
    for (size_t t = 0; t < count; t++)
        weight[t] *= size[t];
    kmv_row_add_weighted(&s->lists, thread, list, weight, count, y);
    return count;
}

static kmv_status apply(void *state_, kmv_apply_context *context, kmv_error *err)
{
    state *s = state_;
    const size_t n_q = s->problem.q->n, n_k = s->problem.k->n, r = context->r;
    const double d = (double)s->problem.k->d;
    size_t evaluated = 0;

    (void)err;
    kmv_row_lists_take(&s->lists, context->x, r);
    memset(context->y, 0, n_q * r * sizeof *context->y);
    for (size_t first = 0, tables; first < s->draws; first += tables) {
        tables = s->draws - first < BATCH ? s->draws - first : BATCH;
        draw_functions(s, first, context->key);
        hash_points(s, &s->q, tables, s->q_code);
        hash_points(s, &s->k, tables, s->k_code);
#pragma omp parallel for num_threads(s->threads) schedule(dynamic, 1)
        for (size_t t = 0; t < tables; t++)
            draw_keys(s, t, kmv_stream_key(context->key, "pick", first + t),
                      &s->cells[omp_get_thread_num()]);
#pragma omp parallel for num_threads(s->threads) schedule(static) reduction(+ : evaluated)
        for (size_t i = 0; i < n_q; i++)
            evaluated += sum_draws(s, i, tables, omp_get_thread_num(), context->y + i * r);
        context->cost->flops += (double)(n_q + n_k) * 2 * d * (double)(BATCH * s->hash.hashes);
    }
    for (size_t i = 0; i < n_q * r; i++)
        context->y[i] /= (double)s->draws;
    context->cost->pairs += (double)evaluated;
    context->cost->flops += (double)evaluated * (3 * d + 2 * (double)r);
    return KMV_OK;
}

const kmv_algo kmv_algo_hbe = {
    .name = "hbe",
    .summary = "one key of the query's hash cell a table, weighted by inverse probability",
    .guarantee = "unbiased; E|y_i - (Kx)_i|^2 <= sum_jl (K_ij^2 |x_j|^2 / p_ij^2) min(p_ij, p_il) "
                 "/ draws (proved), per row",
    .source = "Charikar & Siminelakis 2017, arXiv 1808.10530",
    .flags = KMV_CAN_GAUSS | KMV_CAN_CAUSAL | KMV_CAN_COLUMNS | KMV_CAN_SIGNED | KMV_IS_RANDOM,
    .options = options,
    .options_size = sizeof(opts),
    .reject = kmv_row_lists_reject,
    .prepare = prepare,
    .apply = apply,
    .destroy = destroy,
};

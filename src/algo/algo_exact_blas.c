/* algo/algo_exact_blas.c - what a careful C user writes: blocked sgemm, vector exponential, gemv.
 *
 * A block of exponents is s (q - c).(k - c) + a_i + b_j with s = log2(e) / sigma^2, c the common
 * centre, a_i = -s |q_i - c|^2 / 2 and b_j alike. In float the product is off by about
 * 0.25 2^-24 sqrt(d + 8) s |q_i - c| |k_j - c| (in bits of the exponent); where the largest norms
 * of a block say that this would count, the block's exponents are computed with dgemm instead. */
#include <cblas.h>
#include <math.h>
#include <omp.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "algo/algo.h"
#include "base/mem.h"
#include "base/status.h"
#include "gauss/pack.h"

enum { BLOCK_Q = 128, BLOCK_K = 512 };

static const double LOG2_E = 1.44269504088896340736;

/* Largest s |q - c| |k - c| sqrt((d + 8) / 72) that a block may have in float: an entry is then off
 * by 9e-6 at most times, in either direction, and where many entries count their errors cancel. */
static const double FLOAT_REACH = 100;

/* Largest |p - c|^2 / sigma^2: beyond it dgemm would be off by more than 1e-6 too. */
static const double NORM2_MOST = 1e8;

/* A build of OpenBLAS without threads hands out its work buffers without locking (0.3.21, Debian's
 * libopenblas0-serial): two callers at once may get the same one and silently wrong results. There
 * the calls take turns; the builds for pthreads and OpenMP lock for themselves. */
static pthread_mutex_t blas_turn = PTHREAD_MUTEX_INITIALIZER;

enum { OPENBLAS_WITHOUT_THREADS = 0 }; /* as openblas_get_parallel says */

/* One set of points relative to the centre, rounded to float, and the norms that belong to them: of
 * the rounded points for float blocks (which cancels the rounding to first order), of the true ones
 * for double blocks. */
typedef struct {
    const kmv_points *points;
    size_t block;
    float *x, *offset; /* n x d; n: -s |x_i|^2 / 2 */
    double *norm2;     /* n: |p_i - c|^2 */
    double *reach;     /* per block, the largest |p_i - c| */
} side;

typedef struct {
    const kmv_problem *problem;
    const kmv_tile *tile;
    int threads, take_turns;
    double scale, *centre;
    double reach_most; /* largest s |q - c| |k - c| of blocks in float */
    side q, k;
    float *x;        /* n_k x r, in units of a power of two */
    float *floats;   /* per thread: exponents BLOCK_Q x BLOCK_K, sums BLOCK_Q x r */
    double *doubles; /* per thread: exponents BLOCK_Q x BLOCK_K, points of both blocks */
    size_t float_size, double_size;
} state;

static void clear_side(side *s)
{
    kmv_free(s->x);
    kmv_free(s->offset);
    kmv_free(s->norm2);
    kmv_free(s->reach);
}

static void destroy(void *of_plan)
{
    state *s = of_plan;

    if (s == NULL)
        return;
    clear_side(&s->q);
    clear_side(&s->k);
    kmv_free(s->centre);
    kmv_free(s->x);
    kmv_free(s->floats);
    kmv_free(s->doubles);
    kmv_free(s);
}

static double coordinate(const state *s, const side *of, size_t i, size_t l)
{
    const kmv_points *p = of->points;
    const double origin = p->origin != NULL ? p->origin[l] : 0;

    return (double)p->x[i * p->ld + l] + (origin - s->centre[l]);
}

static kmv_status init_side(state *s, side *to, const kmv_points *points, size_t block,
                            kmv_error *err)
{
    const size_t n = points->n, d = points->d;

    to->points = points;
    to->block = block;
    if ((to->x = kmv_alloc(n * d, sizeof *to->x, "centred points", err)) == NULL ||
        (to->offset = kmv_alloc(n, sizeof *to->offset, "offsets", err)) == NULL ||
        (to->norm2 = kmv_alloc(n, sizeof *to->norm2, "norms", err)) == NULL ||
        (to->reach = kmv_alloc(n / block + 1, sizeof *to->reach, "norms", err)) == NULL)
        return KMV_ENOMEM;
#pragma omp parallel for num_threads(s->threads) schedule(static)
    for (size_t first = 0; first < n; first += block) {
        double most = 0;

        for (size_t i = first; i < n && i < first + block; i++) {
            double rounded = 0;

            for (size_t l = 0; l < d; l++) {
                const double value = coordinate(s, to, i, l);
                const float x = (float)value;

                to->x[i * d + l] = x;
                to->norm2[i] += value * value;
                rounded += (double)x * (double)x;
            }
            to->offset[i] = (float)(-s->scale / 2 * rounded);
            most = fmax(most, to->norm2[i]);
        }
        to->reach[first / block] = sqrt(most);
    }
    return KMV_OK;
}

static double largest_norm2(const side *s)
{
    double most = 0;

    for (size_t i = 0; i < s->points->n; i++)
        most = fmax(most, s->norm2[i]);
    return most;
}

static kmv_status reserve(state *s, size_t r, kmv_error *err)
{
    const size_t d = s->problem->q->d, threads = (size_t)s->threads;

    s->float_size = BLOCK_Q * (BLOCK_K + kmv_round_up(r, 16));
    s->double_size = BLOCK_Q * BLOCK_K + (BLOCK_Q + BLOCK_K) * d;
    if ((s->centre = kmv_alloc(d, sizeof *s->centre, "centre", err)) == NULL ||
        (s->x = kmv_alloc(s->problem->k->n, r * sizeof *s->x, "x in float", err)) == NULL ||
        (s->floats = kmv_alloc(threads * s->float_size, sizeof *s->floats, "blocks", err)) ==
            NULL ||
        (s->doubles = kmv_alloc(threads * s->double_size, sizeof *s->doubles, "blocks", err)) ==
            NULL)
        return KMV_ENOMEM;
    return KMV_OK;
}

static kmv_status prepare(const kmv_problem *problem, const void *options,
                          const kmv_prepare_context *context, void **out, kmv_error *err)
{
    state *s = kmv_alloc(1, sizeof *s, "exact-blas", err);
    const double sigma2 = problem->sigma * problem->sigma;
    kmv_status st;
    double most;

    (void)options;
    if (s == NULL)
        return KMV_ENOMEM;
    s->problem = problem;
    s->tile = context->tile;
    s->threads = context->threads;
    s->scale = LOG2_E / sigma2;
    s->reach_most = FLOAT_REACH * sqrt(72 / ((double)problem->q->d + 8));
    if ((st = reserve(s, context->settings->r, err)) != KMV_OK)
        goto out;
    kmv_centre(problem, s->centre);
    if ((st = init_side(s, &s->q, problem->q, BLOCK_Q, err)) != KMV_OK ||
        (st = init_side(s, &s->k, problem->k, BLOCK_K, err)) != KMV_OK)
        goto out;
    most = fmax(largest_norm2(&s->q), largest_norm2(&s->k)) / sigma2;
    if (!(most <= NORM2_MOST)) {
        st = kmv_fail(err, KMV_ENOTSUP,
                      "exact-blas: points lie up to %.3g sigma from their centre, want <= %g: the "
                      "expanded square cancels even in double",
                      sqrt(most), sqrt(NORM2_MOST));
        goto out;
    }
    /* Threads are ours: a library with threads of its own would oversubscribe the cores. */
    openblas_set_num_threads(1);
    s->take_turns = s->threads > 1 && openblas_get_parallel() == OPENBLAS_WITHOUT_THREADS;
    context->cost->flops += 6.0 * (double)(problem->q->n + problem->k->n) * (double)problem->q->d;
    snprintf(context->text, context->text_size,
             "exact-blas: all pairs, sgemm on blocks of %d x %d, exponential of %s%s", BLOCK_Q,
             BLOCK_K, s->tile->name,
             s->take_turns ? "; threads take turns in this OpenBLAS, which has no locks" : "");
    *out = s;
    s = NULL;
out:
    destroy(s);
    return st;
}

static void begin_blas(const state *s)
{
    if (s->take_turns)
        pthread_mutex_lock(&blas_turn);
}

static void end_blas(const state *s)
{
    if (s->take_turns)
        pthread_mutex_unlock(&blas_turn);
}

/* x in float, in units of a power of two that put its largest entry near 2^60: entries go down to
 * 2^-126, and products with them must not become denormal, which is a hundred times slower. */
static double load_x(state *s, const double *x, size_t r)
{
    const size_t count = s->problem->k->n * r;
    double top = 0, unit;
    int exponent;

    for (size_t i = 0; i < count; i++)
        top = fmax(top, fabs(x[i]));
    frexp(top, &exponent);
    unit = ldexp(1, exponent - 60 > -1000 ? exponent - 60 : -1000);
    for (size_t i = 0; i < count; i++)
        s->x[i] = (float)(x[i] / unit);
    return unit;
}

/* One block of queries against one of keys. */
typedef struct {
    size_t q, n_q, k, n_k; /* first row and count, first key and count */
    float *e, *sums;       /* [n_q][BLOCK_K], [n_q][r] */
    double *wide, *wide_q, *wide_k;
} block;

static void exponents_float(const state *s, const block *b)
{
    const int d = (int)s->problem->q->d;

    begin_blas(s);
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)b->n_q, (int)b->n_k, d,
                (float)s->scale, s->q.x + b->q * (size_t)d, d, s->k.x + b->k * (size_t)d, d, 0,
                b->e, BLOCK_K);
    end_blas(s);
    for (size_t i = 0; i < b->n_q; i++) {
        const float a = s->q.offset[b->q + i], *offset = s->k.offset + b->k;
        float *e = b->e + i * BLOCK_K;

        for (size_t j = 0; j < b->n_k; j++)
            e[j] = e[j] + (a + offset[j]);
    }
}

static void widen(const state *s, const side *from, size_t first, size_t count, double *to)
{
    const size_t d = s->problem->q->d;

    for (size_t i = 0; i < count; i++) {
        for (size_t l = 0; l < d; l++)
            to[i * d + l] = coordinate(s, from, first + i, l);
    }
}

static void exponents_double(const state *s, const block *b)
{
    const int d = (int)s->problem->q->d;

    widen(s, &s->q, b->q, b->n_q, b->wide_q);
    widen(s, &s->k, b->k, b->n_k, b->wide_k);
    begin_blas(s);
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)b->n_q, (int)b->n_k, d, 1, b->wide_q,
                d, b->wide_k, d, 0, b->wide, BLOCK_K);
    end_blas(s);
    for (size_t i = 0; i < b->n_q; i++) {
        const double norm2 = s->q.norm2[b->q + i], *key_norm2 = s->k.norm2 + b->k;
        const double *dot = b->wide + i * BLOCK_K;
        float *e = b->e + i * BLOCK_K;

        /* |q|^2 + |k|^2 - 2 q.k in double; rounding alone makes it negative */
        for (size_t j = 0; j < b->n_k; j++)
            e[j] = (float)(-s->scale / 2 * (norm2 + key_norm2[j] - 2 * dot[j]));
    }
}

/* Entries of the block in place of its exponents, 0 where masked. */
static void finish_entries(const state *s, const block *b)
{
    const size_t shift = s->problem->k->n - s->problem->q->n;

    for (size_t i = 0; i < b->n_q; i++) {
        const size_t seen = s->problem->causal ? b->q + i + shift + 1 : s->problem->k->n;
        float *e = b->e + i * BLOCK_K;

        for (size_t j = 0; j < b->n_k; j++)
            e[j] = e[j] < 0 ? e[j] : 0; /* no entry is above 1, whatever rounding says */
        s->tile->exp2(e, b->n_k);
        for (size_t j = seen > b->k ? seen - b->k : 0; j < b->n_k; j++)
            e[j] = 0;
    }
}

static void add_products(const state *s, const block *b, size_t r, double unit, double *y)
{
    const float *x = s->x + b->k * r;
    const int n_q = (int)b->n_q, n_k = (int)b->n_k, columns = (int)r;

    begin_blas(s);
    if (r == 1)
        cblas_sgemv(CblasRowMajor, CblasNoTrans, n_q, n_k, 1, b->e, BLOCK_K, x, 1, 0, b->sums, 1);
    else
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, n_q, columns, n_k, 1, b->e, BLOCK_K,
                    x, columns, 0, b->sums, columns);
    end_blas(s);
    for (size_t i = 0; i < b->n_q * r; i++)
        y[b->q * r + i] += unit * (double)b->sums[i];
}

static void multiply_rows(const state *s, size_t first, size_t r, double unit, double *y)
{
    const kmv_problem *p = s->problem;
    const size_t n_q = p->q->n - first < BLOCK_Q ? p->q->n - first : BLOCK_Q, d = p->q->d;
    const size_t thread = (size_t)omp_get_thread_num();
    const size_t seen = p->causal ? first + n_q + p->k->n - p->q->n : p->k->n;
    block b = {.q = first, .n_q = n_q, .e = s->floats + thread * s->float_size};

    b.sums = b.e + BLOCK_Q * BLOCK_K;
    b.wide = s->doubles + thread * s->double_size;
    b.wide_q = b.wide + BLOCK_Q * BLOCK_K;
    b.wide_k = b.wide_q + BLOCK_Q * d;
    memset(y + first * r, 0, n_q * r * sizeof *y);
    for (b.k = 0; b.k < seen; b.k += BLOCK_K) {
        b.n_k = p->k->n - b.k < BLOCK_K ? p->k->n - b.k : BLOCK_K;
        if (s->scale * s->q.reach[first / BLOCK_Q] * s->k.reach[b.k / BLOCK_K] <= s->reach_most)
            exponents_float(s, &b);
        else
            exponents_double(s, &b);
        finish_entries(s, &b);
        add_products(s, &b, r, unit, y);
    }
}

static kmv_status apply(void *of_plan, kmv_apply_context *context, kmv_error *err)
{
    state *s = of_plan;
    const kmv_problem *p = s->problem;
    const double unit = load_x(s, context->x, context->r), pairs = kmv_problem_pairs(p);

    (void)err;
#pragma omp parallel for num_threads(s->threads) schedule(dynamic)
    for (size_t first = 0; first < p->q->n; first += BLOCK_Q)
        multiply_rows(s, first, context->r, unit, context->y);
    context->cost->pairs += pairs;
    context->cost->flops += pairs * 2 * (double)(p->q->d + context->r);
    return KMV_OK;
}

const kmv_algo kmv_algo_exact_blas = {
    .name = "exact-blas",
    .summary = "every pair by blocked sgemm of OpenBLAS (which chooses its own ISA), vector "
               "exponential, sgemv",
    .guarantee = "float32: about 1e-5 of |G|x||, by dgemm where norms are large; not proved, "
                 "rejects points farther than 10^4 sigma from their centre",
    .source = "baseline",
    .flags = KMV_CAN_GAUSS | KMV_CAN_CAUSAL | KMV_CAN_COLUMNS | KMV_CAN_SIGNED,
    .prepare = prepare,
    .apply = apply,
    .destroy = destroy,
};

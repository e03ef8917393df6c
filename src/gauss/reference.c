/* gauss/reference.c - float64 products over chunks of rows, see reference.h. */
#include "gauss/reference.h"

#include <float.h>
#include <math.h>
#include <omp.h>
#include <string.h>

#include "base/cpu.h"
#include "base/mem.h"
#include "base/status.h"
#include "gauss/reference_kernel.h"

/* Rows that share one widening of a panel to double: a multiple of every kernel's rows, few enough
 * that the work of a sample of rows still divides among threads. */
enum { LANES = KMV_REFERENCE_LANES, CHUNK = 48 };

struct kmv_reference {
    const kmv_problem *problem;
    const kmv_reference_kernel *kernel;
    size_t panels;
    int threads;
    float *keys;     /* panels x [d][LANES] */
    double *x;       /* panels * LANES x packed_columns(r), zero past n_k */
    double *scratch; /* threads x scratch_size */
    size_t scratch_size;
};

/* One thread's part of scratch, for one chunk. Blocks of kernel->rows rows follow one another. */
typedef struct {
    double *q;           /* CHUNK / rows x [d][rows] */
    double *k;           /* [d][LANES] */
    double *e;           /* [rows][LANES] */
    double *top;         /* CHUNK x LANES: largest dot products by lane; then [CHUNK] by row */
    double *sum, *rest;  /* CHUNK x ld */
    double *mass, *lost; /* CHUNK x LANES: the denominator */
    size_t seen[CHUNK];  /* keys that the row sees; 0 for rows that fill up the chunk */
    size_t most;         /* largest of seen */
} chunk;

static kmv_status choose_kernel(const char *isa, const kmv_reference_kernel **kernel,
                                kmv_error *err)
{
    const int avx512 = kmv_cpu_runs(KMV_CPU_AVX512);
    const struct {
        const char *name;
        const kmv_reference_kernel *kernel;
        int can_run;
    } all[] = {
        {"amx", &kmv_reference_avx512, avx512}, /* that unit has no float64 */
        {"avx512", &kmv_reference_avx512, avx512},
        {"avx2", &kmv_reference_avx2, kmv_cpu_runs(KMV_CPU_AVX2)},
        {"portable", &kmv_reference_portable, 1},
    };

    if (isa == NULL && kmv_cpu_check(err) != KMV_OK)
        return KMV_EINVAL;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        if (isa != NULL ? strcmp(isa, all[i].name) != 0 : !all[i].can_run)
            continue;
        if (!all[i].can_run)
            return kmv_fail(err, KMV_EINVAL, "isa: this machine cannot run '%s'", isa);
        *kernel = all[i].kernel;
        return KMV_OK;
    }
    return kmv_fail(err, KMV_EINVAL, "isa: want amx, avx512, avx2 or portable, got '%s'", isa);
}

static size_t packed_columns(size_t r)
{
    return r == 1 ? 1 : kmv_round_up(r, 8);
}

/* One column needs LANES partial sums per row, several need themselves padded to whole vectors. */
static size_t sum_columns(size_t r)
{
    return r == 1 ? LANES : packed_columns(r);
}

static void pack_keys(kmv_reference *w)
{
    const kmv_points *k = w->problem->k;
    const size_t d = k->d;

#pragma omp parallel for num_threads(w->threads) schedule(static)
    for (size_t p = 0; p < w->panels; p++) {
        for (size_t j = p * LANES; j < k->n && j < (p + 1) * LANES; j++) {
            for (size_t l = 0; l < d; l++)
                w->keys[(p * d + l) * LANES + j % LANES] = k->x[j * k->ld + l];
        }
    }
}

kmv_status kmv_reference_create(const kmv_problem *problem, size_t r, const char *isa, int threads,
                                kmv_reference **out, kmv_error *err)
{
    kmv_reference *w = NULL;
    kmv_status st = kmv_problem_check(problem, err);
    size_t d, most_sums;

    if (st != KMV_OK)
        return st;
    if ((w = kmv_alloc(1, sizeof *w, "reference", err)) == NULL)
        return KMV_ENOMEM;
    if ((st = choose_kernel(isa, &w->kernel, err)) != KMV_OK)
        goto out;
    d = problem->k->d;
    w->problem = problem;
    w->threads = threads;
    w->panels = (problem->k->n + LANES - 1) / LANES;
    most_sums = sum_columns(r) > LANES ? sum_columns(r) : LANES; /* fewer columns may be applied */
    w->scratch_size = CHUNK * (d + 2 * most_sums + 3 * LANES) + LANES * (d + w->kernel->rows);
    st = KMV_ENOMEM;
    if ((w->keys = kmv_alloc(w->panels * LANES, d * sizeof *w->keys, "keys of the reference",
                             err)) == NULL ||
        (w->x = kmv_alloc(w->panels * LANES, packed_columns(r) * sizeof *w->x, "x of the reference",
                          err)) == NULL ||
        (w->scratch = kmv_alloc((size_t)threads, w->scratch_size * sizeof *w->scratch,
                                "buffers of the reference", err)) == NULL)
        goto out;
    pack_keys(w);
    *out = w;
    w = NULL;
    st = KMV_OK;
out:
    kmv_reference_destroy(w);
    return st;
}

void kmv_reference_destroy(kmv_reference *w)
{
    if (w == NULL)
        return;
    kmv_free(w->keys);
    kmv_free(w->x);
    kmv_free(w->scratch);
    kmv_free(w);
}

static void pack_x(const kmv_reference *w, const double *x, size_t r)
{
    const size_t ld = packed_columns(r);

#pragma omp parallel for num_threads(w->threads) schedule(static)
    for (size_t j = 0; j < w->problem->k->n; j++) {
        memcpy(w->x + j * ld, x + j * r, r * sizeof *x);
        memset(w->x + j * ld + r, 0, (ld - r) * sizeof *x);
    }
    memset(w->x + w->problem->k->n * ld, 0,
           (w->panels * LANES - w->problem->k->n) * ld * sizeof *x);
}

static chunk cut_scratch(double *at, const kmv_reference *w, size_t r)
{
    const size_t d = w->problem->k->d, columns = sum_columns(r);
    chunk c;

    c.q = at;
    c.k = c.q + CHUNK * d;
    c.e = c.k + LANES * d;
    c.top = c.e + LANES * w->kernel->rows;
    c.mass = c.top + CHUNK * LANES;
    c.lost = c.mass + CHUNK * LANES;
    c.sum = c.lost + CHUNK * LANES;
    c.rest = c.sum + CHUNK * columns;
    memset(c.mass, 0, (2 * CHUNK * LANES + 2 * CHUNK * columns) * sizeof *at);
    return c;
}

/* Queries relative to the origin of the keys (gauss), or as they are (softmax: q.origin_k is the
 * same for the whole row and cancels). */
static void load_queries(const kmv_reference *w, const size_t *rows, size_t first, size_t count,
                         chunk *c)
{
    const kmv_points *q = w->problem->q, *k = w->problem->k;
    const size_t block = w->kernel->rows, d = q->d;
    const int relative = w->problem->matrix == KMV_GAUSS && k->origin != NULL;

    c->most = 0;
    for (size_t i = 0; i < CHUNK; i++) {
        const size_t row =
            rows != NULL ? rows[first + (i < count ? i : 0)] : first + (i < count ? i : 0);
        double *to = c->q + i / block * block * d + i % block;

        for (size_t l = 0; l < d; l++) {
            const double origin =
                (q->origin != NULL ? q->origin[l] : 0) - (relative ? k->origin[l] : 0);

            to[l * block] = (double)q->x[row * q->ld + l] + origin;
        }
        c->seen[i] = kmv_problem_sees(w->problem, row);
        if (i >= count)
            c->seen[i] = 0;
        if (c->seen[i] > c->most)
            c->most = c->seen[i];
    }
}

static void widen_panel(const kmv_reference *w, size_t panel, double *k)
{
    const float *from = w->keys + panel * w->problem->k->d * LANES;

    for (size_t l = 0; l < w->problem->k->d * LANES; l++)
        k[l] = (double)from[l];
}

/* Keys of this panel that row i of the chunk sees. */
static size_t lanes_seen(const chunk *c, size_t i, size_t panel)
{
    const size_t first = panel * LANES;

    return c->seen[i] <= first ? 0 : c->seen[i] - first < LANES ? c->seen[i] - first : LANES;
}

/* First pass of softmax: the largest q.k of each row, into top[0 .. CHUNK-1]. */
static void find_tops(const kmv_reference *w, size_t blocks, chunk *c)
{
    const size_t block = w->kernel->rows, d = w->problem->k->d;

    for (size_t i = 0; i < CHUNK * LANES; i++)
        c->top[i] = -INFINITY;
    for (size_t panel = 0; panel * LANES < c->most; panel++) {
        widen_panel(w, panel, c->k);
        for (size_t b = 0; b < blocks; b++) {
            w->kernel->dots(c->q + b * block * d, c->k, d, c->e);
            for (size_t i = 0; i < block; i++) {
                const size_t seen = lanes_seen(c, b * block + i, panel);
                double *top = c->top + (b * block + i) * LANES, *e = c->e + i * LANES;

                for (size_t j = seen; j < LANES; j++)
                    e[j] = -INFINITY;
                for (size_t j = 0; j < LANES; j++)
                    top[j] = e[j] > top[j] ? e[j] : top[j];
            }
        }
    }
    for (size_t i = 0; i < CHUNK; i++) {
        double top = c->top[i * LANES];

        for (size_t j = 1; j < LANES; j++)
            top = fmax(top, c->top[i * LANES + j]);
        c->top[i] = top;
    }
}

static void sum_entries(const kmv_reference *w, size_t blocks, size_t r, double factor, chunk *c)
{
    static const _Alignas(KMV_ALIGN) double ones[LANES] = {1, 1, 1, 1, 1, 1, 1, 1,
                                                           1, 1, 1, 1, 1, 1, 1, 1};
    const kmv_reference_kernel *kernel = w->kernel;
    const size_t block = kernel->rows, d = w->problem->k->d, ld = packed_columns(r);
    const int softmax = w->problem->matrix == KMV_SOFTMAX;

    for (size_t panel = 0; panel * LANES < c->most; panel++) {
        const double *x = w->x + panel * LANES * ld;

        widen_panel(w, panel, c->k);
        for (size_t b = 0; b < blocks; b++) {
            const size_t row = b * block, at = row * sum_columns(r);

            (softmax ? kernel->dots : kernel->distances)(c->q + row * d, c->k, d, c->e);
            kernel->exp(c->e, c->top + row, factor);
            for (size_t i = 0; i < block; i++) {
                for (size_t j = lanes_seen(c, row + i, panel); j < LANES; j++)
                    c->e[i * LANES + j] = 0;
            }
            if (softmax)
                kernel->add(c->e, ones, c->mass + row * LANES, c->lost + row * LANES);
            if (r == 1)
                kernel->add(c->e, x, c->sum + at, c->rest + at);
            else
                kernel->add_columns(c->e, x, ld, c->sum + at, c->rest + at);
        }
    }
}

/* Total of LANES compensated partial sums, compensated again (Neumaier). */
static double total(const double *sum, const double *rest)
{
    double s = 0, lost = 0;

    for (size_t j = 0; j < LANES; j++) {
        const double t = s + sum[j];

        lost += fabs(s) >= fabs(sum[j]) ? (s - t) + sum[j] : (sum[j] - t) + s;
        lost += rest[j];
        s = t;
    }
    return s + lost;
}

static void store_rows(const kmv_reference *w, const chunk *c, size_t count, size_t r, double *y)
{
    const size_t columns = sum_columns(r);

    for (size_t i = 0; i < count; i++) {
        const double mass =
            w->problem->matrix == KMV_SOFTMAX ? total(c->mass + i * LANES, c->lost + i * LANES) : 1;

        for (size_t col = 0; col < r; col++) {
            const size_t at = i * columns + col;

            y[i * r + col] =
                (r == 1 ? total(c->sum + at, c->rest + at) : c->sum[at] + c->rest[at]) / mass;
        }
    }
}

/* +-1 / sigma^2, kept finite: with a smaller sigma only pairs at distance 0 count, and 0 times a
 * finite factor is 0. */
static double exponent_factor(const kmv_problem *p)
{
    const double inverse = fmin(1 / p->sigma / p->sigma, DBL_MAX);

    return p->matrix == KMV_SOFTMAX ? inverse : -0.5 * inverse;
}

void kmv_reference_apply(kmv_reference *w, const size_t *rows, size_t n_rows, const double *x,
                         size_t r, double *y)
{
    const size_t chunks = (n_rows + CHUNK - 1) / CHUNK;
    const double factor = exponent_factor(w->problem);

    pack_x(w, x, r);
#pragma omp parallel for num_threads(w->threads) schedule(dynamic)
    for (size_t at = 0; at < chunks; at++) {
        const size_t first = at * CHUNK, count = n_rows - first < CHUNK ? n_rows - first : CHUNK;
        const size_t blocks = (count + w->kernel->rows - 1) / w->kernel->rows;
        chunk c = cut_scratch(w->scratch + (size_t)omp_get_thread_num() * w->scratch_size, w, r);

        load_queries(w, rows, first, count, &c);
        if (w->problem->matrix == KMV_SOFTMAX)
            find_tops(w, blocks, &c);
        else
            memset(c.top, 0, CHUNK * sizeof *c.top);
        sum_entries(w, blocks, r, factor, &c);
        store_rows(w, &c, count, r, y + first * r);
    }
}

kmv_status kmv_reference_product(const kmv_problem *problem, const size_t *rows, size_t n_rows,
                                 const double *x, size_t r, int threads, double *y, kmv_error *err)
{
    kmv_reference *w = NULL;
    kmv_status st = kmv_reference_create(problem, r, NULL, threads, &w, err);

    if (st != KMV_OK)
        return st;
    for (size_t i = 0; i < n_rows; i++) {
        const size_t row = rows != NULL ? rows[i] : i;

        if (row >= problem->q->n) {
            kmv_reference_destroy(w);
            return kmv_fail(err, KMV_EINVAL, "row %zu is asked for, there are %zu queries", row,
                            problem->q->n);
        }
    }
    kmv_reference_apply(w, rows, n_rows, x, r, y);
    kmv_reference_destroy(w);
    return KMV_OK;
}

double kmv_reference_flops(const kmv_problem *problem, size_t r)
{
    const double d = (double)problem->k->d, columns = (double)r;

    return kmv_problem_pairs(problem) *
           (problem->matrix == KMV_SOFTMAX ? 4 * d + 2 * columns : 3 * d + 2 * columns);
}

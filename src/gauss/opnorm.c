/* gauss/opnorm.c - see opnorm.h. */
#include "gauss/opnorm.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"

#define WANTED_RESIDUAL 1e-3
#define LEAST_GROWTH    1e-7

/* One product with A or with its transpose; columns: threads x n_k partial sums. */
typedef struct {
    const double *v;
    double *w;
    double *columns, grid, u_min;
    size_t n_k;
} product;

static void times(void *context, int thread, size_t i, size_t j, size_t count, const float *u)
{
    const product *p = context;
    double entries[KMV_ENTRIES_CHUNK];

    (void)thread;
    kmv_entry_values(u, count, entries);
    p->w[i] += kmv_dot(entries, p->v + j, count);
}

/* Rounding to multiples of grid's last place makes the sums independent of how rows fall to
 * threads. */
static void transposed_times(void *context, int thread, size_t i, size_t j, size_t count,
                             const float *u)
{
    const product *p = context;
    double entries[KMV_ENTRIES_CHUNK], *columns = p->columns + (size_t)thread * p->n_k + j;
    const double weight = p->w[i];

    kmv_entry_values(u, count, entries);
    for (size_t t = 0; t < count; t++)
        columns[t] += (weight * entries[t] + p->grid) - p->grid;
}

static double norm_of(const double *v, size_t n)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += v[i] * v[i];
    return sqrt(sum);
}

/* w = A v, then back = A' w; returns |w|. */
static double multiply(kmv_entries *e, product *p, double *back)
{
    double largest = 0;

    memset(p->w, 0, e->q.n * sizeof(double));
    kmv_entries_stream(e, times, p);
    for (size_t i = 0; i < e->q.n; i++)
        largest = fmax(largest, p->w[i]);
    /* No column sum exceeds n_q times the largest weight times the largest entry. */
    p->grid = largest > 0 ? 1.5 * exp2(ceil(log2(largest * (double)e->q.n) - p->u_min) + 1) : 0;
    memset(p->columns, 0, (size_t)e->threads * p->n_k * sizeof(double));
    kmv_entries_stream(e, transposed_times, p);
    memset(back, 0, p->n_k * sizeof(double));
    for (size_t t = 0; t < (size_t)e->threads; t++) {
        for (size_t j = 0; j < p->n_k; j++)
            back[j] += p->columns[t * p->n_k + j];
    }
    return norm_of(p->w, e->q.n);
}

/* |back - s^2 v| / s^2 for unit v. */
static double residual(const double *back, const double *v, size_t n, double s)
{
    double sum = 0;

    for (size_t j = 0; j < n; j++) {
        const double off = back[j] / (s * s) - v[j];

        sum += off * off;
    }
    return sqrt(sum);
}

kmv_status kmv_op_norm(kmv_entries *e, double u_min, size_t max_iterations, double *norm,
                       double *tol, kmv_error *err)
{
    const size_t n_k = e->k.n;
    double *v = kmv_alloc(n_k, sizeof(double), "a singular vector", err);
    double *w = kmv_alloc(e->q.n, sizeof(double), "a singular vector", err);
    double *back = kmv_alloc(n_k, sizeof(double), "a singular vector", err);
    double *columns = kmv_alloc((size_t)e->threads * n_k, sizeof(double), "column sums", err);
    product p = {.v = v, .w = w, .columns = columns, .n_k = n_k, .u_min = u_min};
    double s = 0, last = 0, off = 0;
    kmv_status st = KMV_OK;

    if (v == NULL || w == NULL || back == NULL || columns == NULL) {
        st = KMV_ENOMEM;
        goto out;
    }
    for (size_t j = 0; j < n_k; j++)
        v[j] = 1 / sqrt((double)n_k);
    for (size_t it = 0; it < max_iterations; it++) {
        double length;

        s = multiply(e, &p, back);
        length = norm_of(back, n_k);
        if (!(s > 0) || !(length > 0)) {
            off = 0;
            break;
        }
        off = residual(back, v, n_k, s);
        if (off <= WANTED_RESIDUAL || s - last <= LEAST_GROWTH * s)
            break;
        last = s;
        for (size_t j = 0; j < n_k; j++)
            v[j] = back[j] / length;
    }
    *norm = s;
    *tol = off;
out:
    kmv_free(v);
    kmv_free(w);
    kmv_free(back);
    kmv_free(columns);
    return st;
}

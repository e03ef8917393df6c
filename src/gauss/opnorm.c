/* gauss/opnorm.c - see opnorm.h. */
#include "gauss/opnorm.h"

#include <gsl/gsl_eigen.h>
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/status.h"

#define WANTED_RESIDUAL 1e-3
/* A new direction shorter than this share of A'A is rounding: the span holds the singular vector.
 */
#define NO_DIRECTION 1e-13

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

/* w = A v, then back = A' w, both with A scaled so that its largest entry is about 1: squares of
 * norms stay within doubles. Returns |w|. */
static double multiply(kmv_entries *e, product *p, double *back)
{
    const double scale = exp2(floor(p->u_min));
    double largest = 0;

    memset(p->w, 0, e->q.n * sizeof(double));
    kmv_entries_stream(e, times, p);
    for (size_t i = 0; i < e->q.n; i++) {
        p->w[i] *= scale;
        largest = fmax(largest, fabs(p->w[i]));
    }
    /* No column sum exceeds n_q times the largest weight times the largest entry. */
    p->grid = largest > 0 ? 1.5 * exp2(ceil(log2(largest * (double)e->q.n) - p->u_min) + 1) : 0;
    memset(p->columns, 0, (size_t)e->threads * p->n_k * sizeof(double));
    kmv_entries_stream(e, transposed_times, p);
    memset(back, 0, p->n_k * sizeof(double));
    for (size_t t = 0; t < (size_t)e->threads; t++) {
        for (size_t j = 0; j < p->n_k; j++)
            back[j] += scale * p->columns[t * p->n_k + j];
    }
    return norm_of(p->w, e->q.n);
}

/* Take out of z what lies in the span of `count` orthonormal vectors; twice, since once leaves
 * rounding of the size of what was taken. */
static void orthogonalise(double *z, const double *basis, size_t count, size_t n)
{
    for (size_t round = 0; round < 2; round++) {
        for (size_t m = 0; m < count; m++) {
            const double share = kmv_dot(z, basis + m * n, n);

            for (size_t j = 0; j < n; j++)
                z[j] -= share * basis[m * n + j];
        }
    }
}

/* The largest eigenvalue of the tridiagonal matrix of `count` steps, and its vector. */
static kmv_status top_of_span(const double *diagonal, const double *beside, size_t count,
                              double *value, double *vector, kmv_error *err)
{
    gsl_matrix *t = gsl_matrix_calloc(count, count), *vectors = gsl_matrix_alloc(count, count);
    gsl_vector *values = gsl_vector_alloc(count);
    gsl_eigen_symmv_workspace *work = gsl_eigen_symmv_alloc(count);
    kmv_status st = KMV_OK;

    if (t == NULL || vectors == NULL || values == NULL || work == NULL) {
        st = kmv_fail(err, KMV_ENOMEM, "no memory for eigenvalues of %zu steps", count);
        goto out;
    }
    for (size_t m = 0; m < count; m++) {
        gsl_matrix_set(t, m, m, diagonal[m]);
        if (m + 1 < count) {
            gsl_matrix_set(t, m, m + 1, beside[m]);
            gsl_matrix_set(t, m + 1, m, beside[m]);
        }
    }
    gsl_eigen_symmv(t, values, vectors, work);
    gsl_eigen_symmv_sort(values, vectors, GSL_EIGEN_SORT_VAL_DESC);
    *value = gsl_vector_get(values, 0);
    for (size_t m = 0; m < count; m++)
        vector[m] = gsl_matrix_get(vectors, m, 0);
out:
    gsl_matrix_free(t);
    gsl_matrix_free(vectors);
    gsl_vector_free(values);
    gsl_eigen_symmv_free(work);
    return st;
}

/* basis: max_steps x n_k; share: how much of each direction the singular vector has. */
static kmv_status iterate(kmv_entries *e, product *p, double *basis, double *z, double wanted,
                          size_t max_steps, double *share, kmv_singular *out, kmv_error *err)
{
    const size_t n = p->n_k;
    double diagonal[KMV_OP_NORM_STEPS], beside[KMV_OP_NORM_STEPS], square = 0;
    kmv_status st;

    for (size_t j = 0; j < n; j++)
        basis[j] = 1 / sqrt((double)n);
    for (size_t m = 0; m < max_steps; m++) {
        p->v = basis + m * n;
        diagonal[m] = pow(multiply(e, p, z), 2);
        if (!(diagonal[m] > 0) && m == 0)
            break;
        orthogonalise(z, basis, m + 1, n);
        beside[m] = norm_of(z, n);
        if ((st = top_of_span(diagonal, beside, m + 1, &square, share, err)) != KMV_OK)
            return st;
        out->steps = m + 1;
        out->tol = beside[m] * fabs(share[m]) / square;
        if (out->tol <= wanted || beside[m] <= NO_DIRECTION * square || m + 1 == max_steps)
            break;
        for (size_t j = 0; j < n; j++)
            basis[(m + 1) * n + j] = z[j] / beside[m];
    }
    out->norm = sqrt(square) * exp2(-floor(p->u_min));
    return KMV_OK;
}

/* v from its shares of the basis, u along A v. */
static void make_vectors(kmv_entries *e, product *p, const double *basis, const double *share,
                         size_t steps, double *u, double *v)
{
    double length;

    memset(v, 0, p->n_k * sizeof *v);
    for (size_t m = 0; m < steps; m++) {
        for (size_t j = 0; j < p->n_k; j++)
            v[j] += (share[0] < 0 ? -1 : 1) * share[m] * basis[m * p->n_k + j];
    }
    p->v = v;
    p->w = u;
    memset(u, 0, e->q.n * sizeof *u);
    kmv_entries_stream(e, times, p);
    for (size_t i = 0; i < e->q.n; i++)
        u[i] *= exp2(floor(p->u_min));
    length = norm_of(u, e->q.n);
    for (size_t i = 0; i < e->q.n && length > 0; i++)
        u[i] /= length;
}

kmv_status kmv_top_singular(kmv_entries *e, double u_min, double wanted, size_t max_steps,
                            double *u, double *v, kmv_singular *out, kmv_error *err)
{
    const size_t n_k = e->k.n, size = sizeof(double),
                 steps = max_steps < KMV_OP_NORM_STEPS ? max_steps : (size_t)KMV_OP_NORM_STEPS;
    double *basis = kmv_alloc(steps * n_k, size, "singular vectors", err);
    double *w = kmv_alloc(e->q.n, size, "a singular vector", err);
    double *z = kmv_alloc(n_k, size, "a singular vector", err);
    double *columns = kmv_alloc((size_t)e->threads * n_k, size, "column sums", err);
    product p = {.w = w, .columns = columns, .n_k = n_k, .u_min = u_min};
    double share[KMV_OP_NORM_STEPS];
    kmv_singular found = {0};
    kmv_status st = KMV_ENOMEM;

    if (basis == NULL || w == NULL || z == NULL || columns == NULL)
        goto out;
    st = KMV_OK;
    if (u_min < 1022 && /* else all entries are zero */
        (st = iterate(e, &p, basis, z, wanted, steps, share, &found, err)) != KMV_OK)
        goto out;
    if (u != NULL && found.norm > 0) {
        make_vectors(e, &p, basis, share, found.steps, u, v);
    } else if (u != NULL) {
        memset(u, 0, e->q.n * size);
        memset(v, 0, n_k * size);
    }
    *out = found;
out:
    kmv_free(basis);
    kmv_free(w);
    kmv_free(z);
    kmv_free(columns);
    return st;
}

kmv_status kmv_op_norm(kmv_entries *e, double u_min, size_t max_steps, double *norm, double *tol,
                       kmv_error *err)
{
    kmv_singular found;
    const kmv_status st =
        kmv_top_singular(e, u_min, WANTED_RESIDUAL, max_steps, NULL, NULL, &found, err);

    if (st == KMV_OK) {
        *norm = found.norm;
        *tol = found.tol;
    }
    return st;
}

static void least(void *context, int thread, size_t i, size_t j, size_t count, const float *u)
{
    double *of_thread = (double *)context + (size_t)thread;

    (void)i;
    (void)j;
    for (size_t t = 0; t < count; t++)
        *of_thread = fmin(*of_thread, (double)u[t]);
}

kmv_status kmv_entries_least(kmv_entries *e, double *u_min, kmv_error *err)
{
    double *of_threads = kmv_alloc((size_t)e->threads, sizeof(double), "least exponents", err);
    double all = INFINITY;

    if (of_threads == NULL)
        return KMV_ENOMEM;
    for (int t = 0; t < e->threads; t++)
        of_threads[t] = INFINITY;
    kmv_entries_stream(e, least, of_threads);
    for (int t = 0; t < e->threads; t++)
        all = fmin(all, of_threads[t]);
    *u_min = all;
    kmv_free(of_threads);
    return KMV_OK;
}

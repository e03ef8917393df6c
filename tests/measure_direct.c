/* tests/measure_direct.c - see measure_direct.h. */
#include "measure_direct.h"

#include <float.h>
#include <stdlib.h>

#include "check.h"
#include "points.h"

static int descending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x < y) - (x > y);
}

/* Exponents are sums of d + 2 float terms, none larger than |q|^2 + |k|^2 over sigma^2: that many
 * roundings bound the relative error of an entry. Means are subtracted first, so that this is
 * generous. */
static double entry_tolerance(const kmv_view *v, double sigma)
{
    double most = 1;

    for (size_t i = 0; i < v->q.n; i++) {
        for (size_t j = 0; j < v->k.n; j++) {
            double norms = 0;

            for (size_t l = 0; l < v->q.d; l++)
                norms += pow(coordinate(&v->q, i, l), 2) + pow(coordinate(&v->k, j, l), 2);
            most = fmax(most, norms / (sigma * sigma));
        }
    }
    return (double)(v->q.d + 8) * (double)FLT_EPSILON * most;
}

static double exponent(const kmv_view *v, const kmv_measure_spec *s, size_t i, size_t j)
{
    double dot = 0, distance2 = 0;

    for (size_t l = 0; l < v->q.d; l++) {
        const double q = coordinate(&v->q, i, l), k = coordinate(&v->k, j, l);

        dot += q * k;
        distance2 += (q - k) * (q - k);
    }
    return (s->matrix == KMV_MEASURE_GAUSS ? -0.5 * distance2 : dot) / (s->sigma * s->sigma);
}

measure_direct measure_directly(const kmv_dataset *data, size_t n, const kmv_measure_spec *s)
{
    measure_direct out = {0};
    kmv_error err;
    double *columns;
    kmv_view v;

    CHECK_OK(kmv_view_init(&v, data, n, s->drop_first, s->center, &err));
    out.n_q = v.q.n;
    out.entries = calloc(v.q.n * v.k.n, sizeof(double));
    columns = calloc(v.k.n, sizeof(double));
    for (size_t i = 0; i < v.q.n; i++) {
        const size_t seen = s->causal ? i + v.k.n - v.q.n + 1 : v.k.n;
        double *row = out.entries + out.count, most = -INFINITY, below = 0;

        for (size_t j = 0; j < seen; j++) {
            row[j] = exponent(&v, s, i, j);
            most = fmax(most, row[j]);
        }
        for (size_t j = 0; j < seen; j++)
            below += exp(row[j] - most);
        for (size_t j = 0; j < seen; j++) {
            if (s->matrix == KMV_MEASURE_GAUSS)
                row[j] = exp(row[j]);
            else
                row[j] = exp(row[j] - most) / (s->matrix == KMV_MEASURE_SOFTMAX ? below : 1);
            out.sum += row[j];
            out.fro2 += row[j] * row[j];
            columns[j] += row[j];
        }
        out.count += seen;
    }
    for (size_t j = 0; j < v.k.n; j++)
        out.column_max = fmax(out.column_max, columns[j]);
    free(columns);
    qsort(out.entries, out.count, sizeof(double), descending);
    for (size_t t = 0; t < out.count; t++)
        *(t < out.n_q ? &out.head : &out.tail) += out.entries[t];
    out.tol = entry_tolerance(&v, s->sigma);
    kmv_view_clear(&v);
    return out;
}

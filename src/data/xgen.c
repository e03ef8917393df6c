/* data/xgen.c - see xgen.h. */
#include "data/xgen.h"

#include <gsl/gsl_randist.h>
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "base/status.h"
#include "base/str.h"
#include "data/h5io.h"

const char kmv_x_kinds[] = "ones|gauss|sign|abs-gauss|sparse:K|spike|zero|v|FILE:PATH";

static const char sparse_prefix[] = "sparse:";

static void fill_ones(gsl_rng *rng, size_t n, double *x)
{
    (void)rng;
    for (size_t j = 0; j < n; j++)
        x[j] = 1;
}

static void fill_gauss(gsl_rng *rng, size_t n, double *x)
{
    for (size_t j = 0; j < n; j++)
        x[j] = gsl_ran_gaussian_ziggurat(rng, 1);
}

static void fill_sign(gsl_rng *rng, size_t n, double *x)
{
    for (size_t j = 0; j < n; j++)
        x[j] = gsl_rng_uniform(rng) < 0.5 ? -1 : 1;
}

static void fill_abs_gauss(gsl_rng *rng, size_t n, double *x)
{
    for (size_t j = 0; j < n; j++)
        x[j] = fabs(gsl_ran_gaussian_ziggurat(rng, 1));
}

static void fill_spike(gsl_rng *rng, size_t n, double *x)
{
    fill_gauss(rng, n, x);
    x[(size_t)(gsl_rng_uniform(rng) * (double)n)] = 1000 * sqrt((double)n);
}

static void fill_zero(gsl_rng *rng, size_t n, double *x)
{
    (void)rng;
    memset(x, 0, n * sizeof *x);
}

static const struct {
    const char *name;
    int is_signed;
    void (*fill)(gsl_rng *rng, size_t n, double *x);
} simple_kinds[] = {
    {"ones", 0, fill_ones},           {"gauss", 1, fill_gauss}, {"sign", 1, fill_sign},
    {"abs-gauss", 0, fill_abs_gauss}, {"spike", 1, fill_spike}, {"zero", 0, fill_zero},
};

enum { N_SIMPLE = sizeof simple_kinds / sizeof *simple_kinds };

static size_t simple_kind(const char *kind)
{
    size_t i = 0;

    while (i < N_SIMPLE && strcmp(simple_kinds[i].name, kind) != 0)
        i++;
    return i;
}

/* Number of places in sparse:K, or 0 when kind is something else. */
static size_t sparse_count(const char *kind)
{
    size_t count;

    if (strncmp(kind, sparse_prefix, sizeof sparse_prefix - 1) != 0 ||
        !kmv_parse_size(kind + sizeof sparse_prefix - 1, &count))
        return 0;
    return count;
}

kmv_status kmv_x_check(const char *kind, kmv_error *err)
{
    const char *names[N_SIMPLE], *near;

    if (strncmp(kind, sparse_prefix, sizeof sparse_prefix - 1) == 0) {
        if (sparse_count(kind) == 0)
            return kmv_fail(err, KMV_EINVAL, "x: want sparse:K with an integer K >= 1, got '%s'",
                            kind);
        return KMV_OK;
    }
    if (strcmp(kind, "v") == 0 || simple_kind(kind) < N_SIMPLE || strchr(kind, ':') != NULL)
        return KMV_OK;
    for (size_t i = 0; i < N_SIMPLE; i++)
        names[i] = simple_kinds[i].name;
    near = kmv_closest(kind, names, N_SIMPLE);
    return kmv_fail(err, KMV_EINVAL, "x: want %s, got '%s'%s%s%s", kmv_x_kinds, kind,
                    near != NULL ? ", did you mean '" : "", near != NULL ? near : "",
                    near != NULL ? "'?" : "");
}

int kmv_x_is_signed(const char *kind)
{
    const size_t i = simple_kind(kind);

    return i == N_SIMPLE || simple_kinds[i].is_signed;
}

/* Places by selection sampling (Knuth, TAOCP 2, 3.4.2, algorithm S): every set of `count` places is
 * equally likely, in one pass. */
static void fill_sparse(gsl_rng *rng, size_t n, size_t count, double *x)
{
    for (size_t j = 0, left = count; j < n && left > 0; j++) {
        if (gsl_rng_uniform(rng) * (double)(n - j) < (double)left) {
            x[j] = gsl_ran_gaussian_ziggurat(rng, 1);
            left--;
        }
    }
}

static kmv_status from_values(size_t n, const double *v, size_t v_cols, double **x, kmv_error *err)
{
    if (v == NULL || v_cols == 0)
        return kmv_fail(err, KMV_EINVAL, "x: the problem has no values for kind 'v'");
    if ((*x = kmv_alloc(n, v_cols * sizeof **x, "x", err)) == NULL)
        return KMV_ENOMEM;
    memcpy(*x, v, n * v_cols * sizeof **x);
    return KMV_OK;
}

static kmv_status from_file(const char *address, size_t n, size_t *r, double **x, kmv_error *err)
{
    double *values = NULL;
    size_t rows = 0, columns = 0;
    kmv_status st = kmv_h5_read_matrix(address, &values, &rows, &columns, err);

    if (st != KMV_OK)
        return st;
    if (rows != n) {
        kmv_free(values);
        return kmv_fail(err, KMV_EINVAL, "%s: want %zu rows, one per key, got %zu", address, n,
                        rows);
    }
    *x = values;
    *r = columns;
    return KMV_OK;
}

static kmv_status from_stream(const char *kind, uint64_t seed, size_t n, double **x, kmv_error *err)
{
    const size_t simple = simple_kind(kind), places = sparse_count(kind);
    double *out;
    gsl_rng *rng;

    if (simple == N_SIMPLE && places > n)
        return kmv_fail(err, KMV_EINVAL, "x: %s has more places than the %zu keys", kind, n);
    if ((rng = kmv_rng_create(kmv_stream_key(seed, "x", 0), err)) == NULL)
        return KMV_ENOMEM;
    if ((out = kmv_alloc(n, sizeof *out, "x", err)) == NULL) {
        gsl_rng_free(rng);
        return KMV_ENOMEM;
    }
    if (simple < N_SIMPLE)
        simple_kinds[simple].fill(rng, n, out);
    else
        fill_sparse(rng, n, places, out);
    gsl_rng_free(rng);
    *x = out;
    return KMV_OK;
}

int kmv_x_is_file(const char *kind)
{
    return strcmp(kind, "v") != 0 && simple_kind(kind) == N_SIMPLE && sparse_count(kind) == 0 &&
           strchr(kind, ':') != NULL;
}

kmv_status kmv_x_make(const char *kind, uint64_t seed, size_t n, const double *v, size_t v_cols,
                      size_t *r, double **x, kmv_error *err)
{
    size_t columns = 1;
    kmv_status st = kmv_x_check(kind, err);

    if (st != KMV_OK)
        return st;
    if (strcmp(kind, "v") == 0) {
        columns = v_cols;
        st = from_values(n, v, v_cols, x, err);
    } else if (simple_kind(kind) < N_SIMPLE || sparse_count(kind) > 0) {
        st = from_stream(kind, seed, n, x, err);
    } else {
        st = from_file(kind, n, &columns, x, err);
    }
    if (st == KMV_OK)
        *r = columns;
    return st;
}

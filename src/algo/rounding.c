/* algo/rounding.c - see rounding.h. */
#include "algo/rounding.h"

#include <math.h>

#include "base/mem.h"
#include "base/rng.h"
#include "gauss/reference.h"

enum { COLUMNS = 2 }; /* of x: ones, signs */

/* Of the sums of a product alone, relative to |K|x||: docs/numerics.md, with room. */
static const double SUMS = 5e-7;

/* Times what some rows show. */
static const double SAFETY = 3;

static kmv_status gain_of(const kmv_pilot *pilot, double *gain, kmv_error *err)
{
    double *c2 = kmv_alloc(pilot->problem->k->n, sizeof *c2, "column norms", err);

    if (c2 == NULL)
        return KMV_ENOMEM;
    kmv_pilot_column_norms(pilot, 0, 1, c2);
    *gain = kmv_pilot_gain(pilot, c2);
    kmv_free(c2);
    return KMV_OK;
}

kmv_status kmv_rounding_bound(const kmv_pilot *pilot, double *rounding, kmv_error *err)
{
    const kmv_status st = gain_of(pilot, rounding, err);

    *rounding *= KMV_ROUNDING;
    return st;
}

static kmv_status fill_x(size_t n, uint64_t key, double *x, kmv_error *err)
{
    gsl_rng *rng = kmv_rng_create(key, err);

    if (rng == NULL)
        return KMV_ENOMEM;
    for (size_t j = 0; j < n; j++) {
        x[COLUMNS * j] = 1;
        x[COLUMNS * j + 1] = gsl_rng_uniform(rng) < 0.5 ? -1 : 1;
    }
    gsl_rng_free(rng);
    return KMV_OK;
}

kmv_status kmv_rounding_measure(const kmv_pilot *pilot, const char *isa, uint64_t key,
                                kmv_cost *cost, double *rounding, kmv_error *err)
{
    const size_t n = pilot->problem->k->n, rows = pilot->count;
    double *x = kmv_alloc(COLUMNS * n, sizeof *x, "columns of x", err);
    double *y = kmv_alloc(COLUMNS * rows, sizeof *y, "products", err);
    double off2[COLUMNS] = {0}, gain = 0;
    kmv_reference *reference = NULL;
    kmv_status st = KMV_ENOMEM;

    if (x == NULL || y == NULL || (st = gain_of(pilot, &gain, err)) != KMV_OK ||
        (st = fill_x(n, key, x, err)) != KMV_OK ||
        (st = kmv_reference_create(pilot->problem, COLUMNS, isa, pilot->threads, &reference,
                                   err)) != KMV_OK)
        goto out;
    kmv_reference_apply(reference, pilot->rows, rows, x, COLUMNS, y);
    cost->flops +=
        kmv_reference_flops(pilot->problem, COLUMNS) * (double)rows / (double)pilot->problem->q->n;
    for (size_t i = 0; i < rows; i++) {
        const float *entry = pilot->entries + i * pilot->ld;
        double sum[COLUMNS] = {0};

        for (size_t j = 0; j < n; j++) {
            for (size_t c = 0; c < COLUMNS; c++)
                sum[c] += (double)entry[j] * x[COLUMNS * j + c];
        }
        for (size_t c = 0; c < COLUMNS; c++)
            off2[c] += (sum[c] - y[COLUMNS * i + c]) * (sum[c] - y[COLUMNS * i + c]);
    }
    /* |x|^2 = n in either column. */
    *rounding = SAFETY * sqrt(fmax(off2[0], off2[1]) * (double)pilot->problem->q->n /
                              ((double)rows * (double)n)) +
                SUMS * gain;
out:
    kmv_reference_destroy(reference);
    kmv_free(x);
    kmv_free(y);
    return st;
}

/* algo/failed_product.c - see failed_product.h. */
#include "algo/failed_product.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"

double kmv_failed_product_growth(double err_est, double eps)
{
    const double ratio = 1.25 * err_est / eps;

    return isfinite(ratio) ? ratio * ratio - 1 : 1; /* a product that overflowed fails again */
}

kmv_status kmv_failed_product_init(kmv_failed_product *failed, size_t most, kmv_error *err)
{
    double *y = kmv_alloc(most, sizeof *y, "a product that failed", err);

    if (y == NULL)
        return KMV_ENOMEM;
    *failed = (kmv_failed_product){.y = y};
    return KMV_OK;
}

void kmv_failed_product_keep(kmv_failed_product *failed, const double *y, size_t n)
{
    if (n > 0)
        memcpy(failed->y, y, n * sizeof *y);
    failed->n = n;
}

void kmv_failed_product_add(const kmv_failed_product *failed, double growth, double *y)
{
    for (size_t i = 0; i < failed->n; i++)
        y[i] = (failed->y[i] + growth * y[i]) / (1 + growth);
}

void kmv_failed_product_clear(kmv_failed_product *failed)
{
    kmv_free(failed->y);
    *failed = (kmv_failed_product){0};
}

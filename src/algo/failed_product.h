/* algo/failed_product.h - a product whose certificate found too large an error is an estimate like
 * the next: what to add to it. */
#ifndef KMV_ALGO_FAILED_PRODUCT_H
#define KMV_ALGO_FAILED_PRODUCT_H

#include "kmv.h"

typedef struct {
    size_t n; /* 0: none kept */
    double *y;
} kmv_failed_product;

/**
 * Times the samples of a product that erred by e = err_est > eps (in the same units) that a second
 * product, of a sample of its own, needs for their weighted mean (kmv_failed_product_add) to err by
 * a = eps / 1.25: where variances go like 1 / samples, e^2 / (1 + g) = a^2, so g = (e / a)^2 - 1,
 * 0.56 at least. A bias that both have stays: the certificate of the mean judges that. A second
 * product that turns out exact is weighted in the same way: a^2 / e, less than a, is left.
 */
double kmv_failed_product_growth(double err_est, double eps);

/** Room for products of `most` doubles. KMV_ENOMEM. */
kmv_status kmv_failed_product_init(kmv_failed_product *failed, size_t most, kmv_error *err);
void kmv_failed_product_clear(kmv_failed_product *failed);

/** Keep y, n <= most; n = 0 forgets what was kept. */
void kmv_failed_product_keep(kmv_failed_product *failed, const double *y, size_t n);

/** y = (kept + g y) / (1 + g), g the growth with which y was made; nothing where none is kept. */
void kmv_failed_product_add(const kmv_failed_product *failed, double growth, double *y);

#endif

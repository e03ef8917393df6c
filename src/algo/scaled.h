/* algo/scaled.h - points in units of the bandwidth, and single kernel entries from them. */
#ifndef KMV_ALGO_SCALED_H
#define KMV_ALGO_SCALED_H

#include <stddef.h>

#include "kmv.h"

/** u_i = (p_i - centre) / sigma, rounded to float once; row i at x + i * ld, ld a multiple of 16,
 *  padding zero. Owned; clear with kmv_scaled_clear. */
typedef struct {
    size_t n, d, ld;
    float *x;
} kmv_scaled;

/** KMV_ENOTSUP where |u|^2 > 1e30 (squares of floats would overflow), KMV_ENOMEM. */
kmv_status kmv_scaled_init(kmv_scaled *s, const kmv_points *p, const double *centre, double sigma,
                           kmv_error *err);
void kmv_scaled_clear(kmv_scaled *s);

/** |u - v|^2 of two rows by differences, in float, in a fixed order of additions: relative error
 *  about (ld / 16 + 6) FLT_EPSILON. Cost 3 ld flops. */
float kmv_scaled_distance2(const float *u, const float *v, size_t ld);

#endif

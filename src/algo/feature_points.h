/* algo/feature_points.h - points in units of sigma, as feature maps read them. */
#ifndef KMV_ALGO_FEATURE_POINTS_H
#define KMV_ALGO_FEATURE_POINTS_H

#include "algo/scaled.h"
#include "gauss/pack.h"

typedef enum {
    KMV_CENTRE_NONE, /* a = b = 0 */
    KMV_CENTRE_BOTH, /* a = b, the common centre; for gauss, which does not notice */
    KMV_CENTRE_EACH  /* a the mean query, b the mean key; for softmax, whose rows do not notice */
} kmv_feature_centre;

/**
 * u_i = (q_i - a) / sigma and v_j = (k_j - b) / sigma. For KMV_CENTRE_EACH the logit is
 * q_i.k_j / sigma^2 = u_i.v_j + a.v_j / sigma + (a number of row i), so keys carry the weight
 * exp(tilt_j), tilt_j = a.v_j / sigma.
 */
typedef struct {
    kmv_scaled q, k;
    float *q_half, *k_half; /* |u|^2 log2(e) / 2, |v|^2 log2(e) / 2 */
    float *tilt;            /* tilt_j log2(e); zeros but for KMV_CENTRE_EACH */
    double q_most, k_most;  /* largest |u|, |v| */
} kmv_feature_points;

/** Adds its flops to cost. KMV_ENOMEM; KMV_ENOTSUP where |u|^2 or |v|^2 exceeds 1e5: an exponent of
 *  that size has lost all but two decimals in float. */
kmv_status kmv_feature_points_init(kmv_feature_points *p, const kmv_problem *problem,
                                   kmv_feature_centre centre, kmv_cost *cost, kmv_error *err);
void kmv_feature_points_clear(kmv_feature_points *p);

/** The scaled points of one role. */
const kmv_scaled *kmv_feature_points_of(const kmv_feature_points *p, kmv_role role);

#endif

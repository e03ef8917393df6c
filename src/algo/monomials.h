/* algo/monomials.h - all monomials up to a degree: features of the truncated exponential series. */
#ifndef KMV_ALGO_MONOMIALS_H
#define KMV_ALGO_MONOMIALS_H

#include "algo/feature_points.h"
#include "algo/feature_product.h"

/**
 * sum_{t <= g} (u.v)^t / t! = sum_{|a| <= g} (u^a / sqrt(a!)) (v^a / sqrt(a!)) over multi-indices a
 * of d numbers: C(d + g, g) features. For gauss each point also carries exp(-|u|^2 / 2); for
 * softmax keys carry what their centre leaves (feature_points.h). These factors are exact. Each is
 * an earlier one times a coordinate, divided by the root of its new exponent.
 */
typedef struct {
    kmv_feature_points points;
    size_t degree;
    int gauss;
    uint32_t *parent; /* feature it is made from; feature 0 is 1 */
    uint32_t *along;  /* coordinate it is multiplied by */
    float *factor;    /* 1 / sqrt(exponent of that coordinate) */
    kmv_feature_map map;
} kmv_monomials;

/** C(d + degree, degree), or SIZE_MAX where it exceeds KMV_FEATURES_MAX. */
size_t kmv_monomials_count(size_t d, size_t degree);

/** Points and tables. The map is borrowed from the struct: it must not move. KMV_ENOMEM,
 *  KMV_ENOTSUP as in feature_points.h. */
kmv_status kmv_monomials_init(kmv_monomials *m, const kmv_problem *problem, size_t degree,
                              kmv_cost *cost, kmv_error *err);
void kmv_monomials_clear(kmv_monomials *m);

/** The most by which sum_{t <= g} z^t / t! can differ from exp(z), |z| <= bound:
 *  exp(bound) bound^(g+1) / (g+1)!. */
double kmv_monomials_remainder(double bound, size_t degree);

#endif

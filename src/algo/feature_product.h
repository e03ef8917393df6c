/* algo/feature_product.h - products with matrices that a feature map factors: what rff, performer
 * and taylor share. */
#ifndef KMV_ALGO_FEATURE_PRODUCT_H
#define KMV_ALGO_FEATURE_PRODUCT_H

#include "algo/algo.h"
#include "gauss/pack.h"

enum { KMV_FEATURES_MAX = 1 << 17 };

/**
 * A map phi from points to `features` numbers each, so that
 *     A_ij = factor sum_f phi_f(q_i) phi_f(k_j)
 * stands for G_ij (gauss) or for exp(logit_ij) up to factors of rows (softmax, where the rows are
 * normalised). Borrowed by the products made from it.
 */
typedef struct {
    const void *map;
    size_t features; /* <= KMV_FEATURES_MAX */
    int exponents;   /* phi_f is 2^out[f] 2^scale, else out[f] 2^scale */
    double factor;
    double flops; /* of one row */
    /** Rows first .. first + count - 1 of the queries or keys: out, count x features, and one scale
     *  a row. Called by several threads. */
    void (*rows)(const void *map, kmv_role role, size_t first, size_t count, float *out,
                 float *scale);
} kmv_feature_map;

/** A_ij as mantissa 2^exponent, in double and in the log domain, so that it never under- or
 *  overflows; q and k: `features` numbers and a scale each, as `rows` gives them. */
double kmv_feature_entry(const kmv_feature_map *map, const float *q, double q_scale, const float *k,
                         double k_scale, double *exponent);

/**
 * Y = A X (gauss), Y = D^-1 A X with D = diag(A 1) (softmax), with the mask where causal:
 *     y_i = phi(q_i)' S / phi(q_i)' z,   S = sum_j phi(k_j) x_j',  z = sum_j phi(k_j),
 * causal with the sums up to j = i, carried along chunk by chunk. In blocks through sgemm.
 * Source of the prefix sums: Katharopoulos, Vyas, Pappas, Fleuret, ICML 2020 (arXiv 2006.16236).
 *
 * Log domain: each feature f of the keys is divided by 2^top_f, the largest so far, and each query
 * takes 2^top_f along and divides by its own largest; so a sum of positive features neither over-
 * nor underflows, whatever the exponents. (The published way subtracts one maximum over all keys
 * and features, and a row whose features all underflow is 0/0.) Within a causal chunk a row may
 * see only keys that are far below the chunk's largest: such rows are computed pair by pair.
 *
 * Cost (n_q + n_k) (flops of a row + 2 m c) with m features and c = r columns, r + 1 for softmax;
 * causal 2 n_q C (m + c) more, C = 64 the chunk. Memory about 16 m (c + C) floats, 4 m (...) for
 * more than 4096 features, and per thread 2 C m; it does not grow with n. Same bits for any number
 * of threads. Sums are in float within 64 (128) keys, in double across.
 */
typedef struct kmv_feature_product kmv_feature_product;

/** Borrows problem and map. text of the context is kept: an apply adds to it how many rows had no
 *  positive denominator. KMV_ENOMEM. */
kmv_status kmv_feature_product_create(const kmv_problem *problem, const kmv_feature_map *map,
                                      const kmv_prepare_context *context, kmv_feature_product **out,
                                      kmv_error *err);
void kmv_feature_product_destroy(kmv_feature_product *p);

/** Allocates nothing. A row whose denominator is not positive (the features are signed and the
 *  estimate failed) becomes 0 and is counted in the text. */
void kmv_feature_product_apply(kmv_feature_product *p, kmv_apply_context *context);

#endif

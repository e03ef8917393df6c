/* algo/certificate.h - how wrong is y? Asked of rows computed exactly after the product.
 *
 * With e_i the error of row i of y (a vector of r entries), T = sum_i |e_i|^2 is wanted. M rows are
 * drawn independently with replacement, row i with probability
 *     q_i = (1 - share) / n_q + share w_i / sum w,   w_i = |y_i|^2 (model), (|y_i| + B_i)^2
 * (range), from a stream of their own: never the pilot's rows, and y is fixed before they are
 * drawn. The values z_t = |e_i|^2 / q_i are then independent with mean T. Rows that an estimator
 * overestimated have a large |y_i| and so are likely to be drawn. docs/certificate.md has the
 * proofs.
 */
#ifndef KMV_ALGO_CERTIFICATE_H
#define KMV_ALGO_CERTIFICATE_H

#include "algo/algo.h"
#include "gauss/leaf_product.h"
#include "gauss/product.h"

typedef enum { KMV_CERTIFY_NONE, KMV_CERTIFY_MODEL, KMV_CERTIFY_RANGE } kmv_certify_kind;
#define KMV_CERTIFY_CHOICES "none|model|range"

/**
 * Upper bound of a mean, proved: for `count` independent values in [0, range] whose mean is mu,
 * P(result < mu) <= delta. Betting: the wealth prod_t (1 + l_t (m - z_t / range)), with stakes l_t
 * in [0, 0.9] that depend on z_1 .. z_t-1 only, is a nonnegative supermartingale for m <= mu /
 * range, so it reaches 1/delta with probability at most delta; the result is the least m with which
 * it does, or range. About range ln(1/delta) / count at least, near what the variance allows
 * otherwise. Values must stand in the order drawn.
 * Source: Waudby-Smith & Ramdas, J. R. Stat. Soc. B 86, 2024, section 4.
 */
double kmv_mean_bound_range(const double *z, size_t count, double range, double delta);

/**
 * Upper bound of a mean, not proved: mean + s sqrt(2 L / count) + z_max L / count with L =
 * ln(1/delta) and s the standard deviation of the sample: Bernstein's form with the largest value
 * seen as the range. What is assumed: values beyond the largest seen, which have probability at
 * most L / count (kmv_unseen_share), do not exceed it so much that the slack in the first two terms
 * is used up. Coverage is measured in docs/certificate.md.
 */
double kmv_mean_bound_model(const double *z, size_t count, double delta);

/** The share of a population that may exceed the largest of `count` uniform draws from it: with
 *  confidence 1 - delta at most 1 - delta^(1/count) <= ln(1/delta) / count. No assumption; 1 for no
 *  draws. */
double kmv_unseen_share(size_t count, double delta);

typedef struct kmv_certifier kmv_certifier;

/** What a certifier is made of; everything is borrowed and outlives it. */
typedef struct {
    const kmv_problem *problem;
    const double *centre;      /* gauss */
    const kmv_packed *keys;    /* gauss: all of them, in order */
    kmv_workspace *workspace;  /* gauss: made for n_k keys and `columns` columns */
    kmv_leaf_product *product; /* softmax: with room for `rows` queries; its queries are replaced */
    size_t columns;            /* most columns of X */
    size_t rows;               /* M >= 2 */
    kmv_certify_kind kind;     /* MODEL or RANGE */
    double share;              /* of the rows drawn by w, in [0, 1) */
    double rounding; /* what the float32 of the rows computed exactly may be off by, in |X|_F */
    int threads;
} kmv_certifier_setup;

/** Memory: rows (4 d + 16 r) and 16 n_q bytes. KMV_ENOMEM. */
kmv_status kmv_certifier_create(const kmv_certifier_setup *setup, kmv_certifier **out,
                                kmv_error *err);
void kmv_certifier_destroy(kmv_certifier *c);

typedef struct {
    double err_est; /* of |Y - G X|_F / |X|_F: its square is unbiased */
    double bound;   /* of the same, at confidence 1 - delta, rounding included */
    double share;   /* with confidence 1 - delta at most this share of the rows errs by more ... */
    double row_max; /* ... than this: the largest |e_i| of a row drawn uniformly, over |X|_F */
} kmv_certificate;

/**
 * Judge context->y as the product with context->x; key names the stream of the rows. Allocates
 * nothing, adds rows n_k pairs to the context's cost, changes nothing else of it. Same result for
 * any number of threads. Gauss: B_i = sum of |x_j| over the keys that row i sees, since no entry
 * exceeds 1. Softmax: B_i = the largest |x_j - m| and |y_i - m| for |y_i|, m the mean of some rows
 * of x, since a row of P X is an average of rows of X.
 */
void kmv_certify(kmv_certifier *c, const kmv_apply_context *context, uint64_t key, double delta,
                 kmv_certificate *out);

#endif

/* algo/column_sample.h - products from a random sample of columns (keys).
 *
 * Column j is kept with probability p_j, independently of the others (Poisson sampling), and
 *     y_i = sum_{j kept} G_ij x_j / p_j,
 * which is unbiased wherever p_j > 0 for all x_j != 0. With c_j^2 = sum_i G_ij^2,
 *     V = E|y - G x|^2 = sum_j x_j^2 (1/p_j - 1) c_j^2,
 * and the error is a sum of independent vectors of mean 0, none longer than
 *     B = max_{p_j < 1} |x_j| c_j max(1, 1/p_j - 1),
 * so that Bernstein's inequality in Hilbert space (Pinelis, Ann. Probab. 22, 1994) gives
 *     P(|y - G x| >= t) <= 2 exp(-t^2 / (2 V + 2 B t / 3)).
 * With r columns |x_j| is the norm of row j of X and |.| the Frobenius norm.
 */
#ifndef KMV_ALGO_COLUMN_SAMPLE_H
#define KMV_ALGO_COLUMN_SAMPLE_H

#include <gsl/gsl_rng.h>

#include "algo/algo.h"
#include "algo/pilot.h"
#include "gauss/product.h"

/** p_j = min(1, lambda score_j) with lambda such that sum p_j = m; where m is not less than the
 *  number of positive scores, p_j = 1 for those. Scores are >= 0. Cost n per round, a few rounds.
 */
void kmv_sample_probabilities(const double *score, size_t n, double m, double *p);

/** V for x2_j = |x_j|^2 and column norms c2_j = c_j^2. Columns with x_j c_j = 0 add nothing;
 *  infinite where p_j = 0 for another one. */
double kmv_sample_variance(const double *x2, const double *c2, const double *p, size_t n);

/** The deviation t that is exceeded with probability at most delta:
 *  t^2 = ln(2/delta) (2 V + 2 B t / 3). */
double kmv_sample_deviation(const double *x2, const double *c2, const double *p, size_t n,
                            double delta);

/** The error that a sample is sized for: safety sqrt(V), or for safety = 0 the deviation above. */
double kmv_sample_error(const double *x2, const double *c2, const double *p, size_t n, double delta,
                        double safety);

/**
 * Column norms from two estimates of them by different rows. A column's own is mostly chance where
 * few rows see its large entries: a sample for x of few entries would be sized by whether they
 * happened to be met. So columns whose first estimates are about equal (bins of a factor sqrt 2)
 * share the mean of their second ones, and the other way about; c2 is the mean of both. Unbiased
 * for what columns of that bin have, and a column that stands out in both keeps its own. But a bin
 * of few columns may have met none of their large entries, so its mean is not below that of the bin
 * and `doubt` columns of the mean of all. Where the estimates are the same numbers they are taken
 * as true. Cost 4 n. c2 may be none of the others.
 */
void kmv_sample_calibrate(const double *fit, const double *check, size_t n, double doubt,
                          double *c2);

/** p_j = 1 for columns with more than `share` of sum x2, which is `total`: what a pilot says of
 *  a single column is not enough to leave it to chance. */
void kmv_sample_force(const double *x2, size_t n, double share, double total, double *p);

/** Draw: index takes the kept columns in ascending order, weight their 1/p_j (room for n of each).
 *  Returns how many. */
size_t kmv_sample_draw(const double *p, size_t n, gsl_rng *rng, size_t *index, double *weight);

enum { KMV_SAMPLE_LEAST = 128 }; /* columns that are always worth taking: as many as a pilot has */

/** What sampling algorithms share: packed queries, room for the packed kept keys, a stream of
 * random numbers, and column norms from a pilot of exact rows. */
typedef struct {
    const kmv_problem *problem;
    const kmv_pilot *shared; /* owns queries, centre and workspace where it is not NULL */
    const void *options;     /* of the algorithm whose state this is */
    int threads;
    double eps, delta;
    double effort; /* times the samples that eps asks for; 1 */
    double forced; /* columns with a larger part of |X|_F^2 are always kept */
    double miss;   /* added to V when sizing: so many times the largest x_j^2 (1/p_j - 1), for
                      entries that the pilot has not met; 0 */
    kmv_packed queries, keys;
    kmv_workspace *workspace;
    gsl_rng *rng;
    double *centre;
    size_t *index;
    double *weight;
    double *x2;        /* |x_j|^2 of the current X, its largest entry taken as 1 */
    double *score, *p; /* filled for each product */
    double *c2;        /* estimates of c_j^2; NULL without a pilot */
    size_t pilot;      /* rows of the pilot */
    char *text;        /* the plan's line */
    size_t text_size;
} kmv_column_sampler;

/**
 * Prepare. pilot: rows to compute exactly, drawn without replacement; 0 for none. Column norms are
 * estimated from either half of them and calibrated by the other; when pilot >= n_q they are true.
 * Cost: packing, and pilot n_k pairs. Memory about (n_q + n_k) (4 d + 40) bytes.
 */
kmv_status kmv_column_sampler_create(const kmv_problem *problem, const kmv_prepare_context *context,
                                     size_t pilot, kmv_column_sampler **out, kmv_error *err);

/** The same from a pilot that others share and that outlives the sampler, by its even and odd rows.
 *  Computes no pairs and packs no points. */
kmv_status kmv_column_sampler_create_shared(const kmv_problem *problem,
                                            const kmv_prepare_context *context,
                                            const kmv_pilot *pilot, kmv_column_sampler **out,
                                            kmv_error *err);
void kmv_column_sampler_destroy(kmv_column_sampler *s);

/** x2 from the context's X, divided by its largest entry so that squares neither overflow nor
 *  vanish; returns their sum, |X|_F^2 in that unit. */
double kmv_column_sampler_load(kmv_column_sampler *s, const kmv_apply_context *context);

/** Expected sample size, those always kept included, to 2 % the least with which the predicted rms
 *  error, guarded by `miss`, is within eps |X|_F; s->p holds the probabilities. s->score and s->x2
 *  are set. */
double kmv_column_sampler_size(kmv_column_sampler *s, double x_norm2);

/**
 * The product by s->score: `samples` columns expected, or, for 0, as many as the pilot's prediction
 * for c_j asks for: with safety = 0 such that the error stays within eps |X|_F with probability
 * 1 - delta by the inequality above (an estimate stands in for c_j, so the promise is as good as
 * the pilot); else such that the rms error is eps / safety. One made from a shared pilot takes
 * `effort` times the size of kmv_column_sampler_size instead. Sets err_est to sqrt(V) / |X|_F where
 * there is a pilot. Where the size comes from eps, columns with more than `forced` of |X|_F^2 are
 * kept for certain, and all of X that is not 0 where that is no more than KMV_SAMPLE_LEAST columns
 * and half of them.
 * Allocates nothing.
 */
void kmv_column_sampler_apply(kmv_column_sampler *s, size_t samples, double safety, double x_norm2,
                              kmv_apply_context *context);

#endif

/* algo/pilot.h - some rows of the matrix computed exactly before planning, shared by all who plan.
 */
#ifndef KMV_ALGO_PILOT_H
#define KMV_ALGO_PILOT_H

#include <gsl/gsl_rng.h>

#include "algo/algo.h"
#include "gauss/product.h"

enum { KMV_PILOT_BINS = 64 };

/** Entries by size: bin b holds those in [2^-b-1, 2^-b), the last all smaller ones. */
typedef struct {
    double mass[KMV_PILOT_BINS], number[KMV_PILOT_BINS]; /* sum of squares, and count */
    double largest;                                      /* entry of all */
    double sums2;                                        /* squared sums of rows, added up */
} kmv_entry_bins;

/** All points packed once, and rows drawn uniformly without replacement with all their entries.
 *  queries, keys and centre may be borrowed by whatever is prepared from the pilot; the entries go
 *  as soon as preparation is done (kmv_pilot_drop_entries). */
typedef struct {
    const kmv_problem *problem;
    const kmv_tile *tile;
    int threads;
    double *centre;     /* d: what packing subtracts */
    kmv_packed queries; /* all n_q in order, without index, see kmv_pilot_pack_queries; or some */
    kmv_packed keys;    /* all n_k in order, without index; see kmv_pilot_pack_keys */
    size_t *some;       /* which those are; NULL: all */
    kmv_workspace *workspace;
    size_t capacity, count; /* rows reserved, rows computed so far */
    size_t *rows;           /* their numbers; the first `count` of them, in any order, are a uniform
                               sample without replacement */
    float *entries;         /* count x ld: entry G_ij of row rows[i] at [i ld + j]; masked: 0 */
    size_t ld;
    kmv_entry_bins bins; /* of all rows */
} kmv_pilot;

/**
 * Draw `capacity` rows (at most n_q); packs and computes none yet. Memory: the packed points, and
 * capacity n_k floats. KMV_ENOMEM.
 */
kmv_status kmv_pilot_init(kmv_pilot *pilot, const kmv_problem *problem,
                          const kmv_prepare_context *context, size_t capacity, kmv_error *err);
void kmv_pilot_clear(kmv_pilot *pilot);

/** Room for kmv_pilot_product where queries are not packed: for all keys and some queries, since
 * all points packed are 2.5 times the points themselves with a matrix unit. Queries can then no
 * longer be packed whole. KMV_ENOMEM. */
kmv_status kmv_pilot_reserve(kmv_pilot *pilot, kmv_error *err);

/** Pack the keys, once; allocates nothing where room is reserved. KMV_ENOMEM, KMV_ENOTSUP where
 *  sigma is too small for float. */
kmv_status kmv_pilot_pack_keys(kmv_pilot *pilot, kmv_cost *cost, kmv_error *err);

/** The same for the queries. */
kmv_status kmv_pilot_pack_queries(kmv_pilot *pilot, kmv_cost *cost, kmv_error *err);

/** y = G x exactly, r columns; packs what is not packed. After kmv_pilot_reserve allocates nothing.
 *  Cost: that of kmv_product. Errors as of packing. */
kmv_status kmv_pilot_product(kmv_pilot *pilot, const double *x, size_t r, double *y, kmv_cost *cost,
                             kmv_error *err);

/** Compute rows until there are `count` (at most capacity). Cost: n_k pairs for each new row; where
 *  the keys are not packed, some are at a time. Allocates room for packing and gives it back. */
kmv_status kmv_pilot_extend(kmv_pilot *pilot, size_t count, kmv_cost *cost, kmv_error *err);

/** Free entries and rows; packed points stay. */
void kmv_pilot_drop_entries(kmv_pilot *pilot);

/** Free packed points. */
void kmv_pilot_drop_points(kmv_pilot *pilot);

/** c2[j] = n_q / (rows taken) times the sum of squared entries of column j over rows begin, begin +
 *  step, ... of the pilot: an unbiased estimate of c_j^2. Same bits for any number of threads. */
void kmv_pilot_column_norms(const kmv_pilot *pilot, size_t begin, size_t step, double *c2);

/** Estimate of how much the matrix enlarges: the larger of |G 1| / |1| and the largest column norm,
 *  c2 from kmv_pilot_column_norms. Lower bounds of its operator norm up to sampling. */
double kmv_pilot_gain(const kmv_pilot *pilot, const double *c2);

/**
 * In how many directions errors of sampled columns spread, estimated from the first `rows` of the
 * pilot: nu = trace(C)^2 / |C|_F^2 of C = G G^T, 1 where all columns are parallel, up to n_q. The
 * squared error of a sample of many columns behaves like its mean times a chi^2 variable of nu
 * degrees of freedom over nu (Satterthwaite's approximation). Cost rows^2 n_k flops.
 */
double kmv_pilot_directions(const kmv_pilot *pilot, size_t rows);

/** Relative standard error of the mean squared row norm over rows begin, begin + step, ... of the
 *  pilot: how far predictions that rest on them may be off. 1 for fewer than two rows. */
double kmv_pilot_spread(const kmv_pilot *pilot, size_t begin, size_t step);

/** The factor between the error that is exceeded with probability delta and the root mean square
 *  error, by that approximation: sqrt(chi^2_nu(1 - delta) / nu). */
double kmv_error_safety(double nu, double delta);

/**
 * What `probe` and leaves plan for when eps is to be met but for probability delta: their own
 * safety factors are of delta = 0.01, by measurement, and this is eps times the quotient of that
 * error's quantiles, kmv_error_safety(45, 0.01) / kmv_error_safety(45, delta): 45 degrees of
 * freedom are those at which the factor is 1.25, that of `probe`. eps itself at 0.01, 1.2 eps at
 * 0.3, 0.74 eps at 1e-9.
 */
double kmv_planned_eps(const kmv_settings *settings);

/**
 * Kernel entries per row with which |y - Gx| <= eps |x| could be reached in the root mean square if
 * the largest entries were known for free and columns of the rest drawn with equal probability: min
 * over h of h + 1 / (1/n_k + eps^2 / F2(h)), F2(h) the squared mass of n_q rows without their
 * entries above a common power of 2 that leaves h per row (V of algo/column_sample.h for x of
 * entries of equal size). Where that is near n_k no method of this kind can win.
 */
double kmv_pilot_oracle_pairs(const kmv_pilot *pilot, double eps);

/** The same where each large entry costs as much as `large` columns; for 1 it is the above. */
double kmv_pilot_split_pairs(const kmv_pilot *pilot, double eps, double large);

/** The same without large entries: h = 0. */
double kmv_pilot_sampled_pairs(const kmv_pilot *pilot, double eps);

#endif

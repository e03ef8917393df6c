/* algo/leaf_plan.h - which leaves each block visits, and how columns of the rest are to be sampled:
 * planned on rows computed in full.
 *
 * A leaf is visited by a block where its predicted share exceeds `least_share`; the rest is light.
 * For columns kept with probability p_j and used with weight 1 / p_j, numerator and denominator
 * alike, the squared error of the output is
 *     V(p) = sum_j c_j^2 |v_j - m|^2 g(p_j, t_j),     c_j^2 = sum over i, j light for i, of P_ij^2,
 * m the mean of the values, g = 1/p - 1 for small entries and gauss (m = 0, and V is exact for
 * independent draws), less where one entry t of a row is all of a column: drawn, it becomes
 * (t/p) / (t/p + 1 - t) of its row (docs/attention.md). c_j^2 is estimated on the pilot's rows.
 * What a sample planned on some rows would miss on others is seen by planning on one half of them
 * and judging by the other half.
 */
#ifndef KMV_ALGO_LEAF_PLAN_H
#define KMV_ALGO_LEAF_PLAN_H

#include "algo/leaf_survey.h"

typedef struct {
    kmv_leaf_survey survey;
    int planned;        /* threshold for values of equal size */
    double sampled;     /* keys per row in columns that are drawn then, of those the mask leaves */
    double least_share; /* as planned; then, of the last product */
    double heavy;       /* keys visited per row at that */
    size_t rows;        /* of the pilot */
    float per_row; /* softmax: t^2 over what an entry t of one pilot row adds to c2; gauss: 0 */
    float *c2[2];  /* n_k: estimates of c_j^2 from either half of the pilot */
    float *prior2; /* n_k: the same from predicted shares of all rows, spread over each leaf */
    float *seen;   /* n_k: share of the rows that see the column; NULL: all rows see all */
    int all;       /* nothing is worth leaving out: every leaf is visited */
} kmv_leaf_plan;

/** What is passed is borrowed until the plan is cleared, or `all` is set. Pilot of `rows` rows,
 * spread evenly with random offsets; softmax: twice as many where what they say of the error rests
 * on few entries. `least_share` as given; 0: the one that makes visited plus sampled pairs fewest
 * for an error of eps, for values of equal size. KMV_ENOMEM. Cost: rows n_k pairs, counted. */
kmv_status kmv_leaf_plan_create(kmv_leaf_plan *plan, const kmv_problem *problem,
                                const kmv_leaf_frame *frame, const kmv_leaf_set *keys,
                                const kmv_leaf_set *queries, const kmv_leaf_scores *scores,
                                double eps, double least_share, size_t rows, int threads,
                                uint64_t key, kmv_cost *cost, kmv_error *err);
void kmv_leaf_plan_clear(kmv_leaf_plan *plan);

/** One leaf in so many of n_k keys is enough to compare thresholds by; with fewer, few heavy
 * columns among many would be overlooked (a look at leaves, leaf_candidate.c, accepts that). */
size_t kmv_leaf_plan_stride(size_t n_k);

/** Whether the block visits the leaf. partial: kmv_leaf_scores_partial of the block. */
int kmv_leaf_plan_visits(const kmv_leaf_plan *plan, const kmv_leaf_scores *scores, size_t block,
                         size_t leaf, size_t partial);

enum { KMV_LEAF_PLAN_ROOM = 5 };

/** Share of the columns that may be drawn; where more are wanted, every key is less work. */
#define KMV_LEAF_PLAN_DRAWN 0.5

/**
 * A product, unless plan->all: a threshold near the planned one, at which visited and sampled keys
 * are fewest for the values at hand, which matters where few columns decide (plan->least_share,
 * heavy and what is light are set to it), and probabilities p (n_k) with V(p) <= target, V judged
 * across the halves and taken with 1.5 of its standard errors, for weights value2[j] = |v_j - m|^2
 * (NULL: ones): p_j = min(1, lambda s_j), s the mixture of the two halves' c_j |v_j - m| (85 %),
 * the prior's (10 %) and |v_j - m| alone (5 %), so that a wrong pilot costs a constant factor; over
 * the square root of the share of rows that see j. room: KMV_LEAF_PLAN_ROOM times n_k floats.
 * Returns sum p.
 */
double kmv_leaf_plan_probabilities(kmv_leaf_plan *plan, const float *value2, double target,
                                   float *room, float *p);

#endif

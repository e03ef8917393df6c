/* algo/leaf_sample.h - how many columns of what leaves leave out are sampled, and with which
 * probabilities: p_j = min(1, m s_j), s a mixture of what either half of a pilot found.
 *
 * s_j is 85 % by the pilot's c_j |v_j - m|, 10 % by the prior's, 5 % by |v_j - m|, over the square
 * root of the share of rows that see column j: what it costs. m is that for which V of leaf_plan.h,
 * planned on one half and judged by the other, and the reverse, plus 1.5 of its standard errors is
 * the error allowed. That of V counts every column's part as one observation.
 */
#ifndef KMV_ALGO_LEAF_SAMPLE_H
#define KMV_ALGO_LEAF_SAMPLE_H

#include <stddef.h>

/** Columns whose probabilities are asked for: all, or those of some leaves. Borrows everything. */
typedef struct {
    size_t n;
    double stride; /* columns that each of these stands for */
    float per_row; /* t^2 over what an entry t of one pilot row adds to c2; 0: rows have no sum */
    const float *c2[2], *prior2; /* as in kmv_leaf_plan */
    const float *value2;         /* |v_j - m|^2; NULL: ones */
    const float *seen;           /* share of the rows that see the column; NULL: all do */
    float *s[3]; /* scores by the first half, the second, both; sum 1 each if every row saw all */
    float *t[2]; /* the entry that stands for a column's c2 in either half */
} kmv_leaf_sample;

/** s and t from the rest. */
void kmv_leaf_sample_set(const kmv_leaf_sample *x);

/** m for an error `target` (of V), known to a share `close`; `guess` to begin with. doubt: the
 *  standard error of V over V. Of columns with a stride their share of V is judged. */
double kmv_leaf_sample_size(const kmv_leaf_sample *x, double target, double guess, double close,
                            double *doubt);

/** Sampled keys that a row is expected to see: the sum of p_j times the share of rows that see j.
 */
double kmv_leaf_sample_keys(const kmv_leaf_sample *x, double m);

#endif

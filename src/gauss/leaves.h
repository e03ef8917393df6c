/* gauss/leaves.h - whole problems in blocks and leaves (attend.h): packing, and softmax sums of a
 * block over chosen leaves.
 *
 * Softmax: exponents are base-2 logits less what is the same for a whole row, e_ij = s q_i.(k_j -
 * c), c near the mean of the keys: that cancels, and is written with q_i - c' so that rounding acts
 * on what is left of the points. Gauss: e_ij = -s |q_i - k_j|^2 / 2 by the expanded square, c = c'
 * near the mean of all points, squares taken of the rounded coordinates.
 */
#ifndef KMV_GAUSS_LEAVES_H
#define KMV_GAUSS_LEAVES_H

#include "gauss/attend.h"

/** Centres, in 32s of floats. */
typedef struct {
    float *q_shift, *k_shift; /* what is added to stored coordinates */
    float *along;             /* s c': what a key's coordinates add to its exponents; gauss: 0 */
    double scale;             /* s = log2(e) / sigma^2 */
    double square;            /* what squares of coordinates add: gauss: -s / 2; softmax: 0 */
} kmv_leaf_frame;

/** Means of up to 128 points each. KMV_ENOMEM. */
kmv_status kmv_leaf_frame_init(kmv_leaf_frame *f, const kmv_problem *problem, kmv_error *err);
void kmv_leaf_frame_clear(kmv_leaf_frame *f);

/** Packed queries in blocks, or keys in leaves. */
typedef struct {
    kmv_attend_unit unit;
    int keys, parts;
    size_t d, capacity, n; /* slots reserved, in use */
    size_t each, count;    /* slots of a block or leaf; how many are in use */
    size_t size;           /* bytes of one */
    char *data;
    float *offset;       /* by slot */
    const size_t *which; /* rows by slot as packed, borrowed; NULL: their own order */
} kmv_leaf_set;

kmv_status kmv_leaf_set_init(kmv_leaf_set *s, const kmv_attend_unit *unit, int keys, int parts,
                             size_t capacity, size_t d, kmv_error *err);
void kmv_leaf_set_clear(kmv_leaf_set *s);

/** Pack the rows which[0 .. n-1] (NULL: the first n) of p. Allocates nothing. n <= capacity. which
 *  must stay while the set is used. */
void kmv_leaf_set_pack(kmv_leaf_set *s, const kmv_leaf_frame *f, const kmv_points *p,
                       const size_t *which, size_t n, int threads, kmv_cost *cost);

/** Values of a key set: factor (X - shift), rounded to the set's parts. */
typedef struct {
    kmv_attend_unit unit;
    int parts;
    size_t capacity, r, ld;
    size_t size; /* bytes of a leaf */
    char *data;
    float *square; /* by slot: |factor (x_j - shift)|^2 */
    double *norm2; /* by leaf: sum of |factor x_j|^2 */
} kmv_leaf_values;

kmv_status kmv_leaf_values_init(kmv_leaf_values *v, const kmv_attend_unit *unit, int parts,
                                size_t capacity, size_t r, kmv_error *err);
void kmv_leaf_values_clear(kmv_leaf_values *v);

/** Pack factor (x_m - shift) for the rows which[0 .. n-1] (NULL: the first n) of x, r columns.
 *  Returns |factor X|_F^2 of these rows. */
double kmv_leaf_values_pack(kmv_leaf_values *v, const double *x, size_t r, const size_t *which,
                            size_t n, const double *shift, double factor, int threads);

/** A vector near the mean of the n rows of x: what values have in common. Equal rows give that row
 *  to the bit, and no sum of large ones overflows. */
void kmv_leaf_values_mean(const double *x, size_t n, size_t r, double *mean);

/** Pack x - shift, n x r, in units of *unit: a power of two, 1 unless fourth powers, of which
 * errors of errors are made, would leave the range of float. Returns |X|_F^2 / *unit^2. */
double kmv_leaf_values_take(kmv_leaf_values *v, const double *x, size_t r, size_t n,
                            const double *shift, int threads, double *unit);

/** Some leaves of a key set, as one block sees them. */
typedef struct {
    const kmv_leaf_set *keys;
    const kmv_leaf_values *values;
    const uint32_t *list;
    size_t count;
    const float *offsets; /* count x keys->each, in the order of the list, or NULL: the set's */
    int masked;           /* causal: slots are key numbers, and rows see a prefix */
} kmv_leaf_visit;

/** One thread's sums of one block. For Gauss products the numerators are what counts. */
typedef struct {
    size_t rows, ld;
    float *top;   /* what exponents are relative to; set by the caller, corrected where it is so far
                     off that floats overflow or vanish */
    float *sum;   /* denominators */
    float *part;  /* rows x ld: numerators */
    float *a, *e; /* room */
    size_t seen[KMV_ATTEND_ROWS_MAX];
} kmv_leaf_sums;

kmv_status kmv_leaf_sums_init(kmv_leaf_sums *s, const kmv_attend_unit *unit, size_t ld,
                              kmv_error *err);
void kmv_leaf_sums_clear(kmv_leaf_sums *s);

/** How many keys query row `row` of the problem sees. */
size_t kmv_leaf_seen(const kmv_problem *problem, size_t row);

/** The row that stands in a slot of packed queries; empty slots repeat the last. */
size_t kmv_leaf_row(const kmv_leaf_set *queries, size_t slot);

/**
 * sum_i = sum over the visits' keys of 2^(e_ij - top_i), part likewise times values, for the rows
 * of one block. Rows of nothing but entries below 2^-126 of top are done again with the top they
 * need. Returns the pairs evaluated that the mask leaves (empty slots and left-out keys count).
 */
double kmv_leaf_block(const kmv_problem *problem, const kmv_leaf_set *queries, size_t block,
                      const kmv_leaf_visit *visits, size_t n_visits, kmv_leaf_sums *s);

#endif

/* algo/key_sample.h - keys drawn with replacement, packed with their weights.
 *
 * Of m draws, each with probability p_j, let c_j hit key j. For any f
 *     sum_j c_j / (m p_j) f_j
 * is unbiased for sum_j f_j and has variance (sum_j f_j^2 / p_j - (sum_j f_j)^2) / m. Draws that
 * hit one key are merged, which changes nothing but the work.
 */
#ifndef KMV_ALGO_KEY_SAMPLE_H
#define KMV_ALGO_KEY_SAMPLE_H

#include <gsl/gsl_rng.h>

#include "gauss/values.h"

/** Owned; the rng as well. */
typedef struct {
    gsl_rng *rng;
    size_t draws_max, range_max, count;
    size_t *index;      /* the keys drawn, ascending; `count` of them */
    double *weight;     /* c_j / (m p_j) of each */
    double *cumulative; /* of scores */
    uint32_t *hits;
    kmv_packed keys;
    kmv_values values;
    float *log2_weight; /* by slot of keys; -infinity in slots past the last */
} kmv_key_sample;

/** Room for up to draws_max draws among up to range_max keys, for r columns (0: none). */
kmv_status kmv_key_sample_init(kmv_key_sample *s, const kmv_tile *tile, size_t draws_max,
                               size_t range_max, size_t d, size_t r, kmv_error *err);
void kmv_key_sample_clear(kmv_key_sample *s);

/**
 * Draw `draws` of the keys first .. first + n - 1 with probabilities in proportion to score[0 ..
 * n-1] >= 0, not all 0 (NULL: all alike), from the stream where rng stands. Fills count, index,
 * weight. Allocates nothing. Cost n + draws log n.
 */
void kmv_key_sample_draw(kmv_key_sample *s, const double *score, size_t first, size_t n,
                         size_t draws);

/** Pack the drawn keys, with log2_weight = log2 of weight plus log2_extra[key] (NULL: 0). */
void kmv_key_sample_pack(kmv_key_sample *s, const kmv_problem *problem, const double *centre,
                         const double *log2_extra, int threads, kmv_cost *cost);

#endif

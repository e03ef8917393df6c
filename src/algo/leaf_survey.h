/* algo/leaf_survey.h - what leaves hold that blocks might not visit: squared entries of the rows of
 * a pilot, and counts of keys, for every one of some thresholds of a leaf's predicted share.
 *
 * Thresholds are a largest one and those below, an octave apart; number t is
 * kmv_leaf_survey_threshold(s, t). At each a leaf is visited by a block where its share is at least
 * the threshold, else light. Leaves are light at the first so many thresholds, so that everything
 * is summed up by that number, once.
 */
#ifndef KMV_ALGO_LEAF_SURVEY_H
#define KMV_ALGO_LEAF_SURVEY_H

#include "algo/algo.h"
#include "algo/leaf_scores.h"

enum {
    KMV_LEAF_THRESHOLDS = 10,
    KMV_LEAF_HALVES = 2 /* of the pilot, each summed up by one thread */
};

typedef struct {
    const kmv_problem *problem; /* borrowed, like the next four */
    const kmv_leaf_set *keys, *queries;
    const kmv_leaf_scores *scores;
    const kmv_leaf_frame *frame;
    float largest; /* threshold */
    double asked;  /* least share asked for, the only threshold; else 0 */
    double visited[KMV_LEAF_THRESHOLDS], most; /* keys per row at each, and at most */
    float *prior2; /* by the number of thresholds at which it is light, and leaf: squared shares
                      that scores predict, summed over rows */
    float *sums;   /* half x THRESHOLDS x n: squared entries by column, light at 1 .. THRESHOLDS */
    size_t n, ld;  /* key slots in whole leaves, and a row of entries */
    size_t surveyed[KMV_LEAF_HALVES]; /* rows so far */

    /* while rows are added */
    size_t *rows, capacity;
    kmv_leaf_set pilot;
    float *room; /* entries of one group a thread */
} kmv_leaf_survey;

/** Counts, and room for `capacity` rows at a time. KMV_ENOMEM. */
kmv_status kmv_leaf_survey_create(kmv_leaf_survey *s, const kmv_problem *problem,
                                  const kmv_leaf_frame *frame, const kmv_leaf_set *keys,
                                  const kmv_leaf_set *queries, const kmv_leaf_scores *scores,
                                  double asked, size_t capacity, int threads, kmv_error *err);

/** As many rows as there is room for, one of each of so many equal parts of the queries. Cost: rows
 *  n_k pairs, counted. KMV_ENOMEM. */
kmv_status kmv_leaf_survey_add_rows(kmv_leaf_survey *s, int threads, uint64_t key, kmv_cost *cost,
                                    kmv_error *err);

/** No rows are to come: gives back their room. */
void kmv_leaf_survey_finish(kmv_leaf_survey *s);
void kmv_leaf_survey_clear(kmv_leaf_survey *s);

double kmv_leaf_survey_threshold(const kmv_leaf_survey *s, int t);

/** Adds to c2 of either half and to prior2, for the columns of one leaf in `stride`, one after the
 *  other, what is light at threshold t and no lower one. From the lowest up to t that makes all
 *  that is light at t, as squared entries of all rows. Returns how many columns these are. */
size_t kmv_leaf_survey_add_light(const kmv_leaf_survey *s, int t, size_t stride, float *const c2[],
                                 float *prior2);

#endif

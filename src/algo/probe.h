/* algo/probe.h - state of the algorithm `probe`, shared by its preparation and its product. */
#ifndef KMV_ALGO_PROBE_H
#define KMV_ALGO_PROBE_H

#include <gsl/gsl_rng.h>

#include "algo/algo.h"
#include "algo/probe_plan.h"

enum {
    KMV_PROBE_CHUNK = 8192, /* queries, and keys, packed at a time */
    KMV_PROBE_PILOT = 64,   /* rows computed exactly, unless told */
    KMV_PROBE_CHECK = 128   /* most rows of the pilot by which products are checked */
};

typedef struct {
    size_t samples, pilot, cell, bits_apart, parts;
    double radius, heavy, least_share;
    double safety; /* the rms error predicted is eps / safety; 0: 1.25 */
    int clip, shrink, engine;
} kmv_probe_options;

static inline double kmv_probe_safety(const kmv_probe_options *o)
{
    return o->safety > 0 ? o->safety : 1.25;
}

typedef struct {
    kmv_problem problem;
    const kmv_probe_options *options;
    const kmv_tile *tile;
    int threads;
    double eps;
    double *centre;
    kmv_sketcher sketcher;
    uint64_t *word_q, *word_k;
    kmv_partition partition;
    kmv_visit_rule rule;
    kmv_probe_forecast forecast;
    float *shift; /* origin of the queries minus origin of the keys */
    size_t pilot_rows;
    kmv_heavy_chunk *heavy; /* chunks of KMV_VISIT_QUERIES rows in the order of the search, NULL
                               without one */
    uint32_t *place;        /* of each row in that order */
    size_t chunks;
    kmv_visit_counts counts;
    float *c2;          /* per key: estimated sum over all rows of squared light entries */
    unsigned clip_bits; /* of a sketch: how far clipping looks for entries that would jump */

    /* Rows by which each product is checked, ascending, and their entries in bfloat16, checks x
     * n_k: 0 where the search found the pair or clipping would. */
    size_t checks, *check;
    uint16_t *light;

    /* room of a product */
    kmv_packed queries, keys;
    kmv_workspace *workspace;
    gsl_rng *rng;
    double *part;                  /* products of one chunk */
    double *residual, *estimate;   /* checks x r: light part, exact and sampled */
    float *column;                 /* n_k: one column of X in floats */
    double *x2, *score, *p, *in_s; /* in_s: weight of a sampled column, 0 for others */
    double forced2;                /* columns with x2 above it are always taken, with weight 1 */
    double jump2;                  /* entries with G_ij^2 x2_j / p_j^2 above it are clipped */
    double *weight;
    size_t *index;
    char *text;
    size_t text_size;
} kmv_probe;

/** Everything that does not depend on x. most: columns; where a product is expected to sample more,
 *  *out is NULL as soon as that is seen; INFINITY for none. */
kmv_status kmv_probe_create(const kmv_problem *problem, const kmv_probe_options *options,
                            const kmv_prepare_context *context, double most, kmv_probe **out,
                            kmv_error *err);
void kmv_probe_destroy(kmv_probe *p);

/** y ~ G x as context says. Allocates nothing. */
kmv_status kmv_probe_apply(kmv_probe *p, kmv_apply_context *context, kmv_error *err);

/** Whether row i and key j are a pair that the search found, or that clipping would find. */
int kmv_probe_caught(const kmv_probe *p, size_t i, uint32_t key);

/** Whether clipping gives this entry, which the search did not find, weight 1 where j is sampled;
 *  word: the sketch of row i. */
static inline int kmv_probe_clips(const kmv_probe *p, uint64_t word, uint32_t j, float value)
{
    const unsigned apart = (unsigned)__builtin_popcountll(word ^ p->word_k[j]);
    const double g = (double)value;

    if (apart <= p->rule.bits_apart)
        return value > p->rule.tau;
    return apart <= p->clip_bits && g * g * p->x2[j] > p->jump2 * p->p[j] * p->p[j];
}

/** The retrieved entries of row i: *chunk's key and value from the return value up to *end. */
static inline uint32_t kmv_probe_row(const kmv_probe *p, size_t i, const kmv_heavy_chunk **chunk,
                                     uint32_t *end)
{
    const size_t row = p->place[i] % KMV_VISIT_QUERIES;

    *chunk = &p->heavy[p->place[i] / KMV_VISIT_QUERIES];
    *end = (*chunk)->start[row + 1];
    return (*chunk)->start[row];
}

/** Whether the search found key j for row i. */
static inline int kmv_probe_retrieved(const kmv_probe *p, size_t i, uint32_t j)
{
    return kmv_heavy_chunk_has(&p->heavy[p->place[i] / KMV_VISIT_QUERIES],
                               p->place[i] % KMV_VISIT_QUERIES, j);
}

/** Whether column j carries so much of x that it is always taken, with weight 1. */
static inline int kmv_probe_is_forced(const kmv_probe *p, size_t j)
{
    return p->x2[j] > p->forced2;
}

#endif

/* algo/probe.h - state of the algorithm `probe`, shared by its preparation and its product. */
#ifndef KMV_ALGO_PROBE_H
#define KMV_ALGO_PROBE_H

#include <gsl/gsl_rng.h>

#include "algo/algo.h"
#include "algo/probe_plan.h"

enum {
    KMV_PROBE_CHUNK = 8192, /* queries, and keys, packed at a time */
    KMV_PROBE_CHECK = 128   /* most rows of the pilot computed again for each product */
};

typedef struct {
    size_t samples, pilot, cell, bits_apart, parts;
    double radius, heavy, safety, least_share;
    int clip, shrink, engine;
} kmv_probe_options;

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
    double largest_heavy;   /* of the pilot */
    kmv_heavy_chunk *heavy; /* chunks of KMV_VISIT_QUERIES rows; NULL without search */
    size_t chunks;
    kmv_visit_counts counts;
    float *c2;     /* per key: estimated sum over all rows of squared light entries */
    size_t *check; /* rows by which each product is checked, ascending */
    kmv_packed check_queries;

    /* room of a product */
    kmv_packed queries, keys;
    kmv_workspace *workspace;
    gsl_rng *rng;
    double *part;                  /* products of one chunk */
    kmv_heavy_list missed;         /* heavy entries of the check rows that only clipping finds */
    uint64_t *word_check;          /* sketches of the check rows */
    double *residual, *estimate;   /* check rows x r: light part, exact and sampled */
    double *x2, *score, *p, *in_s; /* in_s: weight of a sampled column, 0 for others */
    double forced2;                /* columns with x2 above it are always taken, with weight 1 */
    double *weight;
    size_t *index;
    char *text;
    size_t text_size;
} kmv_probe;

/** Everything that does not depend on x. */
kmv_status kmv_probe_create(const kmv_problem *problem, const kmv_probe_options *options,
                            const kmv_prepare_context *context, kmv_probe **out, kmv_error *err);
void kmv_probe_destroy(kmv_probe *p);

/** y ~ G x as context says. Allocates nothing. */
kmv_status kmv_probe_apply(kmv_probe *p, kmv_apply_context *context, kmv_error *err);

/** Whether row i and key j are a pair that the search found, or that clipping would find. */
int kmv_probe_caught(const kmv_probe *p, size_t i, uint32_t key);

/** The search by the chosen rule. */
kmv_visit kmv_probe_visit(const kmv_probe *p);

#endif

/* algo/probe_plan.h - how far a search should go, from what a pilot's rows say each possible search
 * would find and cost. */
#ifndef KMV_ALGO_PROBE_PLAN_H
#define KMV_ALGO_PROBE_PLAN_H

#include "algo/visit.h"

/** Per row of the matrix, in pairs: one pair is the time of one entry of an exact product. */
typedef struct {
    double cells, scanned, hits; /* counts per row that the search is predicted to need */
    double search, sample;       /* its cost; expected sample, a pair per column */
    double light2;               /* squared entries <= tau: what is left to sampling */
    double missed2;      /* squared sums, by row, of the entries > tau predicted to be missed:
                            an upper estimate of the error for x of one size and sign */
    double most_missed2; /* the same, with what chance may have hidden */
    int searches;        /* 0: no search, everything is left to sampling */
    double wide; /* radius of a search of WIDER times the cells with which hardly any heavy pair
                    of these rows would be missed: it tells what these rows are too few to show */
} kmv_probe_forecast;

/** Heavy entries of some rows, by which searches are judged. Borrowed. */
typedef struct {
    const kmv_heavy_entry *entry; /* row: number among these rows */
    size_t count, rows;
    const uint64_t *word; /* sketches of the rows */
    const float *margin2; /* rows x KMV_CELL_BITS_MAX: squared margins to the cells' planes */
} kmv_probe_sample;

/** What does not depend on that sample. */
typedef struct {
    const kmv_partition *partition;
    const uint64_t *word_k; /* sketches of all keys */
    size_t n_q, n_k, d;
    int threads;
    double eps;
    double total2, light2; /* squared entries per row, all and those <= tau */
    double seen_rows;      /* at least so many rows will have been looked at before a search */
} kmv_probe_basis;

/** The `count` bits in which the entries' pairs differ least, weighted by squared entry. */
void kmv_probe_pick_bits(const kmv_probe_basis *basis, const kmv_probe_sample *sample, size_t count,
                         unsigned char *bit);

/**
 * The cheapest of a grid of radii and bit limits; tau is taken from rule and kept. The forecast of
 * the columns to sample is n_q light2 / (eps^2 - missed2), halved, since x whose parts cancel need
 * less. Entries of pairs that differ in more bits than the limit count as light: nothing will find
 * them. missed2 counts what the limit admits and the radius misses, entries of a row together, and
 * once more the most that a row has in one cell among the rows of the sample or seen_rows,
 * whichever are more; most_missed2 the 95 % limit for as many missed pairs of that size (Poisson, k
 * + 1 + 2 sqrt(k + 1)).
 */
kmv_status kmv_probe_choose(const kmv_probe_basis *basis, const kmv_probe_sample *sample,
                            kmv_visit_rule *rule, kmv_probe_forecast *forecast, kmv_error *err);

/** Squared entries per row of pairs that differ in more than so many bits. */
double kmv_probe_beyond(const kmv_probe_basis *basis, const kmv_probe_sample *sample,
                        unsigned bits_apart);

/** The same forecast for a rule given, at the next smaller radius of the grid. */
kmv_status kmv_probe_predict(const kmv_probe_basis *basis, const kmv_probe_sample *sample,
                             const kmv_visit_rule *rule, kmv_probe_forecast *forecast,
                             kmv_error *err);

#endif

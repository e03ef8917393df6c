/* algo/probe_pilot.h - some random rows computed exactly: what the matrix is like, and which of its
 * entries are worth finding. */
#ifndef KMV_ALGO_PROBE_PILOT_H
#define KMV_ALGO_PROBE_PILOT_H

#include "gauss/product.h"

typedef struct {
    uint32_t row, key; /* row: slot of the pilot */
    float value;
} kmv_heavy_entry;

/** A list that grows; entries come in any order until sorted. */
typedef struct {
    kmv_heavy_entry *entry;
    size_t count, room;
} kmv_heavy_list;

typedef struct {
    size_t n;             /* rows */
    size_t *row;          /* which, ascending */
    kmv_packed queries;   /* packed */
    double total2;        /* sum of the squares of all their entries */
    float *c2[2];         /* per key: sum of the squared entries over the even, over the odd rows */
    kmv_heavy_list heavy; /* entries > tau, by row and key */
    size_t kept;          /* rows of which all entries are kept: slots c n / kept, c < kept */
    uint16_t *entry;      /* kept x n_k, bfloat16 */
} kmv_probe_pilot;

/** Draw n <= n_q rows without replacement and pack them; keep the entries of `kept` <= n of them.
 */
kmv_status kmv_probe_pilot_init(kmv_probe_pilot *p, const kmv_problem *problem,
                                const double *centre, size_t n, size_t kept, const kmv_tile *tile,
                                uint64_t key, kmv_cost *cost, kmv_error *err);
void kmv_probe_pilot_clear(kmv_probe_pilot *p);

/** Compute the rows against a chunk of packed keys, number `first` of n_k on, by one thread: fills
 * c2 and the entries kept, appends entries > tau to `heavy`. */
kmv_status kmv_probe_pilot_chunk(kmv_probe_pilot *p, const kmv_problem *problem,
                                 const kmv_packed *keys, size_t first, size_t n_k, float tau,
                                 kmv_workspace *space, kmv_heavy_list *heavy, kmv_error *err);

/** Take over the threads' lists, sort, and sum the squares. */
kmv_status kmv_probe_pilot_finish(kmv_probe_pilot *p, kmv_heavy_list *lists, size_t count,
                                  size_t n_k, kmv_error *err);

kmv_status kmv_heavy_reserve(kmv_heavy_list *list, size_t more, kmv_error *err);

#endif

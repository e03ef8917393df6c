/* algo/visit.h - the search: which keys are heavy for which query, found by visiting cells of a
 * partition and comparing sketches; kept as a sparse matrix. */
#ifndef KMV_ALGO_VISIT_H
#define KMV_ALGO_VISIT_H

#include "algo/partition.h"
#include "algo/probe_pilot.h"

enum {
    KMV_VISIT_QUERIES = 256,   /* in a chunk */
    KMV_VISIT_CELLS_MAX = 2048 /* visited for one query */
};

/** How far the search goes: cells within `radius` (squared distance), and in them the keys whose
 *  sketch differs in at most `bits_apart` bits; of those, entries > tau are kept. */
typedef struct {
    float radius;
    unsigned bits_apart;
    float tau;
} kmv_visit_rule;

/** Entries of up to KMV_VISIT_QUERIES rows searched together; the i-th of them has start[i] ..
 *  start[i + 1] - 1. */
typedef struct {
    uint32_t start[KMV_VISIT_QUERIES + 1];
    uint32_t *key;
    float *value;
    size_t count, room;
} kmv_heavy_chunk;

/** What was done, for the count of costs. */
typedef struct {
    double cells, scanned, evaluated, kept;
} kmv_visit_counts;

/** What a search needs; borrowed. */
typedef struct {
    const kmv_problem *problem;
    const kmv_tile *tile;
    const kmv_sketcher *sketcher;
    const kmv_partition *partition;
    kmv_visit_rule rule;
} kmv_visit;

/** Room of one thread. */
typedef struct kmv_visit_space kmv_visit_space;
kmv_status kmv_visit_space_create(const kmv_visit *v, kmv_visit_space **space, kmv_error *err);
void kmv_visit_space_destroy(kmv_visit_space *space);

/** Sketches and squared margins of rows first .. first + n - 1, into word[first ...] and
 *  margin2[first KMV_CELL_BITS_MAX ...]. */
void kmv_visit_sketch(const kmv_visit *v, size_t first, size_t n, kmv_visit_space *space,
                      uint64_t *word, float *margin2);

/** order: the numbers of n_q rows, those of one cell together, ascending within it: neighbours find
 *  the cells that they visit in the cache. KMV_ENOMEM. Cost: two passes over the words. */
kmv_status kmv_visit_order(const kmv_visit *v, const uint64_t *word, uint32_t *order,
                           kmv_error *err);

/** Search for rows row[0 .. n-1], n <= KMV_VISIT_QUERIES, whose sketches and margins stand at their
 *  numbers in word and margin2. The chunk is filled; release it with kmv_heavy_chunk_clear. Adds to
 *  counts. */
kmv_status kmv_visit_rows(const kmv_visit *v, const uint32_t *row, size_t n, kmv_visit_space *space,
                          const uint64_t *word, const float *margin2, kmv_heavy_chunk *chunk,
                          kmv_visit_counts *counts, kmv_error *err);
void kmv_heavy_chunk_clear(kmv_heavy_chunk *chunk);

/** Whether the chunk's row at place `row` holds that key. */
int kmv_heavy_chunk_has(const kmv_heavy_chunk *chunk, size_t row, uint32_t key);

/** Sketch and squared margins (to the planes of the partition's bits; KMV_CELL_BITS_MAX
 *  of them, the rest 0) from projections e. */
uint64_t kmv_visit_word(const kmv_sketcher *s, const kmv_partition *p, const float *e,
                        float *margin2);

/** Kernel entries of `count` pairs (rows of q and k by number), by differences. Origins count. */
void kmv_visit_entries(const kmv_visit *v, const float *shift, const uint32_t *row,
                       const uint32_t *key, size_t count, float *value);

/** ld floats: origin of the queries minus origin of the keys. */
void kmv_visit_shift(const kmv_problem *problem, float *shift);

#endif

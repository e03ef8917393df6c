/* algo/probe_search.h - the search of `probe` over many rows, on all threads. */
#ifndef KMV_ALGO_PROBE_SEARCH_H
#define KMV_ALGO_PROBE_SEARCH_H

#include "algo/probe.h"

/** How many chunks of KMV_VISIT_QUERIES rows there are. */
size_t kmv_probe_chunks(size_t rows);

/** Clear and free an array of chunks; NULL is fine. */
void kmv_probe_free_chunks(kmv_heavy_chunk *chunk, size_t count);

/**
 * Search for all n_q rows of the problem that v names, a chunk at a time: their sketches (word:
 * n_q) and squared margins (margin2: n_q x KMV_CELL_BITS_MAX), their order (order: the row at each
 * place), then the cells; chunks: kmv_probe_chunks(n_q) empty ones, filled with what was found, by
 * place. The same for any number of threads. KMV_ENOMEM.
 */
kmv_status kmv_probe_search(const kmv_visit *v, int threads, uint64_t *word, float *margin2,
                            uint32_t *order, kmv_heavy_chunk *chunks, kmv_visit_counts *counts,
                            kmv_cost *cost, kmv_error *err);

/** The search by the chosen rule. */
kmv_visit kmv_probe_visit(const kmv_probe *p);

/** That search for all rows of the problem: p->heavy, place, word_q, counts. */
kmv_status kmv_probe_search_all(kmv_probe *p, kmv_cost *cost, kmv_error *err);

#endif

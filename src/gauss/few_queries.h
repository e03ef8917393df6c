/* gauss/few_queries.h - exact attention for so few queries that packing keys would cost more than
 * the product: the shape of decoding. */
#ifndef KMV_GAUSS_FEW_QUERIES_H
#define KMV_GAUSS_FEW_QUERIES_H

#include "gauss/tile.h"
#include "kmv.h"

enum { KMV_FEW_QUERIES_MAX = 16 };

typedef struct kmv_few_queries kmv_few_queries;

/** Room for products of a softmax problem of at most KMV_FEW_QUERIES_MAX queries with up to r
 *  columns. KMV_ENOMEM. Memory: some hundred rows a thread, and n_q r doubles for each 2048 keys.
 */
kmv_status kmv_few_queries_create(const kmv_problem *problem, const kmv_tile *tile, size_t r,
                                  int threads, kmv_few_queries **out, kmv_error *err);
void kmv_few_queries_destroy(kmv_few_queries *f);

/**
 * y = P x, n_q x r doubles. Keys and values are read once, where they lie, a few hundred rows at a
 * time for all queries; allocates nothing; same bits for any number of threads. Cost n_q n_k (2 d +
 * 2 r) flops. Float within 256 keys, double across. Returns 0 where logits leave the range of
 * float.
 */
int kmv_few_queries_apply(kmv_few_queries *f, const double *x, size_t r, double *y, kmv_cost *cost);

#endif

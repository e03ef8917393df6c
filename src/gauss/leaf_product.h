/* gauss/leaf_product.h - exact attention in blocks and leaves: every leaf for every block, of all
 * queries or of some. */
#ifndef KMV_GAUSS_LEAF_PRODUCT_H
#define KMV_GAUSS_LEAF_PRODUCT_H

#include "gauss/leaves.h"

typedef struct kmv_leaf_product kmv_leaf_product;

/** Pack the keys of a softmax problem in `parts` parts (attend.h; KMV_ATTEND_PARTS_MAX are as exact
 *  as float); room for up to `rows` queries and r columns. KMV_ENOMEM. */
kmv_status kmv_leaf_product_create(const kmv_problem *problem, const kmv_tile *tile, int parts,
                                   size_t rows, size_t r, int threads, kmv_leaf_product **out,
                                   kmv_cost *cost, kmv_error *err);
void kmv_leaf_product_destroy(kmv_leaf_product *p);

/** Pack the queries which[0 .. n-1] (NULL: the first n), n at most as reserved; which stays while
 *  products with them are taken. Allocates nothing. */
void kmv_leaf_product_queries(kmv_leaf_product *p, const size_t *which, size_t n, kmv_cost *cost);

/** One line on how it computes. */
void kmv_leaf_product_describe(const kmv_leaf_product *p, char *text, size_t size);

/**
 * Row i of y = row which[i] of P x: n x r doubles. One pass over the pairs, leaves that the mask
 * hides are skipped; allocates nothing; same bits for any number of threads. Exponents and values
 * are as exact as the parts; entries are rounded to 16 bits on a matrix unit, numerators and
 * denominators alike. Returns 0 where logits leave the range of float.
 */
int kmv_leaf_product_apply(kmv_leaf_product *p, const double *x, size_t r, double *y,
                           kmv_cost *cost);

#endif

/* algo/euclid_hash.h - locality-sensitive hashing for Euclidean distance: one table at a time.
 *
 * One hash of a point u is floor((a.u + b) / w), a ~ N(0, I), b uniform in [0, w). Two points at
 * distance r agree in it with probability
 *     p1(r) = erf(c / sqrt 2) - sqrt(2 / pi) (1 - exp(-c^2 / 2)) / c,   c = w / r,
 * and in `hashes` independent ones with p1^hashes.
 * Source: Datar, Immorlica, Indyk, Mirrokni, SoCG 2004.
 */
#ifndef KMV_ALGO_EUCLID_HASH_H
#define KMV_ALGO_EUCLID_HASH_H

#include <gsl/gsl_rng.h>
#include <stdint.h>

#include "algo/scaled.h"

enum { KMV_HASHES_MAX = 32 };

/** p1(r) for width w; r = 0 gives 1. */
double kmv_euclid_collision(double r, double width);

/** The functions of one table. */
typedef struct {
    size_t hashes, columns, ld;
    double width;
    float *directions; /* ld x columns, columns >= hashes a multiple of 8; a / w */
    float shift[KMV_HASHES_MAX];
    gsl_rng *rng;
} kmv_euclid_hash;

/** Room for tables of 1 <= hashes <= KMV_HASHES_MAX functions for points of row stride ld. */
kmv_status kmv_euclid_hash_init(kmv_euclid_hash *h, size_t hashes, double width, size_t ld,
                                kmv_error *err);
void kmv_euclid_hash_clear(kmv_euclid_hash *h);

/** Draw the functions of the table that `key` names; d: dimensions in use. Allocates nothing. */
void kmv_euclid_hash_draw(kmv_euclid_hash *h, size_t d, uint64_t key);

/** All hashes of one point, mixed into 64 bits: points that differ in one of them get the same code
 *  with probability 2^-64 only. Cost 2 ld columns flops. */
uint64_t kmv_euclid_hash_code(const kmv_euclid_hash *h, const float *u);

/** The same from the products with the functions' directions. */
uint64_t kmv_euclid_hash_cell(const kmv_euclid_hash *h, const float *shift, const float *product);

/** Items 0 .. n-1 grouped by code. */
typedef struct {
    size_t capacity, slots;
    uint64_t *code;                 /* per slot; open addressing */
    uint32_t *first, *count, *slot; /* per slot, per slot, per item */
    uint32_t *item;                 /* grouped */
} kmv_cells;

kmv_status kmv_cells_init(kmv_cells *c, size_t capacity, kmv_error *err);
void kmv_cells_clear(kmv_cells *c);

/** Group n <= capacity items, ascending within a group. Allocates nothing; cost about n + slots. */
void kmv_cells_build(kmv_cells *c, const uint64_t *codes, size_t n);

/** The items with this code: *items points at as many as are returned (0: none). */
size_t kmv_cells_find(const kmv_cells *c, uint64_t code, const uint32_t **items);

#endif

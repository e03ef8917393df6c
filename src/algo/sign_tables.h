/* algo/sign_tables.h - hash tables of sign bits that are looked up query by query, and how likely
 * a key is found.
 *
 * A table has `bits` hyperplanes through zero with normal directions; a point's code is the signs
 * of its products. Two points at an angle theta agree in a bit with probability p = 1 - theta / pi
 * (Goemans & Williamson 1995; Charikar 2002), in a table with a = p^bits, and in at least `matches`
 * of `tables` tables with
 *     u = P(Binomial(tables, a) >= matches).
 */
#ifndef KMV_ALGO_SIGN_TABLES_H
#define KMV_ALGO_SIGN_TABLES_H

#include <stdint.h>

#include "algo/scaled.h"
#include "gauss/tile.h"

enum { KMV_SIGN_BITS_MAX = 16, KMV_SIGN_TABLES_MAX = 4096, KMV_SIGN_STEPS = 1024 };

typedef struct {
    size_t bits, tables, matches;
} kmv_sign_shape;

/** Owned; clear with kmv_sign_tables_clear. */
typedef struct {
    kmv_sign_shape shape;
    size_t n_q, n_k;
    uint16_t *q_code; /* n_q x tables */
    uint32_t *start;  /* tables x (2^bits + 1) */
    uint32_t *key;    /* tables x n_k: by code, ascending within one */
} kmv_sign_tables;

/**
 * Draw the directions that `key` names, hash queries and keys, sort the keys into the tables.
 * 1 <= bits <= KMV_SIGN_BITS_MAX, tables <= KMV_SIGN_TABLES_MAX. Cost 2 d bits tables flops a
 * point; 4 n_k + 2 n_q + 4 2^bits bytes a table, and for a while 2 n_k more. KMV_ENOMEM.
 */
kmv_status kmv_sign_tables_init(kmv_sign_tables *t, kmv_sign_shape shape, const kmv_scaled *q,
                                const kmv_scaled *k, const kmv_tile *tile, uint64_t key,
                                int threads, kmv_cost *cost, kmv_error *err);
void kmv_sign_tables_clear(kmv_sign_tables *t);

/** Keys that query i meets in `matches` tables, those with met[key] = 0 before: appended to list
 *  in the order in which they are found; returns how many. met counts, and is overwritten: n_k
 *  numbers, 0 or KMV_SIGN_LEAVE_OUT for a key that is not to be listed. *visited += keys looked
 *  at. */
#define KMV_SIGN_LEAVE_OUT 0x8000u
size_t kmv_sign_tables_find(const kmv_sign_tables *t, size_t i, uint16_t *met, uint32_t *list,
                            double *visited);

/** u as a table over sin(theta / 2). */
typedef struct {
    kmv_sign_shape shape;
    float log2_u[KMV_SIGN_STEPS + 2];
} kmv_sign_odds;
void kmv_sign_odds_fill(kmv_sign_odds *o, kmv_sign_shape shape);

/** log2 u for the cosine of an angle: from the table, within 1e-3 of kmv_sign_log2_exact where
 *  sin(theta / 2) <= 0.9, and that itself beyond. */
float kmv_sign_log2(const kmv_sign_odds *o, float cosine);

/** log2 u, computed; at least log2 of the smallest normal double. */
double kmv_sign_log2_exact(kmv_sign_shape shape, double theta);

#endif

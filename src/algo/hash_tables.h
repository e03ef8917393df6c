/* algo/hash_tables.h - tables of sign bits of random hyperplanes (hash_family.h) and kernel sums
 * over the pairs that meet in them.
 *
 * Keys of a table lie in the order of their codes, packed; each bucket meets the list of queries
 * that look into it, as dense tiles. A pair that meets in several tables counts in the first.
 */
#ifndef KMV_ALGO_HASH_TABLES_H
#define KMV_ALGO_HASH_TABLES_H

#include <gsl/gsl_rng.h>

#include "algo/algo.h"
#include "algo/hash_family.h"
#include "gauss/join.h"

enum { KMV_HASH_TABLES_MAX = KMV_JOIN_EARLIER };

/** Points of one role, less the common centre of the problem, rounded to float; queries multiplied
 *  by s = log2(e) / sigma^2. offset: -s |p - c|^2 / 2 of the rounded ones. */
typedef struct {
    size_t n, d, ld;
    float *x; /* n x ld; NULL for keys, which are made from the problem's points when needed */
    float *offset;
} kmv_hash_points;

/** Both roles of a (gauss) problem, whose keys it borrows. Owned; clear with
 *  kmv_hash_input_clear. */
typedef struct {
    const kmv_join_kernel *kernel;
    kmv_hash_points q, k;
    const kmv_points *keys;
    double *shift; /* d: centre less the origin of the keys */
    float *room;   /* per thread KMV_JOIN_WIDTH rows */
    double reach;  /* largest sum of a query's and a key's |offset|: bounds what cancels */
} kmv_hash_input;

/** row[i], i < width: key number key[i], for count <= width <= KMV_JOIN_WIDTH keys, the last one
 *  again beyond; they lie in the room of this OpenMP thread until its next call. */
void kmv_hash_key_rows(const kmv_hash_input *in, const uint32_t *key, size_t count, size_t width,
                       const float **row);

/** KMV_ENOMEM, or KMV_ENOTSUP where floats overflow or exponents would lose more than `error`
 *  relative of an entry (docs/numerics.md). */
kmv_status kmv_hash_input_init(kmv_hash_input *in, const kmv_problem *problem, const kmv_tile *tile,
                               double error, int threads, kmv_cost *cost, kmv_error *err);
void kmv_hash_input_clear(kmv_hash_input *in);

/** Keys packed in some order in groups of the kernel's width, and lists of queries for runs of
 *  them. Bucket c: keys group_start[c] .. group_start[c + 1] - 1, queries entry_start[c] .. . */
typedef struct {
    size_t buckets, groups, capacity; /* groups in use; reserved */
    uint32_t *group_start, *entry_start;
    uint32_t *key;   /* per slot; KMV_NO_KEY in empty ones */
    uint32_t *query; /* per entry; NULL: all queries in order, one bucket */
    float *x, *offset;
    uint32_t **key_code; /* for each earlier table its codes of these slots */
    double pairs;        /* query and key in one bucket, over all buckets */
} kmv_key_groups;

#define KMV_NO_KEY UINT32_MAX

/** Room for n keys in one bucket that all queries look into. */
kmv_status kmv_key_groups_init(kmv_key_groups *g, const kmv_hash_input *in, size_t n,
                               kmv_error *err);
void kmv_key_groups_clear(kmv_key_groups *g);
/** Pack the keys of its slots. */
void kmv_key_groups_pack(kmv_key_groups *g, const kmv_hash_input *in, int threads);
/** Fill it with these keys; n at most what was reserved. Allocates nothing. */
void kmv_key_groups_set(kmv_key_groups *g, const kmv_hash_input *in, const size_t *keys, size_t n,
                        int threads);

/** All tables. The input outlives them. */
typedef struct {
    const kmv_hash_input *in;
    size_t tables;
    kmv_hash_shape shape;
    int threads;
    uint32_t *q_code, *q_mask; /* tables x n_q; mask: the bits that are not wild */
    uint32_t *k_code;          /* tables x n_k */
    kmv_key_groups *table;
    /* Room for kmv_hash_join. */
    float *light, *heavy; /* KMV_JOIN_COLUMNS or fewer columns of slots */
    float *part;          /* per entry and column */
    size_t columns;
} kmv_hash_tables;

/**
 * common centre. Cost: 2 d bits tables (n_q + n_k) flops, and sorting. Memory for each table about
 * n_k (4 d + 4 tables + 16) + n_q 2^wild 4 bytes, and n_q 2^wild 4 min(r, 16) once.
 */
kmv_status kmv_hash_tables_create(const kmv_hash_input *in, size_t tables, kmv_hash_shape shape,
                                  size_t r, gsl_rng *rng, int threads, kmv_hash_tables **out,
                                  kmv_cost *cost, kmv_error *err);
void kmv_hash_tables_destroy(kmv_hash_tables *h);

/** 1 when query i meets key j in some table, from the codes. */
int kmv_hash_tables_meet(const kmv_hash_tables *h, size_t i, size_t j);

/** What a pair's entry G_ij is multiplied by, for r columns by key: light[j r + c], or
 *  heavy[j r + c] where log2 G_ij > clip; clip +infinity: light throughout. */
typedef struct {
    const double *light, *heavy;
    size_t r;
    double unit; /* all are divided by it before they are rounded to float */
    double clip;
} kmv_pair_weights;

/** y (n_q x r) += the sum over the pairs of table t that met in no earlier one. Same bits for any
 *  number of threads. Allocates nothing. */
void kmv_hash_join(kmv_hash_tables *h, size_t t, const kmv_pair_weights *w, double *y,
                   kmv_cost *cost);

/** The same over other groups: every pair counts. */
void kmv_hash_join_all(kmv_hash_tables *h, const kmv_key_groups *groups, const kmv_pair_weights *w,
                       double *y, kmv_cost *cost);

#endif

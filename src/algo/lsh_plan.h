/* algo/lsh_plan.h - what `lsh` learns from some exact rows: which tables pay, and what the sampled
 * rest will be. docs/lsh.md has the formulas. */
#ifndef KMV_ALGO_LSH_PLAN_H
#define KMV_ALGO_LSH_PLAN_H

#include "algo/hash_tables.h"

enum { KMV_LSH_ANGLES = 128, KMV_LSH_EXPONENTS = 128, KMV_LSH_CHUNKS = 64 };

/** Exact rows as counts of their entries by angle and by size; of entries below 2^floor only the
 *  squared mass is kept, estimated from every 16th key: they count as missed by all tables. Owned;
 * clear with kmv_lsh_survey_clear. */
typedef struct {
    const kmv_hash_input *in;
    int threads;
    size_t rows;   /* pilot rows, drawn uniformly without replacement */
    size_t *row;   /* their numbers */
    float *x;      /* the rows as groups of the kernel's width */
    float *offset; /* -infinity in empty slots */
    float floor;
    double tail;                             /* n_q n_k 2^(2 floor) */
    uint8_t *angle_of;                       /* fine cosine to bin of angle */
    uint32_t (*count)[KMV_LSH_EXPONENTS];    /* [angle][exponent]: -e in steps of 1/4 */
    uint32_t all[KMV_LSH_ANGLES];            /* all entries of every 16th block of keys, by angle */
    uint32_t (*in_chunk)[KMV_LSH_EXPONENTS]; /* [chunk of keys][exponent] */
} kmv_lsh_survey;

/** Cost: rows n_k pairs. KMV_ENOMEM. floor: log2 of the smallest entry that is looked at one by
 *  one; clips are not below it. */
kmv_status kmv_lsh_survey_init(kmv_lsh_survey *s, const kmv_hash_input *in, size_t rows,
                               float floor, gsl_rng *rng, int threads, kmv_cost *cost,
                               kmv_error *err);
void kmv_lsh_survey_clear(kmv_lsh_survey *s);

/** Tables, and what they leave. */
typedef struct {
    size_t tables;
    kmv_hash_shape shape;
    double clip;    /* log2 of the entry from which missed pairs are clipped; +infinity: none */
    double samples; /* columns that the rest needs, for x of equal sizes and random signs */
    double pairs;   /* expected pairs per query in all tables */
    double cost;    /* of all that the model counts, in pairs per query */
    double rest;    /* E F2 below the clip */
    double bias2;   /* expected squared error of clipping for such x, |x| = 1 */
} kmv_lsh_choice;

/**
 * The cheapest choice with expected squared error target2 |x|^2 by the model of docs/lsh.md, 5:
 * hashing, packing and sorting, pairs, samples. fixed NULL: tables from 0 to 3 and all shapes; else
 * only the clip and the samples of fixed's tables are chosen, and its clip is kept unless NaN.
 * KMV_ENOMEM.
 */
kmv_status kmv_lsh_choose(const kmv_lsh_survey *s, const kmv_lsh_choice *fixed, double target2,
                          kmv_lsh_choice *out, kmv_error *err);

/** A pilot's entry above the clip, with the probability that the tables miss it. */
typedef struct {
    uint32_t key;
    uint16_t row;    /* index into the survey's rows */
    uint16_t leader; /* 1: the first of those that the tables find or miss together */
    float exponent, missed;
} kmv_lsh_heavy;

/** What the tables are expected to leave: column norms below the clip estimated from even and from
 *  odd pilot rows (all, where the pilot is all rows; those above count in c2_fit too, up to 32
 * times the clip), and the pilot's entries above it, by row once they are grouped. */
typedef struct {
    double *c2_fit, *c2_check; /* n_k each */
    kmv_lsh_heavy *heavy;
    size_t heavies;
    double scale; /* n_q / rows */
    size_t rows;
} kmv_lsh_rest;

/** Cost: rows n_k pairs. KMV_ENOMEM. */
kmv_status kmv_lsh_rest_init(kmv_lsh_rest *rest, const kmv_lsh_survey *s,
                             const kmv_lsh_choice *choice, kmv_cost *cost, kmv_error *err);
/** Once the tables are made: entries of one row whose keys share all codes come to lie side by
 *  side. Cost: two passes over the entries. KMV_ENOMEM. */
kmv_status kmv_lsh_rest_group(kmv_lsh_rest *rest, const kmv_hash_tables *tables, kmv_error *err);
void kmv_lsh_rest_clear(kmv_lsh_rest *rest);

#endif

/* algo/lsh.h - state of the algorithm `lsh`, shared by its preparation and its product. */
#ifndef KMV_ALGO_LSH_H
#define KMV_ALGO_LSH_H

#include "algo/algo.h"
#include "algo/lsh_plan.h"

typedef struct {
    size_t tables, bits, wild, samples, pilot;
    double clip, safety;
} kmv_lsh_options;

/* Columns packed at a time, and levels of the clip that an apply may choose from. */
enum { KMV_LSH_AT_ONCE = 2048, KMV_LSH_LEVELS = 40 };

typedef struct {
    const kmv_problem *problem;
    const kmv_lsh_options *o;
    kmv_hash_input in;
    kmv_hash_tables *tables;
    size_t joined; /* of the tables, whose pairs a product evaluates: all, but in sabotage */
    kmv_key_groups sample;
    kmv_lsh_survey survey; /* until the tables are built */
    kmv_lsh_choice choice;
    kmv_lsh_rest rest; /* empty without a pilot */
    gsl_rng *rng;
    int threads;
    double target2; /* mean squared error aimed at, |x| = 1 */
    double *x2, *score, *p, *weight;
    double *c2; /* of the rest below the clip in use */
    size_t *index;
    double *light, *heavy; /* n_k x r */
    double *bands;         /* sums of the pilot's large entries, KMV_LSH_LEVELS x rows x r */
    double *together;      /* of those that are missed together, KMV_LSH_LEVELS x r */
    double unseen2; /* of the latest product: expected squared error, over |x|^2, by large entries
                       that the tables miss, clipped or drawn */
    char *text;
    size_t text_size;
} kmv_lsh;

/** Points as the hashes want them, pilot rows, and the choice of tables: all but the tables. most:
 *  cost in pairs a query beyond which, by a look at 32 rows, *out is NULL; INFINITY for none.
 *  KMV_ENOTSUP where exponents are out of float's reach, KMV_ENOMEM. */
kmv_status kmv_lsh_plan(const kmv_problem *problem, const kmv_lsh_options *options,
                        const kmv_prepare_context *context, double most, kmv_lsh **out,
                        kmv_error *err);

/** What the tables will leave, the tables, and room for products of r columns; once. KMV_ENOMEM. */
kmv_status kmv_lsh_build(kmv_lsh *s, size_t r, kmv_cost *cost, kmv_error *err);
void kmv_lsh_destroy(kmv_lsh *s);

/** y ~ G x as context says. Allocates nothing. */
void kmv_lsh_apply(kmv_lsh *s, kmv_apply_context *context);

/** Why it does not do a problem; NULL: it does. */
const char *kmv_lsh_reject(const kmv_problem *problem, const kmv_lsh_options *options);

#endif

/* algo/algo.h - contract of an algorithm: one file and one line in algo_table.c. */
#ifndef KMV_ALGO_ALGO_H
#define KMV_ALGO_ALGO_H

#include "gauss/tile.h"
#include "kmv.h"

enum { KMV_ALGO_OPTIONS_MAX = 512 }; /* largest struct of options, in bytes */

/** What prepare gets beside problem and options. Everything is resolved: threads >= 1, a tile that
 *  this machine runs. */
typedef struct {
    const kmv_settings *settings;
    const kmv_tile *tile;
    int threads;
    uint64_t key;   /* stream of random numbers for this preparation (rng.h) */
    kmv_cost *cost; /* prepare adds its pairs and flops; seconds are measured by the caller */
    char *text;     /* out: the plan and why, one line; it lives as long as the state, and an apply
                     * may rewrite it, so that it tells what that product did and what it cost */
    size_t text_size;
} kmv_prepare_context;

/** What one apply gets and gives. */
typedef struct {
    const double *x; /* n_k x r, finite, not all zero */
    size_t r;
    double *y;      /* n_q x r, to be overwritten */
    uint64_t key;   /* stream of random numbers of this apply, another one each time */
    kmv_cost *cost; /* apply adds its pairs and flops */
    double bound, err_est, t_certify_s; /* NaN unless the algorithm certifies */
    const char *bound_kind;             /* "" unless the algorithm certifies */
} kmv_apply_context;

struct kmv_algo {
    const char *name;
    const char *summary;       /* one line */
    const char *guarantee;     /* what is promised, in which norm, proved or not */
    const char *source;        /* publication, or "baseline" */
    unsigned flags;            /* KMV_CAN_..., KMV_USES_EPS, KMV_IS_RANDOM */
    const kmv_option *options; /* NULL: none */
    size_t options_size;

    /** A constant text saying why this (checked, flag-compatible) problem is not done; NULL when it
     *  is. May be NULL itself. */
    const char *(*reject)(const kmv_problem *problem, const void *options, size_t r);
    /** Whether eps decides anything under these options; asked where KMV_USES_EPS is set. NULL: it
     *  always does. */
    int (*uses_eps)(const void *options);
    /** Timed as preparation; may allocate. problem and options outlive the state. On failure
     *  nothing is left behind. */
    kmv_status (*prepare)(const kmv_problem *problem, const void *options,
                          const kmv_prepare_context *context, void **state, kmv_error *err);
    /** Timed as apply; allocates nothing; overwrites y. */
    kmv_status (*apply)(void *state, kmv_apply_context *context, kmv_error *err);
    void (*destroy)(void *state); /* accepts NULL */
};

/** The table ends with NULL. */
extern const kmv_algo *const kmv_algo_table[];

/** KMV_EINTERNAL when a row of the table lacks what it must have; run once by main and by a test.
 */
kmv_status kmv_algo_check_table(kmv_error *err);

#endif

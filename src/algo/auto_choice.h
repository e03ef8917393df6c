/* algo/auto_choice.h - which plan `auto` takes for a Gaussian product: from few pilot rows it asks
 * every candidate what it would cost and miss, and takes the cheapest that meets eps, or exact. */
#ifndef KMV_ALGO_AUTO_CHOICE_H
#define KMV_ALGO_AUTO_CHOICE_H

#include "algo/candidate.h"

/* What may be asked for, whatever it costs. */
enum { KMV_AUTO_ANY, KMV_AUTO_EXACT, KMV_AUTO_FIRST_CANDIDATE };

typedef struct {
    int only;              /* KMV_AUTO_...; from KMV_AUTO_FIRST_CANDIDATE on a place in
                              kmv_candidate_table, counted from there */
    int calibrate;         /* costs by measured speeds, so that the choice depends on the clock */
    size_t applies;        /* products that the preparation serves */
    size_t certified_rows; /* of each product that is not exact, 0: no certificate */
} kmv_auto_choice_options;

typedef struct {
    const kmv_candidate *candidate; /* NULL: exact */
    void *draft;                    /* of the candidate, for its prepare */
    kmv_forecast forecast;          /* of the candidate */
    double rounding;                /* of a float32 product, in |x|, from the pilot's rows; 0 where
                                       it has none */
    int float64;   /* exact in float64, since float32 may be off by more than eps */
    char why[320]; /* one line for people */
} kmv_auto_choice;

/**
 * Choice for |y - Kx| <= eps |x| with the context's eps and delta, for unknown x. The pilot is
 * initialised; rows are added and keys packed only as far as the choice needs them. Costs by
 * nominal speeds are the same for any number of threads. At n < 2048 exact at once; candidates that
 * counts or 8 to 16 rows show to be hopeless are not asked. context->text is scratch. KMV_ENOMEM,
 * and then `out` holds nothing.
 */
kmv_status kmv_auto_choose(const kmv_problem *problem, const kmv_auto_choice_options *options,
                           const kmv_prepare_context *context, kmv_pilot *pilot,
                           kmv_auto_choice *out, kmv_error *err);

/** The draft, where prepare has not taken it. */
void kmv_auto_choice_clear(kmv_auto_choice *choice);

#endif

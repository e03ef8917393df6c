/* algo/candidate.h - contract of a plan that `auto` may choose: it says from a pilot what it would
 * cost and miss, and is prepared from that pilot.
 *
 * Order of calls: forecast for every candidate; prepare for the one that is chosen, discard for the
 * drafts of the others; then apply any number of times; destroy. The pilot's packed points outlive
 * the state, so that they can be borrowed; its entries do not.
 *
 * Forecasts are made of counts and of kmv_speeds, never of a clock or of the number of threads, so
 * that the same problem, options and ISA give the same plan.
 */
#ifndef KMV_ALGO_CANDIDATE_H
#define KMV_ALGO_CANDIDATE_H

#include "algo/algo.h"
#include "algo/pilot.h"

/** What one thread of the machine is taken to need, in seconds. */
typedef struct {
    double pair_s; /* a kernel entry through a dense tile, exponential and its r columns included */
    double flop_s; /* a floating-point operation outside of tiles: packing, hashing, scoring */
    double byte_s; /* a byte moved without order: gathering points, sorting, scattering */
} kmv_speeds;

/** What a candidate would cost and miss. */
typedef struct {
    double prepare_s, apply_s; /* by kmv_speeds, one thread; the shared pilot not counted */
    double pairs;              /* kernel entries of one apply */
    double error;   /* |y - G x| / |x| that is exceeded with probability at most delta for an x of
                       entries of equal size and random sign; infinite where it cannot be had */
    double unseen2; /* squared error over |x|^2 that may sit in rows too few for a sample of rows
                       to meet: missed large entries; enters bounds of kind `model` */
    char text[120]; /* settings that gave this: "m = 900, 12 leaves of 64" */
} kmv_forecast;

typedef struct kmv_candidate {
    const char *name; /* of the algorithm */
    unsigned flags;   /* KMV_CAN_...: problems it does */
    int own_points;   /* reads not the pilot's packed points, which are packed for others only */
    int biased;       /* shrunk products: one whose certificate failed is replaced, not averaged */
    int searches;     /* wins by finding large entries, not where sampling alone suffices */

    /** NULL, or: seconds that this candidate expects to need for `applies` products, by a short
     * look of its own at the points and at the few rows that the pilot has, before others are
     * asked; infinite where it sees no promise. alone: others need not be asked where it comes
     * clearly below exact; else they are, but may spend no more than that on an answer. */
    kmv_status (*promise)(const kmv_problem *problem, const kmv_prepare_context *context,
                          const kmv_pilot *pilot, const kmv_speeds *speeds, double applies,
                          double *expected_s, int *alone, kmv_error *err);

    /**
     * Seconds below which this candidate is not expected to come for `applies` products, however
     * well it goes, the shared pilot not counted: from counts alone where the pilot has no rows
     * yet, else also from those it has, as few as 8. For turning away the hopeless before more is
     * spent: an estimate, and infinite where eps is out of reach. Cost at most a few passes over
     * the rows. KMV_ENOMEM.
     */
    kmv_status (*least)(const kmv_problem *problem, const kmv_prepare_context *context,
                        const kmv_pilot *pilot, const kmv_speeds *speeds, double applies,
                        double *least_s, kmv_error *err);

    /**
     * Cheapest settings that meet the context's eps and delta, and what they cost. The pilot is
     * complete, or, for one that searches, may have few rows. budget_s: stop, with error infinite,
     * as soon as prepare_s + applies apply_s must exceed it. draft: what prepare needs of the work
     * done here (trees, codes), or NULL; owned by the caller until prepare or discard takes it.
     * Adds to context->cost; leaves context->text alone. On failure nothing is left behind.
     */
    kmv_status (*forecast)(const kmv_problem *problem, const kmv_prepare_context *context,
                           const kmv_pilot *pilot, const kmv_speeds *speeds, double applies,
                           double budget_s, kmv_forecast *out, void **draft, kmv_error *err);
    void (*discard)(void *draft); /* accepts NULL */

    /** State for apply from the pilot and the draft, which is consumed even on failure. */
    kmv_status (*prepare)(const kmv_problem *problem, const kmv_prepare_context *context,
                          const kmv_pilot *pilot, void *draft, void **state, kmv_error *err);

    /**
     * As kmv_algo.apply, with `effort` times the samples that it would take by itself (1: as
     * planned; other: after a failed certificate, or sabotage, for tests of them). Sets err_est
     * where it predicts the error; leaves bound alone.
     */
    kmv_status (*apply)(void *state, double effort, kmv_apply_context *context, kmv_error *err);
    /** NULL, or: the forecast's unseen2 for the x of the latest apply. */
    double (*unseen2)(const void *state);
    void (*destroy)(void *state); /* accepts NULL */
} kmv_candidate;

/** kmv_candidate.prepare of one whose draft is already all that apply needs. */
kmv_status kmv_candidate_take_draft(const kmv_problem *problem, const kmv_prepare_context *context,
                                    const kmv_pilot *pilot, void *draft, void **state,
                                    kmv_error *err);

/** The candidates of `auto`, NULL-terminated; exact is not among them: it is always there. */
extern const kmv_candidate *const kmv_candidate_table[];

#endif

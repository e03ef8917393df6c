/* algo/auto_softmax.h - the planner for attention: leaves and samples as a pilot advises,
 * certified, at last every key. */
#ifndef KMV_ALGO_AUTO_SOFTMAX_H
#define KMV_ALGO_AUTO_SOFTMAX_H

#include "algo/certificate.h"
#include "algo/leaf_engine.h"

typedef struct {
    kmv_certify_kind certify;
    size_t rows;   /* of a certificate */
    double share;  /* of them drawn by |y_i - mean|^2 */
    int grow;      /* further attempts where the certificate finds the error above eps */
    int exact;     /* exact, whatever it costs */
    double effort; /* times the samples planned */
} kmv_auto_softmax_options;

typedef struct kmv_auto_softmax kmv_auto_softmax;

/** Plan. Few points: exact at once. KMV_ENOMEM, and what exact refuses. */
kmv_status kmv_auto_softmax_create(const kmv_problem *problem,
                                   const kmv_auto_softmax_options *options,
                                   const kmv_prepare_context *context, kmv_auto_softmax **out,
                                   kmv_error *err);
void kmv_auto_softmax_destroy(kmv_auto_softmax *a);

/** y ~ P x; bound, bound_kind, err_est and t_certify_s are set where y is not exact. Allocates
 *  nothing. */
kmv_status kmv_auto_softmax_apply(kmv_auto_softmax *a, kmv_apply_context *context, kmv_error *err);

#endif

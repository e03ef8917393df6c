/* bench/config_check.h - what a single value of a configuration may be. */
#ifndef KMV_BENCH_CONFIG_CHECK_H
#define KMV_BENCH_CONFIG_CHECK_H

#include "kmv.h"

/* Each returns KMV_OK, or KMV_EINVAL with "want ..., got '...'" (and the nearest name). */
kmv_status kmv_check_algo(const char *text, kmv_error *err);
kmv_status kmv_check_generator(const char *text, kmv_error *err);
kmv_status kmv_check_matrix(const char *text, kmv_error *err);         /* gauss, softmax */
kmv_status kmv_check_measure_matrix(const char *text, kmv_error *err); /* and rowmax */
kmv_status kmv_check_causal(const char *text, kmv_error *err);
kmv_status kmv_check_center(const char *text, kmv_error *err);
kmv_status kmv_check_count(const char *text, kmv_error *err); /* an integer >= 1 */
kmv_status kmv_check_n(const char *text, kmv_error *err);     /* an integer >= 1, or all */
/* a count, or all */                                         /* an integer >= 1 */
kmv_status kmv_check_eps(const char *text, kmv_error *err);
kmv_status kmv_check_delta(const char *text, kmv_error *err);
kmv_status kmv_check_x(const char *text, kmv_error *err);
kmv_status kmv_check_threads(const char *text, kmv_error *err);
kmv_status kmv_check_isa(const char *text, kmv_error *err); /* known, and this machine runs it */

/** 1 and the value for seconds (0.5, 0.5s, 10m, 2h) and bytes (1e6, 500M, 2G; powers of 1024). */
int kmv_parse_seconds(const char *text, double *seconds);
int kmv_parse_bytes(const char *text, double *bytes);

#endif

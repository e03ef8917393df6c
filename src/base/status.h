/* base/status.h - filling a kmv_error where a failure happens. */
#ifndef KMV_BASE_STATUS_H
#define KMV_BASE_STATUS_H

#include "kmv.h"

/** Format one line into err (which may be NULL; control characters and bytes that are no UTF-8, as
 *  files may hold them, become '?') and return status, so that a failure is one
 *  statement: `return kmv_fail(err, KMV_EINVAL, "sigma: want > 0, got %g", sigma);` */
kmv_status kmv_fail(kmv_error *err, kmv_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/** Put "prefix: " in front of what err already says; returns status. */
kmv_status kmv_fail_prefix(kmv_error *err, kmv_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif

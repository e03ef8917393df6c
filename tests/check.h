/* tests/check.h - what every test file includes: cmocka in its order, and a comparison that a NaN
 * cannot pass. */
#ifndef KMV_TESTS_CHECK_H
#define KMV_TESTS_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "kmv.h"

/* |got - want| <= tol, printed with 17 digits on failure. */
#define CHECK_CLOSE(got, want, tol)                                                                \
    do {                                                                                           \
        const double got_ = (got), want_ = (want), tol_ = (tol);                                   \
        if (!(fabs(got_ - want_) <= tol_))                                                         \
            fail_msg("%s = %.17g, want %.17g within %.3g (off by %.3g)", #got, got_, want_, tol_,  \
                     fabs(got_ - want_));                                                          \
    } while (0)

/* A call that must succeed; prints its error line otherwise. `err` must be in scope. */
#define CHECK_OK(call)                                                                             \
    do {                                                                                           \
        if ((call) != KMV_OK)                                                                      \
            fail_msg("%s: %s", #call, err.text);                                                   \
    } while (0)

/* A call that must fail with this status and a message holding this text. */
#define CHECK_FAILS(call, status, part)                                                            \
    do {                                                                                           \
        err.text[0] = '\0';                                                                        \
        assert_int_equal((call), (status));                                                        \
        if (strstr(err.text, (part)) == NULL)                                                      \
            fail_msg("%s: message '%s' lacks '%s'", #call, err.text, (part));                      \
    } while (0)

#endif

/* algo/feature_loops_portable.c - feature loops for any CPU. */
#include "algo/feature_loops_body.h"

extern const kmv_feature_loops kmv_feature_loops_portable;

const kmv_feature_loops kmv_feature_loops_portable = {"portable", FEATURE_LOOPS};

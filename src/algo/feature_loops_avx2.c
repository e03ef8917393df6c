/* algo/feature_loops_avx2.c - feature loops for CPUs with AVX2. */
#include "algo/feature_loops_body.h"

extern const kmv_feature_loops kmv_feature_loops_avx2;

const kmv_feature_loops kmv_feature_loops_avx2 = {"avx2", FEATURE_LOOPS};

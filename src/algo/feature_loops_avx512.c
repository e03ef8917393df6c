/* algo/feature_loops_avx512.c - feature loops for CPUs with AVX-512. */
#include "algo/feature_loops_body.h"

extern const kmv_feature_loops kmv_feature_loops_avx512;

const kmv_feature_loops kmv_feature_loops_avx512 = {"avx512", FEATURE_LOOPS};

/* gauss/reference_avx2.c - float64 loops for AVX2 with FMA: 8 of 16 registers accumulate. */
#include <immintrin.h>

#define NAME         kmv_reference_avx2
#define VECTOR_BYTES 32
#define ROWS         2
#define FMA(a, b, c) _mm256_fmadd_pd(a, b, c)

#include "gauss/reference_body.h"

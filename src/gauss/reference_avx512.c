/* gauss/reference_avx512.c - float64 loops for AVX-512: 12 of 32 registers accumulate. */
#include <immintrin.h>

#define NAME         kmv_reference_avx512
#define VECTOR_BYTES 64
#define ROWS         6
#define FMA(a, b, c) _mm512_fmadd_pd(a, b, c)

#include "gauss/reference_body.h"

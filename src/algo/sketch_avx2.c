/* algo/sketch_avx2.c - sketches with AVX2, multiply-add and the popcnt instruction. */
#include <immintrin.h>

#define VECTOR_BYTES          32
#define ROWS_AT_ONCE          6 /* 12 sums of 16 registers */
#define VECTORS_AT_ONCE       2
#define MULTIPLY_ADD(a, b, c) (vector) _mm256_fmadd_ps((__m256)(a), (__m256)(b), (__m256)(c))
#include "algo/sketch_body.h"

int kmv_sketch_runs_avx2(void);

const kmv_sketch_isa kmv_sketch_avx2 = {
    .name = "avx2", .can_run = kmv_sketch_runs_avx2, SKETCH_FUNCTIONS};

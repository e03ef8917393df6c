/* gauss/tile_avx512.c - the tile for AVX-512 (F, DQ, BW, VL): 12 queries x 32 keys, 24 accumulators
 * of 32 registers. Compiled with those features: only reached after tile_table.c asked the CPU. */
#include <immintrin.h>

#include "gauss/exp_poly.h"

typedef __m512 vec;
#define VL   16
#define VECS 3
#define ROWS 8

#define v_load(p)      _mm512_load_ps(p)
#define v_store(p, v)  _mm512_store_ps(p, v)
#define v_set1(x)      _mm512_set1_ps(x)
#define v_add(a, b)    _mm512_add_ps(a, b)
#define v_sub(a, b)    _mm512_sub_ps(a, b)
#define v_mul(a, b)    _mm512_mul_ps(a, b)
#define v_fma(a, b, c) _mm512_fmadd_ps(a, b, c)
/* Left to itself the compiler also uses the forms that overwrite a factor, and then moves registers
 * about in the innermost loop. */
#define v_add_product(c, a, b) __asm__("vfmadd231ps %2, %1, %0" : "+v"(c) : "v"(a), "v"(b))
#define v_keep(v)              __asm__ volatile("" : "+v"(v))

/* vreduceps gives e - floor(e), also 0 for -inf; vscalefps multiplies by 2^floor(e), with underflow
 * and overflow as in exact arithmetic. Two instructions do the work of five elsewhere. */
static inline __attribute__((always_inline)) vec v_exp2(vec e)
{
    const vec f = _mm512_reduce_ps(e, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
    vec v = v_fma(v_set1(KMV_EXP2_FLOOR_V3), f, v_set1(KMV_EXP2_FLOOR_V2)), p;

    v = v_fma(v, f, v_set1(KMV_EXP2_FLOOR_V1));
    v = v_fma(v, f, v_set1(KMV_EXP2_FLOOR_V0));
    p = v_fma(v, v, v_set1(KMV_EXP2_FLOOR_T));
    return _mm512_scalef_ps(p, e);
}

static inline float v_sum(vec v)
{
    return _mm512_reduce_add_ps(v);
}

#include "gauss/tile_mxcsr.h"

#include "gauss/tile_body.h"

int kmv_tile_runs_avx512(void);

const kmv_tile kmv_tile_avx512 = {
    .name = "avx512",
    .summary = "AVX-512 F, DQ, BW, VL: 8 queries x 48 keys",
    .can_run = kmv_tile_runs_avx512,
    TILE_FUNCTIONS,
};

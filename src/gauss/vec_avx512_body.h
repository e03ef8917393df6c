/* gauss/vec_avx512_body.h - the vectors of tiles for AVX-512 (F, DQ, BW, VL). What a template asks
 * of them stands in tile_body.h and join_body.h. */
#ifndef KMV_GAUSS_VEC_AVX512_BODY_H
#define KMV_GAUSS_VEC_AVX512_BODY_H

#include <immintrin.h>

#include "gauss/exp_poly.h"

typedef __m512 vec;
#define VL 16

#define v_load(p)      _mm512_load_ps(p)
#define v_store(p, v)  _mm512_store_ps(p, v)
#define v_set1(x)      _mm512_set1_ps(x)
#define v_add(a, b)    _mm512_add_ps(a, b)
#define v_sub(a, b)    _mm512_sub_ps(a, b)
#define v_mul(a, b)    _mm512_mul_ps(a, b)
#define v_fma(a, b, c) _mm512_fmadd_ps(a, b, c)
#define v_max(a, b)    _mm512_max_ps(a, b)
/* Left to itself the compiler also uses the forms that overwrite a factor, and then moves registers
 * about in the innermost loop. Machines without these registers bring their own words (make
 * test-emulated). */
#ifndef v_add_product
#define v_add_product(c, a, b) __asm__("vfmadd231ps %2, %1, %0" : "+v"(c) : "v"(a), "v"(b))
#define v_keep(v)              __asm__ volatile("" : "+v"(v))
#endif

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

typedef __m512i ints;
#define vi_load(p) _mm512_load_si512((const void *)(p))
#define vi_set1(x) _mm512_set1_epi32((int)(x))

/* v where k and q differ in a bit of mask, else 0. */
static inline __attribute__((always_inline)) vec v_where_differ(vec v, ints k, ints q, ints mask)
{
    return _mm512_maskz_mov_ps(_mm512_test_epi32_mask(_mm512_xor_si512(k, q), mask), v);
}

/* e > limit ? a : b, lane by lane. */
static inline __attribute__((always_inline)) vec v_where_above(vec e, vec limit, vec a, vec b)
{
    return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(e, limit, _CMP_GT_OQ), b, a);
}

#endif

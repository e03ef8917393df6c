/* gauss/vec_avx2_body.h - the vectors of tiles for AVX2 with FMA. What a template asks of them
 * stands in tile_body.h and join_body.h. */
#ifndef KMV_GAUSS_VEC_AVX2_BODY_H
#define KMV_GAUSS_VEC_AVX2_BODY_H

#include <immintrin.h>

#include "gauss/exp_poly.h"

typedef __m256 vec;
#define VL 8

#define v_load(p)      _mm256_load_ps(p)
#define v_store(p, v)  _mm256_store_ps(p, v)
#define v_set1(x)      _mm256_set1_ps(x)
#define v_add(a, b)    _mm256_add_ps(a, b)
#define v_sub(a, b)    _mm256_sub_ps(a, b)
#define v_mul(a, b)    _mm256_mul_ps(a, b)
#define v_fma(a, b, c) _mm256_fmadd_ps(a, b, c)
#define v_max(a, b)    _mm256_max_ps(a, b)
/* Left to itself the compiler also uses the forms that overwrite a factor, and then moves registers
 * about in the innermost loop. */
#define v_add_product(c, a, b) __asm__("vfmadd231ps %2, %1, %0" : "+x"(c) : "x"(a), "x"(b))
#define v_keep(v)              __asm__ volatile("" : "+x"(v))

/* max and min return their second operand when one is NaN, so that NaN goes through. Clamped to
 * -127 the exponent field is 0, and so the power; clamped to 128 it is that of infinity. */
static inline __attribute__((always_inline)) vec v_exp2(vec e)
{
    const vec magic = v_set1(KMV_EXP2_MAGIC);
    const vec c = _mm256_min_ps(v_set1(128.0f), _mm256_max_ps(v_set1(-127.0f), e));
    const vec t = v_add(c, magic);
    /* magic holds 127 beside the rounding constant: subtracting it gives back rint(e). */
    const vec f = v_sub(c, v_sub(t, magic));
    const vec power = _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_castps_si256(t), 23));
    vec v = v_fma(v_set1(KMV_EXP2_NEAR_V3), f, v_set1(KMV_EXP2_NEAR_V2)), p;

    v = v_fma(v, f, v_set1(KMV_EXP2_NEAR_V1));
    v = v_fma(v, f, v_set1(KMV_EXP2_NEAR_V0));
    p = v_fma(v, v, v_set1(KMV_EXP2_NEAR_T));
    return v_mul(p, power);
}

static inline float v_sum(vec v)
{
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));

    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    s = _mm_add_ss(s, _mm_movehdup_ps(s));
    return _mm_cvtss_f32(s);
}

#include "gauss/tile_mxcsr.h"

typedef __m256i ints;
#define vi_load(p) _mm256_load_si256((const __m256i *)(p))
#define vi_set1(x) _mm256_set1_epi32((int)(x))

/* v where k and q differ in a bit of mask, else 0. */
static inline __attribute__((always_inline)) vec v_where_differ(vec v, ints k, ints q, ints mask)
{
    const ints differ = _mm256_and_si256(_mm256_xor_si256(k, q), mask);
    const ints same = _mm256_cmpeq_epi32(differ, _mm256_setzero_si256());

    return _mm256_andnot_ps(_mm256_castsi256_ps(same), v);
}

/* e > limit ? a : b, lane by lane. */
static inline __attribute__((always_inline)) vec v_where_above(vec e, vec limit, vec a, vec b)
{
    return _mm256_blendv_ps(b, a, _mm256_cmp_ps(e, limit, _CMP_GT_OQ));
}

#endif

/* immintrin.h - stands before the compiler's own: AVX-512 and AMX in terms of AVX2, so that the
 * kernels for them run, slowly, on machines without (`make test-emulated`). Most of it is SIMDe
 * (simde-everywhere on GitHub); here is what its version in Debian 12 lacks. Written after the
 * operations in Intel's manual; conversions to bfloat16 and tile products take subnormal numbers
 * for zero.
 */
#ifndef KMV_TESTS_EMULATED_IMMINTRIN_H
#define KMV_TESTS_EMULATED_IMMINTRIN_H

#include_next <immintrin.h>

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wextra"
#define SIMDE_ENABLE_NATIVE_ALIASES
#include <simde/x86/avx512.h>
#pragma GCC diagnostic pop

#include <math.h>
#include <stdint.h>
#include <string.h>

#define EMULATED static inline __attribute__((always_inline, unused))

/* ---- what templates write in assembler ------------------------------------------------------- */

#define v_add_product(c, a, b) (c) = _mm512_fmadd_ps(a, b, c)
#define v_keep(v)              __asm__ volatile("" : : "r"(&(v)) : "memory")

/* ---- AVX-512 --------------------------------------------------------------------------------- */

typedef uint16_t emulated_bfloat __attribute__((vector_size(64)));
#undef __m512bh
#define __m512bh emulated_bfloat
typedef uint16_t emulated_bfloat_half __attribute__((vector_size(32)));

EMULATED __m512i emulated_loadu_epi64(__mmask8 there, const void *p)
{
    uint64_t v[8] = {0};

    for (int i = 0; i < 8; i++)
        if (there >> i & 1)
            memcpy(&v[i], (const char *)p + i * 8, 8);
    return _mm512_loadu_si512(v);
}
#undef _mm512_maskz_loadu_epi64
#define _mm512_maskz_loadu_epi64(there, p) emulated_loadu_epi64(there, p)
#undef _mm512_maskz_loadu_pd
#define _mm512_maskz_loadu_pd(there, p) _mm512_castsi512_pd(emulated_loadu_epi64(there, p))

/* The version in Debian 12 asks for one argument too many. */
#undef _mm512_mask_cmple_epu64_mask
#define _mm512_mask_cmple_epu64_mask(there, a, b)                                                  \
    ((__mmask8)((there)&_mm512_cmple_epu64_mask(a, b)))

EMULATED __m512 emulated_loadu_ps(__mmask16 there, const float *p)
{
    float v[16] = {0};

    for (int i = 0; i < 16; i++)
        if (there >> i & 1)
            v[i] = p[i];
    return _mm512_loadu_ps(v);
}
#undef _mm512_maskz_loadu_ps
#define _mm512_maskz_loadu_ps(there, p) emulated_loadu_ps(there, p)

EMULATED __m512i emulated_gather(__m512i index, const void *base, int scale)
{
    int32_t at[16], v[16];

    _mm512_storeu_si512(at, index);
    for (int i = 0; i < 16; i++)
        memcpy(&v[i], (const char *)base + (ptrdiff_t)at[i] * scale, 4);
    return _mm512_loadu_si512(v);
}
#undef _mm512_i32gather_epi32
#define _mm512_i32gather_epi32(index, base, scale) emulated_gather(index, base, scale)

EMULATED __m512i emulated_widen(__m256i halves)
{
    uint16_t from[16];
    uint32_t to[16];

    memcpy(from, &halves, 32);
    for (int i = 0; i < 16; i++)
        to[i] = from[i];
    return _mm512_loadu_si512(to);
}
#undef _mm512_cvtepu16_epi32
#define _mm512_cvtepu16_epi32(halves) emulated_widen(halves)

EMULATED __m256 emulated_narrow(__m512d v)
{
    double from[8];
    float to[8];

    _mm512_storeu_pd(from, v);
    for (int i = 0; i < 8; i++)
        to[i] = (float)from[i];
    return _mm256_loadu_ps(to);
}
#undef _mm512_cvtpd_ps
#define _mm512_cvtpd_ps(v) emulated_narrow(v)

/* The order of the instruction sequence that compilers make of it: halves are added. */
EMULATED float emulated_sum_ps(__m512 v)
{
    float at[16];

    _mm512_storeu_ps(at, v);
    for (int half = 8; half > 0; half /= 2)
        for (int i = 0; i < half; i++)
            at[i] += at[i + half];
    return at[0];
}
#undef _mm512_reduce_add_ps
#define _mm512_reduce_add_ps(v) emulated_sum_ps(v)

EMULATED double emulated_sum_pd(__m512d v)
{
    double at[8];

    _mm512_storeu_pd(at, v);
    for (int half = 4; half > 0; half /= 2)
        for (int i = 0; i < half; i++)
            at[i] += at[i + half];
    return at[0];
}
#undef _mm512_reduce_add_pd
#define _mm512_reduce_add_pd(v) emulated_sum_pd(v)

/* VREDUCEPS with no bits kept and rounding down: x - floor(x), 0 for infinities. */
EMULATED __m512 emulated_fraction(__m512 v)
{
    float at[16];

    _mm512_storeu_ps(at, v);
    for (int i = 0; i < 16; i++)
        at[i] = isinf(at[i]) ? 0 : at[i] - floorf(at[i]);
    return _mm512_loadu_ps(at);
}
#undef _mm512_reduce_ps
#define _mm512_reduce_ps(v, control)                                                               \
    emulated_fraction((                                                                            \
        (void)sizeof(char[(control) == (_MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC) ? 1 : -1]), v))

/* ---- bfloat16 -------------------------------------------------------------------------------- */

EMULATED uint16_t emulated_bfloat_of(float x)
{
    uint32_t bits;

    memcpy(&bits, &x, 4);
    if (isnan(x))
        return (uint16_t)(bits >> 16 | 0x40);
    if ((bits & 0x7f800000) == 0)
        return (uint16_t)(bits >> 16 & 0x8000);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

EMULATED float emulated_float_of(uint16_t half)
{
    const uint32_t bits = (uint32_t)((half & 0x7f80) == 0 ? half & 0x8000 : half) << 16;
    float x;

    memcpy(&x, &bits, 4);
    return x;
}

EMULATED emulated_bfloat_half emulated_bfloats_of(__m512 v)
{
    emulated_bfloat_half halves;

    for (int i = 0; i < 16; i++)
        halves[i] = emulated_bfloat_of(((float *)&v)[i]);
    return halves;
}
#undef _mm512_cvtneps_pbh
#define _mm512_cvtneps_pbh(v) emulated_bfloats_of(v)

EMULATED emulated_bfloat emulated_bfloats_of_two(__m512 high, __m512 low)
{
    const emulated_bfloat_half part[2] = {emulated_bfloats_of(low), emulated_bfloats_of(high)};
    emulated_bfloat v;

    memcpy(&v, part, 64);
    return v;
}
#undef _mm512_cvtne2ps_pbh
#define _mm512_cvtne2ps_pbh(high, low) emulated_bfloats_of_two(high, low)

EMULATED __m512 emulated_dot(__m512 sum, emulated_bfloat a, emulated_bfloat b)
{
    float at[16];

    _mm512_storeu_ps(at, sum);
    for (int i = 0; i < 16; i++) {
        at[i] += emulated_float_of(a[2 * i + 1]) * emulated_float_of(b[2 * i + 1]);
        at[i] += emulated_float_of(a[2 * i]) * emulated_float_of(b[2 * i]);
    }
    return _mm512_loadu_ps(at);
}
#undef _mm512_dpbf16_ps
#define _mm512_dpbf16_ps(sum, a, b) emulated_dot(sum, a, b)

/* ---- AMX ------------------------------------------------------------------------------------- */

/* A kernel configures the tiles, uses them and releases them within one call. Registers that are
 * not configured hold NaN, so that a forgotten configuration is seen. */
static _Thread_local uint32_t emulated_tiles[8][16][16] __attribute__((unused));
static _Thread_local int emulated_rows[8] __attribute__((unused)),
    emulated_bytes[8] __attribute__((unused));

EMULATED void emulated_tile_config(const void *layout)
{
    const uint8_t *at = layout;

    for (int t = 0; t < 8; t++) {
        uint16_t bytes;

        memcpy(&bytes, at + 16 + 2 * t, 2);
        emulated_bytes[t] = bytes;
        emulated_rows[t] = at[48 + t];
        memset(emulated_tiles[t], 0, sizeof emulated_tiles[t]);
    }
}

EMULATED void emulated_tile_release(void)
{
    memset(emulated_tiles, 0xff, sizeof emulated_tiles);
    memset(emulated_rows, 0, sizeof emulated_rows);
}

EMULATED void emulated_tile_need(int t)
{
    if (emulated_rows[t] != 16 || emulated_bytes[t] != 64)
        __builtin_trap(); /* as the CPU would */
}

EMULATED void emulated_tile_load(int t, const void *from, long stride)
{
    emulated_tile_need(t);
    for (int row = 0; row < 16; row++)
        memcpy(emulated_tiles[t][row], (const char *)from + row * stride, 64);
}

EMULATED void emulated_tile_store(int t, void *to, long stride)
{
    emulated_tile_need(t);
    for (int row = 0; row < 16; row++)
        memcpy((char *)to + row * stride, emulated_tiles[t][row], 64);
}

/* Even and odd dimensions are added up apart, as the manual says. */
static __attribute__((unused)) void emulated_tile_multiply(int to, int rows, int columns)
{
    typedef float floats __attribute__((vector_size(64)));
    typedef uint32_t words __attribute__((vector_size(64)));
    floats even[16], odd[16];

    emulated_tile_need(to);
    emulated_tile_need(rows);
    emulated_tile_need(columns);
    for (int k = 0; k < 16; k++) {
        words pair;
        memcpy(&pair, emulated_tiles[columns][k], 64);
        even[k] = (floats)(pair << 16);
        odd[k] = (floats)(pair & 0xffff0000);
    }
    for (int row = 0; row < 16; row++) {
        floats a = {0}, b = {0}, c;

        for (int k = 0; k < 16; k++) {
            const uint32_t pair = emulated_tiles[rows][row][k];
            a += even[k] * emulated_float_of((uint16_t)pair);
            b += odd[k] * emulated_float_of((uint16_t)(pair >> 16));
        }
        memcpy(&c, emulated_tiles[to][row], 64);
        c += a + b;
        memcpy(emulated_tiles[to][row], &c, 64);
    }
}

#undef _tile_loadconfig
#undef _tile_release
#undef _tile_zero
#undef _tile_loadd
#undef _tile_stored
#undef _tile_dpbf16ps
#define _tile_loadconfig(layout) emulated_tile_config(layout)
#define _tile_release()          emulated_tile_release()
#define _tile_zero(t)                                                                              \
    (emulated_tile_need(t), (void)memset(emulated_tiles[t], 0, sizeof emulated_tiles[t]))
#define _tile_loadd(t, from, stride)      emulated_tile_load(t, from, stride)
#define _tile_stored(t, to, stride)       emulated_tile_store(t, to, stride)
#define _tile_dpbf16ps(to, rows, columns) emulated_tile_multiply(to, rows, columns)

#endif

/* gauss/vec_portable_body.h - the vectors of tiles for any CPU: generic vectors of 4 floats, which
 * the compiler maps to whatever there is. Multiply and add are separate, since a fused operation
 * without hardware for it is a slow library call. What a template asks of them stands in
 * tile_body.h and join_body.h. */
#ifndef KMV_GAUSS_VEC_PORTABLE_BODY_H
#define KMV_GAUSS_VEC_PORTABLE_BODY_H

#include <stdint.h>
#include <string.h>

#include "gauss/exp_poly.h"

typedef float vec __attribute__((vector_size(16)));
typedef int32_t ints __attribute__((vector_size(16)));
#define VL 4

#define ALIGNED(p)             __builtin_assume_aligned((p), 16)
#define v_add(a, b)            ((a) + (b))
#define v_sub(a, b)            ((a) - (b))
#define v_mul(a, b)            ((a) * (b))
#define v_fma(a, b, c)         ((a) * (b) + (c))
#define v_add_product(c, a, b) ((c) += (a) * (b))
#define v_keep(v)              hide(&(v))

static inline vec v_load(const float *p)
{
    vec v;

    memcpy(&v, ALIGNED(p), sizeof v);
    return v;
}

static inline void v_store(float *p, vec v)
{
    memcpy(ALIGNED(p), &v, sizeof v);
}

static inline vec v_set1(float x)
{
    return (vec){x, x, x, x};
}

static inline void hide(vec *v)
{
    __asm__ volatile("" : : "r"(v) : "memory");
}

/* mask ? a : b, lane by lane. */
static inline vec choose(ints mask, vec a, vec b)
{
    return (vec)((mask & (ints)a) | (~mask & (ints)b));
}

static inline vec v_max(vec a, vec b)
{
    return choose((ints)(a > b), a, b);
}

/* Comparisons with NaN are false, so that NaN goes through. */
static inline __attribute__((always_inline)) vec v_exp2(vec e)
{
    const vec magic = v_set1(KMV_EXP2_MAGIC), lowest = v_set1(-126.0f), highest = v_set1(128.0f);
    const ints below = (ints)(e < lowest);
    const vec c = choose((ints)(e > highest), highest, choose(below, lowest, e));
    const vec t = c + magic;
    const vec f = c - (t - magic);
    const vec power = (vec)((ints)t << 23);
    vec v = v_fma(v_set1(KMV_EXP2_NEAR_V3), f, v_set1(KMV_EXP2_NEAR_V2)), p;

    v = v_fma(v, f, v_set1(KMV_EXP2_NEAR_V1));
    v = v_fma(v, f, v_set1(KMV_EXP2_NEAR_V0));
    p = v_fma(v, v, v_set1(KMV_EXP2_NEAR_T));
    return choose(below, v_set1(0), p * power);
}

static inline float v_sum(vec v)
{
    return (v[0] + v[2]) + (v[1] + v[3]);
}

#if defined(__SSE__)
#include "gauss/tile_mxcsr.h"
#else
/* Elsewhere denormals stay as they are: slower on some machines, never wrong. */
typedef int mode;

static inline mode mode_enter(void)
{
    return 0;
}

static inline void mode_leave(mode saved)
{
    (void)saved;
}
#endif

static inline ints vi_load(const uint32_t *p)
{
    ints v;

    memcpy(&v, ALIGNED(p), sizeof v);
    return v;
}

static inline ints vi_set1(uint32_t x)
{
    return (ints){(int32_t)x, (int32_t)x, (int32_t)x, (int32_t)x};
}

/* v where k and q differ in a bit of mask, else 0. */
static inline vec v_where_differ(vec v, ints k, ints q, ints mask)
{
    return choose((ints)(((k ^ q) & mask) != 0), v, v_set1(0));
}

/* e > limit ? a : b, lane by lane. */
static inline vec v_where_above(vec e, vec limit, vec a, vec b)
{
    return choose((ints)(e > limit), a, b);
}

#endif

/* gauss/tile_mxcsr.h - flush-to-zero and denormals-are-zero around a tile, on x86 (see
 * tile_body.h). */
#ifndef KMV_GAUSS_TILE_MXCSR_H
#define KMV_GAUSS_TILE_MXCSR_H

#include <xmmintrin.h>

typedef unsigned mode;

static inline mode mode_enter(void)
{
    const mode saved = _mm_getcsr();

    _mm_setcsr(saved | 0x8040); /* FTZ, DAZ */
    return saved;
}

static inline void mode_leave(mode saved)
{
    _mm_setcsr(saved);
}

#endif

/* algo/sketch_avx512.c - sketches with AVX-512 and vpopcntq: eight words at a time. */
#include <immintrin.h>
#include <stdint.h>

#define SCAN_BY_HAND
#define VECTOR_BYTES          64
#define ROWS_AT_ONCE          6 /* 24 sums of 32 registers */
#define VECTORS_AT_ONCE       4
#define STEP                  32
#define ALIGNED               8
#define MULTIPLY_ADD(a, b, c) (vector) _mm512_fmadd_ps((__m512)(a), (__m512)(b), (__m512)(c))

static size_t scan(const uint64_t *words, size_t count, uint64_t query, unsigned most,
                   uint32_t first, uint32_t *hits)
{
    const __m512i mine = _mm512_set1_epi64((long long)query), limit = _mm512_set1_epi64(most);
    size_t found = 0;

    /* Two vectors at once: hits are rare, one branch serves both. Cells are short and of any size:
     * masks instead of a loop for the rest save a misprediction per cell. */
    for (size_t t = 0; t < count; t += 16) {
        const uint32_t real = _bzhi_u32(0xffff, count - t < 16 ? (uint32_t)(count - t) : 16);
        const __mmask8 real_a = (__mmask8)real, real_b = (__mmask8)(real >> 8);
        const __m512i a = _mm512_xor_si512(_mm512_maskz_loadu_epi64(real_a, words + t), mine);
        const __m512i b = _mm512_xor_si512(_mm512_maskz_loadu_epi64(real_b, words + t + 8), mine);
        const __mmask8 near_a = _mm512_mask_cmple_epu64_mask(real_a, _mm512_popcnt_epi64(a), limit);
        const __mmask8 near_b = _mm512_mask_cmple_epu64_mask(real_b, _mm512_popcnt_epi64(b), limit);

        for (unsigned left = (unsigned)near_a | (unsigned)near_b << 8; left != 0; left &= left - 1)
            hits[found++] = first + (uint32_t)t + (uint32_t)__builtin_ctz(left);
    }
    return found;
}

typedef struct {
    __m512i word, most;
} near_what;

static inline near_what near_to(uint64_t word, unsigned most)
{
    return (near_what){_mm512_set1_epi64((long long)word), _mm512_set1_epi64(most)};
}

static inline __m512i apart_of_8(const uint64_t *words, __m512i query)
{
    return _mm512_popcnt_epi64(_mm512_xor_si512(_mm512_load_si512(words), query));
}

/* By the least distance: comparing each vector would keep busy the port that counts bits. */
static inline int some_near(const uint64_t *words, near_what to)
{
    const __m512i a = _mm512_min_epu64(apart_of_8(words, to.word), apart_of_8(words + 8, to.word));
    const __m512i b =
        _mm512_min_epu64(apart_of_8(words + 16, to.word), apart_of_8(words + 24, to.word));

    return _mm512_cmple_epu64_mask(_mm512_min_epu64(a, b), to.most) != 0;
}

#include "algo/sketch_body.h"

int kmv_sketch_runs_avx512(void);

const kmv_sketch_isa kmv_sketch_avx512 = {
    .name = "avx512", .can_run = kmv_sketch_runs_avx512, SKETCH_FUNCTIONS};

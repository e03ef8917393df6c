/* algo/sketch_avx512.c - sketches with AVX-512 and vpopcntq: eight words at a time. */
#include <immintrin.h>

#define SCAN_BY_HAND
#include "algo/sketch_body.h"

static inline size_t emit(__mmask8 near, uint32_t at, uint32_t *hits, size_t found)
{
    for (unsigned left = near; left != 0; left &= left - 1)
        hits[found++] = at + (uint32_t)__builtin_ctz(left);
    return found;
}

static size_t scan(const uint64_t *words, size_t count, uint64_t query, unsigned most,
                   uint32_t first, uint32_t *hits)
{
    const __m512i mine = _mm512_set1_epi64((long long)query), limit = _mm512_set1_epi64(most);
    size_t found = 0, t = 0;

    for (; t + 16 <= count; t += 16) { /* two at once: hits are rare, one branch serves both */
        const __m512i a = _mm512_xor_si512(_mm512_loadu_si512(words + t), mine);
        const __m512i b = _mm512_xor_si512(_mm512_loadu_si512(words + t + 8), mine);
        const __mmask8 near_a = _mm512_cmple_epu64_mask(_mm512_popcnt_epi64(a), limit);
        const __mmask8 near_b = _mm512_cmple_epu64_mask(_mm512_popcnt_epi64(b), limit);

        if (near_a | near_b) {
            found = emit(near_a, first + (uint32_t)t, hits, found);
            found = emit(near_b, first + (uint32_t)t + 8, hits, found);
        }
    }
    for (; t < count; t += 8) {
        const __mmask8 real = count - t >= 8 ? 0xff : (__mmask8)((1u << (count - t)) - 1);
        const __m512i a = _mm512_xor_si512(_mm512_maskz_loadu_epi64(real, words + t), mine);

        found = emit(_mm512_mask_cmple_epu64_mask(real, _mm512_popcnt_epi64(a), limit),
                     first + (uint32_t)t, hits, found);
    }
    return found;
}

int kmv_sketch_runs_avx512(void);

const kmv_sketch_isa kmv_sketch_avx512 = {
    .name = "avx512", .can_run = kmv_sketch_runs_avx512, SKETCH_FUNCTIONS};

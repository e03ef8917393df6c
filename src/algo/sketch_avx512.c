/* algo/sketch_avx512.c - sketches with AVX-512 and vpopcntq: eight words at a time. */
#include <immintrin.h>

#define SCAN_BY_HAND
#define VECTOR_BYTES          64
#define ROWS_AT_ONCE          6 /* 24 sums of 32 registers */
#define VECTORS_AT_ONCE       4
#define MULTIPLY_ADD(a, b, c) (vector) _mm512_fmadd_ps((__m512)(a), (__m512)(b), (__m512)(c))
#include "algo/sketch_body.h"

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

static inline __m512i apart_of_8(const uint64_t *words, __m512i query)
{
    return _mm512_popcnt_epi64(_mm512_xor_si512(_mm512_load_si512(words), query));
}

/* Steps of 32 words from aligned ones on, so that no load takes two lines; what they read beside
 * the cell is left out when a hit is looked for again, which is rare. The least distance says
 * whether there is one: comparing each vector would keep busy the port that counts bits. */
static size_t scan_cells(const uint64_t *words, const uint32_t *start, const uint32_t *cell,
                         size_t cells, uint64_t query, unsigned most, uint32_t *hits, size_t room,
                         kmv_sketch_found *found)
{
    const __m512i mine = _mm512_set1_epi64((long long)query), limit = _mm512_set1_epi64(most);
    size_t c = 0, n = 0, looked = 0;

    for (; c < cells; c++) {
        const uint32_t first = start[cell[c]], end = start[cell[c] + 1];

        if (end - first > room - n)
            break;
        looked += end - first;
        for (uint32_t t = first & ~7u; t < end; t += 32) {
            const uint64_t *at = words + t;
            const __m512i a = _mm512_min_epu64(apart_of_8(at, mine), apart_of_8(at + 8, mine));
            const __m512i b =
                _mm512_min_epu64(apart_of_8(at + 16, mine), apart_of_8(at + 24, mine));

            if (_mm512_cmple_epu64_mask(_mm512_min_epu64(a, b), limit) != 0) {
                const uint32_t from = t < first ? first : t, to = end - t < 32 ? end : t + 32;

                n += scan(words + from, to - from, query, most, from, hits + n);
            }
        }
    }
    *found = (kmv_sketch_found){n, looked};
    return c;
}

int kmv_sketch_runs_avx512(void);

const kmv_sketch_isa kmv_sketch_avx512 = {
    .name = "avx512", .can_run = kmv_sketch_runs_avx512, SKETCH_FUNCTIONS};

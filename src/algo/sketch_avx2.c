/* algo/sketch_avx2.c - sketches with AVX2, multiply-add and the popcnt instruction: sixteen words
 * at a time. */
#include <immintrin.h>
#include <stdint.h>

#define VECTOR_BYTES          32
#define ROWS_AT_ONCE          6 /* 12 sums of 16 registers */
#define VECTORS_AT_ONCE       2
#define MULTIPLY_ADD(a, b, c) (vector) _mm256_fmadd_ps((__m256)(a), (__m256)(b), (__m256)(c))
#define STEP                  16
#define ALIGNED               4

typedef struct {
    __m256i word, beyond;
} near_what;

static inline near_what near_to(uint64_t word, unsigned most)
{
    return (near_what){_mm256_set1_epi64x((long long)word),
                       _mm256_set1_epi64x((long long)most + 1)};
}

/* Bits in which four words differ from the query, in 64 bits each: a table says how many half a
 * byte has (Mula, Kurz & Lemire, arXiv 1611.07612). */
static inline __m256i apart_of_4(const uint64_t *words, __m256i query)
{
    const __m256i counts = _mm256_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4, 0, 1, 1,
                                            2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4);
    const __m256i half = _mm256_set1_epi8(15);
    const __m256i bits = _mm256_xor_si256(_mm256_load_si256((const __m256i *)words), query);
    const __m256i low = _mm256_shuffle_epi8(counts, _mm256_and_si256(bits, half));
    const __m256i high =
        _mm256_shuffle_epi8(counts, _mm256_and_si256(_mm256_srli_epi16(bits, 4), half));

    return _mm256_sad_epu8(_mm256_add_epi8(low, high), _mm256_setzero_si256());
}

static inline int some_near(const uint64_t *words, near_what to)
{
    const __m256i a = _mm256_min_epu32(apart_of_4(words, to.word), apart_of_4(words + 4, to.word));
    const __m256i b =
        _mm256_min_epu32(apart_of_4(words + 8, to.word), apart_of_4(words + 12, to.word));

    return _mm256_movemask_epi8(_mm256_cmpgt_epi64(to.beyond, _mm256_min_epu32(a, b))) != 0;
}

#include "algo/sketch_body.h"

int kmv_sketch_runs_avx2(void);

const kmv_sketch_isa kmv_sketch_avx2 = {
    .name = "avx2", .can_run = kmv_sketch_runs_avx2, SKETCH_FUNCTIONS};

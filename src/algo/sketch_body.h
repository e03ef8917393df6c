/* algo/sketch_body.h - inner loops that compilers vectorise by themselves; included once per
 * instruction set, so that each gets what its flags allow. */
#include "algo/sketch.h"

static void signs_down(const float *e, size_t lde, const float *threshold, size_t count,
                       uint64_t *words)
{
    for (size_t t = 0; t < count; t++)
        words[t] = 0;
    for (size_t i = 0; i < KMV_SKETCH_BITS; i++) {
        const float limit = threshold[i];

        for (size_t t = 0; t < count; t++)
            words[t] |= (uint64_t)(e[i * lde + t] > limit) << i;
    }
}

static uint64_t signs_along(const float *e, const float *threshold)
{
    uint64_t word = 0;

    for (size_t i = 0; i < KMV_SKETCH_BITS; i++)
        word |= (uint64_t)(e[i] > threshold[i]) << i;
    return word;
}

/* Sixteen partial sums whatever the vectors' width: the same bits everywhere. */
static float distance2(const float *a, const float *b, const float *shift, size_t ld)
{
    float part[16] = {0};

    for (size_t l = 0; l < ld; l += 16) {
        for (size_t s = 0; s < 16; s++) {
            const float diff = a[l + s] - b[l + s] + shift[l + s];

            part[s] += diff * diff;
        }
    }
    for (size_t half = 8; half > 0; half /= 2) {
        for (size_t s = 0; s < half; s++)
            part[s] += part[s + half];
    }
    return part[0];
}

#ifndef SCAN_BY_HAND
static size_t scan(const uint64_t *words, size_t count, uint64_t query, unsigned most,
                   uint32_t first, uint32_t *hits)
{
    size_t found = 0;

    for (size_t t = 0; t < count; t++) {
        hits[found] = first + (uint32_t)t;
        found += (unsigned)__builtin_popcountll(words[t] ^ query) <= most;
    }
    return found;
}
#endif

#define SKETCH_FUNCTIONS                                                                           \
    .scan = scan, .signs_down = signs_down, .signs_along = signs_along, .distance2 = distance2

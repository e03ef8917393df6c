/* algo/sketch_body.h - inner loops that compilers vectorise by themselves; included once per
 * instruction set, so that each gets what its flags allow. */
#include "algo/sketch.h"

/* A register, and how many sums they hold with directions and a coordinate beside them.
 * MULTIPLY_ADD(a, b, c) = a b + c. */
#ifndef VECTOR_BYTES
#define VECTOR_BYTES          16
#define ROWS_AT_ONCE          3
#define VECTORS_AT_ONCE       4
#define MULTIPLY_ADD(a, b, c) ((a) * (b) + (c))
#endif
typedef float vector __attribute__((vector_size(VECTOR_BYTES)));
enum { LANES = VECTOR_BYTES / sizeof(float), VECTORS = KMV_SKETCH_BITS / LANES };

/* VECTORS_AT_ONCE vectors of the projections of n rows. */
static inline __attribute__((always_inline)) void
project_some(const float *rows, size_t ld, const size_t n, const float *across, size_t d, float *e)
{
    vector sum[ROWS_AT_ONCE][VECTORS_AT_ONCE];

#pragma GCC unroll 8
    for (size_t i = 0; i < n; i++) {
#pragma GCC unroll 4
        for (size_t p = 0; p < VECTORS_AT_ONCE; p++)
            sum[i][p] = (vector){0};
    }
    for (size_t l = 0; l < d; l++) {
        const vector *direction = (const vector *)(across + l * KMV_SKETCH_BITS);

#pragma GCC unroll 8
        for (size_t i = 0; i < n; i++) {
            const vector value = rows[i * ld + l] - (vector){0};

#pragma GCC unroll 4
            for (size_t p = 0; p < VECTORS_AT_ONCE; p++)
                sum[i][p] = MULTIPLY_ADD(value, direction[p], sum[i][p]);
        }
    }
#pragma GCC unroll 8
    for (size_t i = 0; i < n; i++) {
#pragma GCC unroll 4
        for (size_t p = 0; p < VECTORS_AT_ONCE; p++)
            ((vector *)(e + i * KMV_SKETCH_BITS))[p] = sum[i][p];
    }
}

static void project(const float *rows, size_t ld, size_t n, const float *across, size_t d, float *e)
{
    const size_t whole = n / ROWS_AT_ONCE * ROWS_AT_ONCE;

    for (size_t v = 0; v < VECTORS; v += VECTORS_AT_ONCE) {
        for (size_t i = 0; i < whole; i += ROWS_AT_ONCE)
            project_some(rows + i * ld, ld, ROWS_AT_ONCE, across + v * LANES, d,
                         e + i * KMV_SKETCH_BITS + v * LANES);
        for (size_t i = whole; i < n; i++)
            project_some(rows + i * ld, ld, 1, across + v * LANES, d,
                         e + i * KMV_SKETCH_BITS + v * LANES);
    }
}

static uint64_t signs(const float *e, const float *threshold)
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

static size_t take_entries(const float *v, size_t n, float tau, float *sum2, uint16_t *half)
{
    uint32_t above = 0;

    for (size_t t = 0; t < n; t++) {
        sum2[t] += v[t] * v[t];
        above += v[t] > tau;
    }
    for (size_t t = 0; half != NULL && t < n; t++)
        half[t] = kmv_bfloat16(v[t]);
    return above;
}

static float dot_bfloat16(const uint16_t *a, const float *x, size_t n)
{
    float part[16] = {0};
    size_t j = 0;

    for (; j + 16 <= n; j += 16) {
        for (size_t s = 0; s < 16; s++)
            part[s] += kmv_from_bfloat16(a[j + s]) * x[j + s];
    }
    for (size_t s = 0; j + s < n; s++)
        part[s] += kmv_from_bfloat16(a[j + s]) * x[j + s];
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

static void count_apart(const uint64_t *words, size_t count, uint64_t query, uint64_t *histogram)
{
    for (size_t t = 0; t < count; t++)
        histogram[__builtin_popcountll(words[t] ^ query)]++;
}

/* Steps of STEP words from multiples of ALIGNED on, so that no load takes two lines; what they read
 * beside the cell is left out when a hit is looked for again, which is rare. some_near says whether
 * one of STEP words differs in few enough bits. */
#ifndef STEP
#define STEP    1
#define ALIGNED 1
typedef struct {
    uint64_t word;
    unsigned most;
} near_what;

static near_what near_to(uint64_t word, unsigned most)
{
    return (near_what){word, most};
}

static int some_near(const uint64_t *words, near_what to)
{
    return (unsigned)__builtin_popcountll(*words ^ to.word) <= to.most;
}
#endif

static size_t scan_cells(const uint64_t *words, const uint32_t *start, const uint32_t *cell,
                         size_t cells, uint64_t query, unsigned most, uint32_t *hits, size_t room,
                         kmv_sketch_found *found)
{
    const near_what to = near_to(query, most);
    size_t c = 0;

    *found = (kmv_sketch_found){0, 0};
    for (; c < cells; c++) {
        const uint32_t first = start[cell[c]], end = start[cell[c] + 1];

        if (end - first > room - found->hits)
            break;
        found->words += end - first;
        for (uint32_t t = first / ALIGNED * ALIGNED; t < end; t += STEP) {
            if (some_near(words + t, to)) {
                const uint32_t from = t < first ? first : t, stop = end - t < STEP ? end : t + STEP;

                found->hits +=
                    scan(words + from, stop - from, query, most, from, hits + found->hits);
            }
        }
    }
    return c;
}

#define SKETCH_FUNCTIONS                                                                           \
    .scan = scan, .scan_cells = scan_cells, .count_apart = count_apart, .project = project,        \
    .signs = signs, .distance2 = distance2, .take_entries = take_entries,                          \
    .dot_bfloat16 = dot_bfloat16

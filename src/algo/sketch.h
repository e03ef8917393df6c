/* algo/sketch.h - sign sketches: 64 bits per point, one per random direction, compared by counting
 * the bits in which two of them differ. */
#ifndef KMV_ALGO_SKETCH_H
#define KMV_ALGO_SKETCH_H

#include <stdint.h>
#include <string.h>

#include "kmv.h"

enum {
    KMV_SKETCH_BITS = 64,
    KMV_SKETCH_AT_ONCE = 48,
    KMV_SKETCH_BEYOND = 64 /* words behind the last that scan_cells may read */
};

/** What scan_cells did: hits written, words looked at. */
typedef struct {
    size_t hits, words;
} kmv_sketch_found;

/** The inner loops, one set per instruction set; all give the same results, but for the rounding of
 *  project: with multiply-add or without. */
typedef struct {
    const char *name;
    int (*can_run)(void);
    /** hits[0 .. result-1] = first + t, ascending, for all t < count whose word differs from
     *  `query` in at most `most` bits; room for count hits. */
    size_t (*scan)(const uint64_t *words, size_t count, uint64_t query, unsigned most,
                   uint32_t first, uint32_t *hits);
    /** The same over cells (words aligned to 64 bytes): words start[cell[c]] .. start[cell[c] + 1]
     * - 1 for c < cells, in that order; hits are numbers of words. Stops before a cell whose words
     * would not all fit into `room` hits. Returns how many cells were scanned. */
    size_t (*scan_cells)(const uint64_t *words, const uint32_t *start, const uint32_t *cell,
                         size_t cells, uint64_t query, unsigned most, uint32_t *hits, size_t room,
                         kmv_sketch_found *found);
    /** histogram[b] += how many of the words differ from `query` in b bits, b <= 64. */
    void (*count_apart)(const uint64_t *words, size_t count, uint64_t query, uint64_t *histogram);
    /** e[i * 64 + b] = sum over l < d of rows[i * ld + l] across[l * 64 + b], i < n, b < 64; across
     *  and e aligned to 64 bytes. */
    void (*project)(const float *rows, size_t ld, size_t n, const float *across, size_t d,
                    float *e);
    /** Bit i of the result = (e[i] > threshold[i]). */
    uint64_t (*signs)(const float *e, const float *threshold);
    /** sum over l < ld of (a_l - b_l + shift_l)^2, in float, in a fixed order; ld a multiple of 16.
     */
    float (*distance2)(const float *a, const float *b, const float *shift, size_t ld);
    /** sum2_t += v_t^2, and half_t = v_t in bfloat16 unless half is NULL, t < n; v >= 0. Returns
     * how many of them exceed tau. */
    size_t (*take_entries)(const float *v, size_t n, float tau, float *sum2, uint16_t *half);
    /** sum over j < n of a_j x_j, a in bfloat16 (kmv_bfloat16); in float, in a fixed order. */
    float (*dot_bfloat16)(const uint16_t *a, const float *x, size_t n);
} kmv_sketch_isa;

/** The upper half of a float, rounded to nearest: 8 bits of mantissa; not for NaN. */
static inline uint16_t kmv_bfloat16(float value)
{
    uint32_t bits;

    memcpy(&bits, &value, sizeof bits);
    return (uint16_t)((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

static inline float kmv_from_bfloat16(uint16_t half)
{
    const uint32_t bits = (uint32_t)half << 16;
    float value;

    memcpy(&value, &bits, sizeof value);
    return value;
}

/** The best that this machine runs; never NULL. */
const kmv_sketch_isa *kmv_sketch_isa_best(void);
/** The i-th, best first, whether or not this machine runs it; NULL past the end. */
const kmv_sketch_isa *kmv_sketch_isa_at(size_t i);

/**
 * Directions: the rows of random orthogonal matrices (Gram-Schmidt on normal rows, in groups of at
 * most d). Bit i of a point's sketch says whether its projection exceeds threshold i, the median
 * projection of a sample of the keys. For points p, p' at an angle a seen from the centre, bits
 * differ with probability a/pi where the thresholds are 0 (Goemans & Williamson 1995; Charikar
 * 2002).
 */
typedef struct {
    const kmv_sketch_isa *isa;
    size_t d;
    float *across; /* d x 64: directions are columns */
    /* Medians, for rows as they are stored: queries and keys may have different origins. */
    float *threshold_q, *threshold_k;
} kmv_sketcher;

/** Random directions of stream `key`, medians of about 256 keys. */
kmv_status kmv_sketcher_init(kmv_sketcher *s, const kmv_problem *problem, uint64_t key,
                             kmv_error *err);
void kmv_sketcher_clear(kmv_sketcher *s);

/** Words of the stored rows of n keys; e: room for KMV_SKETCH_AT_ONCE x 64 floats. */
void kmv_sketch_keys(const kmv_sketcher *s, const float *rows, size_t ld, size_t n, float *e,
                     uint64_t *words);

#endif

/* gauss/tile.h - contract of the compute kernels ("tiles"), one set of functions per instruction
 * set.
 *
 * All tiles work on base-2 exponents
 *     e_ij = sum_l q_il k_jl + a_i + b_j,   entry = 2^e_ij,
 * with log2(e) / sigma^2 folded into the packed queries and the squared norms into a and b
 * (pack.h). One template body (tile_body.h) is compiled once per instruction set; whether the
 * machine can run it is asked outside of the files compiled with wide vectors, which may use them
 * anywhere.
 *
 * A block is `rows` queries, [d][rows] floats; a panel is `lanes` keys, [d][lanes] floats; both
 * aligned to 64 bytes, as are b and w. Nothing is read or written beyond the sizes given.
 *
 * steps, a power of two <= KMV_STEPS_MAX, says in how many parts a_i + b_j is added along the
 * dimensions: each part costs an addition per entry, and rounding shrinks with the partial sums
 * (docs/numerics.md). 1 is the fast way.
 */
#ifndef KMV_GAUSS_TILE_H
#define KMV_GAUSS_TILE_H

#include <stddef.h>
#include <stdint.h>

#include "kmv.h"

enum {
    KMV_ROWS_MAX = 16, /* no tile is larger */
    KMV_LANES_MAX = 64,
    KMV_BLOCKS_MAX = 4, /* query blocks in one call of apply */
    KMV_STEPS_MAX = 4,
    KMV_SPLIT_PARTS = 3,
    KMV_SPLIT_DIMS = 32,    /* split operands are padded with zeros to a multiple of that */
    KMV_SPLIT_DIMS_MIN = 24 /* with fewer dimensions vectors are as fast, and packing is smaller */
};

/**
 * What a matrix unit that multiplies bfloat16 and adds float adds to a tile. A float is the sum of
 * three bfloat16 parts, exactly; of the nine products of parts the six that float can see are
 * added, smallest first (docs/numerics.md). Exponents are as exact as in several steps, so there is
 * no `steps` here.
 *
 * Split operands: D = d padded to a multiple of KMV_SPLIT_DIMS. A group is KMV_BLOCKS_MAX query
 * blocks, a panel is as for floats; each KMV_SPLIT_PARTS D values per point, in the unit's order,
 * aligned to 64 bytes. Coordinates are finite and below KMV_SPLIT_MAX: no part overflows, and what
 * the unit flushes to zero below 2^-126 changes an exponent by less than 6 D 2^-46.
 */
#define KMV_SPLIT_MAX 0x1p80
typedef struct kmv_split {
    /** Write the parts of one packed block, the at-th of its group, or of one packed panel. */
    void (*queries)(const float *block, size_t d, size_t at, uint16_t *group);
    void (*keys)(const float *panel, size_t d, uint16_t *parts);

    /** kmv_tile.apply for the first `blocks` blocks of a group. */
    void (*apply)(const uint16_t *q, const float *a, size_t blocks, const uint16_t *k,
                  const float *b, const float *w, size_t d, size_t panels, double *y);

    /** Entries of the first `blocks` blocks of a group against consecutive panels:
     *  p[i * ldp + j] = 2^e_ij, j < panels * lanes. */
    void (*entries)(const uint16_t *q, const float *a, size_t blocks, const uint16_t *k,
                    const float *b, size_t d, size_t panels, float *p, size_t ldp);
} kmv_split;

typedef struct kmv_tile {
    const char *name; /* "amx", "avx512", "avx2", "portable" */
    const char
        *vectors; /* the instruction set of its vectors: the name of a tile without matrix unit */
    const char *summary; /* one line: CPU features needed, shape */
    int (*can_run)(void);
    size_t rows;        /* queries per block */
    size_t lanes;       /* keys per panel */
    double exp_rel_err; /* largest relative error of exp2 for e in [-126, 127], see exp_poly.h */

    /**
     * y[i] += sum over `panels` consecutive panels, and their lanes, of 2^e w, for the rows of
     * `blocks` <= KMV_BLOCKS_MAX consecutive packed blocks. q: blocks x [d][rows]; a, y: blocks x
     * [rows]; k: panels x [d][lanes]; b, w: panels x [lanes]. Float within the call, double across
     * calls: the caller bounds `panels`. e <= 60.
     */
    void (*apply)(const float *q, const float *a, size_t blocks, const float *k, const float *b,
                  const float *w, size_t d, size_t steps, size_t panels, double *y);

    /** The exponents of one block against one panel: e[i * lde + j], i < rows, j < lanes. */
    void (*exponents)(const float *q, const float *a, const float *k, const float *b, size_t d,
                      size_t steps, float *e, size_t lde);

    /** The same by differences, for gauss: e_ij = -scale/2 sum_l (q_il / scale - k_jl)^2, where
     *  scale = log2(e) / sigma^2 is what the packing multiplied queries by. Twice the work, no
     *  cancellation; a and b are not used. */
    void (*exponents_by_difference)(const float *q, const float *k, double scale, size_t d,
                                    float *e, size_t lde);

    /** exponents and exp2 in one: p[i * ldp + j] = 2^e_ij. */
    void (*entries)(const float *q, const float *a, const float *k, const float *b, size_t d,
                    size_t steps, float *p, size_t ldp);

    /** v[i] = 2^v[i] in place, v of any alignment; -inf and anything below -126 give 0, 128 and
     * above +inf, NaN stays NaN. */
    void (*exp2)(float *v, size_t n);

    /** y[i] += sum_j p[i * ldp + j] w[j], i < rows, j < count; count a multiple of lanes. */
    void (*row_sums)(const float *p, size_t ldp, const float *w, size_t count, double *y);

    /** y[i * ldx + c] += sum_j p[i * ldp + j] x[j * ldx + c], i < rows, j < count, c < ldx; ldx is
     * a multiple of 16. */
    void (*accumulate)(const float *p, size_t ldp, size_t count, const float *x, size_t ldx,
                       float *y);

    /** v[j] = 2^(v[j] - top), j < n, top the largest of them, 0 where all are -inf; returns the
     * sum. n a multiple of 16, v aligned to 64 bytes. */
    float (*soften)(float *v, size_t n, float *top);

    /** sum[j] += (factor v[j])^2, j < n; n a multiple of 16, v and sum aligned to 64 bytes. */
    void (*add_squares)(const float *v, float factor, size_t n, float *sum);

    /** Independent chains of multiply-adds in registers, `rounds` times; returns how many flops
     *  that was (a multiply-add is 2). The measure of the peak (peak.h). */
    double (*multiply_adds)(size_t rounds);

    const kmv_split *split; /* NULL: no matrix unit */
} kmv_tile;

/** The i-th tile, best first, whether or not this machine runs it; NULL past the end. */
const kmv_tile *kmv_tile_at(size_t i);

/** The best that this machine runs (the portable one always does). */
const kmv_tile *kmv_tile_best(void);

/** The tile of that name; NULL name gives the best. KMV_EINVAL for an unknown name (with the names
 *  there are), for one that this machine cannot run, never a silent other one, and for NULL where
 *  KMV_ISA in the environment is no name. */
kmv_status kmv_tile_select(const char *name, const kmv_tile **tile, kmv_error *err);

#endif

/* gauss/tile.h - contract of the compute kernels ("tiles"), one set of functions per instruction set.
 *
 * All tiles work on base-2 exponents
 *     e_ij = sum_l q_il k_jl + a_i + b_j,   entry = 2^e_ij,
 * with log2(e) / sigma^2 folded into the packed queries and the squared norms into a and b (pack.h).
 * One template body (tile_body.h) is compiled once per instruction set; whether the machine can run
 * it is asked outside of the files compiled with wide vectors, which may use them anywhere.
 */
#ifndef KMV_GAUSS_TILE_H
#define KMV_GAUSS_TILE_H

#include <stddef.h>

#include "kmv.h"

typedef struct kmv_tile {
    const char *name;    /* "avx512", "avx2", "portable" */
    const char *summary; /* one line: CPU features needed, shape */
    int (*can_run)(void);
    size_t rows;        /* queries per block */
    size_t lanes;       /* keys per panel */
    double exp_rel_err; /* largest relative error of exp2 for e in [-126, 0], derived in exp_poly.h */

    /**
     * y[i] += sum over `panels` consecutive panels, and their lanes, of 2^e w, for the `rows` rows
     * of one packed block. q: [d][rows]; a: [rows]; k: panels x [d][lanes]; b, w: panels x [lanes].
     * Float within the call, double across calls: the caller bounds `panels`.
     */
    void (*apply)(const float *q, const float *a, const float *k, const float *b, const float *w,
                  size_t d, size_t panels, double *y);

    /** The exponents of one block against one panel: e[rows][lanes]. */
    void (*exponents)(const float *q, const float *a, const float *k, const float *b, size_t d,
                      float *e);

    /** The same by differences: e_ij = -sum_l (u_il - v_jl)^2 with u and v scaled alike: twice the
     *  work and no cancellation. q and k are packed as for the others; scale is what the packing
     *  multiplied queries by (log2(e) / sigma^2), so that e = -scale/2 sum (q/scale - k)^2. */
    void (*exponents_by_difference)(const float *q, const float *k, double scale, size_t d,
                                    float *e);

    /** v[i] = 2^v[i] in place; -inf and anything below -126 give 0, NaN stays NaN. */
    void (*exp2)(float *v, size_t n);

    /** y[i][c] += sum_j p[i][j] x[j][c], i < rows, j < lanes, c < r: p as exponents writes it,
     *  x float [lanes][ldx] with ldx a multiple of 16 and zero beyond r, y float [rows][ldx]. */
    void (*accumulate)(const float *p, const float *x, size_t ldx, float *y);
} kmv_tile;

/** The i-th tile, best first, whether or not this machine runs it; NULL past the end. */
const kmv_tile *kmv_tile_at(size_t i);

/** The best that this machine runs (the portable one always does). */
const kmv_tile *kmv_tile_best(void);

/** The tile of that name; NULL name gives the best. KMV_EINVAL for an unknown name (with the names
 *  there are) and for one that this machine cannot run: never a silent other one. */
kmv_status kmv_tile_select(const char *name, const kmv_tile **tile, kmv_error *err);

#endif

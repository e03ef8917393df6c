/* gauss/join.h - kernel sums over lists of queries and runs of keys, for methods that bring few
 * keys to each query. Unlike the tiles of tile.h queries are read where they lie, row by row, so
 * that nothing is packed anew for each list; and pairs can be left out, or weighted by how large
 * their entry is, inside of the tile.
 *
 * Exponents are e_ij = sum_l q_il k_jl + a_i + b_j as in tile.h, the products summed in ascending l
 * by one chain each: the same pair has the same bits wherever it is met.
 */
#ifndef KMV_GAUSS_JOIN_H
#define KMV_GAUSS_JOIN_H

#include <stdint.h>

#include "gauss/tile.h"

enum {
    KMV_JOIN_ROWS = 8,     /* no kernel takes more rows at a time */
    KMV_JOIN_WIDTH = 16,   /* nor has wider groups */
    KMV_JOIN_COLUMNS = 16, /* columns of one call */
    KMV_JOIN_BITS = 32,    /* of a code */
    KMV_JOIN_EARLIER = 32  /* codes that a pair can be left out for */
};

/**
 * y[c * rows + i] = sum over keys j of 2^e_ij w_cj, where w is heavy for e_ij > clip, else light.
 * A pair counts only if for every t < earlier the codes differ in a bit of the mask:
 * (key_code[t][j] ^ code[t][i]) & mask[t][i] != 0.
 */
typedef struct {
    size_t d, groups, columns; /* groups of `width` keys, each [d][width]; columns of w */
    const float *q[KMV_JOIN_ROWS];
    float a[KMV_JOIN_ROWS];
    const float *k, *b;         /* aligned to 64 bytes, as are the next two and key_code[t] */
    const float *light, *heavy; /* columns x ldw; heavy is read where clip is finite */
    size_t ldw;                 /* a multiple of width */
    float clip;                 /* +infinity: all light */
    size_t earlier;
    const uint32_t *key_code[KMV_JOIN_EARLIER];
    uint32_t code[KMV_JOIN_EARLIER][KMV_JOIN_ROWS], mask[KMV_JOIN_EARLIER][KMV_JOIN_ROWS];
    float *y;
} kmv_join_call;

typedef struct {
    const char *name;   /* its instruction set, as in kmv_tile.vectors */
    size_t rows, width; /* queries at a time, keys in a group */

    void (*join)(const kmv_join_call *call);

    /** out[i * groups * width + j] = q_i . k_j for `rows` queries q[i]. */
    void (*dots)(const float *const *q, const float *k, size_t groups, size_t d, float *out);

    /** The signs of `bits` <= KMV_JOIN_BITS products (bit l set: product[l] >= 0), and which of
     * them are not among the `wild` smallest in magnitude (compared to 2^-18 relative). Reads
     *  KMV_JOIN_BITS products. */
    void (*signs)(const float *product, size_t bits, size_t wild, uint32_t *code, uint32_t *sure);

    /** One group from `width` rows: k[l * width + s] = row[s][l]. */
    void (*pack)(const float *const *row, size_t d, float *k);
} kmv_join_kernel;

extern const kmv_join_kernel kmv_join_avx512, kmv_join_avx2, kmv_join_portable;

/** The kernel for the instruction set of a tile. */
const kmv_join_kernel *kmv_join_for(const kmv_tile *tile);

#endif

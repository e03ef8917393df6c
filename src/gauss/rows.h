/* gauss/rows.h - one query against a list of keys, for methods whose keys differ from query to
 * query. Points and values are read where they lie, row by row, so that a list costs no packing; a
 * pair costs about one and a half times what it costs in a tile while its rows stay in cache.
 *
 * Rows are floats, aligned to 64 bytes, with a stride `ld` that is a multiple of 16 and zeros in
 * the padding; a list holds numbers of rows, in any order, repeated or not. The bits of a pair
 * depend neither on its place in the list nor on its neighbours there.
 */
#ifndef KMV_GAUSS_ROWS_H
#define KMV_GAUSS_ROWS_H

#include <stdint.h>

#include "gauss/tile.h"

typedef struct {
    const char *name; /* its instruction set, as in kmv_tile.vectors */

    /** out[t] = u . row list[t], t < count. Cost 2 ld flops each. */
    void (*dots)(const float *u, const float *rows, size_t ld, const uint32_t *list, size_t count,
                 float *out);

    /** out[t] = |u - row list[t]|^2, by differences. Cost 3 ld flops each. */
    void (*distances2)(const float *u, const float *rows, size_t ld, const uint32_t *list,
                       size_t count, float *out);

    /** y[c] += sum over t < count of p[t] row_(list[t])c, c < ld; in float, t ascending. y aligned
     *  to 64 bytes. Cost 2 ld flops each. */
    void (*combine)(const float *p, const float *rows, size_t ld, const uint32_t *list,
                    size_t count, float *y);
} kmv_row_kernel;

extern const kmv_row_kernel kmv_row_kernel_avx512, kmv_row_kernel_avx2, kmv_row_kernel_portable;

/** The kernel for the instruction set of a tile's vectors. */
const kmv_row_kernel *kmv_row_kernel_for(const kmv_tile *tile);

#endif

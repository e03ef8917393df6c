/* data/xgen.h - input vectors by kind, the same for `kmv apply` and `kmv run`. */
#ifndef KMV_DATA_XGEN_H
#define KMV_DATA_XGEN_H

#include <stdint.h>

#include "kmv.h"

/** The kinds as help shows them: "ones|gauss|...|FILE:PATH". */
extern const char kmv_x_kinds[];

/** KMV_OK when `kind` is well formed: KMV_EINVAL, with the nearest kind, for an unknown one, or for
 *  sparse:K without an integer K >= 1. Opens no file. */
kmv_status kmv_x_check(const char *kind, kmv_error *err);

/** Whether the kind may hold negative entries ("v" and files: taken to). */
int kmv_x_is_signed(const char *kind);

/** 1 for FILE:PATH. */
int kmv_x_is_file(const char *kind);

/**
 * An input of n rows:
 *   ones       all 1
 *   gauss      independent N(0, 1)
 *   sign       independent +1 or -1
 *   abs-gauss  |N(0, 1)|: one-signed
 *   sparse:K   N(0, 1) in K different places drawn uniformly, else 0; K <= n
 *   spike      N(0, 1), and 1000 sqrt(n) in one place: it carries all but about 1e-6 of |x|^2
 *   zero       all 0
 *   v          the problem's values (n x v_cols; v NULL is an error)
 *   FILE:PATH  a dataset of n rows from an HDF5 file
 * r is 1 except for v and files. x: n x r, row-major, finite, kmv_alloc'ed; equal arguments give
 * equal bits. KMV_EINVAL for a bad kind or a wrong length; what reading a file gives.
 */
kmv_status kmv_x_make(const char *kind, uint64_t seed, size_t n, const double *v, size_t v_cols,
                      size_t *r, double **x, kmv_error *err);

#endif

/* gauss/reference_kernel.h - contract of the float64 inner loops, one set per instruction set. */
#ifndef KMV_GAUSS_REFERENCE_KERNEL_H
#define KMV_GAUSS_REFERENCE_KERNEL_H

#include <stddef.h>

enum { KMV_REFERENCE_LANES = 16 }; /* keys per panel, the same for every instruction set */

typedef struct {
    size_t rows; /* queries per block */

    /** e[rows][LANES] = sum_l (q_l - k_l)^2, or sum_l q_l k_l; q: [d][rows], k: [d][LANES]. */
    void (*distances)(const double *q, const double *k, size_t d, double *e);
    void (*dots)(const double *q, const double *k, size_t d, double *e);

    /** e[i][.] = exp(factor (e[i][.] - shift[i])), i < rows: to 2 ulp of the rounded argument where
     *  that lies in [-708, 0], 0 below; unspecified above 0. */
    void (*exp)(double *e, const double *shift, double factor);

    /** sum[i][j] += e[i][j] w[j], i < rows, j < LANES, with what rounding loses added to rest. */
    void (*add)(const double *e, const double *w, double *sum, double *rest);

    /** sum[i][c] += sum_{j < LANES} e[i][j] x[j][c], i < rows, c < ld, ld a multiple of 8: plain
     *  within the panel, its total added as by `add`. */
    void (*add_columns)(const double *e, const double *x, size_t ld, double *sum, double *rest);
} kmv_reference_kernel;

extern const kmv_reference_kernel kmv_reference_avx512, kmv_reference_avx2, kmv_reference_portable;

#endif

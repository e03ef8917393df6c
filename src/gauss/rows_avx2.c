/* gauss/rows_avx2.c - the row kernel for AVX2 with FMA. */
#include "gauss/vec_avx2_body.h"

#define NAME      kmv_row_kernel_avx2
#define NAME_TEXT "avx2"

#include "gauss/rows_body.h"

/* gauss/rows_avx512.c - the row kernel for AVX-512. */
#include "gauss/vec_avx512_body.h"

#define NAME      kmv_row_kernel_avx512
#define NAME_TEXT "avx512"

#include "gauss/rows_body.h"

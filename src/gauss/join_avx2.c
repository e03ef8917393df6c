/* gauss/join_avx2.c - the join kernel for AVX2: 8 accumulators of 16 registers. */
#include "gauss/vec_avx2_body.h"

#define NAME      kmv_join_avx2
#define NAME_TEXT "avx2"
#define ROWS      4
#define VECS      2

#include "gauss/join_body.h"

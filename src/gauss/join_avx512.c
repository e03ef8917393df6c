/* gauss/join_avx512.c - the join kernel for AVX-512: 24 accumulators of 32 registers. */
#include "gauss/vec_avx512_body.h"

#define NAME      kmv_join_avx512
#define NAME_TEXT "avx512"
#define ROWS      8
#define VECS      3

#include "gauss/join_body.h"

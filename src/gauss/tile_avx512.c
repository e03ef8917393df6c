/* gauss/tile_avx512.c - the tile for AVX-512 (F, DQ, BW, VL): 12 queries x 32 keys, 24 accumulators
 * of 32 registers. Compiled with those features: only reached after tile_table.c asked the CPU. */
#include "gauss/vec_avx512_body.h"

#define VECS 3
#define ROWS 8

#include "gauss/tile_body.h"

int kmv_tile_runs_avx512(void);

const kmv_tile kmv_tile_avx512 = {
    .name = "avx512",
    .summary = "AVX-512 F, DQ, BW, VL: 8 queries x 48 keys",
    .can_run = kmv_tile_runs_avx512,
    TILE_FUNCTIONS,
};

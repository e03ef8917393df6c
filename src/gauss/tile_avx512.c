/* gauss/tile_avx512.c - the tile for AVX-512 (F, DQ, BW, VL): 8 queries x 48 keys, 24 accumulators
 * of 32 registers; and the one that adds to it the matrix unit (tile_amx.c). Compiled with those
 * features: only reached after tile_table.c asked the CPU. */
#include "gauss/vec_avx512_body.h"

#define VECS 3
#define ROWS 8

#include "gauss/tile_body.h"

int kmv_tile_runs_avx512(void);
int kmv_tile_runs_amx(void);
extern const kmv_split kmv_split_amx;

const kmv_tile kmv_tile_avx512 = {
    .name = "avx512",
    .vectors = "avx512",
    .summary = "AVX-512 F, DQ, BW, VL: 8 queries x 48 keys",
    .can_run = kmv_tile_runs_avx512,
    TILE_FUNCTIONS,
};

const kmv_tile kmv_tile_amx = {
    .name = "amx",
    .vectors = "avx512",
    .summary =
        "AVX-512 and AMX-BF16, leave to use it: 32 queries x 48 keys, 3 bfloat16 parts a float",
    .can_run = kmv_tile_runs_amx,
    .split = &kmv_split_amx,
    TILE_FUNCTIONS,
};

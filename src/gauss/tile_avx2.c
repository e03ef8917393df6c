/* gauss/tile_avx2.c - the tile for AVX2 with FMA: 6 queries x 16 keys, 12 accumulators of 16
 * registers. Compiled with those features: only reached after tile_table.c asked the CPU. */
#include "gauss/vec_avx2_body.h"

#define VECS 2
#define ROWS 6

#include "gauss/tile_body.h"

int kmv_tile_runs_avx2(void);

const kmv_tile kmv_tile_avx2 = {
    .name = "avx2",
    .vectors = "avx2",
    .summary = "AVX2 and FMA: 6 queries x 16 keys",
    .can_run = kmv_tile_runs_avx2,
    TILE_FUNCTIONS,
};

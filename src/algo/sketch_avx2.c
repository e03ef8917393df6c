/* algo/sketch_avx2.c - sketches with AVX2 and the popcnt instruction. */
#include "algo/sketch_body.h"

int kmv_sketch_runs_avx2(void);

const kmv_sketch_isa kmv_sketch_avx2 = {
    .name = "avx2", .can_run = kmv_sketch_runs_avx2, SKETCH_FUNCTIONS};

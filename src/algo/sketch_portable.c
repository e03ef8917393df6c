/* algo/sketch_portable.c - sketches on any CPU. */
#include "algo/sketch_body.h"

int kmv_sketch_runs_portable(void);

const kmv_sketch_isa kmv_sketch_portable = {
    .name = "portable", .can_run = kmv_sketch_runs_portable, SKETCH_FUNCTIONS};

/* gauss/tile_portable.c - the tile for any CPU: generic vectors of 4 floats, which the compiler
 * maps to whatever there is; 4 queries x 8 keys. Multiply and add are separate, since a fused
 * operation without hardware for it is a slow library call. */
#include "gauss/vec_portable_body.h"

#define VECS 2
#define ROWS 4

#include "gauss/tile_body.h"

int kmv_tile_runs_portable(void);

const kmv_tile kmv_tile_portable = {
    .name = "portable",
    .vectors = "portable",
    .summary = "any CPU: 4 queries x 8 keys, vectors of 4",
    .can_run = kmv_tile_runs_portable,
    TILE_FUNCTIONS,
};

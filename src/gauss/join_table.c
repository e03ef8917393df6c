/* gauss/join_table.c - which join kernel goes with which tile. Compiled for any CPU. */
#include <string.h>

#include "gauss/join.h"

static const kmv_join_kernel *const table[] = {
#if defined(__x86_64__)
    &kmv_join_avx512,
    &kmv_join_avx2,
#endif
    &kmv_join_portable,
};

enum { COUNT = sizeof table / sizeof *table };

const kmv_join_kernel *kmv_join_for(const kmv_tile *tile)
{
    const kmv_tile *same;

    for (size_t i = 0; i < COUNT; i++) {
        if (strcmp(tile->name, table[i]->name) == 0)
            return table[i];
    }
    /* A tile of an instruction set that has no kernel here: the best that runs beside it. */
    for (size_t i = 0; i + 1 < COUNT; i++) {
        if (kmv_tile_select(table[i]->name, &same, NULL) == KMV_OK)
            return table[i];
    }
    return &kmv_join_portable;
}

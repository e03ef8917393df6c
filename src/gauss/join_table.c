/* gauss/join_table.c - which join kernel goes with which tile. Compiled for any CPU. */
#include <string.h>

#include "gauss/join.h"

static const kmv_join_kernel *const table[] = {
#if defined(__x86_64__)
    &kmv_join_avx512,
    &kmv_join_avx2,
#endif
};

const kmv_join_kernel *kmv_join_for(const kmv_tile *tile)
{
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        if (strcmp(tile->vectors, table[i]->name) == 0)
            return table[i];
    }
    return &kmv_join_portable;
}

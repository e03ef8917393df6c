/* gauss/rows_table.c - which row kernel goes with which tile. Compiled for any CPU. */
#include <string.h>

#include "gauss/rows.h"

static const kmv_row_kernel *const table[] = {
#if defined(__x86_64__)
    &kmv_row_kernel_avx512,
    &kmv_row_kernel_avx2,
#endif
    &kmv_row_kernel_portable,
};

const kmv_row_kernel *kmv_row_kernel_for(const kmv_tile *tile)
{
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        if (strcmp(tile->vectors, table[i]->name) == 0)
            return table[i];
    }
    return &kmv_row_kernel_portable; /* runs everywhere */
}

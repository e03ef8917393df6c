/* gauss/attend_table.c - which unit does attention on a tile. Compiled for any CPU. */
#include "gauss/attend_units.h"

kmv_attend_unit kmv_attend_unit_of(const kmv_tile *tile, size_t d)
{
#if defined(__x86_64__)
    if (tile->split != NULL && d >= KMV_SPLIT_DIMS_MIN)
        return kmv_attend_unit_amx(tile);
#endif
    (void)d;
    return kmv_attend_unit_float(tile);
}

/* algo/feature_loops.c - see feature_loops.h. */
#include "algo/feature_loops.h"

#include <string.h>

extern const kmv_feature_loops kmv_feature_loops_avx512, kmv_feature_loops_avx2,
    kmv_feature_loops_portable;

const kmv_feature_loops *kmv_feature_loops_for(const kmv_tile *tile)
{
    static const kmv_feature_loops *const table[] = {
        &kmv_feature_loops_avx512,
        &kmv_feature_loops_avx2,
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        if (strcmp(table[i]->vectors, tile->vectors) == 0)
            return table[i];
    }
    return &kmv_feature_loops_portable;
}

/* gauss/tile_table.c - the list of tiles, and which of them this machine runs. Compiled for any
 * CPU: the question is asked here, outside of the files that may use wide vectors anywhere. */
#include <stdio.h>
#include <string.h>

#include "base/cpu.h"
#include "base/status.h"
#include "gauss/tile.h"

extern const kmv_tile kmv_tile_amx, kmv_tile_avx512, kmv_tile_avx2, kmv_tile_portable;
int kmv_tile_runs_amx(void);
int kmv_tile_runs_avx512(void);
int kmv_tile_runs_avx2(void);
int kmv_tile_runs_portable(void);

static const kmv_tile *const table[] = {
#if defined(__x86_64__)
    &kmv_tile_amx,
    &kmv_tile_avx512,
    &kmv_tile_avx2,
#endif
    &kmv_tile_portable,
};

enum { COUNT = sizeof table / sizeof *table };

#if defined(__x86_64__)
int kmv_tile_runs_avx512(void)
{
    return kmv_cpu_runs(KMV_CPU_AVX512);
}

int kmv_tile_runs_amx(void)
{
    return kmv_cpu_runs(KMV_CPU_AMX);
}

int kmv_tile_runs_avx2(void)
{
    return kmv_cpu_runs(KMV_CPU_AVX2);
}
#endif

int kmv_tile_runs_portable(void)
{
    return 1;
}

const kmv_tile *kmv_tile_at(size_t i)
{
    return i < COUNT ? table[i] : NULL;
}

const kmv_tile *kmv_tile_best(void)
{
    size_t i = 0;

    while (!table[i]->can_run())
        i++;
    return table[i];
}

kmv_status kmv_tile_select(const char *name, const kmv_tile **tile, kmv_error *err)
{
    char names[256];
    size_t used = 0;

    if (name == NULL) {
        const kmv_status st = kmv_cpu_check(err);

        if (st == KMV_OK)
            *tile = kmv_tile_best();
        return st;
    }
    for (size_t i = 0; i < COUNT; i++) {
        if (strcmp(table[i]->name, name) != 0) {
            used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", i > 0 ? ", " : "",
                                     table[i]->name);
            continue;
        }
        if (!table[i]->can_run())
            return kmv_fail(err, KMV_EINVAL, "isa: this machine cannot run '%s' (%s)", name,
                            table[i]->summary);
        *tile = table[i];
        return KMV_OK;
    }
    return kmv_fail(err, KMV_EINVAL, "isa: want one of %s, got '%s'", names, name);
}

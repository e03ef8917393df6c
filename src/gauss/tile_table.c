/* gauss/tile_table.c - the list of tiles, and which of them this machine runs. Compiled for any
 * CPU: the question is asked here, outside of the files that may use wide vectors anywhere. */
#include <stdio.h>
#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

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
/* __builtin_cpu_supports also asks whether the system saves the wide registers. */
int kmv_tile_runs_avx512(void)
{
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("fma");
}

/* The matrix unit: the CPU has it, the system saves its registers, and Linux gives this process
 * leave to use them (asked for once or often is the same; threads and children inherit it). */
int kmv_tile_runs_amx(void)
{
    enum { REQUEST_PERMISSION = 0x1023, TILE_DATA = 18, SAVED = 3 << 17 };
    unsigned a, b, c, d, saved_low, saved_high;

    if (!kmv_tile_runs_avx512() || !__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE))
        return 0;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(d & 1u << 22) || !(d & 1u << 24))
        return 0; /* AMX-BF16, AMX-TILE */
    if (!__get_cpuid_count(7, 1, &a, &b, &c, &d) || !(a & 1u << 5))
        return 0; /* AVX512-BF16, which rounds what the unit multiplies */
    __asm__("xgetbv" : "=a"(saved_low), "=d"(saved_high) : "c"(0));
    return (saved_low & SAVED) == SAVED &&
           syscall(SYS_arch_prctl, REQUEST_PERMISSION, TILE_DATA) == 0;
}

int kmv_tile_runs_avx2(void)
{
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
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
        *tile = kmv_tile_best();
        return KMV_OK;
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

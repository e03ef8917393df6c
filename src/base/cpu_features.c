/* base/cpu_features.c - see cpu_features.h. Compiled for any CPU. */
#include "base/cpu_features.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The matrix unit; Linux gives this process leave to use its registers (asked for once or often is
 * the same; threads and children inherit it). */
static int has_amx(void)
{
    enum { REQUEST_PERMISSION = 0x1023, TILE_DATA = 18, SAVED = 3 << 17 };
    unsigned a, b, c, d, saved_low, saved_high;

    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE))
        return 0;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(d & 1u << 22) || !(d & 1u << 24))
        return 0; /* AMX-BF16, AMX-TILE */
    if (!__get_cpuid_count(7, 1, &a, &b, &c, &d) || !(a & 1u << 5))
        return 0; /* AVX512-BF16, which rounds what the unit multiplies */
    __asm__("xgetbv" : "=a"(saved_low), "=d"(saved_high) : "c"(0));
    return (saved_low & SAVED) == SAVED &&
           syscall(SYS_arch_prctl, REQUEST_PERMISSION, TILE_DATA) == 0;
}

/* __builtin_cpu_supports also asks whether the system saves the wide registers. */
void kmv_cpu_features(int has[KMV_CPU_COUNT], int counts[KMV_CPU_COUNT])
{
    __builtin_cpu_init();
    has[KMV_CPU_AVX2] = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    has[KMV_CPU_AVX512] = has[KMV_CPU_AVX2] && __builtin_cpu_supports("avx512f") &&
                          __builtin_cpu_supports("avx512dq") &&
                          __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
    has[KMV_CPU_AMX] = has[KMV_CPU_AVX512] && has_amx();
    counts[KMV_CPU_AVX2] = has[KMV_CPU_AVX2] && __builtin_cpu_supports("popcnt");
    counts[KMV_CPU_AVX512] = has[KMV_CPU_AVX512] && counts[KMV_CPU_AVX2] &&
                             __builtin_cpu_supports("avx512vpopcntdq") &&
                             __builtin_cpu_supports("bmi2");
    counts[KMV_CPU_AMX] = has[KMV_CPU_AMX] && counts[KMV_CPU_AVX512];
}
#else
void kmv_cpu_features(int has[KMV_CPU_COUNT], int counts[KMV_CPU_COUNT])
{
    (void)has;
    (void)counts;
}
#endif

/* base/cpu.c - see cpu.h. Compiled for any CPU. */
#include "base/cpu.h"

#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include "base/status.h"

enum { COUNT = KMV_CPU_AMX + 1, BITS = COUNT, KNOWN = 2 * COUNT }; /* bits of an answer */

const char *kmv_cpu_at(size_t isa)
{
    static const char *const names[COUNT] = {"portable", "avx2", "avx512", "amx"};

    return isa < COUNT ? names[isa] : NULL;
}

/* What KMV_ISA leaves, COUNT - 1 without it; COUNT for a name that there is not. */
static int most(void)
{
    const char *name = getenv("KMV_ISA");
    int isa = 0;

    if (name == NULL || name[0] == '\0')
        return COUNT - 1;
    while (isa < COUNT && strcmp(name, kmv_cpu_at((size_t)isa)) != 0)
        isa++;
    return isa;
}

kmv_status kmv_cpu_check(kmv_error *err)
{
    if (most() < COUNT)
        return KMV_OK;
    return kmv_fail(err, KMV_EINVAL,
                    "KMV_ISA in the environment: want portable, avx2, avx512 or amx, got '%s'",
                    getenv("KMV_ISA"));
}

#if defined(__x86_64__)
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
static void ask(int has[COUNT], int counts[COUNT])
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
static void ask(int has[COUNT], int counts[COUNT])
{
    (void)has;
    (void)counts;
}
#endif

/* Asking takes 60 us in a virtual machine. Threads that ask at once find the same. */
static unsigned answer(void)
{
    static _Atomic unsigned known;
    unsigned bits = known;

    if (bits == 0) {
        int has[COUNT] = {1}, counts[COUNT] = {1};
        const int last = most() < COUNT ? most() : COUNT - 1;

        ask(has, counts);
        bits = 1u << KNOWN;
        for (int i = 0; i <= last; i++)
            bits |= (has[i] ? 1u << i : 0) | (counts[i] ? 1u << (BITS + i) : 0);
        known = bits;
    }
    return bits;
}

int kmv_cpu_runs(kmv_cpu isa)
{
    return (int)(answer() >> isa) & 1;
}

int kmv_cpu_counts_bits(kmv_cpu isa)
{
    return (int)(answer() >> (BITS + (unsigned)isa)) & 1;
}

/* base/cpu.c - see cpu.h. Compiled for any CPU. */
#include "base/cpu.h"

#include <stdlib.h>
#include <string.h>

#include "base/cpu_features.h"
#include "base/status.h"

enum { COUNT = KMV_CPU_COUNT, BITS = COUNT, KNOWN = 2 * COUNT }; /* bits of an answer */

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

/* Asking takes 60 us in a virtual machine. Threads that ask at once find the same. */
static unsigned answer(void)
{
    static _Atomic unsigned known;
    unsigned bits = known;

    if (bits == 0) {
        int has[COUNT] = {1}, counts[COUNT] = {1};
        const int last = most() < COUNT ? most() : COUNT - 1;

        kmv_cpu_features(has, counts);
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

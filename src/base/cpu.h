/* base/cpu.h - which vector instructions this machine runs: asked in one place, and once. */
#ifndef KMV_BASE_CPU_H
#define KMV_BASE_CPU_H

#include "kmv.h"

/** Each with all that the ones before have. */
typedef enum {
    KMV_CPU_PORTABLE,
    KMV_CPU_AVX2,   /* with FMA */
    KMV_CPU_AVX512, /* F, DQ, BW, VL */
    KMV_CPU_AMX,    /* tiles of bfloat16, AVX512-BF16; Linux, which gives each process leave */
    KMV_CPU_COUNT
} kmv_cpu;

/** Whether the CPU has it, the system saves its registers, and the environment does not hide it:
 *  with KMV_ISA=avx2 (a name as of kmv_cpu_at) the machine counts as one without more. The
 *  environment is read at the first question. */
int kmv_cpu_runs(kmv_cpu isa);

/** The same, and the instruction that counts the bits of a word (AVX-512: of eight words). */
int kmv_cpu_counts_bits(kmv_cpu isa);

/** "portable", "avx2", "avx512", "amx"; NULL beyond. */
const char *kmv_cpu_at(size_t isa);

/** KMV_EINVAL where KMV_ISA is set to something else; it then hides nothing. */
kmv_status kmv_cpu_check(kmv_error *err);

#endif

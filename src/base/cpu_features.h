/* base/cpu_features.h - what the CPU and the system say of themselves; cpu.h is who asks. */
#ifndef KMV_BASE_CPU_FEATURES_H
#define KMV_BASE_CPU_FEATURES_H

#include "base/cpu.h"

/** has[isa], counts[isa] (the instruction that counts bits) set to 1 where they run here; others
 * are left as they are. */
void kmv_cpu_features(int has[KMV_CPU_COUNT], int counts[KMV_CPU_COUNT]);

#endif

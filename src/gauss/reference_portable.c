/* gauss/reference_portable.c - float64 loops in pairs, which every 64-bit machine has; products are
 * rounded before they are added. */
#define NAME         kmv_reference_portable
#define VECTOR_BYTES 16
#define ROWS         1
#define FMA(a, b, c) ((a) * (b) + (c))

#include "gauss/reference_body.h"

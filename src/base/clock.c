/* base/clock.c - see clock.h. */
#include "base/clock.h"

#include <stddef.h>
#include <time.h>

static double (*replacement)(void);

double kmv_now_s(void)
{
    struct timespec t;

    if (replacement != NULL)
        return replacement();
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void kmv_clock_set(double (*source)(void))
{
    replacement = source;
}

/* base/clock.h - monotonic time, which tests can replace. */
#ifndef KMV_BASE_CLOCK_H
#define KMV_BASE_CLOCK_H

/** Seconds since an arbitrary fixed moment; never goes back. */
double kmv_now_s(void);

/** Let kmv_now_s return source() from now on (tests); NULL restores the machine's clock. */
void kmv_clock_set(double (*source)(void));

#endif

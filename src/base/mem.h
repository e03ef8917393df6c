/* base/mem.h - aligned, overflow-checked, counted memory. Every array that grows with n, d or r
 * comes from here; small strings and structs of fixed size may use malloc. */
#ifndef KMV_BASE_MEM_H
#define KMV_BASE_MEM_H

#include <stddef.h>

#include "kmv.h"

#define KMV_ALIGN 64 /* bytes: one cache line, one AVX-512 register */

/** count * size zeroed bytes, aligned to KMV_ALIGN; NULL when the product overflows or memory is
 *  short, with err set to how much was wanted for `what`. count = 0 gives a valid pointer. */
void *kmv_alloc(size_t count, size_t size, const char *what, kmv_error *err);

/** The same without zeroing, for large arrays that are written before they are read: their pages
 * are then first touched by the threads that fill them. */
void *kmv_alloc_raw(size_t count, size_t size, const char *what, kmv_error *err);

/** Free what kmv_alloc or kmv_alloc_raw gave; NULL is harmless. */
void kmv_free(void *p);

/** Bytes held now, the most held since the last kmv_mem_reset_peak, calls to either so far. */
size_t kmv_mem_current(void);
size_t kmv_mem_peak(void);
size_t kmv_mem_calls(void);

/** Let the peak start again from what is held now. */
void kmv_mem_reset_peak(void);

/** Smallest multiple of step (a power of two) that is >= n; n near SIZE_MAX gives 0. */
size_t kmv_round_up(size_t n, size_t step);

#endif

/* base/mem.c - see mem.h. */
#include "base/mem.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/status.h"

/* Blocks from here on stand on huge pages where the system has them to give: plans fill megabytes
 * once, and touching 4 KiB pages for the first time took a quarter of that time. */
enum { HUGE_FROM = 1 << 24, HUGE_PAGE = 2 << 20 };

/* The size stands in front of the block, so that freeing needs no table; it takes a whole aligned
 * slot to keep the block itself aligned. */
typedef union {
    size_t bytes;
    unsigned char slot[KMV_ALIGN];
} header;

static _Atomic size_t current, peak, calls;

static header *take_block(size_t bytes)
{
    const size_t align = bytes < HUGE_FROM ? KMV_ALIGN : HUGE_PAGE;
    const size_t total = kmv_round_up(bytes + sizeof(header), align);
    header *h = total > 0 ? aligned_alloc(align, total) : NULL;

    if (h != NULL && align == HUGE_PAGE)
        madvise(h, total, MADV_HUGEPAGE); /* advice: it may be declined */
    return h;
}

void *kmv_alloc_raw(size_t count, size_t size, const char *what, kmv_error *err)
{
    size_t bytes, held, seen;
    header *h;

    if (size != 0 && count > (SIZE_MAX / 2) / size) {
        kmv_fail(err, KMV_ENOMEM, "%s: %zu x %zu bytes overflow", what, count, size);
        return NULL;
    }
    bytes = count * size;
    if ((h = take_block(bytes)) == NULL) {
        kmv_fail(err, KMV_ENOMEM, "%s: no memory for %zu bytes", what, bytes);
        return NULL;
    }
    h->bytes = bytes;
    atomic_fetch_add(&calls, 1);
    held = atomic_fetch_add(&current, bytes) + bytes;
    seen = atomic_load(&peak);
    while (held > seen && !atomic_compare_exchange_weak(&peak, &seen, held))
        ;
    return h + 1;
}

void *kmv_alloc(size_t count, size_t size, const char *what, kmv_error *err)
{
    void *p = kmv_alloc_raw(count, size, what, err);

    return p != NULL ? memset(p, 0, kmv_round_up(count * size, KMV_ALIGN)) : NULL;
}

void kmv_free(void *p)
{
    header *h;

    if (p == NULL)
        return;
    h = (header *)p - 1;
    atomic_fetch_sub(&current, h->bytes);
    free(h);
}

size_t kmv_mem_current(void)
{
    return atomic_load(&current);
}

size_t kmv_mem_peak(void)
{
    return atomic_load(&peak);
}

size_t kmv_mem_calls(void)
{
    return atomic_load(&calls);
}

void kmv_mem_reset_peak(void)
{
    atomic_store(&peak, atomic_load(&current));
}

size_t kmv_round_up(size_t n, size_t step)
{
    return n > SIZE_MAX - (step - 1) ? 0 : (n + step - 1) & ~(step - 1);
}

/* algo/partition.c - see partition.h. */
#include "algo/partition.h"

#include <string.h>

#include "base/mem.h"

uint32_t kmv_partition_cell(const kmv_partition *p, uint64_t word)
{
    uint32_t cell = 0;

    for (size_t b = 0; b < p->bits; b++)
        cell |= (uint32_t)((word >> p->bit[b]) & 1) << b;
    return cell;
}

kmv_status kmv_partition_init(kmv_partition *p, const uint64_t *words, size_t n,
                              const unsigned char *bit, size_t bits, kmv_error *err)
{
    kmv_partition out = {.n = n, .bits = bits, .cells = (size_t)1 << bits};

    memcpy(out.bit, bit, bits);
    if ((out.start = kmv_alloc(out.cells + 1, sizeof *out.start, "cells", err)) == NULL ||
        (out.key = kmv_alloc(n, sizeof *out.key, "keys by cell", err)) == NULL ||
        (out.word = kmv_alloc(n + KMV_SKETCH_BEYOND, sizeof *out.word, "sketches by cell", err)) ==
            NULL) {
        kmv_partition_clear(&out);
        return KMV_ENOMEM;
    }
    for (size_t j = 0; j < n; j++)
        out.start[kmv_partition_cell(&out, words[j])]++;
    /* Sums give where each cell ends; filling from the back moves them to where it begins. */
    for (size_t c = 1; c <= out.cells; c++)
        out.start[c] += out.start[c - 1];
    for (size_t j = n; j-- > 0;) {
        const uint32_t slot = --out.start[kmv_partition_cell(&out, words[j])];

        out.key[slot] = (uint32_t)j;
        out.word[slot] = words[j];
    }
    *p = out;
    return KMV_OK;
}

void kmv_partition_clear(kmv_partition *p)
{
    if (p == NULL)
        return;
    kmv_free(p->start);
    kmv_free(p->key);
    kmv_free(p->word);
    *p = (kmv_partition){0};
}

size_t kmv_partition_near(const kmv_partition *p, uint32_t own, const float *margin2, float radius,
                          size_t most, uint32_t *cell, float *cost)
{
    unsigned char order[KMV_CELL_BITS_MAX];
    size_t count = 1, usable = 0;

    for (size_t b = 0; b < p->bits; b++) { /* insertion sort of the planes within reach */
        size_t at = usable;

        if (!(margin2[b] <= radius))
            continue;
        for (; at > 0 && margin2[order[at - 1]] > margin2[b]; at--)
            order[at] = order[at - 1];
        order[at] = (unsigned char)b;
        usable++;
    }
    cell[0] = own;
    cost[0] = 0;
    for (size_t u = 0; u < usable; u++) {
        const float step = margin2[order[u]];
        const uint32_t flip = (uint32_t)1 << order[u];
        const size_t before = count;

        for (size_t c = 0; c < before && count < most; c++) {
            cell[count] = cell[c] ^ flip;
            cost[count] = cost[c] + step;
            count += cost[c] + step <= radius;
        }
    }
    return count;
}

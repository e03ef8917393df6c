/* algo/euclid_hash.c - see euclid_hash.h. */
#include "algo/euclid_hash.h"

#include <gsl/gsl_randist.h>
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"

enum { COLUMNS_STEP = 8 };

double kmv_euclid_collision(double r, double width)
{
    const double c = width / r;

    if (!(r > 0) || isinf(c))
        return 1;
    return erf(c * M_SQRT1_2) + sqrt(2 / M_PI) * expm1(-c * c / 2) / c;
}

kmv_status kmv_euclid_hash_init(kmv_euclid_hash *h, size_t hashes, double width, size_t ld,
                                kmv_error *err)
{
    kmv_euclid_hash out = {
        .hashes = hashes, .columns = kmv_round_up(hashes, COLUMNS_STEP), .ld = ld, .width = width};

    out.directions = kmv_alloc(ld, out.columns * sizeof *out.directions, "hash functions", err);
    if (out.directions == NULL || (out.rng = kmv_rng_create(0, err)) == NULL) {
        kmv_euclid_hash_clear(&out);
        return KMV_ENOMEM;
    }
    *h = out;
    return KMV_OK;
}

void kmv_euclid_hash_clear(kmv_euclid_hash *h)
{
    if (h == NULL)
        return;
    if (h->rng != NULL)
        gsl_rng_free(h->rng);
    kmv_free(h->directions);
    *h = (kmv_euclid_hash){0};
}

void kmv_euclid_hash_draw(kmv_euclid_hash *h, size_t d, uint64_t key)
{
    kmv_rng_restart(h->rng, key);
    for (size_t m = 0; m < h->hashes; m++)
        h->shift[m] = (float)gsl_rng_uniform(h->rng);
    for (size_t l = 0; l < d; l++) {
        for (size_t m = 0; m < h->hashes; m++)
            h->directions[l * h->columns + m] =
                (float)(gsl_ran_gaussian_ziggurat(h->rng, 1) / h->width);
    }
}

uint64_t kmv_euclid_hash_cell(const kmv_euclid_hash *h, const float *shift, const float *product)
{
    uint64_t code = 0;

    for (size_t m = 0; m < h->hashes; m++) {
        /* The float itself names the cell: it may lie beyond any integer type. */
        const float cell = floorf(product[m] + shift[m]) + 0.0f; /* no negative zero */
        uint32_t bits;

        memcpy(&bits, &cell, sizeof bits);
        /* Finaliser of splitmix64 (Steele, Lea & Flood 2014) over a running sum. */
        code += bits + 0x9e3779b97f4a7c15u;
        code = (code ^ (code >> 30)) * 0xbf58476d1ce4e5b9u;
        code = (code ^ (code >> 27)) * 0x94d049bb133111ebu;
        code ^= code >> 31;
    }
    return code;
}

uint64_t kmv_euclid_hash_code(const kmv_euclid_hash *h, const float *u)
{
    float place[KMV_HASHES_MAX];

    for (size_t c = 0; c < h->columns; c += COLUMNS_STEP) {
        float part[COLUMNS_STEP] = {0}; /* a fixed number, so that they stay in registers */

        for (size_t l = 0; l < h->ld; l++) {
            for (size_t m = 0; m < COLUMNS_STEP; m++)
                part[m] += u[l] * h->directions[l * h->columns + c + m];
        }
        memcpy(place + c, part, sizeof part);
    }
    return kmv_euclid_hash_cell(h, h->shift, place);
}

kmv_status kmv_cells_init(kmv_cells *c, size_t capacity, kmv_error *err)
{
    kmv_cells out = {.capacity = capacity, .slots = 2};

    while (out.slots < 2 * capacity)
        out.slots *= 2;
    if ((out.code = kmv_alloc(out.slots, sizeof *out.code, "codes of cells", err)) == NULL ||
        (out.first = kmv_alloc(out.slots, sizeof *out.first, "cells", err)) == NULL ||
        (out.count = kmv_alloc(out.slots, sizeof *out.count, "cells", err)) == NULL ||
        (out.slot = kmv_alloc(capacity, sizeof *out.slot, "cells", err)) == NULL ||
        (out.item = kmv_alloc(capacity, sizeof *out.item, "cells", err)) == NULL) {
        kmv_cells_clear(&out);
        return KMV_ENOMEM;
    }
    *c = out;
    return KMV_OK;
}

void kmv_cells_clear(kmv_cells *c)
{
    if (c == NULL)
        return;
    kmv_free(c->code);
    kmv_free(c->first);
    kmv_free(c->count);
    kmv_free(c->slot);
    kmv_free(c->item);
    *c = (kmv_cells){0};
}

/* The slot that holds this code, or the empty one where it belongs. */
static size_t slot_of(const kmv_cells *c, uint64_t code)
{
    size_t slot = code & (c->slots - 1);

    while (c->count[slot] > 0 && c->code[slot] != code)
        slot = (slot + 1) & (c->slots - 1);
    return slot;
}

void kmv_cells_build(kmv_cells *c, const uint64_t *codes, size_t n)
{
    uint32_t before = 0;

    memset(c->count, 0, c->slots * sizeof *c->count);
    for (size_t t = 0; t < n; t++) {
        const size_t slot = slot_of(c, codes[t]);

        c->code[slot] = codes[t];
        c->count[slot]++;
        c->slot[t] = (uint32_t)slot;
    }
    for (size_t slot = 0; slot < c->slots; slot++) {
        c->first[slot] = before;
        before += c->count[slot];
    }
    for (size_t t = n; t-- > 0;) /* from behind: ends of groups move to their starts */
        c->item[c->first[c->slot[t]] + --c->count[c->slot[t]]] = (uint32_t)t;
    for (size_t t = 0; t < n; t++)
        c->count[c->slot[t]]++;
}

size_t kmv_cells_find(const kmv_cells *c, uint64_t code, const uint32_t **items)
{
    const size_t slot = slot_of(c, code);

    *items = c->item + c->first[slot];
    return c->count[slot];
}

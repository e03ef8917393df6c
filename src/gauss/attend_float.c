/* gauss/attend_float.c - attention by the float functions of a tile: blocks of KMV_BLOCKS_MAX of
 * its query blocks, leaves of the panels that make up 32 keys or more. Layouts as in tile.h; values
 * are rows of floats. `parts` changes nothing. */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "gauss/attend_units.h"

enum {
    KEYS_LEAST = 32,
    CHUNK = 16,    /* coordinates packed at a time; points are padded to as many */
    ENTRY_LD = 192 /* entries a row kept between exponentials and values */
};

static size_t query_size(const kmv_attend_unit *u, size_t d, int parts)
{
    (void)parts;
    return kmv_round_up(u->rows * d * sizeof(float), 64);
}

static size_t key_size(const kmv_attend_unit *u, size_t d, int parts)
{
    (void)parts;
    return u->keys * d * sizeof(float);
}

static size_t value_size(const kmv_attend_unit *u, size_t ld, int parts)
{
    (void)parts;
    return u->keys * ld * sizeof(float);
}

/* One point into a column of a panel; returns its offset. Whole chunks of coordinates, of which
 * those beyond d are zero: vectors compute them and what they add to the offset. */
static float pack_point(const kmv_attend_points *p, size_t m, size_t width, float *out)
{
    const float *row = p->x + (p->which != NULL ? p->which[m] : p->first + m) * p->ld;
    const float *along = p->along != NULL ? p->along : p->shift; /* not looked at */
    float norm2[CHUNK] = {0}, dot[CHUNK] = {0};
    double of_norm = 0, offset = 0;

    for (size_t first = 0; first < p->d; first += CHUNK) {
        const size_t count = p->d - first < CHUNK ? p->d - first : CHUNK;
        float values[CHUNK];

        for (size_t l = 0; l < CHUNK; l++) {
            values[l] = p->factor * (row[first + l] + p->shift[first + l]);
            norm2[l] += values[l] * values[l];
            dot[l] += values[l] * along[first + l];
        }
        for (size_t l = 0; l < count; l++)
            out[(first + l) * width] = values[l];
    }
    for (size_t l = 0; l < CHUNK; l++) {
        of_norm += (double)norm2[l];
        offset += (double)dot[l];
    }
    offset = p->along != NULL ? offset / (double)p->factor : 0;
    if (p->square != 0) /* else a wide kernel's factor would divide zero by zero */
        offset += (double)p->square * of_norm / ((double)p->factor * (double)p->factor);
    return (float)offset;
}

static void pack(const kmv_attend_points *p, size_t count, size_t slots, size_t width, float empty,
                 float *out, float *offset)
{
    if (count < slots)
        memset(out, 0, slots * p->d * sizeof *out);
    for (size_t m = 0; m < slots; m++)
        offset[m] =
            m < count ? pack_point(p, m, width, out + m / width * width * p->d + m % width) : empty;
}

static void pack_queries(const kmv_attend_unit *u, const kmv_attend_points *p, size_t count,
                         int parts, void *block, float *offset)
{
    (void)parts;
    pack(p, count, u->rows, u->tile->rows, 0, block, offset);
}

static void pack_keys(const kmv_attend_unit *u, const kmv_attend_points *p, size_t count, int parts,
                      void *leaf, float *offset)
{
    (void)parts;
    pack(p, count, u->keys, u->tile->lanes, -INFINITY, leaf, offset);
}

static double pack_values(const kmv_attend_unit *u, const double *x, size_t r, size_t first,
                          const size_t *which, size_t count, const double *shift, double factor,
                          size_t ld, int parts, void *leaf, float *square)
{
    float *out = leaf;
    double norm2 = 0;

    (void)parts;
    if (count < u->keys)
        memset(out + count * ld, 0, (u->keys - count) * ld * sizeof *out);
    for (size_t j = 0; j < count; j++, out += ld) {
        const double *row = x + (which != NULL ? which[j] : first + j) * r;
        double off = 0;

#pragma omp simd reduction(+ : norm2, off)
        for (size_t c = 0; c < r; c++) {
            const double v = factor * row[c], w = v - factor * shift[c];

            out[c] = (float)w;
            norm2 += v * v;
            off += w * w;
        }
        memset(out + r, 0, (ld - r) * sizeof *out);
        square[j] = (float)off;
    }
    return norm2;
}

static void exponents(const kmv_attend_unit *u, const void *block, const float *a, const void *keys,
                      const float *b, size_t count, size_t d, int parts, float *e, size_t lde)
{
    static const float zero[KMV_ROWS_MAX] = {0};
    const kmv_tile *t = u->tile;

    (void)parts;
    for (size_t p = 0; p < count * u->keys / t->lanes; p++) {
        for (size_t m = 0; m < KMV_BLOCKS_MAX; m++)
            t->exponents((const float *)block + m * t->rows * d, a != NULL ? a + m * t->rows : zero,
                         (const float *)keys + p * t->lanes * d, b + p * t->lanes, d, 1,
                         e + m * t->rows * lde + p * t->lanes, lde);
    }
}

/* Entries of the block and one leaf, zero where masked, in rows of ENTRY_LD. */
static void entries(const kmv_attend_unit *u, const kmv_attend_job *job, const float *leaf,
                    const float *b, size_t first, float *p)
{
    const kmv_tile *t = u->tile;

    for (size_t v = 0; v < u->keys; v += t->lanes) {
        for (size_t m = 0; m < KMV_BLOCKS_MAX; m++)
            t->entries((const float *)job->block + m * t->rows * job->d, job->a + m * t->rows,
                       leaf + v * job->d, b + v, job->d, 1, p + m * t->rows * ENTRY_LD + v,
                       ENTRY_LD);
    }
    for (size_t i = 0; i < u->rows && job->seen != NULL && job->seen_least < first + u->keys; i++) {
        for (size_t j = job->seen[i] > first ? job->seen[i] - first : 0; j < u->keys; j++)
            p[i * ENTRY_LD + j] = 0;
    }
}

/* part += entries of `count` leaves times their values; leaves that follow each other in the set go
 * together. */
static void add_values(const kmv_attend_unit *u, const kmv_attend_job *job, const uint32_t *list,
                       size_t count, const float *p)
{
    const kmv_tile *t = u->tile;

    for (size_t l = 0, run; l < count; l += run) {
        const float *values = (const float *)job->values + (size_t)list[l] * u->keys * job->ld;

        for (run = 1; l + run < count && list[l + run] == list[l] + run;)
            run++;
        for (size_t m = 0; m < KMV_BLOCKS_MAX; m++)
            t->accumulate(p + m * t->rows * ENTRY_LD + l * u->keys, ENTRY_LD, run * u->keys, values,
                          job->ld, job->part + m * t->rows * job->ld);
    }
}

static void attend(const kmv_attend_unit *u, const kmv_attend_job *job)
{
    const kmv_tile *t = u->tile;
    _Alignas(64) float p[KMV_ATTEND_ROWS_MAX * ENTRY_LD], ones[ENTRY_LD];
    double sum[KMV_ATTEND_ROWS_MAX] = {0};

    for (size_t j = 0; j < ENTRY_LD; j++)
        ones[j] = 1;
    for (size_t start = 0, count; start < job->count; start += count) {
        const uint32_t *list = job->list + start;

        count = job->count - start < ENTRY_LD / u->keys ? job->count - start : ENTRY_LD / u->keys;
        for (size_t l = 0; l < count; l++) {
            const size_t first = (size_t)list[l] * u->keys;

            entries(u, job, (const float *)job->keys + first * job->d,
                    job->offsets != NULL ? job->offsets + (start + l) * u->keys : job->b + first,
                    first, p + l * u->keys);
        }
        for (size_t m = 0; m < KMV_BLOCKS_MAX; m++)
            t->row_sums(p + m * t->rows * ENTRY_LD, ENTRY_LD, ones, count * u->keys,
                        sum + m * t->rows);
        add_values(u, job, list, count, p);
    }
    for (size_t i = 0; i < u->rows; i++)
        job->sum[i] += (float)sum[i];
}

kmv_attend_unit kmv_attend_unit_float(const kmv_tile *tile)
{
    const size_t panels = (KEYS_LEAST + tile->lanes - 1) / tile->lanes;

    return (kmv_attend_unit){.tile = tile,
                             .rows = KMV_BLOCKS_MAX * tile->rows,
                             .keys = panels * tile->lanes,
                             .query_size = query_size,
                             .key_size = key_size,
                             .value_size = value_size,
                             .pack_queries = pack_queries,
                             .pack_keys = pack_keys,
                             .pack_values = pack_values,
                             .exponents = exponents,
                             .attend = attend};
}

/* gauss/attend_amx.c - attention on AMX: blocks of 32 queries, leaves of 32 keys. Compiled with
 * those features: only reached after tile_table.c asked the CPU.
 *
 * In memory an operand register is 16 rows of 64 bytes:
 *     block   [chunk of 32 dimensions][part][half], row = query, 32 dimensions in a row
 *     leaf    [chunk][part][column of 16 keys], row = pair of dimensions, 16 keys in a row
 *     values  [part][16 columns of X], row = pair of keys, 16 columns in a row
 * Entries leave the vector unit as rows of 32 keys, which is what the product with values wants.
 * Some leaves at a time: first their entries, where the vector unit takes the exponentials of one
 * leaf while the matrix unit multiplies the next, then their product with the values.
 */
#include <math.h>
#include <string.h>

#include "gauss/attend_units.h"
#include "gauss/vec_avx512_body.h"

enum {
    SIDE = 16,              /* rows of a register */
    ROWS = 2 * SIDE,        /* queries of a block */
    KEYS = 2 * VL,          /* keys of a leaf */
    DIMS = KMV_SPLIT_DIMS,  /* bfloat16 in a row */
    REGISTER = SIDE * DIMS, /* bfloat16 in a register */
    CHUNK = 8,              /* leaves between exponentials and values */
    PARTS = KMV_ATTEND_PARTS_MAX,
    P_PARTS = 2 /* of entries: 16 bits, the precision that exponents have */
};

#define ALWAYS static inline __attribute__((always_inline))

static size_t chunks_of(size_t d)
{
    return (d + DIMS - 1) / DIMS;
}

static size_t points_size(const kmv_attend_unit *u, size_t d, int parts)
{
    (void)u;
    return chunks_of(d) * (size_t)parts * 2 * REGISTER * sizeof(uint16_t);
}

static size_t value_size(const kmv_attend_unit *u, size_t ld, int parts)
{
    (void)u;
    return (size_t)parts * ld / VL * REGISTER * sizeof(uint16_t);
}

/* ---- packing --------------------------------------------------------------------------------- */

/* bfloat16 of 32 floats, low half first. */
ALWAYS __m512i narrow(vec low, vec high)
{
    return (__m512i)_mm512_cvtne2ps_pbh(high, low);
}

ALWAYS vec widen_low(__m512i v)
{
    return _mm512_castsi512_ps(
        _mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm512_castsi512_si256(v)), 16));
}

ALWAYS vec widen_high(__m512i v)
{
    return _mm512_castsi512_ps(
        _mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm512_extracti64x4_epi64(v, 1)), 16));
}

/* 16 coordinates from l on, shifted; ld is a multiple of 16, beyond it there is nothing. */
ALWAYS vec coordinates(const kmv_attend_points *p, const float *row, size_t l)
{
    return l < p->ld ? v_mul(v_add(v_load(row + l), v_load(p->shift + l)), v_set1(p->factor))
                     : v_set1(0);
}

/* One chunk of one point in `parts` rows of 32 bfloat16; what its rounded coordinates add to the
 * offset, in units of `factor`. */
ALWAYS void round_chunk(const kmv_attend_points *p, const float *row, size_t chunk, int parts,
                        __m512i *out, vec *norm2, vec *dot)
{
    const size_t l = chunk * DIMS;
    vec low = coordinates(p, row, l), high = coordinates(p, row, l + VL);
    vec low_sum = v_set1(0), high_sum = v_set1(0);

    for (int part = 0; part < parts; part++) {
        const __m512i bits = narrow(low, high);
        const vec a = widen_low(bits), b = widen_high(bits);

        out[part] = bits;
        low = v_sub(low, a);
        high = v_sub(high, b);
        low_sum = v_add(low_sum, a);
        high_sum = v_add(high_sum, b);
    }
    *norm2 = v_fma(low_sum, low_sum, v_fma(high_sum, high_sum, *norm2));
    if (p->along != NULL)
        *dot =
            v_fma(low_sum, v_load(p->along + l), v_fma(high_sum, v_load(p->along + l + VL), *dot));
}

static const float *row_of(const kmv_attend_points *p, size_t m)
{
    return p->x + (p->which != NULL ? p->which[m] : p->first + m) * p->ld;
}

static float offset_of(const kmv_attend_points *p, vec norm2, vec dot)
{
    /* A wide kernel's factor is small, its square may be 0. */
    const float of_norm = p->square != 0 ? p->square / p->factor * v_sum(norm2) / p->factor : 0;

    return of_norm + (p->along != NULL ? v_sum(dot) / p->factor : 0);
}

static void pack_queries(const kmv_attend_unit *u, const kmv_attend_points *p, size_t count,
                         int parts, void *block, float *offset)
{
    const size_t chunks = chunks_of(p->d);
    uint16_t *out = block;

    if (count < ROWS)
        memset(block, 0, points_size(u, p->d, parts));
    for (size_t i = 0; i < ROWS; i++) {
        vec norm2 = v_set1(0), dot = v_set1(0);
        __m512i bits[PARTS];

        offset[i] = 0;
        if (i >= count)
            continue;
        for (size_t c = 0; c < chunks; c++) {
            uint16_t *to = out + (c * (size_t)parts * 2 + i / SIDE) * REGISTER + i % SIDE * DIMS;

            round_chunk(p, row_of(p, i), c, parts, bits, &norm2, &dot);
            for (int part = 0; part < parts; part++)
                _mm512_store_si512(to + part * 2 * REGISTER, bits[part]);
        }
        offset[i] = offset_of(p, norm2, dot);
    }
}

/* Rows of 16 words become columns. */
ALWAYS void transpose(__m512i v[SIDE])
{
    __m512i t[SIDE];

    for (int i = 0; i < SIDE; i += 2) {
        t[i] = _mm512_unpacklo_epi32(v[i], v[i + 1]);
        t[i + 1] = _mm512_unpackhi_epi32(v[i], v[i + 1]);
    }
    for (int i = 0; i < SIDE; i += 4) {
        v[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
        v[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
        v[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
        v[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
    }
    for (int i = 0; i < 4; i++) {
        t[i] = _mm512_shuffle_i32x4(v[i], v[i + 4], 0x88);
        t[i + 4] = _mm512_shuffle_i32x4(v[i], v[i + 4], 0xdd);
        t[i + 8] = _mm512_shuffle_i32x4(v[i + 8], v[i + 12], 0x88);
        t[i + 12] = _mm512_shuffle_i32x4(v[i + 8], v[i + 12], 0xdd);
    }
    for (int i = 0; i < 4; i++) {
        v[i] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0x88);
        v[i + 8] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0xdd);
        v[i + 4] = _mm512_shuffle_i32x4(t[i + 4], t[i + 12], 0x88);
        v[i + 12] = _mm512_shuffle_i32x4(t[i + 4], t[i + 12], 0xdd);
    }
}

static void pack_keys(const kmv_attend_unit *u, const kmv_attend_points *p, size_t count, int parts,
                      void *leaf, float *offset)
{
    const size_t chunks = chunks_of(p->d);

    (void)u;
    for (size_t column = 0; column < 2; column++) {
        vec norm2[VL], dot[VL];

        for (size_t j = 0; j < VL; j++)
            norm2[j] = dot[j] = v_set1(0);
        for (size_t c = 0; c < chunks; c++) {
            __m512i bits[PARTS][SIDE];

            for (size_t j = 0; j < VL; j++) {
                const size_t m = column * VL + j;
                __m512i rounded[PARTS] = {0};

                if (m < count)
                    round_chunk(p, row_of(p, m), c, parts, rounded, &norm2[j], &dot[j]);
                for (int part = 0; part < parts; part++)
                    bits[part][j] = rounded[part];
            }
            for (int part = 0; part < parts; part++) {
                uint16_t *to =
                    (uint16_t *)leaf + ((c * (size_t)parts + (size_t)part) * 2 + column) * REGISTER;

                transpose(bits[part]);
                for (size_t row = 0; row < SIDE; row++)
                    _mm512_store_si512(to + row * DIMS, bits[part][row]);
            }
        }
        for (size_t j = 0; j < VL; j++)
            offset[column * VL + j] =
                column * VL + j < count ? offset_of(p, norm2[j], dot[j]) : -INFINITY;
    }
}

/* factor (x - shift) of 8 columns from c on, zero from r on; factor x added up squared. */
ALWAYS __m512d value_columns(const double *row, const double *shift, __m512d factor, size_t c,
                             size_t r, __m512d *norm2)
{
    const size_t left = c < r ? r - c : 0;
    const __mmask8 there = left >= 8 ? 0xff : (__mmask8)((1u << left) - 1);
    const __m512d v = _mm512_mul_pd(factor, _mm512_maskz_loadu_pd(there, row + c));

    *norm2 = _mm512_fmadd_pd(v, v, *norm2);
    return _mm512_fnmadd_pd(factor, _mm512_maskz_loadu_pd(there, shift + c), v);
}

static double pack_values(const kmv_attend_unit *u, const double *x, size_t r, size_t first,
                          const size_t *which, size_t count, const double *shift, double factor,
                          size_t ld, int parts, void *leaf, float *square)
{
    const __m512i high_half = _mm512_set1_epi32((int)0xffff0000);
    const __m512d scale = _mm512_set1_pd(factor);
    __m512d norm2 = _mm512_setzero_pd();

    (void)u;
    for (size_t j = 0; j < KEYS; j += 2) {
        vec off[2] = {v_set1(0), v_set1(0)};

        for (size_t c = 0; c < ld; c += VL) {
            vec v[2] = {v_set1(0), v_set1(0)};

            for (size_t m = 0; m < 2 && j + m < count; m++) {
                const double *row = x + (which != NULL ? which[j + m] : first + j + m) * r;
                const __m512d a = value_columns(row, shift, scale, c, r, &norm2);
                const __m512d b = value_columns(row, shift, scale, c + 8, r, &norm2);

                v[m] = _mm512_insertf32x8(_mm512_castps256_ps512(_mm512_cvtpd_ps(a)),
                                          _mm512_cvtpd_ps(b), 1);
                off[m] = v_fma(v[m], v[m], off[m]);
            }
            for (int part = 0; part < parts; part++) {
                uint16_t *to = (uint16_t *)leaf + ((size_t)part * ld / VL + c / VL) * REGISTER;
                const __m512i even =
                    _mm512_slli_epi32(_mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(v[0])), 16);
                const __m512i odd =
                    _mm512_slli_epi32(_mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(v[1])), 16);

                v[0] = v_sub(v[0], _mm512_castsi512_ps(even));
                v[1] = v_sub(v[1], _mm512_castsi512_ps(odd));
                _mm512_store_si512(
                    to + j / 2 * DIMS,
                    _mm512_or_si512(_mm512_srli_epi32(even, 16), _mm512_and_si512(odd, high_half)));
            }
        }
        for (size_t m = 0; m < 2 && j + m < count; m++)
            square[j + m] = v_sum(off[m]);
    }
    return _mm512_reduce_add_pd(norm2);
}

/* ---- products -------------------------------------------------------------------------------- */

static void configure(void)
{
    struct {
        uint8_t palette, start_row, reserved[14];
        uint16_t row_bytes[16];
        uint8_t rows[16];
    } layout = {.palette = 1};

    for (size_t i = 0; i < 8; i++) {
        layout.row_bytes[i] = 64;
        layout.rows[i] = SIDE;
    }
    _tile_loadconfig(&layout);
}

/* Registers 0 .. 3 are results: two halves of rows times two columns; 4 and 5 hold rows, 6 and 7
 * columns. */
ALWAYS void multiply(const uint16_t *rows, const uint16_t *columns)
{
    _tile_loadd(4, rows, 64);
    _tile_loadd(6, columns, 64);
    _tile_loadd(7, columns + REGISTER, 64);
    _tile_loadd(5, rows + REGISTER, 64);
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
}

ALWAYS void clear_results(void)
{
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
}

ALWAYS void store_results(float *c, size_t ld)
{
    const long stride = (long)(ld * sizeof *c);

    _tile_stored(0, c, stride);
    _tile_stored(1, c + VL, stride);
    _tile_stored(2, c + SIDE * ld, stride);
    _tile_stored(3, c + SIDE * ld + VL, stride);
}

ALWAYS void load_results(const float *c, size_t ld)
{
    const long stride = (long)(ld * sizeof *c);

    _tile_loadd(0, c, stride);
    _tile_loadd(1, c + VL, stride);
    _tile_loadd(2, c + SIDE * ld, stride);
    _tile_loadd(3, c + SIDE * ld + VL, stride);
}

/* Pairs of parts whose products count, smallest first: those of total order below `parts`. */
static const struct {
    int q, k;
} orders[] = {{0, 2}, {1, 1}, {2, 0}, {0, 1}, {1, 0}, {0, 0}};
static const size_t order_first[PARTS + 1] = {6, 5, 3, 0};

/* ---- entries --------------------------------------------------------------------------------- */

/* What the vector unit has to do while the matrix unit works: exponents of a leaf become entries,
 * as rows of bfloat16. */
typedef struct {
    const float *a, *b, *c;
    const size_t *seen; /* NULL: all rows see the leaf whole */
    size_t first;       /* slot of its first key */
    __m512i *p, *p_low; /* rows of 32 entries; what rounding them left out, or NULL */
    vec *sum;
    size_t done;
} meanwhile;

ALWAYS __mmask16 visible(size_t seen, size_t first)
{
    return seen >= first + VL ? 0xffff : seen > first ? (__mmask16)((1u << (seen - first)) - 1) : 0;
}

/* Rows m->done .. end - 1. masked, fine: constants, which choose a loop without branches. */
ALWAYS void advance_rows(meanwhile *m, size_t end, const int masked, const int fine)
{
    const __m512bh ones = (__m512bh)_mm512_set1_epi16(0x3f80);
    const vec b0 = v_load(m->b), b1 = v_load(m->b + VL);
    const float *a = m->a, *c = m->c;
    __m512i *p = m->p, *p_low = m->p_low;
    vec *sum = m->sum;

    for (size_t i = m->done; i < end; i++) {
        const vec offset = v_set1(a[i]);
        vec low = v_exp2(v_add(v_load(c + i * KEYS), v_add(b0, offset)));
        vec high = v_exp2(v_add(v_load(c + i * KEYS + VL), v_add(b1, offset)));
        vec total = sum[i];
        __m512i rounded;

        if (masked) {
            low = _mm512_maskz_mov_ps(visible(m->seen[i], m->first), low);
            high = _mm512_maskz_mov_ps(visible(m->seen[i], m->first + VL), high);
        }
        rounded = narrow(low, high);
        total = _mm512_dpbf16_ps(total, (__m512bh)rounded, ones);
        p[i] = rounded;
        if (fine) {
            const __m512i rest =
                narrow(v_sub(low, widen_low(rounded)), v_sub(high, widen_high(rounded)));

            total = _mm512_dpbf16_ps(total, (__m512bh)rest, ones);
            p_low[i] = rest;
        }
        sum[i] = total;
    }
    m->done = end;
}

ALWAYS void advance(meanwhile *m, size_t end, const int fine)
{
    if (m->done >= end)
        return;
    if (m->seen != NULL)
        advance_rows(m, end, 1, fine);
    else
        advance_rows(m, end, 0, fine);
}

/* Exponents of one leaf without offsets into c; the vector unit meanwhile does m, in pieces. */
ALWAYS void leaf_exponents(const uint16_t *q, const uint16_t *k, size_t chunks, int parts, float *c,
                           meanwhile *m, const int fine)
{
    const size_t part_size = 2 * REGISTER, chunk_size = (size_t)parts * part_size;
    const size_t products = sizeof orders / sizeof *orders - order_first[parts];
    const size_t share = (ROWS + products * chunks - 1) / (products * chunks);

    clear_results();
    for (size_t o = order_first[parts]; o < sizeof orders / sizeof *orders; o++) {
        for (size_t chunk = 0; chunk < chunks; chunk++) {
            multiply(q + chunk * chunk_size + (size_t)orders[o].q * part_size,
                     k + chunk * chunk_size + (size_t)orders[o].k * part_size);
            if (m != NULL)
                advance(m, m->done + share < ROWS ? m->done + share : ROWS, fine);
        }
    }
    store_results(c, KEYS);
}

/* Results of one leaf with their offsets into e. */
ALWAYS void add_offsets(const float *c, const float *a, const float *b, float *e, size_t lde)
{
    const vec b0 = v_load(b), b1 = v_load(b + VL);

    for (size_t i = 0; i < ROWS; i++) {
        const vec offset = v_set1(a != NULL ? a[i] : 0);

        v_store(e + i * lde, v_add(v_load(c + i * KEYS), v_add(b0, offset)));
        v_store(e + i * lde + VL, v_add(v_load(c + i * KEYS + VL), v_add(b1, offset)));
    }
}

/* The matrix unit is one leaf ahead: its results are not there at once. */
static void exponents(const kmv_attend_unit *u, const void *block, const float *a, const void *keys,
                      const float *b, size_t count, size_t d, int parts, float *e, size_t lde)
{
    _Alignas(64) float c[2][ROWS * KEYS];
    const size_t size = points_size(u, d, parts);

    configure();
    for (size_t l = 0; l < count; l++) {
        leaf_exponents(block, (const uint16_t *)((const char *)keys + l * size), chunks_of(d),
                       parts, c[l % 2], NULL, 0);
        if (l > 0)
            add_offsets(c[(l - 1) % 2], a, b + (l - 1) * KEYS, e + (l - 1) * KEYS, lde);
    }
    if (count > 0)
        add_offsets(c[(count - 1) % 2], a, b + (count - 1) * KEYS, e + (count - 1) * KEYS, lde);
    _tile_release();
}

/* Entries of a chunk of leaves. */
typedef struct {
    __m512i p[P_PARTS][CHUNK][ROWS];
} entry_rows;

ALWAYS meanwhile leaf_work(const kmv_attend_job *job, size_t l, size_t in_chunk, entry_rows *rows,
                           vec *sum, const float *c)
{
    const size_t first = (size_t)job->list[l] * KEYS;
    const int masked = job->seen != NULL && job->seen_least < first + KEYS;

    return (meanwhile){.a = job->a,
                       .b = job->offsets != NULL ? job->offsets + l * KEYS : job->b + first,
                       .c = c,
                       .seen = masked ? job->seen : NULL,
                       .first = first,
                       .p = rows->p[0][in_chunk],
                       .p_low = job->parts > 1 ? rows->p[1][in_chunk] : NULL,
                       .sum = sum};
}

/* part += entries times values, two times 16 columns at a time. */
ALWAYS void add_values(const kmv_attend_job *job, const entry_rows *rows, size_t start,
                       size_t count, size_t leaf_size)
{
    const size_t part_size = job->ld / VL * REGISTER;

    for (size_t c = 0; c < job->ld; c += KEYS) {
        load_results(job->part + c, job->ld);
        for (size_t l = 0; l < count; l++) {
            const uint16_t *values = (const uint16_t *)((const char *)job->values +
                                                        (size_t)job->list[start + l] * leaf_size) +
                                     c / VL * REGISTER;

            for (int v = job->parts - 1; v >= 0; v--) {
                for (int p = job->parts > 1 && v < 2 ? 1 : 0; p >= 0; p--)
                    multiply((const uint16_t *)rows->p[p][l], values + (size_t)v * part_size);
            }
        }
        store_results(job->part + c, job->ld);
    }
}

ALWAYS void attend_leaves(const kmv_attend_unit *u, const kmv_attend_job *job, const int fine)
{
    const mode saved = mode_enter();
    const size_t chunks = chunks_of(job->d), leaf_size = points_size(u, job->d, job->parts);
    _Alignas(64) float results[2][ROWS * KEYS];
    _Alignas(64) entry_rows rows;
    vec sum[ROWS];

    for (size_t i = 0; i < ROWS; i++)
        sum[i] = v_set1(0);
    configure();
    for (size_t start = 0, count; start < job->count; start += count) {
        meanwhile m = {.done = ROWS};

        count = job->count - start < CHUNK ? job->count - start : CHUNK;
        for (size_t l = 0; l < count; l++) {
            const uint16_t *leaf = (const uint16_t *)((const char *)job->keys +
                                                      (size_t)job->list[start + l] * leaf_size);

            leaf_exponents(job->block, leaf, chunks, job->parts, results[l % 2], &m, fine);
            m = leaf_work(job, start + l, l, &rows, sum, results[l % 2]);
        }
        advance(&m, ROWS, fine);
        add_values(job, &rows, start, count, value_size(u, job->ld, job->parts));
    }
    _tile_release();
    for (size_t i = 0; i < ROWS; i++)
        job->sum[i] += v_sum(sum[i]);
    mode_leave(saved);
}

static void attend(const kmv_attend_unit *u, const kmv_attend_job *job)
{
    if (job->parts > 1)
        attend_leaves(u, job, 1);
    else
        attend_leaves(u, job, 0);
}

kmv_attend_unit kmv_attend_unit_amx(const kmv_tile *tile)
{
    return (kmv_attend_unit){.tile = tile,
                             .rows = ROWS,
                             .keys = KEYS,
                             .rounds = 1,
                             .query_size = points_size,
                             .key_size = points_size,
                             .value_size = value_size,
                             .pack_queries = pack_queries,
                             .pack_keys = pack_keys,
                             .pack_values = pack_values,
                             .exponents = exponents,
                             .attend = attend};
}

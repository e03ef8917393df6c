/* gauss/tile_amx.c - products of split operands on AMX: bfloat16 in, float out, 16 x 16 results and
 * 32 dimensions per instruction. Compiled with those features: only reached after tile_table.c
 * asked the CPU.
 *
 * A group of 32 queries meets a panel of 48 keys in six result registers; the other two hold
 * operands. Results go through memory, since there is no other way to the vector registers: while
 * the matrix unit works on one panel, the vector unit works on the results of the panel before.
 *
 * In memory an operand register is 16 rows of 64 bytes. Queries: [chunk of 32
 * dimensions][part][half of the group], row = query, 32 dimensions in a row. Keys:
 * [chunk][part][third of the panel], row = pair of dimensions, 16 keys in a row.
 */
#include <string.h>

#include "gauss/tile.h"
#include "gauss/vec_avx512_body.h"

#define VECS 3 /* blocks and panels of tile_avx512.c */
#define ROWS 8

enum {
    LANES = VL * VECS,
    GROUP = KMV_BLOCKS_MAX * ROWS,
    SIDE = 16, /* rows of a register */
    HALVES = GROUP / SIDE,
    REGISTER = SIDE * KMV_SPLIT_DIMS, /* bfloat16 in a register */
    PAIRS = KMV_SPLIT_DIMS / 2,
    PRODUCTS = 6
};

#define ALWAYS static inline __attribute__((always_inline))

static size_t chunks_of(size_t d)
{
    return (d + KMV_SPLIT_DIMS - 1) / KMV_SPLIT_DIMS;
}

/* Rounded to the nearest bfloat16, ties to even, as float bits. */
ALWAYS __m512i rounded(vec v)
{
    const __m512i bits = _mm512_castps_si512(v);
    const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
    const __m512i up = _mm512_add_epi32(_mm512_add_epi32(bits, odd), _mm512_set1_epi32(0x7fff));

    return _mm512_and_si512(up, _mm512_set1_epi32((int)0xffff0000));
}

/* Take the next part off the floats in *v. */
ALWAYS __m512i take_part(vec *v)
{
    const __m512i part = rounded(*v);

    *v = v_sub(*v, _mm512_castsi512_ps(part)); /* exact */
    return part;
}

/* Two dimensions of a block are one vector; its two halves become the halves of words. */
static void split_queries(const float *block, size_t d, size_t at, uint16_t *group)
{
    const __m512i stride =
        _mm512_mullo_epi32(_mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0),
                           _mm512_set1_epi32(ROWS));
    _Alignas(64) int words[KMV_SPLIT_PARTS][PAIRS][ROWS];

    group += at * ROWS / SIDE * REGISTER + at * ROWS % SIDE * KMV_SPLIT_DIMS;
    for (size_t c = 0; c < chunks_of(d); c++) {
        for (size_t pair = 0; pair < PAIRS; pair++) {
            const size_t l = c * KMV_SPLIT_DIMS + 2 * pair, left = l < d ? d - l : 0;
            const __mmask16 there = left > 1 ? 0xffff : left == 1 ? 0xff : 0;
            vec v = _mm512_maskz_loadu_ps(there, block + l * ROWS);

            for (size_t part = 0; part < KMV_SPLIT_PARTS; part++) {
                const __m512i bits = take_part(&v);
                const __m256i first = _mm256_srli_epi32(_mm512_castsi512_si256(bits), 16);

                _mm256_store_si256((__m256i *)words[part][pair],
                                   _mm256_or_si256(first, _mm512_extracti64x4_epi64(bits, 1)));
            }
        }
        for (size_t part = 0; part < KMV_SPLIT_PARTS; part++, group += HALVES * REGISTER) {
            for (size_t i = 0; i < ROWS; i++)
                _mm512_store_si512(group + i * KMV_SPLIT_DIMS,
                                   _mm512_i32gather_epi32(stride, &words[part][0][i], 4));
        }
    }
}

static void split_keys(const float *panel, size_t d, uint16_t *parts)
{
    for (size_t v = 0; v < VECS; v++) {
        for (size_t l = 0; l < chunks_of(d) * KMV_SPLIT_DIMS; l += 2) {
            const float *x = panel + l * LANES + v * VL;
            vec first = l < d ? v_load(x) : v_set1(0);
            vec second = l + 1 < d ? v_load(x + LANES) : v_set1(0);

            for (size_t part = 0; part < KMV_SPLIT_PARTS; part++) {
                const __m512i low = _mm512_srli_epi32(take_part(&first), 16);

                _mm512_store_si512(parts + part * REGISTER + l % KMV_SPLIT_DIMS * VL,
                                   _mm512_or_si512(low, take_part(&second)));
            }
            if (l % KMV_SPLIT_DIMS == KMV_SPLIT_DIMS - 2)
                parts += KMV_SPLIT_PARTS * REGISTER;
        }
    }
}

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

/* Registers 0 .. 3 are results: queries of the two halves times keys of two columns; 4 and 5 hold
 * queries, 6 and 7 keys. */
ALWAYS void load_queries(const uint16_t *q)
{
    _tile_loadd(4, q, 64);
    _tile_loadd(5, q + REGISTER, 64);
}

ALWAYS void load_keys(const uint16_t *k, size_t next)
{
    _tile_loadd(6, k, 64);
    _tile_loadd(7, k + next, 64);
}

ALWAYS void multiply(void)
{
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

enum { STRIP = 2 * VL };

ALWAYS void store_results(float *c)
{
    _tile_stored(0, c, STRIP * sizeof *c);
    _tile_stored(1, c + VL, STRIP * sizeof *c);
    _tile_stored(2, c + SIDE * STRIP, STRIP * sizeof *c);
    _tile_stored(3, c + SIDE * STRIP + VL, STRIP * sizeof *c);
}

/* What happens to the results. */
typedef struct {
    const float *a, *b, *w;
    vec *sum; /* per row; NULL: entries are kept */
    float *p;
    size_t ldp;
} consumer;

/* Rows from .. to - 1 of `vecs` columns of 16 keys, the first of which is `column`. */
ALWAYS void consume(const consumer *to, const float *c, size_t column, size_t vecs, size_t row,
                    size_t end)
{
    const float *b = to->b + column * VL;

    for (; row < end; row++) {
        const vec a = v_set1(to->a[row]);
        vec total = to->sum != NULL ? to->sum[row] : v_set1(0);

        for (size_t v = 0; v < vecs; v++) {
            const vec offset = v_add(v_load(b + v * VL), a);
            const vec entry = v_exp2(v_add(v_load(c + row * STRIP + v * VL), offset));

            if (to->sum != NULL)
                total = v_fma(entry, v_load(to->w + (column + v) * VL), total);
            else
                v_store(to->p + row * to->ldp + (column + v) * VL, entry);
        }
        if (to->sum != NULL)
            to->sum[row] = total;
    }
}

/* What the vector unit has to do meanwhile: the results of the strip before, a few rows at a time.
 */
typedef struct {
    const consumer *to;
    const float *c;
    size_t column, rows, step, steps, done;
} meanwhile;

ALWAYS void advance(meanwhile *m)
{
    const size_t due = m->rows * ++m->step / m->steps;

    consume(m->to, m->c, m->column, 2, m->done, due);
    m->done = due;
}

/* All columns of keys, two at a time: a strip. */
ALWAYS void run(const uint16_t *q, size_t rows, const uint16_t *k, size_t d, size_t panels,
                const consumer *to)
{
    _Alignas(64) float results[2][GROUP * STRIP];
    const size_t chunks = chunks_of(d), columns = panels * VECS;
    const size_t q_part = HALVES * REGISTER, q_chunk = KMV_SPLIT_PARTS * q_part;
    const size_t k_part = REGISTER, k_chunk = KMV_SPLIT_PARTS * k_part, k_column = chunks * k_chunk;
    size_t column = 0;

    configure();
    for (; column < columns; column += 2, k += 2 * k_column) {
        const size_t next = column + 1 < columns ? k_column : 0;
        meanwhile m = {.to = to,
                       .c = results[column / 2 % 2 ^ 1],
                       .column = column - 2,
                       .rows = column > 0 ? rows : 0,
                       .steps = PRODUCTS * chunks};

        clear_results();
        for (size_t c = 0; c < chunks; c++) {
            const uint16_t *qc = q + c * q_chunk, *kc = k + c * k_chunk;

            load_queries(qc + 2 * q_part);
            load_keys(kc, next);
            multiply();
            advance(&m);
            load_queries(qc + q_part);
            multiply();
            advance(&m);
            load_keys(kc + k_part, next);
            multiply();
            advance(&m);
            load_queries(qc);
            multiply();
            advance(&m);
            load_keys(kc + 2 * k_part, next);
            multiply();
            advance(&m);
        }
        for (size_t c = chunks; c-- > 0;) {
            if (c + 1 < chunks)
                load_queries(q + c * q_chunk);
            load_keys(k + c * k_chunk, next);
            multiply();
            advance(&m);
        }
        store_results(results[column / 2 % 2]);
    }
    _tile_release();
    if (columns > 0)
        consume(to, results[(column / 2 - 1) % 2], column - 2, columns % 2 != 0 ? 1 : 2, 0, rows);
}

static void apply(const uint16_t *q, const float *a, size_t blocks, const uint16_t *k,
                  const float *b, const float *w, size_t d, size_t panels, double *y)
{
    const mode saved = mode_enter();
    vec sum[GROUP];
    const consumer to = {.a = a, .b = b, .w = w, .sum = sum};

    for (size_t i = 0; i < GROUP; i++)
        sum[i] = v_set1(0);
    run(q, blocks * ROWS, k, d, panels, &to);
    for (size_t i = 0; i < blocks * ROWS; i++)
        y[i] += (double)v_sum(sum[i]);
    mode_leave(saved);
}

static void entries(const uint16_t *q, const float *a, size_t blocks, const uint16_t *k,
                    const float *b, size_t d, size_t panels, float *p, size_t ldp)
{
    const mode saved = mode_enter();
    const consumer to = {.a = a, .b = b, .p = p, .ldp = ldp};

    run(q, blocks * ROWS, k, d, panels, &to);
    mode_leave(saved);
}

const kmv_split kmv_split_amx = {
    .queries = split_queries,
    .keys = split_keys,
    .apply = apply,
    .entries = entries,
};

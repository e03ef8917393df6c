/* gauss/rows_body.h - the one template of all row kernels; included once by each rows_<isa>.c after
 * its vec_<isa>_body.h, NAME and NAME_TEXT. */
#include <math.h>

#include "gauss/rows.h"

#define UNROLL     _Pragma("GCC unroll 16")
#define EACH(i, n) UNROLL for (size_t i = 0; i < (n); i++)
#define ALWAYS     static inline __attribute__((always_inline))

enum {
    TOGETHER = 4, /* rows of the list in registers at once */
    AHEAD = 12,   /* rows of the list fetched beforehand */
    PIECES = 4    /* vectors of y in registers at once */
};

ALWAYS void fetch(const float *rows, size_t ld, const uint32_t *list, size_t t, size_t count)
{
    if (t < count) {
        const char *next = (const char *)(rows + list[t] * ld);

        for (size_t b = 0; b < ld * sizeof(float); b += 64)
            __builtin_prefetch(next + b);
    }
}

/* `rows_now` <= TOGETHER rows from place t of the list on. */
ALWAYS void measure(const float *u, const float *rows, size_t ld, const uint32_t *list, size_t t,
                    const size_t rows_now, const int differences, float *out)
{
    const float *row[TOGETHER];
    vec sum[TOGETHER];

    EACH(m, rows_now)
    {
        row[m] = rows + list[t + m] * ld;
        sum[m] = v_set1(0);
    }
    for (size_t l = 0; l < ld; l += VL) {
        const vec own = v_load(u + l);

        EACH(m, rows_now)
        {
            vec other = v_load(row[m] + l);

            if (differences) {
                other = v_sub(own, other);
                v_add_product(sum[m], other, other);
            } else {
                v_add_product(sum[m], own, other);
            }
        }
    }
    EACH(m, rows_now)
    out[t + m] = v_sum(sum[m]);
}

ALWAYS void measure_list(const float *u, const float *rows, size_t ld, const uint32_t *list,
                         size_t count, const int differences, float *out)
{
    const mode saved = mode_enter();
    size_t t = 0;

    for (; t + TOGETHER <= count; t += TOGETHER) {
        EACH(m, TOGETHER)
        fetch(rows, ld, list, t + AHEAD + m, count);
        measure(u, rows, ld, list, t, TOGETHER, differences, out);
    }
    for (; t < count; t++)
        measure(u, rows, ld, list, t, 1, differences, out);
    mode_leave(saved);
}

static void dots(const float *u, const float *rows, size_t ld, const uint32_t *list, size_t count,
                 float *out)
{
    measure_list(u, rows, ld, list, count, 0, out);
}

static void distances2(const float *u, const float *rows, size_t ld, const uint32_t *list,
                       size_t count, float *out)
{
    measure_list(u, rows, ld, list, count, 1, out);
}

/* y[0 .. pieces VL - 1], from column c of the rows on. */
ALWAYS void combine_pieces(const float *p, const float *rows, size_t ld, size_t c,
                           const uint32_t *list, size_t count, const size_t pieces, float *y)
{
    vec sum[PIECES];

    EACH(m, pieces)
    sum[m] = v_load(y + m * VL);
    for (size_t t = 0; t < count; t++) {
        const vec factor = v_set1(p[t]);
        const float *row = rows + list[t] * ld + c;

        if (c == 0)
            fetch(rows, ld, list, t + AHEAD, count);
        EACH(m, pieces)
        v_add_product(sum[m], factor, v_load(row + m * VL));
    }
    EACH(m, pieces)
    v_store(y + m * VL, sum[m]);
}

static void combine(const float *p, const float *rows, size_t ld, const uint32_t *list,
                    size_t count, float *y)
{
    const mode saved = mode_enter();
    size_t c = 0;

    for (; c + PIECES * VL <= ld; c += PIECES * VL)
        combine_pieces(p, rows, ld, c, list, count, PIECES, y + c);
    for (; c < ld; c += VL)
        combine_pieces(p, rows, ld, c, list, count, 1, y + c);
    mode_leave(saved);
}

const kmv_row_kernel NAME = {
    .name = NAME_TEXT,
    .dots = dots,
    .distances2 = distances2,
    .combine = combine,
};

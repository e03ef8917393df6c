/* gauss/tile_body.h - the one template of all tiles; included once by each tile_<isa>.c.
 *
 * The including file defines
 *     vec                      a vector of VL floats
 *     VL, VECS, ROWS           floats per vector, vectors per panel, queries per block
 *     v_load v_store v_set1 v_add v_sub v_mul v_fma(a, b, c) = a b + c
 *     v_add_product(c, a, b)  c += a b, in place
 *     v_exp2(e)                as kmv_tile.exp2 asks
 *     v_max(a, b)              the larger, lane by lane
 *     v_sum(v)                 sum of the lanes, as float, in a fixed order
 *     v_keep(v)                hide v's value from the optimiser
 *     mode, mode_enter, mode_leave   flush-to-zero while a tile computes: entries below 2^-126 are
 * 0, and a denormal would cost a hundred times an ordinary multiply-add and afterwards lists the
 * functions in its kmv_tile. The loops over ROWS and VECS have constant bounds and are unrolled, so
 * that the accumulators live in registers.
 */
#include <math.h>
#include <string.h>

#include "gauss/tile.h"

#define LANES      ((size_t)(VL * VECS))
#define UNROLL     _Pragma("GCC unroll 16")
#define EACH(i, n) UNROLL for (size_t i = 0; i < (n); i++)
#define ALWAYS     static inline __attribute__((always_inline))

/* Sum of multiply-adds above which rounding is cut by starting a fresh partial sum. */
enum { DIFFERENCE_CHUNK = 16, DIFFERENCE_ROWS = 2 };

/* acc += q k over all dimensions. */
ALWAYS void dots(const float *q, const float *k, size_t d, vec acc[ROWS][VECS])
{
    _Pragma("GCC unroll 2") for (size_t l = 0; l < d; l++, q += ROWS, k += LANES)
    {
        vec key[VECS];

        EACH(v, VECS)
        key[v] = v_load(k + v * VL);
        EACH(i, ROWS)
        {
            const vec query = v_set1(q[i]);

            EACH(v, VECS)
            v_add_product(acc[i][v], query, key[v]);
        }
    }
}

/* 1 / steps of what the exponents of row i and vector v start from: b and, per row, a, or `same`
 * for all rows where a is NULL. */
ALWAYS vec offset_part(const float *a, float same, const float *b, float fraction, size_t i,
                       size_t v)
{
    const vec common = v_mul(v_add(v_load(b + v * VL), v_set1(same)), v_set1(fraction));

    return a != NULL ? v_add(common, v_set1(fraction * a[i])) : common;
}

/* Exponents of a block and a panel. Adding the offset in `steps` parts keeps the partial sums,
 * whose rounding is what an entry's error is made of, that much smaller where products and offset
 * cancel. One place calls dots: with two the compiler no longer keeps the accumulators in
 * registers. */
ALWAYS void exponents_in_registers(const float *q, const float *a, float same, const float *k,
                                   const float *b, size_t d, size_t steps, vec acc[ROWS][VECS])
{
    const float fraction = 1.0f / (float)steps; /* exact: a power of two */
    const size_t stride = d / steps;

    EACH(i, ROWS)
    EACH(v, VECS)
    acc[i][v] = offset_part(a, same, b, fraction, i, v);
    for (size_t left = steps;; q += stride * ROWS, k += stride * LANES) {
        dots(q, k, left > 1 ? stride : d - (steps - 1) * stride, acc);
        if (--left == 0)
            break;
        __asm__ volatile("" : : : "memory"); /* nor when it keeps all offsets there */
        EACH(i, ROWS)
        EACH(v, VECS)
        acc[i][v] = v_add(acc[i][v], offset_part(a, same, b, fraction, i, v));
    }
}

static void exponents(const float *q, const float *a, const float *k, const float *b, size_t d,
                      size_t steps, float *e, size_t lde)
{
    vec acc[ROWS][VECS];

    exponents_in_registers(q, a, 0, k, b, d, steps, acc);
    EACH(i, ROWS)
    EACH(v, VECS)
    v_store(e + i * lde + v * VL, acc[i][v]);
}

static void entries(const float *q, const float *a, const float *k, const float *b, size_t d,
                    size_t steps, float *p, size_t ldp)
{
    const mode saved = mode_enter();
    vec acc[ROWS][VECS];

    exponents_in_registers(q, a, 0, k, b, d, steps, acc);
    EACH(i, ROWS)
    EACH(v, VECS)
    v_store(p + i * ldp + v * VL, v_exp2(acc[i][v]));
    mode_leave(saved);
}

/* Largest offset of the block's rows; *spread = largest - smallest. */
ALWAYS float largest(const float *a, float *spread)
{
    float top = a[0], low = a[0];

    for (size_t i = 1; i < ROWS; i++) {
        top = a[i] > top ? a[i] : top;
        low = a[i] < low ? a[i] : low;
    }
    *spread = top - low;
    return top;
}

/* Every panel meets all blocks while it is in L1; the rows' sums wait there too. */
static void apply(const float *q, const float *a, size_t blocks, const float *k, const float *b,
                  const float *w, size_t d, size_t steps, size_t panels, double *y)
{
    const mode saved = mode_enter();
    /* Rows of a block share the largest offset, which costs an addition per panel instead of one
     * per row; what a row lacks, 2^(a_i - top), multiplies its sum. Exponents grow by at most the
     * spread of the offsets by that: rows too far apart for float keep their own. */
    float top[KMV_BLOCKS_MAX], spread;
    int shared[KMV_BLOCKS_MAX];
    vec sum[KMV_BLOCKS_MAX][ROWS];

    for (size_t m = 0; m < blocks; m++) {
        top[m] = largest(a + m * ROWS, &spread);
        shared[m] = spread <= 60;
        for (size_t i = 0; i < ROWS; i++)
            sum[m][i] = v_set1(0);
    }
    for (size_t panel = 0; panel < panels; panel++, b += LANES, w += LANES, k += d * LANES) {
        for (size_t m = 0; m < blocks; m++) {
            vec acc[ROWS][VECS];

            exponents_in_registers(q + m * ROWS * d, shared[m] ? NULL : a + m * ROWS,
                                   shared[m] ? top[m] : 0, k, b, d, steps, acc);
            EACH(i, ROWS)
            EACH(v, VECS)
            sum[m][i] = v_fma(v_exp2(acc[i][v]), v_load(w + v * VL), sum[m][i]);
        }
    }
    for (size_t m = 0; m < blocks; m++) {
        for (size_t i = 0; i < ROWS; i++) {
            const double lacks = (double)a[m * ROWS + i] - (double)top[m];

            y[m * ROWS + i] += (double)v_sum(sum[m][i]) * (shared[m] ? exp2(lacks) : 1.0);
        }
    }
    mode_leave(saved);
}

/* Partial sums over DIFFERENCE_CHUNK dimensions keep the rounding near that of one addition. */
static void exponents_by_difference(const float *q, const float *k, double scale, size_t d,
                                    float *e, size_t lde)
{
    const vec unscale = v_set1((float)(1 / scale)), half = v_set1((float)(-scale / 2));

    for (size_t i = 0; i < ROWS; i += DIFFERENCE_ROWS) {
        vec total[DIFFERENCE_ROWS][VECS];

        EACH(m, DIFFERENCE_ROWS)
        EACH(v, VECS)
        total[m][v] = v_set1(0);
        for (size_t start = 0; start < d; start += DIFFERENCE_CHUNK) {
            const size_t end = d - start < DIFFERENCE_CHUNK ? d : start + DIFFERENCE_CHUNK;
            vec part[DIFFERENCE_ROWS][VECS];

            EACH(m, DIFFERENCE_ROWS)
            EACH(v, VECS)
            part[m][v] = v_set1(0);
            for (size_t l = start; l < end; l++) {
                EACH(m, DIFFERENCE_ROWS)
                {
                    const vec query = v_mul(v_set1(q[l * ROWS + i + m]), unscale);

                    EACH(v, VECS)
                    {
                        const vec diff = v_sub(query, v_load(k + l * LANES + v * VL));

                        part[m][v] = v_fma(diff, diff, part[m][v]);
                    }
                }
            }
            EACH(m, DIFFERENCE_ROWS)
            EACH(v, VECS)
            total[m][v] = v_add(total[m][v], part[m][v]);
        }
        EACH(m, DIFFERENCE_ROWS)
        EACH(v, VECS)
        v_store(e + (i + m) * lde + v * VL, v_mul(total[m][v], half));
    }
}

/* Through memcpy: v may have any alignment. */
static void exp2_in_place(float *v, size_t n)
{
    const mode saved = mode_enter();

    for (size_t i = 0; i < n; i += VL) {
        const size_t count = n - i < VL ? n - i : VL;
        vec part = v_set1(0);

        if (count == VL) { /* the usual case, with a size the compiler knows */
            memcpy(&part, v + i, sizeof part);
            part = v_exp2(part);
            memcpy(v + i, &part, sizeof part);
        } else {
            memcpy(&part, v + i, count * sizeof *v);
            part = v_exp2(part);
            memcpy(v + i, &part, count * sizeof *v);
        }
    }
    mode_leave(saved);
}

static void row_sums(const float *p, size_t ldp, const float *w, size_t count, double *y)
{
    const mode saved = mode_enter();

    for (size_t i = 0; i < ROWS; i++) {
        vec sum[VECS];

        EACH(v, VECS)
        sum[v] = v_set1(0);
        for (size_t j = 0; j < count; j += LANES) {
            EACH(v, VECS)
            sum[v] = v_fma(v_load(p + i * ldp + j + v * VL), v_load(w + j + v * VL), sum[v]);
        }
        EACH(v, VECS)
        y[i] += (double)v_sum(sum[v]);
    }
    mode_leave(saved);
}

/* Largest of the lanes, by halves. */
ALWAYS float largest_lane(vec v)
{
    _Alignas(64) float lanes[VL];

    v_store(lanes, v);
    for (size_t half = VL / 2; half > 0; half /= 2) {
        for (size_t i = 0; i < half; i++)
            lanes[i] = lanes[i] > lanes[i + half] ? lanes[i] : lanes[i + half];
    }
    return lanes[0];
}

/* Four independent chains: one would wait for its own last result. */
static float soften(float *e, size_t n, float *top)
{
    enum { CHAINS = 4 };
    const mode saved = mode_enter();
    const size_t whole = n / (CHAINS * VL) * (CHAINS * VL);
    vec most[CHAINS], sum[CHAINS], shift;
    float largest;

    EACH(c, CHAINS)
    {
        most[c] = v_set1(-INFINITY);
        sum[c] = v_set1(0);
    }
    for (size_t j = 0; j < whole; j += CHAINS * VL) {
        EACH(c, CHAINS)
        most[c] = v_max(v_load(e + j + c * VL), most[c]);
    }
    for (size_t j = whole; j < n; j += VL)
        most[0] = v_max(v_load(e + j), most[0]);
    largest = largest_lane(v_max(v_max(most[0], most[1]), v_max(most[2], most[3])));
    *top = largest > -INFINITY ? largest : 0;
    shift = v_set1(*top);
    for (size_t j = 0; j < whole; j += CHAINS * VL) {
        EACH(c, CHAINS)
        {
            const vec p = v_exp2(v_sub(v_load(e + j + c * VL), shift));

            v_store(e + j + c * VL, p);
            sum[c] = v_add(sum[c], p);
        }
    }
    for (size_t j = whole; j < n; j += VL) {
        const vec p = v_exp2(v_sub(v_load(e + j), shift));

        v_store(e + j, p);
        sum[0] = v_add(sum[0], p);
    }
    mode_leave(saved);
    return v_sum(v_add(v_add(sum[0], sum[1]), v_add(sum[2], sum[3])));
}

static void add_squares(const float *v, float factor, size_t n, float *sum)
{
    const vec f = v_set1(factor);

    for (size_t j = 0; j < n; j += VL) {
        const vec scaled = v_mul(v_load(v + j), f);

        v_store(sum + j, v_fma(scaled, scaled, v_load(sum + j)));
    }
}

/* `vecs` vectors of columns, beginning at column 0 of x and y. */
ALWAYS void accumulate_columns(const float *p, size_t ldp, size_t count, const float *x, size_t ldx,
                               float *y, const size_t vecs)
{
    vec acc[ROWS][VECS];

    EACH(i, ROWS)
    EACH(v, vecs)
    acc[i][v] = v_load(y + i * ldx + v * VL);
    _Pragma("GCC unroll 4") for (size_t j = 0; j < count; j++)
    {
        vec value[VECS];

        EACH(v, vecs)
        value[v] = v_load(x + j * ldx + v * VL);
        EACH(i, ROWS)
        {
            const vec weight = v_set1(p[i * ldp + j]);

            EACH(v, vecs)
            v_add_product(acc[i][v], weight, value[v]);
        }
    }
    EACH(i, ROWS)
    EACH(v, vecs)
    v_store(y + i * ldx + v * VL, acc[i][v]);
}

static void accumulate(const float *p, size_t ldp, size_t count, const float *x, size_t ldx,
                       float *y)
{
    const mode saved = mode_enter();

    for (size_t c = 0, take; c < ldx; c += take * VL) {
        const size_t left = (ldx - c) / VL;

        /* Never one vector alone where two and two are possible: it lacks independent chains. */
        take = left >= VECS && left != VECS + 1 ? VECS : left >= 2 ? 2 : 1;
        if (take == VECS)
            accumulate_columns(p, ldp, count, x + c, ldx, y + c, VECS);
        else if (take == 2)
            accumulate_columns(p, ldp, count, x + c, ldx, y + c, 2);
        else
            accumulate_columns(p, ldp, count, x + c, ldx, y + c, 1);
    }
    mode_leave(saved);
}

static double multiply_adds(size_t rounds)
{
    vec acc[ROWS][VECS], factor = v_set1(0.5f), term = v_set1(1.0f);

    v_keep(factor);
    v_keep(term);
    EACH(i, ROWS)
    EACH(v, VECS)
    {
        acc[i][v] = term;
        v_keep(acc[i][v]); /* else all chains would be one */
    }
    for (size_t n = 0; n < rounds; n++) {
        EACH(i, ROWS)
        EACH(v, VECS)
        acc[i][v] = v_fma(acc[i][v], factor, term);
    }
    EACH(i, ROWS)
    EACH(v, VECS)
    v_keep(acc[i][v]);
    return 2.0 * (double)rounds * (double)ROWS * (double)LANES;
}

#define TILE_FUNCTIONS                                                                             \
    .rows = ROWS, .lanes = LANES, .exp_rel_err = KMV_EXP2_REL_ERR, .apply = apply,                 \
    .exponents = exponents, .exponents_by_difference = exponents_by_difference,                    \
    .entries = entries, .exp2 = exp2_in_place, .row_sums = row_sums, .accumulate = accumulate,     \
    .soften = soften, .add_squares = add_squares, .multiply_adds = multiply_adds

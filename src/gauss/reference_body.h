/* gauss/reference_body.h - the float64 inner loops, compiled once per instruction set. The
 * including file defines NAME (the kernel), VECTOR_BYTES, ROWS and FMA(a, b, c) on
 * vectors. */
#include <stdint.h>

#include "gauss/reference_kernel.h"

typedef double vec __attribute__((vector_size(VECTOR_BYTES), may_alias));
typedef uint64_t bits __attribute__((vector_size(VECTOR_BYTES), may_alias));

enum {
    LANES = KMV_REFERENCE_LANES,
    WIDTH = VECTOR_BYTES / sizeof(double),
    VECTORS = LANES / WIDTH
};

static inline vec splat(double value)
{
    return value - (vec){0};
}

static void distances(const double *q, const double *k, size_t d, double *e)
{
    vec sum[ROWS][VECTORS] = {0};

    for (size_t l = 0; l < d; l++) {
        const vec *kl = (const vec *)(k + l * LANES);

#pragma GCC unroll 16
        for (size_t i = 0; i < ROWS; i++) {
            const vec qi = splat(q[l * ROWS + i]);

#pragma GCC unroll 16
            for (size_t v = 0; v < VECTORS; v++) {
                const vec difference = qi - kl[v];

                sum[i][v] = FMA(difference, difference, sum[i][v]);
            }
        }
    }
    for (size_t i = 0; i < ROWS; i++) {
        for (size_t v = 0; v < VECTORS; v++)
            *(vec *)(e + i * LANES + v * WIDTH) = sum[i][v];
    }
}

static void dots(const double *q, const double *k, size_t d, double *e)
{
    vec sum[ROWS][VECTORS] = {0};

    for (size_t l = 0; l < d; l++) {
        const vec *kl = (const vec *)(k + l * LANES);

#pragma GCC unroll 16
        for (size_t i = 0; i < ROWS; i++) {
            const vec qi = splat(q[l * ROWS + i]);

#pragma GCC unroll 16
            for (size_t v = 0; v < VECTORS; v++)
                sum[i][v] = FMA(qi, kl[v], sum[i][v]);
        }
    }
    for (size_t i = 0; i < ROWS; i++) {
        for (size_t v = 0; v < VECTORS; v++)
            *(vec *)(e + i * LANES + v * WIDTH) = sum[i][v];
    }
}

/* z = n ln 2 + s with |s| <= ln(2)/2. ln 2 is split so that n times its high part is exact also
 * without FMA (fdlibm e_exp.c). The Taylor polynomial of degree 13 is cut off below 0.3466^14/14! =
 * 4.2e-18; its last three steps are what rounding costs: 0.5 ulp from adding 1, and at most
 * 0.35 (1 + 0.35) ulp more from the terms before. 2^n is added to the exponent field: the low bits
 * of z log2(e) + 1.5 2^52 are n. */
static inline vec exp_vector(vec z)
{
    const vec magic = splat(0x1.8p52);
    const vec shifted = FMA(z, splat(0x1.71547652b82fep0), magic);
    const vec n = shifted - magic;
    const vec s = FMA(n, splat(-0x1.a39ef35793c76p-33), FMA(n, splat(-0x1.62e42feep-1), z));
    static const double inverse_factorial[] = {1.0 / 6227020800,
                                               1.0 / 479001600,
                                               1.0 / 39916800,
                                               1.0 / 3628800,
                                               1.0 / 362880,
                                               1.0 / 40320,
                                               1.0 / 5040,
                                               1.0 / 720,
                                               1.0 / 120,
                                               1.0 / 24,
                                               1.0 / 6,
                                               1.0 / 2,
                                               1.0,
                                               1.0};
    vec p = splat(inverse_factorial[0]);

#pragma GCC unroll 16
    for (size_t i = 1; i < sizeof inverse_factorial / sizeof *inverse_factorial; i++)
        p = FMA(p, s, splat(inverse_factorial[i]));
    return (vec)(((bits)p + ((bits)shifted << 52)) & (bits)(z >= splat(-708)));
}

static void exp_rows(double *e, const double *shift, double factor)
{
    for (size_t i = 0; i < ROWS; i++) {
        for (size_t v = 0; v < VECTORS; v++) {
            vec *at = (vec *)(e + i * LANES + v * WIDTH);

            *at = exp_vector(splat(factor) * (*at - splat(shift[i])));
        }
    }
}

/* sum + term exactly as new sum and remainder, whichever is larger: Knuth's two-sum. */
static inline void two_sum(vec term, vec *sum, vec *rest)
{
    const vec total = *sum + term;
    const vec taken = total - *sum;

    *rest += (*sum - (total - taken)) + (term - taken);
    *sum = total;
}

static void add(const double *e, const double *w, double *sum, double *rest)
{
    for (size_t i = 0; i < ROWS; i++) {
        for (size_t v = 0; v < VECTORS; v++) {
            const size_t at = i * LANES + v * WIDTH;

            two_sum(*(const vec *)(e + at) * *(const vec *)(w + v * WIDTH), (vec *)(sum + at),
                    (vec *)(rest + at));
        }
    }
}

static void add_columns(const double *e, const double *x, size_t ld, double *sum, double *rest)
{
    for (size_t i = 0; i < ROWS; i++) {
        for (size_t c = 0; c < ld; c += WIDTH) {
            vec panel = {0};

#pragma GCC unroll 16
            for (size_t j = 0; j < LANES; j++)
                panel = FMA(splat(e[i * LANES + j]), *(const vec *)(x + j * ld + c), panel);
            two_sum(panel, (vec *)(sum + i * ld + c), (vec *)(rest + i * ld + c));
        }
    }
}

const kmv_reference_kernel NAME = {
    .rows = ROWS,
    .distances = distances,
    .dots = dots,
    .exp = exp_rows,
    .add = add,
    .add_columns = add_columns,
};

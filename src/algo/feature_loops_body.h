/* algo/feature_loops_body.h - loops that compilers vectorise by themselves; included once per
 * instruction set, so that each gets what its flags allow. */
#include "algo/feature_loops.h"

#include <math.h>
#include <string.h>

enum { LANES = 16, AT_ONCE = 128 };

/* Compilers do not reorder a maximum of floats; independent lanes give them leave. */
static float largest(const float *v, size_t n)
{
    float lane[LANES], top;
    size_t i = 0;

    for (size_t t = 0; t < LANES; t++)
        lane[t] = v[t < n ? t : 0];
    for (; i + LANES <= n; i += LANES) {
        for (size_t t = 0; t < LANES; t++)
            lane[t] = v[i + t] > lane[t] ? v[i + t] : lane[t];
    }
    for (; i < n; i++)
        lane[0] = v[i] > lane[0] ? v[i] : lane[0];
    top = lane[0];
    for (size_t t = 1; t < LANES; t++)
        top = lane[t] > top ? lane[t] : top;
    return top;
}

static void column_tops(const float *e, size_t n, size_t m, const float *scale, float *top)
{
    for (size_t f = 0; f < m; f++)
        top[f] = -INFINITY;
    for (size_t i = 0; i < n; i++) {
        const float *row = e + i * m;
        const float a = scale[i];

        for (size_t f = 0; f < m; f++)
            top[f] = row[f] + a > top[f] ? row[f] + a : top[f];
    }
    for (size_t f = 0; f < m; f++)
        top[f] = ceilf(top[f]);
}

static void shift(float *e, size_t n, size_t m, const float *scale, const float *top)
{
    for (size_t i = 0; i < n; i++) {
        float *row = e + i * m;
        const float a = scale[i];

        for (size_t f = 0; f < m; f++)
            row[f] = (row[f] + a) - top[f];
    }
}

static void shift_rows(const float *e, size_t n, size_t m, const float *top, float *out,
                       float *row_top)
{
    for (size_t i = 0; i < n; i++) {
        const float *row = e + i * m;
        float *to = out + i * m, most;

        for (size_t f = 0; f < m; f++)
            to[f] = row[f] + top[f];
        most = ceilf(largest(to, m));
        for (size_t f = 0; f < m; f++)
            to[f] = to[f] - most;
        row_top[i] = most;
    }
}

static void scale(float a, float *v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        v[i] = a * v[i];
}

/* With s, c the sine and cosine of half the angle, |x| <= pi/2, the Taylor sums to x^11 and x^12
 * are off by at most (pi/2)^13/13! = 6e-8 and (pi/2)^14/14! = 7e-9. */
static void cos_sin_some(const float *restrict turns, float *restrict cosine, float *restrict sine)
{
    const float whole = 12582912.0f; /* 1.5 2^23: adding and subtracting it rounds to a whole */

    for (size_t i = 0; i < AT_ONCE; i++) {
        const float t = turns[i], x = 3.14159265f * (t - ((t + whole) - whole)), z = x * x;
        float s = -2.50521084e-8f, c = 2.08767570e-9f;

        s = s * z + 2.75573192e-6f;
        s = s * z - 1.98412698e-4f;
        s = s * z + 8.33333333e-3f;
        s = s * z - 1.66666667e-1f;
        s = x + x * (s * z);
        c = c * z - 2.75573192e-7f;
        c = c * z + 2.48015873e-5f;
        c = c * z - 1.38888889e-3f;
        c = c * z + 4.16666667e-2f;
        c = c * z - 0.5f;
        c = 1 + c * z;
        cosine[i] = 1 - 2 * s * s;
        sine[i] = 2 * s * c;
    }
}

/* Through buffers, since results may overwrite the turns, which would keep the loop from being
 * vectorised. */
static void cos_sin(const float *turns, const float *phase, size_t n, float *cosine, float *sine)
{
    float t[AT_ONCE] = {0}, c[AT_ONCE], s[AT_ONCE];

    for (size_t first = 0; first < n; first += AT_ONCE) {
        const size_t count = n - first < AT_ONCE ? n - first : AT_ONCE;

        memcpy(t, turns + first, count * sizeof *t);
        for (size_t i = 0; i < count && phase != NULL; i++)
            t[i] += phase[first + i];
        cos_sin_some(t, c, s);
        memcpy(cosine + first, c, count * sizeof *c);
        if (sine != NULL)
            memcpy(sine + first, s, count * sizeof *s);
    }
}

#define FEATURE_LOOPS column_tops, shift, shift_rows, scale, cos_sin

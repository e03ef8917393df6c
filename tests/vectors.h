/* tests/vectors.h - lengths and moments of n numbers, in double. */
#ifndef KMV_TESTS_VECTORS_H
#define KMV_TESTS_VECTORS_H

#include <math.h>
#include <stddef.h>

/** |a|^2 */
static inline double norm2(const double *a, size_t n)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += a[i] * a[i];
    return sum;
}

static inline double norm(const double *a, size_t n)
{
    return sqrt(norm2(a, n));
}

/** |a - b|^2 */
static inline double distance2(const double *a, const double *b, size_t n)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += (a[i] - b[i]) * (a[i] - b[i]);
    return sum;
}

static inline double distance(const double *a, const double *b, size_t n)
{
    return sqrt(distance2(a, b, n));
}

/** Central moments of n numbers. */
typedef struct {
    double mean, variance, fourth;
} moments;

static inline moments moments_of(const double *a, size_t n)
{
    moments m = {0};

    for (size_t i = 0; i < n; i++)
        m.mean += a[i] / (double)n;
    for (size_t i = 0; i < n; i++) {
        const double d2 = (a[i] - m.mean) * (a[i] - m.mean);

        m.variance += d2 / (double)n;
        m.fourth += d2 * d2 / (double)n;
    }
    return m;
}

#endif

/* tests/softmax_points.h - points and plain float64 sums for the tests of attention. Every name is
 * static: a test uses what it needs. */
#ifndef KMV_TESTS_SOFTMAX_POINTS_H
#define KMV_TESTS_SOFTMAX_POINTS_H

#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "points.h"
#include "vectors.h"

#define UNUSED_OK __attribute__((unused))

/* A fixed sequence in [-1/2, 1/2): the linear congruential generator of Numerical Recipes. */
UNUSED_OK static double draw(uint32_t *s)
{
    *s = *s * 1664525u + 1013904223u;
    return (double)*s / 4294967296.0 - 0.5;
}

/* Points uniform in a cube of that side, times `size`, around `shift` in every coordinate. */
UNUSED_OK static void cube(kmv_points *p, size_t n, size_t d, double size, double shift,
                           uint32_t seed)
{
    kmv_error err;

    CHECK_OK(kmv_points_init(p, n, d, &err));
    for (size_t i = 0; i < n; i++) {
        for (size_t l = 0; l < d; l++)
            p->x[i * p->ld + l] = (float)(shift + size * draw(&seed));
    }
}

/* Points around `clusters` centres, point i in cluster i * 7 mod clusters or, in order, in runs:
 * centres uniform in a cube of side 2 size, points within `spread` of them. The same seed gives
 * queries and keys the same centres. */
UNUSED_OK static void clusters(kmv_points *p, size_t n, size_t d, size_t count, double size,
                               double spread, int runs, uint32_t seed)
{
    kmv_error err;
    uint32_t of_points = seed * 77 + (uint32_t)n;

    CHECK_OK(kmv_points_init(p, n, d, &err));
    for (size_t i = 0; i < n; i++) {
        const size_t c = runs ? i * count / n : i * 7 % count;
        uint32_t s = seed + 1000 * (uint32_t)c;

        for (size_t l = 0; l < d; l++)
            p->x[i * p->ld + l] =
                (float)(2 * size * draw(&s) + spread * (draw(&of_points) + draw(&of_points)));
    }
}

UNUSED_OK static double *numbers(size_t count, uint32_t seed)
{
    double *x = malloc(count * sizeof *x);

    assert_non_null(x);
    for (size_t m = 0; m < count; m++)
        x[m] = draw(&seed) + 0.1;
    return x;
}

/* Logit of query i and key j in double, with origins. */
UNUSED_OK static double logit(const kmv_problem *p, size_t i, size_t j)
{
    double dot = 0;

    for (size_t l = 0; l < p->q->d; l++)
        dot += coordinate(p->q, i, l) * coordinate(p->k, j, l);
    return dot / (p->sigma * p->sigma);
}

#endif

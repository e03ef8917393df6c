/* algo/directions.c - see directions.h. */
#include "algo/directions.h"

#include <gsl/gsl_randist.h>
#include <math.h>

static double dot(const double *a, const double *b, size_t d)
{
    double sum = 0;

    for (size_t l = 0; l < d; l++)
        sum += a[l] * b[l];
    return sum;
}

/* Make `row` orthogonal to unit rows v and of length 1. A row that vanishes against the others has
 * probability 0; twice, since once leaves a part of the order of rounding over what is left. */
static void orthonormalise(double *row, const double *v, size_t rows, size_t d)
{
    for (int round = 0; round < 2; round++) {
        double length;

        for (size_t m = 0; m < rows; m++) {
            const double part = dot(row, v + m * d, d);

            for (size_t l = 0; l < d; l++)
                row[l] -= part * v[m * d + l];
        }
        length = sqrt(dot(row, row, d));
        for (size_t l = 0; l < d; l++)
            row[l] /= length;
    }
}

void kmv_directions_draw(gsl_rng *rng, size_t count, size_t d, int orthogonal, double *w)
{
    for (size_t i = 0; i < count; i++) {
        double *row = w + i * d;

        for (size_t l = 0; l < d; l++)
            row[l] = gsl_ran_gaussian_ziggurat(rng, 1);
        if (orthogonal)
            orthonormalise(row, w + (i - i % d) * d, i % d, d);
    }
    for (size_t i = 0; i < count && orthogonal; i++) {
        const double length = sqrt(gsl_ran_chisq(rng, (double)d));

        for (size_t l = 0; l < d; l++)
            w[i * d + l] *= length;
    }
}

double kmv_directions_flops(size_t count, size_t d)
{
    const double others = (double)(count < d ? count : d) / 2;

    return 8 * (double)count * others * (double)d;
}

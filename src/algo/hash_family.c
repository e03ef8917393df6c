/* algo/hash_family.c - see hash_family.h. */
#include "algo/hash_family.h"

#include <gsl/gsl_cdf.h>
#include <math.h>

static const double PI = 3.14159265358979323846;

void kmv_hash_agreement(double theta, double agree[KMV_HASH_POINTS])
{
    const double slope = cos(theta) / fmax(sin(theta), 1e-12), step = 1.0 / KMV_HASH_POINTS;
    double beyond = 0;

    for (size_t m = KMV_HASH_POINTS; m-- > 0;) {
        const double quantile = ((double)m + 0.5) * step;
        const double u = gsl_cdf_ugaussian_Pinv((1 + quantile) / 2);
        const double here = 0.5 * erfc(-u * slope * 0.70710678118654752440) * step;

        agree[m] = beyond + here / 2;
        beyond += here;
    }
}

static double power(double x, size_t n)
{
    double out = 1;

    for (; n > 0; n >>= 1, x *= x)
        out *= (n & 1) != 0 ? x : 1;
    return out;
}

double kmv_hash_probability(double theta, const double agree[KMV_HASH_POINTS], kmv_hash_shape shape)
{
    const size_t b = shape.bits, f = shape.wild;
    double sum = 0, norm = 0;

    if (f == 0)
        return power(1 - theta / PI, b);
    if (f == b)
        return 1;
    /* The weights are normalised by what the same rule gives for A(F) = 1 - F, theta = 0, where the
     * integral is 1: that takes most of the rule's error away and the binomial with it. */
    for (size_t m = 0; m < KMV_HASH_POINTS; m++) {
        const double quantile = ((double)m + 0.5) / KMV_HASH_POINTS;
        const double weight = power(quantile, f - 1);

        sum += weight * power(agree[m], b - f);
        norm += weight * power(1 - quantile, b - f);
    }
    return sum / norm;
}

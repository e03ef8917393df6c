/* gauss/peak.c - see peak.h. */
#include "gauss/peak.h"

#include <math.h>
#include <omp.h>

#include "base/clock.h"
#include "base/mem.h"

enum { RUNS = 25, TRIAD_ELEMENTS = (64 << 20) / (int)sizeof(double), TRIAD_RUNS = 5 };

double kmv_peak_flops(const kmv_tile *tile, int threads)
{
    const double run_s = 4e-3;
    size_t rounds = 1000;
    double best = 0;

    /* The shorter of two: one may have been interrupted. */
    for (double took = 0; took < run_s; rounds *= 2) {
        took = INFINITY;
        for (int run = 0; run < 2; run++) {
            const double start = kmv_now_s();

            tile->multiply_adds(rounds);
            took = fmin(took, kmv_now_s() - start);
        }
    }
    for (int run = 0; run < RUNS; run++) {
        double flops = 0, start = 0, took;

#pragma omp parallel num_threads(threads) reduction(+ : flops)
        {
#pragma omp barrier
#pragma omp master
            start = kmv_now_s();
            flops += tile->multiply_adds(rounds);
        }
        took = kmv_now_s() - start;
        if (took > 0 && flops / took > best)
            best = flops / took;
    }
    return best;
}

double kmv_peak_bandwidth(int threads)
{
    const size_t n = (size_t)TRIAD_ELEMENTS * (size_t)threads;
    double *a = kmv_alloc(3 * n, sizeof *a, "arrays of the bandwidth test", NULL);
    double *b, *c, best = 0;

    if (a == NULL)
        return 0;
    b = a + n;
    c = b + n;
    for (int run = 0; run < TRIAD_RUNS; run++) {
        const double start = kmv_now_s();
        double took;

#pragma omp parallel for num_threads(threads) schedule(static)
        for (size_t i = 0; i < n; i++)
            a[i] = b[i] + 3.0 * c[i];
        took = kmv_now_s() - start;
        if (took > 0 && 24.0 * (double)n / took > best)
            best = 24.0 * (double)n / took;
    }
    kmv_free(a);
    return best;
}

/* algo/probe_check.c - see probe_check.h. */
#include "algo/probe_check.h"

#include <math.h>
#include <string.h>

enum { BLOCK = 8192 }; /* keys: floats are summed within, doubles across */

/* From the sums of the rows' squared errors and of their squares. */
static kmv_probe_residue residue_of(double sum, double sum2, double rows, double factor)
{
    const double mean = sum / rows;
    const double spread = sqrt(fmax(0, sum2 / rows - mean * mean) / rows);

    return (kmv_probe_residue){.left = mean * factor, .upper = (mean + 2 * spread) * factor};
}

kmv_probe_residue kmv_probe_measure(kmv_probe *p, double x_norm2, double unit,
                                    const kmv_apply_context *context)
{
    const size_t n_k = p->problem.k->n, r = context->r, rows = p->checks;
    double sum = 0, sum2 = 0;

    memset(p->residual, 0, rows * r * sizeof *p->residual);
    for (size_t c = 0; c < r; c++) {
        for (size_t j = 0; j < n_k; j++)
            p->column[j] = (float)((1 - p->in_s[j]) * context->x[j * r + c] / unit);
#pragma omp parallel for num_threads(p->threads) schedule(static)
        for (size_t i = 0; i < rows; i++) {
            for (size_t j = 0; j < n_k; j += BLOCK)
                p->residual[i * r + c] += unit * (double)p->sketcher.isa->dot_bfloat16(
                                                     p->light + i * n_k + j, p->column + j,
                                                     n_k - j < BLOCK ? n_k - j : BLOCK);
        }
    }
    context->cost->flops += 2 * (double)rows * (double)n_k * (double)r;
    for (size_t i = 0; i < rows; i++) {
        double norm2 = 0;

        for (size_t c = 0; c < r; c++) {
            const double e = p->residual[i * r + c] / unit;

            norm2 += e * e;
        }
        sum += norm2;
        sum2 += norm2 * norm2;
    }
    return residue_of(sum, sum2, (double)rows, (double)p->problem.q->n / x_norm2);
}

void kmv_probe_estimate(kmv_probe *p, size_t count, const kmv_apply_context *context)
{
    const size_t n_k = p->problem.k->n, r = context->r;

    memset(p->estimate, 0, p->checks * r * sizeof *p->estimate);
#pragma omp parallel for num_threads(p->threads) schedule(static)
    for (size_t i = 0; i < p->checks; i++) {
        const uint64_t word = p->word_q[p->check[i]];

        for (size_t s = 0; s < count; s++) {
            const size_t j = p->index[s];
            const float g = kmv_from_bfloat16(p->light[i * n_k + j]);
            double factor = p->in_s[j];

            if (kmv_probe_is_forced(p, j))
                continue;
            if (p->heavy != NULL && p->options->clip && kmv_probe_clips(p, word, (uint32_t)j, g))
                factor = 1;
            for (size_t c = 0; c < r; c++)
                p->estimate[i * r + c] += factor * (double)g * context->x[j * r + c];
        }
    }
    context->cost->flops += 2 * (double)p->checks * (double)count * (double)r;
}

double kmv_probe_fit(const kmv_probe *p, size_t r, double x_norm2, double unit,
                     kmv_probe_residue *after)
{
    const size_t rows = p->checks;
    double both = 0, own = 0, sum = 0, sum2 = 0, lambda;

    for (size_t t = 0; t < rows * r; t++) {
        const double e = p->estimate[t] / unit, exact = p->residual[t] / unit;

        both += e * exact;
        own += e * e;
    }
    lambda = own > 0 ? fmax(0, both / own) : 0;
    for (size_t i = 0; i < rows; i++) {
        double norm2 = 0;

        for (size_t t = i * r; t < (i + 1) * r; t++) {
            const double e = (p->residual[t] - lambda * p->estimate[t]) / unit;

            norm2 += e * e;
        }
        sum += norm2;
        sum2 += norm2 * norm2;
    }
    *after = residue_of(sum, sum2, (double)rows, (double)p->problem.q->n / x_norm2);
    return lambda;
}

/* algo/projections.c - see projections.h. */
#include "algo/projections.h"

#include <gsl/gsl_randist.h>
#include <string.h>

#include "base/mem.h"

kmv_status kmv_projections_init(kmv_projections *p, const kmv_tile *tile, size_t count, size_t d,
                                gsl_rng *rng, kmv_error *err)
{
    kmv_projections out = {.kernel = kmv_join_for(tile), .count = count, .d = d};
    const size_t width = out.kernel->width;

    out.groups = (count + width - 1) / width;
    out.ld = out.groups * width;
    out.directions = kmv_alloc(out.ld * d, sizeof *out.directions, "random directions", err);
    if (out.directions == NULL)
        return KMV_ENOMEM;
    for (size_t b = 0; b < count; b++) {
        float *group = out.directions + b / width * width * d + b % width;

        for (size_t l = 0; l < d; l++)
            group[l * width] = (float)gsl_ran_gaussian_ziggurat(rng, 1);
    }
    *p = out;
    return KMV_OK;
}

void kmv_projections_clear(kmv_projections *p)
{
    kmv_free(p->directions);
    *p = (kmv_projections){0};
}

void kmv_projections_shift(const kmv_projections *p, const kmv_points *points, const double *centre,
                           float *product)
{
    const size_t width = p->kernel->width;

    for (size_t b = 0; b < p->ld; b++) {
        const float *group = p->directions + b / width * width * p->d + b % width;
        double sum = 0;

        for (size_t l = 0; l < p->d; l++) {
            const double origin = points->origin != NULL ? points->origin[l] : 0;

            sum += (double)group[l * width] * (origin - (centre != NULL ? centre[l] : 0));
        }
        product[b] = (float)sum;
    }
}

void kmv_projections_of(const kmv_projections *p, const kmv_points *points, const float *shift,
                        size_t first, size_t count, float *product)
{
    const size_t rows = p->kernel->rows;

    for (size_t t = 0; t < count; t += rows) {
        const float *row[KMV_JOIN_ROWS];

        for (size_t i = 0; i < rows; i++)
            row[i] = points->x + (first + (t + i < count ? t + i : count - 1)) * points->ld;
        p->kernel->dots(row, p->directions, p->groups, p->d, product + t * p->ld);
    }
    for (size_t t = 0; t < count; t++) {
        for (size_t b = 0; b < p->ld; b++)
            product[t * p->ld + b] += shift[b];
    }
}

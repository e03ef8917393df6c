/* algo/positive_features.c - see positive_features.h. */
#include "algo/positive_features.h"

#include <cblas.h>

#include "algo/directions.h"
#include "base/mem.h"
#include "base/rng.h"

static const double LOG2_E = 1.44269504088896340736;

static void rows(const void *map, kmv_role role, size_t first, size_t count, float *out,
                 float *scale)
{
    const kmv_positive_features *f = map;
    const kmv_scaled *u = kmv_feature_points_of(&f->points, role);
    const size_t m = f->map.features, d = u->d;

    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)count, (int)m, (int)d, 1,
                u->x + first * u->ld, (int)u->ld, f->w, (int)d, 0, out, (int)m);
    for (size_t i = 0; i < count; i++)
        scale[i] = role == KMV_QUERIES ? -f->points.q_half[first + i]
                                       : f->points.tilt[first + i] - f->points.k_half[first + i];
}

static kmv_status draw(kmv_positive_features *f, size_t d, int orthogonal, uint64_t key,
                       kmv_error *err)
{
    double *w = kmv_alloc(f->directions * d, sizeof *w, "directions", err);
    gsl_rng *rng = kmv_rng_create(key, err);
    kmv_status st = KMV_ENOMEM;

    if (w == NULL || rng == NULL ||
        (f->w = kmv_alloc(f->map.features * d, sizeof *f->w, "directions", err)) == NULL)
        goto out;
    kmv_directions_draw(rng, f->directions, d, orthogonal, w);
    for (size_t l = 0; l < f->directions * d; l++) {
        f->w[l] = (float)(LOG2_E * w[l]);
        if (f->hyperbolic)
            f->w[f->directions * d + l] = -f->w[l];
    }
    st = KMV_OK;
out:
    if (rng != NULL)
        gsl_rng_free(rng);
    kmv_free(w);
    return st;
}

kmv_status kmv_positive_features_init(kmv_positive_features *f, const kmv_problem *problem,
                                      const kmv_positive_options *options, uint64_t key,
                                      kmv_cost *cost, kmv_error *err)
{
    const size_t d = problem->q->d, m = options->directions * (options->hyperbolic ? 2 : 1);
    kmv_status st;

    *f = (kmv_positive_features){.directions = options->directions,
                                 .hyperbolic = options->hyperbolic};
    f->map = (kmv_feature_map){.map = f,
                               .features = m,
                               .exponents = 1,
                               .factor = 1 / (double)m,
                               .flops = 2 * (double)m * (double)d,
                               .rows = rows};
    if ((st = kmv_feature_points_init(&f->points, problem,
                                      options->centre ? KMV_CENTRE_EACH : KMV_CENTRE_NONE, cost,
                                      err)) != KMV_OK ||
        (st = draw(f, d, options->orthogonal, key, err)) != KMV_OK)
        kmv_positive_features_clear(f);
    cost->flops += options->orthogonal ? kmv_directions_flops(options->directions, d) : 0;
    return st;
}

void kmv_positive_features_clear(kmv_positive_features *f)
{
    if (f == NULL)
        return;
    kmv_feature_points_clear(&f->points);
    kmv_free(f->w);
    *f = (kmv_positive_features){0};
}

/* algo/fourier_features.c - see fourier_features.h. */
#include "algo/fourier_features.h"

#include <cblas.h>
#include <math.h>

#include "algo/directions.h"
#include "base/mem.h"
#include "base/rng.h"

static const double TWO_PI = 6.28318530717958647693;

static void rows(const void *map, kmv_role role, size_t first, size_t count, float *out,
                 float *scale)
{
    const kmv_fourier_features *f = map;
    const kmv_scaled *u = kmv_feature_points_of(&f->points, role);
    const size_t m = f->map.features, half = f->directions, d = u->d;

    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)count, (int)half, (int)d, 1,
                u->x + first * u->ld, (int)u->ld, f->w, (int)d, 0, out, (int)m);
    for (size_t i = 0; i < count; i++) {
        float *row = out + i * m;

        scale[i] = 0;
        f->loops->cos_sin(row, f->phase, half, row, f->phase == NULL ? row + half : NULL);
    }
}

static kmv_status draw(kmv_fourier_features *f, size_t d, int orthogonal, uint64_t key,
                       kmv_error *err)
{
    const size_t count = f->directions;
    double *w = kmv_alloc(count * d, sizeof *w, "directions", err);
    gsl_rng *rng = kmv_rng_create(key, err);
    kmv_status st = KMV_ENOMEM;

    if (w == NULL || rng == NULL ||
        (f->w = kmv_alloc(count * d, sizeof *f->w, "directions", err)) == NULL ||
        (f->kind == KMV_FOURIER_PHASES &&
         (f->phase = kmv_alloc(count, sizeof *f->phase, "phases", err)) == NULL))
        goto out;
    kmv_directions_draw(rng, count, d, orthogonal, w);
    for (size_t l = 0; l < count * d; l++)
        f->w[l] = (float)(w[l] / TWO_PI);
    for (size_t l = 0; l < count && f->phase != NULL; l++)
        f->phase[l] = (float)gsl_rng_uniform(rng);
    st = KMV_OK;
out:
    if (rng != NULL)
        gsl_rng_free(rng);
    kmv_free(w);
    return st;
}

kmv_status kmv_fourier_features_init(kmv_fourier_features *f, const kmv_problem *problem,
                                     const kmv_fourier_options *options, const kmv_tile *tile,
                                     uint64_t key, kmv_cost *cost, kmv_error *err)
{
    const size_t d = problem->q->d, m = options->features;
    const size_t directions = options->kind == KMV_FOURIER_PAIRS ? m / 2 : m;
    kmv_status st;

    *f = (kmv_fourier_features){.kind = (kmv_fourier_kind)options->kind,
                                .loops = kmv_feature_loops_for(tile),
                                .directions = directions};
    f->map = (kmv_feature_map){.map = f,
                               .features = m,
                               .factor = 2 / (double)m,
                               .flops = 2 * (double)directions * (double)d,
                               .rows = rows};
    if ((st = kmv_feature_points_init(&f->points, problem, KMV_CENTRE_BOTH, cost, err)) != KMV_OK ||
        (st = draw(f, d, options->orthogonal, key, err)) != KMV_OK)
        kmv_fourier_features_clear(f);
    cost->flops += options->orthogonal ? kmv_directions_flops(directions, d) : 0;
    return st;
}

void kmv_fourier_features_clear(kmv_fourier_features *f)
{
    if (f == NULL)
        return;
    kmv_feature_points_clear(&f->points);
    kmv_free(f->w);
    kmv_free(f->phase);
    *f = (kmv_fourier_features){0};
}

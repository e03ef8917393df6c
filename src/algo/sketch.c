/* algo/sketch.c - see sketch.h. Compiled for any CPU: what the machine runs is asked here. */
#include "algo/sketch.h"

#include <gsl/gsl_randist.h>
#include <math.h>

#include "base/mem.h"
#include "base/rng.h"

enum { MEDIAN_SAMPLE = 1024 };

extern const kmv_sketch_isa kmv_sketch_avx512, kmv_sketch_avx2, kmv_sketch_portable;
int kmv_sketch_runs_avx512(void);
int kmv_sketch_runs_avx2(void);
int kmv_sketch_runs_portable(void);

static const kmv_sketch_isa *const table[] = {
#if defined(__x86_64__)
    &kmv_sketch_avx512,
    &kmv_sketch_avx2,
#endif
    &kmv_sketch_portable,
};

enum { COUNT = sizeof table / sizeof *table };

#if defined(__x86_64__)
int kmv_sketch_runs_avx512(void)
{
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512vpopcntdq") && __builtin_cpu_supports("popcnt");
}

int kmv_sketch_runs_avx2(void)
{
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("popcnt");
}
#endif

int kmv_sketch_runs_portable(void)
{
    return 1;
}

const kmv_sketch_isa *kmv_sketch_isa_at(size_t i)
{
    return i < COUNT ? table[i] : NULL;
}

const kmv_sketch_isa *kmv_sketch_isa_best(void)
{
    size_t i = 0;

    while (!table[i]->can_run())
        i++;
    return table[i];
}

/* Rows of v: in each group of at most d rows orthonormal. A row that vanishes against the others
 * has probability 0 for normal draws. */
static void draw_directions(gsl_rng *rng, size_t d, double *v)
{
    for (size_t i = 0; i < KMV_SKETCH_BITS; i++) {
        double *row = v + i * d, norm2 = 0;

        for (size_t l = 0; l < d; l++)
            row[l] = gsl_ran_gaussian_ziggurat(rng, 1);
        for (size_t m = i - i % d; m < i; m++) {
            double dot = 0;

            for (size_t l = 0; l < d; l++)
                dot += row[l] * v[m * d + l];
            for (size_t l = 0; l < d; l++)
                row[l] -= dot * v[m * d + l];
        }
        for (size_t l = 0; l < d; l++)
            norm2 += row[l] * row[l];
        for (size_t l = 0; l < d; l++)
            row[l] /= sqrt(norm2);
    }
}

/* The middle one of n values, by Hoare's selection; v is reordered. */
static float median(float *v, size_t n)
{
    const size_t wanted = n / 2;
    size_t lo = 0, hi = n - 1;

    while (lo < hi) {
        const float pivot = v[lo + (hi - lo) / 2];
        size_t i = lo, j = hi;

        while (i <= j) {
            while (v[i] < pivot)
                i++;
            while (v[j] > pivot)
                j--;
            if (i <= j) {
                const float swap = v[i];

                v[i++] = v[j];
                v[j] = swap;
                if (j-- == 0)
                    break;
            }
        }
        if (j != (size_t)-1 && wanted <= j)
            hi = j;
        else if (wanted >= i)
            lo = i;
        else
            break;
    }
    return v[wanted];
}

/* Projections of one panel of packed keys: e[bit * lanes + lane]. */
static void project_panel(const kmv_sketcher *s, const kmv_packed *keys, size_t panel, float *e)
{
    const size_t rows = s->tile->rows, lanes = s->tile->lanes;

    for (size_t b = 0; b < s->blocks; b++)
        s->tile->exponents(s->as_rows + b * rows * s->d, s->zeros, keys->x + panel * lanes * s->d,
                           s->zeros, s->d, 1, e + b * rows * lanes, lanes);
}

static kmv_status set_medians(kmv_sketcher *s, const kmv_problem *problem, const double *centre,
                              kmv_error *err)
{
    const size_t n = problem->k->n, lanes = s->tile->lanes;
    const size_t step = n > MEDIAN_SAMPLE ? n / MEDIAN_SAMPLE : 1, count = n / step;
    kmv_points some = *problem->k;
    kmv_problem sampled = *problem;
    kmv_packed keys = {0};
    kmv_cost ignored = {0};
    float *e = NULL, *values = NULL;
    kmv_status st = KMV_ENOMEM;

    some.n = count;
    some.ld *= step;
    sampled.k = &some;
    if ((e = kmv_alloc(kmv_sketch_room(s), sizeof *e, "projections", err)) == NULL ||
        (values = kmv_alloc(KMV_SKETCH_BITS * count, sizeof *values, "projections", err)) == NULL ||
        (st = kmv_packed_init(&keys, s->tile, KMV_KEYS, count, s->d, 0, err)) != KMV_OK)
        goto out;
    kmv_pack(&keys, &sampled, centre, NULL, count, 1, &ignored);
    for (size_t first = 0; first < count; first += lanes) {
        project_panel(s, &keys, first / lanes, e);
        for (size_t i = 0; i < KMV_SKETCH_BITS; i++) {
            for (size_t t = 0; t < lanes && first + t < count; t++)
                values[i * count + first + t] = e[i * lanes + t];
        }
    }
    for (size_t i = 0; i < KMV_SKETCH_BITS; i++)
        s->threshold[i] = median(values + i * count, count);
    st = KMV_OK;
out:
    kmv_packed_clear(&keys);
    kmv_free(e);
    kmv_free(values);
    return st;
}

kmv_status kmv_sketcher_init(kmv_sketcher *s, const kmv_problem *problem, const double *centre,
                             const kmv_tile *tile, uint64_t key, kmv_error *err)
{
    const size_t d = problem->k->d, rows = tile->rows, lanes = tile->lanes;
    const double unscale = problem->sigma * problem->sigma / 1.44269504088896340736;
    kmv_sketcher out = {.tile = tile,
                        .isa = kmv_sketch_isa_best(),
                        .d = d,
                        .blocks = (KMV_SKETCH_BITS + rows - 1) / rows,
                        .panels = (KMV_SKETCH_BITS + lanes - 1) / lanes};
    gsl_rng *rng = NULL;
    double *v = NULL;
    kmv_status st = KMV_ENOMEM;

    out.width = out.panels * lanes;
    if ((v = kmv_alloc(KMV_SKETCH_BITS * d, sizeof *v, "directions", err)) == NULL ||
        (out.as_rows = kmv_alloc(out.blocks * rows * d, sizeof(float), "directions", err)) ==
            NULL ||
        (out.as_lanes = kmv_alloc(out.width * d, sizeof(float), "directions", err)) == NULL ||
        (out.zeros = kmv_alloc(KMV_LANES_MAX, sizeof(float), "offsets", err)) == NULL ||
        (rng = kmv_rng_create(key, err)) == NULL)
        goto out;
    draw_directions(rng, d, v);
    for (size_t i = 0; i < KMV_SKETCH_BITS; i++) {
        for (size_t l = 0; l < d; l++) {
            out.as_rows[(i / rows * d + l) * rows + i % rows] = (float)v[i * d + l];
            out.as_lanes[(i / lanes * d + l) * lanes + i % lanes] = (float)(v[i * d + l] * unscale);
        }
    }
    if ((st = set_medians(&out, problem, centre, err)) != KMV_OK)
        goto out;
    *s = out;
    out = (kmv_sketcher){0};
out:
    if (rng != NULL)
        gsl_rng_free(rng);
    kmv_free(v);
    kmv_sketcher_clear(&out);
    return st;
}

void kmv_sketcher_clear(kmv_sketcher *s)
{
    if (s == NULL)
        return;
    kmv_free(s->as_rows);
    kmv_free(s->as_lanes);
    kmv_free(s->zeros);
    *s = (kmv_sketcher){0};
}

size_t kmv_sketch_room(const kmv_sketcher *s)
{
    const size_t keys = s->blocks * s->tile->rows * s->tile->lanes;
    const size_t queries = s->width * s->tile->rows;

    return keys > queries ? keys : queries;
}

void kmv_sketch_keys(const kmv_sketcher *s, const kmv_packed *keys, float *buffer, uint64_t *words)
{
    const size_t lanes = s->tile->lanes;

    for (size_t first = 0; first < keys->n; first += lanes) {
        project_panel(s, keys, first / lanes, buffer);
        s->isa->signs_down(buffer, lanes, s->threshold,
                           keys->n - first < lanes ? keys->n - first : lanes, words + first);
    }
}

void kmv_sketch_project(const kmv_sketcher *s, const kmv_packed *queries, size_t block, float *e)
{
    const size_t rows = s->tile->rows, lanes = s->tile->lanes;

    for (size_t p = 0; p < s->panels; p++)
        s->tile->exponents(queries->x + block * rows * s->d, s->zeros,
                           s->as_lanes + p * lanes * s->d, s->zeros, s->d, 1, e + p * lanes,
                           s->width);
}

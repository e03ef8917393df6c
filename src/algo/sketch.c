/* algo/sketch.c - see sketch.h. Compiled for any CPU: what the machine runs is asked here. */
#include "algo/sketch.h"

#include <gsl/gsl_randist.h>
#include <math.h>

#include "base/cpu.h"
#include "base/mem.h"
#include "base/rng.h"

enum { MEDIAN_SAMPLE = 256 };

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
    return kmv_cpu_counts_bits(KMV_CPU_AVX512);
}

int kmv_sketch_runs_avx2(void)
{
    return kmv_cpu_counts_bits(KMV_CPU_AVX2);
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
        double *row = v + i * d, norm2 = 0, factor;

        for (size_t l = 0; l < d; l++)
            row[l] = gsl_ran_gaussian_ziggurat(rng, 1);
        for (size_t m = i - i % d; m < i; m++) {
            double dot = 0;

#pragma omp simd reduction(+ : dot)
            for (size_t l = 0; l < d; l++)
                dot += row[l] * v[m * d + l];
            for (size_t l = 0; l < d; l++)
                row[l] -= dot * v[m * d + l];
        }
        for (size_t l = 0; l < d; l++)
            norm2 += row[l] * row[l];
        factor = 1 / sqrt(norm2);
        for (size_t l = 0; l < d; l++)
            row[l] *= factor;
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

/* Medians over every so-manieth key. */
static kmv_status set_medians(kmv_sketcher *s, const kmv_points *keys, kmv_error *err)
{
    const size_t step = keys->n > MEDIAN_SAMPLE ? keys->n / MEDIAN_SAMPLE : 1;
    const size_t count = keys->n / step;
    float *e = kmv_alloc(KMV_SKETCH_BITS * count, sizeof *e, "projections", err);
    float *values = kmv_alloc(count, sizeof *values, "projections", err);
    kmv_status st = KMV_ENOMEM;

    if (e == NULL || values == NULL)
        goto out;
    s->isa->project(keys->x, step * keys->ld, count, s->across, s->d, e);
    for (size_t i = 0; i < KMV_SKETCH_BITS; i++) {
        for (size_t t = 0; t < count; t++)
            values[t] = e[t * KMV_SKETCH_BITS + i];
        s->threshold_k[i] = median(values, count);
    }
    st = KMV_OK;
out:
    kmv_free(e);
    kmv_free(values);
    return st;
}

/* What the stored rows of queries lack, compared with those of keys, goes into the thresholds. */
static void shift_thresholds(kmv_sketcher *s, const kmv_problem *problem, const double *v)
{
    const double *o_q = problem->q->origin, *o_k = problem->k->origin;

    for (size_t i = 0; i < KMV_SKETCH_BITS; i++) {
        double lacks = 0;

        for (size_t l = 0; l < s->d; l++)
            lacks += v[i * s->d + l] * ((o_q != NULL ? o_q[l] : 0) - (o_k != NULL ? o_k[l] : 0));
        s->threshold_q[i] = (float)((double)s->threshold_k[i] - lacks);
    }
}

kmv_status kmv_sketcher_init(kmv_sketcher *s, const kmv_problem *problem, uint64_t key,
                             kmv_error *err)
{
    const size_t d = problem->k->d;
    kmv_sketcher out = {.isa = kmv_sketch_isa_best(), .d = d};
    gsl_rng *rng = NULL;
    double *v = NULL;
    kmv_status st = KMV_ENOMEM;

    if ((v = kmv_alloc(KMV_SKETCH_BITS * d, sizeof *v, "directions", err)) == NULL ||
        (out.across = kmv_alloc(KMV_SKETCH_BITS * d, sizeof(float), "directions", err)) == NULL ||
        (out.threshold_q = kmv_alloc(KMV_SKETCH_BITS, sizeof(float), "medians", err)) == NULL ||
        (out.threshold_k = kmv_alloc(KMV_SKETCH_BITS, sizeof(float), "medians", err)) == NULL ||
        (rng = kmv_rng_create(key, err)) == NULL)
        goto out;
    draw_directions(rng, d, v);
    for (size_t i = 0; i < KMV_SKETCH_BITS; i++) {
        for (size_t l = 0; l < d; l++)
            out.across[l * KMV_SKETCH_BITS + i] = (float)v[i * d + l];
    }
    if ((st = set_medians(&out, problem->k, err)) != KMV_OK)
        goto out;
    shift_thresholds(&out, problem, v);
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
    kmv_free(s->across);
    kmv_free(s->threshold_q);
    kmv_free(s->threshold_k);
    *s = (kmv_sketcher){0};
}

void kmv_sketch_keys(const kmv_sketcher *s, const float *rows, size_t ld, size_t n, float *e,
                     uint64_t *words)
{
    for (size_t first = 0; first < n; first += KMV_SKETCH_AT_ONCE) {
        const size_t count = n - first < KMV_SKETCH_AT_ONCE ? n - first : KMV_SKETCH_AT_ONCE;

        s->isa->project(rows + first * ld, ld, count, s->across, s->d, e);
        for (size_t t = 0; t < count; t++)
            words[first + t] = s->isa->signs(e + t * KMV_SKETCH_BITS, s->threshold_k);
    }
}

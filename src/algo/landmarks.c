/* algo/landmarks.c - see landmarks.h. */
#include "algo/landmarks.h"

#include <cblas.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"

enum { CHUNK = 256 };

/* Selection sampling (Knuth, TAOCP 2, 3.4.2, algorithm S): ascending, and all rows for m = n. */
static kmv_status draw_rows(const kmv_points *p, uint64_t key, kmv_points *out, kmv_error *err)
{
    gsl_rng *rng = kmv_rng_create(key, err);
    size_t taken = 0;

    if (rng == NULL)
        return KMV_ENOMEM;
    for (size_t i = 0; i < p->n && taken < out->n; i++) {
        if ((double)(p->n - i) * gsl_rng_uniform(rng) < (double)(out->n - taken))
            memcpy(out->x + taken++ * out->ld, p->x + i * p->ld, p->ld * sizeof *p->x);
    }
    gsl_rng_free(rng);
    return KMV_OK;
}

/* Row of out = mean of the points whose group it is; groups without points stay. */
static kmv_status take_means(const kmv_points *p, const uint32_t *group, kmv_points *out,
                             kmv_error *err)
{
    const size_t ld = out->ld;
    double *sum = kmv_alloc(out->n * ld, sizeof *sum, "sums of groups", err);
    size_t *count = kmv_alloc(out->n, sizeof *count, "sizes of groups", err);
    const int ok = sum != NULL && count != NULL;

    for (size_t i = 0; ok && i < p->n; i++) {
        double *to = sum + group[i] * ld;

        count[group[i]]++;
        for (size_t l = 0; l < ld; l++)
            to[l] += (double)p->x[i * ld + l];
    }
    for (size_t c = 0; ok && c < out->n; c++) {
        for (size_t l = 0; l < ld && count[c] > 0; l++)
            out->x[c * ld + l] = (float)(sum[c * ld + l] / (double)count[c]);
    }
    kmv_free(sum);
    kmv_free(count);
    return ok ? KMV_OK : KMV_ENOMEM;
}

/* The nearest centre of every point: the least |c|^2 / 2 - p.c. */
static void assign(const kmv_points *p, const kmv_points *centres, float *half, float *dots,
                   uint32_t *group)
{
    const size_t m = centres->n;

    for (size_t c = 0; c < m; c++) {
        const float *row = centres->x + c * centres->ld;

        half[c] = cblas_sdot((int)p->d, row, 1, row, 1) / 2;
    }
    for (size_t first = 0; first < p->n; first += CHUNK) {
        const size_t count = p->n - first < CHUNK ? p->n - first : CHUNK;

        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)count, (int)m, (int)p->d, 1,
                    p->x + first * p->ld, (int)p->ld, centres->x, (int)centres->ld, 0, dots,
                    (int)m);
        for (size_t i = 0; i < count; i++) {
            const float *dot = dots + i * m;
            size_t best = 0;

            for (size_t c = 1; c < m; c++)
                best = half[c] - dot[c] < half[best] - dot[best] ? c : best;
            group[first + i] = (uint32_t)best;
        }
    }
}

kmv_status kmv_landmarks_choose(const kmv_points *p, size_t m, kmv_landmarks kind, size_t rounds,
                                uint64_t key, double *flops, kmv_points *out, kmv_error *err)
{
    kmv_points chosen = {0};
    uint32_t *group = NULL;
    float *half = NULL, *dots = NULL;
    kmv_status st;

    if ((st = kmv_points_init(&chosen, m, p->d, err)) != KMV_OK)
        return st;
    if (p->origin != NULL)
        memcpy(chosen.origin, p->origin, p->d * sizeof *p->origin);
    st = KMV_ENOMEM;
    if ((group = kmv_alloc(p->n, sizeof *group, "groups", err)) == NULL ||
        (half = kmv_alloc(m, sizeof *half, "norms of centres", err)) == NULL ||
        (dots = kmv_alloc(CHUNK * m, sizeof *dots, "inner products", err)) == NULL)
        goto out;
    if (kind == KMV_LANDMARKS_SEGMENTS) {
        for (size_t s = 0; s < m; s++) {
            for (size_t i = s * p->n / m; i < (s + 1) * p->n / m; i++)
                group[i] = (uint32_t)s;
        }
        st = take_means(p, group, &chosen, err);
    } else
        st = draw_rows(p, key, &chosen, err);
    for (size_t t = 0; kind == KMV_LANDMARKS_KMEANS && t < rounds && st == KMV_OK; t++) {
        assign(p, &chosen, half, dots, group);
        st = take_means(p, group, &chosen, err);
        *flops += 2 * (double)p->n * (double)(m + 1) * (double)p->d;
    }
    if (st != KMV_OK)
        goto out;
    *out = chosen;
    chosen = (kmv_points){0};
out:
    kmv_points_clear(&chosen);
    kmv_free(group);
    kmv_free(half);
    kmv_free(dots);
    return st;
}

/* algo/feature_points.c - see feature_points.h. */
#include "algo/feature_points.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/status.h"

static const double LOG2_E = 1.44269504088896340736, NORM2_MOST = 1e5;

/* The mean of some points, in double. */
static void mean_of(const kmv_points *p, double *mean)
{
    memset(mean, 0, p->d * sizeof *mean);
    for (size_t i = 0; i < p->n; i++) {
        for (size_t l = 0; l < p->d; l++)
            mean[l] += (double)p->x[i * p->ld + l];
    }
    for (size_t l = 0; l < p->d; l++)
        mean[l] = mean[l] / (double)p->n + (p->origin != NULL ? p->origin[l] : 0);
}

static void choose_centres(const kmv_problem *problem, kmv_feature_centre centre, double *a,
                           double *b)
{
    const size_t d = problem->q->d;

    memset(a, 0, d * sizeof *a);
    memset(b, 0, d * sizeof *b);
    if (centre == KMV_CENTRE_EACH) {
        mean_of(problem->q, a);
        mean_of(problem->k, b);
    }
    if (centre == KMV_CENTRE_BOTH) {
        kmv_centre(problem, a);
        memcpy(b, a, d * sizeof *b);
    }
}

/* The squares of the rounded rows, since it is those whose features are taken. */
static double half_norms(const kmv_scaled *s, float *half)
{
    double most = 0;

    for (size_t i = 0; i < s->n; i++) {
        const float *u = s->x + i * s->ld;
        double norm2 = 0;

        for (size_t l = 0; l < s->d; l++)
            norm2 += (double)u[l] * (double)u[l];
        half[i] = (float)(LOG2_E / 2 * norm2);
        most = norm2 > most ? norm2 : most;
    }
    return most;
}

static void tilts(kmv_feature_points *p, const double *a, double sigma)
{
    for (size_t j = 0; j < p->k.n; j++) {
        double dot = 0;

        for (size_t l = 0; l < p->k.d; l++)
            dot += a[l] * (double)p->k.x[j * p->k.ld + l];
        p->tilt[j] = (float)(LOG2_E / sigma * dot);
    }
}

kmv_status kmv_feature_points_init(kmv_feature_points *p, const kmv_problem *problem,
                                   kmv_feature_centre centre, kmv_cost *cost, kmv_error *err)
{
    const size_t n_q = problem->q->n, n_k = problem->k->n, d = problem->q->d;
    kmv_feature_points out = {0};
    double *a = NULL, *b, most;
    kmv_status st = KMV_ENOMEM;

    if ((a = kmv_alloc(2 * d, sizeof *a, "centres", err)) == NULL ||
        (out.q_half = kmv_alloc(n_q, sizeof *out.q_half, "norms", err)) == NULL ||
        (out.k_half = kmv_alloc(n_k, sizeof *out.k_half, "norms", err)) == NULL ||
        (out.tilt = kmv_alloc(n_k, sizeof *out.tilt, "weights of keys", err)) == NULL)
        goto out;
    b = a + d;
    choose_centres(problem, centre, a, b);
    if ((st = kmv_scaled_init(&out.q, problem->q, a, problem->sigma, err)) != KMV_OK ||
        (st = kmv_scaled_init(&out.k, problem->k, b, problem->sigma, err)) != KMV_OK)
        goto out;
    out.q_most = half_norms(&out.q, out.q_half);
    out.k_most = half_norms(&out.k, out.k_half);
    most = fmax(out.q_most, out.k_most);
    if (!(most <= NORM2_MOST)) {
        st = kmv_fail(err, KMV_ENOTSUP,
                      "sigma = %g is too small for features: |p|^2 / sigma^2 reaches %g, want <= "
                      "%g",
                      problem->sigma, most, NORM2_MOST);
        goto out;
    }
    out.q_most = sqrt(out.q_most);
    out.k_most = sqrt(out.k_most);
    if (centre == KMV_CENTRE_EACH)
        tilts(&out, a, problem->sigma);
    cost->flops += 6 * (double)(n_q + n_k) * (double)d;
    *p = out;
    out = (kmv_feature_points){0};
out:
    kmv_free(a);
    kmv_feature_points_clear(&out);
    return st;
}

void kmv_feature_points_clear(kmv_feature_points *p)
{
    if (p == NULL)
        return;
    kmv_scaled_clear(&p->q);
    kmv_scaled_clear(&p->k);
    kmv_free(p->q_half);
    kmv_free(p->k_half);
    kmv_free(p->tilt);
    *p = (kmv_feature_points){0};
}

const kmv_scaled *kmv_feature_points_of(const kmv_feature_points *p, kmv_role role)
{
    return role == KMV_QUERIES ? &p->q : &p->k;
}

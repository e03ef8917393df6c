/* base/points.c - sets of points, see kmv.h. */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/status.h"

enum { STRIDE = KMV_ALIGN / sizeof(float) };

kmv_status kmv_points_init(kmv_points *p, size_t n, size_t d, kmv_error *err)
{
    kmv_points out = {.n = n, .d = d, .ld = kmv_round_up(d, STRIDE), .owned = 1};

    if (n == 0 || d == 0)
        return kmv_fail(err, KMV_EINVAL, "points: want n >= 1 and d >= 1, got %zu x %zu", n, d);
    if (out.ld == 0 || out.ld > (size_t)-1 / sizeof(float) / n)
        return kmv_fail(err, KMV_ENOMEM, "points: %zu x %zu overflows", n, d);
    if ((out.x = kmv_alloc(n * out.ld, sizeof(float), "points", err)) == NULL)
        return KMV_ENOMEM;
    if ((out.origin = kmv_alloc(d, sizeof(double), "origin of points", err)) == NULL) {
        kmv_free(out.x);
        return KMV_ENOMEM;
    }
    *p = out;
    return KMV_OK;
}

void kmv_points_clear(kmv_points *p)
{
    if (p == NULL)
        return;
    if (p->owned) {
        kmv_free(p->x);
        kmv_free(p->origin);
    }
    *p = (kmv_points){0};
}

/* Room for n x d elements that stand ld apart. */
static kmv_status init_from(kmv_points *p, size_t n, size_t d, size_t ld, kmv_error *err)
{
    if (ld < d)
        return kmv_fail(err, KMV_EINVAL, "points: row stride %zu < d = %zu", ld, d);
    return kmv_points_init(p, n, d, err);
}

static kmv_status check_finite(double x, size_t i, size_t l, kmv_error *err)
{
    return isfinite(x) ? KMV_OK
                       : kmv_fail(err, KMV_EINVAL, "points: element [%zu, %zu] is %g, want finite",
                                  i, l, x);
}

kmv_status kmv_points_from_f32(kmv_points *p, const float *src, size_t n, size_t d, size_t ld,
                               kmv_error *err)
{
    kmv_points out = {0};
    kmv_status st = init_from(&out, n, d, ld, err);

    if (st != KMV_OK)
        return st;
    for (size_t i = 0; i < n; i++) {
        for (size_t l = 0; l < d; l++) {
            if ((st = check_finite((double)src[i * ld + l], i, l, err)) != KMV_OK)
                goto out;
        }
        memcpy(out.x + i * out.ld, src + i * ld, d * sizeof(float));
    }
    *p = out;
    out = (kmv_points){0};
out:
    kmv_points_clear(&out);
    return st;
}

kmv_status kmv_points_from_f64(kmv_points *p, const double *src, size_t n, size_t d, size_t ld,
                               kmv_error *err)
{
    kmv_points out = {0};
    kmv_status st = init_from(&out, n, d, ld, err);

    if (st != KMV_OK)
        return st;
    /* Each value is divided by n before it is added: a sum of finite values cannot overflow. */
    for (size_t i = 0; i < n; i++) {
        for (size_t l = 0; l < d; l++) {
            if ((st = check_finite(src[i * ld + l], i, l, err)) != KMV_OK)
                goto out;
            out.origin[l] += src[i * ld + l] / (double)n;
        }
    }
    for (size_t i = 0; i < n; i++) {
        for (size_t l = 0; l < d; l++) {
            const float rest = (float)(src[i * ld + l] - out.origin[l]);

            if (!isfinite(rest)) {
                st = kmv_fail(err, KMV_EINVAL,
                              "points: element [%zu, %zu] is %g, too far from the mean for float",
                              i, l, src[i * ld + l]);
                goto out;
            }
            out.x[i * out.ld + l] = rest;
        }
    }
    *p = out;
    out = (kmv_points){0};
out:
    kmv_points_clear(&out);
    return st;
}

kmv_points kmv_points_prefix(const kmv_points *p, size_t n)
{
    kmv_points view = *p;

    view.n = n < p->n ? n : p->n;
    view.owned = 0;
    return view;
}

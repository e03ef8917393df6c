/* algo/scaled.c - see scaled.h. */
#include "algo/scaled.h"

#include "base/mem.h"
#include "base/status.h"

enum { LANES = 16 };

static const double NORM2_MOST = 1e30;

kmv_status kmv_scaled_init(kmv_scaled *s, const kmv_points *p, const double *centre, double sigma,
                           kmv_error *err)
{
    kmv_scaled out = {.n = p->n, .d = p->d, .ld = p->ld};
    double largest = 0;

    if ((out.x = kmv_alloc(p->n, p->ld * sizeof *out.x, "scaled points", err)) == NULL)
        return KMV_ENOMEM;
    for (size_t i = 0; i < p->n; i++) {
        double norm2 = 0;

        for (size_t l = 0; l < p->d; l++) {
            const double origin = p->origin != NULL ? p->origin[l] : 0;
            const double u = ((double)p->x[i * p->ld + l] + (origin - centre[l])) / sigma;

            norm2 += u * u;
            out.x[i * out.ld + l] = (float)u;
        }
        largest = norm2 > largest ? norm2 : largest;
    }
    if (!(largest <= NORM2_MOST)) {
        kmv_scaled_clear(&out);
        return kmv_fail(err, KMV_ENOTSUP,
                        "sigma = %g is too small for these points: |p|^2 / sigma^2 reaches %g, "
                        "want <= %g",
                        sigma, largest, NORM2_MOST);
    }
    *s = out;
    return KMV_OK;
}

void kmv_scaled_clear(kmv_scaled *s)
{
    if (s == NULL)
        return;
    kmv_free(s->x);
    *s = (kmv_scaled){0};
}

float kmv_scaled_distance2(const float *u, const float *v, size_t ld)
{
    float part[LANES] = {0}, sum = 0;

    for (size_t l = 0; l < ld; l += LANES) {
        for (size_t t = 0; t < LANES; t++) { /* independent sums: one vector operation each */
            const float difference = u[l + t] - v[l + t];

            part[t] += difference * difference;
        }
    }
    for (size_t t = 0; t < LANES; t++)
        sum += part[t];
    return sum;
}

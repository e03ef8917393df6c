/* algo/power.c - see power.h. */
#include "algo/power.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "base/status.h"

static double dot(const double *a, const double *b, size_t n)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

/* Divide by the length, which is returned; by the largest entry first, so that squares neither
 * overflow nor vanish. */
static double normalise(double *a, size_t n)
{
    double largest = 0, length;

    for (size_t i = 0; i < n; i++)
        largest = fmax(largest, fabs(a[i]));
    if (!(largest > 0))
        return 0;
    for (size_t i = 0; i < n; i++)
        a[i] /= largest;
    length = sqrt(dot(a, a, n));
    for (size_t i = 0; i < n; i++)
        a[i] /= length;
    return length * largest;
}

static kmv_status multiply(kmv_plan *plan, const double *x, double *y, kmv_power *out,
                           kmv_error *err)
{
    kmv_report report;
    const kmv_status st = kmv_plan_apply(plan, x, 1, y, &report, err);

    if (st != KMV_OK)
        return st;
    out->apply.seconds += report.apply.seconds;
    out->apply.pairs += report.apply.pairs;
    out->apply.flops += report.apply.flops;
    out->isa = report.isa;
    return KMV_OK;
}

/* Mean and standard deviation of the later half of `steps` values. */
static void summarise(const double *s, size_t steps, kmv_power *out)
{
    const size_t first = steps / 2;
    const double count = (double)(steps - first);
    double square = 0;

    out->mean = 0;
    for (size_t t = first; t < steps; t++)
        out->mean += s[t] / count;
    for (size_t t = first; t < steps; t++)
        square += pow(s[t] - out->mean, 2);
    out->sd = count > 1 ? sqrt(square / (count - 1)) : 0;
}

/* Steps until s stands still. z: n_k doubles, s: max_steps. */
static kmv_status iterate(kmv_plan *forward, kmv_plan *back, const kmv_power_spec *spec, size_t n_q,
                          size_t n_k, double *u, double *v, double *z, double *s, kmv_power *out,
                          kmv_error *err)
{
    kmv_status st;

    for (size_t j = 0; j < n_k; j++)
        v[j] = 1 / sqrt((double)n_k);
    while (out->steps < spec->max_steps && !(out->change <= spec->tol)) {
        const double before = out->norm;
        double off = 0;

        out->steps++;
        if ((st = multiply(forward, v, u, out, err)) != KMV_OK)
            return st;
        if (!(normalise(u, n_q) > 0)) {
            out->norm = out->change = out->residual = 0;
            s[out->steps - 1] = 0;
            break;
        }
        if ((st = multiply(back, u, z, out, err)) != KMV_OK)
            return st;
        s[out->steps - 1] = out->norm = dot(z, v, n_k);
        out->change = out->steps > 1 ? fabs(out->norm - before) / fabs(out->norm) : NAN;
        for (size_t j = 0; j < n_k; j++)
            off += pow(z[j] / out->norm - v[j], 2);
        out->residual = sqrt(off);
        if (normalise(z, n_k) > 0)
            memcpy(v, z, n_k * sizeof *v);
    }
    summarise(s, out->steps, out);
    return KMV_OK;
}

/* What both plans cost, asked of a report each. */
static kmv_status add_preparation(kmv_plan *plan, double *x, double *y, size_t n, kmv_power *out,
                                  kmv_error *err)
{
    kmv_report report;
    kmv_status st;

    memset(x, 0, n * sizeof *x); /* the product with 0 costs nothing */
    if ((st = kmv_plan_apply(plan, x, 1, y, &report, err)) != KMV_OK)
        return st;
    out->prepare.seconds += report.prepare.seconds;
    out->prepare.pairs += report.prepare.pairs;
    out->prepare.flops += report.prepare.flops;
    out->mem_peak_b += report.mem_peak_b;
    return KMV_OK;
}

kmv_status kmv_power_norm(const kmv_problem *problem, const kmv_power_spec *spec, double *u,
                          double *v, kmv_power *out, kmv_error *err)
{
    const kmv_problem exchanged = {
        .q = problem->k, .k = problem->q, .matrix = problem->matrix, .sigma = problem->sigma};
    kmv_settings settings = spec->settings;
    kmv_power found = {.change = NAN};
    kmv_plan *forward = NULL, *back = NULL;
    double *z = NULL, *s = NULL;
    kmv_status st;

    if (problem->matrix != KMV_GAUSS || problem->causal)
        return kmv_fail(err, KMV_ENOTSUP,
                        "%s: the power method through an algorithm does Gaussian matrices without "
                        "a causal mask",
                        kmv_algo_name(spec->algo));
    settings.r = 1;
    if ((st = kmv_plan_create(spec->algo, problem, spec->options, &settings, &forward, err)) !=
        KMV_OK)
        goto out;
    settings.seed = kmv_stream_key(settings.seed, "exchanged", 0); /* else samples are the same */
    if ((st = kmv_plan_create(spec->algo, &exchanged, spec->options, &settings, &back, err)) !=
        KMV_OK)
        goto out;
    if ((z = kmv_alloc(problem->k->n, sizeof *z, "a singular vector", err)) == NULL ||
        (s = kmv_alloc(spec->max_steps, sizeof *s, "steps", err)) == NULL) {
        st = KMV_ENOMEM;
        goto out;
    }
    if ((st = add_preparation(forward, v, u, problem->k->n, &found, err)) != KMV_OK ||
        (st = add_preparation(back, u, v, problem->q->n, &found, err)) != KMV_OK ||
        (st = iterate(forward, back, spec, problem->q->n, problem->k->n, u, v, z, s, &found,
                      err)) != KMV_OK)
        goto out;
    *out = found;
out:
    kmv_plan_destroy(forward);
    kmv_plan_destroy(back);
    kmv_free(z);
    kmv_free(s);
    return st;
}

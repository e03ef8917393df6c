/* bench/sigma.c - see sigma.h. */
#include "bench/sigma.h"

#include <math.h>
#include <string.h>

#include "base/status.h"
#include "base/str.h"
#include "gauss/bandwidth.h"

typedef enum { NUMBER, TIMES, SUM } sigma_kind;

static kmv_status parse(const char *text, sigma_kind *kind, double *value, kmv_error *err)
{
    const char *number = text;
    sigma_kind k = NUMBER;
    double v;

    if (*text == 'x') {
        k = TIMES;
        number = text + 1;
    } else if (strncmp(text, "sum:", 4) == 0) {
        k = SUM;
        number = text + 4;
    }
    if (!kmv_parse_real(number, &v) || !(v > 0))
        return kmv_fail(err, KMV_EINVAL,
                        "sigma: want a number > 0, x2 (times the natural one) or sum:1, got '%s'",
                        text);
    *kind = k;
    *value = v;
    return KMV_OK;
}

kmv_status kmv_sigma_check(const char *text, kmv_error *err)
{
    sigma_kind kind;
    double value;

    return parse(text, &kind, &value, err);
}

kmv_status kmv_sigma_resolve(const char *text, const kmv_dataset *data, const kmv_problem *problem,
                             int threads, const char *isa, double *sigma, kmv_error *err)
{
    sigma_kind kind = NUMBER;
    double value = NAN, natural;
    kmv_status st = parse(text, &kind, &value, err);

    if (st != KMV_OK)
        return st;
    switch (kind) {
    case NUMBER:
        *sigma = value;
        break;
    case TIMES:
        if ((st = kmv_dataset_sigma(data, problem->matrix, &natural, err)) == KMV_OK)
            *sigma = value * natural;
        break;
    case SUM:
        if (problem->matrix != KMV_GAUSS)
            return kmv_fail(err, KMV_EINVAL, "sigma: %s is for the gauss matrix only", text);
        st = kmv_sigma_for_sum(problem, value, threads, isa, sigma, err);
        break;
    }
    return st;
}

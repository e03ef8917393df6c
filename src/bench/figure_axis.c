/* bench/figure_axis.c - the range of a logarithmic axis and its tics. */
#include "bench/figure_axis.h"

#include <math.h>

enum { WANTED = 3, ROOM = 8, TICS = 64 };

void kmv_axis_add(kmv_axis *axis, double v)
{
    if (!(isfinite(v) && v > 0))
        return;
    axis->lo = axis->lo == 0 || v < axis->lo ? v : axis->lo;
    axis->hi = v > axis->hi ? v : axis->hi;
}

void kmv_axis_pad(kmv_axis *axis)
{
    double pad;

    if (axis->lo == 0)
        *axis = (kmv_axis){1, 10};
    pad = pow(axis->hi / axis->lo, 0.04);
    if (axis->hi / axis->lo * pad * pad < 1.5)
        pad = sqrt(1.5 * axis->lo / axis->hi);
    axis->lo /= pad;
    axis->hi *= pad;
}

/* A tic at mantissa 10^exponent. */
typedef struct {
    double mantissa;
    int exponent;
} tic;

static double place(tic t)
{
    return t.exponent < 0 ? t.mantissa / pow(10, -t.exponent) : t.mantissa * pow(10, t.exponent);
}

static size_t at_mantissas(const kmv_axis *axis, const double *mantissas, size_t count, tic *tics)
{
    size_t found = 0;

    for (int e = (int)floor(log10(axis->lo)); e <= (int)ceil(log10(axis->hi)); e++) {
        for (size_t i = 0; i < count; i++) {
            const tic t = {mantissas[i], e};

            if (place(t) >= axis->lo && place(t) <= axis->hi && found < TICS)
                tics[found++] = t;
        }
    }
    return found;
}

/* Multiples of a step of 1, 2 or 5 times a power of ten, the largest that gives enough. */
static size_t at_steps(const kmv_axis *axis, tic *tics)
{
    static const double steps[] = {5, 2, 1};
    size_t found = 0;

    for (int e = (int)ceil(log10(axis->hi)); found < WANTED; e--) {
        for (size_t i = 0; i < 3 && found < WANTED; i++) {
            const double unit = place((tic){steps[i], e});

            found = 0;
            for (double m = ceil(axis->lo / unit); m * unit <= axis->hi && found < TICS; m++)
                tics[found++] = (tic){m * steps[i], e};
        }
    }
    return found;
}

static size_t choose(const kmv_axis *axis, tic *tics)
{
    static const double one[] = {1}, three[] = {1, 3}, five[] = {1, 2, 5},
                        six[] = {1, 1.5, 2, 3, 5, 7};
    static const struct {
        const double *mantissas;
        size_t count;
    } sets[] = {{one, 1}, {three, 2}, {five, 3}, {six, 6}};

    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
        const size_t found = at_mantissas(axis, sets[i].mantissas, sets[i].count, tics);

        if (found >= WANTED)
            return found;
    }
    return at_steps(axis, tics);
}

/* 0.02, or 2 10^-5 where that would be long on this axis; powers of ten alone without their 1. */
static void put_label(tic t, int powers, FILE *out)
{
    if (!powers) {
        fprintf(out, "\"%.10g\" ", place(t));
        return;
    }
    while (t.mantissa >= 10) {
        t.mantissa /= 10;
        t.exponent++;
    }
    if (t.mantissa == 1)
        fprintf(out, "\"10^{%d}\" ", t.exponent);
    else
        fprintf(out, "\"%.6g·10^{%d}\" ", t.mantissa, t.exponent);
}

static void put_binary(int first, int last, FILE *out)
{
    const int stride = (last - first) / ROOM + 1;

    for (int e = first; e <= last; e += stride)
        fprintf(out, "%s\"2^{%d}\" %.9g", e > first ? ", " : "", e, ldexp(1, e));
}

void kmv_axis_tics(const kmv_axis *axis, int binary, FILE *out)
{
    static const double between[] = {2, 3, 4, 5, 6, 7, 8, 9};
    const int first = (int)ceil(log2(axis->lo)), last = (int)floor(log2(axis->hi));
    tic tics[TICS], minor[TICS];
    size_t found, stride, n_minor = 0;
    /* A label takes an eighth of the axis. */
    const double apart = 0.125 * log(axis->hi / axis->lo);
    double labelled = 0;
    int powers, decades = 1;

    if (binary && last > first) {
        put_binary(first, last, out);
        return;
    }
    found = choose(axis, tics);
    stride = found / ROOM + 1;
    for (size_t i = 0; i < found; i++)
        decades = decades && tics[i].mantissa == 1;
    powers = decades || place(tics[0]) < 1e-3 || place(tics[found - 1]) >= 1e4;
    for (size_t i = 0; i < found; i += stride) {
        const double v = place(tics[i]);

        fputs(i > 0 ? ", " : "", out);
        if (i > 0 && log(v / labelled) < apart) {
            fputs("\"\" ", out);
        } else {
            put_label(tics[i], powers, out);
            labelled = v;
        }
        fprintf(out, "%.12g", v);
    }
    if (decades && stride == 1)
        n_minor = at_mantissas(axis, between, sizeof between / sizeof *between, minor);
    for (size_t i = 0; i < n_minor; i++)
        fprintf(out, ", \"\" %.12g 1", place(minor[i]));
}

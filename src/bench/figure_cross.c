/* bench/figure_cross.c - where the curve of a method crosses that of exact. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "bench/figure_parts.h"

/* Where a column of the curve last rises through 1, between n_before and n; the first n where it is
 * above from the start, NaN where it ends below. *share: of the way, in log(n), within *segment. */
static double rise(const kmv_figure_job *j, const kmv_figure_curve *c, const char *column,
                   size_t *segment, double *share)
{
    size_t i = c->end;
    double above = NAN, n_above = NAN;

    while (i-- > c->begin) {
        const void *row = j->points[i].row;
        const double ratio = kmv_figure_number(j, column, row), n = j->points[i].x;

        if (!(ratio > 0))
            return NAN;
        if (ratio < 1) {
            if (isnan(above))
                return NAN;
            *segment = i;
            *share = log(1 / ratio) / log(above / ratio);
            return n * pow(n_above / n, *share);
        }
        above = ratio;
        n_above = n;
    }
    *segment = c->begin;
    *share = 0;
    return n_above;
}

static void put_count(char *to, size_t size, double n)
{
    const double unit = pow(10, fmax(0, floor(log10(n)) - 2));

    if (isnan(n))
        snprintf(to, size, "...");
    else
        snprintf(to, size, "%.0f", unit * round(n / unit));
}

void kmv_figure_cross(const kmv_figure_job *j, kmv_figure_curve *c)
{
    size_t at = c->begin, unused;
    double share = 0, unused_share;
    char n[32], lo[32], hi[32];

    c->cross_n = c->cross_lo = c->cross_hi = c->cross_t = NAN;
    c->crossing[0] = '\0';
    if (!j->kind->crossing || strcmp(j->points[c->begin].first, "exact") == 0)
        return;
    c->cross_n = rise(j, c, "speedup_total_med", &at, &share);
    if (isnan(c->cross_n))
        return;
    c->cross_lo = rise(j, c, "speedup_total_hi", &unused, &unused_share);
    c->cross_hi = rise(j, c, "speedup_total_lo", &unused, &unused_share);
    if (c->cross_n <= j->points[c->begin].x) { /* where exactly lies to the left of all points */
        put_count(n, sizeof n, c->cross_n);
        c->cross_n = NAN;
        snprintf(c->crossing, sizeof c->crossing, "; under exact from n %s", n);
        return;
    }
    c->cross_t = kmv_figure_number(j, "t_total_med_s", j->points[at].row);
    c->cross_t *=
        pow(kmv_figure_number(j, "t_total_med_s", j->points[at + 1].row) / c->cross_t, share);
    put_count(n, sizeof n, c->cross_n);
    put_count(lo, sizeof lo, c->cross_lo);
    put_count(hi, sizeof hi, c->cross_hi);
    snprintf(c->crossing, sizeof c->crossing, "; as exact at n %s [%s, %s]", n, lo, hi);
}

/* bench/figure_axis.h - the range of a logarithmic axis and its tics. Depends on nothing. */
#ifndef KMV_BENCH_FIGURE_AXIS_H
#define KMV_BENCH_FIGURE_AXIS_H

#include <stdio.h>

/** A range of positive numbers; all zero: nothing was added yet. */
typedef struct {
    double lo, hi;
} kmv_axis;

/** Widen the range so that it holds v; numbers that are not finite and > 0 are left out. */
void kmv_axis_add(kmv_axis *axis, double v);

/** Room at both ends, 4 % of the length in log scale, at least a factor 1.5 in all: no point and no
 *  interval lies on the frame. An empty range becomes 1 .. 10. */
void kmv_axis_pad(kmv_axis *axis);

/** Tics as gnuplot wants them between parentheses: "label" place, ...; with `binary` at powers of
 * 2, else at round decimal numbers, from decades (for long ranges every second, third, ...) over 1,
 * 2, 5 down to steps of 1, 2 or 5: the coarsest with three tics or more. Every label is the exact
 * place of its tic; places of decades are divided by unlabelled tics. lo < hi, both > 0. */
void kmv_axis_tics(const kmv_axis *axis, int binary, FILE *out);

#endif

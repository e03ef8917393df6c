/* bench/figure_layout.c - what lies where in a panel: ranges, tics at round numbers, the levels of
 * the trivial answer, points below the range of errors. */
#include <math.h>
#include <string.h>

#include "bench/figure_axis.h"
#include "bench/figure_parts.h"

/* Errors are shown down to this part of the smallest eps asked: a method that falls back to the
 * exact product stands at float32 rounding, five decades below what anybody asked for. */
static const double below_asked = 1e-3;

static int is_error(const char *column)
{
    return strncmp(column, "err_", 4) == 0;
}

static int in_panel(const kmv_figure_curve *c, size_t panel)
{
    return c->panel == panel;
}

/* Calls visit for every row of a panel. */
typedef void visitor(const kmv_figure_job *j, const void *row, const char *column, kmv_axis *axis);

static void visit_panel(const kmv_figure_job *j, const kmv_figure_curve *curves, size_t count,
                        size_t panel, const char *column, visitor *visit, kmv_axis *axis)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t k = curves[i].begin; in_panel(&curves[i], panel) && k < curves[i].end; k++)
            visit(j, j->points[k].row, column, axis);
    }
}

static void add_interval(const kmv_figure_job *j, const void *row, const char *column,
                         kmv_axis *axis)
{
    double lo, hi;

    kmv_figure_interval(j, column, row, &lo, &hi);
    kmv_axis_add(axis, kmv_figure_number(j, column, row));
    kmv_axis_add(axis, lo);
    kmv_axis_add(axis, hi);
}

static void add_cell(const kmv_figure_job *j, const void *row, const char *column, kmv_axis *axis)
{
    kmv_axis_add(axis, kmv_figure_number(j, column, row));
}

/* The padded range of one y axis; *shown_from: errors below are drawn at its lower edge, 0: none.
 */
static kmv_axis y_axis(const kmv_figure_job *j, const kmv_figure_curve *curves, size_t count,
                       size_t panel, const char *column, double *shown_from)
{
    kmv_axis axis = {0}, floors = {0}, asked = {0};

    *shown_from = 0;
    visit_panel(j, curves, count, panel, column, add_interval, &axis);
    if (is_error(column)) {
        visit_panel(j, curves, count, panel, "null_err", add_cell, &floors);
        visit_panel(j, curves, count, panel, "mean_err", add_cell, &floors);
        visit_panel(j, curves, count, panel, "eps", add_cell, &asked);
        kmv_axis_add(&axis, floors.lo);
        kmv_axis_add(&axis, floors.hi);
        if (strcmp(j->kind->x, "eps") == 0) { /* the line of equality is drawn too */
            kmv_axis_add(&axis, asked.lo);
            kmv_axis_add(&axis, asked.hi);
        }
        if (asked.lo > 0) {
            *shown_from = below_asked * asked.lo;
            if (floors.lo > 0 && floors.lo < *shown_from)
                *shown_from = floors.lo;
            if (axis.lo >= *shown_from)
                *shown_from = 0;
            else
                axis.lo = *shown_from;
            if (axis.hi < axis.lo)
                axis.hi = axis.lo;
        }
    }
    kmv_axis_pad(&axis);
    return axis;
}

/* Labels with a mark, in the colour of their curves: one for each point below the range. */
static size_t put_below(const kmv_figure_job *j, const kmv_figure_curve *curves, size_t count,
                        size_t panel, const char *column, double shown_from, FILE *out)
{
    size_t below = 0;

    for (size_t i = 0; i < count; i++) {
        for (size_t k = curves[i].begin; in_panel(&curves[i], panel) && k < curves[i].end; k++) {
            const void *row = j->points[k].row;

            if (!(kmv_figure_number(j, column, row) < shown_from))
                continue;
            fprintf(out,
                    "set label %zu \"\" at first %.9g, graph 0.025 point pointtype 10 pointsize "
                    "0.9 linecolor "
                    "rgb rgb(%zu) front; ",
                    100 + below++, kmv_figure_number(j, j->kind->x, row), i + 1);
        }
    }
    return below;
}

enum { LEVELS = 64 };

/* Distinct errors of one answer that costs nothing in a panel, as text of three digits. */
static void put_levels_of(const kmv_figure_job *j, const kmv_figure_curve *curves, size_t count,
                          size_t panel, const char *column, int type, size_t *number, FILE *out)
{
    char seen[LEVELS][32];
    size_t levels = 0;

    for (size_t i = 0; i < count; i++) {
        for (size_t k = curves[i].begin; in_panel(&curves[i], panel) && k < curves[i].end; k++) {
            const double level = kmv_figure_number(j, column, j->points[k].row);
            char text[32];
            size_t at = 0;

            snprintf(text, sizeof text, "%.3g", level);
            while (at < levels && strcmp(seen[at], text) != 0)
                at++;
            if (!(level > 0 && isfinite(level)) || at < levels || levels == LEVELS)
                continue;
            memcpy(seen[levels++], text, sizeof text);
            fprintf(out, "LEVEL[%zu] = %s\nLEVEL_TYPE[%zu] = %d\n", *number + 1, text, *number + 1,
                    type);
            ++*number;
        }
    }
}

/* Line types of the answers 0 and, for softmax, the mean of V (plots/style.gp). */
enum { NULL_LINE = 100, MEAN_LINE = 102 };

static size_t put_levels(const kmv_figure_job *j, const kmv_figure_curve *curves, size_t count,
                         size_t panel, size_t *number, FILE *out)
{
    size_t before_means;

    fprintf(out, "LEVEL_FIRST[%zu] = %zu\n", panel, *number + 1);
    put_levels_of(j, curves, count, panel, "null_err", NULL_LINE, number, out);
    before_means = *number;
    put_levels_of(j, curves, count, panel, "mean_err", MEAN_LINE, number, out);
    fprintf(out, "LEVEL_LAST[%zu] = %zu\n", panel, *number);
    return *number - before_means;
}

/* Ranges and tics of a map: a cell around each whole number from 0 on. */
static void put_cells(const char *name, size_t at, double last, FILE *out)
{
    fprintf(out, "%sRANGE[%zu] = '[-0.5:%.0f.5]'\n%sTICS[%zu] = '(", name, at, last, name, at);
    for (double v = 0; v <= last; v++)
        fprintf(out, "%s%.0f", v > 0 ? ", " : "", v);
    fputs(")'\n", out);
}

static double largest(const kmv_figure_job *j, const char *column)
{
    double most = 0;

    for (size_t i = 0; i < j->n_points; i++)
        most = fmax(most, kmv_figure_number(j, column, j->points[i].row));
    return most;
}

/* All panels are alike, so that cells lie in the same places. */
static void put_map(const kmv_figure_job *j, size_t panels, FILE *out)
{
    const double x = largest(j, j->kind->x), y = largest(j, j->kind->cell);

    for (size_t panel = 1; panel <= panels; panel++) {
        put_cells("X", panel, x, out);
        put_cells("Y", panel, y, out);
        fprintf(out, "BELOW[%zu] = ''\n", panel);
    }
    fprintf(out, "CELL_COLUMNS = %.0f\nCELL_ROWS = %.0f\n", x + 1, y + 1);
}

static size_t put_panel(const kmv_figure_job *j, const kmv_figure_curve *curves, size_t count,
                        size_t panel, size_t n_y, FILE *out)
{
    kmv_axis x = {0};
    size_t below = 0;
    const int binary = strcmp(j->kind->x, "n_q") == 0 || strcmp(j->kind->x, "d") == 0;

    visit_panel(j, curves, count, panel, j->kind->x, add_interval, &x);
    kmv_axis_pad(&x);
    fprintf(out, "XRANGE[%zu] = '[%.9g:%.9g]'\nXTICS[%zu] = '(", panel, x.lo, x.hi, panel);
    kmv_axis_tics(&x, binary, out);
    fputs(")'\n", out);
    for (size_t i = 0; i < n_y; i++) {
        const size_t at = (panel - 1) * n_y + i + 1;
        double shown_from;
        const kmv_axis y = y_axis(j, curves, count, panel, j->kind->y[i], &shown_from);

        fprintf(out, "YRANGE[%zu] = '[%.9g:%.9g]'\nYTICS[%zu] = '(", at, y.lo, y.hi, at);
        kmv_axis_tics(&y, 0, out);
        fprintf(out, ")'\nBELOW[%zu] = '", at);
        below += put_below(j, curves, count, panel, j->kind->y[i], shown_from, out);
        fputs("'\n", out);
    }
    return below;
}

void kmv_figure_layout(const kmv_figure_job *j, const kmv_figure_curve *curves, size_t count,
                       FILE *out)
{
    const size_t panels = curves[count - 1].panel;
    const int floors = kmv_column_find(j->schema, "floor_err") != NULL;
    size_t n_y = 0, below = 0, number = 0, means = 0;

    while (n_y < KMV_FIGURE_COLUMNS && j->kind->y[n_y] != NULL)
        n_y++;
    fprintf(out,
            "array XRANGE[PANELS]\narray XTICS[PANELS]\narray YRANGE[%zu]\narray YTICS[%zu]\n"
            "array BELOW[%zu]\narray LEVEL_FIRST[PANELS]\narray LEVEL_LAST[PANELS]\n"
            "array LEVEL[%zu]\narray LEVEL_TYPE[%zu]\n",
            panels * n_y, panels * n_y, panels * n_y, 2 * panels * LEVELS, 2 * panels * LEVELS);
    if (j->kind->cell != NULL)
        put_map(j, panels, out);
    for (size_t panel = 1; j->kind->cell == NULL && panel <= panels; panel++) {
        below += put_panel(j, curves, count, panel, n_y, out);
        if (floors)
            means += put_levels(j, curves, count, panel, &number, out);
    }
    fprintf(out, "MEAN_LEVELS = %zu\n", means);
    fprintf(out, "BELOW_TEXT = '%s'\n", below > 0 ? "error below the range shown" : "");
}

/* bench/figure_index.c - labels of curves, and the index by which a template finds them. */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "bench/figure_parts.h"
#include "bench/stats.h"

/* Labels are enhanced text of gnuplot in single quotes. */
void kmv_figure_enhance(char *to, size_t size, const char *text)
{
    size_t used = strlen(to);

    for (; *text != '\0' && used + 3 < size; text++) {
        if (strchr("_^{}@&~\\", *text) != NULL)
            to[used++] = '\\';
        if (*text == '\'')
            to[used++] = '\'';
        to[used++] = *text == '\n' || *text == '\t' ? ' ' : *text;
    }
    to[used] = '\0';
}

static void put_exponent(char *to, size_t size, double slope, double lo, double hi)
{
    if (isnan(slope))
        *to = '\0';
    else if (isnan(lo) || isnan(hi))
        snprintf(to, size, "  \\~ n\\^%.2f", slope);
    else
        snprintf(to, size, "  \\~ n\\^%.2f [%.2f, %.2f]", slope, lo, hi);
}

static double limit_of(const kmv_figure_job *j, const char *name, const char *end, const void *row)
{
    char column[64];

    snprintf(column, sizeof column, "%s%s", name, end);
    return kmv_figure_number(j, column, row);
}

static kmv_status fit_curve(const kmv_figure_job *j, kmv_figure_curve *c, size_t number,
                            kmv_error *err)
{
    const char *name = j->kind->fit[number];
    const void *first = j->points[c->begin].row;
    const size_t count = c->end - c->begin, size = sizeof c->fit[number];
    double *x;
    kmv_fit fit;
    kmv_status st;

    if (j->kind->source == KMV_FIGURE_MEASURE) {
        put_exponent(c->fit[number], size, kmv_figure_number(j, name, first),
                     limit_of(j, name, "_lo", first), limit_of(j, name, "_hi", first));
        return KMV_OK;
    }
    if ((x = kmv_alloc(2 * count, sizeof *x, "points of a fit", err)) == NULL)
        return KMV_ENOMEM;
    for (size_t i = 0; i < count; i++) {
        x[i] = kmv_figure_number(j, j->kind->x, j->points[c->begin + i].row);
        x[count + i] = kmv_figure_number(j, name, j->points[c->begin + i].row);
    }
    if ((st = kmv_fit_power(x, x + count, count, &fit, err)) == KMV_OK)
        put_exponent(c->fit[number], size, fit.slope, fit.lo, fit.hi);
    kmv_free(x);
    return st;
}

kmv_status kmv_figure_label(const kmv_figure_job *j, kmv_figure_curve *c, kmv_error *err)
{
    kmv_status st = KMV_OK;

    kmv_figure_enhance(c->label, sizeof c->label, j->points[c->begin].key);
    for (size_t i = 0; i < KMV_FIGURE_COLUMNS && j->kind->fit[i] != NULL && st == KMV_OK; i++)
        st = fit_curve(j, c, i, err);
    c->predicted = NAN;
    if (j->kind->predicted)
        kmv_figure_predicted(j->figure, j->points[c->begin].first, &c->predicted);
    return st;
}

static const kmv_figure_curve *same_label_before(const kmv_figure_curve *curves, size_t at)
{
    for (size_t k = 0; k < at; k++) {
        if (strcmp(curves[k].label, curves[at].label) == 0)
            return &curves[k];
    }
    return NULL;
}

/* 1 when a label says the same wherever it stands: then one legend serves all panels. */
static int labels_agree(const kmv_figure_curve *curves, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const kmv_figure_curve *before = same_label_before(curves, i);

        if (before != NULL && (memcmp(before->fit, curves[i].fit, sizeof before->fit) != 0 ||
                               strcmp(before->crossing, curves[i].crossing) != 0))
            return 0;
    }
    return 1;
}

static void put_quoted(const char *name, size_t at, const char *text, FILE *out)
{
    char enhanced[KMV_FIGURE_KEY * 2] = "";

    kmv_figure_enhance(enhanced, sizeof enhanced, text);
    fprintf(out, "%s[%zu] = '%s'\n", name, at, enhanced);
}

/* One curve for each distinct label, by colour: the entries of a legend for all panels. */
static size_t put_keys(const kmv_figure_curve *curves, size_t count, FILE *out)
{
    size_t keys = 0, last = 0;

    for (size_t i = 0; i < count; i++)
        last = curves[i].colour > last ? curves[i].colour : last;
    for (size_t colour = 0; colour <= last; colour++) {
        for (size_t i = 0; i < count; i++) {
            if (curves[i].colour == colour && same_label_before(curves, i) == NULL)
                fprintf(out, "KEY[%zu] = %zu\n", ++keys, i + 1);
        }
    }
    return keys;
}

/* A star where a curve meets that of exact, and an arrow without heads over the interval, which
 * goes to the edge of the panel where it is open. */
static void put_crossings(const kmv_figure_curve *curves, size_t count, FILE *out)
{
    size_t marks = 0;

    for (size_t i = 0; i < count; i++) {
        const kmv_figure_curve *c = &curves[i];

        if (i == 0 || c->panel != curves[i - 1].panel)
            fprintf(out, "%sCROSS_MARK[%zu] = '", i > 0 ? "'\n" : "", c->panel);
        if (isnan(c->cross_n))
            continue;
        fprintf(out,
                "set label %zu \"\" at first %.9g, first %.9g point pointtype 3 pointsize 1.2 "
                "linecolor rgb rgb(%zu) front; ",
                200 + i, c->cross_n, c->cross_t, i + 1);
        fprintf(out, "set arrow %zu from first %.9g, first %.9g to ", 200 + i, c->cross_lo,
                c->cross_t);
        if (isnan(c->cross_hi))
            fputs("graph 1", out);
        else
            fprintf(out, "first %.9g", c->cross_hi);
        fprintf(out, ", first %.9g nohead linecolor rgb rgb(%zu) linewidth 1.8 front; ", c->cross_t,
                i + 1);
        marks++;
    }
    fprintf(out, "'\nCROSS_TEXT = '%s'\n",
            marks > 0 ? "as fast as exact, with the 95 % interval" : "");
}

/* The exponent that was predicted for a curve, as a line through its first point. */
static void put_predicted(const kmv_figure_job *j, const kmv_figure_curve *c, size_t number,
                          FILE *out)
{
    const void *first = j->points[c->begin].row;

    if (isnan(c->predicted))
        fprintf(out, "PREDICTED[%zu] = ''\nGUIDE_X[%zu] = 1\nGUIDE_Y[%zu] = NaN\nGUIDE[%zu] = 0\n",
                number, number, number, number);
    else
        fprintf(out,
                "PREDICTED[%zu] = ', predicted n\\^%.4g'\nGUIDE_X[%zu] = %.9g\nGUIDE_Y[%zu] = "
                "%.9g\nGUIDE[%zu] = %.9g\n",
                number, c->predicted, number, kmv_figure_number(j, j->kind->x, first), number,
                kmv_figure_number(j, j->kind->y[0], first), number, c->predicted);
}

/* How the figure calls the error and the answer that costs nothing: those of softmax are relative
 * to V, and the mean of V is one of them. */
static void put_words(const kmv_figure_job *j, FILE *out)
{
    static const char *const error[] = {"|y - Kx| / |x|", "|y - PV| / |V|",
                                        "|y - Kx| / |x|, |y - PV| / |V|"};
    static const char *const cheapest[] = {"error of answering 0",
                                           "error of answering 0 or the mean",
                                           "error of answering 0 or the mean"};
    size_t softmax = 0, which;

    for (size_t i = 0; i < j->n_points; i++)
        softmax += strcmp(kmv_figure_text(j, "matrix", j->points[i].row), "softmax") == 0 ? 1u : 0u;
    which = softmax == 0 ? 0 : softmax == j->n_points ? 1 : 2;
    fprintf(out, "ERROR = '%s'\nFLOOR = '%s'\n", error[which], cheapest[which]);
}

kmv_status kmv_figure_index(const kmv_figure_job *j, const kmv_figure_curve *curves, size_t count,
                            size_t most, const char *folder, kmv_error *err)
{
    const size_t panels = curves[count - 1].panel;
    char title[512] = "";
    kmv_new_file f;
    kmv_status st = kmv_new_file_open(&f, err, "%s/series.gp", folder);

    if (st != KMV_OK)
        return st;
    kmv_figure_enhance(title, sizeof title, kmv_figure_value(j->figure, "title", ""));
    fprintf(f.out,
            "# Written by kmv plot: the curves of figure %s, kind %s.\n"
            "TITLE = '%s'\nPANELS = %zu\nSERIES = %zu\nMOST = %zu\nSHARED_KEY = %d\n"
            "array PANEL_TITLE[PANELS]\narray FIRST[PANELS]\narray LAST[PANELS]\n"
            "array KEY[SERIES]\narray FILE[SERIES]\narray LABEL[SERIES]\narray "
            "COLOUR[SERIES]\narray VARIANT[SERIES]\narray CROSSING[SERIES]\narray "
            "CROSS_MARK[PANELS]\n",
            j->figure->name, j->kind->name, title, panels, count, most,
            labels_agree(curves, count));
    put_words(j, f.out);
    kmv_figure_layout(j, curves, count, f.out);
    for (size_t k = 0; k < KMV_FIGURE_COLUMNS && j->kind->fit[k] != NULL; k++)
        fprintf(f.out, "array FIT%zu[SERIES]\n", k + 1);
    if (j->kind->predicted)
        fputs("array PREDICTED[SERIES]\narray GUIDE_X[SERIES]\narray GUIDE_Y[SERIES]\narray "
              "GUIDE[SERIES]\n",
              f.out);
    for (size_t i = 0; i < count; i++) {
        const kmv_figure_curve *c = &curves[i];

        if (j->kind->predicted)
            put_predicted(j, c, i + 1, f.out);
        for (size_t k = 0; k < KMV_FIGURE_COLUMNS && j->kind->fit[k] != NULL; k++)
            fprintf(f.out, "FIT%zu[%zu] = '%s'\n", k + 1, i + 1, c->fit[k]);
        if (i == 0 || c->panel != curves[i - 1].panel) {
            put_quoted("PANEL_TITLE", c->panel, j->points[c->begin].panel, f.out);
            fprintf(f.out, "FIRST[%zu] = %zu\n", c->panel, i + 1);
        }
        fprintf(f.out, "LAST[%zu] = %zu\nFILE[%zu] = '%s'\nLABEL[%zu] = '%s'\n", c->panel, i + 1,
                i + 1, c->file, i + 1, c->label);
        fprintf(f.out, "COLOUR[%zu] = %zu\nVARIANT[%zu] = %zu\nCROSSING[%zu] = '%s'\n", i + 1,
                c->colour, i + 1, c->variant, i + 1, c->crossing);
    }
    put_crossings(curves, count, f.out);
    fprintf(f.out, "KEYS = %zu\n", put_keys(curves, count, f.out));
    return kmv_new_file_commit(&f, KMV_OK, err);
}

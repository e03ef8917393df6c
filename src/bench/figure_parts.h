/* bench/figure_parts.h - what checking a section, choosing rows, laying out axes and writing the
 * index of a figure share; for the files figure*.c only. */
#ifndef KMV_BENCH_FIGURE_PARTS_H
#define KMV_BENCH_FIGURE_PARTS_H

#include "bench/figure.h"

enum { KMV_FIGURE_KEY = 512 };

typedef struct {
    const void *row;
    char panel[128], key[KMV_FIGURE_KEY]; /* value of the panel's column; what names the curve */
    const char *first; /* algorithm or data set, by which curves get their colour */
    size_t rank;
    double order, x;
    int beaten; /* by another point of its curve */
} kmv_figure_point;

/* One figure on its way. */
typedef struct {
    const kmv_config_figure *figure;
    const kmv_figure_kind *kind;
    const kmv_schema *schema;
    const void *rows;
    size_t n_rows;
    const kmv_results *results;
    const kmv_column *panel; /* NULL: one panel */
    const char *colour;      /* column: "algo", "chosen" or "dataset" */
    kmv_figure_point *points;
    size_t n_points;
} kmv_figure_job;

/* A run of points: one curve. */
typedef struct {
    size_t begin, end;
    size_t panel, colour, variant;
    char file[128], label[KMV_FIGURE_KEY], fit[KMV_FIGURE_COLUMNS][64];
    double predicted;                            /* exponent; NaN: none */
    char crossing[128];                          /* for the legend: where it crosses exact */
    double cross_n, cross_lo, cross_hi, cross_t; /* NaN: nowhere */
} kmv_figure_curve;

/** A cell of a row by the name of its column: as a number (NaN: empty), as text. */
double kmv_figure_number(const kmv_figure_job *j, const char *column, const void *row);
const char *kmv_figure_text(const kmv_figure_job *j, const char *column, const void *row);

/** The interval of a cell: NAME_lo and NAME_hi, or NAME_lo_UNIT where NAME is X_med_UNIT; an end
 * that the row lacks is the value. */
void kmv_figure_interval(const kmv_figure_job *j, const char *column, const void *row, double *lo,
                         double *hi);

/** Text as gnuplot's enhanced text within single quotes, appended to `to`. */
void kmv_figure_enhance(char *to, size_t size, const char *text);

/** Fill label and fitted exponents of a curve. */
kmv_status kmv_figure_label(const kmv_figure_job *j, kmv_figure_curve *c, kmv_error *err);

/** Check the value of a section's key `predicted`. KMV_EINVAL: the message begins with the line. */
kmv_status kmv_figure_check_predicted(const kmv_config_entry *e, kmv_error *err);

/** 1 when the section says which exponent was predicted for curves of that name. */
int kmv_figure_predicted(const kmv_config_figure *figure, const char *curve, double *exponent);

/** Find where a curve over n crosses the one of exact: by linear interpolation of log(speedup) in
 *  log(n) at its last rise through 1, each end of the interval where an end of the speed-up's own
 *  rises (the first n where that is above 1 from the start, NaN where it stays below). */
void kmv_figure_cross(const kmv_figure_job *j, kmv_figure_curve *c);

/** Columns that tell one case from another, ended by NULL; which of them tell curves apart depends
 *  on the rows. */
extern const char *const kmv_figure_identity[];

/** The columns of cases and then those of `own`, ended by one without a name; kmv_alloc'ed. NULL:
 *  no memory. */
kmv_column *kmv_figure_columns(const kmv_column *own, kmv_error *err);

/** Rows that stand for all data sets whose cases the section selects: medians over them, where
 *  every one has a number, with quartiles as intervals. As kmv_figure_expand. */
kmv_status kmv_figure_pool(const kmv_config_figure *figure, const kmv_results *results,
                           kmv_schema *schema, void **rows, size_t *n_rows, kmv_error *err);

/** Rows of cases, one for each part of the positions or for each phase: schema->columns and *rows
 *  are kmv_alloc'ed. */
kmv_status kmv_figure_expand(kmv_figure_source source, const kmv_summary *cases, size_t count,
                             kmv_schema *schema, void **rows, size_t *n_rows, kmv_error *err);

/** For gnuplot: ranges and tics of every panel, levels of the trivial answer that do not depend on
 * x, and the points below the range of errors. */
void kmv_figure_layout(const kmv_figure_job *j, const kmv_figure_curve *curves, size_t count,
                       FILE *out);

/** Write FOLDER/series.gp; most: curves in the fullest panel. */
kmv_status kmv_figure_index(const kmv_figure_job *j, const kmv_figure_curve *curves, size_t count,
                            size_t most, const char *folder, kmv_error *err);

#endif

/* bench/figure.h - figures by table: what a [figure NAME] section may say, the rows it selects, the
 * series it makes of them, and their way to gnuplot. */
#ifndef KMV_BENCH_FIGURE_H
#define KMV_BENCH_FIGURE_H

#include "bench/config.h"
#include "bench/results.h"

enum { KMV_FIGURE_COLUMNS = 6 };

/** Rows of raw.tsv (one per case, table.h); the same with a row for each part of the positions of a
 *  causal product (position, the middle row number, and err_position), or for each phase that its
 *  plan counts (phase, its name, and entries, its kernel entries), or with one row for all data
 * sets
 *  (`pooled`, their number: medians over them, quartiles for intervals); rows of measure.tsv. */
typedef enum {
    KMV_FIGURE_RAW,
    KMV_FIGURE_POOLED,
    KMV_FIGURE_POSITIONS,
    KMV_FIGURE_PHASES,
    KMV_FIGURE_MEASURE
} kmv_figure_source;

/** A kind of figure: one row of kmv_figure_kinds and one template plots/NAME.gp. A new figure of a
 *  known kind is one section of a config. */
typedef struct {
    const char *name, *summary;
    kmv_figure_source source;
    const char *x; /* column of the abscissa */
    const char
        *y[KMV_FIGURE_COLUMNS]; /* columns drawn; NULL ends. A row without x or one of them,
                                   or with one <= 0 (the axes are logarithmic), has no point */
    const char *cell;  /* the figure is a map: y is a number in a cell at x and this column, both
                          counts from 0, and a panel has one curve */
    const char *curve; /* column that gives curves their colour; NULL: algo (or dataset) */
    int front;    /* of a curve only the points that no other of it beats in x and the first y */
    int crossing; /* where a curve crosses exact's is marked (speedup_total = 1) */
    const char *along[KMV_FIGURE_COLUMNS]; /* columns that vary along one curve beside x; what else
                                              tells rows apart tells curves apart */
    const char *order;                     /* column by which the points of a curve are joined */
    const char
        *leave_out[KMV_FIGURE_COLUMNS]; /* algorithms drawn only when a filter on algo is set */
    const char *only;  /* algorithm drawn alone unless a filter on algo is set; NULL: all */
    const char *panel; /* column of which each value gets panels of its own, unless `panel` says */
    /* Whose exponent over x stands in the legend: for rows of raw.tsv y columns, fitted here; for
     * rows of measure.tsv the columns that hold it, NAME, NAME_lo, NAME_hi. */
    const char *fit[KMV_FIGURE_COLUMNS];
    int predicted; /* the section may say which exponents were predicted: `predicted` */
} kmv_figure_kind;

/** Ended by a row with name NULL. */
extern const kmv_figure_kind kmv_figure_kinds[];

/** The kind of that name, or NULL. */
const kmv_figure_kind *kmv_figure_kind_find(const char *name);

/**
 * Check one [figure NAME] section. Keys: `kind` (needed), `title`, `panel` (a column, or none), and
 * any column that describes a case, or its short name (n for n_q, x for x_kind, sigma for the
 * bandwidth as asked): a list of values as written in the sweep, or patterns with *; rows with
 * another value are left out. A filter on eps keeps rows of algorithms that do not use eps, since
 * those are judged against every eps; a data set is also chosen by what stands before its colon.
 * KMV_EINVAL: the message begins with the line number in the config and a colon, so that
 * "%s:%s" of path and message is the usual "configs/a.ini:12: kind: ...".
 */
kmv_status kmv_figure_check(const kmv_config_figure *figure, kmv_error *err);

/**
 * 1 when a (checked) section selects this row of schema: its filters keep it, and without a filter
 * on algo its kind does not leave its algorithm out. planned: see filter.h.
 */
int kmv_figure_selects(const kmv_config_figure *figure, const kmv_schema *schema, const void *row,
                       int planned);

/** The value of a key of the section, or fallback. */
const char *kmv_figure_value(const kmv_config_figure *figure, const char *key,
                             const char *fallback);

/** How a figure came out. */
typedef struct {
    size_t rows, points, series;
    int drawn;
    char note[512]; /* what a reader must know: rows without a point and why; "" for nothing */
} kmv_figure_outcome;

/**
 * Write DIR/agg/NAME/: one TSV per curve (all columns of the rows' schema; where a row has no
 * interval its ends are its value) and series.gp (what the template needs: titles, files, labels
 * with fitted exponents, styles). Without a filter on algo, `null` is left out (it is the scale of
 * errors, not a method) and, where errors are drawn, `exact-f64` (they are errors against it). What
 * tells curves apart, beside the algorithm (or data set), is found from the rows. A section that
 * selects no rows, or more than KMV_FIGURE_SERIES curves in a panel, is KMV_EINVAL with the
 * config's path and line; in an incomplete folder a section without rows is not drawn, and the note
 * says so. When every selected row is without numbers (skipped, out of time) nothing
 * is written, outcome->drawn is 0 and the note says why.
 */
enum { KMV_FIGURE_SERIES = 24, KMV_FIGURE_PANELS = 12 };
kmv_status kmv_figure_data(const kmv_config_figure *figure, const kmv_results *results,
                           kmv_figure_outcome *outcome, kmv_error *err);

/** Path of plots/NAME or scripts/NAME (`relative`): below the working directory, $KMV_PLOTS (which
 *  stands for plots, and its neighbour scripts), the installed share folder, or beside the running
 *  program. KMV_EIO when it is in none. */
kmv_status kmv_figure_find(const char *relative, char *path, size_t size, kmv_error *err);

/** Data, then scripts/plot.sh with the template of its kind: DIR/plots/NAME.svg, .pdf and .png.
 *  The script is the only program this room starts (posix_spawn); its first line on stderr becomes
 *  err, with KMV_EFORMAT. */
kmv_status kmv_figure_draw(const kmv_config_figure *figure, const kmv_results *results,
                           kmv_figure_outcome *outcome, kmv_error *err);

/** All figures of the folder's config; outcomes: array of config.n_figures. One that fails does not
 *  keep the others from being drawn: its note says why, and the first failure is returned last. */
kmv_status kmv_figures_draw(const kmv_results *results, kmv_figure_outcome *outcomes,
                            kmv_error *err);

#endif

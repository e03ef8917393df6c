/* bench/figure.h - figures by table: what a [figure NAME] section may say, the rows it selects, the
 * series it makes of them, and their way to gnuplot. */
#ifndef KMV_BENCH_FIGURE_H
#define KMV_BENCH_FIGURE_H

#include "bench/config.h"
#include "bench/schema.h"

enum { KMV_FIGURE_COLUMNS = 6 };

typedef enum { KMV_FIGURE_RAW, KMV_FIGURE_MEASURE } kmv_figure_source;

/** A kind of figure: one row of kmv_figure_kinds and one template plots/NAME.gp. A new figure of a
 *  known kind is one section of a config. */
typedef struct {
    const char *name, *summary;
    kmv_figure_source source; /* rows of raw.tsv (one per case, table.h) or of measure.tsv */
    const char *x;            /* column of the abscissa */
    const char
        *y[KMV_FIGURE_COLUMNS]; /* columns drawn; NULL ends. A row without x or one of them,
                                   or with one <= 0 (the axes are logarithmic), has no point */
    const char *along[KMV_FIGURE_COLUMNS]; /* columns that vary along one curve beside x; what else
                                              tells rows apart tells curves apart */
    const char *order;                     /* column by which the points of a curve are joined */
    const char *panel; /* column of which each value gets panels of its own, unless `panel` says */
    const char *fit;   /* y column whose exponent over x stands in the legend, or NULL */
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

/** 1 when the filters of a (checked) section keep this row of schema. */
int kmv_figure_keeps(const kmv_config_figure *figure, const kmv_schema *schema, const void *row);

/** The value of a key of the section, or fallback. */
const char *kmv_figure_value(const kmv_config_figure *figure, const char *key,
                             const char *fallback);

#endif

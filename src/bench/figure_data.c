/* bench/figure_data.c - rows chosen by a section, cut into curves, written for gnuplot. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/status.h"
#include "base/str.h"
#include "bench/figure.h"
#include "bench/stats.h"

/* Columns that tell one case from another; which of them tell curves apart depends on the rows. */
static const char *const identity[] = {
    "dataset",    "matrix", "causal",    "center", "n_q",   "n_k", "d",       "r",    "x_kind",
    "sigma_spec", "algo",   "algo_opts", "eps",    "delta", "isa", "threads", "rows", "drop_first",
};
enum { N_IDENTITY = sizeof identity / sizeof *identity, KEY_SIZE = 512 };

typedef struct {
    const void *row;
    char panel[128], key[KEY_SIZE]; /* value of the panel's column; what names the curve */
    const char *first;              /* algorithm or data set, by which curves get their colour */
    size_t rank;
    double order, x;
} point;

/* One figure on its way. */
typedef struct {
    const kmv_config_figure *figure;
    const kmv_figure_kind *kind;
    const kmv_schema *schema;
    const void *rows;
    size_t n_rows;
    const kmv_results *results;
    const kmv_column *panel; /* NULL: one panel */
    const char *colour;      /* "algo" or "dataset" */
    point *points;
    size_t n_points;
} job;

static int has_name(const char *const *names, const char *name)
{
    for (size_t i = 0; i < KMV_FIGURE_COLUMNS && names[i] != NULL; i++) {
        if (strcmp(names[i], name) == 0)
            return 1;
    }
    return 0;
}

static double value_of(const job *j, const char *column, const void *row)
{
    return kmv_cell_value(kmv_column_find(j->schema, column), row);
}

static const char *text_of(const job *j, const char *column, const void *row)
{
    return (const char *)row + kmv_column_find(j->schema, column)->offset;
}

static int drawable(const job *j, const void *row)
{
    double v = value_of(j, j->kind->x, row);

    if (!(isfinite(v) && v > 0))
        return 0;
    for (size_t i = 0; i < KMV_FIGURE_COLUMNS && j->kind->y[i] != NULL; i++) {
        v = value_of(j, j->kind->y[i], row);
        if (!(isfinite(v) && v > 0))
            return 0;
    }
    return 1;
}

static int selected(const job *j, const void *row)
{
    if (j->kind->source == KMV_FIGURE_RAW && kmv_figure_value(j->figure, "algo", NULL) == NULL &&
        has_name(j->kind->leave_out, text_of(j, "algo", row)))
        return 0;
    return kmv_figure_keeps(j->figure, j->schema, row);
}

static kmv_status fail_section(const job *j, const char *what, size_t count, kmv_error *err)
{
    char path[1024];

    snprintf(path, sizeof path, "%s", j->results->config.path);
    return kmv_fail(err, KMV_EINVAL, "%s:%zu: [figure %s]: %s (%zu rows of %s)", path,
                    j->figure->line, j->figure->name, what, count,
                    j->kind->source == KMV_FIGURE_RAW ? "raw.tsv" : "measure.tsv");
}

/* Choose rows and drawable ones among them; outcome gets the counts and the note. */
static kmv_status choose(job *j, kmv_figure_outcome *outcome, kmv_error *err)
{
    const char *reason = "";

    if ((j->points = kmv_alloc(j->n_rows, sizeof *j->points, "points of a figure", err)) == NULL)
        return KMV_ENOMEM;
    for (size_t i = 0; i < j->n_rows; i++) {
        const void *row = (const char *)j->rows + i * j->schema->row_size;

        if (!selected(j, row))
            continue;
        outcome->rows++;
        if (drawable(j, row))
            j->points[j->n_points++].row = row;
        else if (*reason == '\0')
            reason = text_of(j, "reason", row);
    }
    outcome->points = j->n_points;
    if (outcome->rows == 0)
        return fail_section(j, "its filters select no rows", j->n_rows, err);
    if (j->n_points < outcome->rows)
        snprintf(outcome->note, sizeof outcome->note, "%zu of %zu %s no point%s%s.",
                 outcome->rows - j->n_points, outcome->rows,
                 j->kind->source == KMV_FIGURE_RAW ? "cases have" : "rows have",
                 *reason != '\0' ? ": " : " (a value that the axes need is empty or 0)", reason);
    return KMV_OK;
}

/* Whether the column takes several values among the rows with the same algorithm (or data set). */
static int varies(const job *j, const kmv_column *column)
{
    char a[KEY_SIZE], b[KEY_SIZE];

    for (size_t i = 0; i < j->n_points; i++) {
        for (size_t k = 0; k < i; k++) {
            if (strcmp(j->points[i].first, j->points[k].first) != 0)
                continue;
            if (strcmp(kmv_cell_text(column, j->points[i].row, a, sizeof a),
                       kmv_cell_text(column, j->points[k].row, b, sizeof b)) != 0)
                return 1;
            break; /* comparing with one of each kind is enough: equality is transitive */
        }
    }
    return 0;
}

static int square(const job *j)
{
    for (size_t i = 0; i < j->n_points; i++) {
        if (value_of(j, "n_q", j->points[i].row) != value_of(j, "n_k", j->points[i].row))
            return 0;
    }
    return 1;
}

static void append_key(char *key, const char *name, const char *text)
{
    const size_t used = strlen(key);
    const int named = strcmp(name, "algo_opts") != 0 && strcmp(name, "dataset") != 0 &&
                      strcmp(name, "matrix") != 0;

    if (*text != '\0')
        snprintf(key + used, KEY_SIZE - used, "%s%s%s%s", used > 0 ? ", " : "", named ? name : "",
                 named ? " " : "", text);
}

static void name_curves(job *j)
{
    const int is_square = square(j);

    for (size_t i = 0; i < j->n_points; i++) {
        point *p = &j->points[i];

        p->first = text_of(j, j->colour, p->row);
        p->rank = strcmp(j->colour, "algo") == 0 ? kmv_algo_rank(p->first) : 0;
        p->order = value_of(j, j->kind->order, p->row);
        p->x = value_of(j, j->kind->x, p->row);
        if (j->panel != NULL)
            kmv_cell_text(j->panel, p->row, p->panel, sizeof p->panel);
    }
    for (size_t i = 0; i < j->n_points; i++)
        snprintf(j->points[i].key, KEY_SIZE, "%s", j->points[i].first);
    for (size_t c = 0; c < N_IDENTITY; c++) {
        const kmv_column *column = kmv_column_find(j->schema, identity[c]);

        if (column == NULL || column == j->panel || strcmp(identity[c], j->colour) == 0 ||
            has_name(j->kind->along, identity[c]) || (is_square && strcmp(identity[c], "n_k") == 0))
            continue;
        if (!varies(j, column))
            continue;
        for (size_t i = 0; i < j->n_points; i++) {
            char text[KEY_SIZE];

            append_key(j->points[i].key,
                       strcmp(identity[c], "n_q") == 0          ? "n"
                       : strcmp(identity[c], "x_kind") == 0     ? "x"
                       : strcmp(identity[c], "sigma_spec") == 0 ? "sigma"
                                                                : identity[c],
                       kmv_cell_text(column, j->points[i].row, text, sizeof text));
        }
    }
}

/* Empty cells first, so that the order is total. */
static int by_number(double a, double b)
{
    if (isnan(a) || isnan(b))
        return isnan(b) - isnan(a);
    return (a > b) - (a < b);
}

static int by_curve(const void *pa, const void *pb)
{
    const point *a = pa, *b = pb;
    const int panel = strcmp(a->panel, b->panel), key = strcmp(a->key, b->key),
              order = by_number(a->order, b->order), x = by_number(a->x, b->x);

    if (panel != 0)
        return panel;
    if (a->rank != b->rank)
        return a->rank < b->rank ? -1 : 1;
    if (key != 0)
        return key;
    if (order != 0 || x != 0)
        return order != 0 ? order : x;
    return (a->row > b->row) - (a->row < b->row);
}

/* A run of points: one curve. */
typedef struct {
    size_t begin, end;
    size_t panel, colour, variant;
    char file[128], label[KEY_SIZE], fit[KMV_FIGURE_COLUMNS][64];
} curve;

/* Number of the colour: fixed by all rows of the results, so that an algorithm looks the same in
 * every figure of an experiment. */
static size_t colour_of(const job *j, const char *first)
{
    size_t number = 0;

    for (size_t i = 0; i < j->n_rows; i++) {
        const char *other = text_of(j, j->colour, (const char *)j->rows + i * j->schema->row_size);
        const size_t rank = strcmp(j->colour, "algo") == 0 ? kmv_algo_rank(other) : 0;
        const size_t mine = strcmp(j->colour, "algo") == 0 ? kmv_algo_rank(first) : 0;
        int before = rank < mine || (rank == mine && strcmp(other, first) < 0), seen = 0;

        if (strcmp(other, "null") == 0)
            continue;
        for (size_t k = 0; before && !seen && k < i; k++)
            seen = strcmp(other, text_of(j, j->colour,
                                         (const char *)j->rows + k * j->schema->row_size)) == 0;
        number += before && !seen ? 1u : 0u;
    }
    return number;
}

static void file_name(size_t number, const char *key, char *name, size_t size)
{
    size_t used = (size_t)snprintf(name, size, "%02zu-", number);

    for (; *key != '\0' && used + 5 < size && used < 64; key++) {
        const char c = *key;
        const int plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                          (c >= '0' && c <= '9') || c == '.' || c == '-';

        if (plain || name[used - 1] != '_')
            name[used++] = plain ? c : '_';
    }
    snprintf(name + used, size - used, ".tsv");
}

/* Labels are enhanced text of gnuplot in single quotes. */
static void append_enhanced(char *to, size_t size, const char *text)
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
        snprintf(to, size, "  n^{%.2f}", slope);
    else
        snprintf(to, size, "  n^{%.2f} [%.2f, %.2f]", slope, lo, hi);
}

static double limit_of(const job *j, const char *name, const char *end, const void *row)
{
    char column[64];

    snprintf(column, sizeof column, "%s%s", name, end);
    return value_of(j, column, row);
}

static kmv_status fit_curve(const job *j, curve *c, size_t number, kmv_error *err)
{
    const char *name = j->kind->fit[number];
    const void *first = j->points[c->begin].row;
    const size_t count = c->end - c->begin, size = sizeof c->fit[number];
    double *x;
    kmv_fit fit;
    kmv_status st;

    if (j->kind->source == KMV_FIGURE_MEASURE) {
        put_exponent(c->fit[number], size, value_of(j, name, first),
                     limit_of(j, name, "_lo", first), limit_of(j, name, "_hi", first));
        return KMV_OK;
    }
    if ((x = kmv_alloc(2 * count, sizeof *x, "points of a fit", err)) == NULL)
        return KMV_ENOMEM;
    for (size_t i = 0; i < count; i++) {
        x[i] = value_of(j, j->kind->x, j->points[c->begin + i].row);
        x[count + i] = value_of(j, name, j->points[c->begin + i].row);
    }
    if ((st = kmv_fit_power(x, x + count, count, &fit, err)) == KMV_OK)
        put_exponent(c->fit[number], size, fit.slope, fit.lo, fit.hi);
    kmv_free(x);
    return st;
}

static kmv_status label_curve(const job *j, curve *c, kmv_error *err)
{
    kmv_status st = KMV_OK;

    append_enhanced(c->label, sizeof c->label, j->points[c->begin].key);
    for (size_t i = 0; i < KMV_FIGURE_COLUMNS && j->kind->fit[i] != NULL && st == KMV_OK; i++)
        st = fit_curve(j, c, i, err);
    return st;
}

/* Give intervals that a row lacks its value, since an error bar with one end is no point to
 * gnuplot. */
static void close_intervals(const job *j, void *row)
{
    for (const kmv_column *c = j->schema->columns; c->name != NULL; c++) {
        char name[64];
        const char *med = strstr(c->name, "_med");
        const double v = kmv_cell_value(c, row);

        for (int end = 0; end < 2 && !isnan(v); end++) {
            const kmv_column *limit;

            snprintf(name, sizeof name, "%.*s%s%s",
                     med != NULL ? (int)(med - c->name) : (int)strlen(c->name), c->name,
                     end == 0 ? "_lo" : "_hi", med != NULL ? med + 4 : "");
            limit = kmv_column_find(j->schema, name);
            if (limit != NULL && limit->type != KMV_COL_TEXT && isnan(kmv_cell_value(limit, row)))
                memcpy((char *)row + limit->offset, &v, sizeof v);
        }
    }
}

static kmv_status write_curve(const job *j, const curve *c, const char *folder, kmv_error *err)
{
    void *copy = kmv_alloc(1, j->schema->row_size, "a row", err);
    kmv_new_file f;
    kmv_status st;

    if (copy == NULL)
        return KMV_ENOMEM;
    if ((st = kmv_new_file_open(&f, err, "%s/%s", folder, c->file)) != KMV_OK)
        goto out;
    st = kmv_tsv_header(j->schema, f.out, err);
    for (size_t i = c->begin; i < c->end && st == KMV_OK; i++) {
        memcpy(copy, j->points[i].row, j->schema->row_size);
        close_intervals(j, copy);
        st = kmv_tsv_row(j->schema, copy, f.out, err);
    }
    st = kmv_new_file_commit(&f, st, err);
out:
    kmv_free(copy);
    return st;
}

/* Curves of one colour are told apart by number: the same for the same key in every panel. */
static size_t variant_of(const job *j, const curve *curves, size_t last)
{
    size_t most = 0;

    for (size_t k = 0; k < last; k++) {
        if (curves[k].colour != curves[last].colour)
            continue;
        if (strcmp(j->points[curves[k].begin].key, j->points[curves[last].begin].key) == 0)
            return curves[k].variant;
        most = curves[k].variant + 1 > most ? curves[k].variant + 1 : most;
    }
    return most;
}

/* Cut the sorted points into curves. */
static size_t cut(const job *j, curve *curves, size_t max)
{
    size_t count = 0, panel = 0;

    for (size_t i = 0; i < j->n_points; i++) {
        const point *p = &j->points[i], *before = i > 0 ? p - 1 : NULL;
        const int new_panel = before == NULL || strcmp(before->panel, p->panel) != 0;
        curve *c;

        if (!new_panel && strcmp(before->key, p->key) == 0) {
            curves[count - 1].end = i + 1;
            continue;
        }
        if (count == max)
            return max + 1;
        panel += new_panel ? 1u : 0u;
        c = &curves[count];
        *c = (curve){.begin = i, .end = i + 1, .panel = panel};
        c->colour = colour_of(j, p->first);
        c->variant = variant_of(j, curves, count);
        file_name(++count, p->key, c->file, sizeof c->file);
    }
    return count;
}

static size_t most_in_panel(const curve *curves, size_t count)
{
    size_t most = 0, in_this = 0;

    for (size_t i = 0; i < count; i++) {
        in_this = i > 0 && curves[i].panel == curves[i - 1].panel ? in_this + 1 : 1;
        most = in_this > most ? in_this : most;
    }
    return most;
}

static const curve *same_label_before(const curve *curves, size_t at)
{
    for (size_t k = 0; k < at; k++) {
        if (strcmp(curves[k].label, curves[at].label) == 0)
            return &curves[k];
    }
    return NULL;
}

/* 1 when a label says the same wherever it stands: then one legend serves all panels. */
static int labels_agree(const curve *curves, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const curve *before = same_label_before(curves, i);

        if (before != NULL && memcmp(before->fit, curves[i].fit, sizeof before->fit) != 0)
            return 0;
    }
    return 1;
}

static void put_quoted(const char *name, size_t at, const char *text, FILE *out)
{
    char enhanced[KEY_SIZE * 2] = "";

    append_enhanced(enhanced, sizeof enhanced, text);
    fprintf(out, "%s[%zu] = '%s'\n", name, at, enhanced);
}

/* One curve for each distinct label, by colour: the entries of a legend for all panels. */
static size_t put_keys(const curve *curves, size_t count, FILE *out)
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

/* How the figure calls the error and the answer that costs nothing: those of softmax are relative
 * to V, and the mean of V is one of them. */
static void put_words(const job *j, FILE *out)
{
    static const char *const error[] = {"|y - Kx| / |x|", "|y - PV| / |V|",
                                        "|y - Kx| / |x|, |y - PV| / |V|"};
    static const char *const cheapest[] = {"error of answering 0",
                                           "error of answering 0 or the mean",
                                           "error of answering 0 or the mean"};
    size_t softmax = 0, which;

    for (size_t i = 0; i < j->n_points; i++)
        softmax += strcmp(text_of(j, "matrix", j->points[i].row), "softmax") == 0 ? 1u : 0u;
    which = softmax == 0 ? 0 : softmax == j->n_points ? 1 : 2;
    fprintf(out, "ERROR = '%s'\nFLOOR = '%s'\n", error[which], cheapest[which]);
}

static kmv_status write_index(const job *j, const curve *curves, size_t count, const char *folder,
                              kmv_error *err)
{
    const size_t panels = curves[count - 1].panel, most = most_in_panel(curves, count);
    char title[512] = "";
    kmv_new_file f;
    kmv_status st = kmv_new_file_open(&f, err, "%s/series.gp", folder);

    if (st != KMV_OK)
        return st;
    append_enhanced(title, sizeof title, kmv_figure_value(j->figure, "title", ""));
    fprintf(f.out,
            "# Written by kmv plot: the curves of figure %s, kind %s.\n"
            "TITLE = '%s'\nPANELS = %zu\nSERIES = %zu\nMOST = %zu\nSHARED_KEY = %d\n"
            "array PANEL_TITLE[PANELS]\narray FIRST[PANELS]\narray LAST[PANELS]\n"
            "array KEY[SERIES]\narray FILE[SERIES]\narray LABEL[SERIES]\narray "
            "COLOUR[SERIES]\narray VARIANT[SERIES]\n",
            j->figure->name, j->kind->name, title, panels, count, most,
            labels_agree(curves, count));
    put_words(j, f.out);
    for (size_t k = 0; k < KMV_FIGURE_COLUMNS && j->kind->fit[k] != NULL; k++)
        fprintf(f.out, "array FIT%zu[SERIES]\n", k + 1);
    for (size_t i = 0; i < count; i++) {
        const curve *c = &curves[i];

        for (size_t k = 0; k < KMV_FIGURE_COLUMNS && j->kind->fit[k] != NULL; k++)
            fprintf(f.out, "FIT%zu[%zu] = '%s'\n", k + 1, i + 1, c->fit[k]);
        if (i == 0 || c->panel != curves[i - 1].panel) {
            put_quoted("PANEL_TITLE", c->panel, j->points[c->begin].panel, f.out);
            fprintf(f.out, "FIRST[%zu] = %zu\n", c->panel, i + 1);
        }
        fprintf(f.out, "LAST[%zu] = %zu\nFILE[%zu] = '%s'\nLABEL[%zu] = '%s'\n", c->panel, i + 1,
                i + 1, c->file, i + 1, c->label);
        fprintf(f.out, "COLOUR[%zu] = %zu\nVARIANT[%zu] = %zu\n", i + 1, c->colour, i + 1,
                c->variant);
    }
    fprintf(f.out, "KEYS = %zu\n", put_keys(curves, count, f.out));
    return kmv_new_file_commit(&f, KMV_OK, err);
}

static kmv_status write_all(job *j, kmv_figure_outcome *outcome, kmv_error *err)
{
    const size_t max = KMV_FIGURE_SERIES * KMV_FIGURE_PANELS;
    curve *curves = kmv_alloc(max, sizeof *curves, "curves of a figure", err);
    size_t count;
    char folder[1024];
    kmv_status st = KMV_ENOMEM;

    if (curves == NULL)
        return KMV_ENOMEM;
    count = cut(j, curves, max);
    if (count > max || curves[count - 1].panel > KMV_FIGURE_PANELS ||
        most_in_panel(curves, count) > KMV_FIGURE_SERIES) {
        st =
            fail_section(j, "more curves or panels than can be told apart; choose fewer by filters",
                         outcome->rows, err);
        goto out;
    }
    snprintf(folder, sizeof folder, "%s/agg", j->results->dir);
    if ((st = kmv_folder_make(folder, err)) != KMV_OK)
        goto out;
    snprintf(folder, sizeof folder, "%s/agg/%s", j->results->dir, j->figure->name);
    if ((st = kmv_folder_make(folder, err)) != KMV_OK)
        goto out;
    for (size_t i = 0; i < count; i++) {
        if ((st = label_curve(j, &curves[i], err)) != KMV_OK ||
            (st = write_curve(j, &curves[i], folder, err)) != KMV_OK)
            goto out;
    }
    st = write_index(j, curves, count, folder, err);
    outcome->series = count;
    outcome->drawn = 1;
out:
    kmv_free(curves);
    return st;
}

kmv_status kmv_figure_data(const kmv_config_figure *figure, const kmv_results *results,
                           kmv_figure_outcome *outcome, kmv_error *err)
{
    const kmv_figure_kind *kind = kmv_figure_kind_find(kmv_figure_value(figure, "kind", ""));
    const int raw = kind->source == KMV_FIGURE_RAW;
    const char *panel = kmv_figure_value(figure, "panel", kind->panel);
    kmv_figure_outcome found = {0};
    job j = {
        .figure = figure,
        .kind = kind,
        .schema = raw ? &kmv_summary_schema : &kmv_measure_schema,
        .rows = raw ? (const void *)results->cases : (const void *)results->measures,
        .n_rows = raw ? results->n_cases : results->n_measures,
        .results = results,
        .colour = raw ? "algo" : "dataset",
    };
    kmv_status st;

    j.panel = kmv_column_find(j.schema, kmv_figure_column(panel));
    if ((st = choose(&j, &found, err)) != KMV_OK)
        goto out;
    if (j.n_points > 0) {
        name_curves(&j);
        qsort(j.points, j.n_points, sizeof *j.points, by_curve);
        if ((st = write_all(&j, &found, err)) != KMV_OK)
            goto out;
    }
    *outcome = found;
out:
    kmv_free(j.points);
    return st;
}

/* bench/figure_data.c - rows chosen by a section, cut into curves, written for gnuplot. */
#include <ctype.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/status.h"
#include "base/str.h"
#include "bench/figure_parts.h"
#include "bench/filter.h"
#include "bench/stats.h"

const char *const kmv_figure_identity[] = {
    "dataset", "matrix",  "causal",     "center",     "n_q",       "n_k", "d",
    "r",       "x_kind",  "sigma_spec", "algo",       "algo_opts", "eps", "delta",
    "isa",     "threads", "rows",       "drop_first", NULL,
};

static int has_name(const char *const *names, const char *name)
{
    for (size_t i = 0; i < KMV_FIGURE_COLUMNS && names[i] != NULL; i++) {
        if (strcmp(names[i], name) == 0)
            return 1;
    }
    return 0;
}

double kmv_figure_number(const kmv_figure_job *j, const char *column, const void *row)
{
    return kmv_cell_value(kmv_column_find(j->schema, column), row);
}

const char *kmv_figure_text(const kmv_figure_job *j, const char *column, const void *row)
{
    return (const char *)row + kmv_column_find(j->schema, column)->offset;
}

static int drawable(const kmv_figure_job *j, const void *row)
{
    const double least = j->kind->cell != NULL ? 0 : DBL_MIN; /* an axis of logarithms has no 0 */
    double v = kmv_figure_number(j, j->kind->x, row);

    if (!(isfinite(v) && v >= least))
        return 0;
    if (j->kind->cell != NULL && isnan(kmv_figure_number(j, j->kind->cell, row)))
        return 0;
    if (*kmv_figure_text(j, j->colour, row) == '\0')
        return 0;
    for (size_t i = 0; i < KMV_FIGURE_COLUMNS && j->kind->y[i] != NULL; i++) {
        v = kmv_figure_number(j, j->kind->y[i], row);
        if (!(isfinite(v) && v > 0))
            return 0;
    }
    return 1;
}

static kmv_status fail_section(const kmv_figure_job *j, const char *what, size_t count,
                               kmv_error *err)
{
    char path[1024];

    snprintf(path, sizeof path, "%s", j->results->config.path);
    return kmv_fail(err, KMV_EINVAL, "%s:%zu: [figure %s]: %s (%zu rows of %s)", path,
                    j->figure->line, j->figure->name, what, count,
                    j->kind->source == KMV_FIGURE_MEASURE ? "measure.tsv" : "raw.tsv");
}

/* Choose rows and drawable ones among them; outcome gets the counts and the note. */
static kmv_status choose(kmv_figure_job *j, kmv_figure_outcome *outcome, kmv_error *err)
{
    const char *reason = "";

    if ((j->points = kmv_alloc(j->n_rows, sizeof *j->points, "points of a figure", err)) == NULL)
        return KMV_ENOMEM;
    for (size_t i = 0; i < j->n_rows; i++) {
        const void *row = (const char *)j->rows + i * j->schema->row_size;

        /* What is pooled was selected before. */
        if (j->kind->source != KMV_FIGURE_POOLED &&
            !kmv_figure_selects(j->figure, j->schema, row, 0))
            continue;
        outcome->rows++;
        if (drawable(j, row))
            j->points[j->n_points++].row = row;
        else if (*reason == '\0')
            reason = kmv_figure_text(j, "reason", row);
    }
    outcome->points = j->n_points;
    if (outcome->rows == 0 && j->results->incomplete) {
        snprintf(outcome->note, sizeof outcome->note,
                 "No rows of it yet: the folder does not hold all cases.");
        return KMV_OK;
    }
    if (outcome->rows == 0)
        return fail_section(j, "its filters select no rows", j->n_rows, err);
    if (j->n_points < outcome->rows)
        snprintf(outcome->note, sizeof outcome->note, "%zu of %zu %s no point%s%s.",
                 outcome->rows - j->n_points, outcome->rows,
                 j->kind->source == KMV_FIGURE_RAW ? "cases have" : "rows have",
                 *reason != '\0' ? ": " : " (a value that the axes need is empty or 0)", reason);
    return KMV_OK;
}

/* Algorithms stand in the order of their table, all else in that of its names. */
static size_t rank_of(const kmv_figure_job *j, const char *name)
{
    return strcmp(j->colour, "dataset") == 0 ? 0 : kmv_algo_rank(name);
}

/* Whether the column takes several values among the rows with the same algorithm (or data set). */
static int varies(const kmv_figure_job *j, const kmv_column *column)
{
    char a[KMV_FIGURE_KEY], b[KMV_FIGURE_KEY];

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

static int square(const kmv_figure_job *j)
{
    for (size_t i = 0; i < j->n_points; i++) {
        if (kmv_figure_number(j, "n_q", j->points[i].row) !=
            kmv_figure_number(j, "n_k", j->points[i].row))
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
        snprintf(key + used, KMV_FIGURE_KEY - used, "%s%s%s%s", used > 0 ? ", " : "",
                 named ? name : "", named ? " " : "", text);
}

static void name_curves(kmv_figure_job *j)
{
    const int is_square = square(j);

    for (size_t i = 0; i < j->n_points; i++) {
        kmv_figure_point *p = &j->points[i];

        p->first = kmv_figure_text(j, j->colour, p->row);
        p->rank = rank_of(j, p->first);
        p->order = kmv_figure_number(j, j->kind->order, p->row);
        p->x = kmv_figure_number(j, j->kind->x, p->row);
        if (j->panel != NULL && j->panel->type == KMV_COL_BOOL)
            snprintf(p->panel, sizeof p->panel, "%s ", j->panel->name); /* "yes" says nothing */
        if (j->panel != NULL)
            kmv_cell_text(j->panel, p->row, p->panel + strlen(p->panel),
                          sizeof p->panel - strlen(p->panel));
    }
    for (size_t i = 0; i < j->n_points; i++)
        snprintf(j->points[i].key, KMV_FIGURE_KEY, "%s", j->points[i].first);
    for (const char *const *name = kmv_figure_identity; *name != NULL; name++) {
        const kmv_column *column = kmv_column_find(j->schema, *name);

        if (column == NULL || column == j->panel || strcmp(*name, j->colour) == 0 ||
            has_name(j->kind->along, *name) || (is_square && strcmp(*name, "n_k") == 0))
            continue;
        if (!varies(j, column))
            continue;
        for (size_t i = 0; i < j->n_points; i++) {
            char text[KMV_FIGURE_KEY];

            append_key(j->points[i].key,
                       strcmp(*name, "n_q") == 0          ? "n"
                       : strcmp(*name, "x_kind") == 0     ? "x"
                       : strcmp(*name, "sigma_spec") == 0 ? "sigma"
                                                          : *name,
                       kmv_cell_text(column, j->points[i].row, text, sizeof text));
        }
    }
}

/* Whether b, of the same curve, is as good as a in both or better; of equal ones the first stays.
 */
static int beaten(const kmv_figure_job *j, const kmv_figure_point *a, const kmv_figure_point *b)
{
    const char *y = j->kind->y[0];
    const double left = kmv_figure_number(j, y, a->row), right = kmv_figure_number(j, y, b->row);

    if (strcmp(a->panel, b->panel) != 0 || strcmp(a->key, b->key) != 0 || b->x > a->x ||
        right > left)
        return 0;
    return b->x < a->x || right < left || b->row < a->row;
}

/* Leave out the points that another of their curve beats. */
static void keep_front(kmv_figure_job *j, kmv_figure_outcome *outcome)
{
    size_t kept = 0;
    char *out = outcome->note + strlen(outcome->note);

    for (size_t i = 0; i < j->n_points; i++) {
        j->points[i].beaten = 0;
        for (size_t k = 0; k < j->n_points && !j->points[i].beaten; k++)
            j->points[i].beaten = beaten(j, &j->points[i], &j->points[k]);
    }
    for (size_t i = 0; i < j->n_points; i++) {
        if (!j->points[i].beaten)
            j->points[kept++] = j->points[i];
    }
    if (kept < j->n_points)
        snprintf(out, sizeof outcome->note - (size_t)(out - outcome->note),
                 "%s%zu points that another setting of the same method beats are left out.",
                 out > outcome->note ? " " : "", j->n_points - kept);
    j->n_points = kept;
    outcome->points = kept;
}

/* Empty cells first, so that the order is total. */
static int by_number(double a, double b)
{
    if (isnan(a) || isnan(b))
        return isnan(b) - isnan(a);
    return (a > b) - (a < b);
}

/* Text with the numbers in it compared as numbers: d 8 before d 16. */
static int by_words(const char *a, const char *b)
{
    const char *left = a, *right = b;

    while (*left != '\0' && *right != '\0') {
        if (isdigit((unsigned char)*left) && isdigit((unsigned char)*right)) {
            char *left_end, *right_end;
            const double x = strtod(left, &left_end), y = strtod(right, &right_end);

            if (x != y)
                return x < y ? -1 : 1;
            left = left_end;
            right = right_end;
        } else {
            if (*left != *right)
                break;
            left++;
            right++;
        }
    }
    return *left != *right ? (unsigned char)*left - (unsigned char)*right : strcmp(a, b);
}

static int by_curve(const void *pa, const void *pb)
{
    const kmv_figure_point *a = pa, *b = pb;
    const int panel = by_words(a->panel, b->panel), key = by_words(a->key, b->key),
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

/* Number of the colour: fixed by all rows of the results, so that an algorithm looks the same in
 * every figure of an experiment. */
static size_t colour_of(const kmv_figure_job *j, const char *first)
{
    size_t number = 0;

    for (size_t i = 0; i < j->n_rows; i++) {
        const char *other =
            kmv_figure_text(j, j->colour, (const char *)j->rows + i * j->schema->row_size);
        const size_t rank = rank_of(j, other), mine = rank_of(j, first);
        int before = rank < mine || (rank == mine && strcmp(other, first) < 0), seen = 0;

        if (strcmp(other, "null") == 0 || *other == '\0')
            continue;
        for (size_t k = 0; before && !seen && k < i; k++)
            seen = strcmp(other,
                          kmv_figure_text(j, j->colour,
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

static const kmv_column *limit_column(const kmv_schema *schema, const char *name, const char *end)
{
    const char *med = strstr(name, "_med");
    const kmv_column *limit;
    char text[64];

    snprintf(text, sizeof text, "%.*s%s%s", med != NULL ? (int)(med - name) : (int)strlen(name),
             name, end, med != NULL ? med + 4 : "");
    limit = kmv_column_find(schema, text);
    return limit != NULL && limit->type != KMV_COL_TEXT ? limit : NULL;
}

void kmv_figure_interval(const kmv_figure_job *j, const char *column, const void *row, double *lo,
                         double *hi)
{
    const kmv_column *below = limit_column(j->schema, column, "_lo");
    const kmv_column *above = limit_column(j->schema, column, "_hi");
    const double v = kmv_figure_number(j, column, row);

    *lo = below != NULL ? kmv_cell_value(below, row) : v;
    *hi = above != NULL ? kmv_cell_value(above, row) : v;
    *lo = isnan(*lo) ? v : *lo;
    *hi = isnan(*hi) ? v : *hi;
}

/* Give intervals that a row lacks its value, since an error bar with one end is no point to
 * gnuplot. */
static void close_intervals(const kmv_figure_job *j, void *row)
{
    static const char *const ends[] = {"_lo", "_hi"};

    for (const kmv_column *c = j->schema->columns; c->name != NULL; c++) {
        const double v = kmv_cell_value(c, row);

        for (int end = 0; end < 2 && !isnan(v); end++) {
            const kmv_column *limit = limit_column(j->schema, c->name, ends[end]);

            if (limit != NULL && isnan(kmv_cell_value(limit, row)))
                memcpy((char *)row + limit->offset, &v, sizeof v);
        }
    }
}

static kmv_status write_curve(const kmv_figure_job *j, const kmv_figure_curve *c,
                              const char *folder, kmv_error *err)
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
static size_t variant_of(const kmv_figure_job *j, const kmv_figure_curve *curves, size_t last)
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
static size_t cut(const kmv_figure_job *j, kmv_figure_curve *curves, size_t max)
{
    size_t count = 0, panel = 0;

    for (size_t i = 0; i < j->n_points; i++) {
        const kmv_figure_point *p = &j->points[i], *before = i > 0 ? p - 1 : NULL;
        const int new_panel = before == NULL || strcmp(before->panel, p->panel) != 0;
        kmv_figure_curve *c;

        if (!new_panel && strcmp(before->key, p->key) == 0) {
            curves[count - 1].end = i + 1;
            continue;
        }
        if (count == max)
            return max + 1;
        panel += new_panel ? 1u : 0u;
        c = &curves[count];
        *c = (kmv_figure_curve){.begin = i, .end = i + 1, .panel = panel};
        c->colour = colour_of(j, p->first);
        c->variant = variant_of(j, curves, count);
        file_name(++count, p->key, c->file, sizeof c->file);
    }
    return count;
}

static size_t most_in_panel(const kmv_figure_curve *curves, size_t count)
{
    size_t most = 0, in_this = 0;

    for (size_t i = 0; i < count; i++) {
        in_this = i > 0 && curves[i].panel == curves[i - 1].panel ? in_this + 1 : 1;
        most = in_this > most ? in_this : most;
    }
    return most;
}

static kmv_status write_all(kmv_figure_job *j, kmv_figure_outcome *outcome, kmv_error *err)
{
    const size_t max = KMV_FIGURE_SERIES * KMV_FIGURE_PANELS;
    kmv_figure_curve *curves = kmv_alloc(max, sizeof *curves, "curves of a figure", err);
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
    if (j->kind->cell != NULL && most_in_panel(curves, count) > 1) {
        st = fail_section(j, "several rows for one cell; choose by filters", outcome->rows, err);
        goto out;
    }
    snprintf(folder, sizeof folder, "%s/agg", j->results->dir);
    if ((st = kmv_folder_make(folder, err)) != KMV_OK)
        goto out;
    snprintf(folder, sizeof folder, "%s/agg/%s", j->results->dir, j->figure->name);
    if ((st = kmv_folder_make(folder, err)) != KMV_OK)
        goto out;
    for (size_t i = 0; i < count; i++) {
        if ((st = kmv_figure_label(j, &curves[i], err)) != KMV_OK ||
            (st = write_curve(j, &curves[i], folder, err)) != KMV_OK)
            goto out;
        kmv_figure_cross(j, &curves[i]);
    }
    st = kmv_figure_index(j, curves, count, most_in_panel(curves, count), folder, err);
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
    const char *panel = kmv_figure_value(figure, "panel", kind->panel);
    const int measured = kind->source == KMV_FIGURE_MEASURE;
    kmv_figure_outcome found = {0};
    kmv_schema expanded = {0};
    void *rows = NULL;
    kmv_figure_job j = {
        .figure = figure,
        .kind = kind,
        .schema = measured ? &kmv_measure_schema : &kmv_summary_schema,
        .rows = measured ? (const void *)results->measures : (const void *)results->cases,
        .n_rows = measured ? results->n_measures : results->n_cases,
        .results = results,
        .colour = kind->curve != NULL ? kind->curve
                  : measured          ? "dataset"
                                      : "algo",
    };
    kmv_status st = KMV_OK;

    if (kind->source != KMV_FIGURE_RAW && kind->source != KMV_FIGURE_MEASURE) {
        st = kind->source == KMV_FIGURE_POOLED
                 ? kmv_figure_pool(figure, results, &expanded, &rows, &j.n_rows, err)
                 : kmv_figure_expand(kind->source, results->cases, results->n_cases, &expanded,
                                     &rows, &j.n_rows, err);
        if (st != KMV_OK)
            goto out;
        j.schema = &expanded;
        j.rows = rows;
    }
    j.panel = kmv_column_find(j.schema, kmv_filter_column(panel));
    if ((st = choose(&j, &found, err)) != KMV_OK)
        goto out;
    if (j.n_points > 0) {
        name_curves(&j);
        if (kind->front)
            keep_front(&j, &found);
        qsort(j.points, j.n_points, sizeof *j.points, by_curve);
        if ((st = write_all(&j, &found, err)) != KMV_OK)
            goto out;
    }
    *outcome = found;
out:
    kmv_free((void *)(uintptr_t)expanded.columns);
    kmv_free(rows);
    kmv_free(j.points);
    return st;
}

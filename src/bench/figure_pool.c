/* bench/figure_pool.c - rows of several data sets pooled into one. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "bench/figure_parts.h"
#include "bench/stats.h"

typedef struct {
    kmv_summary of; /* first, so that the columns of cases find their fields */
    double pooled;
} pooled_row;

static const kmv_column own[] = {
    KMV_COLUMN(pooled_row, pooled, "", KMV_COL_INT, "data sets that the row stands for"),
    {0},
};

typedef struct {
    const kmv_summary *of;
    char *key; /* what tells cases apart, but the data set */
} keyed;

/* What is pooled: a median, and where the row has an interval the quartiles in its place. */
static const struct {
    size_t at, lo, hi; /* lo 0: no interval */
} pooled_numbers[] = {
#define PLAIN(field)                                                                               \
    {                                                                                              \
        offsetof(kmv_summary, field), 0, 0                                                         \
    }
#define WITH_ENDS(name, unit)                                                                      \
    {                                                                                              \
        offsetof(kmv_summary, name##_med##unit), offsetof(kmv_summary, name##_lo##unit),           \
            offsetof(kmv_summary, name##_hi##unit)                                                 \
    }
    WITH_ENDS(t_total, _s),
    WITH_ENDS(t_prepare, _s),
    WITH_ENDS(t_apply, _s),
    WITH_ENDS(err_l2, ),
    WITH_ENDS(speedup_total, ),
    WITH_ENDS(speedup_apply, ),
    PLAIN(pairs_frac),
    PLAIN(pairs_per_query),
    PLAIN(flops),
    PLAIN(mem_peak_b),
    PLAIN(null_err),
    PLAIN(mean_err),
    PLAIN(floor_err),
};

static int by_key(const void *pa, const void *pb)
{
    const keyed *a = pa, *b = pb;
    const int key = strcmp(a->key, b->key);

    return key != 0 ? key : (a->of > b->of) - (a->of < b->of);
}

static kmv_status fill_key(const kmv_summary *c, char **key, kmv_error *err)
{
    char text[KMV_FIGURE_KEY], all[2 * KMV_FIGURE_KEY] = "";

    for (const char *const *name = kmv_figure_identity; *name != NULL; name++) {
        const kmv_column *column = kmv_column_find(&kmv_summary_schema, *name);
        const size_t used = strlen(all);

        if (column != NULL && strcmp(*name, "dataset") != 0)
            snprintf(all + used, sizeof all - used, "%s\t",
                     kmv_cell_text(column, c, text, sizeof text));
    }
    if ((*key = kmv_alloc(strlen(all) + 1, 1, "text of a case", err)) == NULL)
        return KMV_ENOMEM;
    memcpy(*key, all, strlen(all) + 1);
    return KMV_OK;
}

/* Data sets among the cases. */
static size_t count_sets(const keyed *cases, size_t count)
{
    size_t sets = 0;

    for (size_t i = 0; i < count; i++) {
        int seen = 0;

        for (size_t k = 0; k < i && !seen; k++)
            seen = strcmp(cases[i].of->dataset, cases[k].of->dataset) == 0;
        sets += !seen;
    }
    return sets;
}

static double value(const kmv_summary *c, size_t at)
{
    return *(const double *)(const void *)((const char *)c + at);
}

static double *field(kmv_summary *c, size_t at)
{
    return (double *)(void *)((char *)c + at);
}

/* One row of cases that differ in the data set alone; without numbers unless all sets have them.
 * values: room for count. */
static void pool(const keyed *cases, size_t count, size_t sets, double *values, pooled_row *row)
{
    size_t ran = 0;

    row->of = *cases->of;
    row->of.dataset[strcspn(row->of.dataset, ":")] = '\0';
    row->of.layer = row->of.head = NAN;
    row->pooled = (double)sets;
    for (size_t k = 0; k < sizeof pooled_numbers / sizeof *pooled_numbers; k++) {
        const size_t at = pooled_numbers[k].at;

        ran = 0;
        for (size_t i = 0; i < count; i++) {
            values[i] = value(cases[i].of, at);
            ran += k > 0 || !isnan(values[i]);
        }
        if (k == 0 && ran < sets)
            break;
        *field(&row->of, at) = kmv_quantile(values, count, 0.5);
        if (pooled_numbers[k].lo > 0) {
            *field(&row->of, pooled_numbers[k].lo) = kmv_quantile(values, count, 0.25);
            *field(&row->of, pooled_numbers[k].hi) = kmv_quantile(values, count, 0.75);
        }
    }
    if (ran < sets) {
        row->of.t_total_med_s = NAN;
        snprintf(row->of.reason, sizeof row->of.reason, "numbers from %zu of %zu data sets", ran,
                 sets);
    }
}

kmv_status kmv_figure_pool(const kmv_config_figure *figure, const kmv_results *results,
                           kmv_schema *schema, void **rows, size_t *n_rows, kmv_error *err)
{
    const size_t n = results->n_cases;
    kmv_column *columns = kmv_figure_columns(own, err);
    keyed *cases = kmv_alloc(n, sizeof *cases, "cases", err);
    double *values = kmv_alloc(n, sizeof *values, "values", err);
    pooled_row *out = kmv_alloc(n, sizeof *out, "pooled rows", err);
    size_t count = 0, used = 0, sets;
    kmv_status st = KMV_ENOMEM;

    if (columns == NULL || cases == NULL || values == NULL || out == NULL)
        goto out;
    for (size_t i = 0; i < n; i++) {
        if (!kmv_figure_selects(figure, &kmv_summary_schema, &results->cases[i], 0))
            continue;
        cases[count].of = &results->cases[i];
        if ((st = fill_key(cases[count].of, &cases[count].key, err)) != KMV_OK)
            goto out;
        count++;
    }
    qsort(cases, count, sizeof *cases, by_key);
    sets = count_sets(cases, count);
    for (size_t i = 0, end; i < count; i = end) {
        for (end = i + 1; end < count && strcmp(cases[end].key, cases[i].key) == 0; end++)
            ;
        pool(cases + i, end - i, sets, values, &out[used++]);
    }
    *schema = (kmv_schema){columns, sizeof *out};
    *rows = out;
    *n_rows = used;
    columns = NULL;
    out = NULL;
    st = KMV_OK;
out:
    for (size_t i = 0; i < count; i++)
        kmv_free(cases[i].key);
    kmv_free(columns);
    kmv_free(cases);
    kmv_free(values);
    kmv_free(out);
    return st;
}

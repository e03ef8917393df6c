/* bench/filter.c - see filter.h. */
#include "bench/filter.h"

#include <fnmatch.h>
#include <string.h>

#include "base/status.h"
#include "base/str.h"
#include "bench/record.h"

/* Keys that filter, and the column each looks at. */
static const struct {
    const char *key, *column;
    int raw_only; /* rows of measure.tsv have no such column */
} filters[] = {
    {"dataset", "dataset", 0},
    {"matrix", "matrix", 0},
    {"causal", "causal", 0},
    {"center", "center", 0},
    {"n", "n_q", 0},
    {"n_q", "n_q", 0},
    {"n_k", "n_k", 0},
    {"d", "d", 0},
    {"sigma", "sigma_spec", 0},
    {"sigma_spec", "sigma_spec", 0},
    {"rows", "rows", 0},
    {"sweep", "sweep", 1},
    {"r", "r", 1},
    {"eps", "eps", 1},
    {"delta", "delta", 1},
    {"x", "x_kind", 1},
    {"x_kind", "x_kind", 1},
    {"algo", "algo", 1},
    {"algo_opts", "algo_opts", 1},
    {"isa", "isa", 1},
    {"threads", "threads", 1},
    {"layer", "layer", 1},
    {"head", "head", 1},
};
_Static_assert(sizeof filters / sizeof *filters == KMV_FILTER_KEYS, "one key each");
enum { N_FILTERS = KMV_FILTER_KEYS };

const char *kmv_filter_column(const char *key)
{
    for (size_t i = 0; i < N_FILTERS; i++) {
        if (strcmp(filters[i].key, key) == 0)
            return filters[i].column;
    }
    return "";
}

/* The next item of a list split at commas, trimmed; options hold commas, so algo_opts has one. */
static int next_item(const char *key, const char **rest, char *item, size_t size)
{
    const char *end;
    char buffer[512];

    if (*rest == NULL)
        return 0;
    end = strcmp(key, "algo_opts") == 0 ? NULL : strchr(*rest, ',');
    kmv_copy_text(buffer, sizeof buffer, *rest);
    if (end != NULL)
        buffer[end - *rest] = '\0';
    *rest = end != NULL ? end + 1 : NULL;
    kmv_copy_text(item, size, kmv_trim(buffer));
    return 1;
}

size_t kmv_filter_keys(int measure, const char **names)
{
    size_t count = 0;

    for (size_t i = 0; i < N_FILTERS; i++) {
        if (!measure || !filters[i].raw_only)
            names[count++] = filters[i].key;
    }
    return count;
}

kmv_status kmv_filter_check(const kmv_config_entry *e, kmv_error *err)
{
    const kmv_schema *schema = &kmv_record_schema;
    const kmv_column *column = kmv_column_find(schema, kmv_filter_column(e->key));
    const char *rest = e->value;
    char item[512];

    while (next_item(e->key, &rest, item, sizeof item)) {
        double number;
        size_t size;
        int flag;

        if (*item == '\0' && strcmp(e->key, "algo_opts") != 0)
            return kmv_fail(err, KMV_EINVAL, "%zu: %s: want a list of values, got '%s'", e->line,
                            e->key, e->value);
        if (column == NULL || column->type == KMV_COL_TEXT)
            continue;
        if (column->type == KMV_COL_BOOL
                ? !kmv_parse_bool(item, &flag)
                : !kmv_parse_real(item, &number) && !kmv_parse_size(item, &size))
            return kmv_fail(err, KMV_EINVAL, "%zu: %s: want %s, got '%s'", e->line, e->key,
                            column->type == KMV_COL_BOOL ? "yes or no" : "numbers", item);
    }
    return KMV_OK;
}

/* One of the names joined by + matches. */
static int part_matches(const char *item, char *names)
{
    char *rest = NULL;

    for (char *part = strtok_r(names, "+", &rest); part != NULL;
         part = strtok_r(NULL, "+", &rest)) {
        if (fnmatch(item, part, 0) == 0)
            return 1;
    }
    return 0;
}

static int item_matches(const char *item, const kmv_column *column, const void *row)
{
    const double have = kmv_cell_value(column, row);
    char text[512];
    double want;
    size_t size;
    int flag;

    if (column->type == KMV_COL_BOOL)
        return kmv_parse_bool(item, &flag) && have == flag;
    if (column->type != KMV_COL_TEXT) {
        if (kmv_parse_size(item, &size))
            want = (double)size;
        else if (!kmv_parse_real(item, &want))
            return 0;
        return have == want;
    }
    kmv_cell_text(column, row, text, sizeof text);
    if (fnmatch(item, text, 0) == 0)
        return 1;
    if (strcmp(column->name, "sweep") == 0)
        return part_matches(item, text);
    if (strcmp(column->name, "dataset") != 0)
        return 0;
    text[strcspn(text, ":")] = '\0';
    return strcmp(item, text) == 0;
}

/* Nothing stands there yet, since only the run or its data tell. */
static int is_open(const kmv_column *column, const void *row)
{
    static const char *const told_later[] = {"causal", "r", "isa", "threads", "rows"};
    char text[512];

    for (size_t i = 0; i < sizeof told_later / sizeof *told_later; i++) {
        if (strcmp(column->name, told_later[i]) == 0)
            return *kmv_cell_text(column, row, text, sizeof text) == '\0';
    }
    return 0;
}

int kmv_filter_keeps(const kmv_config_entry *entries, size_t count, const kmv_schema *schema,
                     const void *row, int planned)
{
    for (size_t i = 0; i < count; i++) {
        const kmv_config_entry *e = &entries[i];
        const char *name = kmv_filter_column(e->key), *rest = e->value;
        const kmv_column *column = kmv_column_find(schema, name);
        char item[512];
        int kept = 0;

        if (column == NULL || (planned && is_open(column, row)))
            continue;
        if (strcmp(name, "eps") == 0 && !(kmv_cell_value(column, row) > 0))
            continue;
        while (!kept && next_item(e->key, &rest, item, sizeof item))
            kept = item_matches(item, column, row);
        if (!kept)
            return 0;
    }
    return 1;
}

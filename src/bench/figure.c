/* bench/figure.c - the kinds of figures, and the check of their sections. */
#include "bench/figure.h"

#include <fnmatch.h>
#include <string.h>

#include "base/status.h"
#include "base/str.h"
#include "bench/measure.h"
#include "bench/record.h"

const kmv_figure_kind kmv_figure_kinds[] = {
    {
        .name = "assumption",
        .summary = "tail/head and sum/n against n, with fitted exponents",
        .source = KMV_FIGURE_MEASURE,
        .x = "n_q",
        .y = {"tail_over_head", "sum_over_n"},
        .along = {"n_q", "n_k"},
        .order = "n_q",
        .panel = "none",
        .fit = {"alpha", "alpha_sum"},
    },
    {
        .name = "time_vs_n",
        .summary = "time with set-up against n, with fitted exponents",
        .x = "n_q",
        .y = {"t_total_med_s"},
        .along = {"n_q", "n_k"},
        .order = "n_q",
        .leave_out = {"null"},
        .panel = "dataset",
        .fit = {"t_total_med_s"},
    },
    {
        .name = "error_vs_time",
        .summary = "error against time with set-up, the points of an algorithm joined",
        .x = "t_total_med_s",
        .y = {"err_l2_med"},
        .along = {"eps", "delta", "algo_opts"},
        .order = "eps",
        .leave_out = {"null", "exact-f64"},
        .panel = "dataset",
    },
    {
        .name = "sigma",
        .summary = "error and time against the bandwidth",
        .x = "sigma",
        .y = {"err_l2_med", "t_total_med_s"},
        .along = {"sigma", "sigma_spec"},
        .order = "sigma",
        .leave_out = {"null", "exact-f64"},
        .panel = "dataset",
    },
    {
        .name = "dimension",
        .summary = "time and error against the dimension",
        .x = "d",
        .y = {"t_total_med_s", "err_l2_med"},
        .along = {"d", "sigma"},
        .order = "d",
        .leave_out = {"null", "exact-f64"},
        .panel = "dataset",
    },
    {
        .name = "reached_vs_asked",
        .summary = "error reached against error asked; the thin line is equality",
        .x = "eps",
        .y = {"err_l2_med"},
        .along = {"eps"},
        .order = "eps",
        .leave_out = {"null", "exact-f64"},
        .panel = "dataset",
    },
    {
        .name = "pairs_vs_n",
        .summary = "kernel entries evaluated per query against n",
        .x = "n_q",
        .y = {"pairs_per_query"},
        .along = {"n_q", "n_k"},
        .order = "n_q",
        .leave_out = {"null"},
        .panel = "dataset",
        .fit = {"pairs_per_query"},
    },
    {0},
};

const kmv_figure_kind *kmv_figure_kind_find(const char *name)
{
    for (const kmv_figure_kind *k = kmv_figure_kinds; k->name != NULL; k++) {
        if (strcmp(k->name, name) == 0)
            return k;
    }
    return NULL;
}

const char *kmv_figure_value(const kmv_config_figure *figure, const char *key, const char *fallback)
{
    for (size_t i = 0; i < figure->count; i++) {
        if (strcmp(figure->entries[i].key, key) == 0)
            return figure->entries[i].value;
    }
    return fallback;
}

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
};
enum { N_FILTERS = sizeof filters / sizeof *filters };

const char *kmv_figure_column(const char *key)
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

static kmv_status wrong_word(const char *what, const char *word, const char *const *known,
                             size_t count, size_t line, kmv_error *err)
{
    const char *near = kmv_closest(word, known, count);
    char all[512] = "";
    size_t used = 0;

    for (size_t i = 0; i < count && used < sizeof all; i++)
        used +=
            (size_t)snprintf(all + used, sizeof all - used, "%s%s", i > 0 ? ", " : "", known[i]);
    if (near != NULL)
        return kmv_fail(err, KMV_EINVAL, "%zu: %s '%s', did you mean '%s'?", line, what, word,
                        near);
    return kmv_fail(err, KMV_EINVAL, "%zu: %s '%s', want one of %s", line, what, word, all);
}

static kmv_status check_kind(const kmv_config_figure *figure, kmv_error *err)
{
    const char *names[32];
    size_t count = 0;

    for (const kmv_figure_kind *k = kmv_figure_kinds; k->name != NULL; k++)
        names[count++] = k->name;
    for (size_t i = 0; i < figure->count; i++) {
        const kmv_config_entry *e = &figure->entries[i];

        if (strcmp(e->key, "kind") != 0)
            continue;
        if (kmv_figure_kind_find(e->value) == NULL)
            return wrong_word("kind: no such kind of figure", e->value, names, count, e->line, err);
        return KMV_OK;
    }
    return kmv_fail(err, KMV_EINVAL, "%zu: [figure %s]: want a key 'kind'", figure->line,
                    figure->name);
}

static kmv_status check_values(const kmv_config_entry *e, kmv_error *err)
{
    const kmv_schema *schema = &kmv_record_schema;
    const kmv_column *column = kmv_column_find(schema, kmv_figure_column(e->key));
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

static kmv_status check_key(const kmv_config_figure *figure, const kmv_config_entry *e,
                            const kmv_figure_kind *kind, kmv_error *err)
{
    const char *names[N_FILTERS + 3] = {"kind", "title", "panel"};
    size_t count = 3;

    for (const kmv_config_entry *other = figure->entries; other < e; other++) {
        if (strcmp(other->key, e->key) == 0)
            return kmv_fail(err, KMV_EINVAL, "%zu: %s: stands twice in [figure %s]", e->line,
                            e->key, figure->name);
    }
    if (strcmp(e->key, "kind") == 0 || strcmp(e->key, "title") == 0)
        return KMV_OK;
    for (size_t i = 0; i < N_FILTERS; i++) {
        if (kind->source == KMV_FIGURE_MEASURE && filters[i].raw_only)
            continue;
        names[count++] = filters[i].key;
    }
    if (strcmp(e->key, "panel") == 0) {
        names[2] = "none";
        for (size_t i = 2; i < count; i++) {
            if (strcmp(e->value, names[i]) == 0)
                return KMV_OK;
        }
        return wrong_word("panel: no such column", e->value, names + 2, count - 2, e->line, err);
    }
    for (size_t i = 3; i < count; i++) {
        if (strcmp(e->key, names[i]) == 0)
            return check_values(e, err);
    }
    return wrong_word("unknown key", e->key, names, count, e->line, err);
}

kmv_status kmv_figure_check(const kmv_config_figure *figure, kmv_error *err)
{
    const kmv_figure_kind *kind;
    kmv_status st;

    /* The name becomes a folder and file names. */
    if (figure->name[0] == '\0' || figure->name[0] == '.' || strchr(figure->name, '/') != NULL)
        return kmv_fail(err, KMV_EINVAL, "%zu: [figure %s]: want a name without '/'", figure->line,
                        figure->name);
    if ((st = check_kind(figure, err)) != KMV_OK)
        return st;
    kind = kmv_figure_kind_find(kmv_figure_value(figure, "kind", ""));
    for (size_t i = 0; i < figure->count; i++) {
        if ((st = check_key(figure, &figure->entries[i], kind, err)) != KMV_OK)
            return st;
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

/* Nothing stands there, and that is no value of its own, as no options are. */
static int is_open(const kmv_column *column, const void *row)
{
    char text[512];

    if (strcmp(column->name, "algo_opts") == 0 || strcmp(column->name, "sweep") == 0)
        return 0;
    return *kmv_cell_text(column, row, text, sizeof text) == '\0';
}

static int keeps(const kmv_config_figure *figure, const kmv_schema *schema, const void *row,
                 int planned)
{
    for (size_t i = 0; i < figure->count; i++) {
        const kmv_config_entry *e = &figure->entries[i];
        const char *name = kmv_figure_column(e->key), *rest = e->value;
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

int kmv_figure_selects(const kmv_config_figure *figure, const kmv_schema *schema, const void *row,
                       int planned)
{
    const kmv_figure_kind *kind = kmv_figure_kind_find(kmv_figure_value(figure, "kind", ""));
    const kmv_column *algo = kmv_column_find(schema, "algo");

    if (algo != NULL && kmv_figure_value(figure, "algo", NULL) == NULL) {
        for (size_t i = 0; i < KMV_FIGURE_COLUMNS && kind->leave_out[i] != NULL; i++) {
            if (strcmp((const char *)row + algo->offset, kind->leave_out[i]) == 0)
                return 0;
        }
    }
    return keeps(figure, schema, row, planned);
}

/* bench/figure.c - the kinds of figures, and the check of their sections. */
#include "bench/figure.h"

#include <string.h>

#include "base/status.h"
#include "base/str.h"
#include "bench/figure_parts.h"
#include "bench/filter.h"
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
        .crossing = 1,
        .panel = "dataset",
        .fit = {"t_total_med_s"},
    },
    {
        .name = "error_vs_time",
        .summary =
            "error against time with set-up: of each algorithm the settings that no other beats",
        .x = "t_total_med_s",
        .y = {"err_l2_med"},
        .front = 1,
        .along = {"eps", "delta", "algo_opts"},
        .order = "t_total_med_s",
        .leave_out = {"null", "exact-f64"},
        .panel = "dataset",
    },
    {
        .name = "pooled_error_vs_time",
        .summary = "the same, medians over all data sets of the section",
        .source = KMV_FIGURE_POOLED,
        .x = "t_total_med_s",
        .y = {"err_l2_med"},
        .front = 1,
        .along = {"eps", "delta", "algo_opts"},
        .order = "t_total_med_s",
        .leave_out = {"null", "exact-f64"},
        .panel = "causal",
    },
    {
        .name = "error_vs_pairs",
        .summary = "error against the share of the pairs that were evaluated, as error_vs_time",
        .x = "pairs_frac",
        .y = {"err_l2_med"},
        .front = 1,
        .along = {"eps", "delta", "algo_opts"},
        .order = "pairs_frac",
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
    {
        .name = "flops_vs_n",
        .summary = "floating-point operations, hashing and packing included, against n",
        .x = "n_q",
        .y = {"flops"},
        .along = {"n_q", "n_k"},
        .order = "n_q",
        .leave_out = {"null"},
        .panel = "dataset",
        .fit = {"flops"},
    },
    {
        .name = "memory_vs_n",
        .summary = "memory that an algorithm allocates at its peak against n",
        .x = "n_q",
        .y = {"mem_peak_b"},
        .along = {"n_q", "n_k"},
        .order = "n_q",
        .leave_out = {"null"},
        .panel = "dataset",
        .fit = {"mem_peak_b"},
    },
    {
        .name = "phases",
        .summary = "set-up and one product apart, against n",
        .x = "n_q",
        .y = {"t_prepare_med_s", "t_apply_med_s"},
        .along = {"n_q", "n_k"},
        .order = "n_q",
        .leave_out = {"null"},
        .panel = "dataset",
    },
    {
        .name = "phase_pairs",
        .summary = "kernel entries of each phase that a plan counts, beside predicted exponents",
        .source = KMV_FIGURE_PHASES,
        .x = "n_q",
        .y = {"entries"},
        .curve = "phase",
        .along = {"n_q", "n_k"},
        .order = "n_q",
        .panel = "algo_opts",
        .fit = {"entries"},
        .predicted = 1,
    },
    {
        .name = "plan_map",
        .summary = "the method that auto chose, over the bandwidth and the error asked",
        .x = "sigma",
        .y = {"eps"},
        .curve = "chosen",
        .along = {"sigma", "sigma_spec", "eps", "delta"},
        .order = "sigma",
        .only = "auto",
        .panel = "dataset",
    },
    {
        .name = "plan_by_n",
        .summary = "the method that auto chose, over n and the error asked",
        .x = "n_q",
        .y = {"eps"},
        .curve = "chosen",
        .along = {"n_q", "n_k", "eps", "delta"},
        .order = "n_q",
        .only = "auto",
        .panel = "dataset",
    },
    {
        .name = "heat_map",
        .summary = "speed-up over exact, set-up included, by layer and head",
        .x = "head",
        .y = {"speedup_total_med"},
        .cell = "layer",
        .along = {"dataset", "sigma"},
        .order = "layer",
        .leave_out = {"null", "exact", "exact-f64"},
        .panel = "algo",
    },
    {
        .name = "error_by_position",
        .summary = "error of causal products by the position of the row",
        .source = KMV_FIGURE_POSITIONS,
        .x = "position",
        .y = {"err_position"},
        .along = {"position"},
        .order = "position",
        .leave_out = {"null", "exact-f64"},
        .panel = "dataset",
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

static kmv_status check_key(const kmv_config_figure *figure, const kmv_config_entry *e,
                            const kmv_figure_kind *kind, kmv_error *err)
{
    const char *names[KMV_FILTER_KEYS + 4] = {"kind", "title", "panel"};
    size_t count = 3;

    for (const kmv_config_entry *other = figure->entries; other < e; other++) {
        if (strcmp(other->key, e->key) == 0)
            return kmv_fail(err, KMV_EINVAL, "%zu: %s: stands twice in [figure %s]", e->line,
                            e->key, figure->name);
    }
    if (strcmp(e->key, "kind") == 0 || strcmp(e->key, "title") == 0)
        return KMV_OK;
    count += kmv_filter_keys(kind->source == KMV_FIGURE_MEASURE, names + count);
    if (strcmp(e->key, "panel") == 0) {
        names[2] = "none";
        for (size_t i = 2; i < count; i++) {
            if (strcmp(e->value, names[i]) == 0)
                return KMV_OK;
        }
        return wrong_word("panel: no such column", e->value, names + 2, count - 2, e->line, err);
    }
    if (kind->predicted && strcmp(e->key, "predicted") == 0)
        return kmv_figure_check_predicted(e, err);
    for (size_t i = 3; i < count; i++) {
        if (strcmp(e->key, names[i]) == 0)
            return kmv_filter_check(e, err);
    }
    if (kind->predicted)
        names[count++] = "predicted";
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
        if (kind->only != NULL && strcmp((const char *)row + algo->offset, kind->only) != 0)
            return 0;
    }
    return kmv_filter_keeps(figure->entries, figure->count, schema, row, planned);
}

/* bench/planned.c - see planned.h. */
#include "bench/planned.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/status.h"
#include "base/str.h"
#include "bench/claim.h"
#include "bench/figure.h"
#include "bench/filter.h"
#include "data/h5io.h"
#include "data/xgen.h"

void kmv_planned_row(const kmv_config *config, const kmv_planned *one, kmv_record *row)
{
    const kmv_case_problem *p = &one->problem;

    kmv_row_clear(&kmv_record_schema, row);
    kmv_copy_text(row->experiment, sizeof row->experiment, config->name);
    kmv_copy_text(row->sweep, sizeof row->sweep, one->sweep);
    kmv_copy_text(row->case_id, sizeof row->case_id, one->id);
    kmv_copy_text(row->dataset, sizeof row->dataset, p->source->name);
    kmv_copy_text(row->matrix, sizeof row->matrix, p->matrix);
    if (p->causal >= 0)
        row->causal = p->causal;
    kmv_copy_text(row->center, sizeof row->center, kmv_center_name(p->center));
    row->n_q = (double)p->n_q;
    row->n_k = (double)p->n_k;
    row->d = (double)p->d;
    kmv_copy_text(row->sigma_spec, sizeof row->sigma_spec, p->sigma_spec);
    row->eps = one->eps;
    row->delta = one->delta;
    kmv_copy_text(row->x_kind, sizeof row->x_kind, one->x_kind);
    kmv_copy_text(row->algo, sizeof row->algo, kmv_algo_name(one->algo));
    kmv_copy_text(row->algo_opts, sizeof row->algo_opts, one->options);
    kmv_copy_text(row->isa, sizeof row->isa, one->isa);
    if (one->threads > 0)
        row->threads = one->threads;
    if (p->source->layer >= 0)
        row->layer = p->source->layer;
    if (p->source->head >= 0)
        row->head = p->source->head;
}

void kmv_planned_measure_row(const kmv_config *config, const kmv_measure_case *one,
                             kmv_measure_row *row)
{
    const kmv_case_problem *p = &one->problem;

    kmv_row_clear(&kmv_measure_schema, row);
    kmv_copy_text(row->experiment, sizeof row->experiment, config->name);
    kmv_copy_text(row->dataset, sizeof row->dataset, p->source->name);
    kmv_copy_text(row->matrix, sizeof row->matrix, p->matrix);
    if (p->causal >= 0)
        row->causal = p->causal;
    kmv_copy_text(row->center, sizeof row->center, kmv_center_name(p->center));
    row->drop_first = (double)one->drop_first;
    row->n_q = (double)p->n_q;
    row->n_k = (double)p->n_k;
    row->d = (double)p->d;
    kmv_copy_text(row->sigma_spec, sizeof row->sigma_spec, p->sigma_spec);
    kmv_copy_text(row->case_id, sizeof row->case_id, one->id);
}

/* ---- checks ---------------------------------------------------------------------------------- */

/* Whether the section, a figure or the filter of a claim, selects a row of schema. */
typedef int section_selects(const void *section, const kmv_schema *schema, const void *row);

static int selects_any(const kmv_config *c, const kmv_cases *cases, int raw,
                       section_selects *selects, const void *section)
{
    int found = 0;

    for (size_t i = 0; raw && !found && i < cases->n_cases; i++) {
        kmv_record row;

        kmv_planned_row(c, &cases->cases[i], &row);
        found = selects(section, &kmv_record_schema, &row);
    }
    for (size_t i = 0; !raw && !found && i < cases->n_measures; i++) {
        kmv_measure_row row;

        kmv_planned_measure_row(c, &cases->measures[i], &row);
        found = selects(section, &kmv_measure_schema, &row);
    }
    return found;
}

static kmv_status fail_section(const kmv_config *c, size_t line, const char *kind, const char *name,
                               const char *what, const kmv_cases *cases, kmv_error *err)
{
    return kmv_fail(err, KMV_EINVAL,
                    "%s:%zu: [%s %s]: %s of the %zu cases and %zu measures (--dry-run shows them)",
                    c->path, line, kind, name, what, cases->n_cases, cases->n_measures);
}

static int figure_selects(const void *section, const kmv_schema *schema, const void *row)
{
    return kmv_figure_selects(section, schema, row, 1);
}

static kmv_status check_figures(const kmv_config *c, const kmv_cases *cases, kmv_error *err)
{
    for (size_t i = 0; i < c->n_figures; i++) {
        const kmv_config_figure *f = &c->figures[i];
        const kmv_figure_kind *kind = kmv_figure_kind_find(kmv_figure_value(f, "kind", ""));

        if (!selects_any(c, cases, kind->source != KMV_FIGURE_MEASURE, figure_selects, f))
            return fail_section(c, f->line, "figure", f->name, "its filters select none", cases,
                                err);
    }
    return KMV_OK;
}

static int rows_select(const void *section, const kmv_schema *schema, const void *row)
{
    const kmv_config_claim *claim = section;

    return kmv_filter_keeps(claim->rows, claim->n_rows, schema, row, 1);
}

static int per_selects(const void *section, const kmv_schema *schema, const void *row)
{
    const kmv_config_claim *claim = section;

    return kmv_filter_keeps(claim->per, claim->n_per, schema, row, 1);
}

static kmv_status check_claims(const kmv_config *c, const kmv_cases *cases, kmv_error *err)
{
    for (size_t i = 0; i < c->n_claims; i++) {
        const kmv_config_claim *claim = &c->claims[i];
        const int raw = kmv_claim_is_raw(claim);

        if (*claim->not_testable != '\0')
            continue;
        if (!selects_any(c, cases, raw, rows_select, claim))
            return fail_section(c, claim->line, "claim", claim->name, "rows: selects none", cases,
                                err);
        if (claim->n_per > 0 && !selects_any(c, cases, raw, per_selects, claim))
            return fail_section(c, claim->line, "claim", claim->name, "per: selects none", cases,
                                err);
    }
    return KMV_OK;
}

static kmv_status check_algos(const kmv_config *c, kmv_error *err)
{
    for (size_t i = 0; i < c->n_algos; i++) {
        int used = 0;

        const kmv_config_algo *section = &c->algos[i];

        for (size_t s = 0; s < c->n_sweeps; s++) {
            for (size_t a = 0; a < c->sweeps[s].algo.count; a++)
                used |=
                    kmv_config_overrides(section, c->sweeps[s].algo.items[a], c->sweeps[s].name);
        }
        if (!used)
            return kmv_fail(err, KMV_EINVAL,
                            "%s:%zu: [algo %s%s%s]: want an algorithm of a [sweep]%s, none has it",
                            c->path, section->line, section->name,
                            *section->label != '\0' ? " " : "", section->label,
                            section->sweep.count > 0 ? " that `sweep` names" : "");
    }
    return KMV_OK;
}

/* Files are read once to see whether they can be; how many rows they have is a matter of each case.
 */
static kmv_status check_inputs(const kmv_config *c, kmv_error *err)
{
    for (size_t s = 0; s < c->n_sweeps; s++) {
        const kmv_list *x = &c->sweeps[s].x;

        for (size_t i = 0; i < x->count; i++) {
            double *values = NULL;
            size_t rows, columns;
            kmv_status st;

            if (!kmv_x_is_file(x->items[i]))
                continue;
            if ((st = kmv_h5_read_matrix(x->items[i], &values, &rows, &columns, err)) != KMV_OK)
                return kmv_fail_prefix(err, st, "%s:%zu: x", c->path, x->line);
            kmv_free(values);
        }
    }
    return KMV_OK;
}

kmv_status kmv_planned_check(const kmv_config *config, const kmv_cases *cases, kmv_error *err)
{
    kmv_status st = check_algos(config, err);

    if (st == KMV_OK)
        st = check_figures(config, cases, err);
    if (st == KMV_OK)
        st = check_claims(config, cases, err);
    return st == KMV_OK ? check_inputs(config, err) : st;
}

/* ---- identity -------------------------------------------------------------------------------- */

kmv_status kmv_planned_hash(const kmv_config *c, const kmv_cases *cases, char hash[KMV_HASH_SIZE],
                            kmv_error *err)
{
    char *text = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);

    if (f == NULL)
        return kmv_fail(err, KMV_ENOMEM, "no memory for the cases");
    fprintf(f, "%s %zu %a %zu %a %a\n", c->name, c->reps, c->min_time_s, c->verify_rows,
            c->verify_pairs_max, c->op_norm_pairs_max);
    for (size_t i = 0; i < cases->n_cases; i++)
        fprintf(f, "case %s sweep=%s\n", cases->cases[i].key, cases->cases[i].sweep);
    for (size_t i = 0; i < cases->n_measures; i++)
        fprintf(f, "measure %s\n", cases->measures[i].key);
    if (fclose(f) != 0) {
        free(text);
        return kmv_fail(err, KMV_ENOMEM, "no memory for the cases");
    }
    kmv_hash_bytes(text, size, hash);
    free(text);
    return KMV_OK;
}

/* ---- for people ------------------------------------------------------------------------------ */

/* Without the braces of a generator without options. */
static size_t told(const char *word, size_t length)
{
    return length >= 2 && strncmp(word + length - 2, "{}", 2) == 0 ? length - 2 : length;
}

static int says_nothing(const char *word, size_t length)
{
    return (length > 0 && word[length - 1] == '=') ||
           (length >= 3 && strncmp(word + length - 3, "={}", 3) == 0) ||
           (length == 9 && strncmp(word, "threads=0", 9) == 0);
}

const char *kmv_planned_text(const char *key, char *text, size_t size)
{
    size_t used = 0;

    *text = '\0';
    while (*key != '\0' && used < size) {
        const size_t length = strcspn(key, " ");

        if (length > 0 && !says_nothing(key, length))
            used += (size_t)snprintf(text + used, size - used, "%s%.*s", used > 0 ? " " : "",
                                     (int)told(key, length), key);
        key += length + (key[length] == ' ');
    }
    return text;
}

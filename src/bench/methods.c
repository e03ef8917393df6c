/* bench/methods.c - see methods.h. */
#include "bench/methods.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "bench/case_columns.h"
#include "bench/report.h"
#include "bench/stats.h"

#define TEXT(field, help)       KMV_COLUMN(kmv_method_row, field, "", KMV_COL_TEXT, help)
#define REAL(field, unit, help) KMV_COLUMN(kmv_method_row, field, unit, KMV_COL_REAL, help)
#define INT(field, help)        KMV_COLUMN(kmv_method_row, field, "", KMV_COL_INT, help)
#define BOOL(field, help)       KMV_COLUMN(kmv_method_row, field, "", KMV_COL_BOOL, help)

static const kmv_column columns[] = {
    TEXT(matrix, "gauss or softmax"),
    BOOL(causal, "entries above the diagonal count as zero"),
    TEXT(center, "shift of the keys"),
    INT(n_q, "number of queries"),
    INT(n_k, "number of keys"),
    INT(d, "dimension"),
    TEXT(sigma_spec, "bandwidth as asked"),
    TEXT(x_kind, "kind of the vector x"),
    INT(threads, "threads"),
    REAL(eps_judged, "", "error against which all are judged"),
    TEXT(algo, "algorithm"),
    INT(problems, "data sets where neither 0 nor the mean of V meets eps"),
    INT(met, "of them where some setting met eps in every repetition"),
    REAL(speedup_total_med, "", "time of exact / time of the best setting, with preparation"),
    REAL(speedup_total_lo, "", "on the worst of these data sets"),
    REAL(speedup_total_hi, "", "on the best of them"),
    REAL(speedup_apply_med, "", "the same without preparation"),
    REAL(pairs_frac, "", "kernel entries evaluated / unmasked entries, at the best setting"),
    REAL(err_hi_max, "", "largest error at the best settings"),
    TEXT(best_opts, "options of a best setting"),
    INT(settings, "settings tried on a data set"),
    REAL(decades, "", "log10 of the dearest setting's time over the cheapest's"),
    INT(at_least, "data sets where the best setting is the cheapest tried"),
    INT(at_most, "data sets where it is the dearest tried"),
    TEXT(verdict, "what that says"),
    {0},
};

const kmv_schema kmv_method_schema = {columns, sizeof(kmv_method_row)};

/* The same but for the data set. */
static int same_kind(const kmv_summary *a, const kmv_summary *of)
{
    return strcmp(a->algo, of->algo) == 0 && kmv_same_question_elsewhere(a, of);
}

/* What a method does on one data set. */
typedef struct {
    const kmv_summary *best; /* NULL: none met eps */
    size_t settings;
    double least_s, most_s; /* of all that ran */
} outcome;

static outcome outcome_of(const kmv_summary *judged, size_t count, const kmv_summary *of)
{
    outcome o = {.least_s = INFINITY};

    for (size_t i = 0; i < count; i++) {
        const kmv_summary *c = &judged[i];

        if (strcmp(c->algo, of->algo) != 0 || !kmv_same_question(c, of) || isnan(c->t_total_med_s))
            continue;
        o.settings++;
        o.least_s = fmin(o.least_s, c->t_total_med_s);
        o.most_s = fmax(o.most_s, c->t_total_med_s);
        if (kmv_met_for_sure(c) && (o.best == NULL || c->t_total_med_s < o.best->t_total_med_s))
            o.best = c;
    }
    return o;
}

/* Whether row i is the first of its data set, or of its kind, among rows 0 .. i. */
static int is_first(const kmv_summary *judged, size_t i, int by_kind)
{
    for (size_t k = 0; k < i; k++) {
        if (by_kind ? same_kind(&judged[k], &judged[i])
                    : strcmp(judged[k].algo, judged[i].algo) == 0 &&
                          kmv_same_question(&judged[k], &judged[i]))
            return 0;
    }
    return 1;
}

static void describe(const kmv_summary *of, kmv_method_row *m)
{
    kmv_row_clear(&kmv_method_schema, m);
    for (const kmv_column *to = columns; to->name != NULL; to++) {
        const kmv_column *from = kmv_column_find(&kmv_summary_schema, to->name);

        if (from != NULL && from->type == to->type && from->size == to->size)
            memcpy((char *)m + to->offset, (const char *)of + from->offset, to->size);
    }
    m->speedup_total_med = m->speedup_total_lo = m->speedup_total_hi = NAN;
    m->speedup_apply_med = m->pairs_frac = m->err_hi_max = NAN;
    m->problems = m->met = m->at_least = m->at_most = 0;
}

/* well, clear: data sets of those met where the best is measured well enough, and its interval
 * above 1. */
static void say(kmv_method_row *m, double well, double clear)
{
    const char *edge = m->at_least > 0  ? "; the best is the cheapest tried somewhere"
                       : m->at_most > 0 ? "; the best is the dearest tried somewhere"
                                        : "";

    if (strcmp(m->algo, "exact") == 0)
        snprintf(m->verdict, sizeof m->verdict, "what the others are compared with");
    else if (m->problems == 0)
        snprintf(m->verdict, sizeof m->verdict, "trivial: answering 0 or the mean meets eps");
    else if (m->met == 0)
        snprintf(m->verdict, sizeof m->verdict, "no setting meets eps");
    else
        snprintf(m->verdict, sizeof m->verdict, "%s%s%s",
                 !(m->speedup_total_med > 1) ? "not faster than exact"
                 : well < m->met             ? "not measured well enough"
                 : 2 * clear < m->met        ? "not clearly faster than exact"
                                             : "faster than exact",
                 m->met < m->problems ? ", where it meets eps at all" : "", edge);
}

/* The method of row `first` over all data sets. values: scratch of 3 count. */
static void make_row(const kmv_summary *judged, size_t count, size_t first, double *values,
                     kmv_method_row *m)
{
    double *apply = values + count, *pairs = values + 2 * count, nearest = INFINITY;
    size_t met = 0, well = 0, clear = 0;

    describe(&judged[first], m);
    for (size_t i = first; i < count; i++) {
        const kmv_summary *c = &judged[i];
        outcome o;

        if (!same_kind(c, &judged[first]) || !is_first(judged, i, 0) || c->trivial > 0)
            continue;
        o = outcome_of(judged, count, c);
        if (o.settings == 0)
            continue;
        m->problems++;
        m->settings = fmin(isnan(m->settings) ? INFINITY : m->settings, (double)o.settings);
        m->decades = fmin(isnan(m->decades) ? INFINITY : m->decades, log10(o.most_s / o.least_s));
        if (o.best == NULL)
            continue;
        values[met] = o.best->speedup_total_med;
        apply[met] = o.best->speedup_apply_med;
        pairs[met++] = o.best->pairs_frac;
        well += (size_t)kmv_well_measured(o.best->ok,
                                          o.best->t_total_med_s * o.best->speedup_total_med);
        clear += o.best->speedup_total_lo > 1;
        m->at_least += o.settings > 1 && o.best->t_total_med_s <= o.least_s;
        m->at_most += o.settings > 1 && o.best->t_total_med_s >= o.most_s;
        m->err_hi_max =
            isnan(m->err_hi_max) ? o.best->err_hi_max : fmax(m->err_hi_max, o.best->err_hi_max);
    }
    m->met = (double)met;
    if (met > 0) {
        m->speedup_apply_med = kmv_quantile(apply, met, 0.5);
        m->pairs_frac = kmv_quantile(pairs, met, 0.5);
        m->speedup_total_med = kmv_quantile(values, met, 0.5);
        m->speedup_total_lo = kmv_quantile(values, met, 0);
        m->speedup_total_hi = kmv_quantile(values, met, 1);
    }
    for (size_t i = first; i < count && met > 0; i++) { /* the options nearest to that median */
        const kmv_summary *c = &judged[i];
        const outcome o = same_kind(c, &judged[first]) && !(c->trivial > 0)
                              ? outcome_of(judged, count, c)
                              : (outcome){0};
        const double off =
            o.best != NULL ? fabs(o.best->speedup_total_med - m->speedup_total_med) : INFINITY;

        if (off < nearest) {
            nearest = off;
            memcpy(m->best_opts, o.best->algo_opts, sizeof m->best_opts);
        }
    }
    say(m, (double)well, (double)clear);
}

static int by_place(const void *pa, const void *pb)
{
    const kmv_method_row *a = pa, *b = pb;
    const double order[] = {
        (double)strcmp(a->matrix, b->matrix),
        (a->causal > 0) - (double)(b->causal > 0),
        a->n_q - b->n_q,
        a->n_k - b->n_k,
        a->d - b->d,
        (double)strcmp(a->sigma_spec, b->sigma_spec),
        (double)strcmp(a->x_kind, b->x_kind),
        a->threads - b->threads,
        b->eps_judged - a->eps_judged,
        (double)kmv_algo_rank(a->algo) - (double)kmv_algo_rank(b->algo),
        (double)strcmp(a->algo, b->algo),
    };

    for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
        if (order[i] != 0)
            return order[i] < 0 ? -1 : 1;
    }
    return 0;
}

kmv_status kmv_methods_make(const kmv_summary *judged, size_t count, kmv_method_row **rows,
                            size_t *n_rows, kmv_error *err)
{
    kmv_method_row *out = kmv_alloc(count, sizeof *out, "methods", err);
    double *values = kmv_alloc(3 * count, sizeof *values, "values of a method", err);
    size_t used = 0;

    if (out == NULL || values == NULL) {
        kmv_free(out);
        kmv_free(values);
        return KMV_ENOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        if (judged[i].eps_judged > 0 && strcmp(judged[i].algo, "null") != 0 &&
            is_first(judged, i, 1))
            make_row(judged, count, i, values, &out[used++]);
    }
    qsort(out, used, sizeof *out, by_place);
    kmv_free(values);
    *rows = out;
    *n_rows = used;
    return KMV_OK;
}

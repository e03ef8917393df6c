/* bench/claim.c - see claim.h. */
#include "bench/claim.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "base/status.h"
#include "base/str.h"
#include "bench/filter.h"
#include "bench/stats.h"

#define TEXT(field, help) KMV_COLUMN(kmv_claim_row, field, "", KMV_COL_TEXT, help)
#define REAL(field, help) KMV_COLUMN(kmv_claim_row, field, "", KMV_COL_REAL, help)
#define INT(field, help)  KMV_COLUMN(kmv_claim_row, field, "", KMV_COL_INT, help)

static const kmv_column columns[] = {
    TEXT(claim, "name of the claim in its config"),
    TEXT(source, "who says so"),
    TEXT(text, "what is said"),
    TEXT(command, "the command that measures it"),
    TEXT(column, "what is measured; a ratio where it says per"),
    REAL(measured_med, "what was measured"),
    REAL(measured_lo, "lower end of its 95 % interval"),
    REAL(measured_hi, "upper end of its 95 % interval"),
    TEXT(want, "the claim as a comparison"),
    TEXT(verdict, "pass, fail or not testable"),
    INT(cases, "cases that were measured"),
    INT(values, "repetitions of the one case, or medians of several"),
    TEXT(note, "what a reader must know"),
    {0},
};

const kmv_schema kmv_claim_schema = {columns, sizeof(kmv_claim_row)};

/* ---- columns --------------------------------------------------------------------------------- */

/* The row and what `exact` took for the same, NULL where nobody knows. */
typedef double computed_column(const kmv_record *row, const kmv_record *exact);

static double total(const kmv_record *r, const kmv_record *exact)
{
    (void)exact;
    return r->t_prepare_s + r->t_apply_s;
}

static double speedup_total(const kmv_record *r, const kmv_record *exact)
{
    return exact != NULL ? total(exact, NULL) / total(r, NULL) : NAN;
}

static double speedup_apply(const kmv_record *r, const kmv_record *exact)
{
    return exact != NULL ? exact->t_apply_s / r->t_apply_s : NAN;
}

/* What a plan says of itself in a way of counting that is not ours: "4.16 times fewer". */
static double times_fewer(const kmv_record *r, const kmv_record *exact)
{
    const char *at = strstr(r->plan, " times fewer");
    double value = NAN;

    (void)exact;
    while (at != NULL && at > r->plan && at[-1] != ' ')
        at--;
    return at != NULL && sscanf(at, "%lf", &value) == 1 ? value : NAN;
}

static const struct {
    const char *name;
    computed_column *get;
} computed[] = {{"t_total_s", total},
                {"speedup_total", speedup_total},
                {"speedup_apply", speedup_apply},
                {"times_fewer", times_fewer}};
enum { N_COMPUTED = sizeof computed / sizeof *computed };

static computed_column *find_computed(const char *name)
{
    for (size_t i = 0; i < N_COMPUTED; i++) {
        if (strcmp(computed[i].name, name) == 0)
            return computed[i].get;
    }
    return NULL;
}

static const kmv_column *find_number(const kmv_schema *schema, const char *name)
{
    const kmv_column *c = kmv_column_find(schema, name);

    return c != NULL && c->type != KMV_COL_TEXT ? c : NULL;
}

int kmv_claim_is_raw(const kmv_config_claim *claim)
{
    return find_computed(claim->column) != NULL ||
           find_number(&kmv_record_schema, claim->column) != NULL;
}

/* ---- the section ----------------------------------------------------------------------------- */

typedef enum { AT_LEAST, AT_MOST, ABOVE, BELOW } comparison;

static int parse_want(const char *text, comparison *how, double *limit)
{
    static const struct {
        const char *sign;
        comparison how;
    } signs[] = {{">=", AT_LEAST}, {"<=", AT_MOST}, {">", ABOVE}, {"<", BELOW}};

    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++) {
        const size_t length = strlen(signs[i].sign);

        if (strncmp(text, signs[i].sign, length) == 0) {
            *how = signs[i].how;
            return kmv_parse_real(text + length + strspn(text + length, " "), limit);
        }
    }
    return 0;
}

/* A NaN holds nothing. */
static int holds(comparison how, double value, double limit)
{
    return how == AT_LEAST  ? value >= limit
           : how == AT_MOST ? value <= limit
           : how == ABOVE   ? value > limit
                            : value < limit;
}

static kmv_status check_filter(const kmv_config_entry *entries, size_t count, int raw,
                               const char *key, kmv_error *err)
{
    const char *names[KMV_FILTER_KEYS];
    const size_t n_names = kmv_filter_keys(!raw, names);
    kmv_status st = KMV_OK;

    for (size_t i = 0; i < count && st == KMV_OK; i++) {
        const char *near = kmv_closest(entries[i].key, names, n_names);
        size_t n = 0;

        while (n < n_names && strcmp(names[n], entries[i].key) != 0)
            n++;
        st = n < n_names ? kmv_filter_check(&entries[i], err)
                         : kmv_fail(err, KMV_EINVAL, "%zu: %s: rows of %s have no '%s'%s%s%s",
                                    entries[i].line, key, raw ? "raw.tsv" : "measure.tsv",
                                    entries[i].key, near != NULL ? ", did you mean '" : "",
                                    near != NULL ? near : "", near != NULL ? "'?" : "");
    }
    return st;
}

static kmv_status wanted(const kmv_config_claim *c, const char *what, kmv_error *err)
{
    return kmv_fail(err, KMV_EINVAL, "%zu: [claim %s]: want %s", c->line, c->name, what);
}

kmv_status kmv_claim_check(const kmv_config_claim *c, kmv_error *err)
{
    const int raw = kmv_claim_is_raw(c);
    comparison how;
    double limit;
    kmv_status st;

    if (*c->source == '\0' || *c->text == '\0')
        return wanted(c, "source = ... and text = ...", err);
    if (*c->not_testable != '\0' &&
        (*c->column != '\0' || *c->want != '\0' || c->n_rows > 0 || c->n_per > 0))
        return wanted(c, "either not_testable or column, rows and want", err);
    if (*c->not_testable != '\0')
        return KMV_OK;
    if (*c->column == '\0' || *c->want == '\0' || c->n_rows == 0)
        return wanted(c, "column, rows and want, or not_testable = WHY", err);
    if (!raw && find_number(&kmv_measure_schema, c->column) == NULL)
        return kmv_fail(err, KMV_EINVAL,
                        "%zu: [claim %s]: column: want a number of raw.tsv or measure.tsv, "
                        "t_total_s, speedup_total, speedup_apply or times_fewer, got '%s'",
                        c->line, c->name, c->column);
    if (!parse_want(c->want, &how, &limit))
        return kmv_fail(err, KMV_EINVAL,
                        "%zu: [claim %s]: want: want >=, <=, > or < and a number, got '%s'",
                        c->line, c->name, c->want);
    if (*c->take != '\0' && strcmp(c->take, "median") != 0 && strcmp(c->take, "largest") != 0 &&
        strcmp(c->take, "smallest") != 0)
        return kmv_fail(err, KMV_EINVAL,
                        "%zu: [claim %s]: take: want median, largest or smallest, got '%s'",
                        c->line, c->name, c->take);
    st = check_filter(c->rows, c->n_rows, raw, "rows", err);
    return st == KMV_OK ? check_filter(c->per, c->n_per, raw, "per", err) : st;
}

/* ---- measuring ------------------------------------------------------------------------------- */

/* The numbers that a filter found. */
typedef struct {
    double *values;
    const char **ids;         /* of the case of each value */
    size_t count, cases, all; /* all: rows selected, with and without a number */
    const char *reason;       /* of the first row without */
} sample;

static kmv_status sample_init(sample *s, size_t room, kmv_error *err)
{
    *s = (sample){.values = kmv_alloc(room, sizeof *s->values, "values of a claim", err),
                  .ids = kmv_alloc(room, sizeof *s->ids, "cases of a claim", err),
                  .reason = ""};
    return s->values != NULL && s->ids != NULL ? KMV_OK : KMV_ENOMEM;
}

static void sample_clear(sample *s)
{
    kmv_free(s->values);
    kmv_free(s->ids);
}

static void add_value(sample *s, double value, const char *id, const char *reason)
{
    s->all++;
    if (isfinite(value)) {
        s->ids[s->count] = id;
        s->values[s->count++] = value;
    } else if (*s->reason == '\0') {
        s->reason = reason;
    }
}

static void find_raw(const kmv_results *r, const kmv_config_claim *c,
                     const kmv_config_entry *entries, size_t n, sample *s)
{
    const kmv_column *column = kmv_column_find(&kmv_record_schema, c->column);
    computed_column *get = find_computed(c->column);

    for (size_t i = 0; i < r->n_records; i++) {
        const kmv_record *row = &r->records[i];
        double value = NAN;

        if (!kmv_filter_keeps(entries, n, &kmv_record_schema, row, 0))
            continue;
        if (kmv_record_ran(row))
            value = get != NULL ? get(row, kmv_exact_beside(r->records, r->n_records, row))
                                : kmv_cell_value(column, row);
        add_value(s, value, row->case_id, row->reason);
    }
}

static void find_measured(const kmv_results *r, const kmv_config_claim *c,
                          const kmv_config_entry *entries, size_t n, sample *s)
{
    const kmv_column *column = kmv_column_find(&kmv_measure_schema, c->column);

    for (size_t i = 0; i < r->n_measures; i++) {
        const kmv_measure_row *row = &r->measures[i];

        if (kmv_filter_keeps(entries, n, &kmv_measure_schema, row, 0))
            add_value(s, kmv_cell_value(column, row), row->case_id, row->reason);
    }
}

/* Several cases have one value each, the median of theirs: repetitions of one case say nothing of
 * how cases differ. */
static kmv_status one_value_per_case(sample *s, kmv_error *err)
{
    double *of_case = kmv_alloc(s->count, sizeof *of_case, "values of a case", err);
    size_t cases = 0;

    if (of_case == NULL)
        return KMV_ENOMEM;
    for (size_t i = 0; i < s->count; i++) {
        int seen = 0;

        for (size_t k = 0; k < i && !seen; k++)
            seen = strcmp(s->ids[k], s->ids[i]) == 0;
        s->cases += !seen;
    }
    if (s->cases > 1) {
        for (size_t i = 0; i < s->count; i++) { /* what stands before i is used up */
            size_t found = 0;

            if (s->ids[i] == NULL)
                continue;
            for (size_t k = s->count; k-- > i;) {
                if (s->ids[k] == NULL || strcmp(s->ids[k], s->ids[i]) != 0)
                    continue;
                of_case[found++] = s->values[k];
                s->ids[k] = k > i ? NULL : s->ids[k];
            }
            s->values[cases++] = kmv_quantile(of_case, found, 0.5);
        }
        s->count = cases;
    }
    kmv_free(of_case);
    return KMV_OK;
}

static kmv_status find_values(const kmv_results *r, const kmv_config_claim *c,
                              const kmv_config_entry *entries, size_t n, sample *s, kmv_error *err)
{
    if (kmv_claim_is_raw(c))
        find_raw(r, c, entries, n, s);
    else
        find_measured(r, c, entries, n, s);
    return one_value_per_case(s, err);
}

static double taken(const char *take, const sample *s)
{
    return kmv_quantile(s->values, s->count,
                        strcmp(take, "largest") == 0    ? 1
                        : strcmp(take, "smallest") == 0 ? 0
                                                        : 0.5);
}

static kmv_status estimate(const kmv_config_claim *c, const sample *top, const sample *bottom,
                           kmv_interval *out, kmv_error *err)
{
    const uint64_t seed = kmv_stream_key(1, c->name, 0);

    if (*c->take != '\0' && strcmp(c->take, "median") != 0) {
        const double below = c->n_per > 0 ? taken(c->take, bottom) : 1;

        *out = (kmv_interval){taken(c->take, top) / below, NAN, NAN};
        return KMV_OK;
    }
    if (c->n_per > 0)
        return kmv_median_ratio_interval(top->values, top->count, bottom->values, bottom->count,
                                         seed, out, err);
    return kmv_median_interval(top->values, top->count, seed, out, err);
}

static void add_note(kmv_claim_row *row, const char *text)
{
    const size_t used = strlen(row->note);

    if (*text != '\0')
        snprintf(row->note + used, sizeof row->note - used, "%s%s", used > 0 ? "; " : "", text);
}

static void set_verdict(const kmv_config_claim *c, const sample *top, const sample *bottom,
                        kmv_claim_row *row)
{
    comparison how = AT_LEAST;
    double limit = NAN;

    if (!isfinite(row->measured_med)) {
        const sample *empty = top->count == 0 ? top : bottom;

        snprintf(row->verdict, sizeof row->verdict, "not testable");
        add_note(row, empty->all == 0          ? "no such rows"
                      : *empty->reason != '\0' ? empty->reason
                                               : "no row with a number");
        return;
    }
    (void)parse_want(c->want, &how, &limit);
    snprintf(row->verdict, sizeof row->verdict, "%s",
             holds(how, row->measured_med, limit) ? "pass" : "fail");
    if (isfinite(row->measured_lo) &&
        holds(how, row->measured_lo, limit) != holds(how, row->measured_hi, limit))
        add_note(row, "the interval holds the limit");
    if (kmv_claim_is_raw(c) && row->cases == 1 && row->values < 3)
        add_note(row, "fewer than 3 repetitions");
}

static kmv_status measure(const kmv_results *r, const kmv_config_claim *c, kmv_claim_row *row,
                          kmv_error *err)
{
    const size_t room = r->n_records + r->n_measures;
    sample top = {0}, bottom = {0};
    kmv_interval found;
    kmv_status st;

    if ((st = sample_init(&top, room, err)) != KMV_OK ||
        (st = sample_init(&bottom, room, err)) != KMV_OK ||
        (st = find_values(r, c, c->rows, c->n_rows, &top, err)) != KMV_OK ||
        (c->n_per > 0 && (st = find_values(r, c, c->per, c->n_per, &bottom, err)) != KMV_OK) ||
        (st = estimate(c, &top, &bottom, &found, err)) != KMV_OK)
        goto out;
    row->measured_med = found.med;
    row->measured_lo = found.lo;
    row->measured_hi = found.hi;
    row->cases = (double)top.cases;
    row->values = (double)top.count;
    set_verdict(c, &top, &bottom, row);
out:
    sample_clear(&top);
    sample_clear(&bottom);
    return st;
}

static void describe(const kmv_results *r, const kmv_config_claim *c, kmv_claim_row *row)
{
    char config[1024], dir[600];

    kmv_row_clear(&kmv_claim_schema, row);
    kmv_copy_text(row->claim, sizeof row->claim, c->name);
    kmv_copy_text(row->source, sizeof row->source, c->source);
    kmv_copy_text(row->text, sizeof row->text, c->text);
    kmv_copy_text(row->want, sizeof row->want, c->want);
    snprintf(row->column, sizeof row->column, "%.40s%s", c->column, c->n_per > 0 ? ", per" : "");
    if (*c->command != '\0')
        kmv_copy_text(row->command, sizeof row->command, c->command);
    else if (*c->not_testable == '\0')
        snprintf(row->command, sizeof row->command, "kmv run %s -o %s",
                 kmv_shell_word(kmv_results_fact(r, "config", "config.ini"), config, sizeof config),
                 kmv_shell_word(r->dir, dir, sizeof dir));
    add_note(row, c->note);
}

kmv_status kmv_claims_make(const kmv_results *results, kmv_claim_row **rows, size_t *count,
                           kmv_error *err)
{
    const size_t n = results->config.n_claims;
    kmv_claim_row *out = kmv_alloc(n, sizeof *out, "claims", err);
    kmv_status st = out != NULL ? KMV_OK : KMV_ENOMEM;

    for (size_t i = 0; st == KMV_OK && i < n; i++) {
        const kmv_config_claim *c = &results->config.claims[i];

        describe(results, c, &out[i]);
        if (*c->not_testable == '\0') {
            st = measure(results, c, &out[i], err);
            continue;
        }
        snprintf(out[i].verdict, sizeof out[i].verdict, "not testable");
        add_note(&out[i], c->not_testable);
    }
    if (st != KMV_OK) {
        kmv_free(out);
        return st;
    }
    *rows = out;
    *count = n;
    return KMV_OK;
}

kmv_status kmv_claims_count_failed(const kmv_results *results, size_t *failed, kmv_error *err)
{
    kmv_claim_row *rows = NULL;
    size_t count = 0;
    kmv_status st = kmv_claims_make(results, &rows, &count, err);

    if (st != KMV_OK)
        return st;
    *failed = 0;
    for (size_t i = 0; i < count; i++)
        *failed += strcmp(rows[i].verdict, "fail") == 0;
    kmv_free(rows);
    return KMV_OK;
}

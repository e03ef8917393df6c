/* bench/compare.c - see compare.h. */
#include "bench/compare.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "base/status.h"
#include "base/str.h"
#include "bench/case_columns.h"
#include "bench/stats.h"

#define TEXT(field, help)       KMV_COLUMN(kmv_comparison, field, "", KMV_COL_TEXT, help)
#define REAL(field, unit, help) KMV_COLUMN(kmv_comparison, field, unit, KMV_COL_REAL, help)
#define INT(field, help)        KMV_COLUMN(kmv_comparison, field, "", KMV_COL_INT, help)
#define BOOL(field, help)       KMV_COLUMN(kmv_comparison, field, "", KMV_COL_BOOL, help)
#define INTERVAL(stem, suffix, unit, help)                                                         \
    KMV_INTERVAL_COLUMNS(kmv_comparison, stem, suffix, unit, help)

static const kmv_column columns[] = {
    TEXT(verdict, "what became of the case, in words"),
    BOOL(regression, "slower, a worse status, or an eps now missed"),
    {"case", "", KMV_COL_TEXT, offsetof(kmv_comparison, case_id),
     sizeof((kmv_comparison *)0)->case_id, "id of the case"},
    KMV_MATRIX_COLUMNS(kmv_comparison),
    KMV_METHOD_COLUMNS(kmv_comparison),
    TEXT(status_a, "worst status of the repetitions in the first folder"),
    TEXT(status_b, "worst status of the repetitions in the second"),
    INT(reps_a, "repetitions in the first folder"),
    INT(reps_b, "repetitions in the second"),
    REAL(t_total_a_s, "s", "median time with set-up in the first folder"),
    REAL(t_total_b_s, "s", "median time with set-up in the second"),
    INTERVAL(time_ratio, , "", "second median time / first (--relative: each over that of exact)"),
    REAL(err_hi_a, "", "largest upper end of the error's interval in the first folder"),
    REAL(err_hi_b, "", "the same in the second"),
    REAL(eps_missed, "", "largest error asked that the first meets and the second does not"),
    REAL(pairs_frac_a, "", "entries evaluated / unmasked entries in the first folder"),
    REAL(pairs_frac_b, "", "the same in the second"),
    TEXT(note, "what else differs: threads, instruction set, CPU"),
    TEXT(reason, "why the second is not ok"),
    {0},
};

const kmv_schema kmv_comparison_schema = {columns, sizeof(kmv_comparison)};

/* From best to worst, with what is said when a case comes to be that. */
static const struct {
    const char *name, *now;
    size_t at; /* its count in a summary */
} statuses[] = {
    {"ok", "now ok", offsetof(kmv_summary, ok)},
    {"fail_eps", "now fails eps", offsetof(kmv_summary, fail_eps)},
    {"skipped", "now skipped", offsetof(kmv_summary, skipped)},
    {"timeout", "now out of time", offsetof(kmv_summary, timeout)},
    {"oom", "now out of memory", offsetof(kmv_summary, oom)},
    {"error", "now ends in an error", offsetof(kmv_summary, error)},
};
enum { N_STATUSES = sizeof statuses / sizeof *statuses };

static size_t worst_status(const kmv_summary *c)
{
    size_t s = N_STATUSES - 1;

    while (s > 0 && !(*(const double *)(const void *)((const char *)c + statuses[s].at) > 0))
        s--;
    return s;
}

static const kmv_summary *find_case(const kmv_results *r, const char *id)
{
    for (size_t i = 0; i < r->n_cases; i++) {
        if (strcmp(r->cases[i].case_id, id) == 0)
            return &r->cases[i];
    }
    return NULL;
}

/* 1 or 0: whether the case meets eps; NaN where the folder does not judge it by that. */
static double meets(const kmv_results *r, const char *id, double eps)
{
    for (size_t i = 0; i < r->n_judged; i++) {
        if (r->judged[i].eps_judged == eps && strcmp(r->judged[i].case_id, id) == 0)
            return r->judged[i].meets_eps;
    }
    return NAN;
}

static double largest_missed(const kmv_results *a, const kmv_results *b, const char *id)
{
    double most = NAN;

    for (size_t i = 0; i < a->n_judged; i++) {
        const kmv_summary *j = &a->judged[i];

        if (strcmp(j->case_id, id) == 0 && j->meets_eps > 0 && meets(b, id, j->eps_judged) == 0 &&
            !(j->eps_judged <= most)) /* most is NaN until there is one */
            most = j->eps_judged;
    }
    return most;
}

static double total(const kmv_record *row)
{
    return row->t_prepare_s + row->t_apply_s;
}

/* Times with set-up of the repetitions that ran; returns how many. */
static size_t take_times(const kmv_results *r, const char *id, int relative, double *times)
{
    size_t count = 0;

    for (size_t i = 0; i < r->n_records; i++) {
        const kmv_record *row = &r->records[i];

        const kmv_record *exact = NULL;

        if (strcmp(row->case_id, id) != 0 || !kmv_record_ran(row))
            continue;
        if (relative && (exact = kmv_exact_beside(r->records, r->n_records, row)) == row)
            exact = NULL;
        times[count++] = total(row) / (exact != NULL ? total(exact) : 1);
    }
    return count;
}

static void say(kmv_comparison *row, const char *what)
{
    const size_t used = strlen(row->verdict);

    snprintf(row->verdict + used, sizeof row->verdict - used, "%s%s", used > 0 ? ", " : "", what);
}

static void note(kmv_comparison *row, const char *what, const char *a, const char *b)
{
    const size_t used = strlen(row->note);

    if (strcmp(a, b) != 0)
        snprintf(row->note + used, sizeof row->note - used, "%s%s %.30s, then %.30s",
                 used > 0 ? "; " : "", what, a, b);
}

/* What names the case is called the same in a row of cases. */
static void describe(const kmv_summary *c, kmv_comparison *row)
{
    kmv_row_clear(&kmv_comparison_schema, row);
    for (const kmv_column *to = columns; to->name != NULL; to++) {
        const kmv_column *from = kmv_column_find(&kmv_summary_schema, to->name);

        if (from != NULL && from->type == to->type && from->size == to->size)
            memcpy((char *)row + to->offset, (const char *)c + from->offset, to->size);
    }
    row->reason[0] = '\0';
    row->regression = 0;
}

static void take_a(const kmv_summary *c, kmv_comparison *row)
{
    snprintf(row->status_a, sizeof row->status_a, "%s", statuses[worst_status(c)].name);
    row->reps_a = c->reps;
    row->t_total_a_s = c->t_total_med_s;
    row->err_hi_a = c->err_hi_max;
    row->pairs_frac_a = c->pairs_frac;
}

static void take_b(const kmv_summary *c, kmv_comparison *row)
{
    snprintf(row->status_b, sizeof row->status_b, "%s", statuses[worst_status(c)].name);
    row->reps_b = c->reps;
    row->t_total_b_s = c->t_total_med_s;
    row->err_hi_b = c->err_hi_max;
    row->pairs_frac_b = c->pairs_frac;
    memcpy(row->reason, c->reason, sizeof row->reason);
}

static void judge_status(const kmv_summary *a, const kmv_summary *b, kmv_comparison *row)
{
    const size_t sa = worst_status(a), sb = worst_status(b);
    char text[64];

    if (sa != sb) {
        say(row, statuses[sb].now);
        row->regression = row->regression > 0 || sb > sa;
    }
    /* A status that is worse says it already. */
    if (row->eps_missed > 0 && sb <= sa) {
        snprintf(text, sizeof text, "now misses eps %g", row->eps_missed);
        say(row, text);
    }
    if (row->eps_missed > 0)
        row->regression = 1;
}

static void judge_time(double threshold, double runs_a, double runs_b, kmv_comparison *row)
{
    const double longer = fmax(row->t_total_a_s, row->t_total_b_s);

    if (isnan(row->time_ratio_med))
        return;
    if (!kmv_well_measured(fmin(runs_a, runs_b), longer)) {
        say(row, "times not measured well enough");
    } else if (row->time_ratio_lo > 1 + threshold) {
        say(row, "slower");
        row->regression = 1;
    } else if (row->time_ratio_hi < 1 / (1 + threshold)) {
        say(row, "faster");
    }
}

static void judge_counts(const kmv_summary *a, const kmv_summary *b, double threshold,
                         kmv_comparison *row)
{
    const double more = 1 + threshold;

    if (row->err_hi_b > more * row->err_hi_a && b->err_l2_lo > a->err_l2_hi)
        say(row, "less accurate");
    else if (row->err_hi_a > more * row->err_hi_b && a->err_l2_lo > b->err_l2_hi)
        say(row, "more accurate");
    if (row->pairs_frac_b > more * row->pairs_frac_a)
        say(row, "more pairs");
    else if (row->pairs_frac_a > more * row->pairs_frac_b)
        say(row, "fewer pairs");
}

static void note_machines(const kmv_results *a, const kmv_results *b, const kmv_summary *ca,
                          const kmv_summary *cb, kmv_comparison *row)
{
    char threads_a[16], threads_b[16];

    snprintf(threads_a, sizeof threads_a, "%g", ca->threads);
    snprintf(threads_b, sizeof threads_b, "%g", cb->threads);
    if (ca->threads > 0 && cb->threads > 0)
        note(row, "threads", threads_a, threads_b);
    if (*ca->isa != '\0' && *cb->isa != '\0')
        note(row, "isa", ca->isa, cb->isa);
    note(row, "cpu", kmv_results_fact(a, "cpu", ""), kmv_results_fact(b, "cpu", ""));
}

/* times: scratch for all records of both folders. */
static kmv_status compare_case(const kmv_results *a, const kmv_results *b, const kmv_summary *ca,
                               const kmv_summary *cb, double threshold, int relative, double *times,
                               kmv_comparison *row, kmv_error *err)
{
    double *times_b = times + a->n_records;
    const size_t runs_a = take_times(a, ca->case_id, relative, times),
                 runs_b = take_times(b, cb->case_id, relative, times_b);
    kmv_interval ratio;
    kmv_status st;

    describe(cb, row);
    take_a(ca, row);
    take_b(cb, row);
    row->eps_missed = largest_missed(a, b, cb->case_id);
    if ((st = kmv_median_ratio_interval(times_b, runs_b, times, runs_a,
                                        kmv_stream_key(1, cb->case_id, 0), &ratio, err)) != KMV_OK)
        return st;
    row->time_ratio_med = ratio.med;
    row->time_ratio_lo = ratio.lo;
    row->time_ratio_hi = ratio.hi;
    judge_status(ca, cb, row);
    judge_time(threshold, (double)runs_a, (double)runs_b, row);
    judge_counts(ca, cb, threshold, row);
    if (row->verdict[0] == '\0')
        say(row, "same");
    note_machines(a, b, ca, cb, row);
    return KMV_OK;
}

kmv_status kmv_compare(const kmv_results *a, const kmv_results *b, double threshold, int relative,
                       kmv_comparison **rows, size_t *count, kmv_error *err)
{
    kmv_comparison *out = kmv_alloc(a->n_cases + b->n_cases, sizeof *out, "comparison", err);
    double *times = kmv_alloc(a->n_records + b->n_records, sizeof *times, "times", err);
    size_t used = 0, common = 0;
    kmv_status st = out == NULL || times == NULL ? KMV_ENOMEM : KMV_OK;

    for (size_t i = 0; st == KMV_OK && i < b->n_cases; i++) {
        const kmv_summary *cb = &b->cases[i], *ca = find_case(a, cb->case_id);
        kmv_comparison *row = &out[used++];

        if (ca != NULL) {
            common++;
            st = compare_case(a, b, ca, cb, threshold, relative, times, row, err);
            continue;
        }
        describe(cb, row);
        take_b(cb, row);
        say(row, "only in B");
    }
    for (size_t i = 0; st == KMV_OK && i < a->n_cases; i++) {
        if (find_case(b, a->cases[i].case_id) != NULL)
            continue;
        describe(&a->cases[i], &out[used]);
        take_a(&a->cases[i], &out[used]);
        say(&out[used++], "only in A");
    }
    if (st == KMV_OK && common == 0)
        st = kmv_fail(err, KMV_EINVAL, "%s, %s: no case in common", a->dir, b->dir);
    if (st == KMV_OK) {
        *rows = out;
        *count = used;
        out = NULL;
    }
    kmv_free(times);
    kmv_free(out);
    return st;
}

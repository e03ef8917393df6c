/* bench/table.c - cases out of the raw rows of their repetitions. */
#include "bench/table.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "algo/algo.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/status.h"
#include "bench/stats.h"
#include "bench/verify.h"

static double total(const kmv_record *r)
{
    return r->t_prepare_s + r->t_apply_s;
}
static double prepare(const kmv_record *r)
{
    return r->t_prepare_s;
}
static double apply(const kmv_record *r)
{
    return r->t_apply_s;
}
static double err_l2(const kmv_record *r)
{
    return r->err_l2;
}
static double err_hi(const kmv_record *r)
{
    return r->err_hi;
}

#define AT(field) offsetof(kmv_summary, field)

/* Medians with an interval; `ratio` is exact's value over the case's. */
static const struct {
    double (*get)(const kmv_record *r);
    size_t med, lo, hi;
    int ratio;
} intervals[] = {
    {total, AT(t_total_med_s), AT(t_total_lo_s), AT(t_total_hi_s), 0},
    {prepare, AT(t_prepare_med_s), AT(t_prepare_lo_s), AT(t_prepare_hi_s), 0},
    {apply, AT(t_apply_med_s), AT(t_apply_lo_s), AT(t_apply_hi_s), 0},
    {total, AT(speedup_total_med), AT(speedup_total_lo), AT(speedup_total_hi), 1},
    {apply, AT(speedup_apply_med), AT(speedup_apply_lo), AT(speedup_apply_hi), 1},
    {err_l2, AT(err_l2_med), AT(err_l2_lo), AT(err_l2_hi), 0},
};

/* Medians alone: column of the record, field of the case. */
static const struct {
    const char *column;
    size_t at;
} medians[] = {
    {"pairs_frac", AT(pairs_frac)},
    {"flops", AT(flops)},
    {"mem_peak_b", AT(mem_peak_b)},
    {"err_rel", AT(err_rel_med)},
    {"row_err_p95", AT(row_err_p95_med)},
    {"err_op", AT(err_op_med)},
    {"null_err", AT(null_err)},
    {"mean_err", AT(mean_err)},
    {"null_op", AT(null_op)},
    {"mean_op", AT(mean_op)},
    {"sigma", AT(sigma)},
};

static const struct {
    const char *status;
    size_t at;
} statuses[] = {
    {"ok", AT(ok)},           {"fail_eps", AT(fail_eps)}, {"skipped", AT(skipped)},
    {"timeout", AT(timeout)}, {"oom", AT(oom)},           {"error", AT(error)},
};

static double *field(kmv_summary *c, size_t at)
{
    return (double *)(void *)((char *)c + at);
}

/* The repetitions of one case, by repetition. */
typedef struct {
    const kmv_record **rows;
    size_t count;
} group;

int kmv_record_ran(const kmv_record *r)
{
    return strcmp(r->status, "ok") == 0 || strcmp(r->status, "fail_eps") == 0;
}

size_t kmv_algo_rank(const char *name)
{
    size_t i = 0;

    while (kmv_algo_table[i] != NULL && strcmp(kmv_algo_table[i]->name, name) != 0)
        i++;
    return i;
}

/* Numbers by size, empty ones first: a total order, which qsort needs. */
static int by_number(double a, double b)
{
    if (isnan(a) || isnan(b))
        return isnan(b) - isnan(a);
    return (a > b) - (a < b);
}

static int by_rank(const char *a, const char *b)
{
    const size_t ra = kmv_algo_rank(a), rb = kmv_algo_rank(b);

    return ra != rb ? (ra > rb) - (ra < rb) : strcmp(a, b);
}

static int by_case(const void *pa, const void *pb)
{
    const kmv_summary *a = pa, *b = pb;
    const int order[] = {
        strcmp(a->experiment, b->experiment),
        strcmp(a->dataset, b->dataset),
        strcmp(a->matrix, b->matrix),
        by_number(a->causal, b->causal),
        strcmp(a->center, b->center),
        by_number(a->n_q, b->n_q),
        by_number(a->n_k, b->n_k),
        by_number(a->d, b->d),
        by_number(a->r, b->r),
        by_number(a->sigma, b->sigma),
        strcmp(a->sigma_spec, b->sigma_spec),
        strcmp(a->x_kind, b->x_kind),
        strcmp(a->isa, b->isa),
        by_number(a->threads, b->threads),
        by_rank(a->algo, b->algo),
        strcmp(a->algo_opts, b->algo_opts),
        by_number(a->eps, b->eps),
        by_number(a->delta, b->delta),
        strcmp(a->case_id, b->case_id),
        by_number(a->eps_judged, b->eps_judged),
    };

    for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
        if (order[i] != 0)
            return order[i];
    }
    return 0;
}

/* Records of one case together, by repetition; equal ones in the order of the file, which is that
 * of their addresses. */
static int by_repetition(const void *pa, const void *pb)
{
    const kmv_record *a = *(const kmv_record *const *)pa, *b = *(const kmv_record *const *)pb;
    const int name = strcmp(a->experiment, b->experiment), id = strcmp(a->case_id, b->case_id),
              rep = by_number(a->rep, b->rep);

    return name != 0 ? name : id != 0 ? id : rep != 0 ? rep : (a > b) - (a < b);
}

static int same_case(const kmv_record *a, const kmv_record *b)
{
    return strcmp(a->case_id, b->case_id) == 0 && strcmp(a->experiment, b->experiment) == 0;
}

static int same_number(double a, double b)
{
    return by_number(a, b) == 0;
}

int kmv_same_isa(const char *exact, const char *of, int of_ran)
{
    return of_ran && *of == '\0' ? *exact != '\0' : strcmp(exact, of) == 0;
}

/* What a speed-up compares: the same product, only the algorithm differs. */
static int same_product(const kmv_record *a, const kmv_record *of)
{
    return strcmp(a->experiment, of->experiment) == 0 && strcmp(a->dataset, of->dataset) == 0 &&
           strcmp(a->matrix, of->matrix) == 0 && same_number(a->causal, of->causal) &&
           strcmp(a->center, of->center) == 0 && same_number(a->n_q, of->n_q) &&
           same_number(a->n_k, of->n_k) && same_number(a->d, of->d) && same_number(a->r, of->r) &&
           strcmp(a->sigma_spec, of->sigma_spec) == 0 && strcmp(a->x_kind, of->x_kind) == 0 &&
           kmv_same_isa(a->isa, of->isa, kmv_record_ran(of)) &&
           same_number(a->threads, of->threads);
}

static int is_exact(const kmv_record *r)
{
    return strcmp(r->algo, "exact") == 0 && r->algo_opts[0] == '\0';
}

const kmv_record *kmv_exact_beside(const kmv_record *records, size_t count, const kmv_record *of)
{
    for (size_t i = 0; i < count; i++) {
        if (is_exact(&records[i]) && records[i].rep == of->rep && kmv_record_ran(&records[i]) &&
            same_product(&records[i], of))
            return &records[i];
    }
    return NULL;
}

static const group *find_exact(const group *groups, size_t n_groups, const kmv_record *of)
{
    for (size_t g = 0; g < n_groups; g++) {
        const kmv_record *first = groups[g].rows[0];

        if (is_exact(first) && same_product(first, of))
            return &groups[g];
    }
    return NULL;
}

static const kmv_record *find_rep(const group *g, double rep)
{
    for (size_t i = 0; g != NULL && i < g->count; i++) {
        if (g->rows[i]->rep == rep && kmv_record_ran(g->rows[i]))
            return g->rows[i];
    }
    return NULL;
}

static void describe(const group *g, kmv_summary *c)
{
    const kmv_record *first = g->rows[0];

    kmv_row_clear(&kmv_summary_schema, c);
    for (const kmv_column *to = kmv_summary_schema.columns; to->name != NULL; to++) {
        const kmv_column *from = kmv_column_find(&kmv_record_schema, to->name);

        /* Statistics are filled in afterwards; what names the case is the same in every row. */
        if (from != NULL && from->type == to->type && from->size == to->size)
            memcpy((char *)c + to->offset, (const char *)first + from->offset, to->size);
    }
    c->trivial = c->trivial_op = NAN;
    c->reason[0] = '\0';
    c->reps = (double)g->count;
    for (size_t s = 0; s < sizeof statuses / sizeof *statuses; s++) {
        *field(c, statuses[s].at) = 0;
        for (size_t i = 0; i < g->count; i++)
            *field(c, statuses[s].at) += strcmp(g->rows[i]->status, statuses[s].status) == 0;
    }
    for (size_t i = g->count; i-- > 0;) {
        const kmv_record *r = g->rows[i];

        if (strcmp(r->status, "ok") != 0)
            memcpy(c->reason, r->reason, sizeof c->reason);
        else if (r->isa[0] != '\0')
            memcpy(c->isa, r->isa, sizeof c->isa);
        if (r->err_kind[0] != '\0')
            memcpy(c->err_kind, r->err_kind, sizeof c->err_kind);
        if (r->bound_kind[0] != '\0')
            memcpy(c->bound_kind, r->bound_kind, sizeof c->bound_kind);
    }
}

static double largest(const group *g, double (*get)(const kmv_record *r))
{
    double most = NAN;

    for (size_t i = 0; i < g->count; i++) {
        const double v = kmv_record_ran(g->rows[i]) ? get(g->rows[i]) : NAN;

        if (!isnan(v) && !(v <= most)) /* most is NaN until a number comes */
            most = v;
    }
    return most;
}

static double bound(const kmv_record *r)
{
    return r->bound;
}

/* The method named at the beginning of auto's plan, "auto: probe with ..." or "probe with ...". */
static void fill_chosen(const group *g, kmv_summary *c)
{
    static const char self[] = "auto: ";

    for (size_t i = 0; strcmp(c->algo, "auto") == 0 && i < g->count; i++) {
        const char *plan = g->rows[i]->plan;
        char name[sizeof c->chosen];

        if (strncmp(plan, self, sizeof self - 1) == 0)
            plan += sizeof self - 1;
        snprintf(name, sizeof name, "%.*s", (int)strcspn(plan, " ,;:("), plan);
        if (kmv_record_ran(g->rows[i]) && isalpha((unsigned char)*name)) {
            memcpy(c->chosen, name, sizeof c->chosen);
            return;
        }
    }
}

/* The n-th word of pos_err as a number; NaN for "-" or none. */
static double position_error(const char *text, size_t n)
{
    char *end;
    double v;

    for (; n > 0 && *text != '\0'; n--) {
        text += strcspn(text, " ");
        text += *text == ' ';
    }
    v = strtod(text, &end);
    return end > text ? v : NAN;
}

static void fill_positions(const group *g, double *values, kmv_summary *c)
{
    size_t used = 0;

    c->pos_err[0] = '\0';
    for (size_t p = 0; p < KMV_POSITIONS && used < sizeof c->pos_err; p++) {
        char text[16] = "-";
        size_t found = 0;

        for (size_t i = 0; i < g->count; i++) {
            if (kmv_record_ran(g->rows[i]) && g->rows[i]->pos_err[0] != '\0')
                values[found++] = position_error(g->rows[i]->pos_err, p);
        }
        if (found == 0)
            return;
        if (!isnan(kmv_quantile(values, found, 0.5)))
            snprintf(text, sizeof text, "%.3g", kmv_quantile(values, found, 0.5));
        used += (size_t)snprintf(c->pos_err + used, sizeof c->pos_err - used, "%s%s",
                                 p > 0 ? " " : "", text);
    }
}

/* The n-th NAME=COUNT at the beginning of a plan, whose counts are followed by "pairs"; 0: none. */
static int phase_count(const char *plan, size_t n, char *name, size_t size, double *count)
{
    for (;; n--) {
        const size_t length = strcspn(plan, "= ");
        char *end;

        if (plan[length] != '=' || length == 0 || length >= size)
            return 0;
        *count = strtod(plan + length + 1, &end);
        if (end == plan + length + 1 || *end != ' ')
            return 0;
        snprintf(name, size, "%.*s", (int)length, plan);
        if (n == 0)
            return strstr(end, " pairs") != NULL;
        plan = end + 1;
    }
}

static void fill_phases(const group *g, double *values, kmv_summary *c)
{
    size_t used = 0;
    char name[32], other[32];

    c->phase_pairs[0] = '\0';
    for (size_t p = 0; used < sizeof c->phase_pairs; p++) {
        size_t found = 0;

        for (size_t i = 0; i < g->count; i++) {
            found += kmv_record_ran(g->rows[i]) &&
                     phase_count(g->rows[i]->plan, p, found > 0 ? other : name, sizeof name,
                                 &values[found]) &&
                     (found == 0 || strcmp(name, other) == 0);
        }
        if (found == 0)
            return;
        used += (size_t)snprintf(c->phase_pairs + used, sizeof c->phase_pairs - used, "%s%s %.6g",
                                 p > 0 ? " " : "", name, kmv_quantile(values, found, 0.5));
    }
}

/* values: scratch of 2 * count doubles. */
static kmv_status summarise(const group *g, const group *exact, double *values, kmv_summary *c,
                            kmv_error *err)
{
    double *others = values + g->count;

    describe(g, c);
    for (size_t k = 0; k < sizeof intervals / sizeof *intervals; k++) {
        const uint64_t seed = kmv_stream_key(1, c->case_id, k);
        kmv_interval found;
        kmv_status st;

        for (size_t i = 0; i < g->count; i++) {
            const kmv_record *pair = find_rep(exact, g->rows[i]->rep);

            values[i] = kmv_record_ran(g->rows[i]) ? intervals[k].get(g->rows[i]) : NAN;
            others[i] = pair != NULL ? intervals[k].get(pair) : NAN;
        }
        st = intervals[k].ratio ? kmv_ratio_interval(others, values, g->count, seed, &found, err)
                                : kmv_median_interval(values, g->count, seed, &found, err);
        if (st != KMV_OK)
            return st;
        *field(c, intervals[k].med) = found.med;
        *field(c, intervals[k].lo) = found.lo;
        *field(c, intervals[k].hi) = found.hi;
    }
    for (size_t k = 0; k < sizeof medians / sizeof *medians; k++) {
        const kmv_column *column = kmv_column_find(&kmv_record_schema, medians[k].column);

        for (size_t i = 0; i < g->count; i++)
            values[i] = kmv_cell_value(column, g->rows[i]);
        *field(c, medians[k].at) = kmv_quantile(values, g->count, 0.5);
    }
    fill_chosen(g, c);
    fill_positions(g, values, c);
    fill_phases(g, values, c);
    /* Relative to the unmasked entries, so for causal this is about half of what it would be. */
    c->pairs_per_query =
        c->pairs_frac * c->n_k * (c->causal > 0 ? 1 - (c->n_q - 1) / (2 * c->n_k) : 1);
    c->floor_err = c->null_err;
    if (strcmp(c->matrix, "softmax") == 0 && c->mean_err < c->null_err)
        c->floor_err = c->mean_err;
    c->err_l2_max = largest(g, err_l2);
    c->err_hi_max = largest(g, err_hi);
    c->bound_max = largest(g, bound);
    return KMV_OK;
}

static void judge_case(const kmv_record *const *rows, kmv_summary *c)
{
    const double floor_op = fmin(c->null_op, c->mean_op); /* the one that is no NaN */
    int all = c->reps > 0;

    if (!(c->eps_judged > 0))
        return;
    for (size_t i = 0; i < (size_t)c->reps; i++)
        all &= kmv_record_ran(rows[i]) &&
               rows[i]->err_l2 <= c->eps_judged; /* a NaN does not meet it */
    c->meets_eps = all;
    if (!isnan(c->floor_err))
        c->trivial = c->floor_err <= c->eps_judged;
    if (!isnan(floor_op))
        c->trivial_op = floor_op <= c->eps_judged;
}

/* The distinct eps asked for the product of a row; returns how many of at most max there are. */
static size_t list_eps(const group *groups, size_t n_groups, const kmv_record *of, double *eps,
                       size_t max)
{
    size_t found = 0;

    for (size_t g = 0; g < n_groups && found < max; g++) {
        const kmv_record *r = groups[g].rows[0];
        size_t at = 0;

        if (!(r->eps > 0) || !same_product(r, of))
            continue;
        while (at < found && eps[at] != r->eps)
            at++;
        if (at == found)
            eps[found++] = r->eps;
    }
    return found;
}

enum { MAX_EPS = 64 };

/* The errors to judge a case by that was asked for none itself. */
static size_t eps_to_judge(const group *groups, size_t n_groups, const group *of, int judge,
                           double *eps)
{
    if (!judge || of->rows[0]->eps > 0)
        return 0;
    return list_eps(groups, n_groups, of->rows[0], eps, MAX_EPS);
}

/* Cut the sorted rows into cases, keeping the later of two rows of the same repetition. */
static size_t make_groups(const kmv_record **rows, size_t count, group *groups)
{
    size_t n_groups = 0, kept = 0;

    for (size_t i = 0; i < count; i++) {
        group *g = n_groups > 0 ? &groups[n_groups - 1] : NULL;

        if (g == NULL || !same_case(g->rows[0], rows[i])) {
            groups[n_groups++] = (group){&rows[kept], 0};
            g = &groups[n_groups - 1];
        } else if (same_number(g->rows[g->count - 1]->rep, rows[i]->rep)) {
            g->rows[g->count - 1] = rows[i];
            continue;
        }
        rows[kept++] = rows[i];
        g->count++;
    }
    return n_groups;
}

kmv_status kmv_summaries_make(const kmv_record *records, size_t count, int judge,
                              kmv_summary **cases, size_t *n_cases, kmv_error *err)
{
    const kmv_record **rows = kmv_alloc(count, sizeof *rows, "rows by case", err);
    group *groups = kmv_alloc(count, sizeof *groups, "cases", err);
    double *values = kmv_alloc(2 * count, sizeof *values, "values of a case", err);
    double eps[MAX_EPS];
    kmv_summary *out = NULL;
    size_t n_groups, used = 0, room = 0;
    kmv_status st = KMV_ENOMEM;

    if (rows == NULL || groups == NULL || values == NULL)
        goto out;
    for (size_t i = 0; i < count; i++)
        rows[i] = &records[i];
    qsort(rows, count, sizeof *rows, by_repetition);
    n_groups = make_groups(rows, count, groups);
    for (size_t g = 0; g < n_groups; g++) { /* room: one summary at least, else one per eps */
        const size_t n = eps_to_judge(groups, n_groups, &groups[g], judge, eps);

        room += n > 0 ? n : 1;
    }
    if ((out = kmv_alloc(room, sizeof *out, "cases", err)) == NULL)
        goto out;
    for (size_t g = 0; g < n_groups; g++) {
        const kmv_record *first = groups[g].rows[0];
        kmv_summary *c = &out[used++];
        size_t n;

        st = summarise(&groups[g], find_exact(groups, n_groups, first), values, c, err);
        if (st != KMV_OK)
            goto out;
        c->eps_judged = c->eps;
        judge_case(groups[g].rows, c);
        n = eps_to_judge(groups, n_groups, &groups[g], judge, eps);
        for (size_t e = 0; e < n; e++) {
            kmv_summary *judged = e == 0 ? c : &out[used++];

            if (e > 0)
                *judged = *c;
            judged->eps_judged = eps[e];
            judge_case(groups[g].rows, judged);
        }
    }
    qsort(out, used, sizeof *out, by_case);
    *cases = out;
    *n_cases = used;
    out = NULL;
    st = KMV_OK;
out:
    kmv_free(out);
    kmv_free(values);
    kmv_free(groups);
    kmv_free(rows);
    return st;
}

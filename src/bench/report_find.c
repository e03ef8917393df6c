/* bench/report_find.c - what a run found: who wins where, and the three headlines. */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "bench/case_columns.h"
#include "bench/report.h"
#include "bench/stats.h"

#define TEXT(field, help)       KMV_COLUMN(kmv_winner, field, "", KMV_COL_TEXT, help)
#define REAL(field, unit, help) KMV_COLUMN(kmv_winner, field, unit, KMV_COL_REAL, help)
#define INT(field, help)        KMV_COLUMN(kmv_winner, field, "", KMV_COL_INT, help)
#define BOOL(field, help)       KMV_COLUMN(kmv_winner, field, "", KMV_COL_BOOL, help)
#define INTERVAL(stem, suffix, unit, help)                                                         \
    KMV_INTERVAL_COLUMNS(kmv_winner, stem, suffix, unit, help)

static const kmv_column columns[] = {
    TEXT(dataset, "name of the data set"),
    TEXT(matrix, "gauss or softmax"),
    BOOL(causal, "entries above the diagonal count as zero"),
    TEXT(center, "shift of the keys"),
    INT(n_q, "number of queries"),
    INT(d, "dimension"),
    TEXT(sigma_spec, "bandwidth as asked"),
    TEXT(x_kind, "kind of the vector x"),
    INT(threads, "threads"),
    REAL(eps_judged, "", "error against which all are judged"),
    TEXT(fastest, "algorithm with the least time among those that met eps"),
    TEXT(algo_opts, "its options"),
    INTERVAL(t_total, _s, "s", "its time with preparation"),
    INTERVAL(speedup_total, , "", "time of exact / its time"),
    REAL(err_hi_max, "", "its largest error, upper end of the interval"),
    REAL(null_err, "", "error of answering 0"),
    BOOL(trivial, "answering 0 (softmax: or the mean) meets eps"),
    INT(ok, "repetitions"),
    TEXT(verdict, "what that says"),
    {0},
};

const kmv_schema kmv_winner_schema = {columns, sizeof(kmv_winner)};

static int is_exact(const kmv_summary *c)
{
    return strcmp(c->algo, "exact") == 0 && c->algo_opts[0] == '\0';
}

/* A plan of `auto` that is exact beats nobody: what it takes less than exact is chance. */
static int is_exact_again(const kmv_summary *c)
{
    return strcmp(c->algo, "auto") == 0 && strcmp(c->chosen, "exact") == 0;
}

/* NaN fails both comparisons, so what was not measured has not met it. */
int kmv_met_for_sure(const kmv_summary *c)
{
    return c->meets_eps > 0 && c->err_hi_max <= c->eps_judged && strcmp(c->algo, "null") != 0;
}

int kmv_same_question_elsewhere(const kmv_summary *a, const kmv_summary *of)
{
    return a->eps_judged == of->eps_judged && a->causal == of->causal && a->n_q == of->n_q &&
           a->n_k == of->n_k && a->d == of->d && a->r == of->r && a->threads == of->threads &&
           strcmp(a->matrix, of->matrix) == 0 && strcmp(a->center, of->center) == 0 &&
           strcmp(a->sigma_spec, of->sigma_spec) == 0 && strcmp(a->x_kind, of->x_kind) == 0 &&
           strcmp(a->experiment, of->experiment) == 0 &&
           kmv_same_isa(a->isa, of->isa, of->ok + of->fail_eps > 0);
}

int kmv_same_question(const kmv_summary *a, const kmv_summary *of)
{
    return strcmp(a->dataset, of->dataset) == 0 && kmv_same_question_elsewhere(a, of);
}

/* Errors that only another product of the experiment was asked for are no question here. */
static int was_asked(const kmv_summary *judged, size_t count, const kmv_summary *exact)
{
    for (size_t i = 0; i < count; i++) {
        if (judged[i].eps == exact->eps_judged && kmv_same_question(&judged[i], exact))
            return 1;
    }
    return 0;
}

static const char *verdict(const kmv_summary *c)
{
    if (c->trivial > 0)
        return "trivial: answering 0 or the mean meets eps";
    if (!kmv_well_measured(c->ok, c->t_total_med_s * c->speedup_total_med))
        return "not measured well enough (fewer than 3 repetitions, or under a millisecond)";
    if (is_exact(c))
        return "exact wins";
    if (c->speedup_total_lo > 1)
        return "faster than exact";
    return "not clearly faster than exact";
}

static void fill(const kmv_summary *best, kmv_winner *w)
{
    kmv_row_clear(&kmv_winner_schema, w);
    for (const kmv_column *to = columns; to->name != NULL; to++) {
        const kmv_column *from = kmv_column_find(&kmv_summary_schema, to->name);

        if (from != NULL)
            memcpy((char *)w + to->offset, (const char *)best + from->offset, to->size);
    }
    memcpy(w->fastest, best->algo, sizeof w->fastest);
    snprintf(w->verdict, sizeof w->verdict, "%s", verdict(best));
}

kmv_status kmv_winners_make(const kmv_summary *judged, size_t count, kmv_winner **winners,
                            size_t *n_winners, kmv_error *err)
{
    kmv_winner *out = kmv_alloc(count, sizeof *out, "the fastest algorithms", err);
    size_t used = 0;

    if (out == NULL)
        return KMV_ENOMEM;
    for (size_t i = 0; i < count; i++) {
        const kmv_summary *best = NULL;

        if (!is_exact(&judged[i]) || !was_asked(judged, count, &judged[i]))
            continue;
        for (size_t k = 0; k < count; k++) {
            const kmv_summary *c = &judged[k];

            if (kmv_same_question(&judged[i], c) && kmv_met_for_sure(c) && !is_exact_again(c) &&
                (best == NULL || c->t_total_med_s < best->t_total_med_s))
                best = c;
        }
        if (best != NULL)
            fill(best, &out[used++]);
    }
    *winners = out;
    *n_winners = used;
    return KMV_OK;
}

static int fit_for_headline(const kmv_winner *w)
{
    return w->trivial == 0 && w->speedup_total_lo > 1 &&
           kmv_well_measured(w->ok, w->t_total_med_s * w->speedup_total_med);
}

const char *kmv_winners_sentence(const kmv_winner *winners, size_t count, size_t at, char *text,
                                 size_t size)
{
    const kmv_winner *best = NULL;
    size_t all = 0, exact = 0, trivial = 0, unclear = 0, noise = 0;
    int used;

    for (size_t i = 0; i < count; i++) {
        const kmv_winner *w = &winners[i];

        if (w->n_q != winners[at].n_q)
            continue;
        all++;
        if (w->trivial > 0)
            trivial++;
        else if (strcmp(w->fastest, "exact") == 0)
            exact++;
        else if (!kmv_well_measured(w->ok, w->t_total_med_s * w->speedup_total_med))
            noise++;
        else if (!fit_for_headline(w))
            unclear++;
        else if (best == NULL || w->speedup_total_med > best->speedup_total_med)
            best = w;
    }
    used = snprintf(text, size,
                    "n = %.0f: of %zu products and errors asked, exact is the fastest in %zu",
                    winners[at].n_q, all, exact);
    if (trivial > 0 && used > 0 && (size_t)used < size)
        used +=
            snprintf(text + used, size - (size_t)used, ", in %zu answering 0 would do", trivial);
    if (unclear > 0 && used > 0 && (size_t)used < size)
        used += snprintf(text + used, size - (size_t)used,
                         ", in %zu nothing is clearly faster than it", unclear);
    if (noise > 0 && used > 0 && (size_t)used < size)
        used += snprintf(text + used, size - (size_t)used,
                         ", in %zu the times are not measured well enough to tell", noise);
    if (used < 0 || (size_t)used >= size)
        return text;
    if (best == NULL)
        snprintf(text + used, size - (size_t)used, "; nothing else beats it.");
    else
        snprintf(
            text + used, size - (size_t)used,
            "; the largest gain over it is %s, %.2f times as fast (%s, d = %.0f, eps %g, error "
            "%.2g).",
            best->fastest, best->speedup_total_med, best->dataset, best->d, best->eps_judged,
            best->err_hi_max);
    return text;
}

static void headline_speedup(const kmv_winner *winners, size_t count, const kmv_summary *judged,
                             size_t n_judged, char *line)
{
    const kmv_winner *best = NULL;
    const kmv_summary *other = NULL;

    for (size_t i = 0; i < count; i++) {
        const kmv_winner *w = &winners[i];

        if (strcmp(w->fastest, "exact") != 0 && fit_for_headline(w) &&
            (best == NULL || w->speedup_total_med > best->speedup_total_med))
            best = w;
    }
    if (best != NULL) {
        snprintf(
            line, KMV_HEADLINE_SIZE,
            "speed-up over exact, set-up included: %.2fx [%.2f, %.2f] by %s on %s, n = %.0f, d "
            "= %.0f, sigma %s, x %s: error %.3g <= %g (answering 0: %.3g)",
            best->speedup_total_med, best->speedup_total_lo, best->speedup_total_hi, best->fastest,
            best->dataset, best->n_q, best->d, best->sigma_spec, best->x_kind, best->err_hi_max,
            best->eps_judged, best->null_err);
        return;
    }
    for (size_t i = 0; i < n_judged; i++) {
        const kmv_summary *c = &judged[i];

        if (!is_exact(c) && !is_exact_again(c) && kmv_met_for_sure(c) && !(c->trivial > 0) &&
            kmv_well_measured(c->ok, c->t_total_med_s * c->speedup_total_med) &&
            (other == NULL || c->speedup_total_med > other->speedup_total_med))
            other = c;
    }
    if (n_judged == 0)
        snprintf(line, KMV_HEADLINE_SIZE, "speed-up over exact: not measured");
    else if (other == NULL)
        snprintf(
            line, KMV_HEADLINE_SIZE,
            "speed-up over exact: none measured well enough (an error met that answering 0 does "
            "not meet, 3 repetitions or more, a product that takes exact a millisecond or "
            "more)");
    else
        snprintf(line, KMV_HEADLINE_SIZE,
                 "speed-up over exact: none that is clear, exact wins; the best of the others is "
                 "%s at %.3g [%.3g, %.3g] of its speed (%s, n = %.0f, eps %g)",
                 other->algo, other->speedup_total_med, other->speedup_total_lo,
                 other->speedup_total_hi, other->dataset, other->n_q, other->eps_judged);
}

/* Data sets from files are the real ones; names of their problems are NAME or NAME:PROBLEM. */
static int is_real(const kmv_config *config, const char *dataset)
{
    for (size_t i = 0; i < config->n_datasets; i++) {
        const char *name = config->datasets[i].name;
        const size_t length = strlen(name);

        if (strncmp(dataset, name, length) == 0 &&
            (dataset[length] == '\0' || dataset[length] == ':'))
            return config->datasets[i].address[0] != '\0';
    }
    return 0;
}

/* Among the matrices measured at the largest n, the plainest is quoted. */
static int plainness(const kmv_measure_row *m)
{
    return 8 * (strcmp(m->matrix, "gauss") == 0) + 4 * !(m->causal > 0) +
           2 * (strcmp(m->center, "none") == 0) + (strcmp(m->sigma_spec, "x1") == 0);
}

static int same_matrix(const kmv_measure_row *a, const kmv_measure_row *b)
{
    return strcmp(a->matrix, b->matrix) == 0 && a->causal == b->causal &&
           strcmp(a->center, b->center) == 0 && strcmp(a->sigma_spec, b->sigma_spec) == 0 &&
           a->drop_first == b->drop_first;
}

static kmv_status headline_assumption(const kmv_results *r, char *line, kmv_error *err)
{
    double *ratios = kmv_alloc(2 * r->n_measures, sizeof *ratios, "tail over head", err);
    double *alphas = ratios + r->n_measures;
    const kmv_measure_row *model = NULL;
    size_t count = 0;
    int real = 0, growing = 1;
    char growth[64] = "";

    if (ratios == NULL)
        return KMV_ENOMEM;
    for (size_t i = 0; i < r->n_measures; i++)
        real |= is_real(&r->config, r->measures[i].dataset);
    for (size_t i = 0; i < r->n_measures; i++) {
        const kmv_measure_row *m = &r->measures[i];

        if ((!real || is_real(&r->config, m->dataset)) && isfinite(m->tail_over_head) &&
            (model == NULL || m->n_q > model->n_q ||
             (m->n_q == model->n_q && plainness(m) > plainness(model))))
            model = m;
    }
    for (size_t i = 0; i < r->n_measures && model != NULL; i++) {
        const kmv_measure_row *m = &r->measures[i];

        if ((!real || is_real(&r->config, m->dataset)) && same_matrix(m, model) &&
            m->n_q == model->n_q && isfinite(m->tail_over_head)) {
            ratios[count] = m->tail_over_head;
            alphas[count++] = m->alpha;
            growing &= isfinite(m->alpha);
        }
    }
    if (model != NULL && growing) /* one n has no growth */
        snprintf(growth, sizeof growth, ", growing like n^%.2f (median)",
                 kmv_quantile(alphas, count, 0.5));
    if (model == NULL)
        snprintf(line, KMV_HEADLINE_SIZE, "assumption: not measured");
    else
        snprintf(
            line, KMV_HEADLINE_SIZE,
            "assumption: tail/head %.3g (median of %zu %s at n = %.0f, quartiles %.3g to %.3g; "
            "%s, center %s, sigma %s)%s",
            kmv_quantile(ratios, count, 0.5), count,
            real ? (count == 1 ? "data set from a file" : "data sets from files")
                 : (count == 1 ? "data set" : "data sets"),
            model->n_q, kmv_quantile(ratios, count, 0.25), kmv_quantile(ratios, count, 0.75),
            model->matrix, model->center, model->sigma_spec, growth);
    kmv_free(ratios);
    return KMV_OK;
}

static void headline_exact(const kmv_results *r, char *line)
{
    const kmv_summary *best = NULL;
    double most = 0;

    /* The product with the most work: a peak found among many small ones would be a lucky one. */
    for (size_t i = 0; i < r->n_cases; i++) {
        const kmv_summary *c = &r->cases[i];
        const double work = c->n_q * c->pairs_per_query * c->d;

        if (is_exact(c) && c->t_total_med_s > 0 && work > most) {
            most = work;
            best = c;
        }
    }
    if (best != NULL)
        most /= best->t_total_med_s;
    if (best == NULL)
        snprintf(line, KMV_HEADLINE_SIZE, "throughput of exact: not measured");
    else
        snprintf(line, KMV_HEADLINE_SIZE,
                 "throughput of exact, set-up included: %.3g entries/s, %.3g GFLOP/s counting 2 d "
                 "flops an "
                 "entry (%s, n = %.0f, d = %.0f, %s, %.0f threads)",
                 most / best->d, 2e-9 * most, best->dataset, best->n_q, best->d, best->isa,
                 best->threads);
}

kmv_status kmv_report_headline(const kmv_results *results,
                               char lines[KMV_HEADLINES][KMV_HEADLINE_SIZE], kmv_error *err)
{
    kmv_winner *winners = NULL;
    size_t count = 0;
    kmv_status st = kmv_winners_make(results->judged, results->n_judged, &winners, &count, err);

    if (st != KMV_OK)
        return st;
    headline_speedup(winners, count, results->judged, results->n_judged, lines[0]);
    st = headline_assumption(results, lines[1], err);
    headline_exact(results, lines[2]);
    kmv_free(winners);
    return st;
}

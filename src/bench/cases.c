/* bench/cases.c - see cases.h. */
#include "bench/cases.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/option.h"
#include "base/status.h"
#include "base/str.h"
#include "bench/source.h"

enum { SCRATCH = 512, ID_DIGITS = 16 };

/* What a list holds when the configuration leaves it out. */
static const char *item(const kmv_list *list, size_t i, const char *fallback)
{
    return list->count > 0 ? list->items[i] : fallback;
}

static size_t count_of(const kmv_list *list)
{
    return list->count > 0 ? list->count : 1;
}

/* Items were checked when the configuration was read, so that these cannot fail. */
static double real_of(const char *text)
{
    double v = NAN;

    (void)kmv_parse_real(text, &v);
    return v;
}

static size_t size_of(const char *text, size_t fallback)
{
    size_t v = fallback;

    if (text != NULL)
        (void)kmv_parse_size(text, &v);
    return v;
}

/* "x2.0" and "x2" are one bandwidth. */
static void canonical_sigma(const char *text, char *out, size_t size)
{
    const size_t prefix = *text == 'x' ? 1 : strncmp(text, "sum:", 4) == 0 ? 4 : 0;

    snprintf(out, size, "%.*s%.15g", (int)prefix, text, real_of(text + prefix));
}

static const char *causal_name(int causal)
{
    return causal < 0 ? "auto" : causal ? "yes" : "no";
}

static void make_id(const char *key, char *id, size_t size)
{
    char hex[KMV_HASH_SIZE];

    kmv_hash_bytes(key, strlen(key), hex);
    snprintf(id, size, "%.*s", ID_DIGITS, hex);
}

/* ---- the part that measures and products share ----------------------------------------------- */

typedef struct {
    const kmv_list *matrix, *causal, *center, *n, *d, *sigma;
} problem_lists;

typedef struct {
    size_t matrix, causal, center, n, d, sigma;
} problem_index;

static const char *skip_reason(const kmv_case_problem *p, char *text, size_t size)
{
    text[0] = '\0';
    if (*p->source->address != '\0' && p->d != p->source->d)
        snprintf(text, size, "d = %zu asked, the data set has d = %zu", p->d, p->source->d);
    else if (strcmp(p->matrix, "gauss") != 0 && strncmp(p->sigma_spec, "sum:", 4) == 0)
        snprintf(text, size, "sigma = %s is for gauss matrices only", p->sigma_spec);
    return text;
}

static kmv_status make_problem(const kmv_config *c, const kmv_source *source,
                               const problem_lists *lists, const problem_index *at,
                               kmv_case_problem *p, kmv_error *err)
{
    const char *causal = item(lists->causal, at->causal, NULL);
    const int from_file = *source->address != '\0';
    /* As n limits both counts, the larger one leaves out nothing. */
    const size_t all = !from_file || source->n_q > source->n_k ? source->n_q : source->n_k;
    int used;

    *p = (kmv_case_problem){.source = source};
    p->n = size_of(item(lists->n, at->n, NULL), all);
    p->n_q = from_file && p->n > source->n_q ? source->n_q : p->n;
    p->n_q *= from_file && source->heads > 1 ? source->heads : 1;
    if (from_file)
        p->n_k = p->n > source->n_k ? source->n_k : p->n;
    else
        p->n_k = source->n_k > 0 ? source->n_k : p->n;
    p->d = lists->d != NULL ? size_of(item(lists->d, at->d, NULL), source->d) : source->d;
    kmv_copy_text(p->matrix, sizeof p->matrix, item(lists->matrix, at->matrix, "gauss"));
    p->causal = strcmp(p->matrix, "gauss") == 0 ? 0 : -1;
    if (causal != NULL)
        (void)kmv_parse_bool(causal, &p->causal);
    (void)kmv_center_parse(item(lists->center, at->center, "none"), &p->center, NULL);
    canonical_sigma(item(lists->sigma, at->sigma, "x1"), p->sigma_spec, sizeof p->sigma_spec);
    if (from_file && p->n > all)
        return kmv_fail(err, KMV_EINVAL, "%s:%zu: n: data set '%s' has %zu points, got %zu",
                        c->path, lists->n->line, source->name, all, p->n);
    skip_reason(p, p->skip, sizeof p->skip);
    if (from_file)
        used = snprintf(p->data_key, sizeof p->data_key, "dataset=%s file=%s", source->name,
                        source->address);
    else
        used = snprintf(p->data_key, sizeof p->data_key, "dataset=%s generator=%s{%s} n=%zu d=%zu",
                        source->name, source->generator, source->options, p->n, p->d);
    if ((size_t)used >= sizeof p->data_key)
        return kmv_fail(err, KMV_EINVAL,
                        "%s: data set '%s': description longer than %zu characters", c->path,
                        source->name, sizeof p->data_key - 1);
    used = from_file ? snprintf(p->key, sizeof p->key, "%s n=%zu d=%zu", p->data_key, p->n, p->d)
                     : snprintf(p->key, sizeof p->key, "%s", p->data_key);
    snprintf(p->key + used, sizeof p->key - (size_t)used, " matrix=%s causal=%s center=%s sigma=%s",
             p->matrix, causal_name(p->causal), kmv_center_name(p->center), p->sigma_spec);
    return KMV_OK;
}

/* Steps the last index first, as nested loops would; 0 when all are through. */
static int advance(size_t *const *index, const size_t *count, size_t n)
{
    for (size_t i = n; i-- > 0;) {
        if (++*index[i] < count[i])
            return 1;
        *index[i] = 0;
    }
    return 0;
}

/* ---- growing arrays without duplicates ------------------------------------------------------- */

static kmv_status make_room(void **items, size_t count, size_t *room, size_t size, kmv_error *err)
{
    const size_t larger = *room > 0 ? 2 * *room : 64;
    void *moved;

    if (count < *room)
        return KMV_OK;
    if ((moved = kmv_alloc(larger, size, "cases", err)) == NULL)
        return KMV_ENOMEM;
    if (count > 0)
        memcpy(moved, *items, count * size);
    kmv_free(*items);
    *items = moved;
    *room = larger;
    return KMV_OK;
}

/* A case that several sweeps ask for is run once and bears all their names: "n+d". */
static kmv_status join_sweep(kmv_planned *have, const char *name, kmv_error *err)
{
    const size_t used = strlen(have->sweep), length = strlen(name);

    if (length == 0)
        return KMV_OK;
    for (const char *part = have->sweep; part != NULL; part = strchr(part, '+')) {
        part += *part == '+';
        if (strcspn(part, "+") == length && strncmp(part, name, length) == 0)
            return KMV_OK;
    }
    if (used + 1 + length >= sizeof have->sweep)
        return kmv_fail(err, KMV_EINVAL,
                        "case %s: the names of its sweeps, '%s' and '%s', are too long together",
                        have->id, have->sweep, name);
    snprintf(have->sweep + used, sizeof have->sweep - used, "%s%s", used > 0 ? "+" : "", name);
    return KMV_OK;
}

static kmv_status add_case(kmv_cases *cases, size_t *room, const kmv_planned *one, kmv_error *err)
{
    void *items = cases->cases;
    kmv_status st;

    for (size_t i = 0; i < cases->n_cases; i++) {
        if (strcmp(cases->cases[i].id, one->id) == 0)
            return join_sweep(&cases->cases[i], one->sweep, err);
    }
    st = make_room(&items, cases->n_cases, room, sizeof *one, err);
    cases->cases = items;
    if (st == KMV_OK)
        cases->cases[cases->n_cases++] = *one;
    return st;
}

static kmv_status add_measure(kmv_cases *cases, size_t *room, const kmv_measure_case *one,
                              kmv_error *err)
{
    void *items = cases->measures;
    kmv_status st;

    for (size_t i = 0; i < cases->n_measures; i++) {
        if (strcmp(cases->measures[i].id, one->id) == 0)
            return KMV_OK;
    }
    st = make_room(&items, cases->n_measures, room, sizeof *one, err);
    cases->measures = items;
    if (st == KMV_OK)
        cases->measures[cases->n_measures++] = *one;
    return st;
}

/* ---- algorithms and their options ------------------------------------------------------------ */

static size_t combinations(const kmv_config_algo *a)
{
    size_t count = 1;

    for (size_t i = 0; a != NULL && i < a->count; i++)
        count *= a->values[i].count;
    return count;
}

/* The number-th combination of option values, the last option fastest, as canonical text. */
static kmv_status combine(const kmv_config *c, const kmv_algo *algo, const kmv_config_algo *a,
                          size_t number, char *text, size_t size, kmv_error *err)
{
    _Alignas(max_align_t) unsigned char options[SCRATCH] = {0};
    kmv_status st = kmv_options_default(kmv_algo_options(algo), options, err);

    for (size_t i = a != NULL ? a->count : 0; st == KMV_OK && i-- > 0;) {
        const kmv_list *values = &a->values[i];

        st = kmv_option_set(kmv_algo_options(algo), options, a->option[i],
                            values->items[number % values->count], err);
        number /= values->count;
    }
    if (st == KMV_OK && kmv_options_format(kmv_algo_options(algo), options, text, size) >= size)
        st = kmv_fail(err, KMV_EINVAL, "%s:%zu: options longer than %zu characters", c->path,
                      a->line, size - 1);
    return st;
}

/* ---- sweeps ---------------------------------------------------------------------------------- */

typedef struct {
    problem_index problem;
    size_t eps, delta, x, threads, isa;
} sweep_index;

static kmv_status make_case(const kmv_config *c, const kmv_config_sweep *s, const sweep_index *at,
                            const kmv_source *source, kmv_planned *out, kmv_error *err)
{
    const problem_lists lists = {&s->matrix, &s->causal, &s->center, &s->n, &s->d, &s->sigma};
    const int uses_eps = kmv_algo_uses_eps(out->algo, out->options);
    char eps[32] = "", delta[32] = "";
    kmv_status st;
    int used;

    if ((st = make_problem(c, source, &lists, &at->problem, &out->problem, err)) != KMV_OK)
        return st;
    kmv_copy_text(out->sweep, sizeof out->sweep, s->name);
    out->eps = uses_eps ? real_of(item(&s->eps, at->eps, "0.1")) : NAN;
    out->delta = uses_eps ? real_of(item(&s->delta, at->delta, "0.01")) : NAN;
    if (!kmv_copy_text(
            out->x_kind, sizeof out->x_kind,
            item(&s->x, at->x, strcmp(out->problem.matrix, "gauss") == 0 ? "gauss" : "v")))
        return kmv_fail(err, KMV_EINVAL, "%s:%zu: x: want less than %zu characters", c->path,
                        s->x.line, sizeof out->x_kind);
    out->threads = (int)size_of(item(&s->threads, at->threads, NULL), 0);
    kmv_copy_text(out->isa, sizeof out->isa, item(&s->isa, at->isa, ""));
    if (uses_eps) {
        snprintf(eps, sizeof eps, "%.15g", out->eps);
        snprintf(delta, sizeof delta, "%.15g", out->delta);
    }
    used = snprintf(out->key, sizeof out->key,
                    "%s x=%s algo=%s opts={%s} eps=%s delta=%s threads=%d isa=%s", out->problem.key,
                    out->x_kind, kmv_algo_name(out->algo), out->options, eps, delta, out->threads,
                    out->isa);
    if ((size_t)used >= sizeof out->key)
        return kmv_fail(err, KMV_EINVAL, "%s:%zu: a case longer than %zu characters", c->path,
                        s->line, sizeof out->key - 1);
    make_id(out->key, out->id, sizeof out->id);
    return KMV_OK;
}

/* The cases of one algorithm with the options of one section; NULL: its defaults. */
static kmv_status sweep_options(const kmv_config *c, const kmv_config_sweep *s,
                                const kmv_source *source, const char *algo,
                                const kmv_config_algo *options, kmv_cases *out, size_t *room,
                                kmv_error *err)
{
    sweep_index at = {0};
    size_t *const index[] = {&at.problem.matrix,
                             &at.problem.causal,
                             &at.problem.center,
                             &at.problem.n,
                             &at.problem.d,
                             &at.problem.sigma,
                             &at.eps,
                             &at.delta,
                             &at.x,
                             &at.threads,
                             &at.isa};
    const size_t count[] = {count_of(&s->matrix),  count_of(&s->causal), count_of(&s->center),
                            count_of(&s->n),       count_of(&s->d),      count_of(&s->sigma),
                            count_of(&s->eps),     count_of(&s->delta),  count_of(&s->x),
                            count_of(&s->threads), count_of(&s->isa)};
    kmv_planned one = {.algo = kmv_algo_find(algo)};
    kmv_status st = KMV_OK;

    for (size_t i = 0; st == KMV_OK && i < combinations(options); i++) {
        st = combine(c, one.algo, options, i, one.options, sizeof one.options, err);
        while (st == KMV_OK) {
            if ((st = make_case(c, s, &at, source, &one, err)) == KMV_OK)
                st = add_case(out, room, &one, err);
            if (!advance(index, count, sizeof count / sizeof *count))
                break;
        }
    }
    return st;
}

static kmv_status sweep_source(const kmv_config *c, const kmv_config_sweep *s,
                               const kmv_source *source, const char *algo, kmv_cases *out,
                               size_t *room, kmv_error *err)
{
    kmv_status st = KMV_OK;
    int found = 0;

    for (size_t i = 0; st == KMV_OK && i < c->n_algos; i++) {
        if (!kmv_config_overrides(&c->algos[i], algo, s->name))
            continue;
        found = 1;
        st = sweep_options(c, s, source, algo, &c->algos[i], out, room, err);
    }
    return found ? st : sweep_options(c, s, source, algo, NULL, out, room, err);
}

static kmv_status make_sweep(const kmv_config *c, const kmv_config_sweep *s, kmv_cases *out,
                             size_t *room, kmv_error *err)
{
    kmv_status st = KMV_OK;

    for (size_t i = 0; i < s->dataset.count; i++) {
        for (size_t k = 0; k < out->n_sources; k++) {
            if (!kmv_source_matches(&out->sources[k], s->dataset.items[i]))
                continue;
            for (size_t a = 0; st == KMV_OK && a < s->algo.count; a++)
                st = sweep_source(c, s, &out->sources[k], s->algo.items[a], out, room, err);
        }
    }
    return st;
}

/* ---- measures -------------------------------------------------------------------------------- */

static kmv_status measure_source(const kmv_config *c, const kmv_config_measure *m,
                                 const kmv_source *source, kmv_cases *out, size_t *room,
                                 kmv_error *err)
{
    const problem_lists lists = {&m->matrix, &m->causal, &m->center, &m->n, NULL, &m->sigma};
    problem_index at = {0};
    size_t *const index[] = {&at.matrix, &at.causal, &at.center, &at.sigma, &at.n};
    const size_t count[] = {count_of(&m->matrix), count_of(&m->causal), count_of(&m->center),
                            count_of(&m->sigma), count_of(&m->n)};
    kmv_measure_case one = {.drop_first = m->drop_first, .rows = m->rows, .op_norm = m->op_norm};
    kmv_status st = KMV_OK;

    while (st == KMV_OK) {
        if ((st = make_problem(c, source, &lists, &at, &one.problem, err)) == KMV_OK) {
            snprintf(one.key, sizeof one.key, "%s drop_first=%zu rows=%zu op_norm=%d",
                     one.problem.key, one.drop_first, one.rows, one.op_norm);
            snprintf(one.series, sizeof one.series,
                     "%s matrix=%s causal=%s center=%s sigma=%s drop_first=%zu rows=%zu op_norm=%d",
                     source->name, one.problem.matrix, causal_name(one.problem.causal),
                     kmv_center_name(one.problem.center), one.problem.sigma_spec, one.drop_first,
                     one.rows, one.op_norm);
            make_id(one.key, one.id, sizeof one.id);
            st = add_measure(out, room, &one, err);
        }
        if (!advance(index, count, sizeof count / sizeof *count))
            break;
    }
    return st;
}

static kmv_status make_measure(const kmv_config *c, const kmv_config_measure *m, kmv_cases *out,
                               size_t *room, kmv_error *err)
{
    kmv_status st = KMV_OK;

    for (size_t i = 0; i < m->dataset.count; i++) {
        for (size_t k = 0; st == KMV_OK && k < out->n_sources; k++) {
            if (kmv_source_matches(&out->sources[k], m->dataset.items[i]))
                st = measure_source(c, m, &out->sources[k], out, room, err);
        }
    }
    return st;
}

/* ---- all of it ------------------------------------------------------------------------------- */

kmv_status kmv_cases_make(const kmv_config *config, kmv_cases *cases, kmv_error *err)
{
    size_t room = 0, measure_room = 0;
    kmv_cases out = {0};
    kmv_status st = kmv_sources_make(config, &out.sources, &out.n_sources, err);

    for (size_t i = 0; st == KMV_OK && i < config->n_sweeps; i++)
        st = make_sweep(config, &config->sweeps[i], &out, &room, err);
    for (size_t i = 0; st == KMV_OK && i < config->n_measures; i++)
        st = make_measure(config, &config->measures[i], &out, &measure_room, err);
    if (st == KMV_OK) {
        *cases = out;
        out = (kmv_cases){0};
    }
    kmv_cases_clear(&out);
    return st;
}

/* Whether `key` holds the word term; a data set is also named by what stands before its colon. */
static int has_word(const char *key, const char *term)
{
    const size_t length = strlen(term);

    for (const char *at = key; (at = strstr(at, term)) != NULL; at++) {
        const char end = at[length];

        if ((at == key || at[-1] == ' ') &&
            (end == ' ' || end == '\0' || (end == ':' && strncmp(term, "dataset=", 8) == 0)))
            return 1;
    }
    return 0;
}

static int matches(const char *key, const char *filter)
{
    while (*filter != '\0') {
        const size_t span = strcspn(filter, ",");
        char term[256];

        snprintf(term, sizeof term, "%.*s", (int)span, filter);
        if (strchr(term, '=') != NULL ? !has_word(key, term) : strstr(key, term) == NULL)
            return 0;
        filter += span + (filter[span] == ',');
    }
    return 1;
}

kmv_status kmv_cases_filter(kmv_cases *cases, const char *filter, kmv_error *err)
{
    size_t kept = 0, kept_measures = 0;

    for (size_t i = 0; i < cases->n_cases; i++) {
        if (matches(cases->cases[i].key, filter))
            cases->cases[kept++] = cases->cases[i];
    }
    for (size_t i = 0; i < cases->n_measures; i++) {
        if (matches(cases->measures[i].key, filter))
            cases->measures[kept_measures++] = cases->measures[i];
    }
    cases->n_cases = kept;
    cases->n_measures = kept_measures;
    if (kept + kept_measures == 0)
        return kmv_fail(err, KMV_EINVAL,
                        "--filter: no case matches '%s' (--dry-run shows what there is)", filter);
    return KMV_OK;
}

void kmv_cases_clear(kmv_cases *cases)
{
    kmv_free(cases->sources);
    kmv_free(cases->cases);
    kmv_free(cases->measures);
    *cases = (kmv_cases){0};
}

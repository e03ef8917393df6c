/* algo/algo_magicpig.c - attention to keys that hash tables bring to a query, weighted by the
 * inverse of the probability that they do.
 *
 *     y_i = sum over j in S_i of w_ij v_j / sum over j in S_i of w_ij,   w_ij = exp(l_ij) / u_ij
 *
 * S_i: the keys that meet query i in at least `matches` of `tables` tables of `bits` sign bits;
 * u_ij the probability of that (sign_tables.h), from the angle between q_i and k_j less the mean
 * key, which changes no attention and spreads the angles. Keys that are always kept (the first
 * ones and those around the query, key_window.h) have u = 1 and are left out of the tables.
 * Source: MagicPIG (Chen, Sadhukhan, Ye, Zhou, Zhang, Nolte, Tian, Douze, Bottou, Jia & Chen, ICLR
 * 2025, arXiv 2410.16179): 10 bits, 150 tables, 2 matches, 4 first and 64 recent tokens; made for
 * decoding, where the tables of the keys are there already.
 *
 * Guarantee: numerator and denominator are unbiased over the tables, their ratio is biased at
 * second order; no bound on the error is given. The tables are shared by all queries, so their
 * errors are dependent. Keys opposite to a query (u near 0) are all but never drawn: where many of
 * them carry the sum, it is missing far more often than it is overestimated.
 *
 * Ours: queries are hashed in prepare with the keys; for full attention the window lies around the
 * query; a row that finds no key and keeps none is 0. */
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <string.h>

#include "algo/algo.h"
#include "algo/key_window.h"
#include "algo/row_lists.h"
#include "algo/sign_tables.h"
#include "base/mem.h"

typedef struct {
    size_t bits, tables, matches, sinks, window;
} opts;

static const kmv_option options[] = {
    {"bits", KMV_OPT_SIZE, offsetof(opts, bits), "10", 1, KMV_SIGN_BITS_MAX,
     "hyperplanes of a table (K of the paper)", NULL},
    {"tables", KMV_OPT_SIZE, offsetof(opts, tables), "150", 1, KMV_SIGN_TABLES_MAX,
     "hash tables (L of the paper)", NULL},
    {"matches", KMV_OPT_SIZE, offsetof(opts, matches), "2", 1, 64,
     "tables in which a key must meet the query", NULL},
    {"sinks", KMV_OPT_SIZE, offsetof(opts, sinks), "4", 0, 1e9, "first keys that are always kept",
     NULL},
    {"window", KMV_OPT_SIZE, offsetof(opts, window), "64", 0, 1e9,
     "keys that are always kept at the query's place", NULL},
    {0},
};

static const double LOG2_E = 1.44269504088896340736;

typedef struct {
    kmv_problem problem;
    kmv_key_window window;
    kmv_row_lists lists;
    kmv_sign_tables tables;
    kmv_sign_odds odds;
    kmv_softmax_sums sums; /* a row of each thread */
    float *q_norm, *k_norm;
    uint16_t *met; /* threads x n_k */
    int threads;
} state;

static const char *reject(const kmv_problem *problem, const void *opt, size_t r)
{
    const opts *o = opt;
    const char *too_many = kmv_row_lists_reject(problem, opt, r);

    if (o->matches > o->tables)
        return "matches > tables";
    if (too_many != NULL)
        return too_many;
    return kmv_key_window_rejects(problem, (kmv_key_window){o->sinks, o->window});
}

static void destroy(void *s)
{
    state *st = s;

    if (st == NULL)
        return;
    kmv_row_lists_clear(&st->lists);
    kmv_sign_tables_clear(&st->tables);
    kmv_softmax_sums_clear(&st->sums);
    kmv_free(st->q_norm);
    kmv_free(st->k_norm);
    kmv_free(st->met);
    kmv_free(st);
}

static void norms(const kmv_scaled *s, float *norm)
{
    for (size_t i = 0; i < s->n; i++) {
        double sum = 0;

        for (size_t l = 0; l < s->d; l++)
            sum += (double)s->x[i * s->ld + l] * (double)s->x[i * s->ld + l];
        norm[i] = (float)sqrt(sum);
    }
}

static kmv_status make_room(state *s, const kmv_tile *tile, size_t r, kmv_error *err)
{
    const size_t n_q = s->problem.q->n, n_k = s->problem.k->n;
    kmv_status st;

    /* One place more: the tables write the next key before they know that it counts. */
    if ((st = kmv_row_lists_init(&s->lists, &s->problem, tile, 1, n_k + 1, r, s->threads, err)) !=
            KMV_OK ||
        (st = kmv_softmax_sums_init(&s->sums, tile, (size_t)s->threads, r, err)) != KMV_OK)
        return st;
    if ((s->q_norm = kmv_alloc(n_q, sizeof *s->q_norm, "norms", err)) == NULL ||
        (s->k_norm = kmv_alloc(n_k, sizeof *s->k_norm, "norms", err)) == NULL ||
        (s->met = kmv_alloc((size_t)s->threads, n_k * sizeof *s->met, "matches of keys", err)) ==
            NULL)
        return KMV_ENOMEM;
    return KMV_OK;
}

static kmv_status prepare(const kmv_problem *problem, const void *opt,
                          const kmv_prepare_context *context, void **out, kmv_error *err)
{
    const opts *o = opt;
    const size_t n_k = problem->k->n;
    const kmv_sign_shape shape = {.bits = o->bits, .tables = o->tables, .matches = o->matches};
    state *s = kmv_alloc(1, sizeof *s, "state of magicpig", err);
    kmv_status st = KMV_ENOMEM;

    if (s == NULL)
        return st;
    s->problem = *problem;
    s->threads = context->threads;
    s->window = (kmv_key_window){.sinks = o->sinks < n_k ? o->sinks : n_k,
                                 .window = o->window < n_k ? o->window : n_k};
    if ((st = make_room(s, context->tile, context->settings->r, err)) != KMV_OK ||
        (st = kmv_sign_tables_init(&s->tables, shape, &s->lists.q, &s->lists.k, context->tile,
                                   context->key, s->threads, context->cost, err)) != KMV_OK)
        goto out;
    kmv_sign_odds_fill(&s->odds, shape);
    norms(&s->lists.q, s->q_norm);
    norms(&s->lists.k, s->k_norm);
    snprintf(context->text, context->text_size,
             "magicpig: %zu tables of %zu bits, keys met in %zu; %zu first keys and %zu around the "
             "query always",
             o->tables, o->bits, o->matches, s->window.sinks, s->window.window);
    *out = s;
    s = NULL;
out:
    destroy(s);
    return st;
}

/* What is always kept goes first into the list, and is marked. */
static size_t list_kept(kmv_key_ranges g, uint32_t *list, uint16_t *met)
{
    size_t count = 0;

    for (size_t j = 0; j < g.sinks; j++) {
        met[j] = KMV_SIGN_LEAVE_OUT;
        list[count++] = (uint32_t)j;
    }
    for (size_t j = g.first; j < g.end; j++) {
        met[j] = KMV_SIGN_LEAVE_OUT;
        list[count++] = (uint32_t)j;
    }
    return count;
}

/* Row i; returns its pairs. */
static size_t attend_row(state *s, size_t i, int thread, size_t r, double *y, double *visited)
{
    uint32_t *list = kmv_row_list(&s->lists, thread);
    float *e = kmv_row_exponent(&s->lists, thread);
    uint16_t *met = s->met + (size_t)thread * s->problem.k->n;
    const size_t seen = kmv_problem_sees(&s->problem, i);
    size_t kept, found, count;

    memset(met, 0, s->problem.k->n * sizeof *met);
    kept = list_kept(kmv_key_window_of(&s->problem, s->window, i), list, met);
    found = kmv_sign_tables_find(&s->tables, i, met, list + kept, visited);
    count = kept;
    for (size_t t = kept; t < kept + found; t++) {
        list[count] = list[t];
        count += list[t] < seen ? 1 : 0; /* the tables hold later keys too */
    }
    kmv_row_exponents(&s->lists, i, list, count, e);
    for (size_t t = kept; t < count; t++) {
        const float size = s->q_norm[i] * s->k_norm[list[t]];

        e[t] -= kmv_sign_log2(&s->odds, size > 0 ? e[t] / ((float)LOG2_E * size) : 0);
    }
    kmv_softmax_sums_reset(&s->sums, (size_t)thread, 1);
    kmv_row_add(&s->lists, thread, list, e, count, &s->sums, (size_t)thread);
    kmv_softmax_sums_row(&s->sums, (size_t)thread, r, s->lists.values.unit, y);
    return count;
}

static kmv_status apply(void *state_, kmv_apply_context *context, kmv_error *err)
{
    state *s = state_;
    const size_t n_q = s->problem.q->n, r = context->r, d = s->problem.q->d;
    double pairs = 0, visited = 0;

    (void)err;
    kmv_row_lists_take(&s->lists, context->x, r);
#pragma omp parallel for num_threads(s->threads) schedule(dynamic, 8) reduction(+ : pairs, visited)
    for (size_t i = 0; i < n_q; i++)
        pairs += (double)attend_row(s, i, omp_get_thread_num(), r, context->y + i * r, &visited);
    context->cost->pairs += pairs;
    /* A visit of a key in a bucket is an addition. */
    context->cost->flops += 2 * pairs * (double)(d + r) + visited;
    return KMV_OK;
}

const kmv_algo kmv_algo_magicpig = {
    .name = "magicpig",
    .summary = "keys that sign-bit hash tables bring to each query, by inverse probability",
    .guarantee = "numerators and denominators unbiased over the tables; "
                 "no bound, the source judges by the tasks of a model",
    .source = "MagicPIG, Chen et al. 2025, arXiv 2410.16179",
    .flags = KMV_CAN_SOFTMAX | KMV_CAN_CAUSAL | KMV_CAN_COLUMNS | KMV_CAN_SIGNED | KMV_IS_RANDOM,
    .options = options,
    .options_size = sizeof(opts),
    .reject = reject,
    .prepare = prepare,
    .apply = apply,
    .destroy = destroy,
};

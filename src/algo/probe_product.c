/* algo/probe_product.c - heavy entries found by a search and kept, the rest sampled as far as x
 * needs.
 *
 * With H the pairs found, S a random set of columns, j in S with probability p_j:
 *     y_i = sum_{j in H_i} G_ij x_j (1 - w_j) + sum_{j in S} G_ij x_j w_j,
 * w_j = lambda / p_j for j in S, 0 for others; columns with a large part of x are always in S, with
 * w_j = 1. So a pair of H has weight 1, and a light one lambda [j in S] / p_j. lambda = 1 is
 * unbiased. Let B be the squared error, relative to |x|^2, of leaving the light part out, V that of
 * estimating it unbiased; then lambda = B / (B + V) has B V / (B + V), less than either: so V = B
 * eps^2 / (B - eps^2) is enough, and where B <= eps^2 nothing is sampled. B is computed for this x
 * on rows of the pilot: where the terms of the light part cancel (x of random signs) it is small.
 * Once S is drawn, lambda is fitted on these rows, which also takes away what is off in all rows
 * alike.
 *
 * clip: a heavy pair that the search missed would enter S with weight 1/p_j. For the columns of S
 * all queries are searched, not only those that visit their cell, and heavy pairs so found get
 * weight 1. What is missed altogether is a bias of G_ij x_j (1 - p_j). */
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <string.h>

#include "algo/candidate.h"
#include "algo/probe_choice.h"
#include "algo/probe_sample.h"
#include "algo/probe_search.h"

enum { CLIP_HITS = KMV_VISIT_QUERIES };

/* What the retrieved entries of row i give, with weights factor_j; added to y. */
static void add_heavy_row(const kmv_probe *p, size_t i, const double *x, size_t r,
                          const double *in_s, double *y)
{
    const kmv_heavy_chunk *chunk;
    uint32_t end;

    for (uint32_t t = kmv_probe_row(p, i, &chunk, &end); t < end; t++) {
        const size_t j = chunk->key[t];
        const double factor = (double)chunk->value[t] * (1 - in_s[j]);

        for (size_t c = 0; c < r; c++)
            y[c] += factor * x[j * r + c];
    }
}

/* Products with the sampled columns, a chunk of keys and a chunk of queries at a time. */
static void add_sampled(kmv_probe *p, size_t count, kmv_apply_context *context)
{
    const size_t n_q = p->problem.q->n, r = context->r;

    for (size_t q0 = 0; q0 < n_q; q0 += KMV_PROBE_CHUNK) {
        kmv_points some = *p->problem.q;
        kmv_problem part = p->problem;

        some.x += q0 * some.ld;
        some.n = n_q - q0 < KMV_PROBE_CHUNK ? n_q - q0 : KMV_PROBE_CHUNK;
        some.owned = 0;
        part.q = &some;
        kmv_pack(&p->queries, &part, p->centre, NULL, some.n, p->threads, context->cost);
        for (size_t s0 = 0; s0 < count; s0 += KMV_PROBE_CHUNK) {
            const size_t left = count - s0;

            if (q0 == 0 || count > KMV_PROBE_CHUNK)
                kmv_pack(&p->keys, &p->problem, p->centre, p->index + s0,
                         left < KMV_PROBE_CHUNK ? left : KMV_PROBE_CHUNK, p->threads,
                         context->cost);
            kmv_product(&p->queries, &p->keys, &p->problem, context->x, p->weight + s0, r,
                        p->threads, p->workspace, p->part, context->cost);
            for (size_t t = 0; t < some.n * r; t++)
                context->y[q0 * r + t] += p->part[t];
        }
    }
}

/* Heavy pairs of one chunk of queries with sampled columns that the search had missed. */
static double clip_chunk(const kmv_probe *p, size_t chunk, size_t count, const float *shift,
                         const kmv_apply_context *context)
{
    const size_t first = chunk * KMV_VISIT_QUERIES, left = p->problem.q->n - first, r = context->r;
    const size_t n = left < KMV_VISIT_QUERIES ? left : KMV_VISIT_QUERIES;
    const kmv_visit visit = kmv_probe_visit(p);
    uint32_t hits[CLIP_HITS], key[CLIP_HITS];
    float value[CLIP_HITS];
    double evaluated = 0;

    for (size_t s = 0; s < count; s++) {
        const uint32_t j = (uint32_t)p->index[s];
        size_t found;

        if (kmv_probe_is_forced(p, j))
            continue;
        found = p->sketcher.isa->scan(p->word_q + first, n, p->word_k[j], p->clip_bits,
                                      (uint32_t)first, hits);
        if (found == 0)
            continue;
        for (size_t h = 0; h < found; h++)
            key[h] = j;
        kmv_visit_entries(&visit, shift, hits, key, found, value);
        evaluated += (double)found;
        for (size_t h = 0; h < found; h++) {
            if (!kmv_probe_clips(p, p->word_q[hits[h]], j, value[h]) ||
                kmv_probe_retrieved(p, hits[h], j))
                continue;
            for (size_t c = 0; c < r; c++)
                context->y[hits[h] * r + c] +=
                    (double)value[h] * (1 - p->in_s[j]) * context->x[j * r + c];
        }
    }
    return evaluated;
}

/* Retrieved entries, and those that clipping adds. */
static void add_heavy(kmv_probe *p, size_t sampled, kmv_apply_context *context)
{
    const size_t n_q = p->problem.q->n, r = context->r;
    double evaluated = 0;

#pragma omp parallel for num_threads(p->threads) schedule(dynamic, 1) reduction(+ : evaluated)
    for (size_t c = 0; c < p->chunks; c++) {
        const size_t end = (c + 1) * KMV_VISIT_QUERIES;

        for (size_t i = c * KMV_VISIT_QUERIES; i < end && i < n_q; i++)
            add_heavy_row(p, i, context->x, r, p->in_s, context->y + i * r);
        if (sampled > 0)
            evaluated += clip_chunk(p, c, sampled, p->shift, context);
    }
    context->cost->pairs += evaluated;
    context->cost->flops += p->counts.kept * 2 * (double)r +
                            evaluated * 3 * (double)p->problem.q->d +
                            2 * (double)sampled * (double)n_q;
}

kmv_status kmv_probe_apply(kmv_probe *p, kmv_apply_context *context, kmv_error *err)
{
    const size_t n_q = p->problem.q->n;
    double expected;
    const size_t count = kmv_probe_draw(p, context, &expected);

    (void)err;
    memset(context->y, 0, n_q * context->r * sizeof *context->y);
    if (count > 0)
        add_sampled(p, count, context);
    if (p->heavy != NULL)
        add_heavy(p, p->options->clip && expected > 0 ? count : 0, context);
    snprintf(p->text, p->text_size,
             "%zu columns sampled; %s: per row %.4g of %zu cells, %.4g sketches compared, %.4g "
             "entries evaluated, %.4g kept; radius %.3g, %u of 64 bits apart, heavy > %.3g; pilot "
             "%zu rows: left to sampling %.3g, missed <= %.3g (squares per row); predicted error "
             "%.3g",
             count, p->heavy != NULL ? "search" : "no search", p->counts.cells / (double)n_q,
             p->partition.cells, p->counts.scanned / (double)n_q, p->counts.evaluated / (double)n_q,
             p->counts.kept / (double)n_q, (double)p->rule.radius, p->rule.bits_apart,
             (double)p->rule.tau, p->pilot_rows, p->forecast.light2, p->forecast.missed2,
             context->err_est);
    return KMV_OK;
}

static void destroy(void *state)
{
    kmv_probe_destroy(state);
}

/* ---- as a candidate of the planner ----------------------------------------------------------- */

/* The defaults of the table. */
static const kmv_probe_options planned = {.cell = 48, .bits_apart = 16, .clip = 1, .shrink = 1};

/* What a plan costs beside its pairs, in flops outside of tiles: once; per point for sketches and
 * the pass over the keys; per point for cells and search. At d = 64, 0.3 us a point were measured
 * without a search and 0.6 with one. */
enum {
    FLOPS_ONCE = 600000,
    PASS = 300,
    PASS_A_DIMENSION = 4,
    SEARCH = 450,
    SEARCH_A_DIMENSION = 2
};

/* Whatever is predicted before the search costs that much more. */
static const double DOUBT = 1.25;

static double pass_s(const kmv_problem *problem, const kmv_speeds *speeds)
{
    const double points = (double)problem->q->n + (double)problem->k->n;
    const double a_point = PASS + PASS_A_DIMENSION * (double)problem->k->d;

    return (FLOPS_ONCE + points * a_point) * speeds->flop_s +
           KMV_PROBE_PILOT * (double)problem->k->n * speeds->pair_s;
}

/* A row that is searched wider costs about as much as four others. */
static double search_s(const kmv_problem *problem, double eps, const kmv_speeds *speeds)
{
    const double points = (double)problem->q->n + (double)problem->k->n;
    const double wide =
        4 / (double)kmv_probe_wide_step(problem->q->n, eps / kmv_probe_safety(&planned));

    return points * (SEARCH + SEARCH_A_DIMENSION * (double)problem->k->d) * (1 + wide) *
           speeds->flop_s;
}

/* A large entry found costs as much as so many sampled columns (NS_HIT of probe_plan.c, and what
 * the product pays); the forecast takes a quarter of the sample, which is twice the error. */
static const double LARGE = 120, SAMPLED_AIM = 2;

/* The search, and the entries and the sample that it would lead to; or the sample alone. No search
 * is trusted beyond one large entry missed among the rows that are looked at before it. */
static kmv_status least(const kmv_problem *problem, const kmv_prepare_context *context,
                        const kmv_pilot *pilot, const kmv_speeds *speeds, double applies,
                        double *least_s, kmv_error *err)
{
    const double eps = kmv_planned_eps(context->settings), n_q = (double)problem->q->n;
    const double aim = eps / kmv_probe_safety(&planned);
    double alone = 0, after = 0;

    (void)err;
    if (pilot->count > 0) {
        const double seen = floor(n_q / (double)kmv_probe_wide_step(problem->q->n, aim));
        const double left2 = aim * aim - pilot->bins.largest * pilot->bins.largest / seen;

        alone = applies * n_q * kmv_pilot_sampled_pairs(pilot, SAMPLED_AIM * aim) * speeds->pair_s;
        after = left2 > 0 ? applies * n_q *
                                    kmv_pilot_split_pairs(pilot, SAMPLED_AIM * sqrt(left2), LARGE) *
                                    speeds->pair_s +
                                search_s(problem, eps, speeds)
                          : INFINITY;
    }
    *least_s = pass_s(problem, speeds) + fmin(alone, after);
    return KMV_OK;
}

/* The search is worth beginning where that stays clearly within the budget; what it then left to
 * sampling is known exactly. */
static kmv_status forecast(const kmv_problem *problem, const kmv_prepare_context *context,
                           const kmv_pilot *pilot, const kmv_speeds *speeds, double applies,
                           double budget_s, kmv_forecast *out, void **draft, kmv_error *err)
{
    kmv_forecast f = {.error = INFINITY, .text = "too much to search"};
    kmv_probe *p = NULL;
    double least_s;
    kmv_status st;

    if ((st = least(problem, context, pilot, speeds, applies, &least_s, err)) != KMV_OK)
        return st;
    f.prepare_s = pass_s(problem, speeds);
    if (problem->k->n <= UINT32_MAX && problem->q->n <= UINT32_MAX && DOUBT * least_s < budget_s) {
        const double most =
            (budget_s - f.prepare_s) / (applies * (double)problem->q->n * speeds->pair_s);

        if ((st = kmv_probe_create(problem, &planned, context, most, &p, err)) != KMV_OK)
            return st;
    }
    if (p != NULL) {
        f.prepare_s += p->forecast.searches ? search_s(problem, p->eps, speeds) : 0;
        f.pairs = (double)problem->q->n * p->forecast.sample;
        f.apply_s = f.pairs * speeds->pair_s;
        f.error = context->settings->eps;
        f.unseen2 = p->forecast.most_missed2;
        snprintf(f.text, sizeof f.text, "%.4g of %zu cells a row, %.3g columns", p->forecast.cells,
                 p->partition.cells, p->forecast.sample);
    }
    *out = f;
    *draft = p;
    return KMV_OK;
}

/* The error aimed at falls with the root of the samples. */
static kmv_status apply_planned(void *state, double effort, kmv_apply_context *context,
                                kmv_error *err)
{
    kmv_probe *p = state;
    const double eps = p->eps;
    kmv_status st;

    p->eps = eps / sqrt(effort);
    st = kmv_probe_apply(p, context, err);
    p->eps = eps;
    return st;
}

const kmv_candidate kmv_candidate_probe = {
    .name = "probe",
    .flags = KMV_CAN_GAUSS | KMV_CAN_COLUMNS | KMV_CAN_SIGNED,
    .own_points = 1,
    .biased = 1,
    .searches = 1,
    .least = least,
    .forecast = forecast,
    .discard = destroy,
    .prepare = kmv_candidate_take_draft, /* the search is done */
    .apply = apply_planned,
    .destroy = destroy,
};

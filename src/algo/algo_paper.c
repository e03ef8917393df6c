/* algo/algo_paper.c - the method of arXiv 2507.23539 (Indyk, Kapralov, Sheth, Wagner, ICLR 2025) as
 * described in its reviews; its full text was not at hand, so nothing here speaks for more.
 *
 * As described there, with n keys, g = gamma = 0.109, a = alpha = 1/3:
 *   1. entries of x below about n^-4 |x| become 0; the about n^(1-g) largest are multiplied
 * exactly;
 *   2. the rest falls into geometric buckets by |x_j|;
 *   3. for every query hashing finds the heavy keys, K_ij >= n^-a, which are computed exactly;
 *   4. for every query and bucket a kernel density estimate of K^2 (bandwidth sigma / sqrt 2), to
 *      relative error n^-0.218, bounds the variance left after the heavy keys, and so how many keys
 *      of the bucket this query samples uniformly.
 *
 * Ours, where that leaves a choice:
 *   - one bucket spans a factor of 2; the number of largest entries is inferred from the exponents;
 *   - heavy keys: Euclidean hashing (paper_heavy.h), tables by heavy_rho and heavy_miss; found
 * once, in prepare. A query looks at heavy_budget n^(2a) keys at most, the exponent of the method;
 *   - the estimate: one draw per table (kde_hash.h), kde_scale n_b^0.173 / err^2 draws in each of
 *     kde_groups groups, err = n^-0.218, n_b keys in the bucket: the paper's count. The hash used
 *     needs up to (1/mu)^0.577 times more for that error at density mu, so err is aimed at, not
 *     guaranteed;
 *   - the bound: S = (1 + err) max(estimate, H) - H, H the sum over the heavy keys found (known, so
 *     the truth is not less), and at least floor_share times the average over rows of the estimate
 *     that leaves heavy keys out (light_kde = yes: (1 + err) times that estimate itself);
 *   - samples: with |x_j| <= t in a bucket, m draws with replacement have variance <= n_b t^2 S /
 * m. The B buckets share the error alike: m = ceil(n_b t^2 S B n_q safety^2 / (eps |x|)^2), which
 *     makes E|y - Kx|^2 <= (eps |x| / safety)^2 wherever S bounds what it should. Where m >= n_b
 * all of the bucket is computed;
 *   - buckets not larger than the draws of their estimate are computed, without it.
 * The sampled part is unbiased whatever the estimate says, and given the heavy keys found: a heavy
 * key that was missed is a light one. */
#include <gsl/gsl_sort.h>
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <string.h>

#include "algo/algo.h"
#include "algo/kde_hash.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/status.h"
#include "gauss/product.h"

typedef struct {
    double gamma, alpha, drop, safety;
    double heavy_rho, heavy_miss, heavy_width, heavy_room, heavy_budget;
    double kde_err, kde_cost, kde_scale, kde_width, floor_share;
    size_t kde_groups;
    int light_kde;
} opts;

static const kmv_option options[] = {
    {"gamma", KMV_OPT_REAL, offsetof(opts, gamma), "0.109", 0, 1,
     "the n^(1-gamma) largest |x_j| are multiplied exactly (paper)", NULL},
    {"alpha", KMV_OPT_REAL, offsetof(opts, alpha), "0.333333333333333", 0.01, 1,
     "heavy keys have K_ij >= n^-alpha (paper)", NULL},
    {"drop", KMV_OPT_REAL, offsetof(opts, drop), "4", 0.5, 16,
     "entries of x below n^-drop |x| become 0 (paper)", NULL},
    {"safety", KMV_OPT_REAL, offsetof(opts, safety), "1.5", 0, 1000,
     "rms error = eps / safety; 0: eps sqrt(delta), so that Markov's inequality gives delta", NULL},
    {"heavy_rho", KMV_OPT_REAL, offsetof(opts, heavy_rho), "0.5", 0, 2,
     "one table finds a key at the radius with probability n^-heavy_rho", NULL},
    {"heavy_miss", KMV_OPT_REAL, offsetof(opts, heavy_miss), "0.1", 1e-6, 0.99,
     "probability that all tables miss such a key", NULL},
    {"heavy_width", KMV_OPT_REAL, offsetof(opts, heavy_width), "2", 0.25, 8,
     "width of their cells in units of the radius", NULL},
    {"heavy_room", KMV_OPT_REAL, offsetof(opts, heavy_room), "1", 0.01, 1e6,
     "heavy pairs kept at most, in units of n_q n^alpha", NULL},
    {"heavy_budget", KMV_OPT_REAL, offsetof(opts, heavy_budget), "4", 0.01, 1e6,
     "keys that one query looks at to find them, in units of n^(2 alpha)", NULL},
    {"kde_err", KMV_OPT_REAL, offsetof(opts, kde_err), "0.218", 0, 1,
     "relative error n^-kde_err of the density estimate (paper)", NULL},
    {"kde_cost", KMV_OPT_REAL, offsetof(opts, kde_cost), "0.173", 0, 1,
     "n_b^kde_cost / err^2 draws for it (paper)", NULL},
    {"kde_scale", KMV_OPT_REAL, offsetof(opts, kde_scale), "1", 0.001, 1000, "times as many", NULL},
    {"kde_width", KMV_OPT_REAL, offsetof(opts, kde_width), "1", 0.25, 2,
     "width of its cells in units of sqrt(ln n)", NULL},
    {"floor_share", KMV_OPT_REAL, offsetof(opts, floor_share), "0.25", 0, 1,
     "least bound of a row, as a share of the average over rows", NULL},
    {"kde_groups", KMV_OPT_SIZE, offsetof(opts, kde_groups), "3", 1, KMV_KDE_GROUPS_MAX,
     "groups of draws whose median is taken; odd", NULL},
    {"light_kde", KMV_OPT_BOOL, offsetof(opts, light_kde), "no", 0, 0,
     "estimate the light keys' density itself instead of subtracting the heavy ones'", NULL},
    {0},
};

enum { DROPPED = -1, LARGEST = -2, BUCKETS_MAX = 1200 }; /* halvings of a double */

typedef struct {
    size_t first, count; /* in order[] */
    double top;          /* largest |x_j| in it */
    int sampled;
} bucket;

typedef struct {
    const kmv_problem *problem;
    const opts *o;
    double eps, rms; /* rms: the error aimed at, relative to |x| */
    int threads;
    kmv_packed queries, largest;
    kmv_workspace *workspace;
    kmv_scaled q, k;
    kmv_heavy heavy;
    kmv_kde_hash kde;
    double *centre, *size; /* size: -|x_j|, for sorting */
    size_t *sorted, *chosen;
    uint32_t *order; /* keys by descending |x_j| */
    int *place;      /* per key: DROPPED, LARGEST or its bucket */
    bucket buckets[BUCKETS_MAX];
    size_t n_buckets, n_sampled, n_largest, most_largest;
    double x_norm2; /* of x / its largest entry */
    char *text;
    size_t text_size;
} paper;

static const char *reject(const kmv_problem *problem, const void *opt, size_t r)
{
    const opts *o = opt;

    (void)r;
    if (o->kde_groups % 2 == 0)
        return "kde_groups must be odd";
    if (problem->q->n >= INT32_MAX || problem->k->n >= INT32_MAX)
        return "2^31 points or more";
    return NULL;
}

static void destroy(void *state)
{
    paper *s = state;

    if (s == NULL)
        return;
    kmv_packed_clear(&s->queries);
    kmv_packed_clear(&s->largest);
    kmv_workspace_destroy(s->workspace);
    kmv_scaled_clear(&s->q);
    kmv_scaled_clear(&s->k);
    kmv_heavy_clear(&s->heavy);
    kmv_kde_hash_clear(&s->kde);
    kmv_free(s->centre);
    kmv_free(s->size);
    kmv_free(s->sorted);
    kmv_free(s->chosen);
    kmv_free(s->order);
    kmv_free(s->place);
    kmv_free(s);
}

static kmv_status reserve(paper *s, const kmv_prepare_context *context, kmv_error *err)
{
    const kmv_points *q = s->problem->q, *k = s->problem->k;
    kmv_status st = KMV_ENOMEM;

    if ((s->centre = kmv_alloc(k->d, sizeof *s->centre, "centre", err)) == NULL ||
        (s->size = kmv_alloc(k->n, sizeof *s->size, "sizes of x", err)) == NULL ||
        (s->sorted = kmv_alloc(k->n, sizeof *s->sorted, "order of x", err)) == NULL ||
        (s->chosen = kmv_alloc(s->most_largest, sizeof *s->chosen, "largest of x", err)) == NULL ||
        (s->order = kmv_alloc(k->n, sizeof *s->order, "order of x", err)) == NULL ||
        (s->place = kmv_alloc(k->n, sizeof *s->place, "buckets of x", err)) == NULL)
        return st;
    if ((st = kmv_packed_init(&s->queries, context->tile, KMV_QUERIES, q->n, q->d, 0, err)) !=
            KMV_OK ||
        (st = kmv_packed_init(&s->largest, context->tile, KMV_KEYS, s->most_largest, k->d, 1,
                              err)) != KMV_OK)
        return st;
    return kmv_workspace_create(context->tile, q->n, s->most_largest, 1, s->threads, &s->workspace,
                                err);
}

static kmv_status prepare(const kmv_problem *problem, const void *opt,
                          const kmv_prepare_context *context, void **out, kmv_error *err)
{
    const opts *o = opt;
    const kmv_heavy_spec spec = {.alpha = o->alpha,
                                 .rho = o->heavy_rho,
                                 .miss = o->heavy_miss,
                                 .width = o->heavy_width,
                                 .room = o->heavy_room,
                                 .budget = o->heavy_budget};
    paper *s = kmv_alloc(1, sizeof *s, "paper", err);
    kmv_status st;

    if (s == NULL)
        return KMV_ENOMEM;
    s->problem = problem;
    s->o = o;
    s->threads = context->threads;
    s->eps = context->settings->eps;
    s->rms = o->safety > 0 ? s->eps / o->safety : s->eps * sqrt(context->settings->delta);
    s->text = context->text;
    s->text_size = context->text_size;
    s->most_largest = (size_t)ceil(pow((double)problem->k->n, 1 - o->gamma));
    if ((st = reserve(s, context, err)) != KMV_OK)
        goto out;
    kmv_centre(problem, s->centre);
    if ((st = kmv_scaled_init(&s->q, problem->q, s->centre, problem->sigma, err)) != KMV_OK ||
        (st = kmv_scaled_init(&s->k, problem->k, s->centre, problem->sigma, err)) != KMV_OK ||
        (st = kmv_heavy_find(&s->q, &s->k, &spec, s->threads, context->key, &s->heavy,
                             context->cost, err)) != KMV_OK ||
        (st = kmv_kde_hash_init(&s->kde, &s->q, &s->k, &s->heavy, o->kde_width, o->kde_groups,
                                s->threads, err)) != KMV_OK)
        goto out;
    kmv_pack(&s->queries, problem, s->centre, NULL, problem->q->n, s->threads, context->cost);
    snprintf(s->text, s->text_size, "heavy=%.0f pairs: %zu heavy keys", s->heavy.evaluated,
             s->heavy.start[s->heavy.n_q]);
    *out = s;
    s = NULL;
out:
    destroy(s);
    return st;
}

/* Steps 1 and 2: places and buckets. */
static void sort_out(paper *s, const double *x)
{
    const size_t n = s->problem->k->n;
    double largest = 0, least, edge = 0;

    for (size_t j = 0; j < n; j++)
        largest = fmax(largest, fabs(x[j]));
    s->x_norm2 = 0;
    for (size_t j = 0; j < n; j++) {
        s->size[j] = -fabs(x[j] / largest);
        s->x_norm2 += s->size[j] * s->size[j];
    }
    gsl_sort_index(s->sorted, s->size, 1, n);
    least = sqrt(s->x_norm2) * pow((double)n, -s->o->drop);
    s->n_buckets = s->n_largest = 0;
    for (size_t t = 0; t < n; t++) {
        const size_t j = s->sorted[t];
        const double size = -s->size[j];

        s->order[t] = (uint32_t)j;
        if (!(size >= least) || size == 0) {
            s->place[j] = DROPPED;
        } else if (t < s->most_largest) {
            s->place[j] = LARGEST;
            s->n_largest++;
        } else {
            if (s->n_buckets == 0 || size <= edge) {
                s->buckets[s->n_buckets++] = (bucket){.first = t, .top = size};
                edge = size / 2;
            }
            s->buckets[s->n_buckets - 1].count++;
            s->place[j] = (int)s->n_buckets - 1;
        }
    }
}

/* Draws of one group for a bucket of n_b keys. */
static double draws_of(const paper *s, size_t n_b)
{
    const double n = (double)s->problem->k->n;

    return ceil(s->o->kde_scale * pow((double)n_b, s->o->kde_cost) * pow(n, 2 * s->o->kde_err));
}

/* Step 1: y = the part of the largest entries. Their pairs are the product's. */
static void multiply_largest(paper *s, kmv_apply_context *context)
{
    size_t count = 0;

    for (size_t j = 0; j < s->problem->k->n; j++) {
        if (s->place[j] == LARGEST)
            s->chosen[count++] = j;
    }
    kmv_pack(&s->largest, s->problem, s->centre, s->chosen, count, s->threads, context->cost);
    kmv_product(&s->queries, &s->largest, s->problem, context->x, NULL, 1, s->threads, s->workspace,
                context->y, context->cost);
}

/* Step 3: the heavy keys among the rest. */
static void add_heavy(const paper *s, const double *x, double *y)
{
    for (size_t i = 0; i < s->heavy.n_q; i++) {
        for (size_t t = s->heavy.start[i]; t < s->heavy.start[i + 1]; t++) {
            if (s->place[s->heavy.key[t]] >= 0)
                y[i] += (double)s->heavy.value[t] * x[s->heavy.key[t]];
        }
    }
}

/* Bound on the sum of K_ij^2 over the light keys j of bucket b. */
static double light_bound(const paper *s, int b, size_t i, double err)
{
    const double least = s->o->floor_share * s->kde.light_mean;
    double heavy2 = 0;

    if (s->o->light_kde)
        return fmax((1 + err) * s->kde.light[i], least);
    for (size_t t = s->heavy.start[i]; t < s->heavy.start[i + 1]; t++) {
        if (s->place[s->heavy.key[t]] == b)
            heavy2 += (double)s->heavy.value[t] * (double)s->heavy.value[t];
    }
    return fmax((1 + err) * fmax(s->kde.all[i], heavy2) - heavy2, least);
}

/* K_ij x_j for a light key, 0 for a heavy one (which costs nothing). */
static double light_term(const paper *s, const double *x, size_t i, uint32_t j, size_t *evaluated)
{
    if (kmv_heavy_has(&s->heavy, i, j))
        return 0;
    ++*evaluated;
    return exp(-(double)kmv_scaled_distance2(s->q.x + i * s->q.ld, s->k.x + j * s->k.ld, s->k.ld) /
               2) *
           x[j];
}

/* Step 4 for one row and bucket: m uniform draws, or all of it. */
static double light_part(const paper *s, const double *x, const bucket *b, size_t i, double m,
                         uint64_t key, size_t *evaluated)
{
    const uint32_t *members = s->order + b->first;
    double sum = 0;

    if (!(m < (double)b->count)) {
        for (size_t t = 0; t < b->count; t++)
            sum += light_term(s, x, i, members[t], evaluated);
        return sum;
    }
    for (size_t t = 0; t < (size_t)m; t++) {
        const size_t at = (size_t)(kmv_uniform_at(key, t) * (double)b->count);

        sum += light_term(s, x, i, members[at], evaluated);
    }
    return sum * (double)b->count / m;
}

/* One bucket: its estimate, if it is large enough, and its part of y. Returns entries evaluated
 * beside the estimate's, which are added to *kde. */
static size_t add_bucket(paper *s, size_t b, kmv_apply_context *context, double *kde)
{
    const bucket *one = &s->buckets[b];
    const double n_b = (double)one->count, n_q = (double)s->problem->q->n;
    const double err = pow((double)s->problem->k->n, -s->o->kde_err);
    const uint64_t key = kmv_stream_key(context->key, "light", b);
    /* samples per unit of the bound */
    const double per_bound =
        n_b * one->top * one->top * (double)s->n_sampled * n_q / (s->rms * s->rms * s->x_norm2);
    size_t evaluated = 0;

    if (one->sampled)
        *kde += kmv_kde_hash_run(&s->kde, s->order + one->first, one->count,
                                 (size_t)draws_of(s, one->count),
                                 kmv_stream_key(context->key, "density", b), context->cost);
#pragma omp parallel for num_threads(s->threads) schedule(dynamic, 16) reduction(+ : evaluated)
    for (size_t i = 0; i < s->problem->q->n; i++) {
        const double m =
            one->sampled ? fmax(1, ceil(per_bound * light_bound(s, (int)b, i, err))) : INFINITY;

        context->y[i] +=
            light_part(s, context->x, one, i, m, kmv_stream_key(key, "row", i), &evaluated);
    }
    return evaluated;
}

static kmv_status apply(void *state, kmv_apply_context *context, kmv_error *err)
{
    paper *s = state;
    const double n_q = (double)s->problem->q->n, d = (double)s->problem->k->d;
    double kde = 0, samples = 0;

    (void)err;
    sort_out(s, context->x);
    multiply_largest(s, context);
    add_heavy(s, context->x, context->y);
    s->n_sampled = 0;
    for (size_t b = 0; b < s->n_buckets; b++) {
        s->buckets[b].sampled = draws_of(s, s->buckets[b].count) * (double)s->o->kde_groups <
                                (double)s->buckets[b].count;
        s->n_sampled += (size_t)s->buckets[b].sampled;
    }
    for (size_t b = 0; b < s->n_buckets; b++)
        samples += (double)add_bucket(s, b, context, &kde);
    context->cost->pairs += samples;
    context->cost->flops += samples * (3 * d + 2) + 2 * (double)s->heavy.start[s->heavy.n_q];
    snprintf(s->text, s->text_size,
             "largest=%.0f heavy=%.0f kde=%.0f samples=%.0f pairs: %zu largest entries, %zu heavy "
             "keys from %zu tables of %zu hashes within %.3g sigma (%zu queries cut short), %zu of "
             "%zu buckets sampled",
             n_q * (double)s->n_largest, s->heavy.evaluated, kde, samples, s->n_largest,
             s->heavy.start[s->heavy.n_q], s->heavy.tables, s->heavy.hashes, s->heavy.radius,
             s->heavy.cut_short, s->n_sampled, s->n_buckets);
    return KMV_OK;
}

const kmv_algo kmv_algo_paper = {
    .name = "paper",
    .summary = "largest entries exact, heavy keys by hashing, the rest sampled per row as a hashed "
               "density estimate of K^2 asks; literal, not fast",
    .guarantee = "sampled part unbiased given the heavy keys found (proved); E|y - Gx|^2 <= (eps "
                 "|x| / safety)^2 where the density estimates bound what they should, which is "
                 "aimed at, not proved",
    .source =
        "arXiv 2507.23539 (ICLR 2025) as described in its reviews; densities after Charikar & "
        "Siminelakis 2017 (arXiv 1808.10530), hashes after Datar et al. 2004",
    .flags = KMV_CAN_GAUSS | KMV_CAN_SIGNED | KMV_USES_EPS | KMV_IS_RANDOM,
    .options = options,
    .options_size = sizeof(opts),
    .reject = reject,
    .prepare = prepare,
    .apply = apply,
    .destroy = destroy,
};

/* algo/algo_lsh.c - near pairs from hash tables exactly, the rest from sampled columns.
 *
 * With H the pairs that meet in the tables and S columns kept with probability p_j,
 *     y_i = sum_{j in H_i} G_ij x_j (1 - [j in S]/p_j) + sum_{j in S} G_ij x_j / p_j,
 * and where clipping is on an entry above the clip counts x_j instead of x_j / p_j in the second
 * sum, and x_j (1 - [j in S]) in the first. docs/lsh.md states and proves what is promised. */
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "algo/algo.h"
#include "algo/column_sample.h"
#include "algo/lsh_plan.h"
#include "base/mem.h"
#include "base/rng.h"

typedef struct {
    size_t tables, bits, wild, samples, pilot;
    double clip, safety;
} opts;

static const kmv_option options[] = {
    {"tables", KMV_OPT_SIZE, offsetof(opts, tables), "0", 0, KMV_HASH_TABLES_MAX,
     "hash tables; 0: tables, bits and wild are set from eps", NULL},
    {"bits", KMV_OPT_SIZE, offsetof(opts, bits), "10", 0, KMV_HASH_BITS_MAX,
     "hyperplanes of each table, where tables > 0", NULL},
    {"wild", KMV_OPT_SIZE, offsetof(opts, wild), "2", 0, KMV_HASH_WILD_MAX,
     "bits that a query tries both ways, where tables > 0; fewer than bits", NULL},
    {"samples", KMV_OPT_SIZE, offsetof(opts, samples), "0", 0, 1e9,
     "columns to draw for the rest, expected; 0: set from eps", NULL},
    {"clip", KMV_OPT_REAL, offsetof(opts, clip), "-1", -1, 1,
     "sampled entries above this count once instead of 1/p times; 0: off; -1: set from eps", NULL},
    {"pilot", KMV_OPT_SIZE, offsetof(opts, pilot), "128", 0, 4096,
     "rows computed exactly to plan; 0: none", NULL},
    {"safety", KMV_OPT_REAL, offsetof(opts, safety), "1.5", 0, 1000,
     "the rms error aimed at is eps / safety; 0: eps sqrt(delta), for Markov's inequality", NULL},
    {0},
};

/* Columns packed at a time, levels of the clip that an apply may choose from, and fewest samples
 * from eps: with a handful the error is anything, whatever its mean. */
enum { SAMPLE_AT_ONCE = 2048, LEVELS_MAX = 40, SAMPLES_LEAST = 96 };

/* Shares of |x_j|^2, |x_j| and |x_j| c_j in the probabilities: one of these, whichever the check
 * rows of the pilot prefer. The first share is the constant of the guarantee. */
static const double mixtures[][3] = {{0.85, 0.15, 0}, {0.25, 0.75, 0}, {0.25, 0, 0.75}};

typedef struct {
    const kmv_problem *problem;
    const opts *o;
    kmv_hash_input in;
    kmv_hash_tables *tables;
    kmv_key_groups sample;
    kmv_lsh_choice choice;
    kmv_lsh_rest rest; /* empty without a pilot */
    gsl_rng *rng;
    int threads;
    double target2; /* mean squared error aimed at, |x| = 1 */
    double *x2, *score, *p, *weight;
    double *c2; /* of the rest below the clip in use */
    size_t *index;
    double *light, *heavy; /* n_k x r */
    double *bands;         /* sums of the pilot's large entries, LEVELS_MAX x rows x r */
    char *text;
    size_t text_size;
} lsh;

static const char *reject(const kmv_problem *problem, const void *opt, size_t r)
{
    const opts *o = opt;

    (void)r;
    if (problem->k->n >= UINT32_MAX || problem->q->n >> KMV_HASH_WILD_MAX >= UINT32_MAX / 64)
        return "more points than 32-bit numbers count";
    if (o->tables > 0 && o->wild > 0 && o->wild >= o->bits)
        return "wild is not below bits";
    if (o->tables > 0 && (size_t)1 << o->bits > 1024 + 16 * problem->k->n)
        return "bits: many more buckets than keys";
    if (o->pilot == 0 && (o->tables == 0 || o->samples == 0 || o->clip < 0))
        return "pilot = 0 needs tables, samples and clip";
    if (o->clip < 0 && o->clip != -1)
        return "clip is negative, and not -1";
    return NULL;
}

static int uses_eps(const void *opt)
{
    const opts *o = opt;

    return o->tables == 0 || o->samples == 0 || o->clip < 0;
}

static void destroy(void *state)
{
    lsh *s = state;

    if (s == NULL)
        return;
    kmv_hash_tables_destroy(s->tables);
    kmv_key_groups_clear(&s->sample);
    kmv_hash_input_clear(&s->in);
    kmv_lsh_rest_clear(&s->rest);
    if (s->rng != NULL)
        gsl_rng_free(s->rng);
    kmv_free(s->x2);
    kmv_free(s->score);
    kmv_free(s->p);
    kmv_free(s->c2);
    kmv_free(s->weight);
    kmv_free(s->index);
    kmv_free(s->light);
    kmv_free(s->heavy);
    kmv_free(s->bands);
    kmv_free(s);
}

/* ---- preparation ----------------------------------------------------------------------------- */

/* The smallest entry that the plan looks at one by one: if all were as large, a thousand samples
 * would do. */
static float floor_of(const lsh *s)
{
    const double pairs = (double)s->in.q.n * (double)s->in.k.n;

    return (float)fmin(-2, fmax(-31, 0.5 * log2(1000 * s->target2 / pairs)));
}

static kmv_status plan_tables(lsh *s, const kmv_prepare_context *context, kmv_error *err)
{
    kmv_lsh_choice fixed = {.tables = s->o->tables,
                            .shape = {.bits = s->o->bits, .wild = s->o->wild},
                            .clip = s->o->clip > 0    ? log2(s->o->clip)
                                    : s->o->clip == 0 ? INFINITY
                                                      : NAN};
    kmv_lsh_survey survey = {0};
    kmv_status st;

    if (s->o->pilot == 0) {
        s->choice = fixed;
        return KMV_OK;
    }
    if ((st = kmv_lsh_survey_init(&survey, &s->in, s->o->pilot, floor_of(s), s->rng, s->threads,
                                  context->cost, err)) != KMV_OK)
        return st;
    st = kmv_lsh_choose(&survey, s->o->tables > 0 ? &fixed : NULL, s->target2, &s->choice, err);
    if (st == KMV_OK && s->o->tables == 0 && s->o->clip >= 0) {
        fixed.tables = s->choice.tables;
        fixed.shape = s->choice.shape;
        st = kmv_lsh_choose(&survey, &fixed, s->target2, &s->choice, err);
    }
    if (st == KMV_OK)
        st = kmv_lsh_rest_init(&s->rest, &survey, &s->choice, context->cost, err);
    kmv_lsh_survey_clear(&survey);
    return st;
}

static kmv_status reserve(lsh *s, size_t r, kmv_error *err)
{
    const size_t n = s->problem->k->n, rows = s->rest.rows;

    if ((s->x2 = kmv_alloc(n, sizeof(double), "norms of x", err)) == NULL ||
        (s->score = kmv_alloc(n, sizeof(double), "scores", err)) == NULL ||
        (s->p = kmv_alloc(n, sizeof(double), "probabilities", err)) == NULL ||
        (s->c2 = kmv_alloc(n, sizeof(double), "column norms", err)) == NULL ||
        (s->weight = kmv_alloc(n, sizeof(double), "weights of the sample", err)) == NULL ||
        (s->index = kmv_alloc(n, sizeof(size_t), "sample", err)) == NULL ||
        (s->light = kmv_alloc(n * r, sizeof(double), "weights", err)) == NULL ||
        (s->heavy = kmv_alloc(n * r, sizeof(double), "weights", err)) == NULL ||
        (s->bands = kmv_alloc(LEVELS_MAX * rows * r, sizeof(double), "large entries", err)) == NULL)
        return KMV_ENOMEM;
    return kmv_key_groups_init(&s->sample, &s->in, n < SAMPLE_AT_ONCE ? n : SAMPLE_AT_ONCE, err);
}

static kmv_status prepare(const kmv_problem *problem, const void *opt,
                          const kmv_prepare_context *context, void **out, kmv_error *err)
{
    const kmv_settings *settings = context->settings;
    lsh *s = kmv_alloc(1, sizeof *s, "plan", err);
    kmv_status st = KMV_ENOMEM;
    double aim;

    if (s == NULL)
        return st;
    s->problem = problem;
    s->o = opt;
    s->threads = context->threads;
    s->text = context->text;
    s->text_size = context->text_size;
    aim = settings->eps * (s->o->safety > 0 ? 1 / s->o->safety : sqrt(settings->delta));
    s->target2 = aim * aim;
    if ((s->rng = kmv_rng_create(context->key, err)) == NULL ||
        (st = kmv_hash_input_init(&s->in, problem, context->tile, fmin(0.01, settings->eps / 30),
                                  s->threads, context->cost, err)) != KMV_OK ||
        (st = plan_tables(s, context, err)) != KMV_OK ||
        (st = kmv_hash_tables_create(&s->in, s->choice.tables, s->choice.shape, settings->r, s->rng,
                                     s->threads, &s->tables, context->cost, err)) != KMV_OK ||
        (st = reserve(s, settings->r, err)) != KMV_OK)
        goto out;
    *out = s;
    s = NULL;
out:
    destroy(s);
    return st;
}

/* ---- apply ----------------------------------------------------------------------------------- */

/* x2 in units of the largest entry of X; returns that entry. */
static double load(lsh *s, const kmv_apply_context *context, double *norm2)
{
    const size_t n = s->problem->k->n, r = context->r;
    double largest = 0;

    for (size_t j = 0; j < n * r; j++)
        largest = fmax(largest, fabs(context->x[j]));
    *norm2 = 0;
    for (size_t j = 0; j < n; j++) {
        s->x2[j] = 0;
        for (size_t c = 0; c < r; c++) {
            const double value = context->x[j * r + c] / largest;

            s->x2[j] += value * value;
        }
        *norm2 += s->x2[j];
    }
    return largest;
}

/* Scores, of sum 1, by one mixture; returns sum x_j^2 c_j^2 / score_j on the check rows. */
static double mix(const lsh *s, const double *mixture, double norm2, double *score)
{
    const size_t n = s->problem->k->n;
    const double *fit = s->rest.c2_fit, *check = s->rest.c2_check;
    double sum_x = 0, sum_xc = 0, all = 0, spread = 0;

    for (size_t j = 0; j < n; j++) {
        sum_x += sqrt(s->x2[j]);
        sum_xc += fit != NULL && mixture[2] > 0 ? sqrt(s->x2[j] * fit[j]) : 0;
    }
    for (size_t j = 0; j < n; j++) {
        score[j] = mixture[0] * s->x2[j] / norm2 + mixture[1] * sqrt(s->x2[j]) / sum_x;
        if (fit != NULL && mixture[2] > 0 && sum_xc > 0)
            score[j] += mixture[2] * sqrt(s->x2[j] * fit[j]) / sum_xc;
        all += score[j];
    }
    for (size_t j = 0; j < n; j++) {
        score[j] /= all;
        if (check != NULL && s->x2[j] > 0)
            spread += s->x2[j] * check[j] / score[j];
    }
    return spread;
}

/* What sampling costs and clipping leaves out, for the levels of the clip of this apply. */
typedef struct {
    size_t levels;
    double clip[LEVELS_MAX + 1];
    double spread[LEVELS_MAX + 1]; /* sum x_j^2 c_j^2 / score_j below the clip */
    double mass[LEVELS_MAX + 1];   /* sum x_j^2 c_j^2 there */
    double bias2[LEVELS_MAX + 1];  /* expected squared error of what is above it */
} ladder;

/* The pilot's large entries, band by band from the top down. */
static void climb(lsh *s, const kmv_apply_context *context, double largest, ladder *l)
{
    const size_t r = context->r, cells = s->rest.rows * r;
    const double lowest = s->choice.clip;
    double squares[LEVELS_MAX] = {0};
    size_t bands = (size_t)fmin(LEVELS_MAX, ceil(-lowest));

    bands = bands < 1 ? 1 : bands;
    memset(s->bands, 0, bands * cells * sizeof *s->bands);
    memset(l->spread + 1, 0, bands * sizeof *l->spread);
    memset(l->mass + 1, 0, bands * sizeof *l->mass);
    for (size_t h = 0; h < s->rest.heavies; h++) {
        const kmv_lsh_heavy *entry = &s->rest.heavy[h];
        const size_t j = entry->key, up = (size_t)fmax(0, (double)entry->exponent - lowest);
        const size_t band = up < bands ? up : bands - 1;
        const double value = exp2((double)entry->exponent), missed = (double)entry->missed;
        const double square = s->rest.scale * missed * value * value * s->x2[j];
        double *sums = s->bands + band * cells + entry->row * r;

        if (!(s->x2[j] > 0))
            continue;
        squares[band] += square * (1 - missed);
        l->spread[band + 1] += square / s->score[j];
        l->mass[band + 1] += square;
        for (size_t c = 0; c < r; c++)
            sums[c] += missed * value * context->x[j * r + c] / largest;
    }
    for (size_t v = 0; v < bands; v++) {
        l->clip[v] = lowest + (double)v;
        l->spread[v + 1] += l->spread[v];
        l->mass[v + 1] += l->mass[v];
    }
    l->clip[bands] = INFINITY;
    l->bias2[bands] = 0;
    for (size_t v = bands; v-- > 0;) {
        double sum = 0, single = 0;

        for (size_t w = v; w < bands; w++)
            single += squares[w];
        for (size_t m = 0; m < cells; m++) {
            if (v + 1 < bands)
                s->bands[v * cells + m] += s->bands[(v + 1) * cells + m];
            sum += s->bands[v * cells + m] * s->bands[v * cells + m];
        }
        l->bias2[v] = s->rest.scale * sum + single;
    }
    l->levels = bands + 1;
}

/* The level with the fewest samples that is within the target, or, for a given number of samples,
 * with the smallest error. */
static size_t choose_level(const lsh *s, const ladder *l, double norm2, double *samples,
                           double *error2)
{
    const double target2 = s->target2 * norm2, n = (double)s->problem->k->n;
    const size_t given = s->o->samples;
    size_t best = l->levels;

    for (size_t v = 0; v < l->levels; v++) {
        const double room = target2 - l->bias2[v];
        double m = (double)given, error;

        if (given == 0)
            m = room > 0 ? fmin(n, fmax(SAMPLES_LEAST, l->spread[v] / (room + l->mass[v]))) : n;
        error = l->bias2[v] + (m < n ? fmax(0, l->spread[v] / m - l->mass[v]) : 0);
        if (m == 0)
            error = l->bias2[v] + l->mass[v];
        if (best == l->levels || (given == 0 ? m < *samples : error < *error2)) {
            best = v;
            *samples = m;
            *error2 = error;
        }
    }
    return best;
}

/* Probabilities for the samples of the ladder's rung, and for more where that did not know that no
 * column is drawn more than once. Returns the expected squared error. */
static double fill_probabilities(lsh *s, double samples, double clip, double bias2, double norm2)
{
    const size_t n = s->problem->k->n;
    double error2;

    if (s->rest.c2_check == NULL) {
        kmv_sample_probabilities(s->score, n, samples, s->p);
        return NAN;
    }
    memcpy(s->c2, s->rest.c2_check, n * sizeof *s->c2);
    for (size_t h = 0; h < s->rest.heavies; h++) {
        const kmv_lsh_heavy *entry = &s->rest.heavy[h];

        if ((double)entry->exponent <= clip)
            s->c2[entry->key] +=
                s->rest.scale * (double)entry->missed * exp2(2 * (double)entry->exponent);
    }
    for (;; samples = fmax(1, 1.1 * samples)) {
        kmv_sample_probabilities(s->score, n, samples, s->p);
        error2 = bias2 + kmv_sample_variance(s->x2, s->c2, s->p, n);
        if (s->o->samples > 0 || error2 <= 1.01 * s->target2 * norm2 || samples >= (double)n)
            return error2;
    }
}

/* Scores by one mixture, and how many samples of what error at which level they need; NAN and level
 * 0 without a pilot. */
static size_t weigh(lsh *s, const kmv_apply_context *context, const double *mixture, double largest,
                    double norm2, ladder *l, double *samples, double *error2)
{
    *l = (ladder){.levels = 1, .clip = {s->choice.clip}};
    l->spread[0] = mix(s, mixture, norm2, s->score);
    *samples = (double)s->o->samples;
    if (s->rest.c2_check == NULL)
        return 0;
    for (size_t j = 0; j < s->problem->k->n; j++)
        l->mass[0] += s->x2[j] * s->rest.c2_check[j];
    if (s->choice.clip < INFINITY)
        climb(s, context, largest, l);
    if (s->o->clip > 0)
        l->levels = 1; /* as asked */
    return choose_level(s, l, norm2, samples, error2);
}

/* Fills p for this x and chooses the clip: the mixture with the fewest samples, or, where their
 * number is given, with the smallest error. */
static void decide(lsh *s, kmv_apply_context *context, double largest, double norm2, double *clip)
{
    const size_t count = s->rest.c2_check != NULL ? sizeof mixtures / sizeof *mixtures : 1;
    double samples = 0, error2 = 0, least = INFINITY;
    size_t best = 0, level;
    ladder l;

    for (size_t m = 0; m < count; m++) {
        weigh(s, context, mixtures[m], largest, norm2, &l, &samples, &error2);
        if ((s->o->samples > 0 ? error2 : samples) < least) {
            least = s->o->samples > 0 ? error2 : samples;
            best = m;
        }
    }
    level = weigh(s, context, mixtures[best], largest, norm2, &l, &samples, &error2);
    *clip = l.clip[level];
    error2 = fill_probabilities(s, samples, *clip, l.bias2[level], norm2);
    context->err_est = sqrt(error2 / norm2);
}

/* y += the sampled part. */
static void add_sample(lsh *s, const kmv_apply_context *context, size_t count, double largest,
                       double clip)
{
    const size_t r = context->r;
    kmv_pair_weights w = {.light = s->light, .heavy = context->x, .r = r, .clip = clip};
    double most = 1;

    for (size_t m = 0; m < count; m++) {
        const size_t j = s->index[m];

        most = fmax(most, s->weight[m]);
        for (size_t c = 0; c < r; c++)
            s->light[j * r + c] = context->x[j * r + c] * s->weight[m];
    }
    w.unit = largest * most;
    for (size_t m = 0, take; m < count; m += take) {
        take = count - m < SAMPLE_AT_ONCE ? count - m : SAMPLE_AT_ONCE;
        kmv_key_groups_set(&s->sample, &s->in, s->index + m, take, s->threads);
        kmv_hash_join_all(s->tables, &s->sample, &w, context->y, context->cost);
    }
}

/* y += the pairs of the tables, less what the sample already has of them. */
static void add_tables(lsh *s, const kmv_apply_context *context, size_t count, double largest,
                       double clip)
{
    const size_t r = context->r, n = s->problem->k->n;
    kmv_pair_weights w = {.light = s->light, .heavy = s->heavy, .r = r, .clip = clip};
    double most = 1;

    memcpy(s->light, context->x, n * r * sizeof *s->light);
    memcpy(s->heavy, context->x, n * r * sizeof *s->heavy);
    for (size_t m = 0; m < count; m++) {
        const size_t j = s->index[m];

        most = fmax(most, s->weight[m]);
        for (size_t c = 0; c < r; c++) {
            s->light[j * r + c] *= 1 - s->weight[m];
            s->heavy[j * r + c] = 0;
        }
    }
    w.unit = largest * most;
    for (size_t t = 0; t < s->tables->tables; t++)
        kmv_hash_join(s->tables, t, &w, context->y, context->cost);
}

static void describe(const lsh *s, double clip, size_t count, const kmv_apply_context *context)
{
    char limit[48] = "no clip";
    int used;

    if (clip < INFINITY)
        snprintf(limit, sizeof limit, "clip at %.3g", exp2(clip));
    used = snprintf(s->text, s->text_size,
                    "%zu tables of %zu bits, %zu wild, %s; %zu of %zu columns drawn, %s, %s",
                    s->choice.tables, s->choice.shape.bits, s->choice.shape.wild,
                    s->o->tables > 0 ? "as asked" : "the cheapest by the pilot's forecast", count,
                    s->problem->k->n, s->o->samples > 0 ? "as asked" : "from eps", limit);
    if (s->rest.c2_check != NULL && used > 0 && (size_t)used < s->text_size)
        snprintf(s->text + used, s->text_size - (size_t)used,
                 "; %.4g pairs per query in tables (forecast), predicted rms error %.3g |x| from "
                 "%zu pilot rows",
                 s->choice.pairs, context->err_est, s->rest.rows);
}

static kmv_status apply(void *state, kmv_apply_context *context, kmv_error *err)
{
    lsh *s = state;
    const size_t n = s->problem->k->n;
    double norm2, clip, whole = 0;
    const double largest = load(s, context, &norm2);
    size_t count;

    (void)err;
    decide(s, context, largest, norm2, &clip);
    kmv_rng_restart(s->rng, context->key);
    count = kmv_sample_draw(s->p, n, s->rng, s->index, s->weight);
    for (size_t j = 0; j < n; j++)
        whole += s->x2[j] > 0 && s->p[j] < 1;
    memset(context->y, 0, s->problem->q->n * context->r * sizeof *context->y);
    if (whole > 0)
        add_tables(s, context, count, largest, clip);
    else /* the sample is everything */
        context->err_est = 0;
    add_sample(s, context, count, largest, clip);
    describe(s, clip, count, context);
    return KMV_OK;
}

const kmv_algo kmv_algo_lsh = {
    .name = "lsh",
    .summary = "pairs that meet in hash tables exactly, the rest from sampled columns",
    .guarantee = "without clipping unbiased, E|y - Gx|^2 <= |x|^2 / (0.25 m) sum_ij G_ij^2 (1 - "
                 "h_ij)^L over tables and sample for any x (proved, docs/lsh.md); m and the clip "
                 "from eps: by pilot rows, not proved",
    .source = "Charikar 2002 for the hash; Indyk, Kapralov, Sheth, Wagner 2025 for heavy and light",
    .flags = KMV_CAN_GAUSS | KMV_CAN_COLUMNS | KMV_CAN_SIGNED | KMV_USES_EPS | KMV_IS_RANDOM,
    .options = options,
    .options_size = sizeof(opts),
    .reject = reject,
    .uses_eps = uses_eps,
    .prepare = prepare,
    .apply = apply,
    .destroy = destroy,
};

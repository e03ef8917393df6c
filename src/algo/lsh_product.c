/* algo/lsh_product.c - a product of `lsh`: the clip and the sample for this x, then the pairs of
 * the tables and the sampled columns.
 *
 * With H the pairs that meet in the tables and S columns kept with probability p_j,
 *     y_i = sum_{j in H_i} G_ij x_j (1 - [j in S]/p_j) + sum_{j in S} G_ij x_j / p_j,
 * and where clipping is on an entry above the clip counts x_j instead of x_j / p_j in the second
 * sum, and x_j (1 - [j in S]) in the first. docs/lsh.md states and proves what is promised. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "algo/column_sample.h"
#include "algo/lsh.h"
#include "base/rng.h"

/* Fewest samples from eps: with a handful the error is anything, whatever its mean. */
enum { SAMPLES_LEAST = 96 };

/* Shares of |x_j|^2, |x_j| and |x_j| c_j in the probabilities: one of these, whichever the check
 * rows of the pilot prefer. The first share is the constant of the guarantee. */
static const double mixtures[][3] = {{0.85, 0.15, 0}, {0.25, 0.75, 0}, {0.25, 0, 0.75}};

/* x2 in units of the largest entry of X; returns that entry. */
static double load(kmv_lsh *s, const kmv_apply_context *context, double *norm2)
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
static double mix(const kmv_lsh *s, const double *mixture, double norm2, double *score)
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
    double clip[KMV_LSH_LEVELS + 1];
    double spread[KMV_LSH_LEVELS + 1]; /* sum x_j^2 c_j^2 / score_j below the clip */
    double mass[KMV_LSH_LEVELS + 1];   /* sum x_j^2 c_j^2 there */
    double bias2[KMV_LSH_LEVELS + 1];  /* expected squared error of what is above it */
} ladder;

/* The entries from `first` on that the tables find or miss together: their part of what is above
 * each level. Adds to single the variance of their sum; returns the entry after the last. */
static size_t climb_group(kmv_lsh *s, const kmv_apply_context *context, double largest,
                          size_t bands, size_t first, ladder *l, double *single)
{
    const size_t r = context->r, cells = s->rest.rows * r;
    double *own = s->together;
    size_t h = first, top = 0;

    memset(own, 0, bands * r * sizeof *own);
    do {
        const kmv_lsh_heavy *entry = &s->rest.heavy[h];
        const size_t j = entry->key;
        const size_t up = (size_t)fmax(0, (double)entry->exponent - s->choice.clip);
        const size_t band = up < bands ? up : bands - 1;
        const double value = exp2((double)entry->exponent), missed = (double)entry->missed;
        const double square = s->rest.scale * missed * value * value * s->x2[j];
        const double deviation = sqrt(missed * (1 - missed));
        double *sums = s->bands + band * cells + entry->row * r;

        if (!(s->x2[j] > 0))
            continue;
        top = band > top ? band : top;
        l->spread[band + 1] += square / s->score[j];
        l->mass[band + 1] += square;
        for (size_t c = 0; c < r; c++) {
            const double term = value * context->x[j * r + c] / largest;

            sums[c] += missed * term;
            own[band * r + c] += deviation * term;
        }
    } while (++h < s->rest.heavies && !s->rest.heavy[h].leader);
    for (size_t v = top + 1; v-- > 0;) {
        for (size_t c = 0; c < r; c++) {
            if (v < top)
                own[v * r + c] += own[(v + 1) * r + c];
            single[v] += s->rest.scale * own[v * r + c] * own[v * r + c];
        }
    }
    return h;
}

/* The pilot's large entries, band by band from the top down. */
static void climb(kmv_lsh *s, const kmv_apply_context *context, double largest, ladder *l)
{
    const size_t r = context->r, cells = s->rest.rows * r;
    const double lowest = s->choice.clip;
    double single[KMV_LSH_LEVELS] = {0};
    size_t bands = (size_t)fmin(KMV_LSH_LEVELS, ceil(-lowest));

    bands = bands < 1 ? 1 : bands;
    memset(s->bands, 0, bands * cells * sizeof *s->bands);
    memset(l->spread + 1, 0, bands * sizeof *l->spread);
    memset(l->mass + 1, 0, bands * sizeof *l->mass);
    for (size_t h = 0; h < s->rest.heavies;)
        h = climb_group(s, context, largest, bands, h, l, single);
    for (size_t v = 0; v < bands; v++) {
        l->clip[v] = lowest + (double)v;
        l->spread[v + 1] += l->spread[v];
        l->mass[v + 1] += l->mass[v];
    }
    l->clip[bands] = INFINITY;
    l->bias2[bands] = 0;
    for (size_t v = bands; v-- > 0;) {
        double sum = 0;

        for (size_t m = 0; m < cells; m++) {
            if (v + 1 < bands)
                s->bands[v * cells + m] += s->bands[(v + 1) * cells + m];
            sum += s->bands[v * cells + m] * s->bands[v * cells + m];
        }
        l->bias2[v] = s->rest.scale * sum + single[v];
    }
    l->levels = bands + 1;
}

/* The level with the fewest samples that is within the target, or, for a given number of samples,
 * with the smallest error. */
static size_t choose_level(const kmv_lsh *s, const ladder *l, double norm2, double *samples,
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
static double fill_probabilities(kmv_lsh *s, double samples, double clip, double bias2,
                                 double norm2)
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
static size_t weigh(kmv_lsh *s, const kmv_apply_context *context, const double *mixture,
                    double largest, double norm2, ladder *l, double *samples, double *error2)
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
static void decide(kmv_lsh *s, kmv_apply_context *context, double largest, double norm2,
                   double *clip)
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
    s->unseen2 = l.bias2[level];
    if (samples > 0)
        s->unseen2 +=
            fmax(0, (l.spread[level] - l.spread[0]) / samples - (l.mass[level] - l.mass[0]));
    s->unseen2 /= norm2;
    error2 = fill_probabilities(s, samples, *clip, l.bias2[level], norm2);
    context->err_est = sqrt(error2 / norm2);
}

/* y += the sampled part. */
static void add_sample(kmv_lsh *s, const kmv_apply_context *context, size_t count, double largest,
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
        take = count - m < KMV_LSH_AT_ONCE ? count - m : KMV_LSH_AT_ONCE;
        kmv_key_groups_set(&s->sample, &s->in, s->index + m, take, s->threads);
        kmv_hash_join_all(s->tables, &s->sample, &w, context->y, context->cost);
    }
}

/* y += the pairs of the tables, less what the sample already has of them. */
static void add_tables(kmv_lsh *s, const kmv_apply_context *context, size_t count, double largest,
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
    for (size_t t = 0; t < s->joined; t++)
        kmv_hash_join(s->tables, t, &w, context->y, context->cost);
}

static void describe(const kmv_lsh *s, double clip, size_t count, const kmv_apply_context *context)
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

void kmv_lsh_apply(kmv_lsh *s, kmv_apply_context *context)
{
    const size_t n = s->problem->k->n;
    double norm2, clip, whole = 0;
    const double largest = load(s, context, &norm2);
    size_t count;

    decide(s, context, largest, norm2, &clip);
    kmv_rng_restart(s->rng, context->key);
    count = kmv_sample_draw(s->p, n, s->rng, s->index, s->weight);
    for (size_t j = 0; j < n; j++)
        whole += s->x2[j] > 0 && s->p[j] < 1;
    memset(context->y, 0, s->problem->q->n * context->r * sizeof *context->y);
    if (whole > 0)
        add_tables(s, context, count, largest, clip);
    else /* the sample is everything */
        context->err_est = s->unseen2 = 0;
    add_sample(s, context, count, largest, clip);
    describe(s, clip, count, context);
}

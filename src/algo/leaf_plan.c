/* algo/leaf_plan.c - see leaf_plan.h. */
#include "algo/leaf_plan.h"

#include <gsl/gsl_rng.h>
#include <math.h>
#include <omp.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "gauss/pack.h"

/* Candidate thresholds are a largest one and below, two in an octave: what a float's bits say
 * without its last 22, so that a share is put between two of them by a shift. */
enum {
    THRESHOLDS = 18,
    SHIFT = 22,
    LEAF_STRIDE = 4, /* leaves looked at while comparing thresholds: one in so many */
    ROUNDS = 6,      /* of the fixed point that sets the number of samples */
    ROW_PAD = 16,    /* else the rows of a block would meet in one set of the cache */
    HALVES = 2       /* of the pilot, each summed up by one thread */
};

static const float LARGEST_SHARE = 0.25f, LARGEST_MASS = 4; /* softmax; gauss */
static const double BY_PILOT = 0.8, BY_PRIOR = 0.1; /* shares of the mixture; the rest is even */
static const double CLOSE = 0.01;                   /* numbers of samples that are the same */
static const double ALL_ABOVE = 0.7; /* of all pairs: a plan that needs as many visits everything */

static int code_of(float share)
{
    int bits;

    memcpy(&bits, &share, sizeof bits);
    return bits >> SHIFT;
}

static float largest_threshold(const kmv_problem *problem)
{
    return problem->matrix == KMV_GAUSS ? LARGEST_MASS : LARGEST_SHARE;
}

static float threshold(float largest, int t)
{
    const int bits = (code_of(largest) - t) << SHIFT;
    float value;

    memcpy(&value, &bits, sizeof value);
    return value;
}

/* At how many thresholds, the largest ones, a leaf of this share is light. A threshold that was
 * asked for (else 0) is the only one, the first. */
static int light_at(float largest, float share, double asked)
{
    const int count = code_of(largest) - code_of(share);

    if (asked > 0)
        return !((double)share >= asked);
    return count < 0 ? 0 : count > THRESHOLDS ? THRESHOLDS : count;
}

void kmv_leaf_plan_clear(kmv_leaf_plan *plan)
{
    kmv_free(plan->c2[0]);
    kmv_free(plan->c2[1]);
    kmv_free(plan->prior2);
    *plan = (kmv_leaf_plan){0};
}

int kmv_leaf_plan_visits(const kmv_leaf_plan *plan, const kmv_leaf_scores *scores, size_t block,
                         size_t leaf, size_t partial)
{
    return plan->all || leaf >= partial ||
           (double)scores->share[block * scores->ld + leaf] >= plan->least_share;
}

/* ---- probabilities --------------------------------------------------------------------------- */

typedef struct {
    size_t n;
    double stride; /* columns that each of these stands for */
    const float *c2[2], *prior2, *value2;
    float *s[3]; /* scores by the first half, the second, both; sum 1 each */
} mixture;

/* One part of the mixture as it adds to a score: its total over all columns. */
static void part_sums(const mixture *m, double sum[4])
{
    sum[0] = sum[1] = sum[2] = sum[3] = 0;
    for (size_t j = 0; j < m->n; j++) {
        const float v = m->value2 != NULL ? m->value2[j] : 1;

        sum[0] += (double)sqrtf(m->c2[0][j] * v);
        sum[1] += (double)sqrtf(m->c2[1][j] * v);
        sum[2] += (double)sqrtf(m->prior2[j] * v);
        sum[3] += (double)sqrtf(v);
    }
}

static void set_scores(const mixture *m)
{
    double sum[4];
    float by_pilot[2], by_prior, even;

    part_sums(m, sum);
    by_pilot[0] = sum[0] > 0 ? (float)(BY_PILOT / sum[0]) : 0;
    by_pilot[1] = sum[1] > 0 ? (float)(BY_PILOT / sum[1]) : 0;
    by_prior = sum[2] > 0 ? (float)(BY_PRIOR / sum[2]) : 0;
    even = sum[3] > 0 ? (float)((1 - BY_PILOT - BY_PRIOR) / sum[3]) : 0;
    for (size_t j = 0; j < m->n; j++) {
        const float v = m->value2 != NULL ? m->value2[j] : 1;
        const float base = by_prior * sqrtf(m->prior2[j] * v) + even * sqrtf(v);
        const float a = by_pilot[0] * sqrtf(m->c2[0][j] * v);
        const float b = by_pilot[1] * sqrtf(m->c2[1][j] * v);

        m->s[0][j] = base + a;
        m->s[1][j] = base + b;
        m->s[2][j] = base + 0.5f * (a + b);
    }
}

/* The m, p_j = min(1, m s_j), for which V, planned on one half and judged by the other, is the
 * target: m = sum c^2/s / (target + sum c^2) over the columns with p < 1. */
static double samples_for(const mixture *x, double target)
{
    double ratio = 0, whole = 0, m = 0, last = -1;

    for (size_t j = 0; j < x->n; j++) {
        const float v = x->value2 != NULL ? x->value2[j] : 1;
        const float a = x->c2[1][j] * v, b = x->c2[0][j] * v;

        ratio += (double)(a > 0 ? a / x->s[0][j] : 0) + (double)(b > 0 ? b / x->s[1][j] : 0);
        whole += (double)(a + b);
    }
    for (int round = 0; round < ROUNDS && !(fabs(m - last) <= CLOSE * m); round++) {
        double ratio_left = ratio, whole_left = whole;

        for (size_t j = 0; j < x->n && round > 0; j++) { /* few are taken for certain */
            const float v = x->value2 != NULL ? x->value2[j] : 1;
            const float a = x->c2[1][j] * v, b = x->c2[0][j] * v;

            if ((double)x->s[0][j] * m >= 1) {
                ratio_left -= a > 0 ? (double)(a / x->s[0][j]) : 0;
                whole_left -= (double)a;
            }
            if ((double)x->s[1][j] * m >= 1) {
                ratio_left -= b > 0 ? (double)(b / x->s[1][j]) : 0;
                whole_left -= (double)b;
            }
        }
        /* Of the columns looked at the scores sum to 1, and their share of V is judged. */
        last = m;
        m = fmax(0, ratio_left) / 2 * x->stride / (target + fmax(0, whole_left) / 2 * x->stride);
    }
    return m;
}

double kmv_leaf_plan_probabilities(const kmv_leaf_plan *plan, size_t n, const float *value2,
                                   double target, float *score, float *p)
{
    const mixture x = {.n = n,
                       .stride = 1,
                       .c2 = {plan->c2[0], plan->c2[1]},
                       .prior2 = plan->prior2,
                       .value2 = value2,
                       .s = {score, score + n, score + 2 * n}};
    double m, sum = 0;

    set_scores(&x);
    m = samples_for(&x, target);
    for (size_t j = 0; j < n; j++) {
        const double wanted = m * (double)x.s[2][j];

        p[j] = wanted < 1 ? (float)wanted : 1;
        sum += (double)p[j];
    }
    return sum;
}

/* ---- pilot ----------------------------------------------------------------------------------- */

/* Squared entries of pilot rows, added up by column and by the number of thresholds at which their
 * leaf is light; each half belongs to one thread, so that sums do not depend on their number.
 */
typedef struct {
    const kmv_problem *problem;
    const kmv_leaf_set *keys, *pilot;
    const kmv_leaf_scores *scores;
    const kmv_leaf_set *queries;
    float largest;       /* threshold */
    double asked;        /* least share asked for, or 0 */
    size_t n, ld, *rows; /* key slots in whole leaves, and a row of them; pilot rows by group */
    float *sums;         /* HALVES x THRESHOLDS x n: light at 1 .. THRESHOLDS of them */
} survey;

/* entries: of the row, their sum is `total`. */
static void survey_row(const survey *s, size_t row, const float *entries, float total, float *sums)
{
    const size_t block = row / s->queries->each, each = s->keys->each;
    const size_t partial = kmv_leaf_scores_partial(s->problem, s->queries, s->keys, block);
    const size_t leaves = partial < s->keys->count ? partial : s->keys->count;
    const float *share = s->scores->share + block * s->scores->ld;

    for (size_t l = 0, end; l < leaves; l = end) { /* neighbours that go to one bucket together */
        const int count = light_at(s->largest, share[l], s->asked);

        for (end = l + 1; end < leaves && light_at(s->largest, share[end], s->asked) == count;)
            end++;
        if (count > 0)
            s->keys->unit.tile->add_squares(entries + l * each, 1 / total, (end - l) * each,
                                            sums + (size_t)(count - 1) * s->n + l * each);
    }
}

/* Returns the pairs evaluated. */
static double survey_group(const survey *s, size_t group, float *e)
{
    const kmv_attend_unit *u = &s->keys->unit;
    const size_t first = group * u->rows, left = s->pilot->n - first;
    const size_t rows = left < u->rows ? left : u->rows;
    size_t most = 0, leaves;
    float *sums = s->sums + group % HALVES * THRESHOLDS * s->n;

    for (size_t i = 0; i < rows; i++) {
        const size_t seen = kmv_leaf_seen(s->problem, s->rows[first + i]);

        most = seen > most ? seen : most;
    }
    leaves = (most + s->keys->each - 1) / s->keys->each;
    u->exponents(u, s->pilot->data + group * s->pilot->size, s->pilot->offset + first,
                 s->keys->data, s->keys->offset, leaves, s->keys->d, s->keys->parts, e, s->ld);
    for (size_t i = 0; i < rows; i++) {
        const size_t row = s->rows[first + i];
        float *entries = e + i * s->ld, top, total;

        for (size_t j = kmv_leaf_seen(s->problem, row); j < leaves * s->keys->each; j++)
            entries[j] = -INFINITY;
        total = u->tile->soften(entries, leaves * s->keys->each, &top);
        if (s->problem->matrix == KMV_GAUSS)
            total = exp2f(-top);
        survey_row(s, row, entries, total, sums);
    }
    return (double)rows *
           (double)(leaves * s->keys->each < s->keys->n ? leaves * s->keys->each : s->keys->n);
}

/* One row of each of `count` equal parts. Two groups share a band of them in turns, so that either
 * half of the pilot sees all of the matrix, and the rows of a group end near each other where they
 * are masked. */
static kmv_status choose_rows(survey *s, size_t count, uint64_t key, kmv_error *err)
{
    const size_t n_q = s->problem->q->n, width = s->queries->each, band = 2 * width;
    gsl_rng *rng = kmv_rng_create(key, err);
    size_t used = 0;

    if (rng == NULL || (s->rows = kmv_alloc(count, sizeof *s->rows, "pilot rows", err)) == NULL) {
        if (rng != NULL)
            gsl_rng_free(rng);
        return KMV_ENOMEM;
    }
    for (size_t first = 0; first < count; first += band) {
        const size_t end = first + band < count ? first + band : count;
        const size_t step = end - first > width ? 2 : 1;

        for (size_t g = 0; g < step; g++) {
            for (size_t m = first + g; m < end; m += step)
                s->rows[used++] =
                    (size_t)(((double)m + gsl_rng_uniform(rng)) * (double)n_q / (double)count);
        }
    }
    gsl_rng_free(rng);
    return KMV_OK;
}

/* ---- choice of the threshold ----------------------------------------------------------------- */

/* Visited keys per row at each threshold, and at most; squared predicted shares of light leaves. */
typedef struct {
    double visited[THRESHOLDS], most;
    float *prior2; /* (THRESHOLDS + 1) x leaves, by the number of thresholds at which it is light */
} forecast;

static void forecast_all(const survey *s, forecast *f)
{
    const size_t leaves = s->keys->count, each = s->keys->each, width = s->queries->each;
    double keys_at[THRESHOLDS + 1] = {0}, partial_keys = 0, sum = 0;

    for (size_t b = 0; b < s->scores->blocks; b++) {
        const size_t first = b * width, n_q = s->problem->q->n;
        const double rows = (double)(n_q - first < width ? n_q - first : width);
        const size_t partial = kmv_leaf_scores_partial(s->problem, s->queries, s->keys, b);
        const size_t visible =
            kmv_leaf_scores_visible(s->scores, s->problem, s->queries, s->keys, b);
        const float *share = s->scores->share + b * s->scores->ld;

        for (size_t l = 0; l < partial && l < leaves; l++) {
            const int count = light_at(s->largest, share[l], s->asked);

            keys_at[count] += rows;
            f->prior2[(size_t)count * leaves + l] += (float)rows * share[l] * share[l];
        }
        partial_keys += rows * (double)(visible > partial ? visible - partial : 0);
    }
    f->most = partial_keys;
    for (int t = 0; t <= THRESHOLDS; t++)
        f->most += keys_at[t];
    f->most *= (double)each / (double)s->problem->q->n;
    for (int t = 0; t < THRESHOLDS; t++) {
        sum += keys_at[t]; /* light at no more than t thresholds: visited at number t */
        f->visited[t] = (sum + partial_keys) * (double)each / (double)s->problem->q->n;
    }
}

/* What is light at threshold t: everything light at more than t. Adds the last of it, for one leaf
 * in `stride`, whose columns stand one after the other. Returns how many columns these are. */
static size_t add_light(const survey *s, const forecast *f, int t, size_t stride,
                        kmv_leaf_plan *plan)
{
    const size_t leaves = s->keys->count, each = s->keys->each, n_k = s->problem->k->n;
    const double n_q = (double)s->problem->q->n;
    size_t rows[2] = {0, 0}, used = 0;

    for (size_t g = 0; g < s->pilot->count; g++) {
        const size_t left = s->pilot->n - g * s->queries->each;

        rows[g % 2] += left < s->queries->each ? left : s->queries->each;
    }
    for (size_t h = 0; h < 2; h++) {
        const float *sums = s->sums + (h * THRESHOLDS + (size_t)t) * s->n;
        const float scale = (float)(n_q / (double)rows[h]);

        for (size_t l = 0, at = 0; l < leaves; l += stride, at += each) {
            const size_t first = l * each, count = n_k - first < each ? n_k - first : each;

            for (size_t j = 0; j < count; j++)
                plan->c2[h][at + j] += scale * sums[first + j];
        }
    }
    for (size_t l = 0; l < leaves; l += stride) {
        const float add = f->prior2[(size_t)(t + 1) * leaves + l] / (float)(each * each);
        const size_t count = n_k - l * each < each ? n_k - l * each : each;

        for (size_t j = 0; j < count; j++)
            plan->prior2[used + j] += add;
        used += count;
    }
    return used;
}

static void clear_light(kmv_leaf_plan *plan, size_t n_k)
{
    memset(plan->c2[0], 0, n_k * sizeof(float));
    memset(plan->c2[1], 0, n_k * sizeof(float));
    memset(plan->prior2, 0, n_k * sizeof(float));
}

/* From the smallest threshold up, fewer leaves visited each time, until pairs grow again. */
static int best_threshold(const survey *s, const forecast *f, double eps, kmv_leaf_plan *plan,
                          float *score)
{
    const size_t n_k = s->problem->k->n;
    const double target = eps * eps * (double)n_k; /* values of square 1 */
    const double per_sample = f->most / (double)n_k;
    const size_t stride = n_k > 1024 ? LEAF_STRIDE : 1;
    double least = INFINITY;
    int best = THRESHOLDS - 1, worse = 0;

    clear_light(plan, n_k);
    for (int t = THRESHOLDS - 1; t >= 0 && worse < 3; t--) {
        const mixture x = {.n = add_light(s, f, t, stride, plan),
                           .stride = (double)stride,
                           .c2 = {plan->c2[0], plan->c2[1]},
                           .prior2 = plan->prior2,
                           .s = {score, score + n_k, score + 2 * n_k}};
        double m, pairs;

        set_scores(&x);
        m = x.stride * samples_for(&x, target);
        pairs = f->visited[t] + (m < (double)n_k ? m : (double)n_k) * per_sample;
        worse = pairs <= least ? 0 : worse + 1; /* equal: no leaf is that small */
        if (pairs < least) {
            least = pairs;
            best = t;
            plan->sampled = m;
        }
    }
    plan->all = !(least <= ALL_ABOVE * f->most);
    return best;
}

static kmv_status make_survey(survey *s, const kmv_leaf_frame *frame, kmv_leaf_set *pilot,
                              size_t rows, int threads, uint64_t key, kmv_cost *cost,
                              kmv_error *err)
{
    const kmv_attend_unit *u = &s->keys->unit;
    float *room = NULL;
    double pairs = 0;
    kmv_status st;

    if ((st = kmv_leaf_set_init(pilot, u, 0, s->queries->parts, rows, s->queries->d, err)) !=
            KMV_OK ||
        (st = choose_rows(s, rows, key, err)) != KMV_OK)
        return st;
    s->sums = kmv_alloc_raw(HALVES * THRESHOLDS, s->n * sizeof(float), "sums of pilot rows", err);
    room = kmv_alloc_raw((size_t)threads * u->rows, s->ld * sizeof(float), "pilot entries", err);
    if (s->sums == NULL || room == NULL) {
        kmv_free(room);
        return KMV_ENOMEM;
    }
    kmv_leaf_set_pack(pilot, frame, s->problem->q, s->rows, rows, threads, cost);
#pragma omp parallel for num_threads(threads) schedule(dynamic, 1) reduction(+ : pairs)
    for (size_t half = 0; half < HALVES; half++) {
        memset(s->sums + half * THRESHOLDS * s->n, 0, THRESHOLDS * s->n * sizeof(float));
        for (size_t g = half; g < pilot->count; g += HALVES)
            pairs += survey_group(s, g, room + (size_t)omp_get_thread_num() * u->rows * s->ld);
    }
    kmv_free(room);
    cost->pairs += pairs;
    cost->flops += 2 * pairs * (double)(s->keys->d + 1);
    return KMV_OK;
}

kmv_status kmv_leaf_plan_create(kmv_leaf_plan *plan, const kmv_problem *problem,
                                const kmv_leaf_frame *frame, const kmv_leaf_set *keys,
                                const kmv_leaf_set *queries, const kmv_leaf_scores *scores,
                                double eps, double least_share, size_t rows, int threads,
                                uint64_t key, kmv_cost *cost, kmv_error *err)
{
    const size_t n_k = problem->k->n;
    kmv_leaf_plan out = {.rows = rows};
    kmv_leaf_set pilot = {0};
    survey s = {.problem = problem,
                .keys = keys,
                .pilot = &pilot,
                .scores = scores,
                .queries = queries,
                .largest = largest_threshold(problem),
                .n = keys->count * keys->each,
                .asked = least_share};
    forecast f = {0};
    float *score = NULL;
    int t;
    kmv_status st = KMV_ENOMEM;

    s.ld = s.n + ROW_PAD;
    if ((out.c2[0] = kmv_alloc(n_k, sizeof(float), "column norms", err)) == NULL ||
        (out.c2[1] = kmv_alloc(n_k, sizeof(float), "column norms", err)) == NULL ||
        (out.prior2 = kmv_alloc(n_k, sizeof(float), "column norms", err)) == NULL ||
        (score = kmv_alloc_raw(3 * n_k, sizeof *score, "scores of columns", err)) == NULL ||
        (f.prior2 = kmv_alloc((THRESHOLDS + 1) * keys->count, sizeof(float), "shares of leaves",
                              err)) == NULL)
        goto out;
    if ((st = make_survey(&s, frame, &pilot, rows, threads, key, cost, err)) != KMV_OK)
        goto out;
    forecast_all(&s, &f);
    t = least_share > 0 ? 0 : best_threshold(&s, &f, eps, &out, score);
    clear_light(&out, n_k);
    for (int m = THRESHOLDS - 1; m >= t; m--)
        add_light(&s, &f, m, 1, &out);
    out.least_share = least_share > 0 ? least_share : (double)threshold(s.largest, t);
    out.heavy = out.all ? f.most : f.visited[t];
    *plan = out;
    out = (kmv_leaf_plan){0};
out:
    kmv_free(f.prior2);
    kmv_free(score);
    kmv_free(s.sums);
    kmv_free(s.rows);
    kmv_leaf_set_clear(&pilot);
    kmv_leaf_plan_clear(&out);
    return st;
}

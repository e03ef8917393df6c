/* algo/leaf_plan.c - see leaf_plan.h. */
#include "algo/leaf_plan.h"

#include <gsl/gsl_rng.h>
#include <math.h>
#include <omp.h>
#include <string.h>

#include "algo/leaf_sample.h"
#include "base/mem.h"
#include "base/rng.h"
#include "gauss/pack.h"

/* Candidate thresholds are a largest one and below, one in an octave: a float's exponent, so that a
 * share is put between two of them by a shift. */
enum {
    PARTS = 2, /* of a pilot: softmax, whose rows come in as many again while what they say of the
                  error stays in doubt */
    THRESHOLDS = 10,
    SHIFT = 23,
    LEAF_STRIDE = 4,  /* leaves looked at while comparing thresholds: one in so many at the most */
    LOOKED_AT = 2048, /* columns at the least, where there are so many */
    ROW_PAD = 16,     /* else the rows of a block would meet in one set of the cache */
    HALVES = 2        /* of the pilot, each summed up by one thread */
};

static const float LARGEST_SHARE = 0.25f, LARGEST_MASS = 4; /* softmax; gauss */
static const float LEAST_SEEN = 1.0f / 64; /* of the rows; columns that fewer see are as cheap */
static const double DOUBT = 0.1;           /* largest standard error of V, over V */
static const double CLOSE = 0.01,
                    NEAR = 0.05;     /* numbers of samples that are the same; as good as */
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
    kmv_free(plan->seen);
    *plan = (kmv_leaf_plan){0};
}

size_t kmv_leaf_plan_stride(size_t n_k)
{
    const size_t most = n_k / LOOKED_AT;

    return most < 1 ? 1 : most < LEAF_STRIDE ? most : LEAF_STRIDE;
}

int kmv_leaf_plan_visits(const kmv_leaf_plan *plan, const kmv_leaf_scores *scores, size_t block,
                         size_t leaf, size_t partial)
{
    return plan->all || leaf >= partial ||
           (double)scores->share[block * scores->ld + leaf] >= plan->least_share;
}

/* ---- probabilities --------------------------------------------------------------------------- */

static kmv_leaf_sample sample_of(const kmv_leaf_plan *plan, size_t n, float *room)
{
    return (kmv_leaf_sample){.n = n,
                             .stride = 1,
                             .per_row = plan->per_row,
                             .c2 = {plan->c2[0], plan->c2[1]},
                             .prior2 = plan->prior2,
                             .seen = plan->seen,
                             .s = {room, room + n, room + 2 * n},
                             .t = {room + 3 * n, room + 4 * n}};
}

double kmv_leaf_plan_probabilities(const kmv_leaf_plan *plan, size_t n, const float *value2,
                                   double target, float *room, float *p)
{
    kmv_leaf_sample x = sample_of(plan, n, room);
    double m, sum = 0, doubt;

    x.value2 = value2;
    kmv_leaf_sample_set(&x);
    m = kmv_leaf_sample_size(&x, target, plan->sampled, CLOSE, &doubt);
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
    float largest;           /* threshold */
    double asked;            /* least share asked for, or 0 */
    size_t n, ld, *rows;     /* key slots in whole leaves, and a row of them; pilot rows by group */
    size_t surveyed[HALVES]; /* pilot rows so far */
    float *sums;             /* HALVES x THRESHOLDS x n: light at 1 .. THRESHOLDS of them */
    float *room;             /* entries of one group a thread */
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

    if (rng == NULL)
        return KMV_ENOMEM;
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

/* Keys of whole leaves by the number of thresholds at which the leaf is light, times rows; those of
 * partial leaves. */
typedef struct {
    double by_count[THRESHOLDS + 1], partial;
} key_counts;

/* Blocks of one half, every second one. */
static void forecast_half(const survey *s, size_t half, float *prior2, key_counts *keys)
{
    const size_t leaves = s->keys->count, width = s->queries->each;
    uint64_t rows_at[THRESHOLDS + 1] = {0};

    *keys = (key_counts){0};
    for (size_t b = half; b < s->scores->blocks; b += HALVES) {
        const size_t first = b * width, n_q = s->problem->q->n;
        const size_t rows = n_q - first < width ? n_q - first : width;
        const size_t partial = kmv_leaf_scores_partial(s->problem, s->queries, s->keys, b);
        const size_t visible =
            kmv_leaf_scores_visible(s->scores, s->problem, s->queries, s->keys, b);
        const size_t whole = partial < leaves ? partial : leaves;
        const float *share = s->scores->share + b * s->scores->ld;

        for (size_t l = 0; l < whole; l++) {
            const int count = light_at(s->largest, share[l], s->asked);

            rows_at[count] += rows;
            prior2[(size_t)count * leaves + l] += (float)rows * share[l] * share[l];
        }
        keys->partial += (double)rows * (double)(visible > partial ? visible - partial : 0);
    }
    for (int t = 0; t <= THRESHOLDS; t++)
        keys->by_count[t] = (double)rows_at[t];
}

static kmv_status forecast_all(const survey *s, forecast *f, int threads, kmv_error *err)
{
    const size_t each = s->keys->each, room = (THRESHOLDS + 1) * s->keys->count;
    const double per_row = (double)each / (double)s->problem->q->n;
    key_counts keys[HALVES];
    double sum = 0;

    if ((f->prior2 = kmv_alloc(HALVES * room, sizeof(float), "shares of leaves", err)) == NULL)
        return KMV_ENOMEM;
#pragma omp parallel for num_threads(threads) schedule(static, 1)
    for (size_t half = 0; half < HALVES; half++)
        forecast_half(s, half, f->prior2 + half * room, keys + half);
    for (size_t m = 0; m < room; m++)
        f->prior2[m] += f->prior2[room + m];
    f->most = keys[0].partial + keys[1].partial;
    for (int t = 0; t <= THRESHOLDS; t++)
        f->most += keys[0].by_count[t] + keys[1].by_count[t];
    f->most *= per_row;
    for (int t = 0; t < THRESHOLDS; t++) {
        /* Light at no more than t thresholds: visited at number t. */
        sum += keys[0].by_count[t] + keys[1].by_count[t];
        f->visited[t] = (sum + keys[0].partial + keys[1].partial) * per_row;
    }
    return KMV_OK;
}

/* What is light at threshold t: everything light at more than t. Adds the last of it, for one leaf
 * in `stride`, whose columns stand one after the other. Returns how many columns these are. */
static size_t add_light(const survey *s, const forecast *f, int t, size_t stride,
                        kmv_leaf_plan *plan)
{
    const size_t leaves = s->keys->count, each = s->keys->each, n_k = s->problem->k->n;
    const double n_q = (double)s->problem->q->n;
    size_t used = 0;

    for (size_t l = 0; l < leaves; l += stride) {
        const size_t first = l * each, count = n_k - first < each ? n_k - first : each;
        const float add = f->prior2[(size_t)(t + 1) * leaves + l] / (float)(each * each);
        float *prior2 = plan->prior2 + used;

        for (size_t h = 0; h < HALVES; h++) {
            const float *sums = s->sums + (h * THRESHOLDS + (size_t)t) * s->n + first;
            const float scale = (float)(n_q / (double)s->surveyed[h]);
            float *c2 = plan->c2[h] + used;

#pragma omp simd
            for (size_t j = 0; j < count; j++)
                c2[j] += scale * sums[j];
        }
#pragma omp simd
        for (size_t j = 0; j < count; j++)
            prior2[j] += add;
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

/* Those of one leaf in `stride`, one after the other. */
static void pick_seen(const survey *s, size_t stride, const float *seen, float *out)
{
    const size_t each = s->keys->each, n_k = s->problem->k->n;

    for (size_t first = 0; first < n_k; first += stride * each) {
        const size_t count = n_k - first < each ? n_k - first : each;

        memcpy(out, seen + first, count * sizeof *out);
        out += count;
    }
}

/* From the smallest threshold up, fewer leaves visited each time, until pairs grow again. room:
 * KMV_LEAF_PLAN_ROOM + 1 times n_k. */
static int best_threshold(const survey *s, const forecast *f, double eps, kmv_leaf_plan *plan,
                          float *room, double *doubt)
{
    const size_t n_k = s->problem->k->n;
    /* Values of square 1, for every head. */
    const double target = eps * eps * (double)n_k * (double)kmv_problem_heads(s->problem);
    const size_t stride = kmv_leaf_plan_stride(n_k);
    double least = INFINITY, guess = 0;
    int best = THRESHOLDS - 1, worse = 0;

    clear_light(plan, n_k);
    if (plan->seen != NULL)
        pick_seen(s, stride, plan->seen, room + KMV_LEAF_PLAN_ROOM * n_k);
    for (int t = THRESHOLDS - 1; t >= 0 && worse < 2; t--) {
        const size_t n = add_light(s, f, t, stride, plan);
        kmv_leaf_sample x = sample_of(plan, n, room);
        double keys, pairs, error;

        x.stride = (double)stride;
        x.seen = plan->seen != NULL ? room + KMV_LEAF_PLAN_ROOM * n_k : NULL;
        kmv_leaf_sample_set(&x);
        guess = kmv_leaf_sample_size(&x, target, guess, NEAR, &error);
        keys = kmv_leaf_sample_keys(&x, guess);
        pairs = f->visited[t] + keys;
        worse = pairs <= least ? 0 : worse + 1; /* equal: no leaf is that small */
        if (pairs < least) {
            least = pairs;
            best = t;
            plan->sampled = keys;
            *doubt = error;
        }
    }
    plan->all = !(least <= ALL_ABOVE * f->most);
    return best;
}

/* By column, the share of the rows that see it, under a mask; no less than LEAST_SEEN. */
static kmv_status count_seen(const kmv_problem *problem, float **out, kmv_error *err)
{
    const size_t n_k = problem->k->n, rows = problem->q->n / kmv_problem_heads(problem);
    float *seen;

    if (!problem->causal)
        return KMV_OK;
    if ((seen = kmv_alloc_raw(n_k, sizeof *seen, "rows that see a column", err)) == NULL)
        return KMV_ENOMEM;
    for (size_t i = 0, j = 0; i < rows; i++) {
        for (; j < kmv_problem_sees(problem, i); j++)
            seen[j] = fmaxf((float)(rows - i) / (float)rows, LEAST_SEEN);
    }
    *out = seen;
    return KMV_OK;
}

static kmv_status make_survey(survey *s, kmv_leaf_set *pilot, size_t rows, int threads,
                              kmv_error *err)
{
    const kmv_attend_unit *u = &s->keys->unit;
    const kmv_status st =
        kmv_leaf_set_init(pilot, u, 0, s->queries->parts, rows, s->queries->d, err);

    if (st != KMV_OK)
        return st;
    s->rows = kmv_alloc_raw(rows, sizeof *s->rows, "pilot rows", err);
    s->sums = kmv_alloc_raw(HALVES * THRESHOLDS, s->n * sizeof(float), "sums of pilot rows", err);
    s->room = kmv_alloc_raw((size_t)threads * u->rows, s->ld * sizeof(float), "pilot entries", err);
    return s->rows == NULL || s->sums == NULL || s->room == NULL ? KMV_ENOMEM : KMV_OK;
}

/* `count` rows more. */
static kmv_status add_rows(survey *s, kmv_leaf_set *pilot, const kmv_leaf_frame *frame,
                           size_t count, int threads, uint64_t key, kmv_cost *cost, kmv_error *err)
{
    const size_t width = s->queries->each, room = s->keys->unit.rows * s->ld;
    const int first = s->surveyed[0] == 0;
    double pairs = 0;
    kmv_status st = choose_rows(s, count, key, err);

    if (st != KMV_OK)
        return st;
    kmv_leaf_set_pack(pilot, frame, s->problem->q, s->rows, count, threads, cost);
#pragma omp parallel for num_threads(threads) schedule(dynamic, 1) reduction(+ : pairs)
    for (size_t half = 0; half < HALVES; half++) {
        if (first)
            memset(s->sums + half * THRESHOLDS * s->n, 0, THRESHOLDS * s->n * sizeof(float));
        for (size_t g = half; g < pilot->count; g += HALVES) {
            pairs += survey_group(s, g, s->room + (size_t)omp_get_thread_num() * room);
            s->surveyed[half] += count - g * width < width ? count - g * width : width;
        }
    }
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
    kmv_leaf_plan out = {0};
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
    float *room = NULL;
    double doubt = 0;
    int t = 0;
    kmv_status st = KMV_ENOMEM;

    s.ld = s.n + ROW_PAD;
    if ((out.c2[0] = kmv_alloc(n_k, sizeof(float), "column norms", err)) == NULL ||
        (out.c2[1] = kmv_alloc(n_k, sizeof(float), "column norms", err)) == NULL ||
        (out.prior2 = kmv_alloc(n_k, sizeof(float), "column norms", err)) == NULL ||
        (room = kmv_alloc_raw((KMV_LEAF_PLAN_ROOM + 1) * n_k, sizeof *room, "scores of columns",
                              err)) == NULL)
        goto out;
    if ((st = count_seen(problem, &out.seen, err)) != KMV_OK ||
        (st = make_survey(&s, &pilot, rows, threads, err)) != KMV_OK ||
        (st = forecast_all(&s, &f, threads, err)) != KMV_OK)
        goto out;
    for (uint64_t part = 0; part == 0 || (part < PARTS && doubt > DOUBT); part++) {
        if ((st = add_rows(&s, &pilot, frame, rows, threads,
                           part == 0 ? key : kmv_stream_key(key, "more rows", part), cost, err)) !=
            KMV_OK)
            goto out;
        out.rows += rows;
        if (problem->matrix == KMV_SOFTMAX)
            out.per_row = (float)out.rows / HALVES / (float)problem->q->n;
        if (least_share == 0)
            t = best_threshold(&s, &f, eps, &out, room, &doubt);
        if (problem->matrix == KMV_GAUSS)
            break;
    }
    clear_light(&out, n_k);
    for (int m = THRESHOLDS - 1; m >= t; m--)
        add_light(&s, &f, m, 1, &out);
    out.least_share = least_share > 0 ? least_share : (double)threshold(s.largest, t);
    out.heavy = out.all ? f.most : f.visited[t];
    *plan = out;
    out = (kmv_leaf_plan){0};
out:
    kmv_free(f.prior2);
    kmv_free(room);
    kmv_free(s.room);
    kmv_free(s.sums);
    kmv_free(s.rows);
    kmv_leaf_set_clear(&pilot);
    kmv_leaf_plan_clear(&out);
    return st;
}

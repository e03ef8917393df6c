/* algo/leaf_survey.c - see leaf_survey.h. */
#include "algo/leaf_survey.h"

#include <gsl/gsl_rng.h>
#include <math.h>
#include <omp.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"

enum {
    SHIFT = 23,   /* to a float's exponent: thresholds are an octave apart */
    ROW_PAD = 16, /* else the rows of a block would meet in one set of the cache */
    THRESHOLDS = KMV_LEAF_THRESHOLDS,
    HALVES = KMV_LEAF_HALVES
};

static const float LARGEST_SHARE = 0.25f, LARGEST_MASS = 4; /* softmax; gauss */

static int code_of(float share)
{
    int bits;

    memcpy(&bits, &share, sizeof bits);
    return bits >> SHIFT;
}

double kmv_leaf_survey_threshold(const kmv_leaf_survey *s, int t)
{
    const int bits = (code_of(s->largest) - t) << SHIFT;
    float value;

    memcpy(&value, &bits, sizeof value);
    return s->asked > 0 ? s->asked : (double)value;
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

/* ---- counts and predicted shares ------------------------------------------------------------- */

/* Keys of whole leaves by the number of thresholds at which the leaf is light, times rows; those of
 * partial leaves. */
typedef struct {
    double by_count[THRESHOLDS + 1], partial;
} key_counts;

/* Blocks of one half, every second one. */
static void forecast_half(const kmv_leaf_survey *s, size_t half, float *prior2, key_counts *keys)
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

static kmv_status forecast_all(kmv_leaf_survey *s, int threads, kmv_error *err)
{
    const size_t each = s->keys->each, room = (THRESHOLDS + 1) * s->keys->count;
    const double per_row = (double)each / (double)s->problem->q->n;
    key_counts keys[HALVES];
    double sum = 0;

    if ((s->prior2 = kmv_alloc(HALVES * room, sizeof(float), "shares of leaves", err)) == NULL)
        return KMV_ENOMEM;
#pragma omp parallel for num_threads(threads) schedule(static, 1)
    for (size_t half = 0; half < HALVES; half++)
        forecast_half(s, half, s->prior2 + half * room, keys + half);
    for (size_t m = 0; m < room; m++)
        s->prior2[m] += s->prior2[room + m];
    s->most = keys[0].partial + keys[1].partial;
    for (int t = 0; t <= THRESHOLDS; t++)
        s->most += keys[0].by_count[t] + keys[1].by_count[t];
    s->most *= per_row;
    for (int t = 0; t < THRESHOLDS; t++) {
        /* Light at no more than t thresholds: visited at number t. */
        sum += keys[0].by_count[t] + keys[1].by_count[t];
        s->visited[t] = (sum + keys[0].partial + keys[1].partial) * per_row;
    }
    return KMV_OK;
}

size_t kmv_leaf_survey_add_light(const kmv_leaf_survey *s, int t, size_t stride, float *const c2[],
                                 float *prior2)
{
    const size_t leaves = s->keys->count, each = s->keys->each, n_k = s->problem->k->n;
    const double n_q = (double)s->problem->q->n;
    size_t used = 0;

    for (size_t l = 0; l < leaves; l += stride) {
        const size_t first = l * each, count = n_k - first < each ? n_k - first : each;
        const float add = s->prior2[(size_t)(t + 1) * leaves + l] / (float)(each * each);
        float *to = prior2 + used;

        for (size_t h = 0; h < HALVES; h++) {
            const float *sums = s->sums + (h * THRESHOLDS + (size_t)t) * s->n + first;
            const float scale = (float)(n_q / (double)s->surveyed[h]);
            float *out = c2[h] + used;

#pragma omp simd
            for (size_t j = 0; j < count; j++)
                out[j] += scale * sums[j];
        }
#pragma omp simd
        for (size_t j = 0; j < count; j++)
            to[j] += add;
        used += count;
    }
    return used;
}

/* ---- pilot ----------------------------------------------------------------------------------- */

/* entries: of the row, their sum is `total`. */
static void survey_row(const kmv_leaf_survey *s, size_t row, const float *entries, float total,
                       float *sums)
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
static double survey_group(const kmv_leaf_survey *s, size_t group, float *e)
{
    const kmv_attend_unit *u = &s->keys->unit;
    const size_t first = group * u->rows, left = s->pilot.n - first;
    const size_t rows = left < u->rows ? left : u->rows;
    size_t most = 0, leaves;
    float *sums = s->sums + group % HALVES * THRESHOLDS * s->n;

    for (size_t i = 0; i < rows; i++) {
        const size_t seen = kmv_leaf_seen(s->problem, s->rows[first + i]);

        most = seen > most ? seen : most;
    }
    leaves = (most + s->keys->each - 1) / s->keys->each;
    u->exponents(u, s->pilot.data + group * s->pilot.size, s->pilot.offset + first, s->keys->data,
                 s->keys->offset, leaves, s->keys->d, s->keys->parts, e, s->ld);
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

/* One row of each of so many equal parts. Two groups share a band of them in turns, so that either
 * half of the pilot sees all of the matrix, and the rows of a group end near each other where they
 * are masked. */
static kmv_status choose_rows(kmv_leaf_survey *s, uint64_t key, kmv_error *err)
{
    const size_t count = s->capacity, n_q = s->problem->q->n, width = s->queries->each,
                 band = 2 * width;
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

kmv_status kmv_leaf_survey_create(kmv_leaf_survey *out, const kmv_problem *problem,
                                  const kmv_leaf_frame *frame, const kmv_leaf_set *keys,
                                  const kmv_leaf_set *queries, const kmv_leaf_scores *scores,
                                  double asked, size_t capacity, int threads, kmv_error *err)
{
    const kmv_attend_unit *u = &keys->unit;
    kmv_leaf_survey s = {.problem = problem,
                         .keys = keys,
                         .queries = queries,
                         .scores = scores,
                         .frame = frame,
                         .largest = problem->matrix == KMV_GAUSS ? LARGEST_MASS : LARGEST_SHARE,
                         .asked = asked,
                         .n = keys->count * keys->each,
                         .capacity = capacity};
    kmv_status st;

    s.ld = s.n + ROW_PAD;
    if ((st = kmv_leaf_set_init(&s.pilot, u, 0, queries->parts, capacity, queries->d, err)) !=
            KMV_OK ||
        (st = forecast_all(&s, threads, err)) != KMV_OK)
        goto out;
    s.rows = kmv_alloc_raw(capacity, sizeof *s.rows, "pilot rows", err);
    s.sums = kmv_alloc_raw(HALVES * THRESHOLDS, s.n * sizeof(float), "sums of pilot rows", err);
    s.room = kmv_alloc_raw((size_t)threads * u->rows, s.ld * sizeof(float), "pilot entries", err);
    if (s.rows == NULL || s.sums == NULL || s.room == NULL) {
        st = KMV_ENOMEM;
        goto out;
    }
    *out = s;
    s = (kmv_leaf_survey){0};
out:
    kmv_leaf_survey_clear(&s);
    return st;
}

kmv_status kmv_leaf_survey_add_rows(kmv_leaf_survey *s, int threads, uint64_t key, kmv_cost *cost,
                                    kmv_error *err)
{
    const size_t width = s->queries->each, count = s->capacity;
    const size_t room = s->keys->unit.rows * s->ld;
    const int first = s->surveyed[0] == 0;
    double pairs = 0;
    kmv_status st = choose_rows(s, key, err);

    if (st != KMV_OK)
        return st;
    kmv_leaf_set_pack(&s->pilot, s->frame, s->problem->q, s->rows, count, threads, cost);
#pragma omp parallel for num_threads(threads) schedule(dynamic, 1) reduction(+ : pairs)
    for (size_t half = 0; half < HALVES; half++) {
        if (first)
            memset(s->sums + half * THRESHOLDS * s->n, 0, THRESHOLDS * s->n * sizeof(float));
        for (size_t g = half; g < s->pilot.count; g += HALVES) {
            pairs += survey_group(s, g, s->room + (size_t)omp_get_thread_num() * room);
            s->surveyed[half] += count - g * width < width ? count - g * width : width;
        }
    }
    cost->pairs += pairs;
    cost->flops += 2 * pairs * (double)(s->keys->d + 1);
    return KMV_OK;
}

void kmv_leaf_survey_finish(kmv_leaf_survey *s)
{
    kmv_free(s->rows);
    kmv_free(s->room);
    kmv_leaf_set_clear(&s->pilot);
    s->rows = NULL;
    s->room = NULL;
}

void kmv_leaf_survey_clear(kmv_leaf_survey *s)
{
    kmv_leaf_survey_finish(s);
    kmv_free(s->sums);
    kmv_free(s->prior2);
    *s = (kmv_leaf_survey){0};
}

/* algo/leaf_plan.c - see leaf_plan.h. */
#include "algo/leaf_plan.h"

#include <math.h>
#include <string.h>

#include "algo/leaf_sample.h"
#include "base/mem.h"
#include "base/rng.h"

enum {
    PARTS = 2, /* of a pilot: softmax, whose rows come in as many again while what they say of the
                  error stays in doubt */
    LEAF_STRIDE = 4,  /* leaves looked at while comparing thresholds: one in so many at the most */
    LOOKED_AT = 2048, /* columns at the least, where there are so many */
    THRESHOLDS = KMV_LEAF_THRESHOLDS
};

static const float LEAST_SEEN = 1.0f / 64; /* of the rows; columns that fewer see are as cheap */
static const double DOUBT = 0.1;           /* largest standard error of V, over V */
static const double CLOSE = 0.01,
                    NEAR = 0.05;     /* numbers of samples that are the same; as good as */
static const double ALL_ABOVE = 0.7; /* of all pairs: a plan that needs as many visits everything */

/* Of the sample: what another threshold must cost less than, in keys visited, to be looked at for
 * the values at hand. */
static const double WORTH = 0.6;

void kmv_leaf_plan_clear(kmv_leaf_plan *plan)
{
    kmv_leaf_survey_clear(&plan->survey);
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

static void clear_light(kmv_leaf_plan *plan, size_t n_k)
{
    memset(plan->c2[0], 0, n_k * sizeof(float));
    memset(plan->c2[1], 0, n_k * sizeof(float));
    memset(plan->prior2, 0, n_k * sizeof(float));
}

/* What is light at threshold t, of all columns. */
static void set_light(kmv_leaf_plan *plan, int t)
{
    clear_light(plan, plan->survey.problem->k->n);
    for (int m = THRESHOLDS - 1; m >= t; m--)
        kmv_leaf_survey_add_light(&plan->survey, m, 1, plan->c2, plan->prior2);
}

/* ---- a product ------------------------------------------------------------------------------- */

/* What is known of the best threshold so far for the values of x. */
typedef struct {
    int threshold;
    double keys, sampled, m;
} fitted;

/* Visited and sampled keys a row at threshold t; sets x's scores. Infinite where so many columns
 * would be drawn that every key is computed instead. */
static fitted at_threshold(kmv_leaf_plan *plan, int t, const kmv_leaf_sample *x, double target,
                           double guess)
{
    kmv_leaf_sample all_rows = *x;
    fitted f = {.threshold = t};
    double doubt;

    set_light(plan, t);
    kmv_leaf_sample_set(x);
    f.m = kmv_leaf_sample_size(x, target, guess, CLOSE, &doubt);
    f.sampled = kmv_leaf_sample_keys(x, f.m);
    all_rows.seen = NULL;
    if (!(kmv_leaf_sample_keys(&all_rows, f.m) <= KMV_LEAF_PLAN_DRAWN * (double)x->n))
        f.sampled = INFINITY;
    f.keys = plan->survey.visited[t] + f.sampled;
    return f;
}

/* Thresholds one after the other, as long as they need fewer keys and may save enough. last: the
 * one that x's scores are of. */
static void walk(kmv_leaf_plan *plan, int step, const kmv_leaf_sample *x, double target,
                 fitted *best, int *last)
{
    const double *visited = plan->survey.visited;

    for (int t = best->threshold + step; t >= 0 && t < THRESHOLDS; t += step) {
        const double moved = fabs(visited[t] - visited[best->threshold]);
        fitted next;

        if (moved == 0) /* no leaf is between the two */
            continue;
        if (step > 0 ? !(moved < WORTH * best->sampled) : !(WORTH * moved > best->sampled))
            break;
        next = at_threshold(plan, t, x, target, best->m);
        *last = t;
        if (!(next.keys < best->keys))
            break;
        *best = next;
    }
}

/* From the planned threshold on, down, else up, to a better one for the values at hand: the pilot
 * planned for values of equal size. */
static fitted fit_threshold(kmv_leaf_plan *plan, const kmv_leaf_sample *x, double target)
{
    fitted best = at_threshold(plan, plan->planned, x, target, plan->sampled);
    int last = best.threshold;

    if (plan->survey.asked == 0)
        walk(plan, 1, x, target, &best, &last);
    if (plan->survey.asked == 0 && best.threshold == plan->planned)
        walk(plan, -1, x, target, &best, &last);
    if (last != best.threshold) {
        set_light(plan, best.threshold);
        kmv_leaf_sample_set(x);
    }
    return best;
}

double kmv_leaf_plan_probabilities(kmv_leaf_plan *plan, const float *value2, double target,
                                   float *room, float *p)
{
    const size_t n = plan->survey.problem->k->n;
    kmv_leaf_sample x = sample_of(plan, n, room);
    fitted best;
    double sum = 0;

    x.value2 = value2;
    best = fit_threshold(plan, &x, target);
    plan->least_share = kmv_leaf_survey_threshold(&plan->survey, best.threshold);
    plan->heavy = plan->survey.visited[best.threshold];
    for (size_t j = 0; j < n; j++) {
        const double wanted = best.m * (double)x.s[2][j];

        p[j] = wanted < 1 ? (float)wanted : 1;
        sum += (double)p[j];
    }
    return sum;
}

/* ---- preparation ----------------------------------------------------------------------------- */

/* Those of one leaf in `stride`, one after the other. */
static void pick_seen(const kmv_leaf_survey *s, size_t stride, const float *seen, float *out)
{
    const size_t each = s->keys->each, n_k = s->problem->k->n;

    for (size_t first = 0; first < n_k; first += stride * each) {
        const size_t count = n_k - first < each ? n_k - first : each;

        memcpy(out, seen + first, count * sizeof *out);
        out += count;
    }
}

/* From the smallest threshold up, fewer leaves visited each time, until keys grow again. room:
 * KMV_LEAF_PLAN_ROOM + 1 times n_k. */
static int best_threshold(kmv_leaf_plan *plan, double eps, float *room, double *doubt)
{
    const kmv_leaf_survey *s = &plan->survey;
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
        const size_t n = kmv_leaf_survey_add_light(s, t, stride, plan->c2, plan->prior2);
        kmv_leaf_sample x = sample_of(plan, n, room);
        double sampled, keys, error;

        x.stride = (double)stride;
        x.seen = plan->seen != NULL ? room + KMV_LEAF_PLAN_ROOM * n_k : NULL;
        kmv_leaf_sample_set(&x);
        guess = kmv_leaf_sample_size(&x, target, guess, NEAR, &error);
        sampled = kmv_leaf_sample_keys(&x, guess);
        keys = s->visited[t] + sampled;
        worse = keys <= least ? 0 : worse + 1; /* equal: no leaf is that small */
        if (keys < least) {
            least = keys;
            best = t;
            plan->sampled = sampled;
            *doubt = error;
        }
    }
    plan->all = !(least <= ALL_ABOVE * s->most);
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

kmv_status kmv_leaf_plan_create(kmv_leaf_plan *plan, const kmv_problem *problem,
                                const kmv_leaf_frame *frame, const kmv_leaf_set *keys,
                                const kmv_leaf_set *queries, const kmv_leaf_scores *scores,
                                double eps, double least_share, size_t rows, int threads,
                                uint64_t key, kmv_cost *cost, kmv_error *err)
{
    const size_t n_k = problem->k->n;
    kmv_leaf_plan out = {0};
    float *room = NULL;
    double doubt = 0;
    kmv_status st = KMV_ENOMEM;

    if ((out.c2[0] = kmv_alloc(n_k, sizeof(float), "column norms", err)) == NULL ||
        (out.c2[1] = kmv_alloc(n_k, sizeof(float), "column norms", err)) == NULL ||
        (out.prior2 = kmv_alloc(n_k, sizeof(float), "column norms", err)) == NULL ||
        (room = kmv_alloc_raw((KMV_LEAF_PLAN_ROOM + 1) * n_k, sizeof *room, "scores of columns",
                              err)) == NULL)
        goto out;
    if ((st = count_seen(problem, &out.seen, err)) != KMV_OK ||
        (st = kmv_leaf_survey_create(&out.survey, problem, frame, keys, queries, scores,
                                     least_share, rows, threads, err)) != KMV_OK)
        goto out;
    for (uint64_t part = 0; part == 0 || (part < PARTS && doubt > DOUBT); part++) {
        if ((st = kmv_leaf_survey_add_rows(&out.survey, threads,
                                           part == 0 ? key : kmv_stream_key(key, "more rows", part),
                                           cost, err)) != KMV_OK)
            goto out;
        out.rows += rows;
        if (problem->matrix == KMV_SOFTMAX)
            out.per_row = (float)out.rows / KMV_LEAF_HALVES / (float)problem->q->n;
        if (least_share == 0)
            out.planned = best_threshold(&out, eps, room, &doubt);
        if (problem->matrix == KMV_GAUSS)
            break;
    }
    kmv_leaf_survey_finish(&out.survey);
    set_light(&out, out.planned);
    out.least_share = kmv_leaf_survey_threshold(&out.survey, out.planned);
    out.heavy = out.all ? out.survey.most : out.survey.visited[out.planned];
    if (out.all) /* no product will ask */
        kmv_leaf_survey_clear(&out.survey);
    *plan = out;
    out = (kmv_leaf_plan){0};
out:
    kmv_free(room);
    kmv_leaf_plan_clear(&out);
    return st;
}

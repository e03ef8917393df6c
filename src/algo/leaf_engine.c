/* algo/leaf_engine.c - see leaf_engine.h; docs/attention.md has the error analysis. */
#include "algo/leaf_engine.h"

#include <gsl/gsl_rng.h>
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <string.h>

#include "algo/pilot.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/status.h"
#include "gauss/leaf_product.h"
#include "gauss/pack.h"
#include "gauss/softmax.h"

enum {
    PILOT_ROWS = 192,
    FEW_QUERIES = 512, /* below, a pilot costs more than it can save */
    FEW_KEYS = 1024,
    LEAST_SAMPLES = 128, /* fewer save little, and the error of few spreads widely */
};

/* What the root mean square error stays below eps by. Rows share a sample, so that the error of one
 * product spreads about it the more, the fewer columns there are to average over; gauss: rows are
 * no averages either. */
static const double SAFETY = 1.07, A_COLUMN = 1, GAUSS_SAFETY = 1.5;

/* Base-2 exponents, and the share of rows that may exceed them, up to which one part will do. */
static const float FAR_SOFTMAX = 128, FAR_GAUSS = 512;
static const double FAR_SHARE = 0.01;

/* Room of one thread. */
typedef struct {
    kmv_leaf_sums sums;
    uint32_t *list, *sample_list;
    float *offsets;
    unsigned char *visited; /* by leaf: whether the block visits it */
} thread_room;

struct kmv_leaf_engine {
    const kmv_problem *problem;
    const kmv_leaf_options *options;
    int threads, parts;
    double rms;              /* error aimed at */
    kmv_leaf_product *whole; /* softmax: computes the product where every leaf is visited */
    kmv_leaf_frame frame;
    kmv_leaf_set queries, keys, sample;
    kmv_leaf_values values, sample_values;
    kmv_leaf_scores scores;
    kmv_leaf_plan plan;
    gsl_rng *rng;
    float *score, *p;     /* room for scores; probabilities */
    double *mean;         /* r */
    size_t *drawn, most;  /* sampled keys, how many may be */
    uint32_t *drawn_leaf; /* the leaf that each lies in */
    thread_room *rooms;
    char *text, plan_text[160];
    size_t text_size;
};

/* ---- preparation ----------------------------------------------------------------------------- */

static void destroy_rooms(kmv_leaf_engine *a)
{
    for (int t = 0; a->rooms != NULL && t < a->threads; t++) {
        kmv_leaf_sums_clear(&a->rooms[t].sums);
        kmv_free(a->rooms[t].list);
        kmv_free(a->rooms[t].offsets);
        kmv_free(a->rooms[t].visited);
    }
    kmv_free(a->rooms);
}

void kmv_leaf_engine_destroy(kmv_leaf_engine *a)
{
    if (a == NULL)
        return;
    destroy_rooms(a);
    kmv_leaf_product_destroy(a->whole);
    kmv_leaf_frame_clear(&a->frame);
    kmv_leaf_set_clear(&a->queries);
    kmv_leaf_set_clear(&a->keys);
    kmv_leaf_set_clear(&a->sample);
    kmv_leaf_values_clear(&a->values);
    kmv_leaf_values_clear(&a->sample_values);
    kmv_leaf_scores_clear(&a->scores);
    kmv_leaf_plan_clear(&a->plan);
    if (a->rng != NULL)
        gsl_rng_free(a->rng);
    kmv_free(a->score);
    kmv_free(a->p);
    kmv_free(a->mean);
    kmv_free(a->drawn);
    kmv_free(a->drawn_leaf);
    kmv_free(a);
}

int kmv_leaf_engine_too_large(const kmv_problem *problem, const kmv_tile *tile)
{
    const double n_q = (double)problem->q->n, n_k = (double)problem->k->n;
    const kmv_attend_unit u = kmv_attend_unit_of(tile, problem->q->d);

    return n_q * n_k / (double)(u.rows * u.keys) > 3 * (n_q + n_k) * (double)problem->q->d;
}

const kmv_leaf_plan *kmv_leaf_engine_plan(const kmv_leaf_engine *a)
{
    return &a->plan;
}

int kmv_leaf_engine_parts(const kmv_leaf_engine *a)
{
    return a->parts;
}

static kmv_status make_rooms(kmv_leaf_engine *a, kmv_error *err)
{
    kmv_status st;

    if ((a->rooms = kmv_alloc((size_t)a->threads, sizeof *a->rooms, "room of threads", err)) ==
        NULL)
        return KMV_ENOMEM;
    for (int t = 0; t < a->threads; t++) {
        thread_room *room = a->rooms + t;

        if ((st = kmv_leaf_sums_init(&room->sums, &a->queries.unit, a->values.ld, err)) != KMV_OK)
            return st;
        room->list = kmv_alloc(a->keys.count + a->most, sizeof *room->list, "lists of leaves", err);
        room->offsets = kmv_alloc(a->most + a->keys.each, sizeof *room->offsets, "offsets", err);
        room->visited = kmv_alloc(a->keys.count, 1, "marks of leaves", err);
        if (room->list == NULL || room->offsets == NULL || room->visited == NULL)
            return KMV_ENOMEM;
        room->sample_list = room->list + a->keys.count;
    }
    return KMV_OK;
}

/* What a product needs beside the packed points. */
static kmv_status make_room(kmv_leaf_engine *a, size_t r, kmv_error *err)
{
    const kmv_attend_unit *u = &a->queries.unit;
    const size_t n = a->problem->k->n, d = a->problem->q->d;
    const int parts = a->parts;
    kmv_status st;

    a->most = a->plan.all ? 0 : (size_t)(KMV_LEAF_PLAN_DRAWN * (double)n);
    if ((st = kmv_leaf_values_init(&a->values, u, parts, n, r, err)) != KMV_OK ||
        (st = kmv_leaf_values_init(&a->sample_values, u, parts, a->most, r, err)) != KMV_OK ||
        (st = kmv_leaf_set_init(&a->sample, u, 1, parts, a->most, d, err)) != KMV_OK)
        return st;
    a->score = kmv_alloc(KMV_LEAF_PLAN_ROOM * n, sizeof *a->score, "scores of columns", err);
    a->p = kmv_alloc(n, sizeof *a->p, "probabilities", err);
    a->mean = kmv_alloc(r, sizeof *a->mean, "mean of values", err);
    a->drawn = kmv_alloc(a->most + 1, sizeof *a->drawn, "sampled columns", err);
    a->drawn_leaf = kmv_alloc(a->most + 1, sizeof *a->drawn_leaf, "sampled columns", err);
    if (a->score == NULL || a->p == NULL || a->mean == NULL || a->drawn == NULL ||
        a->drawn_leaf == NULL || (a->rng = kmv_rng_create(1, err)) == NULL)
        return KMV_ENOMEM;
    return make_rooms(a, err);
}

static int parts_for(const kmv_leaf_engine *a, const kmv_attend_unit *unit, double eps)
{
    if (!unit->rounds)
        return 1;
    if (a->options->parts > 0)
        return a->options->parts;
    return eps >= KMV_LEAF_ONE_PART_EPS ? 1 : 2;
}

static void clear_points(kmv_leaf_engine *a)
{
    kmv_leaf_set_clear(&a->queries);
    kmv_leaf_set_clear(&a->keys);
    kmv_leaf_scores_clear(&a->scores);
}

/* Pack the points in so many parts, and score. */
static kmv_status pack_points(kmv_leaf_engine *a, const kmv_attend_unit *unit, int parts,
                              kmv_cost *cost, kmv_error *err)
{
    const kmv_problem *p = a->problem;
    kmv_status st;

    a->parts = parts;
    clear_points(a);
    if ((st = kmv_leaf_set_init(&a->queries, unit, 0, parts, p->q->n, p->q->d, err)) != KMV_OK ||
        (st = kmv_leaf_set_init(&a->keys, unit, 1, parts, p->k->n, p->q->d, err)) != KMV_OK)
        return st;
    kmv_leaf_set_pack(&a->queries, &a->frame, p->q, NULL, p->q->n, a->threads, cost);
    kmv_leaf_set_pack(&a->keys, &a->frame, p->k, NULL, p->k->n, a->threads, cost);
    return kmv_leaf_scores_create(&a->scores, p, &a->frame, &a->queries, &a->keys, a->threads, cost,
                                  err);
}

/* Share of the rows whose exponents are so large that rounding to one part would change entries by
 * more than some per cent: the largest centroid exponent stands for a row's; for gauss, where
 * rounding acts on differences, the distance from the centre. */
static double far_rows(const kmv_leaf_engine *a)
{
    const int gauss = a->problem->matrix == KMV_GAUSS;
    const float *size = gauss ? a->queries.offset : a->scores.top;
    size_t far = 0;

    for (size_t i = 0; i < a->queries.n; i++)
        far += !(fabsf(size[i]) <= (gauss ? FAR_GAUSS : FAR_SOFTMAX));
    return (double)far / (double)a->queries.n;
}

/* Few points are not planned for. */
static int few_points(const kmv_problem *problem)
{
    return problem->q->n < FEW_QUERIES || problem->k->n < FEW_KEYS;
}

/* Points packed as precisely as eps and the size of exponents ask. */
static kmv_status prepare_points(kmv_leaf_engine *a, const kmv_prepare_context *context,
                                 kmv_error *err)
{
    const kmv_attend_unit unit = kmv_attend_unit_of(context->tile, a->problem->q->d);
    const int parts = parts_for(a, &unit, context->settings->eps);
    kmv_status st = kmv_leaf_frame_init(&a->frame, a->problem, err);

    if (st == KMV_OK)
        st = pack_points(a, &unit, parts, context->cost, err);
    if (st == KMV_OK && unit.rounds && a->options->parts == 0 && parts == 1 &&
        !(far_rows(a) <= FAR_SHARE))
        st = pack_points(a, &unit, 2, context->cost, err);
    return st;
}

static kmv_status make_plan(kmv_leaf_engine *a, uint64_t key, kmv_cost *cost, kmv_error *err)
{
    const kmv_leaf_options *o = a->options;
    const size_t n_q = a->problem->q->n, width = a->queries.each;
    size_t rows = o->pilot > 0 ? o->pilot : PILOT_ROWS < n_q / 16 ? PILOT_ROWS : n_q / 16;

    if (few_points(a->problem)) {
        a->plan.all = 1;
        return KMV_OK;
    }
    rows = rows > n_q ? n_q : rows < 2 * width ? 2 * width : rows;
    return kmv_leaf_plan_create(&a->plan, a->problem, &a->frame, &a->keys, &a->queries, &a->scores,
                                a->rms, o->least_share, rows, a->threads, key, cost, err);
}

/* Where every leaf is visited, chunks of keys that stay in L2 while all blocks pass are a sixth
 * faster than blocks that pass over all keys; packing them again is little beside that. */
static kmv_status take_whole(kmv_leaf_engine *a, const kmv_prepare_context *context, kmv_error *err)
{
    const size_t n_q = a->problem->q->n;
    kmv_status st;

    clear_points(a);
    if ((st =
             kmv_leaf_product_create(a->problem, context->tile, a->parts, n_q, context->settings->r,
                                     a->threads, &a->whole, context->cost, err)) == KMV_OK)
        kmv_leaf_product_queries(a->whole, NULL, n_q, context->cost);
    return st;
}

static void describe(kmv_leaf_engine *a)
{
    const kmv_leaf_plan *plan = &a->plan;
    const size_t n_k = a->problem->k->n;

    if (plan->all && plan->rows == 0)
        snprintf(a->plan_text, sizeof a->plan_text, "all keys: too few for a plan");
    else if (plan->all)
        snprintf(a->plan_text, sizeof a->plan_text,
                 "all keys: pilot of %zu rows says that little can be left out", plan->rows);
    else
        snprintf(a->plan_text, sizeof a->plan_text,
                 "%.0f of %zu keys a row in leaves with share >= %.3g, pilot of %zu rows",
                 plan->heavy, n_k, plan->least_share, plan->rows);
}

static double safety_of(const kmv_problem *problem, size_t r)
{
    return problem->matrix == KMV_GAUSS ? GAUSS_SAFETY : SAFETY * (1 + A_COLUMN / sqrt((double)r));
}

kmv_status kmv_leaf_engine_create(const kmv_problem *problem, const kmv_leaf_options *options,
                                  const kmv_prepare_context *context, kmv_leaf_engine **out,
                                  kmv_error *err)
{
    kmv_leaf_engine *a = kmv_alloc(1, sizeof *a, "state of attention", err);
    kmv_status st;

    if (a == NULL)
        return KMV_ENOMEM;
    a->problem = problem;
    a->options = options;
    a->threads = context->threads;
    a->rms = options->safety > 0
                 ? context->settings->eps / options->safety
                 : kmv_planned_eps(context->settings) / safety_of(problem, context->settings->r);
    a->text = context->text;
    a->text_size = context->text_size;
    a->plan.all = problem->matrix == KMV_SOFTMAX && few_points(problem);
    /* Few points cost little at full precision, and nobody looked how far off they are. */
    a->parts = options->parts > 0 ? options->parts : KMV_ATTEND_PARTS_MAX;
    if (!a->plan.all && ((st = prepare_points(a, context, err)) != KMV_OK ||
                         (st = make_plan(a, context->key, context->cost, err)) != KMV_OK))
        goto out;
    if ((st = a->plan.all && problem->matrix == KMV_SOFTMAX
                  ? take_whole(a, context, err)
                  : make_room(a, context->settings->r, err)) != KMV_OK)
        goto out;
    describe(a);
    snprintf(a->text, a->text_size, "leaves: %s", a->plan_text);
    *out = a;
    a = NULL;
out:
    kmv_leaf_engine_destroy(a);
    return st;
}

/* ---- sample ---------------------------------------------------------------------------------- */

/* Draw columns, systematically: with the probabilities laid end to end, those that hold a point of
 * a grid of unit step that begins anywhere. Each is drawn with its own probability, their number
 * hardly varies, and neighbours, which are often alike, are seldom drawn together. Returns how
 * many, or SIZE_MAX where so many are wanted that taking all is less work. */
static size_t draw(kmv_leaf_engine *a, const kmv_apply_context *context, double norm2,
                   double effort)
{
    const size_t n = a->problem->k->n;
    double sum = kmv_leaf_plan_probabilities(&a->plan, a->values.square, a->rms * a->rms * norm2,
                                             a->score, a->p);
    double factor = effort, end;
    size_t count = 0;

    if (a->options->samples > 0 && sum > 0)
        factor *= (double)a->options->samples / sum;
    else if (sum > 0 && sum < LEAST_SAMPLES)
        factor *= LEAST_SAMPLES / sum;
    kmv_rng_restart(a->rng, context->key);
    end = gsl_rng_uniform(a->rng);
    for (size_t j = 0; j < n; j++) {
        const double p = fmin(factor * (double)a->p[j], 1), begin = end;

        end += p;
        a->p[j] = (float)p;
        if (!(floor(end) > floor(begin)))
            continue;
        if (count == a->most)
            return SIZE_MAX;
        a->drawn[count++] = j;
    }
    return count;
}

/* Pack the drawn columns; the offset of each carries its weight 1 / p. */
static void pack_sample(kmv_leaf_engine *a, const kmv_apply_context *context, size_t count,
                        double unit)
{
    kmv_leaf_set_pack(&a->sample, &a->frame, a->problem->k, a->drawn, count, a->threads,
                      context->cost);
    kmv_leaf_values_pack(&a->sample_values, context->x, context->r, a->drawn, count, a->mean,
                         1 / unit, a->threads);
    for (size_t m = 0; m < count; m++) {
        a->sample.offset[m] -= log2f(a->p[a->drawn[m]]);
        a->drawn_leaf[m] = (uint32_t)(a->drawn[m] / a->keys.each);
    }
}

/* ---- product --------------------------------------------------------------------------------- */

/* Leaves the block visits; the others are marked as such. */
static size_t list_leaves(const kmv_leaf_engine *a, size_t block, int all, thread_room *room)
{
    const size_t partial = kmv_leaf_scores_partial(a->problem, &a->queries, &a->keys, block);
    const size_t visible =
        kmv_leaf_scores_visible(&a->scores, a->problem, &a->queries, &a->keys, block);
    size_t count = 0;

    for (size_t l = 0; l < visible; l++) {
        room->visited[l] =
            (unsigned char)(all || kmv_leaf_plan_visits(&a->plan, &a->scores, block, l, partial));
        room->list[count] = (uint32_t)l;
        count += room->visited[l];
    }
    memset(room->visited + visible, 1, a->keys.count - visible); /* masked: not sampled either */
    return count;
}

/* Sampled columns that lie in no leaf the block visits: their offsets, and the leaves of the sample
 * that hold any. */
static size_t list_sample(const kmv_leaf_engine *a, thread_room *room)
{
    const size_t each = a->keys.each;
    size_t count = 0;

    for (size_t s = 0; s < a->sample.count; s++) {
        float *offsets = room->offsets + count * each;
        int any = 0;

        for (size_t m = 0; m < each; m++) {
            const size_t slot = s * each + m;
            const int used = slot < a->sample.n && !room->visited[a->drawn_leaf[slot]];

            offsets[m] = used ? a->sample.offset[slot] : -INFINITY;
            any |= used;
        }
        room->sample_list[count] = (uint32_t)s;
        count += (size_t)any;
    }
    return count;
}

/* y of the rows of a block; returns whether all are numbers. Where no leaf was visited and no
 * column drawn (`nothing`), the mean of the values (gauss: 0) is all that is known. */
static int finish_rows(const kmv_leaf_engine *a, size_t block, const thread_room *room, int nothing,
                       double unit, const kmv_apply_context *context)
{
    const size_t first = block * a->queries.each, left = a->queries.n - first, r = context->r;
    const int gauss = a->problem->matrix == KMV_GAUSS;
    const kmv_leaf_sums *s = &room->sums;
    int good = 1;

    for (size_t i = 0; i < s->rows && i < left; i++) {
        const double factor = nothing ? 0 : gauss ? exp2((double)s->top[i]) : 1 / (double)s->sum[i];
        double *y = context->y + (first + i) * r;

        good &=
            nothing || (isfinite(s->sum[i]) &&
                        (gauss || (s->sum[i] > 0 && fabsf(s->top[i]) <= KMV_SOFTMAX_EXPONENT_MAX)));
        for (size_t c = 0; c < r; c++)
            y[c] = a->mean[c] + unit * (factor * (double)s->part[i * s->ld + c]);
    }
    return good;
}

/* Visited leaves and sampled columns; returns whether all of y are numbers. */
static int product(kmv_leaf_engine *a, double effort, kmv_apply_context *context)
{
    const int whole = a->plan.all || isinf(effort);
    size_t drawn;
    double unit, norm2, pairs = 0;
    int all, good = 1;

    if (a->problem->matrix == KMV_SOFTMAX)
        kmv_leaf_values_mean(context->x, a->problem->k->n, context->r, a->mean);
    norm2 = (double)kmv_problem_heads(a->problem) *
            kmv_leaf_values_take(&a->values, context->x, context->r, a->problem->k->n, a->mean,
                                 a->threads, &unit);
    drawn = whole ? SIZE_MAX : draw(a, context, norm2, effort);
    all = drawn == SIZE_MAX;

    if (!all)
        pack_sample(a, context, drawn, unit);
#pragma omp parallel for num_threads(a->threads) schedule(dynamic, 2) reduction(+ : pairs)         \
    reduction(min : good)
    for (size_t m = 0; m < a->queries.count; m++) {
        /* Causal blocks grow: the long ones first. */
        const size_t block = a->queries.count - 1 - m;
        thread_room *room = a->rooms + omp_get_thread_num();
        kmv_leaf_visit visits[2] = {{.keys = &a->keys,
                                     .values = &a->values,
                                     .list = room->list,
                                     .masked = a->problem->causal},
                                    {.keys = &a->sample,
                                     .values = &a->sample_values,
                                     .list = room->sample_list,
                                     .offsets = room->offsets}};

        visits[0].count = list_leaves(a, block, all, room);
        visits[1].count = all ? 0 : list_sample(a, room);
        memcpy(room->sums.top, a->scores.top + block * a->queries.each,
               a->queries.each * sizeof(float));
        pairs += kmv_leaf_block(a->problem, &a->queries, block, visits, 2, &room->sums);
        good &= finish_rows(a, block, room, visits[0].count + visits[1].count == 0, unit, context);
    }
    context->cost->pairs += pairs;
    context->cost->flops += 2 * pairs * (double)(a->problem->q->d + context->r) +
                            6.0 * (double)(a->problem->k->n * context->r);
    if (a->plan.all)
        snprintf(a->text, a->text_size, "leaves: %s", a->plan_text);
    else if (all)
        snprintf(a->text, a->text_size, "leaves: all keys, since the sample would be as large");
    else {
        describe(a);
        snprintf(a->text, a->text_size, "leaves: %s; %zu columns sampled", a->plan_text, drawn);
    }
    return good;
}

kmv_status kmv_leaf_engine_apply(kmv_leaf_engine *a, double effort, kmv_apply_context *context,
                                 kmv_error *err)
{
    const int good = a->whole != NULL ? kmv_leaf_product_apply(a->whole, context->x, context->r,
                                                               context->y, context->cost)
                                      : product(a, effort, context);

    if (!good)
        return kmv_fail(err, KMV_ENOTSUP, "leaves: exponents leave the range of float32");
    return KMV_OK;
}

/* algo/algo_window.c - the first keys and those around the query, all others left out.
 *
 *     y_i = sum over j in S_i of exp(l_ij) v_j / sum over j in S_i of exp(l_ij)
 *
 * S_i: `sinks` first keys and, causal, the `window` last ones that the query sees. Source:
 * StreamingLLM (Xiao, Tian, Chen, Han & Lewis, arXiv 2309.17453), which keeps 4 sinks and 1020 or
 * so recent tokens; it also renumbers positions inside of the cache, which belongs to the model and
 * not to the product, and is not done here. No guarantee in any norm: what the left out keys weigh
 * is not looked at.
 *
 * Ours: for full attention a window around the query (key_window.h). Panels that lie whole in the
 * range of all rows of some blocks go through the tiles of `exact`; of the others the exponents are
 * computed in a tile and each row takes its own. */
#include <math.h>
#include <omp.h>
#include <stdio.h>

#include "algo/algo.h"
#include "algo/key_window.h"
#include "algo/row_lists.h"
#include "base/mem.h"
#include "base/status.h"

enum {
    EDGE_PANELS = 4, /* kept of a row before they are added */
    GROUP_MAX = KMV_BLOCKS_MAX * KMV_ROWS_MAX
};

typedef struct {
    size_t sinks, window;
} opts;

static const kmv_option options[] = {
    {"sinks", KMV_OPT_SIZE, offsetof(opts, sinks), "4", 0, 1e9, "first keys that are always kept",
     NULL},
    {"window", KMV_OPT_SIZE, offsetof(opts, window), "1020", 1, 1e9,
     "keys kept at the query's place: causal the last ones, else around it", NULL},
    {0},
};

typedef struct {
    kmv_problem problem;
    kmv_key_window window;
    kmv_packed q, k;
    kmv_row_lists lists;
    kmv_softmax_space *space;
    kmv_softmax_sums sums;
    int threads;
} state;

static const char *reject(const kmv_problem *problem, const void *opt, size_t r)
{
    const opts *o = opt;
    const char *too_many = kmv_row_lists_reject(problem, opt, r);

    if (too_many != NULL)
        return too_many;
    return kmv_key_window_rejects(problem, (kmv_key_window){o->sinks, o->window});
}

static void destroy(void *s)
{
    state *st = s;

    if (st == NULL)
        return;
    kmv_packed_clear(&st->q);
    kmv_packed_clear(&st->k);
    kmv_row_lists_clear(&st->lists);
    kmv_softmax_space_destroy(st->space);
    kmv_softmax_sums_clear(&st->sums);
    kmv_free(st);
}

static kmv_status make_room(state *s, const kmv_tile *tile, size_t r, kmv_error *err)
{
    const size_t n_q = s->problem.q->n, n_k = s->problem.k->n, d = s->problem.q->d;
    const size_t capacity = kmv_softmax_group(tile) * EDGE_PANELS * tile->lanes;
    kmv_status st;

    if ((st = kmv_packed_init(&s->q, tile, KMV_QUERIES, n_q, d, 0, err)) != KMV_OK ||
        (st = kmv_packed_init(&s->k, tile, KMV_KEYS, n_k, d, 0, err)) != KMV_OK ||
        (st = kmv_row_lists_init(&s->lists, &s->problem, tile, 0, capacity, r, s->threads, err)) !=
            KMV_OK ||
        (st = kmv_softmax_space_create(tile, r, s->threads, &s->space, err)) != KMV_OK)
        return st;
    return kmv_softmax_sums_init(&s->sums, tile, n_q + tile->rows, r, err);
}

static kmv_status prepare(const kmv_problem *problem, const void *opt,
                          const kmv_prepare_context *context, void **out, kmv_error *err)
{
    const opts *o = opt;
    const size_t n_k = problem->k->n;
    double *centre = NULL;
    state *s = kmv_alloc(1, sizeof *s, "state of window", err);
    kmv_status st = KMV_ENOMEM;

    if (s == NULL)
        return st;
    s->problem = *problem;
    s->threads = context->threads;
    s->window = (kmv_key_window){.sinks = o->sinks < n_k ? o->sinks : n_k,
                                 .window = o->window < n_k ? o->window : n_k};
    if ((centre = kmv_alloc(problem->q->d, sizeof *centre, "centre", err)) == NULL ||
        (st = make_room(s, context->tile, context->settings->r, err)) != KMV_OK)
        goto out;
    kmv_centre(problem, centre);
    kmv_pack(&s->q, problem, centre, NULL, problem->q->n, s->threads, context->cost);
    kmv_pack(&s->k, problem, centre, NULL, n_k, s->threads, context->cost);
    if (!(s->q.norm2_max <= 1e30 && s->k.norm2_max <= 1e30)) {
        st = kmv_fail(err, KMV_ENOTSUP, "window: sigma = %g is too small for these points",
                      problem->sigma);
        goto out;
    }
    snprintf(context->text, context->text_size, "window: %zu sinks, %zu keys %s", s->window.sinks,
             s->window.window, problem->causal ? "up to the query" : "around the query");
    *out = s;
    s = NULL;
out:
    kmv_free(centre);
    destroy(s);
    return st;
}

/* A group of query blocks while it is computed. */
typedef struct {
    state *s;
    int thread;
    size_t block, blocks, rows; /* rows: queries in them */
    kmv_key_ranges range[GROUP_MAX];
    size_t edge[GROUP_MAX]; /* keys kept in each row's list */
    double counted;         /* pairs by the tiles' own count */
} work;

static int holds(kmv_key_ranges g, size_t key)
{
    return key < g.sinks || (key >= g.first && key < g.end);
}

/* Whether rows from .. to - 1 all take all keys first .. end - 1. Where values are read as lists
 * need them there are none for the tiles. */
static int whole(const work *w, size_t from, size_t to, size_t first, size_t end)
{
    if (w->s->lists.x != NULL)
        return 0;
    for (size_t i = from; i < to && i < w->rows; i++) {
        const kmv_key_ranges g = w->range[i];

        if (!(end <= g.sinks || (first >= g.first && end <= g.end)))
            return 0;
    }
    return 1;
}

/* The panels of these blocks of the group that all their rows take whole. */
static void take_whole(work *w, size_t block, size_t blocks, size_t panel, size_t panels)
{
    const kmv_softmax_operands o = {&w->s->problem, &w->s->q, &w->s->k, &w->s->lists.values};
    const size_t at = w->block + block;

    kmv_softmax_attend(&o, at, blocks, panel, panels, NULL, w->s->space, w->thread, &w->s->sums,
                       at * o.q->width, &w->counted);
}

static size_t list_width(const state *s)
{
    return s->lists.capacity / kmv_softmax_group(s->q.tile);
}

static void add_edge(work *w, size_t i)
{
    kmv_row_lists *l = &w->s->lists;
    const size_t at = i * list_width(w->s);

    kmv_row_add(l, w->thread, kmv_row_list(l, w->thread) + at, kmv_row_exponent(l, w->thread) + at,
                w->edge[i], &w->s->sums, w->block * w->s->q.width + i);
    w->edge[i] = 0;
}

/* A panel of which the rows of a block of the group take different keys. */
static void take_edge(work *w, size_t block, size_t panel)
{
    const kmv_packed *q = &w->s->q, *k = &w->s->k;
    const size_t room = list_width(w->s), first = panel * k->width, at = w->block + block;
    const size_t end = first + k->width < k->n ? first + k->width : k->n;
    _Alignas(64) float e[KMV_ROWS_MAX * KMV_LANES_MAX];

    q->tile->exponents(q->x + at * q->width * q->d, q->offset + at * q->width, k->x + first * k->d,
                       k->offset + first, k->d, 1, e, k->width);
    for (size_t m = 0; m < q->width && block * q->width + m < w->rows; m++) {
        const size_t i = block * q->width + m;
        uint32_t *list = kmv_row_list(&w->s->lists, w->thread) + i * room;
        float *exponent = kmv_row_exponent(&w->s->lists, w->thread) + i * room;

        if (w->edge[i] + k->width > room)
            add_edge(w, i);
        for (size_t j = first; j < end; j++) {
            list[w->edge[i]] = (uint32_t)j;
            exponent[w->edge[i]] = e[m * k->width + j - first];
            w->edge[i] += holds(w->range[i], j) ? 1 : 0;
        }
    }
}

/* Panels first .. last - 1: runs that the whole group takes, and what is left block by block. */
static void take_panels(work *w, size_t first, size_t last)
{
    const size_t lanes = w->s->k.width, n_k = w->s->k.n, width = w->s->q.width;
    size_t run = first;

    for (size_t panel = first; panel <= last; panel++) {
        const size_t begin = panel * lanes, end = begin + lanes < n_k ? begin + lanes : n_k;

        if (panel < last && whole(w, 0, w->rows, begin, end))
            continue;
        if (panel > run)
            take_whole(w, 0, w->blocks, run, panel - run);
        for (size_t b = 0; b < w->blocks && panel < last; b++) {
            if (whole(w, b * width, (b + 1) * width, begin, end))
                take_whole(w, b, 1, panel, 1);
            else
                take_edge(w, b, panel);
        }
        run = panel + 1;
    }
}

static size_t panels_to(const state *s, size_t keys)
{
    return (keys + s->k.width - 1) / s->k.width;
}

/* Returns the pairs of the group's ranges. */
static double attend_group(state *s, size_t block, size_t blocks, int thread)
{
    const size_t width = s->q.width, left = s->q.n - block * width;
    work w = {.s = s, .thread = thread, .block = block, .blocks = blocks};
    size_t sinks = 0, first = SIZE_MAX, end = 0, from;
    double pairs = 0;

    w.rows = left < blocks * width ? left : blocks * width;
    for (size_t i = 0; i < w.rows; i++) {
        const kmv_key_ranges g = kmv_key_window_of(&s->problem, s->window, block * width + i);

        w.range[i] = g;
        sinks = g.sinks > sinks ? g.sinks : sinks;
        first = g.first < first ? g.first : first;
        end = g.end > end ? g.end : end;
        pairs += (double)(g.sinks + g.end - g.first);
    }
    from = first / s->k.width;
    from = from > panels_to(s, sinks) ? from : panels_to(s, sinks);
    take_panels(&w, 0, panels_to(s, sinks));
    if (panels_to(s, end) > from)
        take_panels(&w, from, panels_to(s, end));
    for (size_t i = 0; i < w.rows; i++)
        add_edge(&w, i);
    return pairs;
}

static kmv_status apply(void *state_, kmv_apply_context *context, kmv_error *err)
{
    state *s = state_;
    const size_t n_q = s->q.n, r = context->r, blocks = (n_q + s->q.width - 1) / s->q.width;
    double pairs = 0;

    (void)err;
    kmv_row_lists_take(&s->lists, context->x, r);
    kmv_softmax_sums_reset(&s->sums, 0, s->sums.capacity);
#pragma omp parallel for num_threads(s->threads) schedule(dynamic, 1) reduction(+ : pairs)
    for (size_t block = 0; block < blocks; block += KMV_BLOCKS_MAX)
        pairs += attend_group(s, block,
                              blocks - block < KMV_BLOCKS_MAX ? blocks - block : KMV_BLOCKS_MAX,
                              omp_get_thread_num());
#pragma omp parallel for num_threads(kmv_threads_for((double)(n_q * r), s->threads))               \
    schedule(static)
    for (size_t i = 0; i < n_q; i++)
        kmv_softmax_sums_row(&s->sums, i, r, s->lists.values.unit, context->y + i * r);
    context->cost->pairs += pairs;
    context->cost->flops += 2 * pairs * (double)(s->q.d + r);
    return KMV_OK;
}

const kmv_algo kmv_algo_window = {
    .name = "window",
    .summary = "attention to the first keys (sinks) and those around the query only",
    .guarantee = "none; exact when the window holds all keys",
    .source = "StreamingLLM, Xiao et al. 2024, arXiv 2309.17453",
    .flags = KMV_CAN_SOFTMAX | KMV_CAN_CAUSAL | KMV_CAN_COLUMNS | KMV_CAN_SIGNED,
    .options = options,
    .options_size = sizeof(opts),
    .reject = reject,
    .prepare = prepare,
    .apply = apply,
    .destroy = destroy,
};

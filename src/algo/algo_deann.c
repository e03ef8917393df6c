/* algo/algo_deann.c - near keys of every query exactly, the rest by a uniform sample.
 *
 *     numerator_i = sum over j in H_i of A_ij x_j + N_i / m_i sum over j in S_i of A_ij x_j
 *
 * A: K for gauss, exp(l_ij) for softmax, where the denominator is the same sum of 1 instead of x_j.
 * H_i: keys that an index for near neighbours finds; S_i: m_i = min(samples, N_i) of the N_i other
 * keys that query i sees, drawn without replacement. Source: DEANN (Karppa, Aumuller & Pagh,
 * AISTATS 2022, arXiv 2107.02736), which takes the index as a black box, and its variant with
 * samples in runs of a permuted data set.
 *
 * Guarantee: gauss unbiased for any x, whatever the index misses; the variance of a row is
 *     N_i^2 / m_i (1 - m_i / N_i) s_i^2,   s_i^2 the sample variance of K_ij x_j over those N_i,
 * small when the index finds what is large. Softmax: the same for numerator and denominator, their
 * ratio biased at second order. Its currency is the absolute error of a row.
 *
 * Ours: the index is an inverted file of k-means cells (key_cells.h); H_i are all keys of the
 * `probes` cells whose centres are best (gauss: nearest, softmax: largest inner product), since
 * their entries have been computed by then, and not the k nearest among them only. Queries are
 * taken some at a time, cell by cell, so that a cell is near while all that probe it read it; they
 * read the permuted keys from one place on, so their errors are dependent. */
#include <gsl/gsl_randist.h>
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <string.h>

#include "algo/algo.h"
#include "algo/key_cells.h"
#include "algo/row_lists.h"
#include "algo/select.h"
#include "base/mem.h"
#include "base/rng.h"

typedef struct {
    size_t cells, probes, samples, rounds;
} opts;

static const kmv_option options[] = {
    {"cells", KMV_OPT_SIZE, offsetof(opts, cells), "0", 0, 1e6,
     "cells of the index; 0: the square root of the number of keys", NULL},
    {"probes", KMV_OPT_SIZE, offsetof(opts, probes), "4", 0, 1e6,
     "cells computed exactly for each query", NULL},
    {"samples", KMV_OPT_SIZE, offsetof(opts, samples), "256", 0, 1e9,
     "keys drawn for each query from the others", NULL},
    {"rounds", KMV_OPT_SIZE, offsetof(opts, rounds), "6", 0, 1000, "rounds of k-means", NULL},
    {0},
};

enum { TOGETHER = 128 }; /* queries at most */

typedef struct {
    kmv_problem problem;
    kmv_row_lists lists;
    kmv_key_cells cells;
    kmv_packed q;                     /* for the products with centres */
    kmv_softmax_sums sums;            /* TOGETHER rows of each thread */
    float *score;                     /* threads x rows of a block x centres */
    uint32_t *chosen;                 /* threads x cells */
    unsigned char *probed;            /* threads x TOGETHER x cells: whether a row takes a cell */
    uint32_t *drawing;                /* n_k slots in random order */
    size_t probes, samples, together; /* together: queries, in whole blocks */
    int threads;
} state;

/* Where none is probed, there is no index: one cell of all. */
static size_t cells_of(const opts *o, size_t n_k)
{
    if (o->probes == 0)
        return 1;
    return o->cells > 0 ? o->cells : (size_t)ceil(sqrt((double)n_k));
}

static const char *reject(const kmv_problem *problem, const void *opt, size_t r)
{
    const opts *o = opt;
    const char *too_many = kmv_row_lists_reject(problem, opt, r);

    if (too_many != NULL)
        return too_many;
    if (o->probes > 0 && o->cells > problem->k->n)
        return "cells > n_k";
    if (o->probes == 0 && o->samples == 0)
        return "probes = 0 and samples = 0: nothing to compute";
    return NULL;
}

static void destroy(void *s)
{
    state *st = s;

    if (st == NULL)
        return;
    kmv_row_lists_clear(&st->lists);
    kmv_key_cells_clear(&st->cells);
    kmv_packed_clear(&st->q);
    kmv_softmax_sums_clear(&st->sums);
    kmv_free(st->score);
    kmv_free(st->chosen);
    kmv_free(st->probed);
    kmv_free(st->drawing);
    kmv_free(st);
}

static kmv_status make_room(state *s, const kmv_tile *tile, size_t r, kmv_error *err)
{
    const size_t n_k = s->problem.k->n, cells = s->cells.cells, threads = (size_t)s->threads;
    kmv_status st;

    if ((st = kmv_softmax_sums_init(&s->sums, tile, threads * TOGETHER, r, err)) != KMV_OK)
        return st;
    if ((s->score = kmv_alloc_raw(threads * tile->rows,
                                  kmv_project_ld(&s->cells.centre) * sizeof *s->score,
                                  "scores of cells", err)) == NULL ||
        (s->chosen = kmv_alloc(threads, cells * sizeof *s->chosen, "cells probed", err)) == NULL ||
        (s->probed = kmv_alloc(threads * TOGETHER, cells, "cells probed", err)) == NULL ||
        (s->drawing = kmv_alloc(n_k, sizeof *s->drawing, "order of draws", err)) == NULL)
        return KMV_ENOMEM;
    return KMV_OK;
}

static kmv_status permute(state *s, uint64_t key, kmv_error *err)
{
    gsl_rng *rng = kmv_rng_create(key, err);

    if (rng == NULL)
        return KMV_ENOMEM;
    for (size_t t = 0; t < s->problem.k->n; t++)
        s->drawing[t] = (uint32_t)t;
    gsl_ran_shuffle(rng, s->drawing, s->problem.k->n, sizeof *s->drawing);
    gsl_rng_free(rng);
    return KMV_OK;
}

static kmv_status prepare(const kmv_problem *problem, const void *opt,
                          const kmv_prepare_context *context, void **out, kmv_error *err)
{
    const opts *o = opt;
    const size_t n_k = problem->k->n, r = context->settings->r;
    state *s = kmv_alloc(1, sizeof *s, "state of deann", err);
    kmv_status st;

    if (s == NULL)
        return KMV_ENOMEM;
    s->problem = *problem;
    s->threads = context->threads;
    s->samples = o->samples;
    s->together = TOGETHER / context->tile->rows * context->tile->rows;
    if ((st = kmv_row_lists_init(&s->lists, &s->problem, context->tile, 1, n_k, r, s->threads,
                                 err)) != KMV_OK ||
        (st = kmv_key_cells_init(&s->cells, &s->lists.k, cells_of(o, n_k), o->rounds, context->tile,
                                 kmv_stream_key(context->key, "cells", 0), s->threads,
                                 context->cost, err)) != KMV_OK ||
        (st = kmv_row_lists_order(&s->lists, s->cells.order, err)) != KMV_OK ||
        (st = kmv_project_pack(&s->q, &s->lists.q, context->tile, s->threads, context->cost,
                               err)) != KMV_OK ||
        (st = make_room(s, context->tile, r, err)) != KMV_OK ||
        (st = permute(s, kmv_stream_key(context->key, "draws", 0), err)) != KMV_OK)
        goto out;
    s->probes = o->probes < s->cells.cells ? o->probes : s->cells.cells;
    snprintf(context->text, context->text_size,
             "deann: %zu of %zu k-means cells exactly, %zu samples of the rest", s->probes,
             s->cells.cells, s->samples);
    *out = s;
    s = NULL;
out:
    destroy(s);
    return st;
}

/* Queries first .. first + rows - 1 while they are computed. */
typedef struct {
    state *s;
    kmv_apply_context *context;
    size_t first, rows;
    int thread;
    unsigned char *probed;
    size_t near[TOGETHER]; /* keys computed exactly */
} work;

/* The cells of every row. */
static void choose_cells(const work *w)
{
    const state *s = w->s;
    const size_t cells = s->cells.cells, ld = kmv_project_ld(&s->cells.centre), width = s->q.width;
    float *score = s->score + (size_t)w->thread * width * ld;
    uint32_t *chosen = s->chosen + (size_t)w->thread * cells;

    memset(w->probed, 0, w->rows * cells);
    for (size_t i = 0; i < w->rows && s->probes > 0; i++) {
        float *own = score + i % width * ld;

        if (i % width == 0)
            kmv_project(&s->q, &s->cells.centre, w->first + i, score);
        for (size_t c = 0; c < cells && s->problem.matrix == KMV_GAUSS; c++)
            own[c] -= s->cells.half_norm2[c];
        kmv_select_largest(own, cells, s->probes, chosen);
        for (size_t c = 0; c < s->probes; c++)
            w->probed[i * cells + chosen[c]] = 1;
    }
}

/* Row i of the work += the keys of a list, each `weight` times. */
static void add_list(const work *w, size_t i, const uint32_t *list, size_t count, double weight)
{
    state *s = w->s;
    const size_t r = w->context->r, query = w->first + i;
    float *e = kmv_row_exponent(&s->lists, w->thread);
    const float log2_weight = (float)log2(weight);

    kmv_row_exponents(&s->lists, query, list, count, e);
    for (size_t t = 0; t < count; t++)
        e[t] += log2_weight;
    if (s->problem.matrix == KMV_GAUSS) {
        s->lists.tile->exp2(e, count);
        kmv_row_add_weighted(&s->lists, w->thread, list, e, count, w->context->y + query * r);
    } else {
        kmv_row_add(&s->lists, w->thread, list, e, count, &s->sums,
                    (size_t)w->thread * TOGETHER + i);
    }
}

/* One cell for all rows that probe it. Its keys ascend, so that a row sees a prefix of them. */
static void add_cell(work *w, size_t cell)
{
    const state *s = w->s;
    const size_t cells = s->cells.cells, start = s->cells.start[cell];
    const size_t size = s->cells.start[cell + 1] - start;
    uint32_t *list = kmv_row_list(&s->lists, w->thread);

    for (size_t t = 0; t < size; t++)
        list[t] = (uint32_t)(start + t);
    for (size_t i = 0; i < w->rows; i++) {
        const size_t seen = kmv_problem_sees(&s->problem, w->first + i);
        size_t count = size;

        if (!w->probed[i * cells + cell])
            continue;
        while (count > 0 && s->cells.order[start + count - 1] >= seen)
            count--;
        add_list(w, i, list, count, 1);
        w->near[i] += count;
    }
}

/* The first `wanted` slots of the permutation, from `from` on and around, that the row sees and
 * has not probed; there are as many. */
static void list_rest(const state *s, const unsigned char *probed, size_t seen, size_t from,
                      size_t wanted, uint32_t *list)
{
    const size_t n = s->problem.k->n;

    for (size_t at = from, count = 0; count < wanted; at = at + 1 < n ? at + 1 : 0) {
        const uint32_t slot = s->drawing[at];

        list[count] = slot;
        count += !probed[s->cells.cell[slot]] && s->cells.order[slot] < seen ? 1 : 0;
    }
}

/* A sample of the keys that row i has not probed; returns how many. */
static size_t add_rest(const work *w, size_t i, size_t from)
{
    const state *s = w->s;
    const size_t seen = kmv_problem_sees(&s->problem, w->first + i), rest = seen - w->near[i];
    const size_t drawn = rest < s->samples ? rest : s->samples;
    uint32_t *list = kmv_row_list(&s->lists, w->thread);

    if (drawn == 0)
        return 0;
    list_rest(s, w->probed + i * s->cells.cells, seen, from, drawn, list);
    add_list(w, i, list, drawn, (double)rest / (double)drawn);
    return drawn;
}

/* Returns the pairs of the rows. */
static size_t do_rows(state *s, size_t first, int thread, kmv_apply_context *context)
{
    const size_t left = s->q.n - first, r = context->r, n_k = s->problem.k->n;
    const uint64_t place = kmv_stream_key(context->key, "place", first);
    work w = {.s = s,
              .context = context,
              .first = first,
              .rows = left < s->together ? left : s->together,
              .thread = thread,
              .probed = s->probed + (size_t)thread * TOGETHER * s->cells.cells};
    size_t pairs = 0;

    choose_cells(&w);
    kmv_softmax_sums_reset(&s->sums, (size_t)thread * TOGETHER, w.rows);
    memset(context->y + first * r, 0, w.rows * r * sizeof *context->y);
    for (size_t c = 0; c < s->cells.cells && s->probes > 0; c++)
        add_cell(&w, c);
    for (size_t i = 0; i < w.rows; i++) {
        pairs += w.near[i] + add_rest(&w, i, (size_t)(place % n_k));
        if (s->problem.matrix == KMV_SOFTMAX)
            kmv_softmax_sums_row(&s->sums, (size_t)thread * TOGETHER + i, r, s->lists.values.unit,
                                 context->y + (first + i) * r);
    }
    return pairs;
}

static kmv_status apply(void *state_, kmv_apply_context *context, kmv_error *err)
{
    state *s = state_;
    const double d = (double)s->q.d, r = (double)context->r;
    double pairs = 0;

    (void)err;
    kmv_row_lists_take(&s->lists, context->x, context->r);
#pragma omp parallel for num_threads(s->threads) schedule(dynamic, 1) reduction(+ : pairs)
    for (size_t first = 0; first < s->q.n; first += s->together)
        pairs += (double)do_rows(s, first, omp_get_thread_num(), context);
    context->cost->pairs += pairs;
    context->cost->flops += pairs * ((s->problem.matrix == KMV_GAUSS ? 3 : 2) * d + 2 * r) +
                            (s->probes > 0 ? 2 * d * (double)s->q.n * (double)s->cells.cells : 0);
    return KMV_OK;
}

const kmv_algo kmv_algo_deann = {
    .name = "deann",
    .summary = "near keys found by an inverted file exactly, the rest by a uniform sample",
    .guarantee = "gauss: unbiased, variance of a row N^2/m (1 - m/N) times that of the entries "
                 "left out (proved); softmax: numerators and denominators so",
    .source = "DEANN, Karppa, Aumuller & Pagh 2022, arXiv 2107.02736",
    .flags = KMV_CAN_GAUSS | KMV_CAN_SOFTMAX | KMV_CAN_CAUSAL | KMV_CAN_COLUMNS | KMV_CAN_SIGNED |
             KMV_IS_RANDOM,
    .options = options,
    .options_size = sizeof(opts),
    .reject = reject,
    .prepare = prepare,
    .apply = apply,
    .destroy = destroy,
};

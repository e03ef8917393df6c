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
 * their entries have been computed by then, and not the k nearest among them only. Consecutive
 * queries read the permuted keys from one place on, so their errors are dependent. */
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

enum { SHARED = 64 }; /* queries that begin at one place of the permutation */

typedef struct {
    kmv_problem problem;
    kmv_row_lists lists;
    kmv_key_cells cells;
    kmv_packed q;          /* for the products with centres */
    kmv_softmax_sums sums; /* a row of each thread */
    float *score;          /* threads x rows of a block x centres */
    uint32_t *chosen;      /* threads x cells */
    unsigned char *probed; /* threads x cells: whether the row at hand has it */
    uint32_t *drawing;     /* n_k slots in random order */
    size_t probes, samples;
    int threads;
} state;

static size_t cells_of(const opts *o, size_t n_k)
{
    return o->cells > 0 ? o->cells : (size_t)ceil(sqrt((double)n_k));
}

static const char *reject(const kmv_problem *problem, const void *opt, size_t r)
{
    const opts *o = opt;

    (void)r;
    if (problem->k->n >= UINT32_MAX)
        return "2^32 keys or more";
    if (o->cells > problem->k->n)
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

    if ((st = kmv_softmax_sums_init(&s->sums, tile, threads, r, err)) != KMV_OK)
        return st;
    if ((s->score = kmv_alloc_raw(threads * tile->rows,
                                  kmv_project_ld(&s->cells.centre) * sizeof *s->score,
                                  "scores of cells", err)) == NULL ||
        (s->chosen = kmv_alloc(threads, cells * sizeof *s->chosen, "cells probed", err)) == NULL ||
        (s->probed = kmv_alloc(threads, cells, "cells probed", err)) == NULL ||
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

/* Slots of the probed cells that the row sees, into the list. */
static size_t list_near(const state *s, const uint32_t *chosen, size_t seen, uint32_t *list)
{
    size_t count = 0;

    for (size_t c = 0; c < s->probes; c++) {
        for (uint32_t t = s->cells.start[chosen[c]]; t < s->cells.start[chosen[c] + 1]; t++) {
            list[count] = t;
            count += s->cells.order[t] < seen ? 1 : 0;
        }
    }
    return count;
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

/* y_i from its list, of which the entries from `near` on count `weight` times. */
static void sum_row(state *s, size_t i, int thread, size_t near, size_t count, double weight,
                    size_t r, double *y)
{
    const uint32_t *list = kmv_row_list(&s->lists, thread);
    float *e = kmv_row_exponent(&s->lists, thread);
    const float log2_weight = (float)log2(weight);

    kmv_row_exponents(&s->lists, i, list, count, e);
    for (size_t t = near; t < count; t++)
        e[t] += log2_weight;
    if (s->problem.matrix == KMV_GAUSS) {
        s->lists.tile->exp2(e, count);
        memset(y, 0, r * sizeof *y);
        kmv_row_add_weighted(&s->lists, thread, list, e, count, y);
        return;
    }
    kmv_softmax_sums_reset(&s->sums, (size_t)thread, 1);
    kmv_row_add(&s->lists, thread, list, e, count, &s->sums, (size_t)thread);
    kmv_softmax_sums_row(&s->sums, (size_t)thread, r, s->lists.values.unit, y);
}

/* One row, whose products with the centres are in `score`; returns its pairs. */
static size_t do_row(state *s, size_t i, float *score, size_t from, int thread,
                     kmv_apply_context *context)
{
    const size_t cells = s->cells.cells, seen = kmv_row_sees(&s->problem, i);
    uint32_t *chosen = s->chosen + (size_t)thread * cells;
    unsigned char *probed = s->probed + (size_t)thread * cells;
    uint32_t *list = kmv_row_list(&s->lists, thread);
    size_t near, rest, drawn;

    for (size_t c = 0; c < cells && s->problem.matrix == KMV_GAUSS; c++)
        score[c] -= s->cells.half_norm2[c];
    kmv_select_largest(score, cells, s->probes, chosen);
    for (size_t c = 0; c < s->probes; c++)
        probed[chosen[c]] = 1;
    near = list_near(s, chosen, seen, list);
    rest = seen - near;
    drawn = rest < s->samples ? rest : s->samples;
    list_rest(s, probed, seen, from, drawn, list + near);
    for (size_t c = 0; c < s->probes; c++)
        probed[chosen[c]] = 0;
    sum_row(s, i, thread, near, near + drawn, drawn > 0 ? (double)rest / (double)drawn : 1,
            context->r, context->y + i * context->r);
    return near + drawn;
}

static kmv_status apply(void *state_, kmv_apply_context *context, kmv_error *err)
{
    state *s = state_;
    const kmv_packed *q = &s->q;
    const size_t ld = kmv_project_ld(&s->cells.centre), rows = q->width, n_k = s->problem.k->n;
    const double d = (double)q->d, r = (double)context->r;
    double pairs = 0;

    (void)err;
    kmv_row_lists_take(&s->lists, context->x, context->r);
#pragma omp parallel for num_threads(s->threads) schedule(dynamic, 1) reduction(+ : pairs)
    for (size_t first = 0; first < q->n; first += rows) {
        const int thread = omp_get_thread_num();
        float *score = s->score + (size_t)thread * rows * ld;

        kmv_project(q, &s->cells.centre, first, score);
        for (size_t i = first; i < first + rows && i < q->n; i++) {
            const uint64_t place = kmv_stream_key(context->key, "place", i / SHARED);

            pairs += (double)do_row(s, i, score + (i - first) * ld, (size_t)(place % n_k), thread,
                                    context);
        }
    }
    context->cost->pairs += pairs;
    context->cost->flops += pairs * ((s->problem.matrix == KMV_GAUSS ? 3 : 2) * d + 2 * r) +
                            2 * d * (double)q->n * (double)s->cells.cells;
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

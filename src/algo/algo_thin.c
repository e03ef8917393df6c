/* algo/algo_thin.c - attention to a thinned set of keys.
 *
 *     y_i = sum over j in S of w_j exp(l_ij) v_j / sum over j in S of w_j exp(l_ij)
 *
 * S: one set of keys for all queries, chosen so that sums over it of exp(q.k) v follow those over
 * all keys for any q: kernel halving in the manner of Compress, with the attention kernel on
 * (k, v) (kernel_halving.h). Source: Thinformer (Carrell, Gong, Shetty, Dwivedi & Mackey, Low-rank
 * thinning, ICML 2025, arXiv 2502.12063) with KH-Compress(1/2): S has 2^g sqrt(n_k) keys.
 *
 * Guarantee (of the paper, not checked for the data at hand): with probability 1/2 the largest
 * error of an entry of y is at most of the order of sqrt(rank) |V|_max polylog / |S| where the
 * kernel matrix is nearly of low rank; its constants grow exponentially with the largest |q|^2 and
 * |k|^2 over sigma^2. Its currency is the largest entry, absolute. Made for full attention.
 *
 * Ours: n_k need not be a power of 4: the last n_k mod 4^t keys (t halvings) are kept with weight
 * 1, the others have n / |S| each; keys are taken from their mean, which changes no attention and
 * makes |k| smaller; the probability of a cut off decision is shared evenly; `final` halves S
 * further by kernel halving of the whole (Compress++ ends so). V is needed, so all of it happens in
 * apply. */
#include <math.h>
#include <omp.h>
#include <stdio.h>

#include "algo/algo.h"
#include "algo/kernel_halving.h"
#include "base/mem.h"
#include "base/status.h"

typedef struct {
    size_t oversample, final;
    double delta;
} opts;

static const kmv_option options[] = {
    {"oversample", KMV_OPT_SIZE, offsetof(opts, oversample), "2", 0, 30,
     "2^oversample sqrt(n_k) keys are kept, n_k taken as the power of 4 below (g of the paper)",
     NULL},
    {"final", KMV_OPT_SIZE, offsetof(opts, final), "0", 0, 30,
     "halvings of all that is kept, afterwards", NULL},
    {"delta", KMV_OPT_REAL, offsetof(opts, delta), "0.5", 1e-9, 0.999,
     "probability that some decision is cut off", NULL},
    {0},
};

typedef struct {
    kmv_problem problem;
    kmv_row_lists lists; /* all keys and their values */
    kmv_halving halving;
    kmv_packed q, k;   /* k: the keys kept */
    kmv_values values; /* of those */
    kmv_softmax_sums sums;
    kmv_softmax_space *space;
    double *centre;
    size_t *chosen;
    float *log2_weight; /* by slot of k */
    int threads;
    char *text;
    size_t text_size;
} state;

static void destroy(void *s)
{
    state *st = s;

    if (st == NULL)
        return;
    kmv_row_lists_clear(&st->lists);
    kmv_halving_clear(&st->halving);
    kmv_packed_clear(&st->q);
    kmv_packed_clear(&st->k);
    kmv_values_clear(&st->values);
    kmv_softmax_sums_clear(&st->sums);
    kmv_softmax_space_destroy(st->space);
    kmv_free(st->centre);
    kmv_free(st->chosen);
    kmv_free(st->log2_weight);
    kmv_free(st);
}

/* Halvings that leave 2^oversample sqrt(n) of n keys, n the power of 4 below. */
static size_t halvings_of(size_t n, size_t oversample)
{
    size_t fours = 0;

    for (; n >= 4; n /= 4)
        fours++;
    return fours > oversample ? fours - oversample : 0;
}

static kmv_status make_room(state *s, const kmv_tile *tile, size_t kept, size_t r, kmv_error *err)
{
    const size_t n_q = s->problem.q->n, d = s->problem.q->d;
    kmv_status st;

    if ((st = kmv_packed_init(&s->q, tile, KMV_QUERIES, n_q, d, 0, err)) != KMV_OK ||
        (st = kmv_packed_init(&s->k, tile, KMV_KEYS, kept, d, 1, err)) != KMV_OK ||
        (st = kmv_values_init(&s->values, tile, kept, r, err)) != KMV_OK ||
        (st = kmv_softmax_sums_init(&s->sums, tile, n_q, r, err)) != KMV_OK ||
        (st = kmv_softmax_space_create(tile, r, s->threads, &s->space, err)) != KMV_OK)
        return st;
    if ((s->centre = kmv_alloc(d, sizeof *s->centre, "centre", err)) == NULL ||
        (s->chosen = kmv_alloc(kept, sizeof *s->chosen, "keys kept", err)) == NULL ||
        (s->log2_weight = kmv_alloc(s->values.capacity, sizeof(float), "weights", err)) == NULL)
        return KMV_ENOMEM;
    return KMV_OK;
}

static kmv_status prepare(const kmv_problem *problem, const void *opt,
                          const kmv_prepare_context *context, void **out, kmv_error *err)
{
    const opts *o = opt;
    const size_t n_k = problem->k->n, r = context->settings->r;
    const kmv_compression shape =
        kmv_compression_of(n_k, halvings_of(n_k, o->oversample), o->final);
    state *s = kmv_alloc(1, sizeof *s, "state of thin", err);
    kmv_status st;

    if (s == NULL)
        return KMV_ENOMEM;
    s->problem = *problem;
    s->threads = context->threads;
    s->text = context->text;
    s->text_size = context->text_size;
    if ((st = kmv_row_lists_init(&s->lists, &s->problem, context->tile, 1, 1, r, s->threads,
                                 err)) != KMV_OK ||
        (st = kmv_halving_init(&s->halving, &s->lists, shape, o->delta, s->threads, err)) !=
            KMV_OK ||
        (st = make_room(s, context->tile, shape.kept + n_k - shape.covered, r, err)) != KMV_OK)
        goto out;
    kmv_centre(problem, s->centre);
    kmv_pack(&s->q, problem, s->centre, NULL, problem->q->n, s->threads, context->cost);
    if (!(s->q.norm2_max <= 1e30)) {
        st = kmv_fail(err, KMV_ENOTSUP, "thin: sigma = %g is too small for these points",
                      problem->sigma);
        goto out;
    }
    snprintf(s->text, s->text_size, "thin: %zu of %zu keys", s->k.capacity, n_k);
    *out = s;
    s = NULL;
out:
    destroy(s);
    return st;
}

/* The keys kept, for the tiles, with their weights. */
static void take_keys(state *s, kmv_apply_context *context)
{
    const kmv_compression *c = &s->halving.shape;
    const float weight = (float)log2((double)c->covered / (double)c->kept);
    size_t count = 0;

    for (size_t j = 0; j < c->kept; j++)
        s->chosen[count++] = s->halving.from[j];
    for (size_t j = c->covered; j < s->problem.k->n; j++)
        s->chosen[count++] = j;
    for (size_t t = 0; t < count; t++)
        s->log2_weight[t] = t < c->kept ? weight : 0;
    kmv_pack(&s->k, &s->problem, s->centre, s->chosen, count, s->threads, context->cost);
    kmv_values_load(&s->values, &s->k, context->x, context->r, s->threads);
}

static kmv_status apply(void *state_, kmv_apply_context *context, kmv_error *err)
{
    state *s = state_;
    const kmv_softmax_operands o = {&s->problem, &s->q, &s->k, &s->values};
    const size_t n_q = s->q.n, r = context->r, d = s->q.d;
    const size_t blocks = (n_q + s->q.width - 1) / s->q.width;
    double pairs = 0, thinning;

    (void)err;
    kmv_row_lists_load(&s->lists, context->x, r);
    thinning = kmv_halving_run(&s->halving, context->key);
    take_keys(s, context);
    kmv_softmax_sums_reset(&s->sums, 0, s->sums.capacity);
#pragma omp parallel for num_threads(s->threads) schedule(dynamic, 1) reduction(+ : pairs)
    for (size_t block = 0; block < blocks; block += KMV_BLOCKS_MAX)
        kmv_softmax_attend(&o, block,
                           blocks - block < KMV_BLOCKS_MAX ? blocks - block : KMV_BLOCKS_MAX, 0,
                           (s->k.n + s->k.width - 1) / s->k.width, s->log2_weight, s->space,
                           omp_get_thread_num(), &s->sums, block * s->q.width, &pairs);
    for (size_t i = 0; i < n_q; i++)
        kmv_softmax_sums_row(&s->sums, i, r, s->values.unit, context->y + i * r);
    snprintf(s->text, s->text_size, "thin: %zu of %zu keys; thinning=%.0f attention=%.0f entries",
             s->k.n, s->problem.k->n, thinning, pairs);
    context->cost->pairs += pairs + thinning;
    context->cost->flops += 2 * (pairs + thinning) * (double)(d + r);
    return KMV_OK;
}

const kmv_algo kmv_algo_thin = {
    .name = "thin",
    .summary = "one set of keys for all queries, thinned by kernel halving of (k, v)",
    .guarantee = "largest entry of the error, with probability 1/2, where the attention kernel "
                 "matrix is nearly of low rank (the paper's; not checked for the data)",
    .source = "Thinformer, Carrell et al. 2025, arXiv 2502.12063",
    .flags = KMV_CAN_SOFTMAX | KMV_CAN_COLUMNS | KMV_CAN_SIGNED | KMV_IS_RANDOM,
    .options = options,
    .options_size = sizeof(opts),
    .reject = kmv_row_lists_reject,
    .prepare = prepare,
    .apply = apply,
    .destroy = destroy,
};

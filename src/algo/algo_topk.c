/* algo/algo_topk.c - the k largest entries of every row, found by an oracle: the least error that
 * leaving keys out can have with k keys a row.
 *
 *     softmax: y_i = sum over j in T_i of exp(l_ij) v_j / sum over j in T_i of exp(l_ij)
 *     gauss:   y_i = sum over j in T_i of K_ij x_j
 *
 * T_i: the k keys with the largest entries of row i. It computes all pairs to find them, so it is
 * an upper bound on what a selection of keys reaches and no fast method: its count of pairs is that
 * of `exact`, and its time more. The idea that few tokens carry attention is that of H2O (Zhang et
 * al., NeurIPS 2023, arXiv 2306.14048), which keeps keys by accumulated attention, the same for all
 * later queries; one set per row, as here, can only be better in softmax mass.
 *
 * Ours: ties go to the first key. Gauss entries that are kept are computed again by differences. */
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <string.h>

#include "algo/algo.h"
#include "algo/row_lists.h"
#include "algo/select.h"
#include "base/mem.h"
#include "base/status.h"

typedef struct {
    size_t keys;
} opts;

static const kmv_option options[] = {
    {"keys", KMV_OPT_SIZE, offsetof(opts, keys), "64", 1, 1e9,
     "entries kept of every row, the largest", NULL},
    {0},
};

typedef struct {
    kmv_problem problem;
    size_t keys, ld;
    kmv_packed q, k;
    kmv_row_lists lists;
    kmv_softmax_sums sums; /* a row of each thread */
    float *exponent;       /* threads x rows of a block x ld */
    int threads;
} state;

static void destroy(void *s)
{
    state *st = s;

    if (st == NULL)
        return;
    kmv_packed_clear(&st->q);
    kmv_packed_clear(&st->k);
    kmv_row_lists_clear(&st->lists);
    kmv_softmax_sums_clear(&st->sums);
    kmv_free(st->exponent);
    kmv_free(st);
}

static kmv_status make_room(state *s, const kmv_tile *tile, size_t r, kmv_error *err)
{
    const size_t n_q = s->problem.q->n, n_k = s->problem.k->n, d = s->problem.q->d;
    kmv_status st;

    if ((st = kmv_packed_init(&s->q, tile, KMV_QUERIES, n_q, d, 0, err)) != KMV_OK ||
        (st = kmv_packed_init(&s->k, tile, KMV_KEYS, n_k, d, 0, err)) != KMV_OK ||
        (st = kmv_row_lists_init(&s->lists, &s->problem, tile, s->problem.matrix == KMV_GAUSS, n_k,
                                 r, s->threads, err)) != KMV_OK ||
        (st = kmv_softmax_sums_init(&s->sums, tile, (size_t)s->threads, r, err)) != KMV_OK)
        return st;
    s->exponent = kmv_alloc_raw((size_t)s->threads * tile->rows, s->ld * sizeof *s->exponent,
                                "exponents of rows", err);
    return s->exponent != NULL ? KMV_OK : KMV_ENOMEM;
}

static kmv_status prepare(const kmv_problem *problem, const void *opt,
                          const kmv_prepare_context *context, void **out, kmv_error *err)
{
    const opts *o = opt;
    const size_t n_k = problem->k->n, lanes = context->tile->lanes;
    double *centre = NULL;
    state *s = kmv_alloc(1, sizeof *s, "state of topk", err);
    kmv_status st = KMV_ENOMEM;

    if (s == NULL)
        return st;
    s->problem = *problem;
    s->threads = context->threads;
    s->keys = o->keys < n_k ? o->keys : n_k;
    s->ld = kmv_round_up((n_k + lanes - 1) / lanes * lanes, KMV_ALIGN / sizeof(float));
    if ((centre = kmv_alloc(problem->q->d, sizeof *centre, "centre", err)) == NULL ||
        (st = make_room(s, context->tile, context->settings->r, err)) != KMV_OK)
        goto out;
    kmv_centre(problem, centre);
    kmv_pack(&s->q, problem, centre, NULL, problem->q->n, s->threads, context->cost);
    kmv_pack(&s->k, problem, centre, NULL, n_k, s->threads, context->cost);
    if (!(s->q.norm2_max <= 1e30 && s->k.norm2_max <= 1e30)) {
        st = kmv_fail(err, KMV_ENOTSUP, "topk: sigma = %g is too small for these points",
                      problem->sigma);
        goto out;
    }
    snprintf(context->text, context->text_size,
             "topk: an oracle, computes all pairs and keeps the %zu largest of a row", s->keys);
    *out = s;
    s = NULL;
out:
    kmv_free(centre);
    destroy(s);
    return st;
}

/* Row i from its exponents. */
static void finish_row(state *s, size_t i, const float *e, int thread, size_t r, double *y)
{
    uint32_t *list = kmv_row_list(&s->lists, thread);
    float *kept = kmv_row_exponent(&s->lists, thread);
    const size_t seen = kmv_problem_sees(&s->problem, i);
    const size_t count = kmv_select_largest(e, seen, s->keys, list);

    if (s->problem.matrix == KMV_GAUSS) {
        kmv_row_exponents(&s->lists, i, list, count, kept);
        s->lists.tile->exp2(kept, count);
        memset(y, 0, r * sizeof *y);
        kmv_row_add_weighted(&s->lists, thread, list, kept, count, y);
        return;
    }
    for (size_t t = 0; t < count; t++)
        kept[t] = e[list[t]];
    kmv_softmax_sums_reset(&s->sums, (size_t)thread, 1);
    kmv_row_add(&s->lists, thread, list, kept, count, &s->sums, (size_t)thread);
    kmv_softmax_sums_row(&s->sums, (size_t)thread, r, s->lists.values.unit, y);
}

static kmv_status apply(void *state_, kmv_apply_context *context, kmv_error *err)
{
    state *s = state_;
    const kmv_packed *q = &s->q, *k = &s->k;
    const size_t width = q->width, r = context->r, d = q->d;
    const double pairs = kmv_problem_pairs(&s->problem);
    double kept = 0;

    (void)err;
    kmv_row_lists_take(&s->lists, context->x, r);
#pragma omp parallel for num_threads(s->threads) schedule(dynamic, 1)
    for (size_t block = 0; block < (q->n + width - 1) / width; block++) {
        const int thread = omp_get_thread_num();
        const size_t first = block * width, left = q->n - first, rows = left < width ? left : width;
        const size_t seen = kmv_problem_sees(&s->problem, first + rows - 1);
        float *e = s->exponent + (size_t)thread * width * s->ld;

        for (size_t j = 0; j < seen; j += k->width)
            q->tile->exponents(q->x + first * d, q->offset + first, k->x + j * d, k->offset + j, d,
                               1, e + j, s->ld);
        for (size_t i = 0; i < rows; i++)
            finish_row(s, first + i, e + i * s->ld, thread, r, context->y + (first + i) * r);
    }
    for (size_t i = 0; i < q->n; i++) {
        const size_t seen = kmv_problem_sees(&s->problem, i);

        kept += (double)(s->keys < seen ? s->keys : seen);
    }
    /* One comparison a pair for the selection; gauss computes what it keeps twice. */
    context->cost->pairs += pairs;
    context->cost->flops += pairs * (2 * (double)d + 1) + kept * 2 * (double)r +
                            (s->problem.matrix == KMV_GAUSS ? kept * 3 * (double)d : 0);
    return KMV_OK;
}

const kmv_algo kmv_algo_topk = {
    .name = "topk",
    .summary = "oracle: the k largest entries of every row, found by computing all pairs",
    .guarantee = "the most softmax mass (gauss: the largest entries) that k keys a row can hold; "
                 "softmax: |y_i - (PV)_i| <= (mass left out) (max |v| + |y_i|)",
    .source = "oracle in the manner of H2O, Zhang et al. 2023, arXiv 2306.14048",
    .flags = KMV_CAN_GAUSS | KMV_CAN_SOFTMAX | KMV_CAN_CAUSAL | KMV_CAN_COLUMNS | KMV_CAN_SIGNED,
    .options = options,
    .options_size = sizeof(opts),
    .reject = kmv_row_lists_reject,
    .prepare = prepare,
    .apply = apply,
    .destroy = destroy,
};

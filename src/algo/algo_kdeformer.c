/* algo/algo_kdeformer.c - KDEformer (Zandieh, Han, Daliri, Karbasi, ICML 2023, arXiv 2302.02451).
 *
 * form=practical, as in the authors' code: queries and keys are sorted by angular hashes in Gray
 * order (angular_order.h) and cut into equal blocks; a query meets the keys of its block exactly,
 * and all others through `samples` keys drawn with replacement by the norms of their values; pairs
 * of one block are left out of the sample; numerator and denominator are one estimate
 * (block_attention.h). There p_j is proportional to |(v_j, 1)| / |(V, 1)|_op^2 + 1/n, a mixture
 * whose shares depend on the unit of V; here p_j = share |v_j| / sum |v| + (1 - share) / n.
 *
 * form=paper, the analysed algorithm, which their code never runs: denominators alpha_i and the
 * squared norms of the columns of P from kernel density estimates (kdeformer.h), then
 *     y_i = 1/alpha_i sum over draws of exp(l_ij) v_j / (m p_j),
 *     p_j proportional to |P e_j|^2 + gamma |v_j|^2,     gamma = |P|_op^2 / |V|_op^2,
 * the probabilities with which a sampled product P V is within eps |P|_op |V|_op once m is of the
 * order (stable ranks of P and V) ln n / eps^2 (Cohen, Nelson, Woodruff, ICALP 2016). Ours:
 * |P|_op^2 is replaced by the larger of two lower bounds, n_q / n_k (all rows of P have sum 1) and
 * the largest |P e_j|^2; |V|_op by a few steps of the power method; denominator=sample puts the sum
 * of the same draws in the place of alpha_i.
 *
 * Guarantee of the source: for form=paper, with densities of small relative error, the operator
 * norm of the error is at most eps |P|_op |V|_op with high probability; for the practical form
 * none. Neither is certified here. No mask: the source has none.
 */
#include <math.h>
#include <stddef.h>
#include <stdio.h>

#include "algo/algo.h"
#include "algo/angular_order.h"
#include "algo/kdeformer.h"
#include "base/mem.h"
#include "base/rng.h"

enum { PRACTICAL, PAPER };
enum { FROM_DENSITY, FROM_SAMPLE };

typedef struct {
    int form, denominator, centred;
    size_t block, samples, bits, density;
    double share;
} opts;

static const kmv_option options[] = {
    {"form", KMV_OPT_ENUM, offsetof(opts, form), "practical", 0, 0,
     "blocks and a sample of the rest, or column sampling by densities", "practical|paper"},
    {"block", KMV_OPT_SIZE, offsetof(opts, block), "64", 1, 1e9, "keys of a block", NULL},
    {"samples", KMV_OPT_SIZE, offsetof(opts, samples), "128", 0, 1e9,
     "draws of keys, with replacement", NULL},
    {"bits", KMV_OPT_SIZE, offsetof(opts, bits), "7", 1, KMV_ANGULAR_BITS_MAX,
     "random hyperplanes of the hash", NULL},
    {"share", KMV_OPT_REAL, offsetof(opts, share), "0.5", 0, 1,
     "practical: share of the draws by |v_j|; the rest is uniform", NULL},
    {"density", KMV_OPT_SIZE, offsetof(opts, density), "128", 0, 1e9,
     "paper: draws of a density estimate", NULL},
    {"denominator", KMV_OPT_ENUM, offsetof(opts, denominator), "density", 0, 0,
     "paper: denominators from the density estimate, or from the sample", "density|sample"},
    {"centred", KMV_OPT_BOOL, offsetof(opts, centred), "no", 0, 0,
     "hash queries and keys less their means (not in the paper)", NULL},
    {0},
};

static const char *reject(const kmv_problem *problem, const void *opt, size_t r)
{
    const opts *o = opt;

    (void)problem;
    (void)r;
    return o->form == PAPER && o->samples == 0 ? "form=paper needs samples > 0" : NULL;
}

typedef struct {
    const opts *options;
    kmv_problem problem;
    int threads;
    double *centre;
    kmv_blocks blocks;
    kmv_values values; /* practical */
    kmv_key_sample sample;
    kmv_block_room room;
    kmv_softmax_sums total; /* paper, as the next */
    double *log2_alpha, *column2;
    double *norm, *score; /* |v_j| of the current V */
    double *left, *right; /* power method, r each */
} state;

static void destroy(void *s)
{
    state *st = s;

    if (st == NULL)
        return;
    kmv_free(st->centre);
    kmv_blocks_clear(&st->blocks);
    kmv_values_clear(&st->values);
    kmv_key_sample_clear(&st->sample);
    kmv_block_room_clear(&st->room);
    kmv_softmax_sums_clear(&st->total);
    kmv_free(st->log2_alpha);
    kmv_free(st->column2);
    kmv_free(st->norm);
    kmv_free(st->score);
    kmv_free(st->left);
    kmv_free(st->right);
    kmv_free(st);
}

static kmv_status reserve(state *s, const kmv_tile *tile, size_t r, kmv_error *err)
{
    const opts *o = s->options;
    const size_t n_q = s->problem.q->n, n_k = s->problem.k->n, d = s->problem.q->d;
    kmv_status st = KMV_ENOMEM;

    if ((s->centre = kmv_alloc(d, sizeof *s->centre, "centre", err)) == NULL ||
        (s->norm = kmv_alloc(n_k, sizeof *s->norm, "norms of values", err)) == NULL ||
        (s->score = kmv_alloc(n_k, sizeof *s->score, "scores", err)) == NULL ||
        (s->left = kmv_alloc(r, sizeof *s->left, "power method", err)) == NULL ||
        (s->right = kmv_alloc(r, sizeof *s->right, "power method", err)) == NULL)
        return st;
    if (o->form == PAPER &&
        ((s->log2_alpha = kmv_alloc(n_q, sizeof *s->log2_alpha, "densities", err)) == NULL ||
         (s->column2 = kmv_alloc(n_k, sizeof *s->column2, "column norms", err)) == NULL))
        return st;
    if ((st = kmv_key_sample_init(&s->sample, tile, o->samples, n_k, d, r, err)) != KMV_OK ||
        (st = kmv_block_room_init(&s->room, tile, o->samples < n_k ? o->samples : n_k, r,
                                  s->threads, err)) != KMV_OK)
        return st;
    return o->form == PAPER ? kmv_softmax_sums_init(&s->total, tile, n_q, r, err) : KMV_OK;
}

static void describe(const state *s, const kmv_prepare_context *context)
{
    const opts *o = s->options;
    const size_t n_q = s->problem.q->n, n_k = s->problem.k->n, d = s->problem.q->d;
    const size_t r = context->settings->r;

    if (o->form == PAPER) {
        snprintf(context->text, context->text_size,
                 "kdeformer: %zu draws by column norms from densities (%zu blocks exact, %zu draws "
                 "for the rest)",
                 o->samples, s->blocks.blocks, o->density);
        return;
    }
    snprintf(context->text, context->text_size,
             "kdeformer: %zu blocks of %zu keys, %zu draws; by the source's count %.4g of %.4g "
             "multiply-adds, %.3g times fewer",
             s->blocks.blocks, (n_k + s->blocks.blocks - 1) / s->blocks.blocks, o->samples,
             kmv_kdeformer_count(n_q, n_k, d, r, o->bits, o->block, o->samples),
             kmv_exact_attention_count(n_q, n_k, d, r),
             kmv_exact_attention_count(n_q, n_k, d, r) /
                 kmv_kdeformer_count(n_q, n_k, d, r, o->bits, o->block, o->samples));
}

/* Orders by hash, then blocks; densities where the form rests on them. */
static kmv_status build(state *s, const kmv_prepare_context *context, kmv_error *err)
{
    const opts *o = s->options;
    const kmv_problem *p = &s->problem;
    const size_t n_q = p->q->n, n_k = p->k->n;
    uint32_t *rank = kmv_alloc(n_q + n_k, sizeof *rank, "hashes", err);
    size_t *order = rank != NULL ? kmv_alloc(n_q + n_k, sizeof *order, "order", err) : NULL;
    kmv_status st = KMV_ENOMEM;

    if (order == NULL)
        goto out;
    kmv_rng_restart(s->sample.rng, context->key);
    if ((st = kmv_angular_ranks(p, context->tile, o->bits, o->centred, s->sample.rng, s->threads,
                                rank, rank + n_q, context->cost, err)) != KMV_OK)
        goto out;
    kmv_angular_sort(rank, o->bits, 0, n_q, order);
    kmv_angular_sort(rank + n_q, o->bits, 0, n_k, order + n_q);
    kmv_centre(p, s->centre);
    st = kmv_blocks_init(&s->blocks, p, context->tile, order, n_q, order + n_q, n_k, 0, o->block,
                         s->centre, s->threads, context->cost, err);
    if (st == KMV_OK && o->form == PAPER)
        st = kmv_kdeformer_densities(&s->blocks, order, order + n_q, s->centre, o->density,
                                     kmv_stream_key(context->key, "densities", 0), s->threads,
                                     s->log2_alpha, s->column2, context->cost, err);
    if (st == KMV_OK && o->form == PRACTICAL)
        st = kmv_values_init(&s->values, context->tile, s->blocks.k.n, context->settings->r, err);
out:
    kmv_free(rank);
    kmv_free(order);
    return st;
}

static kmv_status prepare(const kmv_problem *problem, const void *opt,
                          const kmv_prepare_context *context, void **out, kmv_error *err)
{
    state *s = kmv_alloc(1, sizeof *s, "state of kdeformer", err);
    kmv_status st;

    if (s == NULL)
        return KMV_ENOMEM;
    s->options = opt;
    s->problem = *problem;
    s->threads = context->threads;
    if ((st = reserve(s, context->tile, context->settings->r, err)) != KMV_OK ||
        (st = build(s, context, err)) != KMV_OK) {
        destroy(s);
        return st;
    }
    describe(s, context);
    *out = s;
    return KMV_OK;
}

/* ---- probabilities --------------------------------------------------------------------------- */

enum { POWER_STEPS = 8 };

/* |X|_op^2 / unit^2 from below: steps of the power method on X' X from the sum of its rows' squares
 * (never orthogonal to the leading vector unless that has mixed signs throughout). */
static double operator_norm2(const state *s, const double *x, size_t r, double unit, kmv_cost *cost)
{
    const size_t n = s->problem.k->n;
    const double factor = 1 / unit;
    double norm2 = 0;

    for (size_t c = 0; c < r; c++)
        s->left[c] = 1 + 0.5 * cos((double)c);
    for (int step = 0; step < POWER_STEPS; step++) {
        double length2 = 0, sum = 0;

        for (size_t c = 0; c < r; c++) {
            length2 += s->left[c] * s->left[c];
            s->right[c] = 0;
        }
        for (size_t j = 0; j < n; j++) {
            double dot = 0;

#pragma omp simd reduction(+ : dot)
            for (size_t c = 0; c < r; c++)
                dot += factor * x[j * r + c] * s->left[c];
            sum += dot * dot;
#pragma omp simd
            for (size_t c = 0; c < r; c++)
                s->right[c] += dot * factor * x[j * r + c];
        }
        norm2 = fmax(norm2, sum / length2);
        for (size_t c = 0; c < r; c++)
            s->left[c] = s->right[c] / sqrt(length2);
    }
    cost->flops += POWER_STEPS * 4.0 * (double)(n * r);
    return norm2;
}

static void set_scores(const state *s, const kmv_apply_context *context, double unit)
{
    const opts *o = s->options;
    const size_t n = s->problem.k->n, r = context->r;
    const double sum = kmv_value_norms(context->x, 0, n, r, unit, s->norm);
    double p_norm2 = (double)s->problem.q->n / (double)n, gamma;

    if (o->form == PRACTICAL) {
        for (size_t j = 0; j < n; j++)
            s->score[j] = o->share * s->norm[j] / sum + (1 - o->share) / (double)n;
        return;
    }
    for (size_t j = 0; j < n; j++)
        p_norm2 = fmax(p_norm2, s->column2[j]);
    gamma = p_norm2 / operator_norm2(s, context->x, r, unit, context->cost);
    for (size_t j = 0; j < n; j++)
        s->score[j] = s->column2[j] + gamma * s->norm[j] * s->norm[j];
}

/* ---- apply ----------------------------------------------------------------------------------- */

/* Numerators of the sample over denominators from densities. */
static void divide_by_densities(const state *s, size_t r, double unit, double *y)
{
    for (size_t i = 0; i < s->problem.q->n; i++) {
        const double factor = unit * exp2((double)s->total.top[i] - s->log2_alpha[i]);

        for (size_t c = 0; c < r; c++)
            y[i * r + c] = factor * s->total.y[i * s->total.ld + c];
    }
}

static kmv_status apply(void *state_, kmv_apply_context *context, kmv_error *err)
{
    state *s = state_;
    const opts *o = s->options;
    const size_t r = context->r;
    const double unit = kmv_values_common_unit(context->x, s->problem.k->n * r);
    const int practical = o->form == PRACTICAL;
    const int densities = !practical && o->denominator == FROM_DENSITY;

    (void)err;
    s->sample.count = 0;
    if (o->samples > 0) {
        set_scores(s, context, unit);
        kmv_rng_restart(s->sample.rng, context->key);
        kmv_key_sample_draw(&s->sample, s->score, 0, s->problem.k->n, o->samples);
        kmv_key_sample_pack(&s->sample, &s->blocks.problem, s->centre, NULL, s->threads,
                            context->cost);
        kmv_values_load_in_unit(&s->sample.values, &s->sample.keys, context->x, r, unit,
                                s->threads);
    }
    if (practical)
        kmv_values_load_in_unit(&s->values, &s->blocks.k, context->x, r, unit, s->threads);
    if (densities)
        kmv_softmax_sums_reset(&s->total, 0, s->problem.q->n);
    kmv_block_attend(
        &(kmv_block_parts){&s->blocks, practical ? &s->values : NULL, NULL, &s->sample}, &s->room,
        (kmv_block_target){densities ? &s->total : NULL, context->y}, context->cost);
    if (densities)
        divide_by_densities(s, r, unit, context->y);
    return KMV_OK;
}

const kmv_algo kmv_algo_kdeformer = {
    .name = "kdeformer",
    .summary = "keys of the same angular hash block exactly, the rest from a sample of keys",
    .guarantee = "form=paper: |y - PV|_op <= eps |P|_op |V|_op in the source, for densities of "
                 "small relative error, not certified; form=practical: none",
    .source = "Zandieh, Han, Daliri, Karbasi, ICML 2023 (arXiv 2302.02451)",
    .flags = KMV_CAN_SOFTMAX | KMV_CAN_COLUMNS | KMV_CAN_SIGNED | KMV_IS_RANDOM,
    .options = options,
    .options_size = sizeof(opts),
    .reject = reject,
    .prepare = prepare,
    .apply = apply,
    .destroy = destroy,
};

/* algo/auto_softmax.c - see auto_softmax.h. */
#include "algo/auto_softmax.h"

#include <math.h>
#include <stdio.h>

#include "algo/failed_product.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/rng.h"

extern const kmv_algo kmv_algo_exact;

enum {
    SMALLEST = 1024, /* points, below which exact is chosen at once */
    ATTEMPTS = 2,    /* products with samples, before every key */
    TEXT = 400
};

/* What exact rows are off by, relative to |V|: exponents of floats or of two bfloat16 parts,
 * entries of 16 bits. Measured: docs/certificate.md. */
static const double ROUNDING = 1e-5, ROUNDING_TWO_PARTS = 5e-5;

/* With fewer bits than that even every key, as leaf_engine computes it, may miss eps. */
static const double LEAST_EPS = 1e-4;

struct kmv_auto_softmax {
    const kmv_problem *problem;
    const kmv_auto_softmax_options *options;
    double eps, delta;
    void *exact;                /* state of exact, or NULL */
    kmv_leaf_engine *attention; /* else */
    kmv_leaf_options how;       /* of it */
    kmv_leaf_product *product;  /* for rows of the certificate */
    kmv_certifier *certifier;
    kmv_failed_product failed;
    char detail[TEXT];
    char *text;
    size_t text_size;
};

void kmv_auto_softmax_destroy(kmv_auto_softmax *a)
{
    if (a == NULL)
        return;
    kmv_algo_exact.destroy(a->exact);
    kmv_leaf_engine_destroy(a->attention);
    kmv_certifier_destroy(a->certifier);
    kmv_failed_product_clear(&a->failed);
    kmv_leaf_product_destroy(a->product);
    kmv_free(a);
}

static kmv_status make_certifier(kmv_auto_softmax *a, const kmv_problem *problem,
                                 const kmv_prepare_context *context, kmv_error *err)
{
    const kmv_auto_softmax_options *o = a->options;
    /* One more than the product has: its own rounding must be seen. */
    const int parts = kmv_leaf_engine_parts(a->attention) == 1 ? 2 : KMV_ATTEND_PARTS_MAX;
    kmv_certifier_setup setup = {.problem = problem,
                                 .columns = context->settings->r,
                                 .rows = o->rows,
                                 .kind = o->certify,
                                 .share = o->share,
                                 .rounding =
                                     parts < KMV_ATTEND_PARTS_MAX ? ROUNDING_TWO_PARTS : ROUNDING,
                                 .threads = context->threads};
    kmv_status st;

    if (o->certify == KMV_CERTIFY_NONE)
        return KMV_OK;
    if ((st = kmv_leaf_product_create(problem, context->tile, parts, o->rows, setup.columns,
                                      context->threads, &a->product, context->cost, err)) != KMV_OK)
        return st;
    if (o->grow && (st = kmv_failed_product_init(&a->failed, problem->q->n * context->settings->r,
                                                 err)) != KMV_OK)
        return st;
    setup.product = a->product;
    return kmv_certifier_create(&setup, &a->certifier, err);
}

static kmv_status take_exact(kmv_auto_softmax *a, const kmv_problem *problem,
                             const kmv_prepare_context *context, const char *why, kmv_error *err)
{
    kmv_prepare_context inner = *context;
    kmv_status st;

    inner.text = a->detail;
    inner.text_size = sizeof a->detail;
    if ((st = kmv_algo_exact.prepare(problem, NULL, &inner, &a->exact, err)) == KMV_OK)
        snprintf(a->text, a->text_size, "auto: exact, %s", why);
    return st;
}

kmv_status kmv_auto_softmax_create(const kmv_problem *problem,
                                   const kmv_auto_softmax_options *options,
                                   const kmv_prepare_context *context, kmv_auto_softmax **out,
                                   kmv_error *err)
{
    kmv_auto_softmax *a = kmv_alloc(1, sizeof *a, "planner of attention", err);
    kmv_prepare_context inner = *context;
    const int small = problem->q->n < SMALLEST || problem->k->n < SMALLEST;
    kmv_status st;

    if (a == NULL)
        return KMV_ENOMEM;
    a->problem = problem;
    a->options = options;
    a->eps = context->settings->eps;
    a->delta = context->settings->delta;
    a->text = context->text;
    a->text_size = context->text_size;
    inner.text = a->detail;
    inner.text_size = sizeof a->detail;
    if (options->exact)
        st = take_exact(a, problem, context, "as asked", err);
    else if (small)
        st = take_exact(a, problem, context, "since there are few points", err);
    else if (kmv_leaf_engine_too_large(problem, context->tile))
        st = take_exact(a, problem, context, "since scores of leaves would take too much memory",
                        err);
    else if (a->eps < LEAST_EPS)
        st = take_exact(a, problem, context, "since eps is near what rounding leaves", err);
    else if ((st = kmv_leaf_engine_create(problem, &a->how, &inner, &a->attention, err)) == KMV_OK)
        st = make_certifier(a, problem, context, err);
    if (st != KMV_OK) {
        kmv_auto_softmax_destroy(a);
        return st;
    }
    if (a->attention != NULL)
        snprintf(a->text, a->text_size, "auto: %s", a->detail);
    *out = a;
    return KMV_OK;
}

/* Judge the product; returns whether it may be given out. */
static int judge(kmv_auto_softmax *a, kmv_apply_context *context, uint64_t key, size_t attempt)
{
    const double start = kmv_now_s(),
                 before = isnan(context->t_certify_s) ? 0 : context->t_certify_s;
    kmv_certificate found;

    kmv_certify(a->certifier, context, kmv_stream_key(key, "certificate", attempt),
                a->delta / (ATTEMPTS + 1), &found);
    context->t_certify_s = before + kmv_now_s() - start;
    context->err_est = found.err_est;
    context->bound = found.bound;
    context->bound_kind = a->options->certify == KMV_CERTIFY_RANGE ? "range" : "model";
    snprintf(a->text, a->text_size,
             "auto: %s; product %zu; at most %.2g of the rows err by more than %.3g |V|", a->detail,
             attempt + 1, found.share, found.row_max);
    return found.err_est <= a->eps;
}

kmv_status kmv_auto_softmax_apply(kmv_auto_softmax *a, kmv_apply_context *context, kmv_error *err)
{
    const uint64_t key = context->key;
    size_t attempts = 1;
    double growth = 1;
    kmv_status st = KMV_OK;

    if (a->exact != NULL)
        return kmv_algo_exact.apply(a->exact, context, err);
    if (a->options->grow && a->certifier != NULL && !kmv_leaf_engine_plan(a->attention)->all)
        attempts = ATTEMPTS + 1; /* else the same would be computed again */
    kmv_failed_product_keep(&a->failed, NULL, 0);
    for (size_t attempt = 0; attempt < attempts; attempt++) {
        const int last = attempt == ATTEMPTS; /* every leaf: better alone */

        context->key = kmv_stream_key(key, "attempt", attempt);
        if ((st = kmv_leaf_engine_apply(a->attention, last ? INFINITY : growth * a->options->effort,
                                        context, err)) != KMV_OK)
            break;
        if (!last)
            kmv_failed_product_add(&a->failed, growth, context->y);
        if (a->certifier == NULL) {
            snprintf(a->text, a->text_size, "auto: %s", a->detail);
            break;
        }
        if (judge(a, context, key, attempt))
            break;
        growth = kmv_failed_product_growth(context->err_est, a->eps);
        if (attempt + 1 < attempts)
            kmv_failed_product_keep(&a->failed, context->y, a->problem->q->n * context->r);
    }
    context->key = key;
    return st;
}

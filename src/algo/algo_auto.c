/* algo/algo_auto.c - the planner: prepares the plan that is the cheapest to meet eps, certifies
 * what it returns, and grows the plan where that fails. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "algo/auto_choice.h"
#include "algo/auto_softmax.h"
#include "algo/certificate.h"
#include "algo/failed_product.h"
#include "algo/rounding.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/rng.h"
#include "gauss/reference.h"

enum { ATTEMPTS = 2 /* products with samples, before exact */ };

/* Times the samples, at the least, of a product that replaces one whose certificate failed: half
 * the error. */
static const double REPLACED = 4;

typedef struct {
    int certify, calibrate, only, grow;
    size_t rows, pilot, applies;
    double share, effort;
} opts;

static const kmv_option options[] = {
    {"certify", KMV_OPT_ENUM, offsetof(opts, certify), "model", 0, 0,
     "bound on the error of every product that is not exact", KMV_CERTIFY_CHOICES},
    {"rows", KMV_OPT_SIZE, offsetof(opts, rows), "256", 2, 1e6, "rows of the certificate", NULL},
    {"share", KMV_OPT_REAL, offsetof(opts, share), "0.5", 0, 0.95,
     "of them drawn by |y_i|^2, the others uniformly", NULL},
    {"grow", KMV_OPT_BOOL, offsetof(opts, grow), "yes", 0, 0,
     "more samples, at last exact, where the certificate finds the error above eps", NULL},
    {"applies", KMV_OPT_SIZE, offsetof(opts, applies), "1", 1, 1e9,
     "products that the preparation is to serve", NULL},
    {"pilot", KMV_OPT_SIZE, offsetof(opts, pilot), "64", 4, 1e6,
     "rows computed exactly for planning, at most", NULL},
    {"calibrate", KMV_OPT_ENUM, offsetof(opts, calibrate), "nominal", 0, 0,
     "speeds that costs are compared by; measured ones make plans depend on the clock",
     "nominal|measured"},
    {"only", KMV_OPT_ENUM, offsetof(opts, only), "any", 0, 0,
     "the candidate to take, whatever its cost", "any|exact|importance|probe|leaves|lsh"},
    {"effort", KMV_OPT_REAL, offsetof(opts, effort), "1", 0.001, 1000,
     "times the samples (and tables, below 1) planned; below 1 sabotages, for tests of "
     "certificates",
     NULL},
    {0},
};

typedef struct {
    const kmv_problem *problem;
    const opts *options;
    double eps, delta;
    kmv_pilot pilot;
    kmv_auto_choice choice;
    void *state;              /* of the chosen candidate */
    kmv_reference *reference; /* float64 instead, where it is not NULL */
    kmv_certifier *certifier;
    kmv_failed_product failed;
    kmv_auto_softmax *softmax; /* for softmax: instead of all of it */
    kmv_auto_softmax_options how;
    char detail[320]; /* what the candidate says of itself */
    char *text;       /* of the plan */
    size_t text_size;
} planner;

/* Places in the list of `only`: any, exact, then the candidates, of which the last does softmax. */
enum { ONLY_LEAVES = 4 };

static const char *reject(const kmv_problem *problem, const void *opt, size_t r)
{
    const opts *o = opt;

    (void)r;
    return problem->matrix == KMV_SOFTMAX && o->only > KMV_AUTO_EXACT && o->only != ONLY_LEAVES
               ? "softmax knows only=any, exact and leaves"
               : NULL;
}

static void destroy(void *state)
{
    planner *p = state;

    if (p == NULL)
        return;
    if (p->choice.candidate != NULL)
        p->choice.candidate->destroy(p->state);
    kmv_auto_choice_clear(&p->choice);
    kmv_certifier_destroy(p->certifier);
    kmv_failed_product_clear(&p->failed);
    kmv_reference_destroy(p->reference);
    kmv_pilot_clear(&p->pilot);
    kmv_auto_softmax_destroy(p->softmax);
    kmv_free(p);
}

static kmv_status make_certifier(planner *p, const kmv_prepare_context *context, kmv_error *err)
{
    const kmv_certifier_setup setup = {.problem = p->problem,
                                       .centre = p->pilot.centre,
                                       .keys = &p->pilot.keys,
                                       .workspace = p->pilot.workspace,
                                       .columns = context->settings->r,
                                       .rows = p->options->rows,
                                       .kind = (kmv_certify_kind)p->options->certify,
                                       .share = p->options->share,
                                       .rounding = p->choice.rounding,
                                       .threads = context->threads};
    kmv_status st;

    if (p->options->certify == KMV_CERTIFY_NONE)
        return KMV_OK;
    if ((st = kmv_pilot_pack_keys(&p->pilot, context->cost, err)) != KMV_OK ||
        (p->options->grow && !p->choice.candidate->biased &&
         (st = kmv_failed_product_init(&p->failed, p->problem->q->n * setup.columns, err)) !=
             KMV_OK))
        return st;
    return kmv_certifier_create(&setup, &p->certifier, err);
}

static kmv_status choose(planner *p, const kmv_prepare_context *context, kmv_error *err)
{
    const opts *o = p->options;
    const kmv_auto_choice_options asked = {.only = o->only,
                                           .calibrate = o->calibrate,
                                           .applies = o->applies,
                                           .certified_rows =
                                               o->certify == KMV_CERTIFY_NONE ? 0 : o->rows};
    kmv_status st;

    if ((st = kmv_pilot_init(&p->pilot, p->problem, context, o->pilot, err)) != KMV_OK)
        return st;
    return kmv_auto_choose(p->problem, &asked, context, &p->pilot, &p->choice, err);
}

/* What the chosen plan needs of its own and of the pilot, and no more. */
static kmv_status prepare_chosen(planner *p, const kmv_prepare_context *context, kmv_error *err)
{
    const kmv_candidate *chosen = p->choice.candidate;
    void *draft = p->choice.draft;
    kmv_status st;

    if (p->choice.float64) {
        kmv_pilot_drop_entries(&p->pilot);
        kmv_pilot_drop_points(&p->pilot);
        return kmv_reference_create(p->problem, context->settings->r, context->tile->name,
                                    context->threads, &p->reference, err);
    }
    if ((chosen == NULL || !chosen->own_points) &&
        ((st = kmv_pilot_pack_keys(&p->pilot, context->cost, err)) != KMV_OK ||
         (st = kmv_pilot_pack_queries(&p->pilot, context->cost, err)) != KMV_OK))
        return st;
    p->choice.draft = NULL; /* consumed even on failure */
    if (chosen != NULL &&
        ((st = chosen->prepare(p->problem, context, &p->pilot, draft, &p->state, err)) != KMV_OK ||
         (st = make_certifier(p, context, err)) != KMV_OK))
        return st;
    kmv_pilot_drop_entries(&p->pilot);
    if (chosen != NULL && chosen->own_points && p->certifier == NULL)
        kmv_pilot_drop_points(&p->pilot);
    /* Whatever a product may come to need: exact at once, or after failing certificates. */
    return chosen == NULL || p->certifier != NULL ? kmv_pilot_reserve(&p->pilot, err) : KMV_OK;
}

static kmv_status prepare(const kmv_problem *problem, const void *opt,
                          const kmv_prepare_context *context, void **out, kmv_error *err)
{
    const opts *o = opt;
    kmv_prepare_context inner = *context;
    planner *p = kmv_alloc(1, sizeof *p, "planner", err);
    kmv_status st;

    if (p == NULL)
        return KMV_ENOMEM;
    p->problem = problem;
    p->options = o;
    p->eps = context->settings->eps;
    p->delta = context->settings->delta;
    p->text = context->text;
    p->text_size = context->text_size;
    inner.text = p->detail;
    inner.text_size = sizeof p->detail;
    if (problem->matrix == KMV_SOFTMAX && o->only != KMV_AUTO_EXACT && p->eps < KMV_ROUNDING) {
        p->choice.float64 = 1;
        snprintf(p->choice.why, sizeof p->choice.why,
                 "auto: exact-f64, since float32 may be off by %g |V|, more than eps",
                 KMV_ROUNDING);
        st = prepare_chosen(p, &inner, err);
    } else if (problem->matrix == KMV_SOFTMAX) {
        p->how = (kmv_auto_softmax_options){.certify = (kmv_certify_kind)o->certify,
                                            .rows = o->rows,
                                            .share = o->share,
                                            .grow = o->grow,
                                            .exact = o->only == KMV_AUTO_EXACT,
                                            .effort = o->effort};
        st = kmv_auto_softmax_create(problem, &p->how, context, &p->softmax, err);
    } else if ((st = choose(p, &inner, err)) == KMV_OK) {
        st = prepare_chosen(p, &inner, err);
    }
    if (st == KMV_OK && p->softmax == NULL)
        snprintf(p->text, p->text_size, "%s", p->choice.why);
    if (st == KMV_OK)
        *out = p;
    else
        destroy(p);
    return st;
}

/* ---- products -------------------------------------------------------------------------------- */

/* Another product is needed. Sets *effort, in terms of the one before, and keeps that if the next
 * is to be added to it. */
static void grow(planner *p, const kmv_apply_context *context, double err_est, double *effort)
{
    const double growth = kmv_failed_product_growth(err_est, p->eps);

    if (p->choice.candidate->biased) {
        *effort = fmax(REPLACED, 1 + growth);
        return;
    }
    *effort = growth;
    kmv_failed_product_keep(&p->failed, context->y, p->problem->q->n * context->r);
}

/* Squared error over |x|^2 of the latest product that the certificate's rows may not have met. */
static double unseen2(const planner *p)
{
    const kmv_candidate *candidate = p->choice.candidate;

    return candidate->unseen2 != NULL ? candidate->unseen2(p->state) : p->choice.forecast.unseen2;
}

/* Products of the chosen candidate until a certificate finds the error within eps, at last exact.
 * Each certificate has rows of its own and its part of delta. */
static kmv_status sampled_product(planner *p, kmv_apply_context *context, kmv_error *err)
{
    const opts *o = p->options;
    const uint64_t key = context->key;
    const int may_grow = o->grow && p->certifier != NULL;
    const size_t attempts = may_grow ? ATTEMPTS : 1;
    double effort = 1, certify_s = 0;
    kmv_certificate found = {NAN, NAN, NAN, NAN};
    kmv_status st = KMV_OK;

    kmv_failed_product_keep(&p->failed, NULL, 0);
    for (size_t a = 0; a < attempts; a++) {
        double start;

        context->key = kmv_stream_key(key, "attempt", a);
        if ((st = p->choice.candidate->apply(p->state, effort * o->effort, context, err)) != KMV_OK)
            goto out;
        kmv_failed_product_add(&p->failed, effort, context->y);
        if (p->certifier == NULL) {
            snprintf(p->text, p->text_size, "%s; %s", p->choice.why, p->detail);
            goto out;
        }
        start = kmv_now_s();
        kmv_certify(p->certifier, context, kmv_stream_key(key, "certificate", a),
                    p->delta / (double)attempts, &found);
        certify_s += kmv_now_s() - start;
        context->err_est = found.err_est;
        if (found.err_est <= p->eps || !may_grow) {
            context->bound = o->certify == KMV_CERTIFY_RANGE
                                 ? found.bound
                                 : sqrt(found.bound * found.bound + unseen2(p));
            context->bound_kind = o->certify == KMV_CERTIFY_RANGE ? "range" : "model";
            context->t_certify_s = certify_s;
            snprintf(p->text, p->text_size,
                     "%s; %s; product %zu; at most %.2g of the rows err by more than %.3g |x|",
                     p->choice.why, p->detail, a + 1, found.share, found.row_max);
            goto out;
        }
        grow(p, context, found.err_est, &effort);
    }
    if ((st = kmv_pilot_product(&p->pilot, context->x, context->r, context->y, context->cost,
                                err)) != KMV_OK)
        goto out;
    context->err_est = NAN; /* it was of another y */
    context->t_certify_s = certify_s;
    snprintf(p->text, p->text_size,
             "%s; then exact, since after %zu products the certificate still found %.3g |x|",
             p->choice.why, attempts, found.err_est);
out:
    context->key = key;
    return st;
}

static kmv_status apply(void *state, kmv_apply_context *context, kmv_error *err)
{
    planner *p = state;

    if (p->softmax != NULL)
        return kmv_auto_softmax_apply(p->softmax, context, err);
    if (p->reference != NULL) {
        kmv_reference_apply(p->reference, NULL, p->problem->q->n, context->x, context->r,
                            context->y);
        context->cost->pairs += kmv_problem_pairs(p->problem);
        context->cost->flops += kmv_reference_flops(p->problem, context->r);
        return KMV_OK;
    }
    if (p->choice.candidate == NULL)
        return kmv_pilot_product(&p->pilot, context->x, context->r, context->y, context->cost, err);
    return sampled_product(p, context, err);
}

const kmv_algo kmv_algo_auto = {
    .name = "auto",
    .summary = "the cheapest of exact and the sampling methods that a pilot predicts to meet eps",
    .guarantee = "|y - Kx| <= eps |x| predicted from a pilot, judged by a certificate on fresh "
                 "rows (certify=range: its bound is proved; model: coverage measured), else exact",
    .source = "this program",
    .flags = KMV_CAN_GAUSS | KMV_CAN_SOFTMAX | KMV_CAN_CAUSAL | KMV_CAN_COLUMNS | KMV_CAN_SIGNED |
             KMV_CAN_HEADS | KMV_USES_EPS | KMV_IS_RANDOM | KMV_ANY_EPS,
    .options = options,
    .options_size = sizeof(opts),
    .reject = reject,
    .prepare = prepare,
    .apply = apply,
    .destroy = destroy,
};

/* algo/algo_probe.c - the practical method: what is large is found and computed, the rest is
 * sampled. For Gaussian matrices single entries are searched for (probe_product.c), for softmax
 * leaves of keys are visited (leaf_engine.c). */
#include <math.h>
#include <stddef.h>

#include "algo/leaf_engine.h"
#include "algo/probe.h"
#include "base/mem.h"
#include "base/status.h"

typedef struct {
    kmv_probe *search; /* one of the two */
    kmv_leaf_engine *leaves;
    kmv_leaf_options options;
} state;

enum { BITS_APART = 16, CELL = 48 }; /* defaults, as below */

static const kmv_option options[] = {
    {"samples", KMV_OPT_SIZE, offsetof(kmv_probe_options, samples), "0", 0, 1e9,
     "columns to draw, expected; 0: set from eps and x", NULL},
    {"radius", KMV_OPT_REAL, offsetof(kmv_probe_options, radius), "0", 0, 1e30,
     "squared distance to which cells are visited; 0: set from eps and the pilot", NULL},
    {"bits_apart", KMV_OPT_SIZE, offsetof(kmv_probe_options, bits_apart), "16", 0, 64,
     "with a radius given: bits in which sketches of a pair may differ", NULL},
    {"heavy", KMV_OPT_REAL, offsetof(kmv_probe_options, heavy), "0", 0, 1,
     "entries above are searched for and kept; 0: eps / 30", NULL},
    {"pilot", KMV_OPT_SIZE, offsetof(kmv_probe_options, pilot), "0", 0, 1e6,
     "rows computed exactly; 0: 64 (leaves: 192, or n_q / 16 but two blocks at the least; softmax: "
     "twice as many where few entries decide, whatever was asked)",
     NULL},
    {"cell", KMV_OPT_SIZE, offsetof(kmv_probe_options, cell), "48", 1, 1e6,
     "fewest keys per cell, on average", NULL},
    {"safety", KMV_OPT_REAL, offsetof(kmv_probe_options, safety), "0", 0, 1000,
     "the predicted rms error is eps / safety; 0: 1.25, leaves 1.07 (1 + r^-1/2) (gauss 1.5)",
     NULL},
    {"clip", KMV_OPT_BOOL, offsetof(kmv_probe_options, clip), "yes", 0, 1,
     "search all queries for sampled columns, so that no heavy pair gets weight 1/p", NULL},
    {"shrink", KMV_OPT_BOOL, offsetof(kmv_probe_options, shrink), "yes", 0, 1,
     "weigh the sampled part by lambda; no: lambda = 1, unbiased", NULL},
    {"engine", KMV_OPT_ENUM, offsetof(kmv_probe_options, engine), "auto", 0, 0,
     "search for entries or visit leaves; auto: leaves for softmax and under a mask",
     "auto|search|leaves"},
    {"least_share", KMV_OPT_REAL, offsetof(kmv_probe_options, least_share), "0", 0, 1e9,
     "leaves: visit those whose predicted share of a block's mass (gauss: mass) is that large; 0: "
     "chosen by the pilot",
     NULL},
    {"parts", KMV_OPT_SIZE, offsetof(kmv_probe_options, parts), "0", 0, 3,
     "leaves on a matrix unit: bfloat16 parts of a number; 0: 1 for eps >= 0.02, else 2", NULL},
    {0},
};

static int uses_eps(const void *opt)
{
    const kmv_probe_options *o = opt;

    return o->samples == 0 || !((o->radius > 0 && o->heavy > 0 && o->pilot > 0) ||
                                (o->least_share > 0 && o->parts > 0));
}

static int takes_leaves(const kmv_problem *problem, const kmv_probe_options *o)
{
    return o->engine == 2 ||
           (o->engine == 0 && (problem->matrix == KMV_SOFTMAX || problem->causal));
}

/* Options of one engine mean nothing to the other; what was asked for is not left aside silently.
 */
static const char *reject(const kmv_problem *problem, const void *opt, size_t r)
{
    const kmv_probe_options *o = opt;

    (void)r;
    if (problem->k->n > UINT32_MAX || problem->q->n > UINT32_MAX)
        return "more than 2^32 points";
    if (takes_leaves(problem, o)) {
        if (o->radius > 0 || o->heavy > 0)
            return "options radius and heavy are for engine = search";
        return o->bits_apart != BITS_APART || o->cell != CELL || !o->clip || !o->shrink
                   ? "options bits_apart, cell, clip and shrink are for engine = search"
                   : NULL;
    }
    if (problem->matrix == KMV_SOFTMAX || problem->causal)
        return "engine = search does gauss matrices without a mask";
    return o->least_share > 0 || o->parts > 0
               ? "options least_share and parts are for engine = leaves"
               : NULL;
}

static void destroy(void *s)
{
    state *st = s;

    if (st == NULL)
        return;
    kmv_probe_destroy(st->search);
    kmv_leaf_engine_destroy(st->leaves);
    kmv_free(st);
}

static kmv_status prepare(const kmv_problem *problem, const void *opt,
                          const kmv_prepare_context *context, void **out, kmv_error *err)
{
    const kmv_probe_options *o = opt;
    state *s;
    kmv_status st;

    if (o->safety > 0 && o->safety < 1)
        return kmv_fail(err, KMV_EINVAL, "probe: safety: want 0 or a number in [1, 1000], got %g",
                        o->safety);
    if ((s = kmv_alloc(1, sizeof *s, "state of probe", err)) == NULL)
        return KMV_ENOMEM;
    s->options = (kmv_leaf_options){.samples = o->samples,
                                    .pilot = o->pilot,
                                    .least_share = o->least_share,
                                    .safety = o->safety,
                                    .parts = (int)o->parts};
    st = takes_leaves(problem, o)
             ? kmv_leaf_engine_create(problem, &s->options, context, &s->leaves, err)
             : kmv_probe_create(problem, o, context, INFINITY, &s->search, err);
    if (st != KMV_OK) {
        destroy(s);
        return st;
    }
    *out = s;
    return KMV_OK;
}

static kmv_status apply(void *s, kmv_apply_context *context, kmv_error *err)
{
    state *st = s;

    return st->search != NULL ? kmv_probe_apply(st->search, context, err)
                              : kmv_leaf_engine_apply(st->leaves, 1, context, err);
}

const kmv_algo kmv_algo_probe = {
    .name = "probe",
    .summary =
        "large entries, or leaves of keys that hold them, found and computed; the rest sampled",
    .guarantee = "with clip=no, shrink=no unbiased, E|y - Gx|^2 = sum_j x_j^2 (1/p_j - 1) c_j^2 "
                 "(proved), c_j of what was not found; by default rms error eps / safety as "
                 "predicted by a pilot of exact rows (not proved)",
    .source = "docs/method.md, docs/attention.md; sketches: Charikar 2002, cells by margin: Lv et "
              "al. 2007",
    .flags = KMV_CAN_GAUSS | KMV_CAN_SOFTMAX | KMV_CAN_CAUSAL | KMV_CAN_COLUMNS | KMV_CAN_SIGNED |
             KMV_CAN_HEADS | KMV_USES_EPS | KMV_IS_RANDOM,
    .options = options,
    .options_size = sizeof(kmv_probe_options),
    .reject = reject,
    .uses_eps = uses_eps,
    .prepare = prepare,
    .apply = apply,
    .destroy = destroy,
};

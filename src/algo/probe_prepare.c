/* algo/probe_prepare.c - everything of `probe` that does not depend on x: one pass over the keys,
 * the choice of the search, the search, the rows that check products, and their room. */
#include <math.h>
#include <stdlib.h>

#include "algo/pilot.h"
#include "algo/probe.h"
#include "algo/probe_choice.h"
#include "algo/probe_keys.h"
#include "algo/probe_search.h"
#include "base/mem.h"
#include "base/rng.h"

enum { CENTRE_SAMPLE = 1024 };

/* Some points of the problem, in steps: enough for a centre. */
static kmv_problem strided(const kmv_problem *problem, kmv_points *q, kmv_points *k)
{
    kmv_problem out = *problem;
    kmv_points *sets[2] = {q, k};

    *q = *problem->q;
    *k = *problem->k;
    for (size_t s = 0; s < 2; s++) {
        const size_t step = sets[s]->n > CENTRE_SAMPLE ? sets[s]->n / CENTRE_SAMPLE : 1;

        sets[s]->n /= step;
        sets[s]->ld *= step;
    }
    out.q = q;
    out.k = k;
    return out;
}

int kmv_probe_caught(const kmv_probe *p, size_t i, uint32_t key)
{
    const unsigned apart = (unsigned)__builtin_popcountll(p->word_q[i] ^ p->word_k[key]);

    return (p->options->clip && apart <= p->rule.bits_apart) || kmv_probe_retrieved(p, i, key);
}

/* Check row c is pilot row c pilot->n / checks. Of its entries remain those that neither the search
 * nor clipping takes out; the pilot knows all heavy ones. */
static kmv_status set_check_rows(kmv_probe *p, kmv_probe_pilot *pilot, kmv_error *err)
{
    const size_t n = pilot->kept, n_k = p->problem.k->n;
    size_t c = 0;

    if ((p->check = kmv_alloc(n, sizeof *p->check, "check rows", err)) == NULL)
        return KMV_ENOMEM;
    p->checks = n;
    p->light = pilot->entry;
    pilot->entry = NULL;
    for (size_t i = 0; i < n; i++)
        p->check[i] = pilot->row[i * pilot->n / n];
    for (size_t t = 0; p->heavy != NULL && t < pilot->heavy.count; t++) {
        const kmv_heavy_entry *e = &pilot->heavy.entry[t];

        while (c < n && c * pilot->n / n < e->row)
            c++;
        if (c < n && c * pilot->n / n == e->row && kmv_probe_caught(p, p->check[c], e->key))
            p->light[c * n_k + e->key] = 0;
    }
    return KMV_OK;
}

static kmv_status reserve_product(kmv_probe *p, const kmv_prepare_context *context, kmv_error *err)
{
    const size_t n_k = p->problem.k->n, n_q = p->problem.q->n, r = context->settings->r;
    const size_t keys = n_k < KMV_PROBE_CHUNK ? n_k : KMV_PROBE_CHUNK;
    const size_t queries = n_q < KMV_PROBE_CHUNK ? n_q : KMV_PROBE_CHUNK;
    const size_t d = p->problem.k->d;
    kmv_status st;

    if ((p->part = kmv_alloc(queries * r, sizeof(double), "products of a chunk", err)) == NULL ||
        (p->residual = kmv_alloc(p->checks * r, sizeof(double), "residuals", err)) == NULL ||
        (p->estimate = kmv_alloc(p->checks * r, sizeof(double), "estimates", err)) == NULL ||
        (p->column = kmv_alloc(n_k, sizeof(float), "a column of x", err)) == NULL ||
        (p->x2 = kmv_alloc(n_k, sizeof(double), "norms of x", err)) == NULL ||
        (p->score = kmv_alloc(n_k, sizeof(double), "scores", err)) == NULL ||
        (p->p = kmv_alloc(n_k, sizeof(double), "probabilities", err)) == NULL ||
        (p->in_s = kmv_alloc(n_k, sizeof(double), "weights of columns", err)) == NULL ||
        (p->weight = kmv_alloc(n_k, sizeof(double), "weights of the sample", err)) == NULL ||
        (p->index = kmv_alloc(n_k, sizeof(size_t), "sample", err)) == NULL ||
        (p->rng = kmv_rng_create(context->key, err)) == NULL)
        return KMV_ENOMEM;
    if ((st = kmv_packed_init(&p->queries, p->tile, KMV_QUERIES, queries, d, 0, err)) != KMV_OK ||
        (st = kmv_packed_init(&p->keys, p->tile, KMV_KEYS, keys, d, 1, err)) != KMV_OK)
        return st;
    return kmv_workspace_create(p->tile, queries, keys, r, p->threads, &p->workspace, err);
}

/* As many as take no more than half the room of the points, but 64. */
static size_t check_size(const kmv_probe *p)
{
    const size_t d = p->problem.k->d, wish = d < 32 ? 64 : 2 * d;
    const size_t most = wish < KMV_PROBE_CHECK ? wish : KMV_PROBE_CHECK;

    return p->pilot_rows < most ? p->pilot_rows : most;
}

/* What the pilot is too small to see, the wider search of `refine` does. */
static size_t pilot_size(const kmv_probe *p)
{
    const size_t rows = p->options->pilot > 0 ? p->options->pilot : KMV_PROBE_PILOT;

    return rows < p->problem.q->n ? rows : p->problem.q->n;
}

kmv_status kmv_probe_create(const kmv_problem *problem, const kmv_probe_options *options,
                            const kmv_prepare_context *context, double most, kmv_probe **out,
                            kmv_error *err)
{
    const size_t n_k = problem->k->n, n_q = problem->q->n, d = problem->k->d;
    kmv_probe *p = kmv_alloc(1, sizeof *p, "state of probe", err);
    kmv_points some_q, some_k;
    kmv_problem sampled;
    kmv_probe_pilot pilot = {0};
    float *norm2 = NULL;
    kmv_status st = KMV_ENOMEM;

    if (p == NULL)
        return KMV_ENOMEM;
    p->problem = *problem;
    p->options = options;
    p->tile = context->tile;
    p->threads = context->threads;
    p->eps = options->safety > 0 ? context->settings->eps : kmv_planned_eps(context->settings);
    p->text = context->text;
    p->text_size = context->text_size;
    p->pilot_rows = pilot_size(p);
    p->rule.tau = (float)(options->heavy > 0 ? options->heavy : p->eps / 30);
    if ((p->centre = kmv_alloc(d, sizeof(double), "centre", err)) == NULL ||
        (p->shift = kmv_alloc(problem->k->ld, sizeof(float), "shift", err)) == NULL ||
        (p->word_q = kmv_alloc(n_q, sizeof(uint64_t), "sketches of queries", err)) == NULL ||
        (p->word_k = kmv_alloc(n_k, sizeof(uint64_t), "sketches of keys", err)) == NULL ||
        (p->c2 = kmv_alloc(n_k, sizeof(float), "column norms", err)) == NULL ||
        (norm2 = kmv_alloc(n_k, sizeof(float), "norms of keys", err)) == NULL)
        goto out;
    kmv_visit_shift(problem, p->shift);
    sampled = strided(problem, &some_q, &some_k);
    kmv_centre(&sampled, p->centre);
    if ((st = kmv_sketcher_init(&p->sketcher, problem,
                                kmv_stream_key(context->key, "directions", 0), err)) != KMV_OK ||
        (st = kmv_probe_pilot_init(&pilot, problem, p->centre, p->pilot_rows, check_size(p),
                                   p->tile, kmv_stream_key(context->key, "pilot", 0), context->cost,
                                   err)) != KMV_OK ||
        (st = kmv_probe_pass_over_keys(p, &pilot, norm2, context->cost, err)) != KMV_OK ||
        (st = kmv_probe_choose_search(p, &pilot, most, context->cost, err)) != KMV_OK)
        goto out;
    if (!(p->forecast.sample <= most)) {
        *out = NULL;
        goto out;
    }
    if (p->forecast.searches) {
        if ((st = kmv_probe_search_all(p, context->cost, err)) != KMV_OK)
            goto out;
        kmv_probe_choose_clipping(p);
    }
    kmv_probe_estimate_columns(p, &pilot, norm2);
    if ((st = set_check_rows(p, &pilot, err)) != KMV_OK ||
        (st = reserve_product(p, context, err)) != KMV_OK)
        goto out;
    *out = p;
    p = NULL;
out:
    kmv_probe_pilot_clear(&pilot);
    kmv_free(norm2);
    kmv_probe_destroy(p);
    return st;
}

void kmv_probe_destroy(kmv_probe *p)
{
    if (p == NULL)
        return;
    kmv_probe_free_chunks(p->heavy, p->chunks);
    kmv_sketcher_clear(&p->sketcher);
    kmv_partition_clear(&p->partition);
    kmv_packed_clear(&p->queries);
    kmv_packed_clear(&p->keys);
    kmv_workspace_destroy(p->workspace);
    if (p->rng != NULL)
        gsl_rng_free(p->rng);
    kmv_free(p->centre);
    kmv_free(p->shift);
    kmv_free(p->place);
    kmv_free(p->word_q);
    kmv_free(p->word_k);
    kmv_free(p->c2);
    kmv_free(p->check);
    kmv_free(p->part);
    kmv_free(p->light);
    kmv_free(p->column);
    kmv_free(p->residual);
    kmv_free(p->estimate);
    kmv_free(p->x2);
    kmv_free(p->score);
    kmv_free(p->p);
    kmv_free(p->in_s);
    kmv_free(p->weight);
    kmv_free(p->index);
    kmv_free(p);
}

/* gauss/entries.c - see entries.h. */
#include "gauss/entries.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/status.h"

enum { PARTS = 64, SMALLEST = 1022 };

/* 2^(-f/64), rounded to nearest (computed with 40 digits). */
static const double root[PARTS] = {
    1,
    0.98922801319397546,
    0.97857206208770009,
    0.96803089674614717,
    0.9576032806985737,
    0.9472879907934828,
    0.93708381705514998,
    0.92698956254169274,
    0.91700404320467122,
    0.90712608775019943,
    0.89735453750155358,
    0.88768824626326059,
    0.87812608018664973,
    0.86866691763685311,
    0.85930964906123897,
    0.85005317685926174,
    0.8408964152537145,
    0.83183829016336819,
    0.82287773907698247,
    0.81401371092867392,
    0.80524516597462714,
    0.7965710756711335,
    0.78799042255394325,
    0.77950220011891846,
    0.77110541270397037,
    0.76279907537226921,
    0.75458221379671142,
    0.74645386414563242,
    0.73841307296974967,
    0.73045889709032352,
    0.72259040348852333,
    0.71480666919598501,
    0.70710678118654757,
    0.69948983626915562,
    0.69195494098191601,
    0.68450121148729526,
    0.67712777346844633,
    0.66983376202665146,
    0.66261832157987066,
    0.65548060576238221,
    0.64841977732550482,
    0.64143500803938913,
    0.63452547859586661,
    0.62769037851234555,
    0.620928906036742,
    0.61424026805343501,
    0.60762367999023448,
    0.60107836572635154,
    0.59460355750136051,
    0.58819849582514061,
    0.58186242938878874,
    0.57559461497649134,
    0.56939431737834578,
    0.56326080930412092,
    0.55719337129794622,
    0.55119129165392045,
    0.54525386633262884,
    0.53938039887855993,
    0.53357020033841185,
    0.52782258918027858,
    0.52213689121370688,
    0.51651243951061421,
    0.51094857432705831,
    0.50544464302585024,
};

static double power_of_two(int exponent) /* normal doubles only */
{
    const uint64_t bits = (uint64_t)(exponent + 1023) << 52;
    double v;

    memcpy(&v, &bits, sizeof v);
    return v;
}

/* u = k + f/64 + rest/64, rest in [0, 1): 2^-u = 2^-k 2^(-f/64) exp(-z) with z = rest ln2/64 <=
 * 0.0109, whose series is cut after z^3: relative error below z^4/24 < 6e-10. */
static double value(float u)
{
    const float scaled = u * (float)PARTS;
    int whole;
    double z;

    if (!(u < (float)SMALLEST))
        return 0;
    whole = (int)scaled;
    z = (double)(scaled - (float)whole) * (0.69314718055994531 / PARTS);
    return power_of_two(-(whole / PARTS)) * root[whole % PARTS] *
           (1 - z * (1 - z * (0.5 - z * (1.0 / 6))));
}

void kmv_entry_values(const float *u, size_t count, double *v)
{
    for (size_t t = 0; t < count; t++)
        v[t] = value(u[t]);
}

/* ---- streaming ------------------------------------------------------------------------------- */

typedef struct {
    const kmv_entries *entries;
    kmv_entry_sink *sink;
    void *context;
} relay;

/* Exponents e to u = shift - e. The comparison keeps a NaN. */
static void pass_on(void *context, int thread, size_t i, size_t j, size_t count, const float *e)
{
    const relay *r = context;
    const double shift = r->entries->shift != NULL ? r->entries->shift[i] : 0;
    float u[KMV_ENTRIES_CHUNK];

    for (size_t start = 0; start < count; start += KMV_ENTRIES_CHUNK) {
        const size_t left = count - start,
                     take = left < KMV_ENTRIES_CHUNK ? left : (size_t)KMV_ENTRIES_CHUNK;

        for (size_t t = 0; t < take; t++) {
            const float above = (float)(shift - (double)e[start + t]);

            u[t] = above < 0 ? 0 : above;
        }
        r->sink(r->context, thread, i, j + start, take, u);
    }
}

void kmv_entries_stream(kmv_entries *e, kmv_entry_sink *sink, void *context)
{
    relay r = {.entries = e, .sink = sink, .context = context};

    kmv_stream_exponents(&e->q, &e->k, &e->problem, e->threads, e->workspace, pass_on, &r);
}

/* ---- what rows are divided by ---------------------------------------------------------------- */

/* Per row the largest exponent so far, and the sum of 2^(e - largest). */
typedef struct {
    double *largest, *sum;
    int with_sum;
} row_state;

static void scan_row(void *context, int thread, size_t i, size_t j, size_t count, const float *e)
{
    const row_state *s = context;
    float top = -INFINITY;
    double add = 0;

    (void)thread;
    (void)j;
    for (size_t t = 0; t < count; t++)
        top = !(e[t] <= top) ? e[t] : top; /* a NaN gets in and stays */
    if (!((double)top <= s->largest[i])) {
        s->sum[i] *= exp2(s->largest[i] - (double)top);
        s->largest[i] = (double)top;
    }
    for (size_t start = 0; s->with_sum && start < count; start += KMV_ENTRIES_CHUNK) {
        const size_t left = count - start,
                     take = left < KMV_ENTRIES_CHUNK ? left : (size_t)KMV_ENTRIES_CHUNK;
        float u[KMV_ENTRIES_CHUNK];
        double v[KMV_ENTRIES_CHUNK];

        for (size_t t = 0; t < take; t++)
            u[t] = (float)(s->largest[i] - (double)e[start + t]);
        kmv_entry_values(u, take, v);
        for (size_t t = 0; t < take; t++)
            add += v[t];
    }
    s->sum[i] += add;
}

static kmv_status find_shift(kmv_entries *e, kmv_row_scaling scaling, kmv_error *err)
{
    row_state s = {.with_sum = scaling == KMV_ROW_SUM};
    kmv_status st = KMV_OK;

    if ((e->shift = kmv_alloc(e->q.n, sizeof(double), "row maxima", err)) == NULL ||
        (s.sum = kmv_alloc(e->q.n, sizeof(double), "row sums", err)) == NULL)
        return KMV_ENOMEM;
    s.largest = e->shift;
    for (size_t i = 0; i < e->q.n; i++)
        s.largest[i] = -INFINITY;
    kmv_stream_exponents(&e->q, &e->k, &e->problem, e->threads, e->workspace, scan_row, &s);
    for (size_t i = 0; i < e->q.n && st == KMV_OK; i++) {
        if (!isfinite(s.largest[i]))
            st = kmv_fail(err, KMV_EINVAL,
                          "logits of row %zu overflow float: sigma = %g is too small for this data",
                          i, e->problem.sigma);
        else if (s.with_sum)
            e->shift[i] = s.largest[i] + log2(s.sum[i]);
    }
    kmv_free(s.sum);
    return st;
}

static size_t count_pairs(const kmv_problem *p, const size_t *rows, size_t n_rows)
{
    size_t pairs = 0;

    if (!p->causal)
        return n_rows * p->k->n;
    for (size_t s = 0; s < n_rows; s++)
        pairs += (rows != NULL ? rows[s] : s) + p->k->n - p->q->n + 1;
    return pairs;
}

kmv_status kmv_entries_init(kmv_entries *e, const kmv_problem *problem, kmv_row_scaling scaling,
                            const size_t *rows, size_t n_rows, int threads, const char *isa,
                            kmv_error *err)
{
    const size_t n = rows != NULL ? n_rows : problem->q->n, d = problem->q->d;
    kmv_entries out = {.problem = *problem, .threads = threads};
    const kmv_tile *tile = NULL;
    double *centre = NULL;
    kmv_cost cost = {0};
    kmv_status st;

    if ((scaling == KMV_ROW_RAW) != (problem->matrix == KMV_GAUSS))
        return kmv_fail(err, KMV_EINVAL,
                        "entries: want raw rows of gauss or scaled rows of softmax");
    if ((st = kmv_tile_select(isa, &tile, err)) != KMV_OK)
        return st;
    if ((centre = kmv_alloc(d, sizeof(double), "centre", err)) == NULL)
        return KMV_ENOMEM;
    out.pairs = count_pairs(problem, rows, n);
    if ((st = kmv_packed_init(&out.q, tile, KMV_QUERIES, n, d, rows != NULL, err)) != KMV_OK ||
        (st = kmv_packed_init(&out.k, tile, KMV_KEYS, problem->k->n, d, 0, err)) != KMV_OK ||
        (st = kmv_workspace_create(tile, n, problem->k->n, 1, threads, &out.workspace, err)) !=
            KMV_OK)
        goto out;
    kmv_centre(problem, centre);
    kmv_pack(&out.q, problem, centre, rows, n, threads, &cost);
    kmv_pack(&out.k, problem, centre, NULL, problem->k->n, threads, &cost);
    if (scaling != KMV_ROW_RAW && (st = find_shift(&out, scaling, err)) != KMV_OK)
        goto out;
    *e = out;
    out = (kmv_entries){0};
out:
    kmv_entries_clear(&out);
    kmv_free(centre);
    return st;
}

void kmv_entries_clear(kmv_entries *e)
{
    if (e == NULL)
        return;
    kmv_packed_clear(&e->q);
    kmv_packed_clear(&e->k);
    kmv_workspace_destroy(e->workspace);
    kmv_free(e->shift);
    *e = (kmv_entries){0};
}

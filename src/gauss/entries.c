/* gauss/entries.c - see entries.h. */
#include "gauss/entries.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/status.h"

enum { ZERO_BITS = 0x447fc000 }; /* of the float 1023 */

/* exp(x) for |x| <= ln2 / 2 by its series up to x^7 / 7!, of which the rest is below 6e-9; 1 at 0.
 */
static float small_exp(float x)
{
    return 1.0f +
           x * (1.0f + x * (1.0f / 2 +
                            x * (1.0f / 6 +
                                 x * (1.0f / 24 +
                                      x * (1.0f / 120 + x * (1.0f / 720 + x * (1.0f / 5040)))))));
}

/* 2^-u = 2^-k 2^(k - u), k the integer nearest to u: the series sees [-1/2, 1/2] ln2, the power of
 * two goes into the bits of a double, where k = 1023 gives 0. Floats >= 0 order as their bits do; a
 * comparison of floats, which may trap, would keep gcc from vectorising the loop. */
void kmv_entry_values(const float *u, size_t count, double *v)
{
    int32_t bits[KMV_ENTRIES_CHUNK];
    float bounded[KMV_ENTRIES_CHUNK], fraction[KMV_ENTRIES_CHUNK];
    uint64_t power_bits[KMV_ENTRIES_CHUNK];
    double power[KMV_ENTRIES_CHUNK];

    memcpy(bits, u, count * sizeof *bits);
    for (size_t t = 0; t < count; t++) {
        bits[t] &=
            INT32_MAX; /* a NaN may have a sign: it goes to the upper end, as an infinity does */
        bits[t] = bits[t] < ZERO_BITS ? bits[t] : ZERO_BITS;
    }
    memcpy(bounded, bits, count * sizeof *bits);
    for (size_t t = 0; t < count; t++) {
        const int32_t nearest = (int32_t)(bounded[t] + 0.5f);

        fraction[t] = small_exp(((float)nearest - bounded[t]) * 0.693147181f);
        power_bits[t] = (uint64_t)(uint32_t)(1023 - nearest) << 52;
    }
    memcpy(power, power_bits, count * sizeof *power);
    for (size_t t = 0; t < count; t++)
        v[t] = (double)fraction[t] * power[t];
}

double kmv_dot(const double *v, const double *w, size_t count)
{
    double part[4] = {0};
    size_t t = 0;

    for (; t + 4 <= count; t += 4) {
        for (size_t lane = 0; lane < 4; lane++)
            part[lane] += v[t + lane] * w[t + lane];
    }
    for (; t < count; t++)
        part[0] += v[t] * w[t];
    return (part[0] + part[1]) + (part[2] + part[3]);
}

double kmv_sum(const double *v, size_t count)
{
    double part[4] = {0};
    size_t t = 0;

    for (; t + 4 <= count; t += 4) {
        for (size_t lane = 0; lane < 4; lane++)
            part[lane] += v[t + lane];
    }
    for (; t < count; t++)
        part[0] += v[t];
    return (part[0] + part[1]) + (part[2] + part[3]);
}

/* ---- streaming ------------------------------------------------------------------------------- */

typedef struct {
    const kmv_entries *entries;
    kmv_entry_sink *sink;
    void *context;
} relay;

/* Exponents e to u = max(shift - e, 0), without a comparison: it keeps a NaN and is vectorised. */
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

            u[t] = 0.5f * (above + fabsf(above));
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
        add += kmv_sum(v, take);
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
                          "logits of row %zu overflow float: sigma = %g is too small or too large "
                          "for this data",
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
        pairs += kmv_problem_sees(p, rows != NULL ? rows[s] : s);
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

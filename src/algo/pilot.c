/* algo/pilot.c - see pilot.h. */
#include "algo/pilot.h"

#include <gsl/gsl_cdf.h>
#include <gsl/gsl_sort.h>
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "base/status.h"

enum { KEYS_AT_ONCE = 960, QUERIES_AT_ONCE = 960 };

/* Beyond it packed floats overflow or lose all digits. */
static const double NORM2_MOST = 1e30;

/* A uniform sample of `count` of n numbers, in random order, so that every part of it is one: the
 * first steps of Fisher and Yates' shuffle. */
static kmv_status draw_rows(size_t *rows, size_t count, size_t n, uint64_t key, kmv_error *err)
{
    gsl_rng *rng = kmv_rng_create(key, err);
    size_t *all = kmv_alloc(n, sizeof *all, "row numbers", err);
    kmv_status st = KMV_ENOMEM;

    if (rng == NULL || all == NULL)
        goto out;
    for (size_t i = 0; i < n; i++)
        all[i] = i;
    for (size_t i = 0; i < count; i++) {
        const size_t other = i + gsl_rng_uniform_int(rng, (unsigned long)(n - i));

        rows[i] = all[other];
        all[other] = all[i];
    }
    st = KMV_OK;
out:
    kmv_free(all);
    if (rng != NULL)
        gsl_rng_free(rng);
    return st;
}

static kmv_status check_norms(const kmv_packed *packed, const kmv_problem *problem, kmv_error *err)
{
    if (packed->norm2_max <= NORM2_MOST)
        return KMV_OK;
    return kmv_fail(err, KMV_ENOTSUP,
                    "sigma = %g is too small for these points: |p|^2 / sigma^2 reaches %g, want <= "
                    "%g",
                    problem->sigma, packed->norm2_max, NORM2_MOST);
}

kmv_status kmv_pilot_init(kmv_pilot *pilot, const kmv_problem *problem,
                          const kmv_prepare_context *context, size_t capacity, kmv_error *err)
{
    const size_t n_q = problem->q->n, n_k = problem->k->n, d = problem->k->d;
    kmv_pilot p = {.problem = problem, .tile = context->tile, .threads = context->threads};
    kmv_status st = KMV_ENOMEM;

    p.capacity = capacity < n_q ? capacity : n_q;
    p.ld = kmv_round_up(n_k, 16);
    if ((p.centre = kmv_alloc(d, sizeof *p.centre, "centre", err)) == NULL ||
        (p.rows = kmv_alloc(p.capacity, sizeof *p.rows, "pilot rows", err)) == NULL ||
        (st = draw_rows(p.rows, p.capacity, n_q, kmv_stream_key(context->key, "pilot", 0), err)) !=
            KMV_OK ||
        (st = kmv_workspace_create(p.tile, n_q, n_k, context->settings->r, p.threads, &p.workspace,
                                   err)) != KMV_OK)
        goto out;
    kmv_centre(problem, p.centre);
    *pilot = p;
    p = (kmv_pilot){0};
    st = KMV_OK;
out:
    kmv_pilot_clear(&p);
    return st;
}

static kmv_status reserve(kmv_pilot *pilot, kmv_role role, kmv_error *err)
{
    kmv_packed *p = role == KMV_KEYS ? &pilot->keys : &pilot->queries;
    const kmv_points *points = role == KMV_KEYS ? pilot->problem->k : pilot->problem->q;

    return p->capacity > 0 ? KMV_OK
                           : kmv_packed_init(p, pilot->tile, role, points->n, points->d, 0, err);
}

kmv_status kmv_pilot_reserve(kmv_pilot *pilot, kmv_error *err)
{
    const kmv_points *q = pilot->problem->q;
    const size_t some = q->n < QUERIES_AT_ONCE ? q->n : QUERIES_AT_ONCE;

    if (pilot->queries.capacity == 0) {
        kmv_status st =
            kmv_packed_init(&pilot->queries, pilot->tile, KMV_QUERIES, some, q->d, 1, err);

        if (st != KMV_OK)
            return st;
        if ((pilot->some = kmv_alloc(some, sizeof *pilot->some, "queries at once", err)) == NULL)
            return KMV_ENOMEM;
    }
    return reserve(pilot, KMV_KEYS, err);
}

static kmv_status pack(kmv_pilot *pilot, kmv_role role, kmv_cost *cost, kmv_error *err)
{
    kmv_packed *p = role == KMV_KEYS ? &pilot->keys : &pilot->queries;
    const kmv_status st = reserve(pilot, role, err);

    if (st != KMV_OK)
        return st;
    if (p->n == 0)
        kmv_pack(p, pilot->problem, pilot->centre, NULL, p->capacity, pilot->threads, cost);
    return check_norms(p, pilot->problem, err);
}

kmv_status kmv_pilot_pack_keys(kmv_pilot *pilot, kmv_cost *cost, kmv_error *err)
{
    return pack(pilot, KMV_KEYS, cost, err);
}

kmv_status kmv_pilot_pack_queries(kmv_pilot *pilot, kmv_cost *cost, kmv_error *err)
{
    return pack(pilot, KMV_QUERIES, cost, err);
}

/* The room holds some queries: packed in turns. */
static kmv_status product_in_turns(kmv_pilot *pilot, const double *x, size_t r, double *y,
                                   kmv_cost *cost, kmv_error *err)
{
    const size_t n_q = pilot->problem->q->n, most = pilot->queries.capacity;

    for (size_t first = 0, count; first < n_q; first += count) {
        kmv_status st;

        count = n_q - first < most ? n_q - first : most;
        for (size_t i = 0; i < count; i++)
            pilot->some[i] = first + i;
        kmv_pack(&pilot->queries, pilot->problem, pilot->centre, pilot->some, count, pilot->threads,
                 cost);
        if ((st = check_norms(&pilot->queries, pilot->problem, err)) != KMV_OK)
            return st;
        kmv_product(&pilot->queries, &pilot->keys, pilot->problem, x, NULL, r, pilot->threads,
                    pilot->workspace, y + first * r, cost);
    }
    return KMV_OK;
}

kmv_status kmv_pilot_product(kmv_pilot *pilot, const double *x, size_t r, double *y, kmv_cost *cost,
                             kmv_error *err)
{
    kmv_status st;

    if ((st = kmv_pilot_pack_keys(pilot, cost, err)) != KMV_OK)
        return st;
    if (pilot->some != NULL)
        return product_in_turns(pilot, x, r, y, cost, err);
    if ((st = kmv_pilot_pack_queries(pilot, cost, err)) != KMV_OK)
        return st;
    kmv_product(&pilot->queries, &pilot->keys, pilot->problem, x, NULL, r, pilot->threads,
                pilot->workspace, y, cost);
    return KMV_OK;
}

void kmv_pilot_drop_points(kmv_pilot *pilot)
{
    kmv_packed_clear(&pilot->queries);
    kmv_packed_clear(&pilot->keys);
}

void kmv_pilot_drop_entries(kmv_pilot *pilot)
{
    kmv_free(pilot->entries);
    kmv_free(pilot->rows);
    pilot->entries = NULL;
    pilot->rows = NULL;
    pilot->count = pilot->capacity = 0;
}

void kmv_pilot_clear(kmv_pilot *pilot)
{
    if (pilot == NULL)
        return;
    kmv_pilot_drop_entries(pilot);
    kmv_pilot_drop_points(pilot);
    kmv_free(pilot->some);
    kmv_workspace_destroy(pilot->workspace);
    kmv_free(pilot->centre);
    *pilot = (kmv_pilot){0};
}

typedef struct {
    const kmv_tile *tile;
    float *entries; /* of the first new row, from the first key on */
    size_t ld;
} entry_sink;

static void store_entries(void *context, int thread, size_t i, size_t j, size_t count,
                          const float *exponents)
{
    const entry_sink *sink = context;
    float *row = sink->entries + i * sink->ld + j;

    (void)thread;
    memcpy(row, exponents, count * sizeof *row);
    sink->tile->exp2(row, count);
}

/* All keys, some packed at a time: packing them all is half of what is spent on points, for nothing
 * where a search is chosen. Causal masks go by the numbers of keys, so they want them all. */
static kmv_status stream_unpacked(kmv_pilot *pilot, const kmv_packed *rows, float *entries,
                                  kmv_cost *cost, kmv_error *err)
{
    const size_t n_k = pilot->problem->k->n;
    kmv_packed keys = {0};
    kmv_status st =
        kmv_packed_init(&keys, pilot->tile, KMV_KEYS, KEYS_AT_ONCE, pilot->problem->k->d, 0, err);

    for (size_t first = 0; st == KMV_OK && first < n_k; first += KEYS_AT_ONCE) {
        entry_sink sink = {pilot->tile, entries + first, pilot->ld};
        kmv_points some = *pilot->problem->k;
        kmv_problem part = *pilot->problem;

        some.x += first * some.ld;
        some.n = n_k - first < KEYS_AT_ONCE ? n_k - first : KEYS_AT_ONCE;
        some.owned = 0;
        part.k = &some;
        kmv_pack(&keys, &part, pilot->centre, NULL, some.n, pilot->threads, cost);
        if ((st = check_norms(&keys, pilot->problem, err)) == KMV_OK)
            kmv_stream_exponents(rows, &keys, &part, pilot->threads, pilot->workspace,
                                 store_entries, &sink);
    }
    kmv_packed_clear(&keys);
    return st;
}

/* Entries of one row. Two sets of bins in turns: neighbours often share a bin, and additions to one
 * would wait for each other. */
static void count_row(const float *row, size_t n, kmv_entry_bins *out)
{
    kmv_entry_bins part[2] = {0};
    double sum[2] = {0};
    float largest = 0;

    for (size_t j = 0; j < n; j++) {
        kmv_entry_bins *bins = &part[j % 2];
        uint32_t bits;
        size_t bin;

        if (!(row[j] > 0))
            continue;
        memcpy(&bits, row + j, sizeof bits);
        bits >>= 23; /* the exponent field: 126 for 1/2 <= entry < 1 */
        bin = bits >= 126 ? 0 : 126 - bits;
        bin = bin < KMV_PILOT_BINS ? bin : KMV_PILOT_BINS - 1;
        bins->mass[bin] += (double)row[j] * (double)row[j];
        bins->number[bin] += 1;
        sum[j % 2] += (double)row[j];
        largest = row[j] > largest ? row[j] : largest;
    }
    for (size_t b = 0; b < KMV_PILOT_BINS; b++) {
        out->mass[b] = part[0].mass[b] + part[1].mass[b];
        out->number[b] = part[0].number[b] + part[1].number[b];
    }
    out->largest = (double)largest;
    out->sums2 = (sum[0] + sum[1]) * (sum[0] + sum[1]);
}

/* Rows are counted apart and added up in their order, whatever the number of threads. */
static kmv_status count_entries(kmv_pilot *pilot, size_t first, kmv_error *err)
{
    const size_t count = pilot->count - first;
    kmv_entry_bins *row = kmv_alloc(count, sizeof *row, "entries by size", err);

    if (row == NULL)
        return KMV_ENOMEM;
#pragma omp parallel for num_threads(pilot->threads) schedule(static)
    for (size_t i = 0; i < count; i++)
        count_row(pilot->entries + (first + i) * pilot->ld, pilot->problem->k->n, row + i);
    for (size_t i = 0; i < count; i++) {
        for (size_t b = 0; b < KMV_PILOT_BINS; b++) {
            pilot->bins.mass[b] += row[i].mass[b];
            pilot->bins.number[b] += row[i].number[b];
        }
        pilot->bins.largest = fmax(pilot->bins.largest, row[i].largest);
        pilot->bins.sums2 += row[i].sums2;
    }
    kmv_free(row);
    return KMV_OK;
}

kmv_status kmv_pilot_extend(kmv_pilot *pilot, size_t count, kmv_cost *cost, kmv_error *err)
{
    const size_t d = pilot->problem->k->d, n_k = pilot->problem->k->n, before = pilot->count;
    const size_t want = count < pilot->capacity ? count : pilot->capacity;
    kmv_packed rows = {0};
    float *entries;
    kmv_status st;

    if (want <= before)
        return KMV_OK;
    if (pilot->problem->causal && (st = kmv_pilot_pack_keys(pilot, cost, err)) != KMV_OK)
        return st;
    /* Only as many rows as are wanted now: touching new memory costs as much as their entries. */
    if ((entries = kmv_alloc(want * pilot->ld, sizeof *entries, "entries of pilot rows", err)) ==
        NULL)
        return KMV_ENOMEM;
    if ((st = kmv_packed_init(&rows, pilot->tile, KMV_QUERIES, want - before, d, 1, err)) !=
        KMV_OK) {
        kmv_free(entries);
        return st;
    }
    if (before > 0)
        memcpy(entries, pilot->entries, before * pilot->ld * sizeof *entries);
    kmv_free(pilot->entries);
    pilot->entries = entries;
    gsl_sort_ulong(pilot->rows + before, 1, want - before); /* as packing wants */
    kmv_pack(&rows, pilot->problem, pilot->centre, pilot->rows + before, want - before,
             pilot->threads, cost);
    if (pilot->keys.n == 0) {
        st = stream_unpacked(pilot, &rows, entries + before * pilot->ld, cost, err);
    } else {
        entry_sink sink = {pilot->tile, entries + before * pilot->ld, pilot->ld};

        kmv_stream_exponents(&rows, &pilot->keys, pilot->problem, pilot->threads, pilot->workspace,
                             store_entries, &sink);
    }
    if (st == KMV_OK) {
        cost->pairs += (double)(want - before) * (double)n_k;
        cost->flops += (double)(want - before) * (double)n_k * 2 * (double)d;
        pilot->count = want;
        st = count_entries(pilot, before, err);
    }
    kmv_packed_clear(&rows);
    return st;
}

void kmv_pilot_column_norms(const kmv_pilot *pilot, size_t begin, size_t step, double *c2)
{
    const size_t n_k = pilot->problem->k->n, chunk = 1024;
    const size_t taken = begin < pilot->count ? (pilot->count - begin - 1) / step + 1 : 0;
    const double factor = taken > 0 ? (double)pilot->problem->q->n / (double)taken : 0;

#pragma omp parallel for num_threads(pilot->threads) schedule(static)
    for (size_t first = 0; first < n_k; first += chunk) {
        const size_t end = first + chunk < n_k ? first + chunk : n_k;

        memset(c2 + first, 0, (end - first) * sizeof *c2);
        for (size_t i = begin; i < pilot->count; i += step) {
            const float *row = pilot->entries + i * pilot->ld;

            for (size_t j = first; j < end; j++)
                c2[j] += (double)row[j] * (double)row[j];
        }
        for (size_t j = first; j < end; j++)
            c2[j] *= factor;
    }
}

/* Four partial sums, or the additions would wait for each other. */
static double dot(const float *a, const float *b, size_t n)
{
    double sum[4] = {0};
    size_t j = 0;

    for (; j + 4 <= n; j += 4) {
        for (size_t l = 0; l < 4; l++)
            sum[l] += (double)a[j + l] * (double)b[j + l];
    }
    for (; j < n; j++)
        sum[0] += (double)a[j] * (double)b[j];
    return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

double kmv_pilot_directions(const kmv_pilot *pilot, size_t rows)
{
    const size_t n_k = pilot->problem->k->n, count = rows < pilot->count ? rows : pilot->count;
    const double n_q = (double)pilot->problem->q->n;
    double trace = 0, diagonal = 0, others = 0, pairs = 0;

    for (size_t i = 0; i < count; i++) {
        for (size_t l = 0; l <= i; l++) {
            const double c =
                dot(pilot->entries + i * pilot->ld, pilot->entries + l * pilot->ld, n_k);

            trace += l == i ? c : 0;
            diagonal += l == i ? c * c : 0;
            others += l == i ? 0 : c * c;
            pairs += l != i;
        }
    }
    if (!(trace > 0))
        return n_q;
    trace *= n_q / (double)count;
    diagonal *= n_q / (double)count;
    others *= pairs > 0 ? n_q * (n_q - 1) / pairs : 0;
    return fmin(n_q, fmax(1, trace * trace / (diagonal + others)));
}

double kmv_pilot_spread(const kmv_pilot *pilot, size_t begin, size_t step)
{
    double sum = 0, squares = 0, count = 0, mean;

    for (size_t i = begin; i < pilot->count; i += step) {
        const float *row = pilot->entries + i * pilot->ld;
        const double mass = dot(row, row, pilot->problem->k->n);

        sum += mass;
        squares += mass * mass;
        count += 1;
    }
    if (count < 2 || !(sum > 0))
        return 1;
    mean = sum / count;
    return sqrt(fmax(0, squares / count - mean * mean) / (count - 1)) / mean;
}

double kmv_error_safety(double nu, double delta)
{
    /* GSL's inverse is wrong from about 1e5 degrees on; there the cube root is normal to six digits
     * (Wilson & Hilferty, PNAS 17, 1931). */
    if (nu > 1000)
        return pow(1 - 2 / (9 * nu) + gsl_cdf_ugaussian_Qinv(delta) * sqrt(2 / (9 * nu)), 1.5);
    return sqrt(gsl_cdf_chisq_Qinv(delta, nu) / nu);
}

double kmv_planned_eps(const kmv_settings *settings)
{
    static const double DIRECTIONS = 45, DELTA = 0.01;

    return settings->eps *
           (kmv_error_safety(DIRECTIONS, DELTA) / kmv_error_safety(DIRECTIONS, settings->delta));
}

/* Columns to keep of n with equal probability so that (n/m - 1) F2 / n = eps^2. */
static double sampled_pairs(double f2, double eps, double n)
{
    return f2 > 0 ? 1 / (1 / n + eps * eps / f2) : 0;
}

double kmv_pilot_gain(const kmv_pilot *pilot, const double *c2)
{
    const size_t n_k = pilot->problem->k->n;
    const double n_q = (double)pilot->problem->q->n;
    const double squares = pilot->bins.sums2 / (double)pilot->count;
    double column = 0;

    for (size_t j = 0; j < n_k; j++)
        column = column > c2[j] ? column : c2[j];
    return sqrt(fmax(squares * n_q / (double)n_k, column));
}

double kmv_pilot_sampled_pairs(const kmv_pilot *pilot, double eps)
{
    double f2 = 0;

    for (size_t b = 0; b < KMV_PILOT_BINS; b++)
        f2 += pilot->bins.mass[b];
    f2 *= (double)pilot->problem->q->n / (double)pilot->count;
    return sampled_pairs(f2, eps, (double)pilot->problem->k->n);
}

double kmv_pilot_oracle_pairs(const kmv_pilot *pilot, double eps)
{
    return kmv_pilot_split_pairs(pilot, eps, 1);
}

double kmv_pilot_split_pairs(const kmv_pilot *pilot, double eps, double large)
{
    const double n_k = (double)pilot->problem->k->n, n_q = (double)pilot->problem->q->n;
    const double rows = (double)pilot->count;
    double rest = 0, above = 0, best;

    for (size_t b = 0; b < KMV_PILOT_BINS; b++)
        rest += pilot->bins.mass[b];
    best = sampled_pairs(rest * n_q / rows, eps, n_k);
    for (size_t b = 0; b < KMV_PILOT_BINS; b++) {
        rest = fmax(0, rest - pilot->bins.mass[b]);
        above += pilot->bins.number[b];
        best = fmin(best, large * above / rows + sampled_pairs(rest * n_q / rows, eps, n_k));
    }
    return best;
}

/* algo/sign_tables.c - see sign_tables.h. */
#include "algo/sign_tables.h"

#include <float.h>
#include <gsl/gsl_cdf.h>
#include <gsl/gsl_randist.h>
#include <gsl/gsl_rng.h>
#include <math.h>
#include <omp.h>
#include <string.h>

#include "algo/projection.h"
#include "base/mem.h"
#include "base/rng.h"

static const double STEEP = 0.9; /* sin(theta / 2) above which the table is not used */

/* ---- probabilities --------------------------------------------------------------------------- */

double kmv_sign_log2_exact(kmv_sign_shape shape, double theta)
{
    const double a = pow(fmax(1 - theta / M_PI, 0), (double)shape.bits);
    const double u =
        gsl_cdf_binomial_Q((unsigned)shape.matches - 1, fmin(a, 1), (unsigned)shape.tables);

    return log2(fmax(a < 1 ? u : 1, DBL_MIN));
}

static double angle_of(double half_sine)
{
    return 2 * asin(fmin(half_sine, 1));
}

void kmv_sign_odds_fill(kmv_sign_odds *o, kmv_sign_shape shape)
{
    o->shape = shape;
    for (size_t s = 0; s < KMV_SIGN_STEPS + 2; s++)
        o->log2_u[s] =
            (float)kmv_sign_log2_exact(shape, angle_of((double)s / (double)KMV_SIGN_STEPS));
}

float kmv_sign_log2(const kmv_sign_odds *o, float cosine)
{
    const double half_sine = sqrt(fmin(fmax(0.5 - 0.5 * (double)cosine, 0), 1));
    const double place = half_sine * KMV_SIGN_STEPS;
    const size_t step = (size_t)place;
    const float part = (float)(place - (double)step);

    if (half_sine > STEEP)
        return (float)kmv_sign_log2_exact(o->shape, angle_of(half_sine));
    return o->log2_u[step] + part * (o->log2_u[step + 1] - o->log2_u[step]);
}

/* ---- codes ----------------------------------------------------------------------------------- */

/* Directions in the order bit, table, so that codes are made a vector at a time. */
static kmv_status draw_directions(kmv_directions *to, kmv_sign_shape shape, size_t d,
                                  const kmv_tile *tile, uint64_t key, kmv_error *err)
{
    const size_t n = shape.bits * shape.tables;
    gsl_rng *rng = kmv_rng_create(key, err);
    kmv_status st = KMV_ENOMEM;

    if (rng != NULL && (st = kmv_directions_init(to, n, d, tile, err)) == KMV_OK) {
        for (size_t m = 0; m < n; m++) {
            for (size_t l = 0; l < d; l++)
                to->rows.x[m * to->rows.ld + l] = (float)gsl_ran_gaussian_ziggurat(rng, 1);
        }
        kmv_directions_pack(to);
    }
    if (rng != NULL)
        gsl_rng_free(rng);
    return st;
}

static void codes_of_row(const float *product, kmv_sign_shape shape, uint16_t *code)
{
    uint32_t wide[KMV_SIGN_TABLES_MAX] = {0};

    for (size_t b = 0; b < shape.bits; b++) {
        for (size_t t = 0; t < shape.tables; t++)
            wide[t] |= (product[b * shape.tables + t] >= 0 ? 1u : 0u) << b;
    }
    for (size_t t = 0; t < shape.tables; t++)
        code[t] = (uint16_t)wide[t];
}

/* Codes of all points, n x tables. */
static kmv_status hash_points(const kmv_scaled *s, const kmv_directions *across,
                              kmv_sign_shape shape, int threads, uint16_t *code, kmv_cost *cost,
                              kmv_error *err)
{
    const kmv_tile *tile = across->packed.tile;
    const size_t ld = kmv_project_ld(across);
    float *product =
        kmv_alloc_raw((size_t)threads * tile->rows, ld * sizeof *product, "projections", err);
    kmv_packed points = {0};
    kmv_status st = KMV_ENOMEM;

    if (product == NULL || (st = kmv_project_pack(&points, s, tile, threads, cost, err)) != KMV_OK)
        goto out;
#pragma omp parallel for num_threads(threads) schedule(static)
    for (size_t first = 0; first < s->n; first += tile->rows) {
        float *here = product + (size_t)omp_get_thread_num() * tile->rows * ld;

        kmv_project(&points, across, first, here);
        for (size_t i = 0; i < tile->rows && first + i < s->n; i++)
            codes_of_row(here + i * ld, shape, code + (first + i) * shape.tables);
    }
    cost->flops += 2 * (double)(s->n * s->d) * (double)(shape.bits * shape.tables);
    st = KMV_OK;
out:
    kmv_free(product);
    kmv_packed_clear(&points);
    return st;
}

/* ---- tables ---------------------------------------------------------------------------------- */

static void fill_table(kmv_sign_tables *t, size_t table, const uint16_t *k_code)
{
    const size_t codes = (size_t)1 << t->shape.bits, tables = t->shape.tables;
    uint32_t *start = t->start + table * (codes + 1), *key = t->key + table * t->n_k;

    memset(start, 0, (codes + 1) * sizeof *start);
    for (size_t j = 0; j < t->n_k; j++)
        start[k_code[j * tables + table] + 1]++;
    for (size_t c = 0; c < codes; c++)
        start[c + 1] += start[c];
    for (size_t j = t->n_k; j-- > 0;) /* from behind: ends move to the starts of the next code */
        key[--start[k_code[j * tables + table] + 1]] = (uint32_t)j;
    memmove(start, start + 1, codes * sizeof *start);
    start[codes] = (uint32_t)t->n_k;
}

kmv_status kmv_sign_tables_init(kmv_sign_tables *t, kmv_sign_shape shape, const kmv_scaled *q,
                                const kmv_scaled *k, const kmv_tile *tile, uint64_t key,
                                int threads, kmv_cost *cost, kmv_error *err)
{
    const size_t codes = (size_t)1 << shape.bits;
    kmv_sign_tables out = {.shape = shape, .n_q = q->n, .n_k = k->n};
    kmv_directions across = {0};
    uint16_t *k_code = NULL;
    kmv_status st = KMV_ENOMEM;

    if ((out.q_code = kmv_alloc_raw(q->n, shape.tables * sizeof(uint16_t), "codes", err)) == NULL ||
        (k_code = kmv_alloc_raw(k->n, shape.tables * sizeof(uint16_t), "codes", err)) == NULL ||
        (out.start = kmv_alloc_raw(shape.tables, (codes + 1) * sizeof(uint32_t), "tables", err)) ==
            NULL ||
        (out.key = kmv_alloc_raw(shape.tables, k->n * sizeof(uint32_t), "tables", err)) == NULL ||
        (st = draw_directions(&across, shape, k->d, tile, key, err)) != KMV_OK ||
        (st = hash_points(q, &across, shape, threads, out.q_code, cost, err)) != KMV_OK ||
        (st = hash_points(k, &across, shape, threads, k_code, cost, err)) != KMV_OK) {
        kmv_sign_tables_clear(&out);
        goto out;
    }
#pragma omp parallel for num_threads(threads) schedule(static)
    for (size_t table = 0; table < shape.tables; table++)
        fill_table(&out, table, k_code);
    *t = out;
out:
    kmv_directions_clear(&across);
    kmv_free(k_code);
    return st;
}

void kmv_sign_tables_clear(kmv_sign_tables *t)
{
    kmv_free(t->q_code);
    kmv_free(t->start);
    kmv_free(t->key);
    *t = (kmv_sign_tables){0};
}

size_t kmv_sign_tables_find(const kmv_sign_tables *t, size_t i, uint16_t *met, uint32_t *list,
                            double *visited)
{
    const size_t tables = t->shape.tables, codes = (size_t)1 << t->shape.bits;
    const uint16_t *code = t->q_code + i * tables;
    size_t found = 0, seen = 0;

    for (size_t table = 0; table < tables; table++) {
        const uint32_t *start = t->start + table * (codes + 1) + code[table];
        const uint32_t *key = t->key + table * t->n_k;

        for (size_t at = start[0]; at < start[1]; at++) {
            const uint32_t j = key[at];

            list[found] = j;
            found += ++met[j] == t->shape.matches ? 1 : 0;
        }
        seen += start[1] - start[0];
    }
    *visited += (double)seen;
    return found;
}

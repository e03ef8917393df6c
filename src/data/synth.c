/* data/synth.c - the table of generators and the laws of their points. */
#include "data/synth.h"

#include <gsl/gsl_randist.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/option.h"
#include "base/rng.h"
#include "base/status.h"
#include "base/str.h"

/* The head of every generator's options. */
typedef struct {
    size_t n, d, n_k, r;
} shape;

#define SHAPE_OPTIONS(type)                                                                        \
    {"n", KMV_OPT_SIZE, offsetof(type, shape.n), "4096", 1, 1e9, "queries", NULL},                 \
        {"d", KMV_OPT_SIZE, offsetof(type, shape.d), "64", 1, 65536, "dimension", NULL},           \
        {"n_k", KMV_OPT_SIZE, offsetof(type, shape.n_k),     "0",                                  \
         0,     1e9,          "keys; 0: as many as queries", NULL},                                \
    {                                                                                              \
        "r", KMV_OPT_SIZE, offsetof(type, shape.r), "0", 0, 4096, "columns of v, each N(0, 1)",    \
            NULL                                                                                   \
    }

#define SIGMA_OPTION(type)                                                                         \
    {                                                                                              \
        "sigma", KMV_OPT_REAL, offsetof(type, sigma), "0", 0, 1e30, "bandwidth; 0: d^(1/4)", NULL  \
    }

static double bandwidth(double sigma, size_t d)
{
    return sigma > 0 ? sigma : pow((double)d, 0.25);
}

static kmv_status room(const shape *s, kmv_dataset *out, kmv_error *err)
{
    kmv_status st = kmv_points_init(&out->q, s->n, s->d, err);

    if (st == KMV_OK)
        st = kmv_points_init(&out->k, s->n_k > 0 ? s->n_k : s->n, s->d, err);
    return st;
}

/* Row i of p: centre (NULL: 0) plus N(0, spread^2 I). */
static void gauss_row(const kmv_points *p, size_t i, const float *centre, double spread,
                      gsl_rng *rng)
{
    float *x = p->x + i * p->ld;

    for (size_t l = 0; l < p->d; l++) {
        const double z = spread * gsl_ran_gaussian_ziggurat(rng, 1.0);

        x[l] = (float)(centre != NULL ? (double)centre[l] + z : z);
    }
}

static void gauss_rows(const kmv_points *p, double spread, gsl_rng *rng)
{
    for (size_t i = 0; i < p->n; i++)
        gauss_row(p, i, NULL, spread, rng);
}

/* Row i of p: uniform on the sphere of that radius (a normalised Gaussian vector). */
static void sphere_row(const kmv_points *p, size_t i, double radius, gsl_rng *rng)
{
    float *x = p->x + i * p->ld;
    double norm2 = 0;

    do { /* all coordinates rounding to 0 has probability 0 but for the float range */
        gauss_row(p, i, NULL, 1.0, rng);
        norm2 = 0;
        for (size_t l = 0; l < p->d; l++)
            norm2 += (double)x[l] * (double)x[l];
    } while (!(norm2 > 0));
    for (size_t l = 0; l < p->d; l++)
        x[l] = (float)((double)x[l] * (radius / sqrt(norm2)));
}

/* ---- planted --------------------------------------------------------------------------------- */

typedef struct {
    shape shape;
    double sum, t;
} planted_options;

static const kmv_option planted_table[] = {
    SHAPE_OPTIONS(planted_options),
    {"sum", KMV_OPT_REAL, offsetof(planted_options, sum), "1.6", 1e-30, 1e9,
     "expected sum/n of the Gaussian matrix at sigma = 1; s0 is solved from it", NULL},
    {"t", KMV_OPT_REAL, offsetof(planted_options, t), "0", 0, 1e6,
     "standard deviation of query minus its key, per coordinate; 0: 0.8/sqrt(d)", NULL},
    {0},
};

/*
 * E exp(-|z|^2/2) = (1 + v)^(-d/2) for z ~ N(0, v I). A query differs from its own key by v = t^2
 * and from each other key by v = 2 s0^2 + t^2, so that
 *     sum/n = (1 + t^2)^(-d/2) + (n_k - 1) (1 + 2 s0^2 + t^2)^(-d/2),
 * which is solved for s0 in closed form; every value between the first term (s0 = infinity) and n_k
 * times it (s0 = 0) is reached once.
 */
static kmv_status solve_s0(double sum, double t, size_t n_k, size_t d, double *s0, kmv_error *err)
{
    const double own = pow(1 + t * t, -0.5 * (double)d), others = (double)n_k - 1;

    if (n_k == 1) {
        *s0 = 1; /* sum/n does not depend on it */
        return KMV_OK;
    }
    if (!(sum > own && sum <= (double)n_k * own))
        return kmv_fail(err, KMV_EINVAL,
                        "planted: sum: with %zu keys and t = %g want a number in (%g, %g], got %g",
                        n_k, t, own, (double)n_k * own, sum);
    *s0 = sqrt(fmax(0, 0.5 * (pow((sum - own) / others, -2.0 / (double)d) - 1 - t * t)));
    return KMV_OK;
}

static kmv_status planted(const void *options, gsl_rng *rng, kmv_dataset *out, kmv_error *err)
{
    const planted_options *o = options;
    const double t = o->t > 0 ? o->t : 0.8 / sqrt((double)o->shape.d);
    size_t *order = NULL;
    double s0 = 1;
    kmv_status st = room(&o->shape, out, err);

    if (st != KMV_OK)
        return st;
    if ((st = solve_s0(o->sum, t, out->k.n, out->k.d, &s0, err)) != KMV_OK)
        return st;
    if ((order = kmv_alloc(out->k.n, sizeof *order, "order of keys", err)) == NULL)
        return KMV_ENOMEM;
    for (size_t j = 0; j < out->k.n; j++)
        order[j] = j;
    /* Keys are exchangeable, so permuting which key a query belongs to permutes the keys. */
    gsl_ran_shuffle(rng, order, out->k.n, sizeof *order);
    gauss_rows(&out->k, s0, rng);
    for (size_t i = 0; i < out->q.n; i++)
        gauss_row(&out->q, i, out->k.x + order[i % out->k.n] * out->k.ld, t, rng);
    out->sigma = 1;
    kmv_free(order);
    return KMV_OK;
}

/* ---- iid ------------------------------------------------------------------------------------- */

typedef struct {
    shape shape;
    double sigma;
} iid_options;

static const kmv_option iid_table[] = {SHAPE_OPTIONS(iid_options), SIGMA_OPTION(iid_options), {0}};

static kmv_status iid(const void *options, gsl_rng *rng, kmv_dataset *out, kmv_error *err)
{
    const iid_options *o = options;
    const kmv_status st = room(&o->shape, out, err);

    if (st != KMV_OK)
        return st;
    gauss_rows(&out->q, 1, rng);
    gauss_rows(&out->k, 1, rng);
    out->sigma = bandwidth(o->sigma, o->shape.d);
    return KMV_OK;
}

/* ---- sphere ---------------------------------------------------------------------------------- */

typedef struct {
    shape shape;
    double radius, sigma;
} sphere_options;

static const kmv_option sphere_table[] = {
    SHAPE_OPTIONS(sphere_options),
    SIGMA_OPTION(sphere_options),
    {"radius", KMV_OPT_REAL, offsetof(sphere_options, radius), "0", 0, 1e6,
     "radius of the sphere; 0: sqrt(d)", NULL},
    {0},
};

static kmv_status sphere(const void *options, gsl_rng *rng, kmv_dataset *out, kmv_error *err)
{
    const sphere_options *o = options;
    const double radius = o->radius > 0 ? o->radius : sqrt((double)o->shape.d);
    const kmv_status st = room(&o->shape, out, err);

    if (st != KMV_OK)
        return st;
    for (size_t i = 0; i < out->q.n; i++)
        sphere_row(&out->q, i, radius, rng);
    for (size_t j = 0; j < out->k.n; j++)
        sphere_row(&out->k, j, radius, rng);
    out->sigma = bandwidth(o->sigma, o->shape.d);
    return KMV_OK;
}

/* ---- clusters -------------------------------------------------------------------------------- */

typedef struct {
    shape shape;
    size_t count;
    double spread, scale, sigma;
} clusters_options;

static const kmv_option clusters_table[] = {
    SHAPE_OPTIONS(clusters_options),
    SIGMA_OPTION(clusters_options),
    {"count", KMV_OPT_SIZE, offsetof(clusters_options, count), "32", 1, 1e6, "clusters", NULL},
    {"spread", KMV_OPT_REAL, offsetof(clusters_options, spread), "0.5", 0, 1e6,
     "standard deviation within a cluster, per coordinate", NULL},
    {"scale", KMV_OPT_REAL, offsetof(clusters_options, scale), "1", 0, 1e6,
     "standard deviation of the centres, per coordinate", NULL},
    {0},
};

static void cluster_rows(const kmv_points *p, const kmv_points *centres, double spread,
                         gsl_rng *rng)
{
    for (size_t i = 0; i < p->n; i++) {
        const size_t c = gsl_rng_uniform_int(rng, (unsigned long)centres->n);

        gauss_row(p, i, centres->x + c * centres->ld, spread, rng);
    }
}

static kmv_status clusters(const void *options, gsl_rng *rng, kmv_dataset *out, kmv_error *err)
{
    const clusters_options *o = options;
    kmv_points centres = {0};
    kmv_status st = room(&o->shape, out, err);

    if (st != KMV_OK)
        return st;
    if ((st = kmv_points_init(&centres, o->count, o->shape.d, err)) != KMV_OK)
        return st;
    gauss_rows(&centres, o->scale, rng);
    cluster_rows(&out->q, &centres, o->spread, rng);
    cluster_rows(&out->k, &centres, o->spread, rng);
    out->sigma = bandwidth(o->sigma, o->shape.d);
    kmv_points_clear(&centres);
    return KMV_OK;
}

/* ---- sink ------------------------------------------------------------------------------------ */

typedef struct {
    shape shape;
    size_t sinks;
    double norm, bias, sigma;
} sink_options;

static const kmv_option sink_table[] = {
    SHAPE_OPTIONS(sink_options),
    SIGMA_OPTION(sink_options),
    {"sinks", KMV_OPT_SIZE, offsetof(sink_options, sinks), "1", 1, 4,
     "outlier keys, the first ones", NULL},
    {"norm", KMV_OPT_REAL, offsetof(sink_options, norm), "3", 0, 1e6,
     "length of an outlier key in units of sqrt(d)", NULL},
    {"bias", KMV_OPT_REAL, offsetof(sink_options, bias), "0.5", 0, 1e6,
     "length of the queries' mean along the outliers in units of sqrt(d)", NULL},
    {0},
};

/* As in decoders: the keys of the first tokens lie far out on a line that all queries lean to, so
 * that they win the softmax and vanish in the Gaussian matrix. */
static kmv_status sink(const void *options, gsl_rng *rng, kmv_dataset *out, kmv_error *err)
{
    const sink_options *o = options;
    const double length = sqrt((double)o->shape.d);
    kmv_points line = {0};
    kmv_status st = room(&o->shape, out, err);

    if (st == KMV_OK && o->sinks > out->k.n)
        st = kmv_fail(err, KMV_EINVAL, "sink: sinks: want at most the %zu keys, got %zu", out->k.n,
                      o->sinks);
    if (st == KMV_OK)
        st = kmv_points_init(&line, 2, o->shape.d, err);
    if (st != KMV_OK)
        return st;
    sphere_row(&line, 0, length, rng);
    for (size_t l = 0; l < line.d; l++) {
        line.x[line.ld + l] = (float)(o->norm * (double)line.x[l]);
        line.x[l] = (float)(o->bias * (double)line.x[l]);
    }
    for (size_t i = 0; i < out->q.n; i++)
        gauss_row(&out->q, i, line.x, 1, rng);
    for (size_t j = 0; j < out->k.n; j++)
        gauss_row(&out->k, j, j < o->sinks ? line.x + line.ld : NULL, j < o->sinks ? 0.1 : 1, rng);
    out->sigma = bandwidth(o->sigma, o->shape.d);
    kmv_points_clear(&line);
    return KMV_OK;
}

/* ---- dense ----------------------------------------------------------------------------------- */

typedef struct {
    shape shape;
    double width;
} dense_options;

static const kmv_option dense_table[] = {
    SHAPE_OPTIONS(dense_options),
    {"width", KMV_OPT_REAL, offsetof(dense_options, width), "0.5", 0, 1e6,
     "root mean square distance from the origin in units of sigma", NULL},
    {0},
};

static kmv_status dense(const void *options, gsl_rng *rng, kmv_dataset *out, kmv_error *err)
{
    const dense_options *o = options;
    const double spread = o->width / sqrt((double)o->shape.d);
    const kmv_status st = room(&o->shape, out, err);

    if (st != KMV_OK)
        return st;
    gauss_rows(&out->q, spread, rng);
    gauss_rows(&out->k, spread, rng);
    out->sigma = 1;
    return KMV_OK;
}

/* ---- the table ------------------------------------------------------------------------------- */

static const kmv_generator table[] = {
    {"planted",
     "k_j ~ N(0, s0^2 I), q_i = its own key + N(0, t^2 I), keys in random order, sigma 1, s0 "
     "solved "
     "so that the expected sum/n is `sum`",
     "a planted near neighbour per query; closed form of the expected sum", planted_table,
     sizeof(planted_options), planted},
    {"iid", "q_i, k_j ~ N(0, I), independent", "baseline", iid_table, sizeof(iid_options), iid},
    {"sphere", "q_i, k_j uniform on the sphere of that radius, independent", "baseline",
     sphere_table, sizeof(sphere_options), sphere},
    {"clusters",
     "q_i, k_j from one mixture of `count` Gaussians N(c, spread^2 I), centres c ~ N(0, scale^2 I)",
     "baseline", clusters_table, sizeof(clusters_options), clusters},
    {"sink",
     "q_i ~ N(bias sqrt(d) u, I), k_j ~ N(0, I), but the first `sinks` keys ~ N(norm sqrt(d) u, "
     "0.01 I), u a random unit vector",
     "after the attention sinks of decoders (arXiv 2309.17453)", sink_table, sizeof(sink_options),
     sink},
    {"dense",
     "q_i, k_j ~ N(0, width^2/d I), sigma 1: expected sum/n = n_k (1 + 2 width^2/d)^(-d/2), linear "
     "in n_k",
     "where the assumption fails", dense_table, sizeof(dense_options), dense},
};

enum { N_GENERATORS = sizeof table / sizeof *table, OPTIONS_ROOM = 256 };

const kmv_generator *kmv_generator_at(size_t i)
{
    return i < N_GENERATORS ? &table[i] : NULL;
}

const kmv_generator *kmv_generator_find(const char *name)
{
    for (size_t i = 0; i < N_GENERATORS; i++) {
        if (strcmp(table[i].name, name) == 0)
            return &table[i];
    }
    return NULL;
}

static kmv_status unknown_generator(const char *name, kmv_error *err)
{
    const char *names[N_GENERATORS], *near;

    for (size_t i = 0; i < N_GENERATORS; i++)
        names[i] = table[i].name;
    if ((near = kmv_closest(name, names, N_GENERATORS)) != NULL)
        return kmv_fail(err, KMV_EINVAL, "unknown generator '%s', did you mean '%s'?", name, near);
    return kmv_fail(err, KMV_EINVAL, "unknown generator '%s' (see kmv list generators)", name);
}

/* v as it is stored: doubles that floats hold exactly. */
static kmv_status make_values(size_t r, gsl_rng *rng, kmv_dataset *out, kmv_error *err)
{
    if (r == 0)
        return KMV_OK;
    if ((out->v = kmv_alloc(out->k.n, r * sizeof(double), "values", err)) == NULL)
        return KMV_ENOMEM;
    out->r = r;
    for (size_t j = 0; j < out->k.n * r; j++)
        out->v[j] = (double)(float)gsl_ran_gaussian_ziggurat(rng, 1.0);
    return KMV_OK;
}

static void hash_points(struct sha256_ctx *ctx, const kmv_points *p)
{
    for (size_t i = 0; i < p->n; i++)
        sha256_update(ctx, p->d * sizeof(float), (const uint8_t *)(p->x + i * p->ld));
}

/* Of the arrays as a file holds them: q and k float32, rows without padding, v float64. */
static void hash_dataset(kmv_dataset *d)
{
    struct sha256_ctx ctx;

    sha256_init(&ctx);
    hash_points(&ctx, &d->q);
    hash_points(&ctx, &d->k);
    if (d->v != NULL)
        sha256_update(&ctx, d->k.n * d->r * sizeof *d->v, (const uint8_t *)d->v);
    kmv_hash_finish(&ctx, d->sha256);
}

kmv_status kmv_generate(const char *generator, const char *options, uint64_t seed, kmv_dataset *out,
                        kmv_error *err)
{
    const kmv_generator *g = kmv_generator_find(generator);
    kmv_dataset made = {.sigma = NAN, .scale = NAN, .causal = -1, .layer = -1, .head = -1};
    _Alignas(max_align_t) char chosen[OPTIONS_ROOM];
    char text[512], key[600];
    gsl_rng *rng = NULL;
    shape s;
    kmv_status st;

    if (g == NULL)
        return unknown_generator(generator, err);
    if (g->options_size > sizeof chosen)
        return kmv_fail(err, KMV_EINTERNAL, "%s: its options exceed %zu bytes", g->name,
                        sizeof chosen);
    memset(chosen, 0, sizeof chosen);
    if ((st = kmv_options_default(g->options, chosen, err)) != KMV_OK ||
        (st = kmv_options_parse(g->options, chosen, options, err)) != KMV_OK)
        return kmv_fail_prefix(err, st, "generator %s", g->name);
    kmv_options_format(g->options, chosen, text, sizeof text);
    /* The options are part of the key: each (n, d) is drawn anew, none is a prefix of another. */
    snprintf(key, sizeof key, "%s %s", g->name, text);
    if ((rng = kmv_rng_create(kmv_stream_key(seed, key, 0), err)) == NULL)
        return KMV_ENOMEM;
    memcpy(&s, chosen, sizeof s); /* the head of every options struct */
    if ((st = g->make(chosen, rng, &made, err)) != KMV_OK ||
        (st = make_values(s.r, rng, &made, err)) != KMV_OK)
        goto out;
    snprintf(made.name, sizeof made.name, "%s", g->name);
    snprintf(made.source, sizeof made.source, "kmv gen %s%s%.180s --seed %llu", g->name,
             text[0] != '\0' ? " " : "", text, (unsigned long long)seed);
    hash_dataset(&made);
    *out = made;
    made = (kmv_dataset){0};
out:
    kmv_dataset_clear(&made);
    gsl_rng_free(rng);
    return st;
}

/* tests/attention.c - see attention.h. */
#include "attention.h"

#include "check.h"

#include <gsl/gsl_randist.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "gauss/reference.h"
#include "gauss/tile.h"
#include "vectors.h"

enum { CENTRES = 8 };

/* centre: CENTRES x d, or NULL. */
static void draw_points(kmv_points *p, size_t n, attention_shape s, double shift,
                        const double *centre, gsl_rng *rng)
{
    kmv_error err = {""};

    CHECK_OK(kmv_points_init(p, n, s.d, &err));
    for (size_t i = 0; i < n; i++) {
        const double *c = centre != NULL ? centre + gsl_rng_uniform_int(rng, CENTRES) * s.d : NULL;

        for (size_t l = 0; l < s.d; l++)
            p->x[i * p->ld + l] =
                (float)(shift + (c != NULL ? c[l] : 0) + gsl_ran_gaussian(rng, s.spread));
    }
}

/* All but the reference. */
static attention draw(attention_shape s)
{
    gsl_rng *rng = kmv_rng_create(kmv_stream_key(s.seed, "attention", 0), NULL);
    double *centre = s.centres > 0 ? calloc(CENTRES * s.d, sizeof *centre) : NULL;
    attention a = {.r = s.r};

    for (size_t l = 0; centre != NULL && l < CENTRES * s.d; l++)
        centre[l] = gsl_ran_gaussian(rng, s.centres);
    draw_points(&a.q, s.n_q, s, s.shift - s.apart, centre, rng);
    draw_points(&a.k, s.n_k, s, s.shift + s.apart, centre, rng);
    free(centre);
    a.x = calloc(s.n_k * s.r, sizeof *a.x);
    a.y = calloc(s.n_q * s.r, sizeof *a.y);
    a.want = calloc(s.n_q * s.r, sizeof *a.want);
    for (size_t j = 0; j < s.n_k * s.r; j++)
        a.x[j] = gsl_ran_gaussian(rng, 1);
    gsl_rng_free(rng);
    a.problem = (kmv_problem){.matrix = s.matrix, .causal = s.causal, .sigma = s.sigma};
    return a;
}

void attention_make(attention *a, attention_shape shape)
{
    *a = draw(shape);
    attention_reference(a);
}

attention attention_plain(kmv_matrix matrix, size_t n_q, size_t n_k, size_t d, size_t r,
                          double spread, double apart)
{
    return draw((attention_shape){.n_q = n_q,
                                  .n_k = n_k,
                                  .d = d,
                                  .r = r,
                                  .matrix = matrix,
                                  .sigma = 1,
                                  .spread = spread,
                                  .apart = apart,
                                  .seed = 11});
}

void attention_reference(attention *a)
{
    double *absolute = malloc(a->k.n * a->r * sizeof *absolute);
    kmv_error err = {""};

    a->problem.q = &a->q;
    a->problem.k = &a->k;
    for (size_t j = 0; j < a->k.n * a->r; j++)
        absolute[j] = fabs(a->x[j]);
    CHECK_OK(kmv_reference_product(&a->problem, NULL, a->q.n, absolute, a->r, 1, a->want, &err));
    a->size = norm(a->want, a->q.n * a->r);
    CHECK_OK(kmv_reference_product(&a->problem, NULL, a->q.n, a->x, a->r, 1, a->want, &err));
    free(absolute);
}

void attention_clear(attention *a)
{
    kmv_points_clear(&a->q);
    kmv_points_clear(&a->k);
    free(a->x);
    free(a->y);
    free(a->want);
}

void attention_run(attention *a, const char *algo, const char *options, const char *isa,
                   int threads, uint64_t seed, kmv_report *report)
{
    const kmv_settings settings = {
        .eps = 0.1, .delta = 0.01, .r = a->r, .threads = threads, .isa = isa, .seed = seed};
    kmv_report said;
    kmv_plan *plan = NULL;
    kmv_error err = {""};
    size_t calls;

    for (size_t i = 0; i < a->q.n * a->r; i++)
        a->y[i] = NAN; /* to be overwritten */
    CHECK_OK(kmv_plan_create(kmv_algo_find(algo), &a->problem, options, &settings, &plan, &err));
    calls = kmv_mem_calls();
    CHECK_OK(kmv_plan_apply(plan, a->x, a->r, a->y, &said, &err));
    assert_int_equal(kmv_mem_calls(), calls);
    snprintf(a->text, sizeof a->text, "%s", said.text);
    kmv_plan_destroy(plan);
    if (report != NULL)
        *report = said;
}

double attention_error(const attention *a)
{
    return distance(a->y, a->want, a->q.n * a->r);
}

double attention_relative_error(const attention *a)
{
    return attention_error(a) / norm(a->x, a->k.n * a->r);
}

/* Logits up to some thousands, which overflow any exponential in float: right to what rounding them
 * leaves, 4000 2^-24 times a few of each weight. */
static void check_large_logits(const char *algo, const char *options, int causal)
{
    attention a;

    attention_make(&a, (attention_shape){.n_q = 50,
                                         .n_k = 64,
                                         .d = 48,
                                         .r = 2,
                                         .matrix = KMV_SOFTMAX,
                                         .causal = causal,
                                         .sigma = 1,
                                         .spread = 10,
                                         .seed = 8});
    attention_run(&a, algo, options, NULL, 1, 5, NULL);
    CHECK_CLOSE(attention_error(&a), 0, 5e-3 * a.size);
    attention_clear(&a);
}

void attention_check_exact(const char *algo, const char *options, kmv_matrix matrix, int causal,
                           int more_queries)
{
    static const size_t shapes[][3] = {{1, 1, 1},    {1, 300, 5},    {16, 257, 20},
                                       {97, 97, 33}, {131, 131, 64}, {70, 20, 7}};
    const kmv_tile *tile;

    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        for (size_t r = 1; r <= 3; r += 2) {
            attention a;

            if (shapes[s][0] > shapes[s][1] && !more_queries)
                continue;
            attention_make(&a, (attention_shape){.n_q = shapes[s][0],
                                                 .n_k = shapes[s][1],
                                                 .d = shapes[s][2],
                                                 .r = r,
                                                 .matrix = matrix,
                                                 .causal = causal,
                                                 .sigma = pow((double)shapes[s][2], 0.25),
                                                 .spread = 1,
                                                 .seed = 1});
            for (size_t t = 0; (tile = kmv_tile_at(t)) != NULL; t++) {
                if (!tile->can_run())
                    continue;
                attention_run(&a, algo, options, tile->name, 1, 5, NULL);
                /* Exponents reach about 30 here; each is off by a few 2^-24 of the norms it is made
                 * of, an entry by 1e-5 of itself, and a row by that times sum |entry| |x|. */
                CHECK_CLOSE(attention_error(&a), 0, 2e-5 * a.size);
            }
            attention_clear(&a);
        }
    }
    if (matrix == KMV_SOFTMAX)
        check_large_logits(algo, options, causal);
}

void attention_check_contract(attention *a, const char *algo, const char *options)
{
    const size_t bytes = a->q.n * a->r * sizeof *a->y, before = kmv_mem_current();
    kmv_settings settings = KMV_SETTINGS_DEFAULT;
    double *first = malloc(bytes);
    kmv_plan *plan = NULL;
    kmv_error err = {""};
    size_t calls;

    for (int threads = 1; threads <= 3; threads++) {
        attention_run(a, algo, options, NULL, threads, 9, NULL);
        for (size_t i = 0; i < a->q.n * a->r; i++)
            assert_true(isfinite(a->y[i]));
        if (threads == 1)
            memcpy(first, a->y, bytes);
        else
            assert_memory_equal(a->y, first, bytes);
    }
    settings.r = a->r;
    settings.threads = 2;
    CHECK_OK(kmv_plan_create(kmv_algo_find(algo), &a->problem, options, &settings, &plan, &err));
    calls = kmv_mem_calls();
    CHECK_OK(kmv_plan_apply(plan, a->x, a->r, a->y, NULL, &err));
    CHECK_OK(kmv_plan_apply(plan, a->x, 1, a->y, NULL, &err)); /* fewer columns than planned */
    for (size_t i = 0; i < a->q.n; i++)
        assert_true(isfinite(a->y[i]));
    CHECK_OK(kmv_plan_apply(plan, a->x, a->r, a->y, NULL, &err));
    assert_int_equal(kmv_mem_calls(), calls);
    kmv_plan_destroy(plan);
    assert_int_equal(kmv_mem_current(), before);
    free(first);
}

void attention_check_isas(attention *a, const char *algo, const char *options, double bound)
{
    const size_t n = a->q.n * a->r;
    double *best = malloc(n * sizeof *best), most = 0;
    const kmv_tile *tile;

    attention_run(a, algo, options, NULL, 1, 1, NULL);
    memcpy(best, a->y, n * sizeof *best);
    for (size_t i = 0; i < n; i++)
        most = fmax(most, fabs(best[i]));
    for (size_t t = 0; (tile = kmv_tile_at(t)) != NULL; t++) {
        if (!tile->can_run())
            continue;
        attention_run(a, algo, options, tile->name, 1, 1, NULL);
        for (size_t i = 0; i < n; i++)
            CHECK_CLOSE(a->y[i], best[i], bound * most);
    }
    free(best);
}

void attention_check_repeatable(const char *algo, const char *options, kmv_matrix matrix,
                                int causal, int random)
{
    attention a;
    double *first;
    size_t bytes;

    attention_make(&a, (attention_shape){.n_q = 203,
                                         .n_k = 211,
                                         .d = 19,
                                         .r = 3,
                                         .matrix = matrix,
                                         .causal = causal,
                                         .sigma = 2,
                                         .spread = 1,
                                         .seed = 2});
    attention_check_contract(&a, algo, options);
    bytes = a.q.n * a.r * sizeof *a.y;
    first = malloc(bytes);
    attention_run(&a, algo, options, NULL, 2, 9, NULL);
    memcpy(first, a.y, bytes);
    attention_run(&a, algo, options, NULL, 2, 10, NULL);
    assert_int_equal(memcmp(a.y, first, bytes) != 0, random);
    free(first);
    attention_clear(&a);
}

void attention_check_masked(const char *algo, const char *options, size_t n_q, size_t n_k,
                            double far, double tolerance)
{
    attention a;

    attention_make(&a, (attention_shape){.n_q = n_q,
                                         .n_k = n_k,
                                         .d = 5,
                                         .r = 1,
                                         .matrix = KMV_SOFTMAX,
                                         .causal = 1,
                                         .sigma = 2,
                                         .spread = 1,
                                         .seed = 5});
    for (size_t j = 0; j < n_k; j++)
        a.x[j] = j == n_k - 1 ? far : 1;
    attention_run(&a, algo, options, NULL, 2, 3, NULL);
    for (size_t i = 0; i < n_q - 1; i++)
        CHECK_CLOSE(a.y[i], 1, tolerance);
    attention_clear(&a);
}

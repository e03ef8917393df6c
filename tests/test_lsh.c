/* Hash tables and `lsh`: how likely pairs meet, that each counts once, and that errors have the
 * size that docs/lsh.md proves. */
#include "check.h"

#include <gsl/gsl_randist.h>
#include <stdlib.h>
#include <string.h>

#include "algo/hash_tables.h"
#include "base/mem.h"
#include "base/rng.h"
#include "gauss/reference.h"

enum { N_Q = 45, N_K = 70, D = 5, REPEATS = 700 };

typedef struct {
    kmv_points q, k;
    kmv_problem problem;
    size_t r;
    double *x, *exact;
    double g[N_Q][N_K]; /* entries */
} fixture;

static fixture *make(size_t r)
{
    gsl_rng *rng = kmv_rng_create(kmv_stream_key(8, "lsh", r), NULL);
    fixture *f = calloc(1, sizeof *f);
    kmv_error err = {""};

    CHECK_OK(kmv_points_init(&f->q, N_Q, D, &err));
    CHECK_OK(kmv_points_init(&f->k, N_K, D, &err));
    for (size_t l = 0; l < D; l++) {
        for (size_t j = 0; j < N_K; j++)
            f->k.x[j * f->k.ld + l] = (float)gsl_ran_gaussian(rng, 0.7);
        for (size_t i = 0; i < N_Q; i++) /* each near a key of its own */
            f->q.x[i * f->q.ld + l] = f->k.x[i * f->k.ld + l] + (float)gsl_ran_gaussian(rng, 0.2);
    }
    f->r = r;
    f->x = calloc(N_K * r, sizeof *f->x);
    f->exact = calloc(N_Q * r, sizeof *f->exact);
    for (size_t j = 0; j < N_K * r; j++)
        f->x[j] = gsl_ran_gaussian(rng, 1);
    gsl_rng_free(rng);
    f->problem = (kmv_problem){.matrix = KMV_GAUSS, .sigma = 1, .q = &f->q, .k = &f->k};
    CHECK_OK(kmv_reference_product(&f->problem, NULL, N_Q, f->x, r, 1, f->exact, &err));
    for (size_t i = 0; i < N_Q; i++) {
        for (size_t j = 0; j < N_K; j++) {
            double square = 0;

            for (size_t l = 0; l < D; l++)
                square += pow((double)f->q.x[i * f->q.ld + l] - (double)f->k.x[j * f->k.ld + l], 2);
            f->g[i][j] = exp(-square / 2);
        }
    }
    return f;
}

static void clear(fixture *f)
{
    kmv_points_clear(&f->q);
    kmv_points_clear(&f->k);
    free(f->x);
    free(f->exact);
    free(f);
}

static double norm2(const double *x, size_t n)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += x[i] * x[i];
    return sum;
}

static double distance2(const double *a, const double *b, size_t n)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += (a[i] - b[i]) * (a[i] - b[i]);
    return sum;
}

/* Float entries to a few 1e-6, weights to 6e-8, of at most N_K terms a row. */
static double float_tol(const fixture *f)
{
    return 1e-5 * N_K * sqrt(norm2(f->x, N_K * f->r));
}

/* The tables that a plan without pilot draws from this seed. */
static kmv_hash_tables *tables_of(const fixture *f, kmv_hash_input *in, const kmv_tile *tile,
                                  size_t tables, kmv_hash_shape shape, size_t r, uint64_t seed)
{
    gsl_rng *rng = kmv_rng_create(kmv_stream_key(seed, "prepare", 0), NULL);
    kmv_hash_tables *h = NULL;
    kmv_cost cost = {0};
    kmv_error err = {""};

    CHECK_OK(kmv_hash_input_init(in, &f->problem, tile, 1e-3, 1, &cost, &err));
    CHECK_OK(kmv_hash_tables_create(in, tables, shape, r, rng, 1, &h, &cost, &err));
    gsl_rng_free(rng);
    return h;
}

/* The angle of a pair seen from the centre. */
static double angle_of(const kmv_hash_input *in, size_t i, size_t j)
{
    const uint32_t key = (uint32_t)j;
    const float *row[1];
    double dot = 0;

    kmv_hash_key_rows(in, &key, 1, 1, row);
    for (size_t l = 0; l < D; l++)
        dot += (double)in->q.x[i * in->q.ld + l] * (double)row[0][l];
    dot /= 2 * sqrt((double)in->q.offset[i] * (double)in->k.offset[j]);
    return acos(fmax(-1, fmin(1, dot)));
}

/* ---- tables ---------------------------------------------------------------------------------- */

static void probability_known(void **state)
{
    const double pi = 3.14159265358979323846;
    double agree[KMV_HASH_POINTS];

    (void)state;
    kmv_hash_agreement(pi / 3, agree);
    CHECK_CLOSE(kmv_hash_probability(pi / 3, agree, (kmv_hash_shape){.bits = 4}), 16.0 / 81, 1e-15);
    CHECK_CLOSE(kmv_hash_probability(pi / 3, agree, (kmv_hash_shape){.bits = 0}), 1, 0);
    CHECK_CLOSE(kmv_hash_probability(pi / 3, agree, (kmv_hash_shape){.bits = 3, .wild = 3}), 1, 0);
    /* At right angles a key's bits are fair coins, whatever is wild. */
    kmv_hash_agreement(pi / 2, agree);
    CHECK_CLOSE(kmv_hash_probability(pi / 2, agree, (kmv_hash_shape){.bits = 7, .wild = 2}),
                1.0 / 32, 1e-12);
    kmv_hash_agreement(pi, agree);
    CHECK_CLOSE(kmv_hash_probability(pi, agree, (kmv_hash_shape){.bits = 7, .wild = 2}), 0, 1e-9);
    /* One sure bit of two, theta: h = 2 int_0^1 A(F) dF, that is E 2 F [sign agrees]; by
     * symmetry the larger of two |u|. Monte Carlo below checks the rest. */
    kmv_hash_agreement(0.2, agree);
    assert_true(kmv_hash_probability(0.2, agree, (kmv_hash_shape){.bits = 2, .wild = 1}) >
                1 - 0.2 / pi);
}

/* Tables against h, over 40 draws of 24 tables for all pairs: the mean over pairs of [meet] - h.
 * Per table the mean over pairs lies in [-1, 1]; 960 independent tables: Hoeffding, 2 exp(-960
 * t^2 / 2) < 1e-8 for t = 0.2. That is loose for the mean, so near pairs (h > 0.5) and far ones
 * are looked at apart and per query with a factor 3.9 from the deviations seen: six standard errors
 * of the 40 draws (t distribution with 39 degrees of freedom, below 1e-6). */
static void tables_meet_as_h(void **state)
{
    enum { DRAWS = 40, TABLES = 24 };
    const kmv_hash_shape shapes[] = {{.bits = 5}, {.bits = 6, .wild = 2}, {.bits = 4, .wild = 1}};
    fixture *f = make(1);

    (void)state;
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        double sum[2] = {0}, square[2] = {0};

        for (size_t draw = 0; draw < DRAWS; draw++) {
            kmv_hash_input in;
            kmv_hash_tables *h = tables_of(f, &in, kmv_tile_best(), TABLES, shapes[s], 1, draw);
            double off[2] = {0};

            for (size_t i = 0; i < N_Q; i++) {
                /* every query's own key, and one that is as good as any */
                for (size_t which = 0; which < 2; which++) {
                    const size_t j = which == 0 ? i : (i * 7 + 13) % N_K;
                    const double theta = angle_of(&in, i, j);
                    double agree[KMV_HASH_POINTS];

                    kmv_hash_agreement(theta, agree);
                    for (size_t t = 0; t < TABLES; t++) {
                        const uint32_t differ = h->k_code[t * N_K + j] ^ h->q_code[t * N_Q + i];

                        off[which] += (differ & h->q_mask[t * N_Q + i]) == 0;
                    }
                    off[which] -= TABLES * kmv_hash_probability(theta, agree, shapes[s]);
                }
            }
            for (size_t which = 0; which < 2; which++) {
                off[which] /= N_Q * TABLES;
                sum[which] += off[which] / DRAWS;
                square[which] += off[which] * off[which] / DRAWS;
            }
            kmv_hash_tables_destroy(h);
            kmv_hash_input_clear(&in);
        }
        for (size_t which = 0; which < 2; which++) {
            const double error = sqrt((square[which] - sum[which] * sum[which]) / (DRAWS - 1));

            CHECK_CLOSE(sum[which], 0, 6 * error + 1e-3); /* and the quadrature */
            assert_true(6 * error < 0.03);                /* a wrong h would show */
        }
    }
    clear(f);
}

/* X the identity: y_ij is how often the pair counted, times its entry. Exactly once where the codes
 * of some table say that it meets, in all instruction sets, for more columns than go at once. */
static void pairs_count_once(void **state)
{
    static const kmv_hash_shape shapes[] = {{.bits = 3}, {.bits = 4, .wild = 2}, {.bits = 0}};
    fixture *f = make(1);
    double *identity = calloc(N_K * N_K, sizeof *identity), *y = calloc(N_Q * N_K, sizeof *y);
    const kmv_pair_weights w = {
        .light = identity, .heavy = identity, .r = N_K, .unit = 1, .clip = INFINITY};

    (void)state;
    for (size_t j = 0; j < N_K; j++)
        identity[j * N_K + j] = 1;
    for (size_t a = 0; kmv_tile_at(a) != NULL; a++) {
        for (size_t s = 0; s < 3 && kmv_tile_at(a)->can_run(); s++) {
            kmv_hash_input in;
            kmv_hash_tables *h = tables_of(f, &in, kmv_tile_at(a), 4, shapes[s], N_K, 5);
            size_t met = 0;
            kmv_cost cost = {0};

            memset(y, 0, N_Q * N_K * sizeof *y);
            for (size_t t = 0; t < 4; t++)
                kmv_hash_join(h, t, &w, y, &cost);
            for (size_t i = 0; i < N_Q; i++) {
                for (size_t j = 0; j < N_K; j++) {
                    const int meets = kmv_hash_tables_meet(h, i, j);

                    met += (size_t)meets;
                    /* entries: exponents to 1e-5 at |p|^2 / sigma^2 < 20 */
                    CHECK_CLOSE(y[i * N_K + j], meets ? f->g[i][j] : 0, 2e-5 * f->g[i][j]);
                }
            }
            assert_true(met > N_Q); /* the test has something to see */
            assert_true(s == 2 || met < N_Q * N_K);
            kmv_hash_tables_destroy(h);
            kmv_hash_input_clear(&in);
        }
    }
    free(identity);
    free(y);
    clear(f);
}

/* ---- the law of the error -------------------------------------------------------------------- */

/* Probabilities without a pilot: 0.85 by |x_j|^2, 0.15 by |x_j|, as the docs say. */
static void probabilities(const fixture *f, double samples, double *p)
{
    double score[N_K], total = 0;

    for (size_t j = 0; j < N_K; j++)
        total += sqrt(norm2(f->x + j * f->r, f->r));
    for (size_t j = 0; j < N_K; j++) {
        const double square = norm2(f->x + j * f->r, f->r);

        score[j] = 0.85 * square / norm2(f->x, N_K * f->r) + 0.15 * sqrt(square) / total;
    }
    for (double lambda = samples;; lambda *= 1.000001) { /* sum p = samples, from below */
        double sum = 0;

        for (size_t j = 0; j < N_K; j++)
            sum += p[j] = fmin(1, lambda * score[j]);
        if (sum >= samples)
            break;
    }
}

/* Expected squared error over S with clip, section by section of docs/lsh.md; missed[i][j]: the
 * probability that the tables miss a pair (0 or 1 for given tables). */
static double expected_error(const fixture *f, const double *p, double clip, double (*missed)[N_K])
{
    double total = 0;

    for (size_t i = 0; i < N_Q; i++) {
        for (size_t c = 0; c < f->r; c++) {
            double heavy = 0;

            for (size_t j = 0; j < N_K; j++) {
                const double term = f->g[i][j] * f->x[j * f->r + c];
                const double left = missed[i][j] * term * term;

                if (f->g[i][j] > clip) {
                    heavy += missed[i][j] * (1 - p[j]) * term;
                    total += left * p[j] * (1 - p[j]);
                } else {
                    total += left * (1 / p[j] - 1);
                }
            }
            total += heavy * heavy;
        }
    }
    return total;
}

static kmv_plan *plan_of(const fixture *f, const char *options, const kmv_settings *settings)
{
    kmv_plan *plan = NULL;
    kmv_error err = {""};

    CHECK_OK(kmv_plan_create(kmv_algo_find("lsh"), &f->problem, options, settings, &plan, &err));
    return plan;
}

/* Squared errors of REPEATS applies: their mean is `want` within six standard errors, with the
 * deviation seen (failure below 1e-8 for errors that are sums over many columns). */
static void check_mean(double sum, double squares, size_t repeats, double want)
{
    const double mean = sum / (double)repeats;
    const double error = sqrt((squares / (double)repeats - mean * mean) / (double)repeats);

    CHECK_CLOSE(mean, want, 6 * error + 1e-4 * want); /* and float entries */
    assert_true(6 * error < 0.35 * want);             /* so that a wrong formula cannot hide */
}

/* One set of tables, many samples. */
static void check_given_tables(fixture *f, const char *options, double clip)
{
    const kmv_settings settings = {.eps = 0.1, .delta = 0.01, .r = f->r, .threads = 1, .seed = 6};
    const kmv_hash_shape shape = {.bits = 3, .wild = 1};
    kmv_hash_input in;
    kmv_hash_tables *h = tables_of(f, &in, kmv_tile_best(), 2, shape, f->r, settings.seed);
    kmv_plan *plan = plan_of(f, options, &settings);
    const size_t n = N_Q * f->r;
    double *y = calloc(n, sizeof *y), *mean = calloc(n, sizeof *mean), p[N_K];
    double(*missed)[N_K] = calloc(N_Q, sizeof *missed), sum = 0, squares = 0, want;
    kmv_error err = {""};

    for (size_t i = 0; i < N_Q; i++) {
        for (size_t j = 0; j < N_K; j++) {
            missed[i][j] = !kmv_hash_tables_meet(h, i, j);
            /* no entry so near to the clip that float and double differ about it */
            assert_true(!(fabs(f->g[i][j] - clip) <= 1e-6));
        }
    }
    probabilities(f, 15, p);
    want = expected_error(f, p, clip, missed);
    for (size_t t = 0; t < REPEATS; t++) {
        double error2;

        CHECK_OK(kmv_plan_apply(plan, f->x, f->r, y, NULL, &err));
        for (size_t m = 0; m < n; m++)
            mean[m] += y[m] / REPEATS;
        error2 = distance2(y, f->exact, n);
        sum += error2;
        squares += error2 * error2;
    }
    check_mean(sum, squares, REPEATS, want);
    if (clip >= 1) { /* unbiased: a mean of REPEATS, six of its standard deviations (Bernstein) */
        CHECK_CLOSE(sqrt(distance2(mean, f->exact, n)), 0, 6 * sqrt(want / REPEATS));
    } else { /* the clip does something here */
        const double unclipped = expected_error(f, p, 2, missed);

        assert_true(fabs(want - unclipped) > 0.2 * unclipped);
    }
    kmv_plan_destroy(plan);
    kmv_hash_tables_destroy(h);
    kmv_hash_input_clear(&in);
    free(missed);
    free(mean);
    free(y);
}

static void error_for_given_tables(void **state)
{
    (void)state;
    for (size_t r = 1; r <= 2; r++) {
        fixture *f = make(r);

        check_given_tables(f, "tables=2,bits=3,wild=1,samples=15,pilot=0,clip=0", 2);
        check_given_tables(f, "tables=2,bits=3,wild=1,samples=15,pilot=0,clip=0.3", 0.3);
        clear(f);
    }
}

/* One-signed x: missed large entries of a row add up. */
static void error_of_one_signed(void **state)
{
    fixture *f = make(1);
    kmv_error err = {""};

    (void)state;
    for (size_t j = 0; j < N_K; j++)
        f->x[j] = fabs(f->x[j]) + 0.5;
    CHECK_OK(kmv_reference_product(&f->problem, NULL, N_Q, f->x, 1, 1, f->exact, &err));
    check_given_tables(f, "tables=2,bits=3,wild=1,samples=15,pilot=0,clip=0.05", 0.05);
    clear(f);
}

/* New tables each time: the statement of docs/lsh.md, with h for the hash in use. */
static void error_over_tables(void **state)
{
    static const char *const texts[] = {"tables=3,bits=4,wild=0,samples=15,pilot=0,clip=0",
                                        "tables=2,bits=5,wild=2,samples=15,pilot=0,clip=0"};
    static const struct {
        size_t tables;
        kmv_hash_shape shape;
    } drawn[] = {{3, {.bits = 4}}, {2, {.bits = 5, .wild = 2}}};
    fixture *f = make(1);
    double(*missed)[N_K] = calloc(N_Q, sizeof *missed), p[N_K], y[N_Q];
    kmv_error err = {""};

    (void)state;
    probabilities(f, 15, p);
    for (size_t s = 0; s < 2; s++) {
        double sum = 0, squares = 0;
        kmv_hash_input in;
        kmv_hash_tables *h = tables_of(f, &in, kmv_tile_best(), 0, drawn[s].shape, 1, 1);

        for (size_t i = 0; i < N_Q; i++) {
            for (size_t j = 0; j < N_K; j++) {
                const double theta = angle_of(&in, i, j);
                double agree[KMV_HASH_POINTS];

                kmv_hash_agreement(theta, agree);
                missed[i][j] = pow(1 - kmv_hash_probability(theta, agree, drawn[s].shape),
                                   (double)drawn[s].tables);
            }
        }
        for (size_t t = 0; t < REPEATS; t++) {
            const kmv_settings settings = {
                .eps = 0.1, .delta = 0.01, .r = 1, .threads = 1, .seed = 100 + t};
            kmv_plan *plan = plan_of(f, texts[s], &settings);
            double error2;

            CHECK_OK(kmv_plan_apply(plan, f->x, 1, y, NULL, &err));
            error2 = distance2(y, f->exact, N_Q);
            sum += error2;
            squares += error2 * error2;
            kmv_plan_destroy(plan);
        }
        check_mean(sum, squares, REPEATS, expected_error(f, p, 2, missed));
        kmv_hash_tables_destroy(h);
        kmv_hash_input_clear(&in);
    }
    free(missed);
    clear(f);
}

/* ---- through plans --------------------------------------------------------------------------- */

/* No bits: everything meets. As many samples as columns: everything is drawn. */
static void exact_where_all_is_retrieved(void **state)
{
    static const char *const texts[] = {"tables=1,bits=0,wild=0,samples=15,pilot=0,clip=0",
                                        "tables=2,bits=0,wild=0,samples=0,clip=0.1",
                                        "tables=2,bits=3,wild=1,samples=70",
                                        "tables=2,bits=0,wild=0,samples=0"};
    (void)state;
    for (size_t r = 1; r <= 2; r++) {
        fixture *f = make(r);
        const kmv_settings settings = {.eps = 0.1, .delta = 0.01, .r = r, .threads = 2, .seed = 3};
        double y[N_Q * 2];
        kmv_error err = {""};

        for (size_t s = 0; s < sizeof texts / sizeof *texts; s++) {
            kmv_plan *plan = plan_of(f, texts[s], &settings);

            CHECK_OK(kmv_plan_apply(plan, f->x, r, y, NULL, &err));
            CHECK_CLOSE(sqrt(distance2(y, f->exact, N_Q * r)), 0, float_tol(f));
            kmv_plan_destroy(plan);
        }
        clear(f);
    }
}

/* x with few entries: all of them are drawn, nothing is clipped, and the forecast knows. */
static void sparse_input(void **state)
{
    fixture *f = make(1);
    const kmv_settings settings = {.eps = 0.5, .delta = 0.01, .r = 1, .threads = 2, .seed = 3};
    kmv_plan *plan = plan_of(f, "", &settings);
    double y[N_Q];
    kmv_error err = {""};
    kmv_report report;

    (void)state;
    memset(f->x, 0, N_K * sizeof *f->x);
    f->x[4] = -3;
    f->x[60] = 1e-5;
    CHECK_OK(kmv_reference_product(&f->problem, NULL, N_Q, f->x, 1, 1, f->exact, &err));
    CHECK_OK(kmv_plan_apply(plan, f->x, 1, y, &report, &err));
    CHECK_CLOSE(sqrt(distance2(y, f->exact, N_Q)), 0, float_tol(f));
    CHECK_CLOSE(report.err_est, 0, 0);
    CHECK_CLOSE(report.apply.pairs, 2 * N_Q, 0);
    kmv_plan_destroy(plan);
    clear(f);
}

/* Same bits for any number of threads; another seed and another apply draw anew; apply allocates
 * nothing; r = 2 is two products. */
static void draws_by_stream(void **state)
{
    static const char *const texts[] = {"tables=2,bits=3,wild=1,samples=20,pilot=0,clip=0.3",
                                        "tables=2,bits=3,pilot=9", ""};
    fixture *f = make(2);
    double first[N_Q * 2], second[N_Q * 2], other[N_Q * 2];
    kmv_error err = {""};

    (void)state;
    for (size_t s = 0; s < sizeof texts / sizeof *texts; s++) {
        kmv_settings settings = {.eps = 4, .delta = 0.01, .r = 2, .threads = 1, .seed = 4};
        kmv_plan *plan = plan_of(f, texts[s], &settings);
        const size_t calls = kmv_mem_calls();

        CHECK_OK(kmv_plan_apply(plan, f->x, 2, first, NULL, &err));
        CHECK_OK(kmv_plan_apply(plan, f->x, 2, second, NULL, &err));
        assert_int_equal(kmv_mem_calls(), calls);
        kmv_plan_destroy(plan);
        settings.threads = 3;
        plan = plan_of(f, texts[s], &settings);
        CHECK_OK(kmv_plan_apply(plan, f->x, 2, other, NULL, &err));
        assert_memory_equal(first, other, sizeof first);
        kmv_plan_destroy(plan);
        if (s > 0)
            continue;
        assert_memory_not_equal(first, second, sizeof first);
        settings.seed = 5;
        plan = plan_of(f, texts[s], &settings);
        CHECK_OK(kmv_plan_apply(plan, f->x, 2, other, NULL, &err));
        assert_memory_not_equal(first, other, sizeof first);
        kmv_plan_destroy(plan);
    }
    clear(f);
}

/* A planted set, planned from eps alone: a sublinear plan, its forecast near the truth, eps met. */
static void planned_from_eps(void **state)
{
    enum { N = 2000, DIM = 16, SEEDS = 6 };
    gsl_rng *rng = kmv_rng_create(17, NULL);
    kmv_points q = {0}, k = {0};
    double *x = calloc(N, sizeof *x), *y = calloc(N, sizeof *y), *exact = calloc(N, sizeof *exact);
    kmv_error err = {""};
    double mean2 = 0, forecast2 = 0, x_norm2;
    size_t met = 0;

    (void)state;
    CHECK_OK(kmv_points_init(&q, N, DIM, &err));
    CHECK_OK(kmv_points_init(&k, N, DIM, &err));
    for (size_t i = 0; i < N; i++) {
        for (size_t l = 0; l < DIM; l++) {
            k.x[i * k.ld + l] = (float)gsl_ran_gaussian(rng, 1);
            q.x[i * q.ld + l] = k.x[i * k.ld + l] + (float)gsl_ran_gaussian(rng, 0.1);
        }
        x[i] = gsl_ran_gaussian(rng, 1);
    }
    gsl_rng_free(rng);
    x_norm2 = norm2(x, N);
    {
        const kmv_problem problem = {.matrix = KMV_GAUSS, .sigma = 1, .q = &q, .k = &k};

        CHECK_OK(kmv_reference_product(&problem, NULL, N, x, 1, 2, exact, &err));
        for (size_t s = 0; s < SEEDS; s++) {
            const kmv_settings settings = {
                .eps = 0.2, .delta = 0.01, .r = 1, .threads = 2, .seed = s};
            kmv_plan *plan = NULL;
            kmv_report report;

            CHECK_OK(kmv_plan_create(kmv_algo_find("lsh"), &problem, "", &settings, &plan, &err));
            CHECK_OK(kmv_plan_apply(plan, x, 1, y, &report, &err));
            assert_true(report.prepare.pairs + report.apply.pairs < 0.3 * N * N);
            met += distance2(y, exact, N) <= 0.04 * x_norm2;
            mean2 += distance2(y, exact, N) / x_norm2 / SEEDS;
            forecast2 += report.err_est * report.err_est / SEEDS;
            kmv_plan_destroy(plan);
        }
    }
    assert_true(met >= SEEDS - 1);
    /* The forecast rests on 64 rows, and for pairs that are missed on their probability. */
    assert_true(mean2 < 2 * forecast2 && forecast2 < 3 * mean2);
    kmv_points_clear(&q);
    kmv_points_clear(&k);
    free(x);
    free(y);
    free(exact);
}

static void degenerate_data(void **state)
{
    static const size_t sizes[][2] = {{1, 1}, {1, 9}, {9, 1}, {40, 33}};

    (void)state;
    for (size_t s = 0; s < 4; s++) {
        for (int spread = 0; spread < 2; spread++) { /* all points equal; queries apart from keys */
            const size_t n_q = sizes[s][0], n_k = sizes[s][1];
            const kmv_settings settings = {
                .eps = 0.1, .delta = 0.01, .r = 1, .threads = 2, .seed = 3};
            double x[33], y[40], total = 0, error2 = 0;
            kmv_points q = {0}, k = {0};
            kmv_error err = {""};

            CHECK_OK(kmv_points_init(&q, n_q, 3, &err));
            CHECK_OK(kmv_points_init(&k, n_k, 3, &err));
            for (size_t i = 0; i < n_q; i++)
                q.x[i * q.ld] = 2 + 0.5f * (float)spread;
            for (size_t j = 0; j < n_k; j++) {
                k.x[j * k.ld] = 2;
                total += x[j] = 1 + (double)j;
            }
            {
                const kmv_problem problem = {.matrix = KMV_GAUSS, .sigma = 1, .q = &q, .k = &k};
                kmv_plan *plan = NULL;

                CHECK_OK(
                    kmv_plan_create(kmv_algo_find("lsh"), &problem, "", &settings, &plan, &err));
                CHECK_OK(kmv_plan_apply(plan, x, 1, y, NULL, &err));
                for (size_t i = 0; i < n_q; i++)
                    error2 += pow(y[i] - exp(-0.125 * spread) * total, 2);
                /* Six times the error asked for, at seeds that are fixed: what a defect would
                 * leave is |G x| = 30 eps |x| and more. */
                CHECK_CLOSE(sqrt(error2), 0, 0.6 * sqrt(norm2(x, n_k)) * (n_k == 1 ? 0.2 : 1));
                kmv_plan_destroy(plan);
            }
            kmv_points_clear(&q);
            kmv_points_clear(&k);
        }
    }
}

static void rejections(void **state)
{
    fixture *f = make(1);
    const kmv_algo *a = kmv_algo_find("lsh");
    const kmv_settings settings = KMV_SETTINGS_DEFAULT;
    kmv_plan *plan = NULL;
    kmv_error err = {""};

    (void)state;
    assert_null(kmv_algo_rejects(a, &f->problem, "", 2, 1));
    assert_string_equal(kmv_algo_rejects(a, &f->problem, "pilot=0", 1, 1),
                        "pilot = 0 needs tables, samples and clip");
    assert_string_equal(kmv_algo_rejects(a, &f->problem, "tables=1,bits=2,wild=2", 1, 1),
                        "wild is not below bits");
    assert_string_equal(kmv_algo_rejects(a, &f->problem, "tables=1,bits=20", 1, 1),
                        "bits: many more buckets than keys");
    assert_string_equal(kmv_algo_rejects(a, &f->problem, "clip=-0.5", 1, 1),
                        "clip is negative, and not -1");
    assert_true(kmv_algo_uses_eps(a, ""));
    assert_false(kmv_algo_uses_eps(a, "tables=2,samples=9,clip=0"));
    f->problem.sigma = 1e-4;
    CHECK_FAILS(kmv_plan_create(a, &f->problem, "", &settings, &plan, &err), KMV_ENOTSUP,
                "sigma = 0.0001 is too small");
    assert_null(plan);
    f->problem.causal = 1;
    assert_string_equal(kmv_algo_rejects(a, &f->problem, "", 1, 1), "does not do causal masks");
    clear(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(probability_known),
        cmocka_unit_test(tables_meet_as_h),
        cmocka_unit_test(pairs_count_once),
        cmocka_unit_test(error_for_given_tables),
        cmocka_unit_test(error_of_one_signed),
        cmocka_unit_test(error_over_tables),
        cmocka_unit_test(exact_where_all_is_retrieved),
        cmocka_unit_test(sparse_input),
        cmocka_unit_test(draws_by_stream),
        cmocka_unit_test(planned_from_eps),
        cmocka_unit_test(degenerate_data),
        cmocka_unit_test(rejections),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

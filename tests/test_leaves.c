/* Whole problems in blocks and leaves: frames, packing, values, and the sums of a block against the
 * float64 reference. */
#include "softmax_points.h"

#include "base/mem.h"
#include "gauss/leaves.h"
#include "gauss/reference.h"

typedef struct {
    kmv_leaf_frame frame;
    kmv_leaf_set queries, keys;
    kmv_leaf_values values;
    kmv_leaf_sums sums;
    double norm2;
} engine;

static void start(engine *e, const kmv_problem *p, const kmv_tile *t, int parts, const double *x,
                  size_t r, const double *shift, double factor)
{
    const kmv_attend_unit u = kmv_attend_unit_of(t, p->q->d);
    kmv_cost cost = {0};
    kmv_error err;

    CHECK_OK(kmv_leaf_frame_init(&e->frame, p, &err));
    CHECK_OK(kmv_leaf_set_init(&e->queries, &u, 0, parts, p->q->n, p->q->d, &err));
    CHECK_OK(kmv_leaf_set_init(&e->keys, &u, 1, parts, p->k->n, p->q->d, &err));
    CHECK_OK(kmv_leaf_values_init(&e->values, &u, parts, p->k->n, r, &err));
    CHECK_OK(kmv_leaf_sums_init(&e->sums, &u, e->values.ld, &err));
    kmv_leaf_set_pack(&e->queries, &e->frame, p->q, NULL, p->q->n, 2, &cost);
    kmv_leaf_set_pack(&e->keys, &e->frame, p->k, NULL, p->k->n, 2, &cost);
    assert_true(cost.flops == 6.0 * (double)((p->q->n + p->k->n) * p->q->d));
    e->norm2 = kmv_leaf_values_pack(&e->values, x, r, NULL, p->k->n, shift, factor, 2);
}

static void stop(engine *e)
{
    kmv_leaf_frame_clear(&e->frame);
    kmv_leaf_set_clear(&e->queries);
    kmv_leaf_set_clear(&e->keys);
    kmv_leaf_values_clear(&e->values);
    kmv_leaf_sums_clear(&e->sums);
}

/* Y by visiting every leaf that some row of a block sees; tops begin at `top`. Returns pairs. */
static double product(const kmv_problem *p, const kmv_tile *t, int parts, const double *x, size_t r,
                      const double *shift, double factor, float top, double *y)
{
    engine e;
    uint32_t *list;
    double pairs = 0;

    start(&e, p, t, parts, x, r, shift, factor);
    list = calloc(e.keys.count, sizeof *list);
    for (size_t b = 0; b < e.queries.count; b++) {
        const size_t first = b * e.queries.each, left = p->q->n - first;
        const size_t seen = kmv_leaf_seen(p, first + e.queries.each - 1);
        const size_t count = (seen + e.keys.each - 1) / e.keys.each;
        kmv_leaf_visit visits[2] = {
            {.keys = &e.keys, .values = &e.values, .list = list, .masked = p->causal}, {0}};

        for (size_t l = 0; l < count; l++) /* any order, in two visits */
            list[l] = (uint32_t)(count - 1 - l);
        visits[1] = visits[0];
        visits[0].count = count / 3;
        visits[1].count = count - count / 3;
        visits[1].list += count / 3;
        for (size_t i = 0; i < e.queries.each; i++)
            e.sums.top[i] = top;
        pairs += kmv_leaf_block(p, &e.queries, b, visits, 2, &e.sums);
        for (size_t i = 0; i < e.queries.each && i < left; i++) {
            for (size_t c = 0; c < r; c++)
                y[(first + i) * r + c] = shift[c] + (double)e.sums.part[i * e.sums.ld + c] /
                                                        (double)e.sums.sum[i] / factor;
        }
    }
    free(list);
    stop(&e);
    return pairs;
}

/* Bound on |y - P x| / max|x - shift|, weights and values both rounded. u: rounding of a
 * coordinate; an exponent in nats errs by 2 u times the largest sum |q||k| about the centres, 3 for
 * products of lower order, and float additions; entries by 2^-9 or 2^-18 more on a matrix unit,
 * values by u. */
static double bound(const kmv_problem *p, const kmv_tile *t, int parts, double reach)
{
    const int rounds = kmv_attend_unit_of(t, p->q->d).rounds;
    const double u = !rounds ? 0x1p-24 : parts == 1 ? 0x1p-9 : parts == 2 ? 0x1p-18 : 0x1p-24;
    const double entry = !rounds ? 0 : parts == 1 ? 0x1p-9 : 0x1p-18;
    const double adds = ((double)kmv_round_up(p->q->d, 32) * 1.1 + 12) * 0x1p-24;

    return 2 * (expm1(reach * (3 * u + adds)) + entry + 2e-6 + (double)p->k->n * 0x1p-24) + u;
}

/* Largest s |q - c_q| |k - c_k| in nats with c_q |k - c_k| beside it: cubes of that side. */
static double reach_of(double side_q, double side_k, double mean_q, size_t d, double sigma)
{
    return (double)d * side_k / 2 * (side_q / 2 + fabs(mean_q)) * 1.2 / (sigma * sigma);
}

static void against_reference(void **state)
{
    static const struct {
        size_t n_q, n_k, d, r;
        int causal;
    } cases[] = {{1, 1, 1, 1, 0},     {1, 1, 40, 1, 1},   {97, 333, 7, 3, 0}, {97, 333, 40, 35, 0},
                 {50, 131, 64, 2, 1}, {65, 65, 33, 1, 1}, {200, 70, 24, 5, 0}};
    const kmv_tile *t;

    (void)state;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        const size_t n_q = cases[c].n_q, n_k = cases[c].n_k, d = cases[c].d, r = cases[c].r;
        double *x = numbers(n_k * r, 9), *y = malloc(n_q * r * sizeof *y);
        double *want = malloc(n_q * r * sizeof *y), *shift = numbers(r, 8);
        kmv_points q, k;
        kmv_problem p = {.q = &q, .k = &k, .matrix = KMV_SOFTMAX, .causal = cases[c].causal};
        kmv_error err;

        p.sigma = pow((double)d, 0.25);
        cube(&q, n_q, d, 2, 0.5, 3);
        cube(&k, n_k, d, 2, 4, 4);
        CHECK_OK(kmv_reference_product(&p, NULL, n_q, x, r, 1, want, &err));
        for (size_t n = 0; (t = kmv_tile_at(n)) != NULL; n++) {
            for (int parts = 1; parts <= 3 && t->can_run(); parts++) {
                const double tol = bound(&p, t, parts, reach_of(2, 2, 0.5, d, p.sigma));

                /* tops from right to hopelessly wrong in either direction */
                for (float top = -300; top <= 300; top += 150) {
                    const double pairs = product(&p, t, parts, x, r, shift, 0.125, top, y);

                    if (!p.causal)
                        CHECK_CLOSE(pairs, (double)(n_q * n_k), 0);
                    CHECK_CLOSE(pairs, kmv_problem_pairs(&p), 0);
                    for (size_t m = 0; m < n_q * r; m++) /* |x - shift| <= 1 */
                        CHECK_CLOSE(y[m], want[m], tol);
                }
            }
        }
        kmv_points_clear(&q);
        kmv_points_clear(&k);
        free(x);
        free(y);
        free(want);
        free(shift);
    }
}

/* Rows whose exponents lie near +-300 and +-5000 about the frame: the top is found again. Two keys
 * at 1 and -1 with queries h: weights 1 / (1 + exp(-2 h)), saturated. */
static void far_exponents(void **state)
{
    const kmv_tile *t;

    (void)state;
    for (size_t n = 0; (t = kmv_tile_at(n)) != NULL; n++) {
        for (size_t d = 1; d <= 40 && t->can_run(); d += 39) {
            const double x[] = {3, 5, 7}, none = 0, heights[] = {200, -210, 3500, -3600, 0, 1};
            double y[6];
            kmv_points q, k;
            kmv_problem p = {.q = &q, .k = &k, .matrix = KMV_SOFTMAX, .sigma = 1};
            kmv_error err;

            CHECK_OK(kmv_points_init(&q, 6, d, &err));
            CHECK_OK(kmv_points_init(&k, 3, d, &err));
            for (size_t i = 0; i < 6; i++)
                q.x[i * q.ld] = (float)heights[i];
            k.x[0] = 1;
            k.x[k.ld] = -1;
            for (float top = -300; top <= 300; top += 300) {
                product(&p, t, 2, x, 1, &none, 1, top, y);
                CHECK_CLOSE(y[0], 3, 1e-4);
                CHECK_CLOSE(y[1], 5, 1e-4);
                CHECK_CLOSE(y[2], 3, 1e-4);
                CHECK_CLOSE(y[3], 5, 1e-4);
            }
            kmv_points_clear(&q);
            kmv_points_clear(&k);
        }
    }
}

/* A vector added to all keys, or their origin moved, or both sets stored about other origins:
 * exponents change by what rounding the moved coordinates does, and softmax by no more. */
static void frame_shift(void **state)
{
    enum { N_Q = 40, N_K = 90, D = 40 };
    double *x = numbers(N_K, 3), none = 0, want[N_Q], y[N_Q], origin[D], from_f64[N_K * D];
    kmv_points q, k, moved;
    kmv_problem p = {.q = &q, .k = &k, .matrix = KMV_SOFTMAX, .sigma = 2};
    double *kept;
    const kmv_tile *t;
    kmv_error err;

    (void)state;
    cube(&q, N_Q, D, 2, 0.25, 3);
    cube(&k, N_K, D, 2, 0, 4);
    kept = k.origin;
    CHECK_OK(kmv_reference_product(&p, NULL, N_Q, x, 1, 1, want, &err));
    for (size_t l = 0; l < D; l++)
        origin[l] = 50 + (double)l;
    for (size_t m = 0; m < N_K * D; m++)
        from_f64[m] = (double)k.x[m / D * k.ld + m % D] + 20;
    CHECK_OK(kmv_points_from_f64(&moved, from_f64, N_K, D, D, &err));
    for (size_t n = 0; (t = kmv_tile_at(n)) != NULL; n++) {
        for (int parts = 1; parts <= 3 && t->can_run(); parts++) {
            const double tol = bound(&p, t, parts, reach_of(2, 2, 0.25, D, 2));
            double first[N_Q];

            product(&p, t, parts, x, 1, &none, 1, 0, first);
            k.origin = origin; /* free: not a bit changes */
            product(&p, t, parts, x, 1, &none, 1, 0, y);
            assert_memory_equal(first, y, sizeof y);
            k.origin = kept;
            for (size_t i = 0; i < N_Q; i++)
                CHECK_CLOSE(first[i], want[i], 0.6 * tol);
            p.k = &moved;
            product(&p, t, parts, x, 1, &none, 1, 0, y);
            for (size_t i = 0; i < N_Q; i++)
                CHECK_CLOSE(y[i], want[i], 0.6 * tol);
            p.k = &k;
        }
    }
    kmv_points_clear(&q);
    kmv_points_clear(&k);
    kmv_points_clear(&moved);
    free(x);
}

/* Squares and norms of values; no visit leaves the sums at 0 and counts nothing. */
static void values_and_nothing(void **state)
{
    enum { N = 100, D = 30, R = 3 };
    double *x = numbers(N * R, 3), shift[R] = {0.1, 0.2, 0.3}, norm2 = 0;
    kmv_points q, k;
    kmv_problem p = {.q = &q, .k = &k, .matrix = KMV_SOFTMAX, .sigma = 2, .causal = 1};
    const kmv_tile *t;

    (void)state;
    cube(&q, N, D, 2, 0.25, 3);
    cube(&k, N, D, 2, 0, 4);
    for (size_t m = 0; m < N * R; m++)
        norm2 += 9 * x[m] * x[m];
    for (size_t n = 0; (t = kmv_tile_at(n)) != NULL; n++) {
        kmv_leaf_visit none;
        engine e;

        if (!t->can_run())
            continue;
        start(&e, &p, t, 1, x, R, shift, 3);
        CHECK_CLOSE(e.norm2, norm2, 1e-13 * norm2);
        for (size_t j = 0; j < N; j++) {
            double want = 0;

            for (size_t c = 0; c < R; c++)
                want += 9 * (x[j * R + c] - shift[c]) * (x[j * R + c] - shift[c]);
            CHECK_CLOSE((double)e.values.square[j], want, want * 8 * 0x1p-24);
        }
        none = (kmv_leaf_visit){.keys = &e.keys, .values = &e.values, .masked = 1};
        CHECK_CLOSE(kmv_leaf_block(&p, &e.queries, 0, &none, 1, &e.sums), 0, 0);
        for (size_t i = 0; i < e.sums.rows; i++)
            assert_true(e.sums.sum[i] == 0 && e.sums.part[i * e.sums.ld] == 0);
        stop(&e);
    }
    kmv_points_clear(&q);
    kmv_points_clear(&k);
    free(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(against_reference),
        cmocka_unit_test(far_exponents),
        cmocka_unit_test(frame_shift),
        cmocka_unit_test(values_and_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

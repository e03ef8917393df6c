/* Softmax sums in the log domain: values by hand, every instruction set against float64, logits of
 * any size, weights, lists of keys in any order, parts merged. */
#include "softmax_points.h"

#include <omp.h>

#include "base/mem.h"
#include "gauss/reference.h"
#include "gauss/softmax.h"

/* Everything that one product needs. */
typedef struct {
    kmv_packed q, k;
    kmv_values values;
    kmv_softmax_sums sums;
    kmv_softmax_space *space;
    kmv_softmax_operands o;
} engine;

static void start(engine *e, const kmv_problem *p, const kmv_tile *t, const size_t *q_list,
                  size_t n_q, const size_t *k_list, size_t n_k, const double *x, size_t r)
{
    double *centre = malloc(p->q->d * sizeof *centre);
    kmv_cost cost = {0};
    kmv_error err;

    *e = (engine){0};
    CHECK_OK(kmv_packed_init(&e->q, t, KMV_QUERIES, n_q, p->q->d, q_list != NULL, &err));
    CHECK_OK(kmv_packed_init(&e->k, t, KMV_KEYS, n_k, p->k->d, k_list != NULL, &err));
    CHECK_OK(kmv_values_init(&e->values, t, n_k, r, &err));
    CHECK_OK(kmv_softmax_sums_init(&e->sums, t, n_q, r, &err));
    CHECK_OK(kmv_softmax_space_create(t, r, 2, &e->space, &err));
    kmv_centre(p, centre);
    kmv_pack(&e->q, p, centre, q_list, n_q, 1, &cost);
    kmv_pack(&e->k, p, centre, k_list, n_k, 1, &cost);
    kmv_values_load(&e->values, &e->k, x, r, 1);
    e->o = (kmv_softmax_operands){p, &e->q, &e->k, &e->values};
    free(centre);
}

static void stop(engine *e)
{
    kmv_packed_clear(&e->q);
    kmv_packed_clear(&e->k);
    kmv_values_clear(&e->values);
    kmv_softmax_sums_clear(&e->sums);
    kmv_softmax_space_destroy(e->space);
}

/* Y = P X of all points on up to two threads, keys in two parts; returns the pairs left. */
static double product(const kmv_problem *p, const kmv_tile *t, const double *x, size_t r,
                      int threads, double *y)
{
    const size_t panels = (p->k->n + t->lanes - 1) / t->lanes, cut = panels / 3;
    const size_t blocks = (p->q->n + t->rows - 1) / t->rows;
    double pairs = 0;
    engine e;

    start(&e, p, t, NULL, p->q->n, NULL, p->k->n, x, r);
    kmv_softmax_sums_reset(&e.sums, 0, e.sums.capacity);
#pragma omp parallel for num_threads(threads) schedule(dynamic, 1) reduction(+ : pairs)
    for (size_t b = 0; b < blocks; b += KMV_BLOCKS_MAX) {
        const size_t take = blocks - b < KMV_BLOCKS_MAX ? blocks - b : KMV_BLOCKS_MAX;

        for (int half = 0; half < 2; half++)
            kmv_softmax_attend(&e.o, b, take, half ? cut : 0, half ? panels - cut : cut, NULL,
                               e.space, omp_get_thread_num(), &e.sums, b * t->rows, &pairs);
    }
    for (size_t i = 0; i < p->q->n; i++)
        kmv_softmax_sums_row(&e.sums, i, r, e.values.unit, y + i * r);
    stop(&e);
    return pairs;
}

/* Relative error of a weight of softmax: a base-2 exponent is a float sum of d products and two
 * offsets, all below s (|q||k| + ..) <= 3 s |q||k| here, less top; its error acts on numerator and
 * denominator. */
static double weight_error(const kmv_problem *p)
{
    double q = 0, k = 0;

    for (size_t i = 0; i < p->q->n; i++) {
        double n2 = 0;

        for (size_t l = 0; l < p->q->d; l++)
            n2 += pow((double)p->q->x[i * p->q->ld + l], 2);
        q = n2 > q ? n2 : q;
    }
    for (size_t j = 0; j < p->k->n; j++) {
        double n2 = 0;

        for (size_t l = 0; l < p->k->d; l++)
            n2 += pow((double)p->k->x[j * p->k->ld + l], 2);
        k = n2 > k ? n2 : k;
    }
    /* 3 sqrt(q k) / sigma^2 in nats, (d + 4) roundings; exponential and sums of <= 4096 terms,
     * which add up in vectors of 4 at least, of errors that are not all of one sign: 1e-5. */
    return 2 * (3 * sqrt(q * k) / (p->sigma * p->sigma) * (double)(p->q->d + 4) * 0x1p-24 + 1e-5);
}

/* Keys 0 and ln 2 for a query of 1: weights 1/3 and 2/3; with keys 100 above the same. */
static void by_hand(void **state)
{
    const double x[] = {3, 30, 9, -30};
    const kmv_tile *t;

    (void)state;
    for (size_t n = 0; (t = kmv_tile_at(n)) != NULL; n++) {
        const float one = 1, keys[] = {0, 0.69314718f};
        kmv_points q, k;
        kmv_problem p = {.q = &q, .k = &k, .matrix = KMV_SOFTMAX, .sigma = 1};
        kmv_error err;
        double y[2], origin = 100, *kept;

        if (!t->can_run())
            continue;
        CHECK_OK(kmv_points_from_f32(&q, &one, 1, 1, 1, &err));
        CHECK_OK(kmv_points_from_f32(&k, keys, 2, 1, 1, &err));
        CHECK_CLOSE(product(&p, t, x, 2, 1, y), 2, 0);
        CHECK_CLOSE(y[0], 7, 7 * 3e-6);
        CHECK_CLOSE(y[1], -10, 50 * 3e-6);
        /* Shifted keys have the same weights. Points lie 67 and 33 from the common centre: products
         * and offsets of up to 3300 in base 2, three roundings each, off by 3300 ln 2 2^-24 3. */
        kept = k.origin;
        k.origin = &origin;
        product(&p, t, x, 2, 1, y);
        CHECK_CLOSE(y[0], 7, 7 * 5e-4);
        k.origin = kept;
        p.causal = 1; /* one query sees all keys up to the last */
        product(&p, t, x, 2, 1, y);
        CHECK_CLOSE(y[0], 7, 7 * 3e-6);
        kmv_points_clear(&q);
        kmv_points_clear(&k);
    }
}

static void against_reference(void **state)
{
    static const struct {
        size_t n_q, n_k, d, r;
        double size;
    } cases[] = {{1, 1, 1, 1, 1},
                 {70, 301, 19, 3, 2},
                 {33, 500, 43, 1, 3},
                 {45, 45, 64, 17, 12},
                 {50, 231, 40, 2, 70.0}}; /* logits to 20000 */
    const kmv_tile *t;

    (void)state;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        const size_t n_q = cases[c].n_q, n_k = cases[c].n_k, d = cases[c].d, r = cases[c].r;
        double *x = numbers(n_k * r, 9), *y = malloc(n_q * r * sizeof *y);
        double *want = malloc(n_q * r * sizeof *y);
        kmv_points q, k;
        kmv_problem p = {.q = &q, .k = &k, .matrix = KMV_SOFTMAX, .sigma = 1.5};
        kmv_error err;

        cube(&q, n_q, d, cases[c].size, 0, 3);
        cube(&k, n_k, d, cases[c].size, 0, 4);
        for (p.causal = 0; p.causal < 2; p.causal++) {
            const double tol = 0.6 * weight_error(&p); /* |x| <= 0.6 */

            CHECK_OK(kmv_reference_product(&p, NULL, n_q, x, r, 1, want, &err));
            for (size_t n = 0; (t = kmv_tile_at(n)) != NULL; n++) {
                if (!t->can_run())
                    continue;
                CHECK_CLOSE(product(&p, t, x, r, 1, y), kmv_problem_pairs(&p), 0);
                for (size_t m = 0; m < n_q * r; m++)
                    CHECK_CLOSE(y[m], want[m], tol);
            }
        }
        kmv_points_clear(&q);
        kmv_points_clear(&k);
        free(x);
        free(y);
        free(want);
    }
}

/* Enough work for two threads; causal too, whose blocks differ in length. */
static void threads(void **state)
{
    enum { N_Q = 333, N_K = 700, D = 33, R = 2 };
    double *x = numbers(N_K * R, 1), one[N_Q * R], two[N_Q * R];
    kmv_points q, k;
    kmv_problem p = {.q = &q, .k = &k, .matrix = KMV_SOFTMAX, .sigma = 0.3};
    const kmv_tile *t;

    (void)state;
    cube(&q, N_Q, D, 1, 0, 3);
    cube(&k, N_K, D, 1, 0.5, 4);
    for (p.causal = 0; p.causal < 2; p.causal++) {
        for (size_t n = 0; (t = kmv_tile_at(n)) != NULL; n++) {
            if (!t->can_run())
                continue;
            product(&p, t, x, R, 1, one);
            product(&p, t, x, R, 2, two);
            assert_memory_equal(one, two, sizeof one);
        }
    }
    kmv_points_clear(&q);
    kmv_points_clear(&k);
    free(x);
}

/* Values of any size: near the largest double and the smallest they come back as they are. */
static void sizes_of_values(void **state)
{
    static const double sizes[] = {1e200, 1e-200, 1e-300, 1e308, 1.7e308, 5e-324, 0x1p1023};
    double x[40], y[9];
    kmv_points q, k;
    kmv_problem p = {.q = &q, .k = &k, .matrix = KMV_SOFTMAX, .sigma = 1};

    (void)state;
    cube(&q, 9, 7, 1, 0, 3);
    cube(&k, 40, 7, 1, 0, 4);
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        for (size_t j = 0; j < 40; j++)
            x[j] = sizes[s];
        product(&p, kmv_tile_best(), x, 1, 1, y);
        for (size_t i = 0; i < 9; i++) /* weights sum to 1 but for roundings of floats */
            CHECK_CLOSE(y[i] / sizes[s], 1, 40 * 0x1p-24);
    }
    kmv_points_clear(&q);
    kmv_points_clear(&k);
}

/* Sums of listed keys with weights, added in two calls, and from two sets merged, against double.
 * Queries and keys stand in any order, some slots are empty, some weights leave a pair out. */
static void lists(const kmv_tile *t, int causal, double size)
{
    enum { N_Q = 50, N_K = 333, D = 11, R = 3 };
    const size_t panels = (N_K + t->lanes - 1) / t->lanes, cut = panels / 3;
    double *x = numbers(N_K * R, 2), pairs = 0, want_pairs = 0, y[R], merged[R];
    size_t q_list[N_Q], k_list[N_K];
    float *weight = calloc(panels * t->lanes, sizeof *weight);
    kmv_points q, k;
    kmv_problem p = {.q = &q, .k = &k, .matrix = KMV_SOFTMAX, .sigma = 1, .causal = causal};
    const size_t blocks = (N_Q + t->rows - 1) / t->rows;
    kmv_softmax_sums half;
    kmv_error err;
    engine e;

    cube(&q, N_Q, D, size, 0, 3);
    cube(&k, N_K, D, size, 0, 4);
    for (size_t i = 0; i < N_Q; i++)
        q_list[i] = (i * 7 + 3) % N_Q;
    for (size_t j = 0; j < N_K; j++) {
        k_list[j] = j % 11 == 4 || j == N_K - 1 ? KMV_EMPTY_SLOT : (j * 100 + 5) % N_K;
        weight[j] = j % 7 == 3 ? -INFINITY : (float)(j % 5) - 2;
    }
    start(&e, &p, t, q_list, N_Q, k_list, N_K, x, R);
    kmv_softmax_sums_reset(&e.sums, 0, e.sums.capacity);
    kmv_softmax_attend(&e.o, 0, blocks, cut, panels - cut, weight + cut * t->lanes, e.space, 1,
                       &e.sums, 0, &pairs);
    kmv_softmax_attend(&e.o, 0, blocks, 0, cut, weight, e.space, 0, &e.sums, 0, &pairs);
    CHECK_OK(kmv_softmax_sums_init(&half, t, blocks * t->rows, R, &err));
    kmv_softmax_sums_reset(&half, 0, half.capacity);
    for (size_t i = 0; i < N_Q; i++) {
        const size_t row = q_list[i], seen = causal ? row + N_K - N_Q + 1 : N_K;
        double top = -INFINITY, sum = 0, num[R] = {0};

        for (int pass = 0; pass < 2; pass++) {
            for (size_t j = 0; j < N_K; j++) {
                const size_t key = k_list[j];
                double l;

                if (key == KMV_EMPTY_SLOT || key >= seen)
                    continue;
                want_pairs += pass;
                if (weight[j] == -INFINITY)
                    continue;
                l = logit(&p, row, key) + (double)weight[j] * 0.69314718055994531;
                if (pass == 0) {
                    top = l > top ? l : top;
                    continue;
                }
                sum += exp(l - top);
                for (size_t c = 0; c < R; c++)
                    num[c] += exp(l - top) * x[key * R + c];
            }
        }
        kmv_softmax_sums_row(&e.sums, i, R, e.values.unit, y);
        for (size_t c = 0; c < R; c++)
            CHECK_CLOSE(y[c], num[c] / sum, 0.6 * weight_error(&p));
        /* the denominator itself, as a logarithm */
        CHECK_CLOSE(log(e.sums.sum[i]) + (double)e.sums.top[i] * 0.69314718055994531,
                    log(sum) + top, weight_error(&p));
        assert_true(e.sums.top[i] == rintf(e.sums.top[i]));
    }
    CHECK_CLOSE(pairs, want_pairs, 0);

    /* the other way round, in two sums: merged they say the same up to double rounding of y */
    for (int part = 0; part < 2; part++) {
        kmv_softmax_sums *s = part ? &half : &e.sums;
        const size_t from = part ? cut : 0, count = part ? panels - cut : cut;
        double *keep = NULL;

        if (!part) { /* what one call gave, to compare with */
            keep = malloc(N_Q * R * sizeof *keep);
            for (size_t i = 0; i < N_Q; i++)
                kmv_softmax_sums_row(s, i, R, e.values.unit, keep + i * R);
            kmv_softmax_sums_reset(s, 0, s->capacity);
        }
        kmv_softmax_attend(&e.o, 0, blocks, from, count, weight + from * t->lanes, e.space, 0, s, 0,
                           &pairs);
        if (!part) {
            memcpy(x, keep, N_Q * R * sizeof *keep); /* x is packed: it may hold this now */
            free(keep);
        }
    }
    for (size_t i = 0; i < N_Q; i++) {
        kmv_softmax_sums_merge(&e.sums, i, &half, i, R);
        kmv_softmax_sums_row(&e.sums, i, R, e.values.unit, merged);
        for (size_t c = 0; c < R; c++)
            CHECK_CLOSE(merged[c], x[i * R + c], 0.6 * weight_error(&p));
    }
    kmv_softmax_sums_clear(&half);
    stop(&e);
    kmv_points_clear(&q);
    kmv_points_clear(&k);
    free(weight);
    free(x);
}

/* Nothing added: zeros, and merging changes nothing. */
static void nothing(const kmv_tile *t)
{
    enum { N = 40, D = 5 };
    const size_t panels = (N + t->lanes - 1) / t->lanes;
    double *x = numbers(N, 2), pairs = 0, y, kept;
    float *weight = malloc(panels * t->lanes * sizeof *weight);
    kmv_points q, k;
    kmv_problem p = {.q = &q, .k = &k, .matrix = KMV_SOFTMAX, .sigma = 1, .causal = 1};
    engine e;

    cube(&q, N, D, 1, 0, 3);
    cube(&k, N, D, 1, 0, 4);
    for (size_t j = 0; j < panels * t->lanes; j++)
        weight[j] = -INFINITY;
    start(&e, &p, t, NULL, N, NULL, N, x, 1);
    kmv_softmax_sums_reset(&e.sums, 0, e.sums.capacity);
    kmv_softmax_sums_row(&e.sums, 3, 1, 1, &y);
    assert_true(y == 0);
    kmv_softmax_attend(&e.o, 0, 1, 0, panels, weight, e.space, 0, &e.sums, 0, &pairs);
    for (size_t i = 0; i < t->rows; i++) {
        assert_true(e.sums.top[i] == -INFINITY && e.sums.sum[i] == 0);
        kmv_softmax_sums_row(&e.sums, i, 1, e.values.unit, &y);
        assert_true(y == 0);
    }
    /* a row of something takes over from a row of nothing, and is not changed by one */
    kmv_softmax_attend(&e.o, 0, 1, 0, panels, NULL, e.space, 0, &e.sums, t->rows, &pairs);
    kmv_softmax_sums_row(&e.sums, t->rows, 1, e.values.unit, &kept);
    CHECK_CLOSE(kept, x[0], 1e-6); /* the first row sees one key */
    kmv_softmax_sums_merge(&e.sums, t->rows, &e.sums, 0, 1);
    kmv_softmax_sums_row(&e.sums, t->rows, 1, e.values.unit, &y);
    assert_true(y == kept);
    kmv_softmax_sums_merge(&e.sums, 0, &e.sums, t->rows, 1);
    kmv_softmax_sums_row(&e.sums, 0, 1, e.values.unit, &y);
    assert_true(y == kept);
    stop(&e);
    kmv_points_clear(&q);
    kmv_points_clear(&k);
    free(weight);
    free(x);
}

static void parts(void **state)
{
    const kmv_tile *t;

    (void)state;
    for (size_t n = 0; (t = kmv_tile_at(n)) != NULL; n++) {
        if (!t->can_run())
            continue;
        nothing(t);
        for (int causal = 0; causal < 2; causal++) {
            lists(t, causal, 1.5);
            lists(t, causal, 60); /* logits of some thousands: tops rise from chunk to chunk */
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_hand), cmocka_unit_test(against_reference),
        cmocka_unit_test(threads), cmocka_unit_test(sizes_of_values),
        cmocka_unit_test(parts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

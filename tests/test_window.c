/* `mean`, `window` and `topk`: what they answer is known in closed form, computed here in double
 * from the definition of their sets of keys. */
#include "check.h"

#include <stdlib.h>
#include <string.h>

#include "algo/key_window.h"
#include "attention.h"

static double logit(const attention *a, size_t i, size_t j)
{
    double dot = 0;

    for (size_t l = 0; l < a->q.d; l++)
        dot += (double)a->q.x[i * a->q.ld + l] * (double)a->k.x[j * a->k.ld + l];
    return dot / (a->problem.sigma * a->problem.sigma);
}

/* Row i of attention to the keys with keep[j] != 0. */
static void attend(const attention *a, size_t i, const char *keep, double *y)
{
    double sum = 0;

    memset(y, 0, a->r * sizeof *y);
    for (size_t j = 0; j < a->k.n; j++) {
        const double p = keep[j] ? exp(logit(a, i, j)) : 0;

        sum += p;
        for (size_t c = 0; c < a->r; c++)
            y[c] += p * a->x[j * a->r + c];
    }
    for (size_t c = 0; c < a->r; c++)
        y[c] /= sum;
}

static attention_shape shape_of(size_t n_q, size_t n_k, int causal)
{
    return (attention_shape){.n_q = n_q,
                             .n_k = n_k,
                             .d = 6,
                             .r = 3,
                             .matrix = KMV_SOFTMAX,
                             .causal = causal,
                             .sigma = 1.4,
                             .spread = 1,
                             .seed = 7};
}

/* Means by hand, and as softmax of zero queries by the reference. */
static void mean(void **state)
{
    static const size_t shapes[][2] = {{1, 1}, {1, 50}, {16, 50}, {50, 50}, {60, 50}};

    (void)state;
    for (int causal = 0; causal < 2; causal++) {
        for (size_t s = 0; s < 5; s++) {
            kmv_report report;
            attention a;

            if (causal && shapes[s][0] > shapes[s][1])
                continue;
            attention_make(&a, shape_of(shapes[s][0], shapes[s][1], causal));
            memset(a.q.x, 0, a.q.n * a.q.ld * sizeof *a.q.x);
            attention_reference(&a);
            attention_run(&a, "mean", "", NULL, 2, 1, &report);
            CHECK_CLOSE(attention_error(&a), 0, 1e-13 * a.size);
            CHECK_CLOSE(report.apply.pairs, 0, 0);
            if (causal && a.q.n == a.k.n && a.q.n > 2)
                CHECK_CLOSE(a.y[2 * 3 + 1], (a.x[1] + a.x[4] + a.x[7]) / 3, 1e-15);
            attention_clear(&a);
        }
    }
    attention_check_repeatable("mean", "", KMV_SOFTMAX, 0, 0);
    attention_check_repeatable("mean", "", KMV_SOFTMAX, 1, 0);
}

/* Ranges by hand: 10 keys. */
static void ranges(void **state)
{
    kmv_points q = {.n = 10, .d = 1}, k = {.n = 10, .d = 1};
    kmv_problem p = {.q = &q, .k = &k, .matrix = KMV_SOFTMAX, .sigma = 1};
    /* causal, sinks, window, query; then sinks, first, end */
    static const size_t cases[][7] = {
        {1, 2, 3, 9, 2, 7, 10}, {1, 2, 3, 3, 2, 2, 4},  {1, 2, 3, 0, 1, 1, 1},
        {1, 0, 3, 1, 0, 0, 2},  {1, 4, 1, 9, 4, 9, 10}, {1, 9, 9, 9, 9, 9, 10},
        {0, 2, 3, 5, 2, 4, 7},  {0, 0, 4, 5, 0, 4, 8},  {0, 0, 4, 0, 0, 0, 4},
        {0, 0, 4, 9, 0, 6, 10}, {0, 1, 4, 1, 1, 1, 4},  {0, 0, 10, 3, 0, 0, 10},
        {0, 3, 0, 5, 3, 3, 3},  {0, 6, 2, 2, 6, 6, 6},
    };

    (void)state;
    for (size_t t = 0; t < sizeof cases / sizeof *cases; t++) {
        const kmv_key_window w = {.sinks = cases[t][1], .window = cases[t][2]};
        kmv_key_ranges g;

        p.causal = (int)cases[t][0];
        g = kmv_key_window_of(&p, w, cases[t][3]);
        assert_int_equal(g.sinks, cases[t][4]);
        assert_int_equal(g.first, cases[t][5]);
        assert_int_equal(g.end, cases[t][6]);
    }
    q.n = 1; /* decoding: the one query stands at the last key */
    p.causal = 1;
    assert_int_equal(kmv_key_window_of(&p, (kmv_key_window){0, 3}, 0).first, 7);
    p.causal = 0;
    assert_int_equal(kmv_key_window_of(&p, (kmv_key_window){0, 3}, 0).first, 7);
    q.n = 11;
    assert_non_null(kmv_key_window_rejects(&p, (kmv_key_window){0, 3}));
    assert_null(kmv_key_window_rejects(&p, (kmv_key_window){3, 0}));
    assert_int_equal(kmv_key_window_of(&p, (kmv_key_window){3, 0}, 10).sinks, 3);
}

/* `window` against attention to the keys of its definition, and its count of pairs. */
static void window(void **state)
{
    static const size_t shapes[][2] = {{1, 1}, {1, 300}, {16, 300}, {313, 313}};
    static const char *const options[] = {"sinks=4,window=64", "sinks=0,window=1",
                                          "sinks=70,window=33", "sinks=400,window=5"};
    static const size_t sinks[] = {4, 0, 70, 400}, windows[] = {64, 1, 33, 5};

    (void)state;
    for (int causal = 0; causal < 2; causal++) {
        for (size_t s = 0; s < 4; s++) {
            attention a;

            attention_make(&a, shape_of(shapes[s][0], shapes[s][1], causal));
            for (size_t o = 0; o < 4; o++) {
                char *keep = malloc(a.k.n);
                double pairs = 0;
                kmv_report report;

                for (size_t i = 0; i < a.q.n; i++) {
                    const size_t p = i + a.k.n - a.q.n, seen = causal ? p + 1 : a.k.n;
                    const size_t before = (windows[o] - 1) / 2;
                    size_t from = causal ? (seen > windows[o] ? seen - windows[o] : 0)
                                         : (p > before ? p - before : 0);

                    if (!causal && from + windows[o] > a.k.n)
                        from = a.k.n > windows[o] ? a.k.n - windows[o] : 0;
                    for (size_t j = 0; j < a.k.n; j++) {
                        keep[j] =
                            j < seen && (j < sinks[o] || (j >= from && j < from + windows[o]));
                        pairs += keep[j];
                    }
                    attend(&a, i, keep, a.want + i * a.r);
                }
                attention_run(&a, "window", options[o], NULL, 2, 1, &report);
                CHECK_CLOSE(attention_error(&a), 0, 1e-5 * a.size);
                CHECK_CLOSE(report.apply.pairs, pairs, 0);
                free(keep);
            }
            attention_clear(&a);
        }
    }
}

static void window_with_all_keys(void **state)
{
    (void)state;
    for (int causal = 0; causal < 2; causal++) {
        attention_check_exact("window", "window=1000", KMV_SOFTMAX, causal, 0);
        attention_check_exact("window", "sinks=1000,window=1", KMV_SOFTMAX, causal, 0);
        attention_check_repeatable("window", "window=50", KMV_SOFTMAX, causal, 0);
    }
}

static const double *compared;

static int larger_first(const void *a, const void *b)
{
    const double x = compared[*(const size_t *)a], y = compared[*(const size_t *)b];

    return (x < y) - (x > y);
}

/* `topk` against sorting all entries in double. */
static void topk(void **state)
{
    (void)state;
    for (int causal = 0; causal < 2; causal++) {
        for (int gauss = 0; gauss < 2; gauss++) {
            attention_shape shape = shape_of(61, 301, causal);
            double entry[301];
            size_t order[301];
            kmv_report report;
            attention a;

            shape.matrix = gauss ? KMV_GAUSS : KMV_SOFTMAX;
            attention_make(&a, shape);
            for (size_t i = 0; i < a.q.n; i++) {
                const size_t seen = causal ? i + a.k.n - a.q.n + 1 : a.k.n;
                char keep[301] = {0};

                for (size_t j = 0; j < a.k.n; j++) {
                    double square = 0;

                    for (size_t l = 0; l < a.q.d; l++)
                        square +=
                            pow((double)a.q.x[i * a.q.ld + l] - (double)a.k.x[j * a.k.ld + l], 2);
                    entry[j] = gauss ? exp(-square / (2 * 1.4 * 1.4)) : logit(&a, i, j);
                    order[j] = j;
                }
                compared = entry;
                qsort(order, seen, sizeof *order, larger_first);
                for (size_t t = 0; t < 17; t++)
                    keep[order[t]] = 1;
                attend(&a, i, keep, a.want + i * a.r);
                for (size_t c = 0; c < a.r && gauss; c++) {
                    a.want[i * a.r + c] = 0;
                    for (size_t j = 0; j < a.k.n; j++)
                        a.want[i * a.r + c] += keep[j] ? entry[j] * a.x[j * a.r + c] : 0;
                }
            }
            attention_run(&a, "topk", "keys=17", NULL, 2, 1, &report);
            CHECK_CLOSE(attention_error(&a), 0, 1e-5 * a.size);
            CHECK_CLOSE(report.apply.pairs, kmv_problem_pairs(&a.problem), 0);
            assert_true(report.apply.flops > 2 * 6 * report.apply.pairs);
            attention_clear(&a);
        }
        attention_check_exact("topk", "keys=1000", KMV_SOFTMAX, causal, !causal);
        attention_check_exact("topk", "keys=1000", KMV_GAUSS, causal, !causal);
        attention_check_repeatable("topk", "keys=9", KMV_SOFTMAX, causal, 0);
    }
}

static void refused(void **state)
{
    kmv_points q = {.n = 5, .d = 1}, k = {.n = 4, .d = 1};
    kmv_problem p = {.q = &q, .k = &k, .matrix = KMV_SOFTMAX, .sigma = 1};

    (void)state;
    assert_non_null(kmv_algo_rejects(kmv_algo_find("window"), &p, "", 1, 1));
    assert_null(kmv_algo_rejects(kmv_algo_find("topk"), &p, "", 1, 1));
    assert_null(kmv_algo_rejects(kmv_algo_find("mean"), &p, "", 1, 1));
    p.matrix = KMV_GAUSS;
    assert_non_null(kmv_algo_rejects(kmv_algo_find("mean"), &p, "", 1, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mean),   cmocka_unit_test(ranges),
        cmocka_unit_test(window), cmocka_unit_test(window_with_all_keys),
        cmocka_unit_test(topk),   cmocka_unit_test(refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

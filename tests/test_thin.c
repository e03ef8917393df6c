/* algo/kernel_halving.h and `thin`: counts, what halving keeps, and where it must beat chance. */
#include "check.h"

#include <gsl/gsl_rng.h>
#include <stdlib.h>
#include <string.h>

#include "algo/kernel_halving.h"
#include "attention.h"
#include "base/rng.h"

static void compressions(void **state)
{
    /* n, halvings, final; then halvings, leaf, covered, kept */
    static const size_t cases[][7] = {
        {4096, 4, 0, 4, 16, 4096, 256}, {4096, 6, 0, 6, 1, 4096, 64},
        {4096, 9, 0, 6, 1, 4096, 64},   {4100, 4, 0, 4, 16, 4096, 256},
        {8192, 4, 2, 4, 32, 8192, 128}, {1, 3, 3, 0, 1, 1, 1},
        {7, 1, 1, 1, 1, 4, 1},          {7, 0, 1, 0, 7, 7, 7},
        {8, 0, 3, 0, 8, 8, 1},
    };

    (void)state;
    for (size_t t = 0; t < sizeof cases / sizeof *cases; t++) {
        const kmv_compression c = kmv_compression_of(cases[t][0], cases[t][1], cases[t][2]);

        assert_int_equal(c.halvings, cases[t][3]);
        assert_int_equal(c.leaf, cases[t][4]);
        assert_int_equal(c.covered, cases[t][5]);
        assert_int_equal(c.kept, cases[t][6]);
    }
}

static attention_shape shape_of(size_t n_q, size_t n_k, size_t d, size_t r, double spread)
{
    return (attention_shape){.n_q = n_q,
                             .n_k = n_k,
                             .d = d,
                             .r = r,
                             .matrix = KMV_SOFTMAX,
                             .sigma = 1,
                             .spread = spread,
                             .seed = 6};
}

/* What a run keeps; returns kernel entries. */
static double thinned(attention *a, size_t halvings, size_t final, int threads, uint64_t key,
                      uint32_t *kept, size_t *count)
{
    kmv_row_lists l;
    kmv_halving h;
    kmv_error err = {""};
    double entries;

    CHECK_OK(kmv_row_lists_init(&l, &a->problem, kmv_tile_best(), 1, 1, a->r, threads, &err));
    CHECK_OK(
        kmv_halving_init(&h, &l, kmv_compression_of(a->k.n, halvings, final), 0.5, threads, &err));
    kmv_row_lists_load(&l, a->x, a->r);
    entries = kmv_halving_run(&h, key);
    *count = h.shape.kept;
    memcpy(kept, h.from, *count * sizeof *kept);
    kmv_halving_clear(&h);
    kmv_row_lists_clear(&l);
    return entries;
}

/* No key twice; one of each pair where all are halved once; the same for any number of threads;
 * kernel entries as counted by hand. */
static void what_is_kept(void **state)
{
    enum { N = 600 };
    uint32_t kept[N], again[N];
    attention a;
    size_t count;
    double entries;

    (void)state;
    attention_make(&a, shape_of(1, N, 5, 2, 1));
    for (size_t halvings = 0; halvings <= 4; halvings++) {
        for (size_t final = 0; final <= 1; final++) {
            char seen[N] = {0};

            entries = thinned(&a, halvings, final, 1, 3, kept, &count);
            for (size_t j = 0; j < count; j++) {
                assert_true(kept[j] < N && !seen[kept[j]]);
                seen[kept[j]] = 1;
            }
            for (int threads = 2; threads <= 3; threads++) {
                CHECK_CLOSE(thinned(&a, halvings, final, threads, 3, again, &count), entries, 0);
                assert_memory_equal(again, kept, count * sizeof *kept);
            }
        }
    }
    entries = thinned(&a, 0, 1, 1, 3, kept, &count);
    assert_int_equal(count, N / 2);
    for (size_t j = 0; j < count; j++)
        assert_int_equal(kept[j] / 2, j);
    /* Blocks of 32 with all before them: 32 (32 + 64 + ... + 576) + 24 600. */
    CHECK_CLOSE(entries, 32 * 32 * (18.0 * 19 / 2) + 24 * 600, 0);
    attention_clear(&a);
}

/* Each key of a pair is kept half of the time, also where decisions lean on earlier ones. */
static void even_odds(void **state)
{
    enum { N = 64, DRAWS = 2000 };
    double first[N / 2] = {0};
    uint32_t kept[N];
    attention a;
    size_t count;

    (void)state;
    attention_make(&a, shape_of(1, N, 2, 1, 0.5));
    for (uint64_t key = 0; key < DRAWS; key++) {
        thinned(&a, 0, 1, 1, key, kept, &count);
        for (size_t j = 0; j < count; j++)
            first[j] += kept[j] % 2 == 0;
    }
    for (size_t j = 0; j < N / 2; j++) /* binomial, six standard deviations: failure below 1e-8 */
        CHECK_CLOSE(first[j], DRAWS / 2.0, 6 * sqrt(DRAWS) / 2);
    attention_clear(&a);
}

/* Keys in equal pairs, with equal values: one of each, twice, says everything; so it does beside
 * two keys that are left over and count once. */
static void equal_pairs(void **state)
{
    static const char *const options[] = {"oversample=20,final=1", "oversample=3"};

    (void)state;
    for (size_t o = 0; o < 2; o++) {
        const size_t n_k = 256 + 2 * o;
        attention a;

        attention_make(&a, shape_of(50, n_k, 6, 3, 1));
        for (size_t j = 0; j < 256; j += 2) {
            memcpy(a.k.x + (j + 1) * a.k.ld, a.k.x + j * a.k.ld, a.k.ld * sizeof *a.k.x);
            memcpy(a.x + (j + 1) * 3, a.x + j * 3, 3 * sizeof *a.x);
        }
        for (size_t j = 256; j < n_k; j++)
            memset(a.k.x + j * a.k.ld, 0, a.k.ld * sizeof *a.k.x);
        attention_reference(&a);
        attention_run(&a, "thin", options[o], NULL, 2, 1, NULL);
        CHECK_CLOSE(attention_error(&a), 0, 1e-5 * a.size);
        attention_clear(&a);
    }
}

/* A kernel of low rank (keys in a disc of radius about sigma / 2, one column): the error is far
 * below that of as many uniformly drawn keys. */
static void better_than_chance(void **state)
{
    enum { N = 1024, KEPT = 256, SEEDS = 12 };
    double thin = 0, chance = 0;
    gsl_rng *rng = kmv_rng_create(5, NULL);
    attention a;

    (void)state;
    attention_make(&a, shape_of(40, N, 2, 1, 0.3));
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        kmv_report report;

        attention_run(&a, "thin", "oversample=3", NULL, 1, seed, &report);
        thin += pow(attention_error(&a), 2) / SEEDS;
        /* 4 halvings of 4 64^2 / 2, and blocks: at most 32 more a row */
        /* Four sets of 256 and one of 512 in blocks of 32, and the product. */
        CHECK_CLOSE(report.apply.pairs, 32 * 32 * (4 * 36 + 136) + 40 * KEPT, 0);
        for (size_t i = 0; i < a.q.n; i++) {
            double sum = 0, y = 0;

            for (size_t t = 0; t < KEPT; t++) {
                const size_t j = gsl_rng_uniform_int(rng, N);
                double dot = 0;

                for (size_t l = 0; l < 2; l++)
                    dot += (double)a.q.x[i * a.q.ld + l] * (double)a.k.x[j * a.k.ld + l];
                sum += exp(dot);
                y += exp(dot) * a.x[j];
            }
            chance += pow(y / sum - a.want[i], 2) / SEEDS;
        }
    }
    assert_true(thin < chance / 4); /* twice as good, squared */
    gsl_rng_free(rng);
    attention_clear(&a);
}

static void everything(void **state)
{
    (void)state;
    attention_check_exact("thin", "oversample=20", KMV_SOFTMAX, 0, 1);
    attention_check_repeatable("thin", "oversample=0", KMV_SOFTMAX, 0, 1);
    attention_check_repeatable("thin", "oversample=1,final=1", KMV_SOFTMAX, 0, 1);
}

/* Norms that would overflow any exponential, and keys all alike. */
static void large_and_equal_keys(void **state)
{
    attention a;

    (void)state;
    attention_make(&a, shape_of(9, 128, 4, 2, 30));
    attention_run(&a, "thin", "oversample=1", NULL, 1, 1, NULL);
    for (size_t i = 0; i < a.q.n * a.r; i++)
        assert_true(isfinite(a.y[i]));
    for (size_t j = 0; j < a.k.n; j++)
        memcpy(a.k.x + j * a.k.ld, a.k.x, a.k.ld * sizeof *a.k.x);
    attention_run(&a, "thin", "oversample=1", NULL, 1, 1, NULL);
    for (size_t i = 0; i < a.q.n * a.r; i++)
        assert_true(isfinite(a.y[i]));
    attention_clear(&a);
}

static void refused(void **state)
{
    kmv_points q = {.n = 4, .d = 1}, k = {.n = 4, .d = 1};
    kmv_problem p = {.q = &q, .k = &k, .matrix = KMV_SOFTMAX, .causal = 1, .sigma = 1};

    (void)state;
    assert_non_null(kmv_algo_rejects(kmv_algo_find("thin"), &p, "", 1, 1));
    p.causal = 0;
    assert_null(kmv_algo_rejects(kmv_algo_find("thin"), &p, "", 1, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(compressions),
        cmocka_unit_test(what_is_kept),
        cmocka_unit_test(even_odds),
        cmocka_unit_test(equal_pairs),
        cmocka_unit_test(better_than_chance),
        cmocka_unit_test(everything),
        cmocka_unit_test(large_and_equal_keys),
        cmocka_unit_test(refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

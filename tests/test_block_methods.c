/* `kdeformer`, `hyper`, `reformer`: published counts, exact when the budget is everything, the
 * order and the sample they rest on, what they refuse. */
#include "attention.h"
#include "check.h"

#include <gsl/gsl_rng.h>
#include <stdio.h>
#include <string.h>

#include "algo/angular_order.h"
#include "algo/kdeformer.h"
#include "algo/key_sample.h"
#include "base/rng.h"
#include "gauss/tile.h"

/* KDEformer's BigGAN layer and layer 1 of T2T-ViT, as their authors count: 1.342e9 against 0.323e9
 * multiply-adds, 4.16 times; 18.5 times. */
static void published_counts(void **state)
{
    const double biggan = kmv_exact_attention_count(4096, 1024, 64, 256);
    const double t2t = kmv_exact_attention_count(3136, 3136, 64, 64);

    (void)state;
    CHECK_CLOSE(biggan, 1.342e9, 0.0005e9);
    CHECK_CLOSE(biggan / kmv_kdeformer_count(4096, 1024, 64, 256, 7, 64, 128), 4.16, 0.03);
    CHECK_CLOSE(t2t / kmv_kdeformer_count(3136, 3136, 64, 64, 7, 32, 98), 18.5, 0.2);
}

/* The rank inverts the reflected Gray code r ^ r >> 1: a permutation whose successive codes differ
 * in one bit. */
static void gray_order(void **state)
{
    unsigned char seen[256] = {0};

    (void)state;
    for (uint32_t r = 0; r < 256; r++) {
        const uint32_t code = r ^ r >> 1, next = (r + 1) ^ (r + 1) >> 1;

        assert_int_equal(kmv_gray_rank(code), r);
        assert_int_equal(__builtin_popcount(code ^ next), 1);
        seen[code]++;
    }
    for (uint32_t code = 0; code < 256; code++)
        assert_int_equal(seen[code], 1);
}

/* Sorting by rank is stable; equal points get equal ranks, opposite ones opposite codes. */
static void angular_order(void **state)
{
    enum { N = 50, D = 7, BITS = 5 };
    const uint32_t rank[6] = {3, 1, 3, 0, 1, 31};
    const size_t want[6] = {3, 1, 4, 0, 2, 5};
    size_t order[6];
    attention a;
    uint32_t q_rank[N], k_rank[N];
    gsl_rng *rng = kmv_rng_create(3, NULL);
    kmv_cost cost = {0};
    kmv_error err;

    (void)state;
    kmv_angular_sort(rank, BITS, 0, 6, order);
    assert_memory_equal(order, want, sizeof want);
    attention_make(&a, (attention_shape){.n_q = N,
                                         .n_k = N,
                                         .d = D,
                                         .r = 1,
                                         .matrix = KMV_SOFTMAX,
                                         .sigma = 1,
                                         .spread = 1,
                                         .seed = 4});
    for (size_t i = 0; i < N; i++) {
        const float sign = i < N / 2 ? 1 : -1;

        for (size_t l = 0; l < D; l++)
            a.k.x[i * a.k.ld + l] = sign * a.q.x[i * a.q.ld + l];
    }
    a.problem.q = &a.q;
    a.problem.k = &a.k;
    CHECK_OK(kmv_angular_ranks(&a.problem, kmv_tile_best(), BITS, 0, rng, 1, q_rank, k_rank, &cost,
                               &err));
    for (size_t i = 0; i < N; i++) {
        const uint32_t q = q_rank[i] ^ q_rank[i] >> 1, k = k_rank[i] ^ k_rank[i] >> 1;

        assert_int_equal(k, i < N / 2 ? q : q ^ ((1u << BITS) - 1));
    }
    gsl_rng_free(rng);
    attention_clear(&a);
}

/* sum_j c_j / (m p_j) f_j is unbiased with the variance of key_sample.h: 4000 samples of 6 draws
 * from 5 keys. Five standard errors of the mean; the variance within 15 % (its own standard error
 * is below 3 % for so light tails): each fails for a bad seed with probability below 1e-6. */
static void sample_of_keys(void **state)
{
    enum { N = 5, DRAWS = 6, REPEATS = 4000 };
    const double score[N] = {1, 3, 0.5, 2, 3.5}, f[N] = {2, -1, 1, 4, 0.5};
    double sum = 0, sum2 = 0, exact = 0, second = 0, variance, mean;
    kmv_key_sample s = {0};
    kmv_error err;

    (void)state;
    CHECK_OK(kmv_key_sample_init(&s, kmv_tile_best(), DRAWS, N, 3, 1, &err));
    for (size_t t = 0; t < REPEATS; t++) {
        double estimate = 0, hits = 0;

        kmv_rng_restart(s.rng, kmv_stream_key(9, "keys", t));
        kmv_key_sample_draw(&s, score, 0, N, DRAWS);
        for (size_t m = 0; m < s.count; m++) {
            estimate += s.weight[m] * f[s.index[m]];
            hits += s.weight[m] * score[s.index[m]] / 10 * DRAWS;
            assert_true(m == 0 || s.index[m] > s.index[m - 1]);
        }
        CHECK_CLOSE(hits, DRAWS, 1e-9);
        sum += estimate;
        sum2 += estimate * estimate;
    }
    for (size_t j = 0; j < N; j++) {
        exact += f[j];
        second += f[j] * f[j] / (score[j] / 10);
    }
    variance = (second - exact * exact) / DRAWS;
    mean = sum / REPEATS;
    CHECK_CLOSE(mean, exact, 5 * sqrt(variance / REPEATS));
    CHECK_CLOSE(sum2 / REPEATS - mean * mean, variance, 0.15 * variance);
    kmv_key_sample_clear(&s);
}

/* One block holds all keys: nothing is left to sample. */
static void one_block_is_exact(void **state)
{
    (void)state;
    attention_check_exact("kdeformer", "block=100000", KMV_SOFTMAX, 0, 1);
    attention_check_exact("hyper", "block=100000", KMV_SOFTMAX, 0, 1);
    attention_check_exact("hyper", "base=100000,block=100000", KMV_SOFTMAX, 1, 0);
    attention_check_exact("hyper", "base=16,block=100000", KMV_SOFTMAX, 1, 0);
    attention_check_exact("reformer", "rounds=1,buckets=1,chunk=100000", KMV_SOFTMAX, 0, 1);
    attention_check_exact("reformer", "rounds=3,buckets=1,chunk=100000", KMV_SOFTMAX, 1, 0);
}

/* A sample far larger than the keys comes near everything: the error falls with the root of the
 * draws, and with 60000 of them over 150 keys it is a few per cent of one with the keys' number. */
static void samples_converge(void **state)
{
    const attention_shape shape = {.n_q = 90,
                                   .n_k = 150,
                                   .d = 8,
                                   .r = 3,
                                   .matrix = KMV_SOFTMAX,
                                   .sigma = 1.7,
                                   .spread = 1,
                                   .seed = 5};
    const struct {
        const char *algo, *few, *many;
    } cases[] = {
        {"kdeformer", "block=16,samples=100", "block=16,samples=60000"},
        {"hyper", "block=16,samples=100", "block=16,samples=60000"},
        {"kdeformer", "form=paper,samples=100,density=200,denominator=sample",
         "form=paper,samples=60000,density=200,denominator=sample"},
    };
    attention a;

    (void)state;
    attention_make(&a, shape);
    attention_reference(&a);
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        double few = 0, many = 0;

        for (uint64_t seed = 1; seed <= 5; seed++) {
            attention_run(&a, cases[c].algo, cases[c].few, NULL, 1, seed, NULL);
            few += attention_error(&a) / attention_size(&a) / 5;
            attention_run(&a, cases[c].algo, cases[c].many, NULL, 1, seed, NULL);
            many += attention_error(&a) / attention_size(&a) / 5;
        }
        /* sqrt(600) = 24 fewer in theory */
        assert_true(few > 0.01);
        assert_true(many < few / 8);
    }
    attention_clear(&a);
}

static void repeatable(void **state)
{
    (void)state;
    attention_check_repeatable("kdeformer", "block=16,samples=20", KMV_SOFTMAX, 0, 1);
    attention_check_repeatable("hyper", "block=16,samples=20", KMV_SOFTMAX, 0, 1);
    attention_check_repeatable("hyper", "block=16,samples=20,base=32", KMV_SOFTMAX, 1, 1);
    attention_check_repeatable("reformer", "rounds=2,chunk=16", KMV_SOFTMAX, 0, 1);
    attention_check_repeatable("reformer", "rounds=2,chunk=16", KMV_SOFTMAX, 1, 1);
}

/* Reformer: keys in clusters far apart meet in their buckets, so that a round finds nearly all the
 * mass; more rounds find no less, and a pair that meets in several rounds counts once: the error
 * would otherwise grow with the rounds where all pairs are met each time. */
static void rounds_count_pairs_once(void **state)
{
    const attention_shape shape = {.n_q = 64,
                                   .n_k = 64,
                                   .d = 8,
                                   .r = 1,
                                   .matrix = KMV_SOFTMAX,
                                   .sigma = 1,
                                   .spread = 1,
                                   .seed = 6};
    attention a;

    (void)state;
    attention_make(&a, shape);
    attention_reference(&a);
    for (int rounds = 1; rounds <= 8; rounds *= 2) {
        char options[64];

        snprintf(options, sizeof options, "rounds=%d,buckets=2,chunk=64", rounds);
        attention_run(&a, "reformer", options, NULL, 1, 2, NULL);
        if (rounds ==
            8) /* two buckets: a pair is missed by all with probability below 2^-8 or so */
            assert_true(attention_error(&a) / attention_size(&a) < 0.2);
    }
    attention_clear(&a);
}

static void refusals(void **state)
{
    const attention_shape shape = {.n_q = 5,
                                   .n_k = 9,
                                   .d = 4,
                                   .r = 1,
                                   .matrix = KMV_SOFTMAX,
                                   .causal = 1,
                                   .sigma = 1,
                                   .spread = 1,
                                   .seed = 1};
    static const char *const names[] = {"kdeformer", "hyper", "reformer"};
    attention a;

    (void)state;
    attention_make(&a, shape);
    a.problem.q = &a.q;
    a.problem.k = &a.k;
    assert_string_equal(kmv_algo_rejects(kmv_algo_find("kdeformer"), &a.problem, "", 1, 0),
                        "does not do causal masks");
    a.problem.causal = 0;
    a.problem.matrix = KMV_GAUSS;
    for (size_t m = 0; m < 3; m++)
        assert_string_equal(kmv_algo_rejects(kmv_algo_find(names[m]), &a.problem, "", 1, 0),
                            "does softmax matrices only");
    attention_clear(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_counts),   cmocka_unit_test(gray_order),
        cmocka_unit_test(angular_order),      cmocka_unit_test(sample_of_keys),
        cmocka_unit_test(one_block_is_exact), cmocka_unit_test(samples_converge),
        cmocka_unit_test(repeatable),         cmocka_unit_test(rounds_count_pairs_once),
        cmocka_unit_test(refusals),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

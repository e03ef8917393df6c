/* What kdeformer and hyper share: Gray order, angular hashes, samples of keys, blocks with a sample
 * of the rest. */
#include "check.h"

#include <stdlib.h>
#include <string.h>

#include "algo/angular_order.h"
#include "algo/block_attention.h"
#include "attention.h"
#include "base/rng.h"

/* By hand: the sequence of 3 bits is 0 1 3 2 6 7 5 4. In general the map is a permutation and
 * successive codes differ in one bit. */
static void gray_order(void **unused)
{
    static const uint32_t sequence[] = {0, 1, 3, 2, 6, 7, 5, 4};
    uint32_t code_at[1 << 10] = {0}, seen[1 << 10] = {0};

    (void)unused;
    for (uint32_t r = 0; r < 8; r++)
        assert_int_equal(kmv_gray_rank(sequence[r]), r);
    for (uint32_t code = 0; code < 1 << 10; code++) {
        assert_true(kmv_gray_rank(code) < 1 << 10);
        code_at[kmv_gray_rank(code)] = code;
        seen[kmv_gray_rank(code)]++;
    }
    for (uint32_t r = 0; r < 1 << 10; r++) {
        assert_int_equal(seen[r], 1);
        if (r > 0)
            assert_int_equal(__builtin_popcount(code_at[r] ^ code_at[r - 1]), 1);
    }
    assert_int_equal(kmv_gray_rank(0x80000000u), 0xffffffffu);
}

/* Two points at angle theta differ in a sign with probability theta / pi (Charikar 2002). With one
 * bit the ranks are the signs: over M = 4000 hyperplanes the share of differing pairs lies within 5
 * standard deviations, sqrt(p (1 - p) / M), of it but for a probability of 6e-7. Antipodes always
 * differ, multiples never do. */
static void hash_probability(void **unused)
{
    enum { DRAWS = 4000 };
    const float a[] = {1, 0, 0, 1, 0, 0, 1, 0, 0}, b[] = {0.5f, 0.86602540f, 0, -2, 0, 0, 7, 0, 0};
    const double p = 1.0 / 3;
    kmv_points q = {0}, k = {0};
    kmv_problem problem = {.q = &q, .k = &k, .matrix = KMV_SOFTMAX, .sigma = 1};
    gsl_rng *rng = kmv_rng_create(11, NULL);
    size_t differ = 0;
    kmv_error err = {""};

    (void)unused;
    CHECK_OK(kmv_points_from_f32(&q, a, 3, 3, 3, &err));
    CHECK_OK(kmv_points_from_f32(&k, b, 3, 3, 3, &err));
    for (size_t t = 0; t < DRAWS; t++) {
        uint32_t q_rank[3], k_rank[3];
        kmv_cost cost = {0};

        CHECK_OK(kmv_angular_ranks(&problem, kmv_tile_best(), 1, 0, rng, 1, q_rank, k_rank, &cost,
                                   &err));
        differ += q_rank[0] != k_rank[0];
        assert_int_not_equal(q_rank[1], k_rank[1]);
        assert_int_equal(q_rank[2], k_rank[2]);
    }
    CHECK_CLOSE((double)differ / DRAWS, p, 5 * sqrt(p * (1 - p) / DRAWS));
    gsl_rng_free(rng);
    kmv_points_clear(&q);
    kmv_points_clear(&k);
}

/* centred removes a common offset of either role: ranks are those of the points without it. */
static void centred_hash(void **unused)
{
    enum { N = 100, D = 5, BITS = 9 };
    uint32_t plain[2 * N], moved[2 * N];
    size_t differ = 0;
    attention c;
    kmv_error err = {""};

    (void)unused;
    attention_make(&c, (attention_shape){.n_q = N,
                                         .n_k = N,
                                         .d = D,
                                         .r = 1,
                                         .matrix = KMV_SOFTMAX,
                                         .sigma = pow(D, 0.25),
                                         .spread = 1,
                                         .seed = 5});
    for (int shifted = 0; shifted < 2; shifted++) {
        gsl_rng *rng = kmv_rng_create(3, NULL);
        uint32_t *rank = shifted ? moved : plain;
        kmv_cost cost = {0};

        for (size_t i = 0; i < N && shifted; i++)
            c.k.x[i * c.k.ld + 1] += 8; /* floats keep 20 bits of the rest */
        CHECK_OK(kmv_angular_ranks(&c.problem, kmv_tile_best(), BITS, 1, rng, 1, rank, rank + N,
                                   &cost, &err));
        assert_true(cost.flops > 0);
        gsl_rng_free(rng);
    }
    /* A sign changes where a product is within rounding, 1e-5, of 0: expected 2 N BITS 1e-5 < 0.02
     * times. */
    for (size_t i = 0; i < 2 * N; i++)
        differ += plain[i] != moved[i];
    assert_true(differ <= 1);
    attention_clear(&c);
}

static void sorting(void **unused)
{
    const uint32_t rank[] = {9, 3, 0, 3, 1, 0, 3};
    size_t order[5];
    static const size_t want[] = {2, 5, 4, 1, 3}; /* points 1 .. 5 */

    (void)unused;
    kmv_angular_sort(rank, 4, 1, 5, order);
    assert_memory_equal(order, want, sizeof want);
}

/* sum of weights over a key's draws: expected 1 for each key with a positive score; hits are
 * binomial, so the mean over A rounds lies within 5 sqrt((1 - p) / (A m p)) but for 6e-7 each. */
static void sample_weights(void **unused)
{
    enum { N = 6, DRAWS = 20, ROUNDS = 2000 };
    const double score[N] = {1, 0, 4, 0.5, 2.5, 0};
    double mean[N] = {0};
    kmv_key_sample s = {0};
    kmv_error err = {""};

    (void)unused;
    CHECK_OK(kmv_key_sample_init(&s, kmv_tile_best(), DRAWS, N, 3, 1, &err));
    kmv_rng_restart(s.rng, 17);
    for (size_t t = 0; t < ROUNDS; t++) {
        kmv_key_sample_draw(&s, score, 100, N, DRAWS);
        assert_true(s.count <= 4);
        for (size_t i = 0; i < s.count; i++) {
            assert_true(i == 0 || s.index[i] > s.index[i - 1]);
            mean[s.index[i] - 100] += s.weight[i] / ROUNDS;
        }
    }
    for (size_t j = 0; j < N; j++) {
        const double p = score[j] / 8;

        if (p > 0)
            CHECK_CLOSE(mean[j], 1, 5 * sqrt((1 - p) / (ROUNDS * DRAWS * p)));
        else
            assert_true(mean[j] == 0);
    }
    kmv_key_sample_draw(&s, NULL, 0, 1, DRAWS); /* one key takes all */
    assert_int_equal(s.count, 1);
    CHECK_CLOSE(s.weight[0], 1, 1e-15);
    kmv_key_sample_clear(&s);
}

/* ---- blocks ---------------------------------------------------------------------------------- */

enum { N_Q = 37, N_K = 53, D = 6, BLOCK = 10, BLOCKS = 6, R = 2, M = 9 };

/* Blocks of a permuted order, and logits in double. */
typedef struct {
    attention c;
    kmv_blocks blocks;
    kmv_values values;
    kmv_key_sample sample;
    kmv_block_room room;
    kmv_softmax_sums total;
    double centre[D], unit, entry[N_Q][N_K];
    size_t q_block[N_Q], k_block[N_K];
} fixture;

static void make(fixture *f)
{
    size_t q_order[N_Q], k_order[N_K];
    kmv_cost cost = {0};
    kmv_error err = {""};

    memset(f, 0, sizeof *f);
    attention_make(&f->c, (attention_shape){.n_q = N_Q,
                                            .n_k = N_K,
                                            .d = D,
                                            .r = R,
                                            .matrix = KMV_SOFTMAX,
                                            .sigma = pow(D, 0.25),
                                            .spread = 1,
                                            .centres = 0.3,
                                            .seed = 5});
    for (size_t i = 0; i < N_Q; i++)
        q_order[i] = i * 5 % N_Q;
    for (size_t j = 0; j < N_K; j++)
        k_order[j] = j * 7 % N_K;
    /* block b holds the points floor(n b / 6) .. floor(n (b + 1) / 6) - 1 of the order */
    for (size_t b = 0; b < BLOCKS; b++) {
        for (size_t i = N_Q * b / BLOCKS; i < N_Q * (b + 1) / BLOCKS; i++)
            f->q_block[q_order[i]] = b;
        for (size_t j = N_K * b / BLOCKS; j < N_K * (b + 1) / BLOCKS; j++)
            f->k_block[k_order[j]] = b;
    }
    for (size_t i = 0; i < N_Q; i++) {
        for (size_t j = 0; j < N_K; j++) {
            double dot = 0;

            for (size_t l = 0; l < D; l++)
                dot += (double)f->c.q.x[i * f->c.q.ld + l] * (double)f->c.k.x[j * f->c.k.ld + l];
            f->entry[i][j] = exp(dot / (f->c.problem.sigma * f->c.problem.sigma));
        }
    }
    kmv_centre(&f->c.problem, f->centre);
    CHECK_OK(kmv_blocks_init(&f->blocks, &f->c.problem, kmv_tile_best(), q_order, N_Q, k_order, N_K,
                             0, BLOCK, f->centre, 1, &cost, &err));
    CHECK_OK(kmv_values_init(&f->values, kmv_tile_best(), f->blocks.k.n, R, &err));
    CHECK_OK(kmv_key_sample_init(&f->sample, kmv_tile_best(), M, N_K, D, R, &err));
    CHECK_OK(kmv_block_room_init(&f->room, kmv_tile_best(), M, R, 2, &err));
    CHECK_OK(kmv_softmax_sums_init(&f->total, kmv_tile_best(), N_Q, R, &err));
    f->unit = kmv_values_common_unit(f->c.x, N_K * R);
    kmv_values_load_in_unit(&f->values, &f->blocks.k, f->c.x, R, f->unit, 1);
}

static void clear(fixture *f)
{
    kmv_blocks_clear(&f->blocks);
    kmv_values_clear(&f->values);
    kmv_key_sample_clear(&f->sample);
    kmv_block_room_clear(&f->room);
    kmv_softmax_sums_clear(&f->total);
    attention_clear(&f->c);
}

/* Denominator (c = R) and numerators of query i out of the sums. */
static double sum_of(const fixture *f, size_t i, size_t c)
{
    const double s = c == R ? f->total.sum[i] : f->unit * f->total.y[i * f->total.ld + c];

    return s * exp2((double)f->total.top[i]);
}

static double value(const fixture *f, size_t j, size_t c)
{
    return c == R ? 1 : f->c.x[j * R + c];
}

/* Without a sample: the sums over the own block, no more and no less. Floats: exponents up to 16
 * with 2^-24 of that each, entries 1e-6: 3e-6 of the sum of magnitudes. */
static void blocks_are_exact(void **unused)
{
    kmv_cost cost = {0};
    double pairs = 0;
    fixture f;

    (void)unused;
    make(&f);
    assert_int_equal(f.blocks.blocks, BLOCKS);
    kmv_softmax_sums_reset(&f.total, 0, N_Q);
    kmv_block_attend(&(kmv_block_parts){&f.blocks, &f.values, NULL, NULL}, &f.room,
                     (kmv_block_target){.total = &f.total}, &cost);
    for (size_t i = 0; i < N_Q; i++) {
        for (size_t c = 0; c <= R; c++) {
            double want = 0, size = 0;

            for (size_t j = 0; j < N_K; j++) {
                if (f.k_block[j] != f.q_block[i])
                    continue;
                want += f.entry[i][j] * value(&f, j, c);
                size += f.entry[i][j] * fabs(value(&f, j, c));
                pairs += c == 0;
            }
            CHECK_CLOSE(sum_of(&f, i, c), want, 3e-6 * size);
        }
    }
    CHECK_CLOSE(cost.pairs, pairs, 0);
    CHECK_CLOSE(cost.flops, 2 * pairs * (D + R), 0);
    clear(&f);
}

/* Block and sample together are unbiased for the whole sums, with the variance of m draws of the
 * terms outside of the block, (sum_j f_j^2 / p_j - (sum_j f_j)^2) / m. Mean over A rounds within 5
 * standard deviations of one row's sum (6e-7 each for a normal distribution, 111 of them; A m =
 * 18000 draws are close to it); the squares' mean, summed over rows, has a relative deviation of
 * about sqrt(2 / A) and is given 0.15, 3 of them. */
static void unbiased_with_the_stated_variance(void **unused)
{
    enum { ROUNDS = 2000 };
    double mean[N_Q][R + 1] = {{0}}, score[N_K], total_score = 0, square = 0, variance = 0;
    kmv_cost cost = {0};
    fixture f;

    (void)unused;
    make(&f);
    for (size_t j = 0; j < N_K; j++)
        total_score += score[j] = 1 + (double)(j % 4);
    kmv_rng_restart(f.sample.rng, 23);
    for (size_t t = 0; t < ROUNDS; t++) {
        kmv_key_sample_draw(&f.sample, score, 0, N_K, M);
        kmv_key_sample_pack(&f.sample, &f.blocks.problem, f.centre, NULL, 1, &cost);
        kmv_values_load_in_unit(&f.sample.values, &f.sample.keys, f.c.x, R, f.unit, 1);
        kmv_softmax_sums_reset(&f.total, 0, N_Q);
        kmv_block_attend(&(kmv_block_parts){&f.blocks, &f.values, NULL, &f.sample}, &f.room,
                         (kmv_block_target){.total = &f.total}, &cost);
        for (size_t i = 0; i < N_Q; i++) {
            for (size_t c = 0; c <= R; c++) {
                double want = 0;

                for (size_t j = 0; j < N_K; j++)
                    want += f.entry[i][j] * value(&f, j, c);
                mean[i][c] += (sum_of(&f, i, c) - want) / ROUNDS;
                square += pow(sum_of(&f, i, c) - want, 2) / ROUNDS;
            }
        }
    }
    for (size_t i = 0; i < N_Q; i++) {
        for (size_t c = 0; c <= R; c++) {
            double sum = 0, sum2 = 0, own;

            for (size_t j = 0; j < N_K; j++) {
                const double term = f.entry[i][j] * value(&f, j, c);

                if (f.k_block[j] == f.q_block[i])
                    continue;
                sum += term;
                sum2 += term * term / (score[j] / total_score);
            }
            own = (sum2 - sum * sum) / M;
            variance += own;
            CHECK_CLOSE(mean[i][c], 0, 5 * sqrt(own / ROUNDS) + 1e-4);
        }
    }
    CHECK_CLOSE(square / variance, 1, 0.15);
    clear(&f);
}

/* A unit larger than the values' own changes nothing but the scale. */
static void common_unit(void **unused)
{
    const double x[] = {0.3, -5, 0}, tiny[] = {0x1p-1040};
    double norm[3];

    (void)unused;
    assert_true(kmv_values_common_unit(x, 3) == 8);
    assert_true(kmv_values_common_unit(tiny, 1) == 0x1p-1000);
    CHECK_CLOSE(kmv_value_norms(x, 1, 2, 1, 8, norm), 0.625, 1e-15);
    CHECK_CLOSE(norm[0], 0.625, 1e-15);
    assert_true(norm[1] == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gray_order),     cmocka_unit_test(hash_probability),
        cmocka_unit_test(centred_hash),   cmocka_unit_test(sorting),
        cmocka_unit_test(sample_weights), cmocka_unit_test(blocks_are_exact),
        cmocka_unit_test(common_unit),    cmocka_unit_test(unbiased_with_the_stated_variance),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* algo/angular_order.h, key_sample.h, block_attention.h, kdeformer.h and `kdeformer`. */
#include "check.h"

#include <string.h>

#include "algo/angular_order.h"
#include "algo/kdeformer.h"
#include "attention.h"
#include "base/mem.h"
#include "base/rng.h"
#include "gauss/tile.h"

enum { N_Q = 37, N_K = 53, D = 6, R = 2 };

static void make(attention *a)
{
    attention_make(a, (attention_shape){.n_q = N_Q,
                                        .n_k = N_K,
                                        .d = D,
                                        .r = R,
                                        .matrix = KMV_SOFTMAX,
                                        .sigma = 2,
                                        .spread = 1,
                                        .seed = 3});
}

static double entry(const attention *a, size_t i, size_t j)
{
    double dot = 0;

    for (size_t l = 0; l < D; l++)
        dot += (double)a->q.x[i * a->q.ld + l] * (double)a->k.x[j * a->k.ld + l];
    return exp(dot / (a->problem.sigma * a->problem.sigma));
}

/* The numbers that the paper gives for its two shapes. */
static void published_counts(void **state)
{
    const double exact = kmv_exact_attention_count(4096, 1024, 64, 256);
    const double ours = kmv_kdeformer_count(4096, 1024, 64, 256, 7, 64, 128);

    (void)state;
    CHECK_CLOSE(exact, 1.342e9, 0.0005e9);
    CHECK_CLOSE(ours, 0.323e9, 0.0005e9);
    CHECK_CLOSE(exact / ours, 4.16, 0.005);
    CHECK_CLOSE(kmv_exact_attention_count(3136, 3136, 64, 64) /
                    kmv_kdeformer_count(3136, 3136, 64, 64, 7, 32, 98),
                18.5, 0.05);
}

/* Codes of successive ranks differ in one bit, and every rank has one code. */
static void gray_order(void **state)
{
    enum { BITS = 10, CODES = 1 << BITS };
    uint32_t code[CODES];

    (void)state;
    memset(code, 0xff, sizeof code);
    for (uint32_t c = 0; c < CODES; c++) {
        assert_true(kmv_gray_rank(c) < CODES);
        assert_int_equal(code[kmv_gray_rank(c)], UINT32_MAX);
        code[kmv_gray_rank(c)] = c;
    }
    for (uint32_t rank = 1; rank < CODES; rank++) {
        const uint32_t bit = code[rank] ^ code[rank - 1];

        assert_true(bit != 0 && (bit & (bit - 1)) == 0);
    }
}

/* Equal points have equal ranks, whichever side they are on, and so have multiples of them; the
 * order is one of all points, ascending in rank, then number. */
static void hashes(void **state)
{
    attention a;
    uint32_t q[N_Q], k[N_K], again[N_Q];
    size_t order[N_K];
    kmv_error err = {""};

    (void)state;
    make(&a);
    for (size_t t = 0; t < N_Q * a.q.ld; t++)
        a.k.x[t] = 2 * a.q.x[t];
    for (int threads = 1; threads <= 2; threads++) {
        gsl_rng *rng = kmv_rng_create(5, NULL);
        kmv_cost cost = {0};

        CHECK_OK(kmv_angular_ranks(&a.problem, kmv_tile_best(), 7, 0, rng, threads,
                                   threads == 1 ? q : again, k, &cost, &err));
        CHECK_CLOSE(cost.flops, 2.0 * D * 7 * (N_Q + N_K), 0);
        gsl_rng_free(rng);
    }
    assert_memory_equal(q, again, sizeof q);
    assert_memory_equal(q, k, sizeof q);
    kmv_angular_sort(k, 7, 3, N_K - 3, order);
    for (size_t s = 1; s < N_K - 3; s++) {
        const uint32_t before = k[order[s - 1]], here = k[order[s]];

        assert_true(before < here || (before == here && order[s - 1] < order[s]));
        assert_in_range(order[s], 3, N_K - 1);
    }
    attention_clear(&a);
}

/* Mean and variance that an estimate of `draws` draws has, and the fourth moment of its error. */
typedef struct {
    double mean, variance, fourth;
} moments;

static moments moments_of(const double *f, const double *p, size_t n, double draws)
{
    moments m = {0};
    double fourth = 0;

    for (size_t j = 0; j < n; j++)
        m.mean += f[j];
    for (size_t j = 0; j < n; j++) {
        const double off = f[j] / p[j] - m.mean;

        m.variance += p[j] * off * off;
        fourth += p[j] * off * off * off * off;
    }
    m.fourth =
        (fourth / draws + 3 * m.variance * m.variance * (draws - 1) / draws) / (draws * draws);
    m.variance /= draws;
    return m;
}

/* Numerators and denominators of blocks and a sample, over many seeds, against the sums they stand
 * for and the variance of the sample: 6 standard deviations of a mean of 4000 near normal numbers,
 * failure below 2e-9 for each of 3 x 37 means and as many variances. */
static void unbiased_with_its_variance(void **state)
{
    enum { SEEDS = 4000, DRAWS = 12, BLOCK = 15 };
    static double sum[N_Q][R + 1], square[N_Q][R + 1];
    const double centre[D] = {0};
    double p[N_K], unit, total_p = 0;
    size_t order_q[N_Q], order_k[N_K];
    const kmv_tile *tile = kmv_tile_best();
    kmv_blocks blocks;
    kmv_values values;
    kmv_key_sample sample;
    kmv_block_room room;
    kmv_softmax_sums total;
    kmv_cost cost = {0};
    kmv_error err = {""};
    attention a;

    (void)state;
    make(&a);
    for (size_t i = 0; i < N_Q; i++)
        order_q[i] = N_Q - 1 - i;
    for (size_t j = 0; j < N_K; j++) {
        order_k[j] = j * 7 % N_K;
        p[j] = 1 + (double)(j % 4);
        total_p += p[j];
    }
    unit = kmv_values_common_unit(a.x, N_K * R);
    CHECK_OK(kmv_blocks_init(&blocks, &a.problem, tile, order_q, N_Q, order_k, N_K, 0, BLOCK,
                             centre, 1, &cost, &err));
    CHECK_OK(kmv_values_init(&values, tile, blocks.k.n, R, &err));
    CHECK_OK(kmv_key_sample_init(&sample, tile, DRAWS, N_K, D, R, &err));
    CHECK_OK(kmv_block_room_init(&room, tile, DRAWS, R, 1, &err));
    CHECK_OK(kmv_softmax_sums_init(&total, tile, N_Q, R, &err));
    kmv_values_load_in_unit(&values, &blocks.k, a.x, R, unit, 1);
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        kmv_rng_restart(sample.rng, kmv_stream_key(seed, "sample", 0));
        kmv_key_sample_draw(&sample, p, 0, N_K, DRAWS);
        kmv_key_sample_pack(&sample, &blocks.problem, centre, NULL, 1, &cost);
        kmv_values_load_in_unit(&sample.values, &sample.keys, a.x, R, unit, 1);
        kmv_softmax_sums_reset(&total, 0, N_Q);
        kmv_block_attend(&(kmv_block_parts){&blocks, &values, NULL, &sample}, &room,
                         (kmv_block_target){.total = &total}, &cost);
        for (size_t i = 0; i < N_Q; i++) {
            const double scale = exp2((double)total.top[i]);

            for (size_t c = 0; c <= R; c++) {
                const double got = c < R ? scale * unit * (double)total.y[i * total.ld + c]
                                         : scale * (double)total.sum[i];

                sum[i][c] += got / SEEDS;
                square[i][c] += got * got / SEEDS;
            }
        }
    }
    for (size_t j = 0; j < N_K; j++)
        p[j] /= total_p;
    for (size_t i = 0; i < N_Q; i++) {
        size_t block = 0;

        while (blocks.q_start[block + 1] <= N_Q - 1 - i)
            block++;
        for (size_t c = 0; c <= R; c++) {
            double f[N_K], in_block = 0, got;
            moments m;

            for (size_t j = 0; j < N_K; j++) {
                f[j] = entry(&a, i, j) * (c < R ? a.x[j * R + c] : 1);
                if (blocks.key_block[j] == block) {
                    in_block += f[j];
                    f[j] = 0;
                }
            }
            m = moments_of(f, p, N_K, DRAWS);
            CHECK_CLOSE(sum[i][c], in_block + m.mean, 6 * sqrt(m.variance / SEEDS));
            got = square[i][c] - sum[i][c] * sum[i][c];
            CHECK_CLOSE(got, m.variance, 6 * sqrt((m.fourth - m.variance * m.variance) / SEEDS));
        }
    }
    kmv_softmax_sums_clear(&total);
    kmv_block_room_clear(&room);
    kmv_key_sample_clear(&sample);
    kmv_values_clear(&values);
    kmv_blocks_clear(&blocks);
    attention_clear(&a);
}

/* One block: the densities are the sums. */
static void densities(void **state)
{
    const double centre[D] = {0};
    double alpha[N_Q], column2[N_K], sum[N_Q] = {0};
    size_t order[N_K];
    kmv_blocks blocks;
    kmv_cost cost = {0};
    kmv_error err = {""};
    attention a;

    (void)state;
    make(&a);
    for (size_t j = 0; j < N_K; j++)
        order[j] = j;
    CHECK_OK(kmv_blocks_init(&blocks, &a.problem, kmv_tile_best(), order, N_Q, order, N_K, 0, 100,
                             centre, 1, &cost, &err));
    CHECK_OK(kmv_kdeformer_densities(&blocks, order, order, centre, 20, 6, 1, alpha, column2, &cost,
                                     &err));
    for (size_t i = 0; i < N_Q; i++) {
        for (size_t j = 0; j < N_K; j++)
            sum[i] += entry(&a, i, j);
        CHECK_CLOSE(exp2(alpha[i]), sum[i], 2e-5 * sum[i]);
    }
    for (size_t j = 0; j < N_K; j++) {
        double want = 0;

        for (size_t i = 0; i < N_Q; i++)
            want += pow(entry(&a, i, j) / sum[i], 2);
        CHECK_CLOSE(column2[j], want, 1e-4 * want);
    }
    kmv_blocks_clear(&blocks);
    attention_clear(&a);
}

/* With exact densities y is unbiased; whatever gamma is, its variance is at most
 * 2 |P|_F^2 |V|_F^2 / m, since (C + g W) c w / (c + g w) <= C w + W c. The mean of SEEDS outputs is
 * beyond 4 standard deviations with probability at most 1/16 (Chebyshev); the seeds are fixed. */
static void paper_form(void **state)
{
    enum { SEEDS = 40 };
    double mean[N_Q * R] = {0}, p_norm2 = 0;
    attention a;

    (void)state;
    make(&a);
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        attention_run(&a, "kdeformer", "form=paper,block=100,samples=400", NULL, 1, seed, NULL);
        for (size_t t = 0; t < N_Q * R; t++)
            mean[t] += a.y[t] / SEEDS;
    }
    memcpy(a.y, mean, sizeof mean);
    for (size_t i = 0; i < N_Q; i++) {
        double sum = 0, square = 0;

        for (size_t j = 0; j < N_K; j++) {
            sum += entry(&a, i, j);
            square += entry(&a, i, j) * entry(&a, i, j);
        }
        p_norm2 += square / (sum * sum);
    }
    CHECK_CLOSE(attention_error(&a), 0,
                4 * sqrt(2 * p_norm2 / (400.0 * SEEDS)) * attention_size(&a));
    attention_clear(&a);
}

static void one_block(void **state)
{
    (void)state;
    attention_check_exact("kdeformer", "block=400,samples=0", KMV_SOFTMAX, 0, 1);
    attention_check_exact("kdeformer", "block=400,samples=30", KMV_SOFTMAX, 0, 1);
}

static void repeatable(void **state)
{
    (void)state;
    attention_check_repeatable("kdeformer", "block=16,samples=20", KMV_SOFTMAX, 0, 1);
    attention_check_repeatable("kdeformer", "block=16,samples=20,centred=yes", KMV_SOFTMAX, 0, 1);
    attention_check_repeatable("kdeformer", "form=paper,block=16,samples=20", KMV_SOFTMAX, 0, 1);
    attention_check_repeatable("kdeformer", "form=paper,denominator=sample", KMV_SOFTMAX, 0, 1);
}

static void refused(void **state)
{
    kmv_points q = {.n = 5, .d = 1}, k = {.n = 5, .d = 1};
    kmv_problem p = {.q = &q, .k = &k, .matrix = KMV_SOFTMAX, .sigma = 1};
    const kmv_algo *a = kmv_algo_find("kdeformer");

    (void)state;
    assert_null(kmv_algo_rejects(a, &p, "", 1, 1));
    assert_non_null(kmv_algo_rejects(a, &p, "form=paper,samples=0", 1, 1));
    p.causal = 1;
    assert_non_null(kmv_algo_rejects(a, &p, "", 1, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_counts), cmocka_unit_test(gray_order),
        cmocka_unit_test(hashes),           cmocka_unit_test(unbiased_with_its_variance),
        cmocka_unit_test(densities),        cmocka_unit_test(paper_form),
        cmocka_unit_test(one_block),        cmocka_unit_test(repeatable),
        cmocka_unit_test(refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

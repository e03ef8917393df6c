/* kdeformer: counts of its source, exact where its budget is everything, unbiased with the variance
 * of its draws, densities, what it refuses. */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "algo/kdeformer.h"
#include "attention.h"
#include "base/rng.h"

/* Attention between points about centres of that spread, sigma = d^(1/4). */
static void make(attention *c, size_t n_q, size_t n_k, size_t d, size_t r, int causal,
                 double centres)
{
    attention_make(c, (attention_shape){.n_q = n_q,
                                        .n_k = n_k,
                                        .d = d,
                                        .r = r,
                                        .matrix = KMV_SOFTMAX,
                                        .causal = causal,
                                        .sigma = pow((double)d, 0.25),
                                        .spread = 1,
                                        .centres = centres,
                                        .seed = 5});
}

/* |y - P x|_F / |P |x||_F of a fresh plan. */
static double relative_error(attention *c, const char *options, const char *isa)
{
    attention_run(c, "kdeformer", options, isa, 1, 1, NULL);
    return attention_error(c) / c->size;
}

/* The numbers that the paper prints, to their digits: 18.5 times fewer (T2T-ViT, first layer),
 * where the count is its authors' function, and 1.342e9 and 0.323e9, 4.16 times fewer (BigGAN),
 * where it is that function with d + r for its 2 d. */
static void published_counts(void **unused)
{
    const double gan = kmv_kdeformer_count(4096, 1024, 64, 256, 7, 64, 128);
    const double gan_exact = kmv_exact_attention_count(4096, 1024, 64, 256);
    const double vit = kmv_kdeformer_count(3136, 3136, 64, 64, 7, 32, 98);
    const double vit_exact = kmv_exact_attention_count(3136, 3136, 64, 64);

    (void)unused;
    CHECK_CLOSE(gan_exact, 1.342e9, 0.0005e9);
    CHECK_CLOSE(gan, 0.323e9, 0.0005e9);
    CHECK_CLOSE(gan_exact / gan, 4.16, 0.005);
    CHECK_CLOSE(vit_exact / vit, 18.5, 0.05);
}

/* The plan says the count of its own problem. */
static void plan_tells_the_count(void **unused)
{
    const double count = kmv_kdeformer_count(40, 24, 5, 3, 7, 8, 6);
    kmv_settings s = KMV_SETTINGS_DEFAULT;
    char want[64];
    double y[40 * 3];
    kmv_plan *plan = NULL;
    kmv_report report;
    attention c;
    kmv_error err = {""};

    (void)unused;
    make(&c, 40, 24, 5, 3, 0, 0.5);
    s.r = 3;
    CHECK_OK(kmv_plan_create(kmv_algo_find("kdeformer"), &c.problem, "block=8,samples=6", &s, &plan,
                             &err));
    CHECK_OK(kmv_plan_apply(plan, c.x, 3, y, &report, &err));
    snprintf(want, sizeof want, "%.4g of %.4g multiply-adds", count,
             kmv_exact_attention_count(40, 24, 5, 3));
    if (strstr(report.text, want) == NULL)
        fail_msg("'%s' lacks '%s'", report.text, want);
    /* 3 blocks of 8 keys and at most 6 sampled ones for each query */
    assert_true(report.apply.pairs >= 40 * 9 && report.apply.pairs <= 40 * 14);
    kmv_plan_destroy(plan);
    attention_clear(&c);
}

static const struct {
    size_t n_q, n_k, d, r;
} shapes[] = {{1, 1, 1, 1}, {1, 70, 3, 3}, {70, 1, 8, 1}, {130, 97, 17, 3}, {101, 203, 64, 1}};

/* One block holds all keys: softmax itself, on every instruction set, up to the rounding that exact
 * promises, 1e-5 |P |x||. */
static void one_block_is_exact(void **unused)
{
    const kmv_tile *tile;

    (void)unused;
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        attention c;

        make(&c, shapes[s].n_q, shapes[s].n_k, shapes[s].d, shapes[s].r, 0, 0.7);
        for (size_t t = 0; (tile = kmv_tile_at(t)) != NULL; t++) {
            if (!tile->can_run())
                continue;
            CHECK_CLOSE(relative_error(&c, "block=1000", tile->name), 0, 1e-5);
            CHECK_CLOSE(relative_error(&c, "block=1000,samples=0", tile->name), 0, 1e-5);
        }
        attention_clear(&c);
    }
}

/* More draws, less error: from 8 to 2048 of 300 keys, and from blocks alone. The limit is 0, as all
 * keys are in the sample with weights near 1: expected error falls by sqrt(256) = 16. */
static void converges_in_the_draws(void **unused)
{
    double few = 0, many = 0;
    attention c;

    (void)unused;
    make(&c, 200, 300, 16, 3, 0, 0.2);
    few = relative_error(&c, "block=20,samples=8", NULL);
    many = relative_error(&c, "block=20,samples=2048", NULL);
    if (!(many < few / 8))
        fail_msg("error %g with 8 draws, %g with 2048", few, many);
    many = relative_error(&c, "form=paper,samples=2048,denominator=sample", NULL);
    few = relative_error(&c, "form=paper,samples=8,denominator=sample", NULL);
    if (!(many < few / 8))
        fail_msg("paper: error %g with 8 draws, %g with 2048", few, many);
    attention_clear(&c);
}

/* ---- the paper's form ------------------------------------------------------------------------ */

/* P in double: its columns' squared norms and log2 of its denominators. */
static void columns_of(const attention *c, double *p, double *log2_alpha, double *column2)
{
    const size_t n_q = c->q.n, n_k = c->k.n;

    memset(column2, 0, n_k * sizeof *column2);
    for (size_t i = 0; i < n_q; i++) {
        double sum = 0;

        for (size_t j = 0; j < n_k; j++) {
            double dot = 0;

            for (size_t l = 0; l < c->q.d; l++)
                dot += (double)c->q.x[i * c->q.ld + l] * (double)c->k.x[j * c->k.ld + l];
            p[i * n_k + j] = exp(dot / (c->problem.sigma * c->problem.sigma));
            sum += p[i * n_k + j];
        }
        for (size_t j = 0; j < n_k; j++) {
            p[i * n_k + j] /= sum;
            column2[j] += p[i * n_k + j] * p[i * n_k + j];
        }
        log2_alpha[i] = log2(sum);
    }
}

static void densities(const attention *c, size_t block, size_t draws, uint64_t key,
                      double *log2_alpha, double *column2)
{
    size_t order[512];
    double centre[64];
    kmv_blocks blocks = {0};
    kmv_cost cost = {0};
    kmv_error err = {""};

    for (size_t i = 0; i < 512; i++)
        order[i] = i;
    kmv_centre(&c->problem, centre);
    CHECK_OK(kmv_blocks_init(&blocks, &c->problem, kmv_tile_best(), order, c->q.n, order, c->k.n, 0,
                             block, centre, 1, &cost, &err));
    CHECK_OK(kmv_kdeformer_densities(&blocks, order, order, centre, draws, key, 1, log2_alpha,
                                     column2, &cost, &err));
    kmv_blocks_clear(&blocks);
}

/* With one block both densities are sums over all points: logits up to about 20 as floats, twice
 * that in the squares, 1e-5 relative. In blocks alpha is unbiased: mean over A = 400 keys within 5
 * standard errors, those from the sample itself. */
static void density_estimates(void **unused)
{
    enum { N_Q = 60, N_K = 45, ROUNDS = 400 };
    double p[N_Q * N_K], alpha[N_Q], column2[N_K], got_alpha[N_Q], got_column2[N_K];
    double sum[N_Q] = {0}, sum2[N_Q] = {0};
    attention c;

    (void)unused;
    make(&c, N_Q, N_K, 9, 1, 0, 0.4);
    columns_of(&c, p, alpha, column2);
    densities(&c, 1000, 10, 1, got_alpha, got_column2);
    for (size_t i = 0; i < N_Q; i++)
        CHECK_CLOSE(got_alpha[i], alpha[i], 1e-5);
    for (size_t j = 0; j < N_K; j++)
        CHECK_CLOSE(got_column2[j], column2[j], 2e-5 * column2[j]);
    for (uint64_t t = 0; t < ROUNDS; t++) {
        densities(&c, 9, 12, kmv_stream_key(31, "density", t), got_alpha, got_column2);
        for (size_t i = 0; i < N_Q; i++) {
            const double ratio = exp2(got_alpha[i] - alpha[i]);

            sum[i] += ratio / ROUNDS;
            sum2[i] += ratio * ratio / ROUNDS;
        }
    }
    for (size_t i = 0; i < N_Q; i++)
        CHECK_CLOSE(sum[i], 1, 5 * sqrt((sum2[i] - sum[i] * sum[i]) / ROUNDS));
    attention_clear(&c);
}

/* Exact densities (one block): y is unbiased for P V, and E|y - P V|^2 = (sum_j |P e_j|^2 |v_j|^2 /
 * p_j - |P V|^2) / m with the probabilities of the paper. r = 1, so that |V|_op = |V|. Relative
 * deviation of the mean of A = 600 squared errors about sqrt(2 / A) = 0.06: 0.25 is 4 of them; the
 * mean over rows and rounds is held to 5 standard errors. */
static void paper_variance(void **unused)
{
    enum { N_Q = 50, N_K = 80, ROUNDS = 600, M = 12 };
    double p[N_Q * N_K], alpha[N_Q], column2[N_K], y[N_Q], v2 = 0, p2 = (double)N_Q / N_K;
    double total = 0, want = 0, norm2 = 0, square = 0, mean = 0;
    kmv_settings s = KMV_SETTINGS_DEFAULT;
    kmv_plan *plan = NULL;
    attention c;
    kmv_error err = {""};

    (void)unused;
    make(&c, N_Q, N_K, 7, 1, 0, 0.4);
    columns_of(&c, p, alpha, column2);
    for (size_t j = 0; j < N_K; j++) {
        v2 += c.x[j] * c.x[j];
        p2 = fmax(p2, column2[j]);
    }
    for (size_t j = 0; j < N_K; j++)
        total += column2[j] + p2 / v2 * c.x[j] * c.x[j];
    for (size_t j = 0; j < N_K; j++)
        want += column2[j] * c.x[j] * c.x[j] / ((column2[j] + p2 / v2 * c.x[j] * c.x[j]) / total);
    for (size_t i = 0; i < N_Q; i++)
        norm2 += c.want[i] * c.want[i];
    want = (want - norm2) / M;
    CHECK_OK(kmv_plan_create(kmv_algo_find("kdeformer"), &c.problem,
                             "form=paper,block=100,samples=12", &s, &plan, &err));
    for (size_t t = 0; t < ROUNDS; t++) {
        double along = 0;

        CHECK_OK(kmv_plan_apply(plan, c.x, 1, y, NULL, &err));
        for (size_t i = 0; i < N_Q; i++) {
            square += (y[i] - c.want[i]) * (y[i] - c.want[i]) / ROUNDS;
            along += (y[i] - c.want[i]) * c.want[i] / sqrt(norm2);
        }
        mean += along / ROUNDS;
    }
    CHECK_CLOSE(square / want, 1, 0.25);
    CHECK_CLOSE(mean, 0, 5 * sqrt(want / ROUNDS)); /* one direction's variance is at most all */
    kmv_plan_destroy(plan);
    attention_clear(&c);
}

/* ---- contract -------------------------------------------------------------------------------- */

static void contract(void **unused)
{
    static const char *const options[] = {"block=16,samples=20", "block=7,samples=0,bits=3",
                                          "block=16,samples=500,share=1,centred=yes",
                                          "form=paper,block=16,samples=30,density=20",
                                          "form=paper,block=16,samples=30,denominator=sample"};

    (void)unused;
    for (size_t o = 0; o < sizeof options / sizeof *options; o++) {
        attention c;

        make(&c, 150, 131, 12, 3, 0, 0.5);
        attention_check_contract(&c, "kdeformer", options[o]);
        attention_clear(&c);
        make(&c, 3, 500, 12, 1, 0, 0.5); /* blocks without queries */
        attention_check_contract(&c, "kdeformer", options[o]);
        attention_clear(&c);
    }
}

/* Logits of thousands, far beyond what exp holds in any float: finite, and exact in one block. */
static void large_logits(void **unused)
{
    attention c;

    (void)unused;
    make(&c, 40, 60, 16, 2, 0, 30);
    attention_run(&c, "kdeformer", "block=10,samples=20", NULL, 1, 1, NULL);
    for (size_t t = 0; t < 80; t++)
        assert_true(isfinite(c.y[t]));
    /* exponents of 2^13 carry 2^-11 */
    CHECK_CLOSE(relative_error(&c, "block=60", NULL), 0, 1e-2);
    attention_clear(&c);
}

static void refusals(void **unused)
{
    kmv_settings s = KMV_SETTINGS_DEFAULT;
    kmv_plan *plan = NULL;
    attention c;
    kmv_error err;

    (void)unused;
    make(&c, 9, 9, 2, 1, 1, 0.5);
    CHECK_FAILS(kmv_plan_create(kmv_algo_find("kdeformer"), &c.problem, "", &s, &plan, &err),
                KMV_ENOTSUP, "causal");
    c.problem.causal = 0;
    CHECK_FAILS(kmv_plan_create(kmv_algo_find("kdeformer"), &c.problem, "form=paper,samples=0", &s,
                                &plan, &err),
                KMV_ENOTSUP, "samples > 0");
    CHECK_FAILS(kmv_plan_create(kmv_algo_find("kdeformer"), &c.problem, "bits=17", &s, &plan, &err),
                KMV_EINVAL, "bits");
    c.problem.sigma = 1e-200;
    CHECK_FAILS(kmv_plan_create(kmv_algo_find("kdeformer"), &c.problem, "", &s, &plan, &err),
                KMV_ENOTSUP, "too small");
    c.problem.matrix = KMV_GAUSS;
    CHECK_FAILS(kmv_plan_create(kmv_algo_find("kdeformer"), &c.problem, "", &s, &plan, &err),
                KMV_ENOTSUP, "softmax matrices only");
    assert_null(plan);
    attention_clear(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_counts),   cmocka_unit_test(plan_tells_the_count),
        cmocka_unit_test(one_block_is_exact), cmocka_unit_test(converges_in_the_draws),
        cmocka_unit_test(density_estimates),  cmocka_unit_test(paper_variance),
        cmocka_unit_test(contract),           cmocka_unit_test(large_logits),
        cmocka_unit_test(refusals),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* algo/key_cells.h and `deann`: cells by brute force, the published variance, exact where all is
 * computed. */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "algo/key_cells.h"
#include "attention.h"
#include "base/mem.h"

/* Every key is in one cell, that of its nearest centre; cells do not depend on threads. */
static void cells(void **state)
{
    enum { N = 700, CELLS = 23, D = 7 };
    static const int threads[] = {1, 3};
    size_t first[N];
    attention a;

    (void)state;
    attention_make(
        &a, (attention_shape){
                .n_q = 1, .n_k = N, .d = D, .r = 1, .matrix = KMV_GAUSS, .sigma = 1, .spread = 1});
    for (size_t t = 0; t < 2; t++) {
        const kmv_scaled k = {.n = N, .d = D, .ld = a.k.ld, .x = a.k.x};
        size_t seen[N] = {0};
        kmv_key_cells c;
        kmv_cost cost = {0};
        kmv_error err = {""};

        CHECK_OK(
            kmv_key_cells_init(&c, &k, CELLS, 4, kmv_tile_best(), 11, threads[t], &cost, &err));
        assert_int_equal(c.start[0], 0);
        assert_int_equal(c.start[CELLS], N);
        for (size_t m = 0; m < CELLS; m++) {
            for (size_t slot = c.start[m]; slot < c.start[m + 1]; slot++) {
                const float *x = k.x + c.order[slot] * k.ld;
                double own = 0;

                seen[c.order[slot]]++;
                assert_int_equal(c.cell[slot], m);
                assert_true(slot == c.start[m] || c.order[slot] > c.order[slot - 1]);
                for (size_t l = 0; l < D; l++)
                    own += pow((double)x[l] - (double)c.centre.rows.x[m * c.centre.rows.ld + l], 2);
                for (size_t o = 0; o < CELLS; o++) {
                    double other = 0;

                    for (size_t l = 0; l < D; l++)
                        other += pow(
                            (double)x[l] - (double)c.centre.rows.x[o * c.centre.rows.ld + l], 2);
                    assert_true(own <= other + 1e-5); /* float scores */
                }
            }
        }
        for (size_t j = 0; j < N; j++)
            assert_int_equal(seen[j], 1);
        if (t == 0)
            memcpy(first, c.order, sizeof first);
        else
            assert_memory_equal(first, c.order, sizeof first);
        kmv_key_cells_clear(&c);
    }
    attention_clear(&a);
}

/* Without an index: samples without replacement. Over many plans the mean is the product and the
 * mean squared error the sum over rows of N^2/m (1 - m/N) s_i^2. */
static void law_of_sampling(void **state)
{
    enum { SEEDS = 800, SAMPLES = 13, N_K = 60 };

    (void)state;
    for (int causal = 0; causal < 2; causal++) {
        double variance = 0, mse = 0, fourth = 0, off = 0, *mean;
        attention a;
        size_t n;

        attention_make(&a, (attention_shape){.n_q = 30,
                                             .n_k = N_K,
                                             .d = 3,
                                             .r = 2,
                                             .matrix = KMV_GAUSS,
                                             .causal = causal,
                                             .sigma = 1,
                                             .spread = 0.5,
                                             .seed = 4});
        n = a.q.n * a.r;
        mean = calloc(n, sizeof *mean);
        for (size_t i = 0; i < a.q.n; i++) {
            const size_t seen = causal ? i + N_K - a.q.n + 1 : N_K;
            const double big = (double)seen, m = fmin(SAMPLES, big);

            for (size_t c = 0; c < a.r; c++) {
                double sum = 0, squares = 0;

                for (size_t j = 0; j < seen; j++) {
                    double square = 0, term;

                    for (size_t l = 0; l < a.q.d; l++)
                        square +=
                            pow((double)a.q.x[i * a.q.ld + l] - (double)a.k.x[j * a.k.ld + l], 2);
                    term = exp(-square / 2) * a.x[j * a.r + c];
                    sum += term;
                    squares += term * term;
                }
                variance += big * big / m * (1 - m / big) * (squares - sum * sum / big) / (big - 1);
            }
        }
        for (uint64_t seed = 0; seed < SEEDS; seed++) {
            double error;

            attention_run(&a, "deann", "cells=4,probes=0,samples=13,rounds=1", NULL, 1, seed, NULL);
            error = attention_error(&a);
            mse += error * error / SEEDS;
            fourth += pow(error, 4) / SEEDS;
            for (size_t c = 0; c < n; c++)
                mean[c] += a.y[c] / SEEDS;
        }
        for (size_t c = 0; c < n; c++)
            off += (mean[c] - a.want[c]) * (mean[c] - a.want[c]);
        /* Rows share their draws, so a few directions carry the error: six standard deviations of
         * one, twice over. */
        assert_true(off <= 72 * variance / SEEDS);
        CHECK_CLOSE(mse, variance, 6 * sqrt((fourth - mse * mse) / SEEDS));
        assert_true(6 * sqrt((fourth - mse * mse) / SEEDS) < 0.4 * variance);
        free(mean);
        attention_clear(&a);
    }
}

/* With an index it stays unbiased, and the error is much smaller where keys lie in clusters. */
static void near_keys_are_exact(void **state)
{
    enum { SEEDS = 300, N = 96 };
    double mse = 0, without = 0, off = 0, truth = 0, mean[N] = {0};
    attention a;

    (void)state;
    attention_make(
        &a,
        (attention_shape){
            .n_q = N, .n_k = N, .d = 2, .r = 1, .matrix = KMV_GAUSS, .sigma = 1, .spread = 0.4});
    for (size_t i = 0; i < N; i++) { /* three clusters, 6 apart: entries between them are 1e-8 */
        a.q.x[i * a.q.ld] += (float)(6 * (i % 3));
        a.k.x[i * a.k.ld] += (float)(6 * (i % 3));
    }
    attention_reference(&a);
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        attention_run(&a, "deann", "cells=6,probes=1,samples=10", NULL, 1, seed, NULL);
        mse += pow(attention_error(&a), 2) / SEEDS;
        for (size_t i = 0; i < N; i++)
            mean[i] += a.y[i] / SEEDS;
        attention_run(&a, "deann", "cells=6,probes=0,samples=26", NULL, 1, seed, NULL);
        without += pow(attention_error(&a), 2) / SEEDS;
    }
    for (size_t i = 0; i < N; i++) {
        off += (mean[i] - a.want[i]) * (mean[i] - a.want[i]);
        truth += a.want[i] * a.want[i];
    }
    assert_true(off <= 72 * mse / SEEDS); /* as above */
    assert_true(off <= 0.2 * truth);      /* so that a wrong weight cannot hide */
    /* Three cells, one for each cluster, leave nothing that counts. */
    attention_run(&a, "deann", "cells=3,probes=3,samples=1", NULL, 1, 1, NULL);
    CHECK_CLOSE(attention_error(&a), 0, 1e-5 * a.size);
    assert_true(mse < without);
    attention_clear(&a);
}

static void everything(void **state)
{
    (void)state;
    for (int causal = 0; causal < 2; causal++) {
        for (int gauss = 0; gauss < 2; gauss++) {
            const kmv_matrix matrix = gauss ? KMV_GAUSS : KMV_SOFTMAX;

            attention_check_exact("deann", "probes=1000,samples=0", matrix, causal, !causal);
            attention_check_exact("deann", "probes=2,samples=1000", matrix, causal, !causal);
            attention_check_repeatable("deann", "samples=20", matrix, causal, 1);
        }
    }
}

/* Every instruction set probes the same cells, also beyond the first queries that are taken
 * together: without samples the answers agree. A tie between cells would show, and is not there. */
static void same_cells_everywhere(void **state)
{
    const kmv_tile *tile;
    attention a;

    (void)state;
    attention_make(&a, (attention_shape){.n_q = 300,
                                         .n_k = 400,
                                         .d = 5,
                                         .r = 1,
                                         .matrix = KMV_SOFTMAX,
                                         .sigma = 1,
                                         .spread = 1,
                                         .seed = 2});
    attention_run(&a, "deann", "probes=3,samples=0", "portable", 1, 1, NULL);
    memcpy(a.want, a.y, 300 * sizeof *a.y);
    for (size_t t = 0; (tile = kmv_tile_at(t)) != NULL; t++) {
        if (!tile->can_run())
            continue;
        attention_run(&a, "deann", "probes=3,samples=0", tile->name, 2, 1, NULL);
        CHECK_CLOSE(attention_error(&a), 0, 1e-4);
    }
    attention_clear(&a);
}

/* A row whose probed cells hold no key that it sees, and no samples: 0, not NaN. */
static void nothing_found(void **state)
{
    attention a;

    (void)state;
    attention_make(&a, (attention_shape){.n_q = 50,
                                         .n_k = 50,
                                         .d = 2,
                                         .r = 1,
                                         .matrix = KMV_SOFTMAX,
                                         .causal = 1,
                                         .sigma = 1,
                                         .spread = 1});
    attention_run(&a, "deann", "cells=25,probes=1,samples=0", NULL, 1, 1, NULL);
    for (size_t i = 0; i < 50; i++)
        assert_true(isfinite(a.y[i]));
    attention_clear(&a);
}

static void refused(void **state)
{
    kmv_points q = {.n = 4, .d = 1}, k = {.n = 4, .d = 1};
    const kmv_problem p = {.q = &q, .k = &k, .matrix = KMV_SOFTMAX, .sigma = 1};
    const kmv_algo *a = kmv_algo_find("deann");

    (void)state;
    assert_null(kmv_algo_rejects(a, &p, "", 1, 1));
    assert_non_null(kmv_algo_rejects(a, &p, "cells=5", 1, 1));
    assert_non_null(kmv_algo_rejects(a, &p, "probes=0,samples=0", 1, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cells),
        cmocka_unit_test(law_of_sampling),
        cmocka_unit_test(near_keys_are_exact),
        cmocka_unit_test(everything),
        cmocka_unit_test(same_cells_everywhere),
        cmocka_unit_test(nothing_found),
        cmocka_unit_test(refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

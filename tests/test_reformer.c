/* algo/lsh_rounds.h and `reformer`: which keys a query meets, and that each counts once. */
#include "check.h"

#include <stdlib.h>
#include <string.h>

#include "algo/lsh_rounds.h"
#include "attention.h"
#include "base/rng.h"
#include "gauss/tile.h"

enum { N = 150, KEY = 77, ROUNDS = 4, BUCKETS = 8, CHUNK = 16 };

static void make(attention *a, size_t n_q, int causal)
{
    attention_make(a, (attention_shape){.n_q = n_q,
                                        .n_k = N,
                                        .d = 12,
                                        .r = 3,
                                        .matrix = KMV_SOFTMAX,
                                        .causal = causal,
                                        .sigma = 2,
                                        .spread = 1,
                                        .seed = 4});
}

static void rounds_of(kmv_lsh_rounds *l, const kmv_problem *p, int threads)
{
    gsl_rng *rng = kmv_rng_create(KEY, NULL);
    kmv_cost cost = {0};
    kmv_error err = {""};

    CHECK_OK(kmv_lsh_rounds_init(l, p, kmv_tile_best(), ROUNDS, BUCKETS, CHUNK, rng, threads, &cost,
                                 &err));
    CHECK_CLOSE(cost.flops, 1.0 * (double)((p->q->n + p->k->n) * 12 * BUCKETS * ROUNDS), 0);
    gsl_rng_free(rng);
}

/* Two chunks at most, none of the future, all of one bucket; a query among its own keys meets
 * itself in every round. */
static void keys_met(void **state)
{
    (void)state;
    for (int causal = 0; causal < 2; causal++) {
        attention a;
        kmv_lsh_rounds l, again;
        size_t before = 0; /* queries that meet keys of the chunk before theirs */

        make(&a, N, causal);
        memcpy(a.k.x, a.q.x, N * a.q.ld * sizeof *a.q.x);
        rounds_of(&l, &a.problem, 1);
        rounds_of(&again, &a.problem, 2);
        assert_memory_equal(l.lo, again.lo, ROUNDS * N * sizeof *l.lo);
        assert_memory_equal(l.hi, again.hi, ROUNDS * N * sizeof *l.hi);
        for (size_t t = 0; t < ROUNDS; t++) {
            for (size_t i = 0; i < N; i++) {
                const size_t lo = l.lo[t * N + i], hi = l.hi[t * N + i];
                const size_t own = l.place[t * N + i];

                assert_int_equal(l.k_order[t * N + own], i);
                assert_true(lo <= own && own < hi);
                assert_true(lo / CHUNK + 1 >= own / CHUNK && (hi - 1) / CHUNK <= own / CHUNK);
                before += lo / CHUNK < own / CHUNK;
                for (size_t s = lo; causal && s < hi; s++)
                    assert_true(l.k_order[t * N + s] <= i);
            }
        }
        assert_true(before > 0);
        kmv_lsh_rounds_clear(&l);
        kmv_lsh_rounds_clear(&again);
        attention_clear(&a);
    }
}

/* Softmax over the union of what the rounds find, in double. */
static void softmax_over_union(attention *a, const kmv_lsh_rounds *l)
{
    const kmv_problem *p = &a->problem;

    for (size_t i = 0; i < a->q.n; i++) {
        double sum = 0, y[3] = {0};

        for (size_t j = 0; j < N; j++) {
            double logit = 0;
            int met = 0;

            for (size_t t = 0; t < ROUNDS; t++) {
                const size_t place = l->place[t * N + j], at = t * a->q.n + i;

                met |= l->lo[at] <= place && place < l->hi[at];
            }
            for (size_t c = 0; c < a->q.d; c++)
                logit += (double)a->q.x[i * a->q.ld + c] * (double)a->k.x[j * a->k.ld + c];
            logit = met ? exp(logit / (p->sigma * p->sigma)) : 0;
            sum += logit;
            for (size_t c = 0; c < 3; c++)
                y[c] += logit * a->x[j * 3 + c];
        }
        for (size_t c = 0; c < 3; c++)
            a->want[i * 3 + c] = sum > 0 ? y[c] / sum : a->x[kmv_lsh_own_key(p, i) * 3 + c];
    }
}

static void each_key_counts_once(void **state)
{
    const kmv_algo *algo = kmv_algo_find("reformer");
    const size_t queries[] = {N, 61};

    (void)state;
    for (int run = 0; run < 4; run++) {
        attention a;
        kmv_lsh_rounds l;
        struct {
            size_t rounds, chunk, buckets;
        } options = {ROUNDS, CHUNK, BUCKETS};
        const kmv_settings settings = {.eps = 0.1, .delta = 0.01, .r = 3, .threads = 1};
        char text[256];
        kmv_cost cost = {0};
        kmv_error err = {""};
        void *made = NULL;

        assert_int_equal(algo->options_size, sizeof options);
        make(&a, queries[run / 2], run % 2);
        rounds_of(&l, &a.problem, 1);
        softmax_over_union(&a, &l);
        CHECK_OK(algo->prepare(&a.problem, &options,
                               &(kmv_prepare_context){.settings = &settings,
                                                      .tile = kmv_tile_best(),
                                                      .threads = 1,
                                                      .key = KEY,
                                                      .cost = &cost,
                                                      .text = text,
                                                      .text_size = sizeof text},
                               &made, &err));
        CHECK_OK(algo->apply(
            made, &(kmv_apply_context){.x = a.x, .r = 3, .y = a.y, .cost = &cost, .key = KEY},
            &err));
        /* As attention_check_exact; a weight of 1/3 is rounded as well. */
        CHECK_CLOSE(attention_error(&a), 0, 2e-5 * a.size);
        algo->destroy(made);
        kmv_lsh_rounds_clear(&l);
        attention_clear(&a);
    }
}

static void one_bucket_one_chunk(void **state)
{
    (void)state;
    for (int causal = 0; causal < 2; causal++) {
        attention_check_exact("reformer", "buckets=1,chunk=400,rounds=1", KMV_SOFTMAX, causal,
                              1 - causal);
        attention_check_exact("reformer", "buckets=1,chunk=400,rounds=5", KMV_SOFTMAX, causal,
                              1 - causal);
        attention_check_repeatable("reformer", "rounds=3,chunk=16", KMV_SOFTMAX, causal, 1);
    }
}

static void refused(void **state)
{
    kmv_points q = {.n = 5, .d = 1}, k = {.n = 5, .d = 1};
    const kmv_problem p = {.q = &q, .k = &k, .matrix = KMV_SOFTMAX, .sigma = 1};
    const kmv_algo *a = kmv_algo_find("reformer");

    (void)state;
    assert_non_null(kmv_algo_rejects(a, &p, "buckets=7", 1, 1));
    assert_null(kmv_algo_rejects(a, &p, "buckets=8", 1, 1));
    assert_null(kmv_algo_rejects(a, &p, "buckets=1", 1, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_met),
        cmocka_unit_test(each_key_counts_once),
        cmocka_unit_test(one_bucket_one_chunk),
        cmocka_unit_test(refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

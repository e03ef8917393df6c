/* Hash tables: how likely pairs meet, and that each counts once. */
#include "check.h"

#include <stdlib.h>

#include "lsh_problem.h"

static void probability_known(void **state)
{
    const double pi = 3.14159265358979323846;
    double agree[KMV_HASH_POINTS];

    (void)state;
    kmv_hash_agreement(pi / 3, agree);
    CHECK_CLOSE(kmv_hash_probability(pi / 3, agree, (kmv_hash_shape){.bits = 4}), 16.0 / 81, 1e-15);
    CHECK_CLOSE(kmv_hash_probability(pi / 3, agree, (kmv_hash_shape){.bits = 0}), 1, 0);
    CHECK_CLOSE(kmv_hash_probability(pi / 3, agree, (kmv_hash_shape){.bits = 3, .wild = 3}), 1, 0);
    /* At right angles a key's bits are fair coins, whatever is wild. */
    kmv_hash_agreement(pi / 2, agree);
    CHECK_CLOSE(kmv_hash_probability(pi / 2, agree, (kmv_hash_shape){.bits = 7, .wild = 2}),
                1.0 / 32, 1e-12);
    kmv_hash_agreement(pi, agree);
    CHECK_CLOSE(kmv_hash_probability(pi, agree, (kmv_hash_shape){.bits = 7, .wild = 2}), 0, 1e-9);
    /* One sure bit of two, theta: h = 2 int_0^1 A(F) dF, that is E 2 F [sign agrees]; by
     * symmetry the larger of two |u|. Monte Carlo below checks the rest. */
    kmv_hash_agreement(0.2, agree);
    assert_true(kmv_hash_probability(0.2, agree, (kmv_hash_shape){.bits = 2, .wild = 1}) >
                1 - 0.2 / pi);
}

/* Tables against h, over 40 draws of 24 tables for all pairs: the mean over pairs of [meet] - h.
 * Per table the mean over pairs lies in [-1, 1]; 960 independent tables: Hoeffding, 2 exp(-960
 * t^2 / 2) < 1e-8 for t = 0.2. That is loose for the mean, so near pairs (h > 0.5) and far ones
 * are looked at apart and per query with a factor 3.9 from the deviations seen: six standard errors
 * of the 40 draws (t distribution with 39 degrees of freedom, below 1e-6). */
static void tables_meet_as_h(void **state)
{
    enum { DRAWS = 40, TABLES = 24 };
    const kmv_hash_shape shapes[] = {{.bits = 5}, {.bits = 6, .wild = 2}, {.bits = 4, .wild = 1}};
    lsh_problem *f = lsh_make(1);

    (void)state;
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        double sum[2] = {0}, square[2] = {0};

        for (size_t draw = 0; draw < DRAWS; draw++) {
            kmv_hash_input in;
            kmv_hash_tables *h = lsh_tables(f, &in, kmv_tile_best(), TABLES, shapes[s], 1, draw);
            double off[2] = {0};

            for (size_t i = 0; i < LSH_N_Q; i++) {
                /* every query's own key, and one that is as good as any */
                for (size_t which = 0; which < 2; which++) {
                    const size_t j = which == 0 ? i : (i * 7 + 13) % LSH_N_K;
                    const double theta = lsh_angle(&in, i, j);
                    double agree[KMV_HASH_POINTS];

                    kmv_hash_agreement(theta, agree);
                    for (size_t t = 0; t < TABLES; t++) {
                        const uint32_t differ =
                            h->k_code[t * LSH_N_K + j] ^ h->q_code[t * LSH_N_Q + i];

                        off[which] += (differ & h->q_mask[t * LSH_N_Q + i]) == 0;
                    }
                    off[which] -= TABLES * kmv_hash_probability(theta, agree, shapes[s]);
                }
            }
            for (size_t which = 0; which < 2; which++) {
                off[which] /= LSH_N_Q * TABLES;
                sum[which] += off[which] / DRAWS;
                square[which] += off[which] * off[which] / DRAWS;
            }
            kmv_hash_tables_destroy(h);
            kmv_hash_input_clear(&in);
        }
        for (size_t which = 0; which < 2; which++) {
            const double error = sqrt((square[which] - sum[which] * sum[which]) / (DRAWS - 1));

            CHECK_CLOSE(sum[which], 0, 6 * error + 1e-3); /* and the quadrature */
            assert_true(6 * error < 0.03);                /* a wrong h would show */
        }
    }
    lsh_clear(f);
}

/* X the identity: y_ij is how often the pair counted, times its entry. Exactly once where the codes
 * of some table say that it meets, in all instruction sets, for more columns than go at once. */
static void pairs_count_once(void **state)
{
    static const kmv_hash_shape shapes[] = {{.bits = 3}, {.bits = 4, .wild = 2}, {.bits = 0}};
    lsh_problem *f = lsh_make(1);
    double *identity = calloc(LSH_N_K * LSH_N_K, sizeof *identity),
           *y = calloc(LSH_N_Q * LSH_N_K, sizeof *y);
    const kmv_pair_weights w = {
        .light = identity, .heavy = identity, .r = LSH_N_K, .unit = 1, .clip = INFINITY};

    (void)state;
    for (size_t j = 0; j < LSH_N_K; j++)
        identity[j * LSH_N_K + j] = 1;
    for (size_t a = 0; kmv_tile_at(a) != NULL; a++) {
        for (size_t s = 0; s < 3 && kmv_tile_at(a)->can_run(); s++) {
            kmv_hash_input in;
            kmv_hash_tables *h = lsh_tables(f, &in, kmv_tile_at(a), 4, shapes[s], LSH_N_K, 5);
            size_t met = 0;
            kmv_cost cost = {0};

            memset(y, 0, LSH_N_Q * LSH_N_K * sizeof *y);
            for (size_t t = 0; t < 4; t++)
                kmv_hash_join(h, t, &w, y, &cost);
            for (size_t i = 0; i < LSH_N_Q; i++) {
                for (size_t j = 0; j < LSH_N_K; j++) {
                    const int meets = kmv_hash_tables_meet(h, i, j);

                    met += (size_t)meets;
                    /* entries: exponents to 1e-5 at |p|^2 / sigma^2 < 20 */
                    CHECK_CLOSE(y[i * LSH_N_K + j], meets ? f->g[i][j] : 0, 2e-5 * f->g[i][j]);
                }
            }
            assert_true(met > LSH_N_Q); /* the test has something to see */
            assert_true(s == 2 || met < LSH_N_Q * LSH_N_K);
            kmv_hash_tables_destroy(h);
            kmv_hash_input_clear(&in);
        }
    }
    free(identity);
    free(y);
    lsh_clear(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(probability_known),
        cmocka_unit_test(tables_meet_as_h),
        cmocka_unit_test(pairs_count_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

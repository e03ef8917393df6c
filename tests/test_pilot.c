/* What the planner plans with: rows of a pilot, what an oracle would need by them, and speeds. */
#include "check.h"

#include <math.h>
#include <string.h>

#include "algo/candidate.h"
#include "algo/speeds.h"
#include "base/mem.h"
#include "gauss/reference.h"
#include "normal_problem.h"

static const kmv_settings settings = {.eps = 1, .delta = 0.01, .r = 1, .threads = 1, .seed = 3};

static kmv_prepare_context context_of(int threads, kmv_cost *cost)
{
    static char text[1];

    return (kmv_prepare_context){.settings = &settings,
                                 .tile = kmv_tile_best(),
                                 .threads = threads,
                                 .key = 5,
                                 .cost = cost,
                                 .text = text,
                                 .text_size = sizeof text};
}

/* Rows of the pilot are rows of the matrix, column norms are theirs, and what is computed first
 * stays when more are added. */
static void pilot(void **state)
{
    enum { SIZE = 90 };
    kmv_cost cost = {0};
    const kmv_prepare_context context = context_of(1, &cost);
    double e[SIZE] = {0}, row[SIZE], c2[SIZE], want[SIZE] = {0};
    int seen[SIZE] = {0};
    kmv_error err = {""};
    kmv_pilot p;
    normal_problem f;

    (void)state;
    normal_make(&f, SIZE, 1, 1, NORMAL_SIGMA);
    CHECK_OK(kmv_pilot_init(&p, &f.problem, &context, 1000, &err));
    assert_int_equal(p.capacity, SIZE);
    CHECK_OK(kmv_pilot_extend(&p, 7, &cost, &err));
    CHECK_OK(kmv_pilot_extend(&p, 1000, &cost, &err));
    assert_int_equal(p.count, SIZE);
    CHECK_CLOSE(cost.pairs, SIZE * SIZE, 0);
    for (size_t j = 0; j < SIZE; j++) { /* column j of the matrix, as float64 sees it */
        e[j] = 1;
        CHECK_OK(kmv_reference_product(&f.problem, NULL, SIZE, e, 1, 1, row, &err));
        e[j] = 0;
        for (size_t i = 0; i < SIZE; i++) {
            /* entries to 1e-5: |p|^2 / sigma^2 < 20 */
            CHECK_CLOSE((double)p.entries[i * p.ld + j], row[p.rows[i]], 1e-5);
            want[j] += row[i] * row[i];
        }
    }
    for (size_t i = 0; i < SIZE; i++)
        seen[p.rows[i]]++;
    kmv_pilot_column_norms(&p, 0, 1, c2);
    for (size_t i = 0; i < SIZE; i++) {
        assert_int_equal(seen[i], 1); /* every row once */
        CHECK_CLOSE(c2[i], want[i], 3e-5 * (1 + want[i]));
    }
    kmv_pilot_drop_entries(&p);
    assert_null(p.entries);
    kmv_pilot_clear(&p);
    normal_clear(&f);
}

/* What plans are made of is the same, to the bit, for any number of threads. */
static void threads(void **state)
{
    enum { SIZE = 700 };
    kmv_cost cost = {0};
    double c2[SIZE], gain[3];
    kmv_error err = {""};
    kmv_pilot p[3];
    normal_problem f;

    (void)state;
    normal_make(&f, SIZE, 1, 0, NORMAL_SIGMA);
    for (int t = 0; t < 3; t++) {
        const kmv_prepare_context context = context_of(t + 1, &cost);

        CHECK_OK(kmv_pilot_init(&p[t], &f.problem, &context, 20, &err));
        CHECK_OK(kmv_pilot_extend(&p[t], 7, &cost, &err));
        CHECK_OK(kmv_pilot_extend(&p[t], 20, &cost, &err));
        kmv_pilot_column_norms(&p[t], 0, 1, c2);
        gain[t] = kmv_pilot_gain(&p[t], c2);
        assert_memory_equal(&p[t].bins, &p[0].bins, sizeof p[0].bins);
        assert_true(gain[t] == gain[0] && gain[t] > 0);
    }
    for (int t = 0; t < 3; t++)
        kmv_pilot_clear(&p[t]);
    normal_clear(&f);
}

/* Whether the keys are packed beforehand or some at a time (960, so in two parts), a row has the
 * same entries: equal points in equal places of a group give equal bits. */
static void pilot_of_unpacked_keys(void **state)
{
    enum { SIZE = 1000, ROWS = 5 };
    kmv_cost cost = {0};
    const kmv_prepare_context context = context_of(1, &cost);
    kmv_error err = {""};
    kmv_pilot p[2];
    normal_problem f;

    (void)state;
    normal_make(&f, SIZE, 1, 0, NORMAL_SIGMA);
    for (size_t packed = 0; packed < 2; packed++) {
        CHECK_OK(kmv_pilot_init(&p[packed], &f.problem, &context, ROWS, &err));
        if (packed)
            CHECK_OK(kmv_pilot_pack_keys(&p[packed], &cost, &err));
        CHECK_OK(kmv_pilot_extend(&p[packed], ROWS, &cost, &err));
    }
    assert_int_equal(p[0].keys.n, 0);
    for (size_t i = 0; i < ROWS; i++)
        assert_memory_equal(p[0].entries + i * p[0].ld, p[1].entries + i * p[1].ld,
                            SIZE * sizeof(float));
    CHECK_CLOSE(kmv_pilot_oracle_pairs(&p[0], 0.5), kmv_pilot_oracle_pairs(&p[1], 0.5), 0);
    kmv_pilot_clear(&p[0]);
    kmv_pilot_clear(&p[1]);
    normal_clear(&f);
}

/* All points in one place: entries 1, F2 = n^2, and eps = 8 needs 1 / (1/64 + 64/64^2) = 32
 * columns. Then keys a hundred sigma away but for one: one pair a row. */
static void oracle_by_hand(void **state)
{
    enum { SIZE = 64 };
    kmv_cost cost = {0};
    const kmv_prepare_context context = context_of(1, &cost);
    kmv_error err = {""};
    kmv_pilot p;
    normal_problem f;

    (void)state;
    normal_make(&f, SIZE, 1, 0, 1);
    memset(f.q.x, 0, SIZE * f.q.ld * sizeof *f.q.x);
    memset(f.k.x, 0, SIZE * f.k.ld * sizeof *f.k.x);
    CHECK_OK(kmv_pilot_init(&p, &f.problem, &context, 10, &err));
    CHECK_OK(kmv_pilot_extend(&p, 10, &cost, &err));
    CHECK_CLOSE(kmv_pilot_oracle_pairs(&p, 8), 32, 1e-3);
    CHECK_CLOSE(p.bins.largest, 1, 1e-6); /* as good as float entries are */
    kmv_pilot_clear(&p);
    for (size_t j = 0; j < SIZE; j++)
        f.k.x[j * f.k.ld] = j == 9 ? 0 : 100;
    CHECK_OK(kmv_pilot_init(&p, &f.problem, &context, 10, &err));
    CHECK_OK(kmv_pilot_extend(&p, 10, &cost, &err));
    CHECK_CLOSE(kmv_pilot_oracle_pairs(&p, 0.1), 1, 1e-9);
    kmv_pilot_clear(&p);
    normal_clear(&f);
}

/* Known values of chi^2, and matrices whose directions are known: all columns equal, none alike. */
static void directions(void **state)
{
    enum { SIZE = 64 };
    kmv_cost cost = {0};
    const kmv_prepare_context context = context_of(1, &cost);
    kmv_error err = {""};
    kmv_pilot p;
    normal_problem f;

    (void)state;
    CHECK_CLOSE(kmv_error_safety(1, 0.01), 2.5758293035489, 1e-9); /* the normal's 0.995 */
    CHECK_CLOSE(kmv_error_safety(2, 0.05), sqrt(-log(0.05)), 1e-9);
    /* sqrt(1 + 2.3263 sqrt(2 / nu)) for large nu; and no step where the formula changes */
    CHECK_CLOSE(kmv_error_safety(1e6, 0.01), 1.001644, 2e-6);
    CHECK_CLOSE(kmv_error_safety(1000, 0.01), kmv_error_safety(1001, 0.01), 1e-4);
    for (size_t alike = 0; alike < 2; alike++) {
        normal_make(&f, SIZE, 1, 0, 1);
        for (size_t i = 0; i < SIZE; i++) {
            for (size_t l = 0; l < NORMAL_D; l++)
                f.q.x[i * f.q.ld + l] = f.k.x[i * f.k.ld + l] = alike || l > 0 ? 0 : 100 * (float)i;
        }
        CHECK_OK(kmv_pilot_init(&p, &f.problem, &context, 10, &err));
        CHECK_OK(kmv_pilot_extend(&p, 10, &cost, &err));
        CHECK_CLOSE(kmv_pilot_directions(&p, 8), alike ? 1 : SIZE, 1e-3);
        kmv_pilot_clear(&p);
        normal_clear(&f);
    }
}

static void speeds(void **state)
{
    const kmv_speeds narrow = kmv_speeds_nominal(kmv_tile_best(), 16, 1);
    const kmv_speeds wide = kmv_speeds_nominal(kmv_tile_best(), 64, 8);
    kmv_cost cost = {0};
    const kmv_prepare_context context = context_of(1, &cost);
    kmv_error err = {""};
    kmv_speeds measured = {0};
    kmv_pilot p;
    normal_problem f;

    (void)state;
    assert_true(narrow.pair_s > 0 && wide.pair_s > narrow.pair_s);
    normal_make(&f, 200, 1, 1, NORMAL_SIGMA);
    CHECK_OK(kmv_pilot_init(&p, &f.problem, &context, 10, &err));
    CHECK_OK(kmv_speeds_measure(&p, 1, &measured, &err));
    assert_true(measured.pair_s >= 0 && isfinite(measured.pair_s));
    assert_true(measured.flop_s >= 0 && isfinite(measured.flop_s));
    assert_true(measured.byte_s >= 0 && isfinite(measured.byte_s));
    kmv_pilot_clear(&p);
    normal_clear(&f);
}

/* The exact product with queries packed whole, before, and in turns, where room is reserved: the
 * same numbers, masks included, and no allocation. Entries to 1e-5 as above, |x_j| < 1. */
static void products(void **state)
{
    enum { SIZE = 2000, COLUMNS = 1 };

    (void)state;
    for (int variant = 0; variant < 4; variant++) {
        const int causal = variant % 2, in_turns = variant / 2;
        kmv_cost cost = {0};
        const kmv_prepare_context context = context_of(2, &cost);
        kmv_error err = {""};
        size_t before;
        kmv_pilot p;
        normal_problem f;

        normal_make(&f, SIZE, COLUMNS, causal, NORMAL_SIGMA);
        for (size_t j = 0; j < SIZE * COLUMNS; j++)
            f.x[j] = (double)(j % 7) / 4 - 0.7;
        CHECK_OK(kmv_reference_product(&f.problem, NULL, SIZE, f.x, COLUMNS, 1, f.exact, &err));
        CHECK_OK(kmv_pilot_init(&p, &f.problem, &context, 10, &err));
        if (in_turns)
            CHECK_OK(kmv_pilot_reserve(&p, &err));
        else
            CHECK_OK(kmv_pilot_pack_queries(&p, &cost, &err));
        assert_true(in_turns == (p.queries.capacity < SIZE));
        CHECK_OK(kmv_pilot_pack_keys(&p, &cost, &err));
        before = kmv_mem_current();
        for (int again = 0; again < 2; again++) {
            memset(f.y, 0xff, SIZE * COLUMNS * sizeof *f.y);
            cost = (kmv_cost){0};
            CHECK_OK(kmv_pilot_product(&p, f.x, COLUMNS, f.y, &cost, &err));
            CHECK_CLOSE(cost.pairs, kmv_problem_pairs(&f.problem), 0);
            for (size_t m = 0; m < SIZE * COLUMNS; m++)
                CHECK_CLOSE(f.y[m], f.exact[m], 1e-5 * 2 * (1 + f.exact[m] * f.exact[m]));
        }
        assert_int_equal(kmv_mem_current(), before);
        kmv_pilot_clear(&p);
        normal_clear(&f);
    }
}

/* Whoever allows more failures may plan for a larger error, and nothing moves at delta = 0.01. By
 * hand: chi^2 of 45 degrees of freedom exceeds 69.957 with probability 0.01, 49.452 with 0.3
 * (tables of the distribution). */
static void planned_for_delta(void **state)
{
    kmv_settings s = KMV_SETTINGS_DEFAULT;

    (void)state;
    s.eps = 0.2;
    s.delta = 0.01;
    assert_true(kmv_planned_eps(&s) == 0.2);
    s.delta = 0.3;
    CHECK_CLOSE(kmv_planned_eps(&s), 0.2 * sqrt(69.957 / 49.452), 1e-5);
    s.delta = 1e-9;
    assert_true(kmv_planned_eps(&s) < 0.16 && kmv_planned_eps(&s) > 0.1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(planned_for_delta),
        cmocka_unit_test(pilot),
        cmocka_unit_test(pilot_of_unpacked_keys),
        cmocka_unit_test(oracle_by_hand),
        cmocka_unit_test(directions),
        cmocka_unit_test(speeds),
        cmocka_unit_test(threads),
        cmocka_unit_test(products),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

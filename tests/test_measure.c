/* Measurements against all entries computed in double and sorted. */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/measure.h"
#include "data/synth.h"
#include "gauss/tile.h"
#include "measure_direct.h"
#include "points.h"

static kmv_error err;

static void check_row(const kmv_dataset *data, size_t n, const kmv_measure_spec *s)
{
    measure_direct want = measure_directly(data, n, s);
    const double tol = want.tol, n_q = (double)want.n_q;
    kmv_measure_row row;

    CHECK_OK(kmv_measure(data, n, s, &row, &err));
    CHECK_CLOSE(row.n_q, n_q, 0);
    CHECK_CLOSE(row.sum_over_n, want.sum / n_q, tol * want.sum / n_q);
    CHECK_CLOSE(row.fro2_over_n, want.fro2 / n_q, 2 * tol * want.fro2 / n_q);
    CHECK_CLOSE(row.max, want.entries[0], tol * want.entries[0]);
    CHECK_CLOSE(row.col_sum_max, want.column_max, tol * want.column_max);
    CHECK_CLOSE(row.tail_over_head, want.tail / want.head, 2 * tol * want.tail / want.head);
    CHECK_CLOSE(row.tail_over_head_lo, row.tail_over_head, 0);
    if (want.count > want.n_q) {
        const double ratio = want.entries[want.n_q - 1] / want.entries[want.n_q];

        CHECK_CLOSE(row.nth_ratio, ratio, 2 * tol * ratio);
    } else {
        assert_true(isnan(row.nth_ratio));
    }
    assert_string_equal(row.rows, "all");
    assert_true(row.t_s >= 0);
    free(want.entries);
}

static void generate(const char *name, const char *options, uint64_t seed, kmv_dataset *d)
{
    CHECK_OK(kmv_generate(name, options, seed, d, &err));
}

static const kmv_measure_spec plain = {
    .matrix = KMV_MEASURE_GAUSS, .sigma = 1.5, .threads = 2, .seed = 1};

/* ---- exact measurements ---------------------------------------------------------------------- */

static void agrees_with_all_entries_sorted(void **state)
{
    static const struct {
        const char *generator, *options;
        size_t n, drop_first;
    } cases[] = {
        {"iid", "n=61,d=5", 0, 0},          {"iid", "n=61,d=5", 40, 3},
        {"clusters", "n=130,d=9", 0, 0},    {"planted", "n=64,d=16", 0, 1},
        {"sink", "n=50,n_k=97,d=3", 0, 0},  {"dense", "n=33,n_k=34,d=2", 0, 0},
        {"sphere", "n=1,n_k=40,d=4", 0, 0},
    };
    kmv_dataset d = {0};

    (void)state;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        generate(cases[c].generator, cases[c].options, 4, &d);
        for (int variant = 0; variant < 3 * 2 * 3; variant++) {
            kmv_measure_spec s = plain;

            s.matrix = (kmv_measure_matrix)(variant % 3);
            s.causal = variant / 3 % 2;
            s.center = (kmv_center)(variant / 6);
            s.drop_first = cases[c].drop_first;
            check_row(&d, cases[c].n, &s);
        }
        kmv_dataset_clear(&d);
    }
}

static void agrees_on_every_instruction_set(void **state)
{
    const kmv_tile *tile;
    kmv_dataset d = {0};

    (void)state;
    generate("iid", "n=70,n_k=77,d=17", 4, &d);
    for (size_t i = 0; (tile = kmv_tile_at(i)) != NULL; i++) {
        kmv_measure_spec s = plain;

        if (!tile->can_run())
            continue;
        s.isa = tile->name;
        check_row(&d, 0, &s);
        s.causal = 1;
        s.matrix = KMV_MEASURE_SOFTMAX;
        check_row(&d, 0, &s);
    }
    kmv_dataset_clear(&d);
}

static void measure(const kmv_dataset *d, size_t n, const kmv_measure_spec *s, kmv_measure_row *row)
{
    CHECK_OK(kmv_measure(d, n, s, row, &err));
}

/* All points coincide, all entries are 1: the threshold is a tie of all of them. */
static void ties(void **state)
{
    kmv_measure_spec s = plain;
    kmv_measure_row row;
    kmv_dataset d = {0};

    (void)state;
    generate("clusters", "n=20,d=3,count=1,spread=0", 1, &d);
    s.with_op_norm = 1;
    measure(&d, 0, &s, &row);
    CHECK_CLOSE(row.sum_over_n, 20, 0);
    CHECK_CLOSE(row.tail_over_head, 19, 0);
    CHECK_CLOSE(row.nth_ratio, 1, 0);
    CHECK_CLOSE(row.max, 1, 0);
    CHECK_CLOSE(row.fro2_over_n, 20, 0);
    CHECK_CLOSE(row.row_sum_p50, 20, 0);
    CHECK_CLOSE(row.row_sum_p99, 20, 0);
    CHECK_CLOSE(row.col_sum_max, 20, 0);
    CHECK_CLOSE(row.op_norm, 20, 20 * 1e-14); /* 20 roundings of doubles */
    s.causal = 1;
    measure(&d, 0, &s, &row);
    CHECK_CLOSE(row.sum_over_n, 10.5, 0);
    CHECK_CLOSE(row.tail_over_head, 9.5, 0);
    s.matrix = KMV_MEASURE_SOFTMAX; /* row i holds i + 1 times 1/(i + 1) */
    measure(&d, 0, &s, &row);
    CHECK_CLOSE(row.sum_over_n, 1, 1e-6); /* the logarithm of a row sum, rounded to float */
    CHECK_CLOSE(row.max, 1, 0);
    kmv_dataset_clear(&d);
}

static void smallest_problem(void **state)
{
    kmv_measure_spec s = plain;
    kmv_measure_row row;
    kmv_dataset d = {0};

    (void)state;
    generate("iid", "n=1,d=1", 1, &d);
    s.with_op_norm = 1;
    for (int matrix = 0; matrix < 3; matrix++) {
        s.matrix = (kmv_measure_matrix)matrix;
        s.causal = matrix == 1;
        measure(&d, 0, &s, &row);
        CHECK_CLOSE(row.tail_over_head, 0, 0);
        assert_true(isnan(row.nth_ratio));
        CHECK_CLOSE(row.op_norm, row.max, row.max * 1e-14);
        CHECK_CLOSE(row.sum_over_n, row.max, 0);
    }
    kmv_dataset_clear(&d);
}

/* At a small bandwidth entries lie near 2^-700, far below what floats hold; ratios stay right. */
static void tiny_entries(void **state)
{
    const float q[] = {0, 0, 0}, k[] = {10, 10, 11};
    const double sigma = 10 / sqrt(2 * 700 * M_LN2); /* exp(-100 / (2 sigma^2)) = 2^-700 */
    kmv_measure_spec s = plain;
    kmv_measure_row row;
    kmv_dataset d = {.sigma = NAN, .scale = NAN, .causal = -1};

    (void)state;
    CHECK_OK(kmv_points_from_f32(&d.q, q, 3, 1, 1, &err));
    CHECK_OK(kmv_points_from_f32(&d.k, k, 3, 1, 1, &err));
    s.sigma = sigma;
    measure(&d, 0, &s, &row);
    /* Keys 0 and 1 make six equal entries of 2^-700, of which three are the head; key 2's are below
     * by a factor of 2^-147. Floats of 700 are right to 6e-5, the expanded form's terms to 3e-4. */
    CHECK_CLOSE(row.tail_over_head, 1, 1e-3);
    CHECK_CLOSE(row.nth_ratio, 1, 1e-3);
    CHECK_CLOSE(log2(row.max), -700, 1e-3);
    kmv_dataset_clear(&d);
}

/* All points 1000 further in every coordinate, 600 bandwidths away: the Gaussian matrix is the same
 * up to the rounding of coordinates about their mean, which the tolerance of an entry covers. */
static void far_from_the_origin(void **state)
{
    kmv_dataset d = {0}, far = {.sigma = NAN, .scale = NAN, .causal = -1};
    kmv_measure_row near_row, far_row;
    kmv_measure_spec s = plain;
    double x[2][50 * 4], tol;
    measure_direct want;

    (void)state;
    generate("iid", "n=50,d=4", 8, &d);
    for (size_t i = 0; i < 50; i++) {
        for (size_t l = 0; l < 4; l++) {
            x[0][i * 4 + l] = 1000 + coordinate(&d.q, i, l);
            x[1][i * 4 + l] = 1000 + coordinate(&d.k, i, l);
        }
    }
    CHECK_OK(kmv_points_from_f64(&far.q, x[0], 50, 4, 4, &err));
    CHECK_OK(kmv_points_from_f64(&far.k, x[1], 50, 4, 4, &err));
    want = measure_directly(&d, 0, &s);
    tol = 2 * want.tol;
    measure(&d, 0, &s, &near_row);
    measure(&far, 0, &s, &far_row);
    CHECK_CLOSE(far_row.sum_over_n, near_row.sum_over_n, tol * near_row.sum_over_n);
    CHECK_CLOSE(far_row.tail_over_head, near_row.tail_over_head, 2 * tol * near_row.tail_over_head);
    CHECK_CLOSE(far_row.max, near_row.max, tol * near_row.max);
    free(want.entries);
    kmv_dataset_clear(&d);
    kmv_dataset_clear(&far);
}

/* At a bandwidth of nothing all entries but the coinciding pairs vanish: head = those, no next one.
 */
static void vanishing_entries(void **state)
{
    const float q[] = {0, 1}, k[] = {0, 1};
    kmv_measure_spec s = plain;
    kmv_measure_row row;
    kmv_dataset d = {.sigma = NAN, .scale = NAN, .causal = -1};

    (void)state;
    CHECK_OK(kmv_points_from_f32(&d.q, q, 2, 1, 1, &err));
    CHECK_OK(kmv_points_from_f32(&d.k, k, 2, 1, 1, &err));
    s.sigma = 1e-3;
    measure(&d, 0, &s, &row);
    CHECK_CLOSE(row.sum_over_n, 1, 0);
    CHECK_CLOSE(row.tail_over_head, 0, 0);
    assert_true(isnan(row.nth_ratio));
    kmv_dataset_clear(&d);
    CHECK_OK(kmv_points_from_f32(&d.q, q, 1, 1, 1, &err));
    CHECK_OK(kmv_points_from_f32(&d.k, k + 1, 1, 1, 1, &err));
    measure(&d, 0, &s, &row); /* the zero matrix: 0/0 is empty */
    CHECK_CLOSE(row.sum_over_n, 0, 0);
    assert_true(isnan(row.tail_over_head));
    kmv_dataset_clear(&d);
}

static void text_of(const kmv_measure_row *row, char *text, size_t size)
{
    char *at = text;

    for (const kmv_column *c = kmv_measure_schema.columns; c->name != NULL; c++) {
        char cell[256];

        if (strcmp(c->name, "t_s") != 0)
            at += snprintf(at, size - (size_t)(at - text), "%s=%s ", c->name,
                           kmv_cell_text(c, row, cell, sizeof cell));
    }
}

static void threads_do_not_matter(void **state)
{
    kmv_dataset d = {0};

    (void)state;
    generate("clusters", "n=130,n_k=140,d=6", 1, &d);
    for (int matrix = 0; matrix < 3; matrix++) {
        for (size_t rows = 0; rows <= 40; rows += 40) {
            kmv_measure_spec s = plain;
            kmv_measure_row one, three;
            char a[4096], b[4096];

            s.matrix = (kmv_measure_matrix)matrix;
            s.rows = rows;
            s.with_op_norm = 1;
            s.threads = 1;
            measure(&d, 0, &s, &one);
            s.threads = 3;
            measure(&d, 0, &s, &three);
            text_of(&one, a, sizeof a);
            text_of(&three, b, sizeof b);
            assert_string_equal(a, b);
        }
    }
    kmv_dataset_clear(&d);
}

/* ---- sampled rows ---------------------------------------------------------------------------- */

/* The nominal 95 % interval of sum/n holds the truth in at least 32 of 40 samples: were the
 * coverage 90 %, fewer would have probability 0.015, at 95 % 2e-5. The one of tail/head leaves out
 * the threshold's own spread and the bias of a ratio; 28 of 40 are asked (70 %). */
static void intervals_cover(void **state)
{
    kmv_measure_spec s = plain;
    kmv_measure_row truth, row;
    kmv_dataset d = {0};
    int sum_inside = 0, ratio_inside = 0;

    (void)state;
    generate("iid", "n=600,d=8", 2, &d);
    measure(&d, 0, &s, &truth);
    s.rows = 150;
    for (s.seed = 1; s.seed <= 40; s.seed++) {
        measure(&d, 0, &s, &row);
        assert_string_equal(row.rows, "150");
        assert_true(isnan(row.op_norm) && isnan(row.col_sum_max));
        assert_true(row.sum_over_n_lo < row.sum_over_n && row.sum_over_n < row.sum_over_n_hi);
        sum_inside +=
            truth.sum_over_n >= row.sum_over_n_lo && truth.sum_over_n <= row.sum_over_n_hi;
        ratio_inside += truth.tail_over_head >= row.tail_over_head_lo &&
                        truth.tail_over_head <= row.tail_over_head_hi;
    }
    assert_true(sum_inside >= 32);
    assert_true(ratio_inside >= 28);
    kmv_dataset_clear(&d);
}

static void all_rows_sampled_is_exact(void **state)
{
    kmv_measure_spec s = plain;
    kmv_measure_row all, sampled;
    kmv_dataset d = {0};

    (void)state;
    generate("iid", "n=50,d=4", 2, &d);
    measure(&d, 0, &s, &all);
    s.rows = 50;
    measure(&d, 0, &s, &sampled);
    assert_string_equal(sampled.rows, "all");
    CHECK_CLOSE(sampled.tail_over_head, all.tail_over_head, 0);
    kmv_dataset_clear(&d);
}

/* ---- requests that cannot be met ------------------------------------------------------------- */

static void bad_requests(void **state)
{
    static const double bad_sigma[] = {0, -1, NAN, INFINITY};
    kmv_measure_spec s = plain;
    kmv_measure_row row = {.n_q = 77};
    kmv_measure_matrix matrix;
    kmv_dataset d = {0};

    (void)state;
    generate("iid", "n=10,d=2", 3, &d);
    for (size_t i = 0; i < 4; i++) {
        s.sigma = bad_sigma[i];
        CHECK_FAILS(kmv_measure(&d, 0, &s, &row, &err), KMV_EINVAL, "sigma: want");
    }
    s = plain;
    CHECK_FAILS(kmv_measure(&d, 11, &s, &row, &err), KMV_EINVAL, "11");
    s.rows = 11;
    CHECK_FAILS(kmv_measure(&d, 0, &s, &row, &err), KMV_EINVAL, "rows: want");
    s = plain;
    s.isa = "none";
    CHECK_FAILS(kmv_measure(&d, 0, &s, &row, &err), KMV_EINVAL, "none");
    s = plain;
    s.sigma = 1e-25; /* logits beyond float */
    s.matrix = KMV_MEASURE_SOFTMAX;
    CHECK_FAILS(kmv_measure(&d, 0, &s, &row, &err), KMV_EINVAL, "too small");
    s.matrix = KMV_MEASURE_GAUSS;
    CHECK_FAILS(kmv_measure(&d, 0, &s, &row, &err), KMV_EINVAL, "too small");
    CHECK_FAILS(kmv_measure_matrix_parse("gaus", &matrix, &err), KMV_EINVAL, "rowmax");
    CHECK_CLOSE(row.n_q, 77, 0);
    kmv_dataset_clear(&d);
    generate("iid", "n=10,n_k=5,d=2", 3, &d);
    s = plain;
    s.causal = 1;
    CHECK_FAILS(kmv_measure(&d, 0, &s, &row, &err), KMV_EINVAL, "causal");
    kmv_dataset_clear(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_all_entries_sorted),
        cmocka_unit_test(agrees_on_every_instruction_set),
        cmocka_unit_test(ties),
        cmocka_unit_test(smallest_problem),
        cmocka_unit_test(tiny_entries),
        cmocka_unit_test(far_from_the_origin),
        cmocka_unit_test(vanishing_entries),
        cmocka_unit_test(threads_do_not_matter),
        cmocka_unit_test(intervals_cover),
        cmocka_unit_test(all_rows_sampled_is_exact),
        cmocka_unit_test(bad_requests),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

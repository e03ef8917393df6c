/* gauss/rows.h, algo/row_lists.h and algo/select.h: one query against a list of keys. */
#include "check.h"

#include <gsl/gsl_randist.h>
#include <stdlib.h>
#include <string.h>

#include "algo/row_lists.h"
#include "algo/select.h"
#include "attention.h"
#include "base/mem.h"
#include "base/rng.h"
#include "gauss/rows.h"

enum { ROWS = 40, LD_MAX = 144 };

/* Sums of ld products of numbers below 4 in float: ld 16 2^-24. */
static double tol(size_t ld)
{
    return (double)ld * 16 * 0x1p-24;
}

static const kmv_row_kernel *kernel_at(size_t i)
{
    const kmv_tile *tile = kmv_tile_at(i);

    return tile == NULL      ? NULL
           : tile->can_run() ? kmv_row_kernel_for(tile)
                             : &kmv_row_kernel_portable;
}

static void kernels(void **state)
{
    float *rows = kmv_alloc(ROWS, LD_MAX * sizeof *rows, "rows", NULL);
    float *u = kmv_alloc(LD_MAX, sizeof *u, "row", NULL),
          *y = kmv_alloc(LD_MAX, sizeof *y, "y", NULL);
    gsl_rng *rng = kmv_rng_create(4, NULL);
    const kmv_row_kernel *kernel;

    (void)state;
    for (size_t t = 0; (kernel = kernel_at(t)) != NULL; t++) {
        for (size_t ld = 16; ld <= LD_MAX; ld += 16) {
            for (size_t count = 0; count < 15; count++) {
                uint32_t list[16];
                float dots[16], squares[16], p[16];

                for (size_t m = 0; m < ROWS * ld; m++)
                    rows[m] = (float)gsl_ran_gaussian(rng, 0.7);
                for (size_t l = 0; l < ld; l++) {
                    u[l] = (float)gsl_ran_gaussian(rng, 0.7);
                    y[l] = 1;
                }
                for (size_t m = 0; m < 16; m++) {
                    list[m] = (uint32_t)gsl_rng_uniform_int(rng, ROWS);
                    p[m] = (float)gsl_ran_gaussian(rng, 1);
                    dots[m] = squares[m] = -99;
                }
                kernel->dots(u, rows, ld, list, count, dots);
                kernel->distances2(u, rows, ld, list, count, squares);
                kernel->combine(p, rows, ld, list, count, y);
                for (size_t m = 0; m < count; m++) {
                    double dot = 0, square = 0;

                    for (size_t l = 0; l < ld; l++) {
                        const double a = (double)u[l], b = (double)rows[list[m] * ld + l];

                        dot += a * b;
                        square += (a - b) * (a - b);
                    }
                    CHECK_CLOSE((double)dots[m], dot, tol(ld));
                    CHECK_CLOSE((double)squares[m], square, 4 * tol(ld));
                }
                CHECK_CLOSE((double)dots[count], -99, 0); /* nothing beyond the list */
                CHECK_CLOSE((double)squares[count], -99, 0);
                for (size_t l = 0; l < ld; l++) {
                    double want = 1;

                    for (size_t m = 0; m < count; m++)
                        want += (double)p[m] * (double)rows[list[m] * ld + l];
                    CHECK_CLOSE((double)y[l], want, tol(16));
                }
            }
        }
    }
    gsl_rng_free(rng);
    kmv_free(rows);
    kmv_free(u);
    kmv_free(y);
}

/* The bits of a pair do not depend on where it stands in the list. */
static void place_does_not_matter(void **state)
{
    enum { LD = 48 };
    float *rows = kmv_alloc(ROWS, LD * sizeof *rows, "rows", NULL);
    const kmv_row_kernel *kernel;
    uint32_t all[ROWS];

    (void)state;
    for (size_t m = 0; m < ROWS * LD; m++)
        rows[m] = (float)sin((double)m);
    for (uint32_t j = 0; j < ROWS; j++)
        all[j] = j;
    for (size_t t = 0; (kernel = kernel_at(t)) != NULL; t++) {
        float together[ROWS], alone;

        kernel->dots(rows, rows, LD, all, ROWS, together);
        for (uint32_t j = 0; j < ROWS; j++) {
            kernel->dots(rows, rows, LD, &j, 1, &alone);
            assert_memory_equal(&alone, &together[j], sizeof alone);
        }
    }
    kmv_free(rows);
}

/* All keys as one list, in pieces of any size, give the reference: both matrices, points far from
 * zero, an order of key slots. */
static void whole_rows(void **state)
{
    enum { N_Q = 9, N_K = 2500, D = 12, R = 2 };

    (void)state;
    for (int gauss = 0; gauss < 2; gauss++) {
        for (int shifted = 0; shifted < 2; shifted++) {
            size_t order[N_K];
            kmv_row_lists l;
            kmv_softmax_sums sums;
            kmv_error err = {""};
            attention a;

            attention_make(&a, (attention_shape){.n_q = N_Q,
                                                 .n_k = N_K,
                                                 .d = D,
                                                 .r = R,
                                                 .matrix = gauss ? KMV_GAUSS : KMV_SOFTMAX,
                                                 .sigma = 1.5,
                                                 .spread = 1,
                                                 .shift = shifted ? 100 : 0,
                                                 .seed = 3});
            CHECK_OK(kmv_row_lists_init(&l, &a.problem, kmv_tile_best(), 1, N_K, R, 1, &err));
            for (size_t j = 0; j < N_K; j++)
                order[j] = (j * 7 + 3) % N_K;
            CHECK_OK(kmv_row_lists_order(&l, order, &err));
            CHECK_OK(kmv_softmax_sums_init(&sums, kmv_tile_best(), 1, R, &err));
            if (shifted) /* copied, or read where it lies */
                kmv_row_lists_load(&l, a.x, R);
            else
                kmv_row_lists_take(&l, a.x, R);
            assert_true(shifted == (l.x == NULL));
            memset(a.y, 0, N_Q * R * sizeof *a.y);
            for (size_t i = 0; i < N_Q; i++) {
                uint32_t *list = kmv_row_list(&l, 0);
                float *e = kmv_row_exponent(&l, 0);

                for (uint32_t j = 0; j < N_K; j++)
                    list[j] = j;
                kmv_row_exponents(&l, i, list, N_K, e);
                kmv_softmax_sums_reset(&sums, 0, 1);
                if (gauss) {
                    l.tile->exp2(e, N_K);
                    kmv_row_add_weighted(&l, 0, list, e, N_K, a.y + i * R);
                } else {
                    kmv_row_add(&l, 0, list, e, 1300, &sums, 0);
                    kmv_row_add(&l, 0, list + 1300, e + 1300, N_K - 1300, &sums, 0);
                    kmv_softmax_sums_row(&sums, 0, R, l.values.unit, a.y + i * R);
                }
            }
            /* Logits of shifted points reach 12 100 / 2.25 times the spread of the keys: 2^-24 of
             * 2000 is 1e-4. */
            CHECK_CLOSE(attention_error(&a), 0, (shifted ? 1e-3 : 1e-5) * a.size);
            kmv_softmax_sums_clear(&sums);
            kmv_row_lists_clear(&l);
            attention_clear(&a);
        }
    }
}

/* An empty list, and one whose keys are all left out, add nothing. */
static void nothing_to_add(void **state)
{
    kmv_row_lists l;
    kmv_softmax_sums sums;
    kmv_error err = {""};
    attention a;
    uint32_t list[2] = {0, 1};
    float e[2] = {-INFINITY, -INFINITY};
    double y = 7;

    (void)state;
    attention_make(
        &a,
        (attention_shape){
            .n_q = 1, .n_k = 2, .d = 1, .r = 1, .matrix = KMV_SOFTMAX, .sigma = 1, .spread = 1});
    CHECK_OK(kmv_row_lists_init(&l, &a.problem, kmv_tile_best(), 0, 2, 1, 1, &err));
    CHECK_OK(kmv_softmax_sums_init(&sums, kmv_tile_best(), 1, 1, &err));
    kmv_row_lists_load(&l, a.x, 1);
    kmv_softmax_sums_reset(&sums, 0, 1);
    kmv_row_add(&l, 0, list, e, 0, &sums, 0);
    kmv_row_add(&l, 0, list, e, 2, &sums, 0);
    kmv_softmax_sums_row(&sums, 0, 1, l.values.unit, &y);
    CHECK_CLOSE(y, 0, 0);
    kmv_softmax_sums_clear(&sums);
    kmv_row_lists_clear(&l);
    attention_clear(&a);
}

static int falling(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;

    return (x < y) - (x > y);
}

/* Against sorting: many sizes, ties, negative numbers, infinities. */
static void select_against_sorting(void **state)
{
    enum { N = 5000 };
    static float v[N], sorted[N];
    static uint32_t list[N];
    gsl_rng *rng = kmv_rng_create(8, NULL);

    (void)state;
    for (size_t round = 0; round < 60; round++) {
        const size_t n = round % 3 == 0 ? N : 1 + gsl_rng_uniform_int(rng, 300);
        const size_t k = gsl_rng_uniform_int(rng, n + 3);
        size_t count, above = 0, equal = 0, last = 0;
        float least;

        for (size_t j = 0; j < n; j++) {
            v[j] = (float)gsl_ran_gaussian(rng, 1);
            if (round % 2 == 0)
                v[j] = floorf(3 * v[j]); /* ties */
            if (round % 5 == 0 && j % 7 == 0)
                v[j] = -INFINITY;
            sorted[j] = v[j];
        }
        qsort(sorted, n, sizeof *sorted, falling);
        count = kmv_select_largest(v, n, k, list);
        assert_int_equal(count, k < n ? k : n);
        if (count == 0)
            continue;
        least = sorted[count - 1];
        for (size_t j = 0; j < n; j++)
            above += v[j] > least;
        for (size_t t = 0; t < count; t++) {
            assert_true(t == 0 || list[t] > list[t - 1]);
            assert_true(v[list[t]] >= least);
            if (v[list[t]] == least) {
                equal++;
                last = list[t];
            }
        }
        assert_int_equal(above + equal, count);
        for (size_t j = 0; j < last; j++) /* of equal ones the first */
            equal -= v[j] == least ? 1 : 0;
        assert_int_equal(equal, 1);
    }
    gsl_rng_free(rng);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kernels),
        cmocka_unit_test(place_does_not_matter),
        cmocka_unit_test(whole_rows),
        cmocka_unit_test(nothing_to_add),
        cmocka_unit_test(select_against_sorting),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

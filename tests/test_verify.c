/* Errors of a result against float64 rows: known values, samples, means, verdicts. */
#include <gsl/gsl_randist.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "bench/verify.h"
#include "check.h"

static kmv_record empty(void)
{
    kmv_record r;

    kmv_row_clear(&kmv_record_schema, &r);
    return r;
}

static void full(void **state)
{
    /* Rows of error 3, 4 and 0 on exact rows 5, 8, 0; |x| = 10. */
    const double exact[] = {5, 8, 0}, y[] = {8, 4, 0};
    const kmv_judge judge = {.count = 3, .n_q = 3, .r = 1, .y = exact};
    kmv_record r = empty();
    kmv_error err = {""};

    (void)state;
    CHECK_OK(kmv_verify(&judge, y, 10, 1, &r, &err));
    CHECK_CLOSE(r.err_l2, 0.5, 1e-15);
    CHECK_CLOSE(r.err_lo, 0.5, 1e-15);
    CHECK_CLOSE(r.err_hi, 0.5, 1e-15);
    assert_string_equal(r.err_kind, "full");
    CHECK_CLOSE(r.null_err, sqrt(89) / 10, 1e-15);
    CHECK_CLOSE(r.err_rel, 5 / sqrt(89), 1e-15);
    CHECK_CLOSE(r.row_err_p50, 0.5, 1e-15); /* of 0, 0.5, 0.6: the row with Kx = y = 0 has 0 */
    CHECK_CLOSE(r.row_err_max, 0.6, 1e-15);
    CHECK_CLOSE(r.y_sum, 12, 0);
}

static void zeros(void **state)
{
    const double exact[] = {0, 0}, right[] = {0, 0}, wrong[] = {0, 1};
    const kmv_judge judge = {.count = 2, .n_q = 2, .r = 1, .y = exact};
    kmv_record r = empty();
    kmv_error err = {""};

    (void)state;
    CHECK_OK(kmv_verify(&judge, right, 0, 1, &r, &err));
    CHECK_CLOSE(r.err_l2, 0, 0);
    CHECK_CLOSE(r.null_err, 0, 0);
    assert_true(isnan(r.err_rel)); /* an empty cell */
    r = empty();
    CHECK_OK(kmv_verify(&judge, wrong, 0, 1, &r, &err));
    assert_true(isinf(r.err_l2));
    assert_true(isinf(r.row_err_max));
}

static void nan_is_an_error(void **state)
{
    const double exact[] = {1, 1}, y[] = {1, NAN};
    const kmv_judge judge = {.count = 2, .n_q = 2, .r = 1, .y = exact};
    kmv_record r = empty();
    kmv_error err = {""};

    (void)state;
    CHECK_OK(kmv_verify(&judge, y, 1, 1, &r, &err));
    r.eps = 0.5;
    kmv_verdict(&r);
    assert_string_equal(r.status, "error");
    assert_non_null(strstr(r.reason, "NaN"));
}

enum { N = 400, M = 40, DRAWS = 200 };

/* Squared errors with a moderate tail: intervals of 95 % from 40 of 400 rows must hold the true
 * error in about 95 % of draws; the percentile bootstrap on 40 exponential-like values covers some
 * points less. Below 170 of 200 is 8 sd under 95 % and 4 sd under 90 %. */
static void sampled_interval_covers(void **state)
{
    double exact[N], y[N], part[M], truth = 0;
    size_t all[N], rows[M], inside = 0;
    gsl_rng *rng = kmv_rng_create(7, NULL);
    kmv_error err = {""};

    (void)state;
    for (size_t i = 0; i < N; i++) {
        exact[i] = gsl_ran_gaussian(rng, 1);
        y[i] = exact[i] + gsl_ran_gaussian(rng, 0.1);
        truth += (y[i] - exact[i]) * (y[i] - exact[i]);
        all[i] = i;
    }
    truth = sqrt(truth) / 3;
    for (size_t draw = 0; draw < DRAWS; draw++) {
        const kmv_judge judge = {.rows = rows, .count = M, .n_q = N, .r = 1, .y = part};
        kmv_record r = empty();

        gsl_ran_choose(rng, rows, M, all, N, sizeof *all);
        for (size_t i = 0; i < M; i++)
            part[i] = exact[rows[i]];
        CHECK_OK(kmv_verify(&judge, y, 3, draw, &r, &err));
        assert_string_equal(r.err_kind, "rows:40");
        assert_true(r.err_lo <= r.err_l2 && r.err_l2 <= r.err_hi);
        inside += r.err_lo <= truth && truth <= r.err_hi;
        if (draw == 0) {
            kmv_record again = empty();

            CHECK_OK(kmv_verify(&judge, y, 3, draw, &again, &err));
            CHECK_CLOSE(again.err_lo, r.err_lo, 0); /* equal seeds, equal intervals */
        }
    }
    gsl_rng_free(rng);
    assert_true(inside >= 170);
}

static void mean_of_v(void **state)
{
    /* Causal means of v = 1, 3, 8 are 1, 2, 4. */
    float zero[3 * 16] = {0};
    kmv_points p = {.n = 3, .d = 1, .ld = 16, .x = zero};
    kmv_problem problem = {.q = &p, .k = &p, .matrix = KMV_SOFTMAX, .causal = 1, .sigma = 1};
    const double exact[] = {1, 2, 7}, y[] = {1, 2, 8.5}, v[] = {1, 3, 8};
    const size_t last[] = {2};
    kmv_judge judge = {.count = 3, .n_q = 3, .r = 1, .y = exact, .op_norm = NAN};
    kmv_record r = empty();
    kmv_error err = {""};

    (void)state;
    CHECK_OK(kmv_verify_softmax(&judge, &problem, y, v, 6, &r, &err));
    CHECK_CLOSE(r.mean_err, 0.5, 1e-15);
    CHECK_CLOSE(r.err_rel_mean, 0.5, 1e-15);
    problem.causal = 0; /* 4 for every row: off by 3, 2, 3 */
    CHECK_OK(kmv_verify_softmax(&judge, &problem, y, v, 6, &r, &err));
    CHECK_CLOSE(r.mean_err, sqrt(22) / 6, 1e-15);
    problem.causal = 1; /* the last row alone stands for three */
    judge = (kmv_judge){.rows = last, .count = 1, .n_q = 3, .r = 1, .y = exact + 2, .op_norm = NAN};
    CHECK_OK(kmv_verify_softmax(&judge, &problem, y, v, 6, &r, &err));
    CHECK_CLOSE(r.mean_err, sqrt(3) * 3 / 6, 1e-15);
    assert_true(isnan(r.err_op) && isnan(r.p_op)); /* nobody knows |P|_op */
}

static void operator_norms(void **state)
{
    /* Two columns. V has the singular values 4 and 3, so |V|_op = 4 and with |P|_op = 0.5 errors
     * are in units of 2. PV has orthogonal columns of lengths 2 and 1; y - PV is the rank-one
     * matrix of rows t (3, 4), t = 0.1, 0, 0.2, norm 5 |t|; the mean of V is (1, 0.75) in every
     * row. */
    float zero[4 * 16] = {0};
    kmv_points q = {.n = 3, .d = 1, .ld = 16, .x = zero}, k = {.n = 4, .d = 1, .ld = 16, .x = zero};
    const kmv_problem problem = {.q = &q, .k = &k, .matrix = KMV_SOFTMAX, .sigma = 1};
    const double v[] = {4, 0, 0, 3, 0, 0, 0, 0}, exact[] = {2, 0, 0, 1, 0, 0};
    const double y[] = {2.3, 0.4, 0, 1, 0.6, 0.8};
    const size_t last[] = {2};
    kmv_judge judge = {.count = 3, .n_q = 3, .r = 2, .y = exact, .op_norm = 0.5, .op_tol = 1e-4};
    kmv_record r = empty();
    kmv_error err = {""};
    double gram[3] = {0}, largest;

    (void)state;
    for (size_t i = 0; i < 3; i++) { /* PV - mean by hand: the larger root of a 2 x 2 matrix */
        const double a = exact[2 * i] - 1, b = exact[2 * i + 1] - 0.75;

        gram[0] += a * a;
        gram[1] += a * b;
        gram[2] += b * b;
    }
    largest = (gram[0] + gram[2]) / 2 + hypot((gram[0] - gram[2]) / 2, gram[1]);
    CHECK_OK(kmv_verify_softmax(&judge, &problem, y, v, 5, &r, &err));
    /* Eigenvalues to a few ulp of numbers below 10, halved by the root. */
    CHECK_CLOSE(r.err_op, 5 * sqrt(0.05) / 2, 1e-14);
    CHECK_CLOSE(r.null_op, 1, 1e-14);
    CHECK_CLOSE(r.mean_op, sqrt(largest) / 2, 1e-14);
    CHECK_CLOSE(r.mean_err, sqrt(gram[0] + gram[2]) / 5, 1e-14);
    CHECK_CLOSE(r.p_op, 0.5, 0);
    CHECK_CLOSE(r.p_op_tol, 1e-4, 0);
    r.err_l2 = r.err_lo = r.err_hi = 0.1;
    r.eps = 0.9; /* answering 0 has 1 and the mean less */
    kmv_verdict(&r);
    CHECK_CLOSE(r.trivial_op, sqrt(largest) / 2 <= 0.9, 0);
    r.eps = 1;
    kmv_verdict(&r);
    CHECK_CLOSE(r.trivial_op, 1, 0);
    judge = (kmv_judge){
        .rows = last, .count = 1, .n_q = 3, .r = 2, .y = exact + 4, .op_norm = 0.5, .op_tol = 1e-4};
    CHECK_OK(kmv_verify_softmax(&judge, &problem, y, v, 5, &r, &err));
    CHECK_CLOSE(r.err_op, sqrt(3) * 1 / 2, 1e-14); /* one row of length 1 stands for three */
}

static void positions(void **state)
{
    /* 32 rows, two for each sixteenth; errors 0 but 3 and 4 in the second and 1 in the last. With
     * |x| = 2: sqrt(32 * (9 + 16)/2)/2 = 10, sqrt(32 * 1/2)/2 = 2. */
    enum { ROWS = 32 };
    double exact[ROWS] = {0}, y[ROWS] = {0};
    const size_t sampled[] = {2, 31};
    kmv_judge judge = {.count = ROWS, .n_q = ROWS, .r = 1, .y = exact};
    kmv_record r = empty();
    kmv_error err = {""};

    (void)state;
    y[2] = 3;
    y[3] = 4;
    y[31] = 1;
    CHECK_OK(kmv_verify(&judge, y, 2, 1, &r, &err));
    assert_string_equal(r.pos_err, ""); /* no mask, no positions */
    r.causal = 1;
    CHECK_OK(kmv_verify(&judge, y, 2, 1, &r, &err));
    assert_string_equal(r.pos_err, "0 10 0 0 0 0 0 0 0 0 0 0 0 0 0 2");
    CHECK_CLOSE(sqrt((100.0 + 4) / 16), r.err_l2, 1e-15); /* its root mean square */
    judge = (kmv_judge){.rows = sampled, .count = 2, .n_q = ROWS, .r = 1, .y = exact};
    CHECK_OK(kmv_verify(&judge, y, 2, 1, &r, &err));
    assert_string_equal(r.pos_err, "- 8.49 - - - - - - - - - - - - - 2.83"); /* sqrt(32) e / 2 */
}

static void operator_norm_of_nan(void **state)
{
    float zero[2 * 16] = {0};
    kmv_points p = {.n = 2, .d = 1, .ld = 16, .x = zero};
    const kmv_problem problem = {.q = &p, .k = &p, .matrix = KMV_SOFTMAX, .sigma = 1};
    const double v[] = {1, 0, 0, 1}, exact[] = {1, 0, 0, 1}, y[] = {NAN, 0, 0, INFINITY};
    const kmv_judge judge = {.count = 2, .n_q = 2, .r = 2, .y = exact, .op_norm = 1, .op_tol = 0};
    kmv_record r = empty();
    kmv_error err = {""};

    (void)state;
    CHECK_OK(kmv_verify_softmax(&judge, &problem, y, v, 1, &r, &err)); /* and it ends */
    assert_true(isnan(r.err_op));
    CHECK_CLOSE(r.null_op, 1, 1e-14);
}

static void verdicts(void **state)
{
    kmv_record r = empty();

    (void)state;
    r.err_l2 = r.err_lo = r.err_hi = 0.2;
    r.null_err = 0.5;
    kmv_verdict(&r);
    assert_string_equal(r.status, "ok"); /* no eps: judged against every eps in the tables */
    assert_true(isnan(r.trivial));
    r.eps = 0.2;
    kmv_verdict(&r);
    assert_string_equal(r.status, "ok");
    CHECK_CLOSE(r.trivial, 0, 0);
    r.eps = 0.1;
    kmv_verdict(&r);
    assert_string_equal(r.status, "fail_eps");
    assert_string_equal(r.reason, "error 0.2 > eps 0.1");
    r.mean_err = 0.1; /* softmax: the better of the two trivial answers */
    kmv_verdict(&r);
    CHECK_CLOSE(r.trivial, 1, 0);
    r.bound = 0.3;
    kmv_verdict(&r);
    assert_string_equal(r.status, "fail_eps");
    r.bound = 0.15;
    kmv_verdict(&r);
    assert_string_equal(r.status, "error");
    assert_non_null(strstr(r.reason, "certificate broken"));
    r.err_lo = 0.1; /* the interval of the error leaves the bound possible */
    kmv_verdict(&r);
    assert_string_equal(r.status, "fail_eps");
    r = empty();
    r.eps = 0.1;
    r.err_l2 = INFINITY;
    kmv_verdict(&r);
    assert_string_equal(r.status, "fail_eps");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(full),
        cmocka_unit_test(zeros),
        cmocka_unit_test(nan_is_an_error),
        cmocka_unit_test(sampled_interval_covers),
        cmocka_unit_test(mean_of_v),
        cmocka_unit_test(operator_norms),
        cmocka_unit_test(operator_norm_of_nan),
        cmocka_unit_test(positions),
        cmocka_unit_test(verdicts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

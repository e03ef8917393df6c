/* Growth exponents of known laws, and of rows that have none. */
#include "check.h"

#include "bench/measure.h"

static void set_rows(kmv_measure_row *rows, size_t count, const double *ratio)
{
    for (size_t i = 0; i < count; i++) {
        kmv_row_clear(&kmv_measure_schema, &rows[i]);
        rows[i].n_q = pow(2, 9 + (double)i);
        rows[i].tail_over_head = ratio[i];
        rows[i].sum_over_n = 5;
    }
}

static void exponents_of_known_laws(void **state)
{
    double ratio[5], noise = 0.01, half;
    kmv_measure_row rows[5];

    (void)state;
    for (size_t i = 0; i < 5; i++)
        ratio[i] = 3 * pow(pow(2, 9 + (double)i), 0.7);
    set_rows(rows, 5, ratio);
    kmv_measure_fit(rows, 5);
    for (size_t i = 0; i < 5; i++) {
        CHECK_CLOSE(rows[i].alpha, 0.7, 1e-12);
        CHECK_CLOSE(rows[i].alpha_lo, 0.7, 1e-12);
        CHECK_CLOSE(rows[i].alpha_sum, 0, 1e-12);
        assert_non_null(strstr(rows[i].alpha_kind, "5 dependent sizes"));
    }
    /* Logarithms at 0, 1, 2 (times ln 2) plus noise (1, -2, 1): the slope stays, the residual sum
     * of squares is 6 noise^2 on 1 degree of freedom, the slope's variance 6 noise^2 / (2 ln2^2),
     * and the 97.5 % quantile of t with 1 degree is 12.7062047361747. */
    for (size_t i = 0; i < 3; i++)
        ratio[i] = exp(M_LN2 * (double)i + noise * (i == 1 ? -2 : 1));
    set_rows(rows, 3, ratio);
    kmv_measure_fit(rows, 3);
    half = 12.7062047361747 * noise * sqrt(3) / M_LN2;
    CHECK_CLOSE(rows[0].alpha, 1, 1e-12);
    CHECK_CLOSE(rows[0].alpha_lo, 1 - half, 1e-9);
    CHECK_CLOSE(rows[0].alpha_hi, 1 + half, 1e-9);
}

static void exponents_that_are_not(void **state)
{
    const double ratio[] = {1, 0, 2};
    kmv_measure_row rows[3];

    (void)state;
    set_rows(rows, 3, ratio);
    kmv_measure_fit(rows, 3); /* log 0 */
    assert_true(isnan(rows[0].alpha) && isnan(rows[0].alpha_lo));
    CHECK_CLOSE(rows[0].alpha_sum, 0, 1e-12);
    set_rows(rows, 1, ratio);
    kmv_measure_fit(rows, 1);
    assert_true(isnan(rows[0].alpha) && rows[0].alpha_kind[0] == '\0');
    set_rows(rows, 2, (const double[]){1, 4});
    kmv_measure_fit(rows, 2);
    CHECK_CLOSE(rows[1].alpha, 2, 1e-12);
    assert_true(isnan(rows[1].alpha_lo)); /* no degree of freedom left */
    set_rows(rows, 2, (const double[]){1, 4});
    rows[1].n_q = rows[0].n_q;
    kmv_measure_fit(rows, 2);
    assert_true(isnan(rows[1].alpha));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exponents_of_known_laws),
        cmocka_unit_test(exponents_that_are_not),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

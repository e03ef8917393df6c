/* Input vectors by kind: what each holds, repeatability, bad kinds. */
#include <string.h>

#include "base/mem.h"
#include "check.h"
#include "data/xgen.h"

static double *make(const char *kind, uint64_t seed, size_t n)
{
    kmv_error err = {""};
    double *x = NULL;
    size_t r = 0;

    CHECK_OK(kmv_x_make(kind, seed, n, NULL, 0, &r, &x, &err));
    assert_int_equal(r, 1);
    return x;
}

static void kinds_hold_what_they_say(void **state)
{
    enum { N = 4096 };
    double *ones = make("ones", 1, N), *gauss = make("gauss", 1, N), *sign = make("sign", 1, N),
           *abs_gauss = make("abs-gauss", 1, N), *sparse = make("sparse:7", 1, N),
           *spike = make("spike", 1, N), *zero = make("zero", 1, N);
    size_t places = 0;
    double mean = 0, square = 0, balance = 0, largest = 0;

    (void)state;
    for (size_t j = 0; j < N; j++) {
        CHECK_CLOSE(ones[j], 1, 0);
        CHECK_CLOSE(zero[j], 0, 0);
        CHECK_CLOSE(fabs(sign[j]), 1, 0);
        assert_true(abs_gauss[j] >= 0);
        mean += gauss[j] / N;
        square += gauss[j] * gauss[j] / N;
        balance += sign[j] / N;
        places += sparse[j] != 0;
        largest = fmax(largest, spike[j]);
    }
    /* Means of N(0,1) and +-1: sd 1/64; of the square: sqrt(2)/64. Six sd: failure below 1e-8. */
    CHECK_CLOSE(mean, 0, 6.0 / 64);
    CHECK_CLOSE(balance, 0, 6.0 / 64);
    CHECK_CLOSE(square, 1, 6 * 1.5 / 64);
    assert_int_equal(places, 7);
    CHECK_CLOSE(largest, 1000 * 64.0, 0);
    kmv_free(ones);
    kmv_free(gauss);
    kmv_free(sign);
    kmv_free(abs_gauss);
    kmv_free(sparse);
    kmv_free(spike);
    kmv_free(zero);
}

static void seeds(void **state)
{
    double *a = make("gauss", 5, 64), *b = make("gauss", 5, 64), *c = make("gauss", 6, 64);

    (void)state;
    assert_memory_equal(a, b, 64 * sizeof *a);
    assert_memory_not_equal(a, c, 64 * sizeof *a);
    kmv_free(a);
    kmv_free(b);
    kmv_free(c);
}

static void values(void **state)
{
    const double v[6] = {1, 2, 3, 4, 5, 6};
    kmv_error err = {""};
    double *x = NULL;
    size_t r = 0;

    (void)state;
    CHECK_OK(kmv_x_make("v", 1, 3, v, 2, &r, &x, &err));
    assert_int_equal(r, 2);
    assert_memory_equal(x, v, sizeof v);
    kmv_free(x);
}

static void all_places(void **state)
{
    double *x = make("sparse:5", 3, 5);

    (void)state;
    for (size_t j = 0; j < 5; j++)
        assert_true(x[j] != 0);
    kmv_free(x);
}

static void bad_kinds(void **state)
{
    kmv_error err = {""};
    double *x = NULL;
    size_t r = 9;

    (void)state;
    CHECK_FAILS(kmv_x_make("gaus", 1, 4, NULL, 0, &r, &x, &err), KMV_EINVAL,
                "did you mean 'gauss'?");
    CHECK_FAILS(kmv_x_make("sparse:0", 1, 4, NULL, 0, &r, &x, &err), KMV_EINVAL, "K >= 1");
    CHECK_FAILS(kmv_x_make("sparse:x", 1, 4, NULL, 0, &r, &x, &err), KMV_EINVAL, "K >= 1");
    CHECK_FAILS(kmv_x_make("sparse:5", 1, 4, NULL, 0, &r, &x, &err), KMV_EINVAL, "4 keys");
    CHECK_FAILS(kmv_x_make("v", 1, 4, NULL, 0, &r, &x, &err), KMV_EINVAL, "no values");
    assert_int_equal(kmv_x_make("/nonexistent.h5:x", 1, 4, NULL, 0, &r, &x, &err), KMV_EIO);
    assert_null(x);
    assert_int_equal(r, 9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kinds_hold_what_they_say),
        cmocka_unit_test(seeds),
        cmocka_unit_test(values),
        cmocka_unit_test(all_places),
        cmocka_unit_test(bad_kinds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* base/mem.c: alignment, zeroes, overflow, and the counters that prove what allocates. */
#include "check.h"

#include <string.h>

#include "base/mem.h"

static void gives_aligned_zeroes(void **state)
{
    (void)state;
    for (size_t n = 0; n < 200; n += 7) {
        kmv_error err = {""};
        unsigned char *p = kmv_alloc(n, 1, "bytes", &err);

        assert_non_null(p);
        assert_int_equal((uintptr_t)p % KMV_ALIGN, 0);
        for (size_t i = 0; i < n; i++)
            assert_int_equal(p[i], 0);
        memset(p, 0xff, n); /* the sanitizers watch the ends */
        kmv_free(p);
    }
}

static void refuses_what_overflows(void **state)
{
    kmv_error err = {""};

    (void)state;
    assert_null(kmv_alloc(SIZE_MAX / 2, 4, "table", &err));
    assert_string_equal(err.text, "table: 9223372036854775807 x 4 bytes overflow");
    assert_null(kmv_alloc(SIZE_MAX, 1, "table", &err));
    assert_null(kmv_alloc(SIZE_MAX, SIZE_MAX, "table", NULL)); /* err may be NULL */
}

static void says_how_much_was_wanted(void **state)
{
    kmv_error err = {""};

    (void)state;
    /* 2^62 bytes: no overflow, and more than any address space has. */
    assert_null(kmv_alloc((size_t)1 << 62, 1, "matrix", &err));
    assert_string_equal(err.text, "matrix: no memory for 4611686018427387904 bytes");
}

static void counts(void **state)
{
    const size_t held = kmv_mem_current(), calls = kmv_mem_calls();
    kmv_error err = {""};
    void *a, *b;

    (void)state;
    kmv_mem_reset_peak();
    a = kmv_alloc(100, 10, "a", &err);
    b = kmv_alloc_raw(3, 7, "b", &err); /* counted alike */
    assert_int_equal(kmv_mem_current() - held, 1021);
    assert_int_equal(kmv_mem_calls() - calls, 2);
    kmv_free(a);
    assert_int_equal(kmv_mem_current() - held, 21);
    assert_int_equal(kmv_mem_peak() - held, 1021); /* the peak stays ... */
    kmv_mem_reset_peak();
    assert_int_equal(kmv_mem_peak() - held, 21); /* ... until it is told to start again */
    kmv_free(b);
    kmv_free(NULL);
    assert_int_equal(kmv_mem_current(), held);
    /* A failure holds nothing and counts as no call. */
    assert_null(kmv_alloc_raw(SIZE_MAX, 2, "c", &err));
    assert_int_equal(kmv_mem_current(), held);
    assert_int_equal(kmv_mem_calls() - calls, 2);
}

static void counts_across_threads(void **state)
{
    const size_t held = kmv_mem_current(), calls = kmv_mem_calls();

    (void)state;
#pragma omp parallel for num_threads(2)
    for (int i = 0; i < 1000; i++)
        kmv_free(kmv_alloc((size_t)i, 8, "some", NULL));
    assert_int_equal(kmv_mem_current(), held);
    assert_int_equal(kmv_mem_calls() - calls, 1000);
}

static void rounds_up(void **state)
{
    (void)state;
    assert_int_equal(kmv_round_up(0, 16), 0);
    assert_int_equal(kmv_round_up(1, 16), 16);
    assert_int_equal(kmv_round_up(16, 16), 16);
    assert_int_equal(kmv_round_up(17, 16), 32);
    assert_int_equal(kmv_round_up(5, 1), 5);
    assert_int_equal(kmv_round_up(SIZE_MAX - 15, 16), SIZE_MAX - 15);
    assert_int_equal(kmv_round_up(SIZE_MAX - 14, 16), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_aligned_zeroes),     cmocka_unit_test(refuses_what_overflows),
        cmocka_unit_test(says_how_much_was_wanted), cmocka_unit_test(counts),
        cmocka_unit_test(counts_across_threads),    cmocka_unit_test(rounds_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

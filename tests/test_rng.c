/* base/rng.c: streams addressed by key: repeatable, different, and none at the default seed. */
#include "check.h"

#include <stdlib.h>
#include <string.h>

#include "base/rng.h"

static void keys_are_fixed(void **state)
{
    (void)state;
    /* Computed apart, in Python, from the published constants of FNV-1a and splitmix64: a change of
     * these would silently move every recorded seed. */
    assert_true(kmv_stream_key(0, "", 0) == 0xa6bbc8dcbe30928cu);
    assert_true(kmv_stream_key(1, "apply", 0) == 0x4b1e71fde5a46c38u);
    assert_true(kmv_stream_key(20250731, "prepare", 12345) == 0xfd476c2528810dd7u);
}

static int by_value(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

static void keys_differ(void **state)
{
    enum { SEEDS = 16, INDICES = 64, N = 4 * SEEDS * INDICES };
    static const char *const texts[] = {"", "a", "b", "ab"};
    static uint64_t keys[N];
    size_t n = 0;

    (void)state;
    for (size_t t = 0; t < 4; t++) {
        for (uint64_t s = 0; s < SEEDS; s++) {
            for (uint64_t i = 0; i < INDICES; i++)
                keys[n++] = kmv_stream_key(s, texts[t], i);
        }
    }
    /* Two of 4096 random 64-bit keys are equal with probability below 5e-13. */
    qsort(keys, N, sizeof *keys, by_value);
    for (size_t i = 1; i < N; i++)
        assert_true(keys[i] != keys[i - 1]);
}

static void bits_are_balanced(void **state)
{
    enum { N = 4096 };
    int ones[64] = {0};

    (void)state;
    for (uint64_t i = 0; i < N; i++) {
        const uint64_t key = kmv_stream_key(1, "bits", i);

        for (int b = 0; b < 64; b++)
            ones[b] += (int)(key >> b & 1);
    }
    /* Binomial(4096, 1/2): sigma = 32. 6 sigma two-sided over 64 bits: 64 * 2e-9 = 1.3e-7; the keys
     * are fixed, so this passes always or never. */
    for (int b = 0; b < 64; b++)
        CHECK_CLOSE(ones[b], N / 2, 192);
}

static void streams_repeat(void **state)
{
    kmv_error err = {""};
    gsl_rng *a = kmv_rng_create(7, &err), *b = kmv_rng_create(8, &err);
    double first[5];
    int same = 0;

    (void)state;
    assert_non_null(a);
    assert_non_null(b);
    for (int i = 0; i < 5; i++) {
        first[i] = gsl_rng_uniform(a);
        same += first[i] == gsl_rng_uniform(b);
    }
    assert_int_equal(same, 0);
    kmv_rng_restart(b, 7);
    for (int i = 0; i < 5; i++)
        CHECK_CLOSE(gsl_rng_uniform(b), first[i], 0);
    gsl_rng_free(a);
    gsl_rng_free(b);
}

/* GSL replaces the seed 0 by 4357, so a key that folds to 0 must not go there. */
static void zero_is_not_the_default_seed(void **state)
{
    gsl_rng *zero = kmv_rng_create(0, NULL), *fallback = gsl_rng_alloc(gsl_rng_mt19937);
    gsl_rng *folded = kmv_rng_create(0x0000000500000005u, NULL);

    (void)state;
    gsl_rng_set(fallback, 0);
    assert_true(gsl_rng_get(zero) != gsl_rng_get(fallback));
    kmv_rng_restart(zero, 0);
    assert_true(gsl_rng_get(folded) == gsl_rng_get(zero));
    gsl_rng_free(zero);
    gsl_rng_free(folded);
    gsl_rng_free(fallback);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_fixed),
        cmocka_unit_test(keys_differ),
        cmocka_unit_test(bits_are_balanced),
        cmocka_unit_test(streams_repeat),
        cmocka_unit_test(zero_is_not_the_default_seed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

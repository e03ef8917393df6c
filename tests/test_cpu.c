/* What the machine is said to run, and what the environment hides. */
#include "check.h"

#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "gauss/tile.h"

static void order(void **state)
{
    static const char *const names[] = {"portable", "avx2", "avx512", "amx"};

    (void)state;
    assert_true(kmv_cpu_runs(KMV_CPU_PORTABLE) && kmv_cpu_counts_bits(KMV_CPU_PORTABLE));
    assert_null(kmv_cpu_at(4));
    for (size_t i = 0; i < 4; i++) {
        assert_string_equal(kmv_cpu_at(i), names[i]);
        assert_true(i == 0 || !kmv_cpu_runs((kmv_cpu)i) || kmv_cpu_runs((kmv_cpu)(i - 1)));
        assert_true(!kmv_cpu_counts_bits((kmv_cpu)i) || kmv_cpu_runs((kmv_cpu)i));
    }
}

/* There is a tile for each, and it runs where the CPU does. */
static void tiles(void **state)
{
    const kmv_tile *t;

    (void)state;
    for (size_t n = 0; (t = kmv_tile_at(n)) != NULL; n++) {
        size_t isa = 0;

        while (kmv_cpu_at(isa) != NULL && strcmp(kmv_cpu_at(isa), t->name) != 0)
            isa++;
        assert_non_null(kmv_cpu_at(isa));
        assert_int_equal(t->can_run(), kmv_cpu_runs((kmv_cpu)isa));
    }
}

/* The answer itself is asked once in a process: tests/cli/doctor.sh sees what a name hides. */
static void environment(void **state)
{
    const char *before = getenv("KMV_ISA");
    char *kept = before != NULL ? strdup(before) : NULL;
    const kmv_tile *tile = NULL;
    kmv_error err = {""};

    (void)state;
    assert_true(kmv_cpu_runs(KMV_CPU_PORTABLE));
    setenv("KMV_ISA", "avx2", 1);
    CHECK_OK(kmv_cpu_check(&err));
    setenv("KMV_ISA", "", 1);
    CHECK_OK(kmv_cpu_check(&err));
    setenv("KMV_ISA", "avx1024", 1);
    CHECK_FAILS(kmv_cpu_check(&err), KMV_EINVAL, "avx512 or amx, got 'avx1024'");
    CHECK_FAILS(kmv_tile_select(NULL, &tile, &err), KMV_EINVAL, "KMV_ISA");
    CHECK_OK(kmv_tile_select("portable", &tile, &err)); /* asked for by name */
    unsetenv("KMV_ISA");
    CHECK_OK(kmv_cpu_check(&err));
    if (kept != NULL)
        setenv("KMV_ISA", kept, 1);
    free(kept);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(order), cmocka_unit_test(tiles),
                                       cmocka_unit_test(environment)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}

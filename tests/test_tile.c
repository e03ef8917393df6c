/* Tiles: each instruction set against float64, at the edges of its shape, and inside guard pages.
 */
#include "check.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "gauss/tile.h"

/* Runs f on every tile that this machine can run. */
static void each_tile(void (*f)(const kmv_tile *))
{
    const kmv_tile *t;

    for (size_t i = 0; (t = kmv_tile_at(i)) != NULL; i++) {
        if (t->can_run())
            f(t);
    }
}

static void selection(void **state)
{
    const kmv_tile *t = NULL;
    kmv_error err;

    (void)state;
    CHECK_OK(kmv_tile_select(NULL, &t, &err));
    assert_ptr_equal(t, kmv_tile_best());
    CHECK_OK(kmv_tile_select("portable", &t, &err));
    assert_string_equal(t->name, "portable");
    CHECK_FAILS(kmv_tile_select("avx3", &t, &err), KMV_EINVAL,
                "want one of avx512, avx2, portable");
    assert_string_equal(t->name, "portable"); /* untouched */
    for (size_t i = 0; kmv_tile_at(i) != NULL; i++) {
        t = kmv_tile_at(i);
        assert_true(t->rows <= KMV_ROWS_MAX && t->lanes <= KMV_LANES_MAX);
        if (!t->can_run())
            CHECK_FAILS(kmv_tile_select(t->name, &t, &err), KMV_EINVAL, "cannot run");
    }
}

/* All multiples of 1/64 where entries are, and random ones: the promised relative error. */
static void exp2_error(const kmv_tile *t)
{
    _Alignas(64) float v[64];

    for (int start = -126 * 64; start < 127 * 64; start += 64) {
        for (int i = 0; i < 64; i++)
            v[i] = (float)(start + i) / 64 + (i % 2 ? 0x1p-9f * (float)(i % 7) : 0);
        float e[64];

        memcpy(e, v, sizeof v);
        t->exp2(v, 64);
        for (int i = 0; i < 64; i++) {
            const double want = exp2((double)e[i]);

            CHECK_CLOSE((double)v[i], want,
                        t->exp_rel_err * want + (e[i] < -125.9f ? 0x1p-126 : 0));
        }
    }
}

static void exp2_special(const kmv_tile *t)
{
    _Alignas(64) float v[] = {-INFINITY, NAN,  -127.0f, -1e30f,  -150.0f,
                              0.0f,      1.0f, 1e30f,   INFINITY};

    t->exp2(v, sizeof v / sizeof *v);
    assert_true(v[0] == 0);
    assert_true(isnan(v[1]));
    assert_true(v[2] == 0 && v[3] == 0 && v[4] == 0);
    CHECK_CLOSE((double)v[5], 1.0, t->exp_rel_err);
    CHECK_CLOSE((double)v[6], 2.0, 2 * t->exp_rel_err);
    assert_true(isinf(v[7]) && isinf(v[8]));
}

static void exp2_all(void **state)
{
    (void)state;
    each_tile(exp2_error);
    each_tile(exp2_special);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(selection),
        cmocka_unit_test(exp2_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

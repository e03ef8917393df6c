/* base/points.c: padding, alignment, the origin, and what is refused. */
#include "check.h"

#include <float.h>
#include <string.h>

#include "base/mem.h"

static void layout(void **state)
{
    (void)state;
    for (size_t d = 1; d <= 33; d += 4) {
        kmv_error err = {""};
        kmv_points p = {0};

        CHECK_OK(kmv_points_init(&p, 3, d, &err));
        assert_int_equal(p.n, 3);
        assert_int_equal(p.d, d);
        assert_true(p.ld >= d && p.ld % 16 == 0 && p.ld < d + 16);
        assert_int_equal((uintptr_t)p.x % 64, 0);
        assert_int_equal(p.owned, 1);
        for (size_t i = 0; i < 3 * p.ld; i++)
            CHECK_CLOSE((double)p.x[i], 0, 0);
        kmv_points_clear(&p);
        assert_null(p.x);
        kmv_points_clear(&p); /* twice is harmless */
    }
    kmv_points_clear(NULL);
}

static void refuses_empty_and_overflowing(void **state)
{
    kmv_points p = {.n = 77};
    kmv_error err;

    (void)state;
    CHECK_FAILS(kmv_points_init(&p, 0, 3, &err), KMV_EINVAL, "got 0 x 3");
    CHECK_FAILS(kmv_points_init(&p, 3, 0, &err), KMV_EINVAL, "got 3 x 0");
    CHECK_FAILS(kmv_points_init(&p, SIZE_MAX / 8, 3, &err), KMV_ENOMEM, "overflows");
    CHECK_FAILS(kmv_points_init(&p, 1, SIZE_MAX - 3, &err), KMV_ENOMEM, "overflows");
    CHECK_FAILS(kmv_points_init(&p, (size_t)1 << 40, (size_t)1 << 20, &err), KMV_ENOMEM, "");
    assert_int_equal(p.n, 77); /* untouched */
}

static void from_f32_copies_with_stride(void **state)
{
    const float src[] = {1, 2, 99, 3, 4, 99};
    kmv_error err = {""};
    kmv_points p = {0};

    (void)state;
    CHECK_OK(kmv_points_from_f32(&p, src, 2, 2, 3, &err));
    CHECK_CLOSE((double)p.x[0], 1, 0);
    CHECK_CLOSE((double)p.x[1], 2, 0);
    CHECK_CLOSE((double)p.x[2], 0, 0); /* padding, not the 99 */
    CHECK_CLOSE((double)p.x[p.ld], 3, 0);
    CHECK_CLOSE((double)p.x[p.ld + 1], 4, 0);
    kmv_points_clear(&p);
    CHECK_FAILS(kmv_points_from_f32(&p, src, 2, 2, 1, &err), KMV_EINVAL, "row stride 1 < d = 2");
}

static void from_f64_keeps_precision_far_from_zero(void **state)
{
    /* 1e9 apart from zero a float has a step of 64; relative to the mean nothing is lost that
     * doubles have: the points are the multiples of 2^-10 about 1e9, exact in double. */
    double src[64], step = 0x1p-10;
    kmv_error err = {""};
    kmv_points p = {0};

    (void)state;
    for (int i = 0; i < 64; i++)
        src[i] = 1e9 + step * i;
    CHECK_OK(kmv_points_from_f64(&p, src, 64, 1, 1, &err));
    /* Float rounds the distance from the mean (at most 64 steps = 1/16) to 2^-24 of it, and the sum
     * below rounds to half a unit of 1e9 in double, 2^-24. */
    for (size_t i = 0; i < 64; i++)
        CHECK_CLOSE(p.origin[0] + (double)p.x[i * p.ld], src[i], 0x1p-28 + 0x1p-24);
    kmv_points_clear(&p);
}

static void from_f64_does_not_overflow_in_its_mean(void **state)
{
    const double same[] = {DBL_MAX, DBL_MAX, DBL_MAX, DBL_MAX};
    const double apart[] = {-1e300, 1e300};
    kmv_error err = {""};
    kmv_points p = {0};

    (void)state;
    CHECK_OK(kmv_points_from_f64(&p, same, 4, 1, 1, &err));
    CHECK_CLOSE(p.origin[0] / DBL_MAX, 1, 4 * DBL_EPSILON);
    kmv_points_clear(&p);
    CHECK_FAILS(kmv_points_from_f64(&p, apart, 2, 1, 1, &err), KMV_EINVAL,
                "element [0, 0] is -1e+300, too far from the mean");
    assert_null(p.x);
}

static void names_the_first_that_is_not_finite(void **state)
{
    const float f[] = {1, 2, 3, NAN, 5, INFINITY};
    const double g[] = {1, 2, 3, 4, -INFINITY, NAN};
    const size_t held = kmv_mem_current();
    kmv_points p = {0};
    kmv_error err;

    (void)state;
    CHECK_FAILS(kmv_points_from_f32(&p, f, 3, 2, 2, &err), KMV_EINVAL,
                "element [1, 1] is nan, want finite");
    CHECK_FAILS(kmv_points_from_f64(&p, g, 3, 2, 2, &err), KMV_EINVAL,
                "element [2, 0] is -inf, want finite");
    assert_null(p.x);
    assert_int_equal(kmv_mem_current(), held); /* nothing is left behind */
}

static void prefix_is_a_view(void **state)
{
    const float src[] = {1, 2, 3};
    kmv_error err = {""};
    kmv_points p = {0}, view;

    (void)state;
    CHECK_OK(kmv_points_from_f32(&p, src, 3, 1, 1, &err));
    view = kmv_points_prefix(&p, 2);
    assert_int_equal(view.n, 2);
    assert_ptr_equal(view.x, p.x);
    kmv_points_clear(&view); /* frees nothing of p */
    CHECK_CLOSE((double)p.x[2 * p.ld], 3, 0);
    kmv_points_clear(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layout),
        cmocka_unit_test(refuses_empty_and_overflowing),
        cmocka_unit_test(from_f32_copies_with_stride),
        cmocka_unit_test(from_f64_keeps_precision_far_from_zero),
        cmocka_unit_test(from_f64_does_not_overflow_in_its_mean),
        cmocka_unit_test(names_the_first_that_is_not_finite),
        cmocka_unit_test(prefix_is_a_view),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

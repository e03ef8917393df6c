/* Scaled points, Euclidean hashes and their collision probability, cells. */
#include "check.h"

#include <string.h>

#include "algo/euclid_hash.h"
#include "base/rng.h"

static kmv_error err;

static void scaled_points(void **state)
{
    const float coordinates[] = {1, 2, 3, -1, 0, 5};
    const double centre[] = {101, 0, 1};
    kmv_points p = {0};
    kmv_scaled s = {0}, untouched = {.n = 77};

    (void)state;
    CHECK_OK(kmv_points_from_f32(&p, coordinates, 2, 3, 3, &err));
    p.origin[0] = 100;
    CHECK_OK(kmv_scaled_init(&s, &p, centre, 0.5, &err));
    assert_int_equal(s.ld % 16, 0);
    CHECK_CLOSE((double)s.x[0], 0, 0); /* (100 + 1 - 101) / 0.5 */
    CHECK_CLOSE((double)s.x[1], 4, 0);
    CHECK_CLOSE((double)s.x[s.ld + 2], 8, 0);
    /* differences (2, 2, -2) / 0.5: integers, exact */
    CHECK_CLOSE((double)kmv_scaled_distance2(s.x, s.x + s.ld, s.ld), 48, 0);
    CHECK_FAILS(kmv_scaled_init(&untouched, &p, centre, 1e-16, &err), KMV_ENOTSUP, "too small");
    assert_int_equal(untouched.n, 77);
    kmv_scaled_clear(&s);
    kmv_scaled_clear(&s);
    kmv_points_clear(&p);
}

/* p1(r) = int_0^w (1/r) f(t/r) (1 - t/w) dt, f the density of |N(0, 1)| (Datar et al., section
 * 3.2), by Simpson's rule with 2000 steps: its error, step^4 times the fourth derivative, is below
 * 1e-9 for w / r <= 8. */
static double collision_integral(double r, double width)
{
    const int steps = 2000;
    const double h = width / steps;
    double sum = 0;

    for (int t = 0; t <= steps; t++) {
        const double at = t * h, weight = t == 0 || t == steps ? 1 : t % 2 == 1 ? 4 : 2;

        sum += weight * sqrt(2 / M_PI) / r * exp(-at * at / (2 * r * r)) * (1 - at / width);
    }
    return sum * h / 3;
}

static void collision_formula(void **state)
{
    static const double ratios[] = {0.01, 0.3, 1, 2, 8};
    double before = 0;

    (void)state;
    for (size_t t = 0; t < 5; t++) {
        const double p = kmv_euclid_collision(2 / ratios[t], 2);

        CHECK_CLOSE(p, collision_integral(2 / ratios[t], 2), 1e-8);
        assert_true(p > before); /* nearer points agree more often */
        before = p;
    }
    CHECK_CLOSE(kmv_euclid_collision(0, 2), 1, 0);
    CHECK_CLOSE(kmv_euclid_collision(1e300, 2), 0, 1e-290);
}

/* Two points at distance r share a cell in p^hashes of 4000 tables: 5 standard deviations, failure
 * probability below 1e-6 each. Nine hashes reach beyond one step of columns. */
static void collision_frequency(void **state)
{
    enum { TABLES = 4000 };
    float points[2][16] = {{3, -1, 2}, {3.6f, -1, 2.8f}}; /* r = 1 */

    (void)state;
    for (size_t hashes = 1; hashes <= 9; hashes += 4) {
        kmv_euclid_hash h = {0};
        const double p = pow(kmv_euclid_collision(1, 2.5), (double)hashes);
        double same = 0;

        CHECK_OK(kmv_euclid_hash_init(&h, hashes, 2.5, 16, &err));
        for (uint64_t t = 0; t < TABLES; t++) {
            kmv_euclid_hash_draw(&h, 3, kmv_stream_key(5, "hash", t));
            same += kmv_euclid_hash_code(&h, points[0]) == kmv_euclid_hash_code(&h, points[1]);
            assert_true(kmv_euclid_hash_code(&h, points[0]) == kmv_euclid_hash_code(&h, points[0]));
        }
        CHECK_CLOSE(same / TABLES, p, 5 * sqrt(p * (1 - p) / TABLES));
        kmv_euclid_hash_clear(&h);
        kmv_euclid_hash_clear(&h);
    }
}

static void cells_group(void **state)
{
    /* codes that share their low bits lie in one another's way */
    const uint64_t codes[] = {64, 0, 64, 128, 0, 64, 7};
    const uint32_t *items;
    kmv_cells c = {0};

    (void)state;
    CHECK_OK(kmv_cells_init(&c, 7, &err));
    for (int twice = 0; twice < 2; twice++) {
        kmv_cells_build(&c, codes, 7);
        assert_int_equal(kmv_cells_find(&c, 64, &items), 3);
        assert_true(items[0] == 0 && items[1] == 2 && items[2] == 5);
        assert_int_equal(kmv_cells_find(&c, 0, &items), 2);
        assert_true(items[0] == 1 && items[1] == 4);
        assert_int_equal(kmv_cells_find(&c, 128, &items), 1);
        assert_int_equal(items[0], 3);
        assert_int_equal(kmv_cells_find(&c, 7, &items), 1);
        assert_int_equal(items[0], 6);
        assert_int_equal(kmv_cells_find(&c, 192, &items), 0);
    }
    kmv_cells_build(&c, codes, 0);
    assert_int_equal(kmv_cells_find(&c, 64, &items), 0);
    kmv_cells_clear(&c);
    kmv_cells_clear(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scaled_points),
        cmocka_unit_test(collision_formula),
        cmocka_unit_test(collision_frequency),
        cmocka_unit_test(cells_group),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

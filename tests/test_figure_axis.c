/* Tics of figures: round numbers, inside the range, each label the place of its tic. */
#include "check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/figure_axis.h"

static char *tics(double lo, double hi, int binary)
{
    const kmv_axis axis = {lo, hi};
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    assert_non_null(out);
    kmv_axis_tics(&axis, binary, out);
    fclose(out);
    return text;
}

static void check_tics(double lo, double hi, int binary, const char *want)
{
    char *text = tics(lo, hi, binary);

    assert_string_equal(text, want);
    free(text);
}

static void known_ranges(void **state)
{
    (void)state;
    check_tics(0.46, 4.35, 0, "\"0.5\" 0.5, \"1\" 1, \"2\" 2");
    check_tics(1.9, 2.7, 0, "\"2\" 2, \"2.2\" 2.2, \"2.4\" 2.4, \"2.6\" 2.6");
    check_tics(900, 9000, 1, "\"2^{10}\" 1024, \"2^{11}\" 2048, \"2^{12}\" 4096, \"2^{13}\" 8192");
    check_tics(0.8e-5, 9e-5, 0, "\"10^{-5}\" 1e-05, \"2·10^{-5}\" 2e-05, \"5·10^{-5}\" 5e-05");
}

/* Ranges from a factor 1.3 to 1e9: three labels or more, true, rising, inside, apart. */
static void labels_are_true(void **state)
{
    (void)state;
    for (double lo = 3.3e-7; lo < 1e6; lo *= 1.37) {
        for (double factor = 1.3; factor < 1e9; factor *= 1.61) {
            char *text = tics(lo, lo * factor, 0), *rest = NULL;
            double before = 0;
            int labels = 0;

            for (char *t = strtok_r(text, ",", &rest); t != NULL; t = strtok_r(NULL, ",", &rest)) {
                const char *name = strchr(t, '"') + 1, *end = strchr(name, '"');
                const char *power = strstr(name, "10^{");
                const double place = atof(end + 1);
                double said = atof(name);

                assert_true(place >= lo * (1 - 1e-9) && place <= lo * factor * (1 + 1e-9));
                if (end == name)
                    continue;
                if (power != NULL && power < end)
                    said = (power == name ? 1 : said) * pow(10, atof(power + 4));
                CHECK_CLOSE(said, place, 1e-9 * place); /* both are written with ten digits */
                assert_true(before == 0 || log(place / before) >= 0.1 * log(factor));
                before = place;
                labels++;
            }
            assert_true(labels >= 3 || (labels == 2 && factor < 30));
            free(text);
        }
    }
}

static void ranges_are_padded(void **state)
{
    kmv_axis axis = {0};

    (void)state;
    kmv_axis_add(&axis, NAN);
    kmv_axis_add(&axis, 0);
    kmv_axis_add(&axis, 100);
    kmv_axis_add(&axis, 1);
    kmv_axis_pad(&axis);
    CHECK_CLOSE(axis.lo, pow(10, -0.08), 1e-12);
    CHECK_CLOSE(axis.hi, pow(10, 2.08), 1e-9);
    axis = (kmv_axis){3, 3};
    kmv_axis_pad(&axis);
    CHECK_CLOSE(axis.hi / axis.lo, 1.5, 1e-12);
    axis = (kmv_axis){0};
    kmv_axis_pad(&axis);
    assert_true(axis.lo < 1 && axis.hi > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_ranges),
        cmocka_unit_test(labels_are_true),
        cmocka_unit_test(ranges_are_padded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

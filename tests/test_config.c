/* Configurations: what is read, how INI files may be written, units. What is refused, and with
 * which line, stands in cli/bad_config.sh. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/config.h"
#include "bench/config_check.h"
#include "bench/ini.h"
#include "check.h"

static kmv_status read_text(const char *text, kmv_config *config, kmv_error *err)
{
    char path[] = "/tmp/kmv-test-config-XXXXXX";
    const int fd = mkstemp(path);
    kmv_status st;

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (int)strlen(text));
    close(fd);
    st = kmv_config_read(path, config, err);
    unlink(path);
    return st;
}

static void everything(void **state)
{
    const char *text = "[experiment]  # a comment\n"
                       "name = all\n"
                       "title = Everything; really # not this\n"
                       "seed = 2^40\n"
                       "reps = 7\n"
                       "min_time = 1m\n"
                       "verify_rows = 100\n"
                       "verify_pairs = 2^20\n"
                       "limit_time = 0.5\n"
                       "limit_memory = 2G\n"
                       "[sweep]\n"
                       "; data sets may come later\n"
                       "dataset = blobs\n"
                       "algo = null,\n"
                       "    exact\n"
                       "n = geom(16, 64, 2), 100\n"
                       "sigma = 0.5, x2, sum:1\n"
                       "[sweep other]\n"
                       "dataset = file\n"
                       "algo = uniform\n"
                       "eps = 0.1, 0.2\n"
                       "[dataset blobs]\n"
                       "generator = planted\n"
                       "sum = 3\n"
                       "[dataset file]\n"
                       "file = a/b.h5:L00H1\n"
                       "made_by = make data\n"
                       "[algo uniform]\n"
                       "samples = 16, 32\n"
                       "[measure]\n"
                       "dataset = blobs, file\n"
                       "matrix = rowmax\n"
                       "rows = all\n"
                       "op_norm = yes\n"
                       "drop_first = 4\n"
                       "[figure one]\n"
                       "kind = time_vs_n\n";
    kmv_config c = {0};
    kmv_error err = {""};

    (void)state;
    CHECK_OK(read_text(text, &c, &err));
    assert_string_equal(c.name, "all");
    assert_string_equal(c.title, "Everything; really");
    assert_true(c.seed == (uint64_t)1 << 40);
    assert_int_equal(c.reps, 7);
    CHECK_CLOSE(c.min_time_s, 60, 0);
    assert_int_equal(c.verify_rows, 100);
    CHECK_CLOSE(c.verify_pairs_max, 1048576, 0);
    CHECK_CLOSE(c.limit_time_s, 0.5, 0);
    CHECK_CLOSE(c.limit_memory_b, 2147483648.0, 0);
    assert_int_equal(c.n_sweeps, 2);
    assert_int_equal(c.sweeps[0].algo.count, 2);
    assert_string_equal(c.sweeps[0].algo.items[1], "exact");
    assert_int_equal(c.sweeps[0].n.count, 4);
    assert_string_equal(c.sweeps[0].n.items[3], "100");
    assert_int_equal(c.sweeps[0].n.line, 16);
    assert_int_equal(c.sweeps[0].eps.count, 0);
    assert_string_equal(c.sweeps[1].name, "other");
    assert_int_equal(c.n_datasets, 2);
    assert_string_equal(c.datasets[0].generator, "planted");
    assert_string_equal(c.datasets[0].options, "sum=3");
    assert_string_equal(c.datasets[1].address, "a/b.h5:L00H1");
    assert_string_equal(c.datasets[1].made_by, "make data");
    assert_int_equal(c.n_algos, 1);
    assert_string_equal(c.algos[0].option[0], "samples");
    assert_int_equal(c.algos[0].values[0].count, 2);
    assert_int_equal(c.n_measures, 1);
    assert_int_equal(c.measures[0].rows, 0);
    assert_int_equal(c.measures[0].op_norm, 1);
    assert_int_equal(c.measures[0].drop_first, 4);
    assert_int_equal(c.n_figures, 1);
    assert_string_equal(c.figures[0].entries[0].value, "time_vs_n");
    assert_int_equal(c.text_size, strlen(text));
    kmv_config_clear(&c);
    kmv_config_clear(&c);
}

static void defaults(void **state)
{
    kmv_config c = {0};
    kmv_error err = {""};

    (void)state;
    CHECK_OK(
        read_text("[dataset a]\ngenerator = iid\n[sweep]\ndataset = a\nalgo = null\n", &c, &err));
    assert_true(strncmp(c.name, "kmv-test-config-", 16) == 0); /* the file's name */
    assert_true(c.seed == 1);
    assert_int_equal(c.reps, 5);
    CHECK_CLOSE(c.limit_time_s, 600, 0);
    kmv_config_clear(&c);
}

static void failure_leaves_config(void **state)
{
    kmv_config c = {.reps = 99};
    kmv_error err = {""};

    (void)state;
    CHECK_FAILS(read_text("[experiment]\nreps = 3\nreps = 4\n", &c, &err), KMV_EINVAL,
                ":3: reps: stands already on line 2");
    assert_int_equal(c.reps, 99);
}

/* inih cuts lines at 200 characters; a list of any length must come through whole. */
static void long_lists(void **state)
{
    enum { COUNT = 300 };
    char text[8192];
    size_t used = (size_t)snprintf(text, sizeof text, "[a]\nlist = ");
    kmv_ini ini = {0};
    kmv_error err = {""};
    const char *at;

    (void)state;
    for (size_t i = 0; i < COUNT; i++)
        used +=
            (size_t)snprintf(text + used, sizeof text - used, "%sitem%zu", i > 0 ? ", " : "", i);
    used += (size_t)snprintf(text + used, sizeof text - used, "\nnext = 1\n");
    CHECK_OK(kmv_ini_parse("long.ini", text, used, &ini, &err));
    assert_int_equal(ini.count, 1);
    assert_int_equal(ini.sections[0].count, 2);
    assert_int_equal(ini.sections[0].entries[1].line, 3);
    at = ini.sections[0].entries[0].value;
    for (size_t i = 0; i < COUNT; i++) {
        char want[16];

        snprintf(want, sizeof want, "item%zu", i);
        at += strspn(at, ", ");
        assert_true(strncmp(at, want, strlen(want)) == 0);
        at += strlen(want);
    }
    assert_string_equal(at, "");
    kmv_ini_clear(&ini);
    kmv_ini_clear(&ini);
}

static void refused(const char *text, size_t size, const char *message)
{
    kmv_ini ini = {0};
    kmv_error err = {""};

    CHECK_FAILS(kmv_ini_parse("f", text, size, &ini, &err), KMV_EINVAL, message);
    assert_null(ini.sections);
}

static void bad_files(void **state)
{
    char long_line[5000], long_word[300];

    (void)state;
    memset(long_line, 'a', sizeof long_line);
    refused(long_line, sizeof long_line, "f:1: want lines of text of less than 4096");
    memcpy(long_word, "[a]\nb=", 6);
    memset(long_word + 6, 'a', sizeof long_word - 6);
    refused(long_word, sizeof long_word, "f:2: want a comma at least every 180");
    refused("[a]\nb=\0c\n", 9, "f:2: want lines of text");
    refused("[a\nb=1\n", 7, "f:1: want [section]");
    refused("[]\n", 3, "f:1: want a section name");
    refused("[a]\n=1\n", 7, "f:2: want a key");
    refused("[a]\n0123456789012345678901234567890123456789x=1\n", 47, "f:2: want a key of 1 to 40");
    refused("[a]\n[b]\n[a]\n", 12, "f:3: section [a] stands already on line 1");
}

static void empty_file(void **state)
{
    kmv_ini ini = {0};
    kmv_error err = {""};

    (void)state;
    CHECK_OK(kmv_ini_parse("f", "", 0, &ini, &err));
    assert_int_equal(ini.count, 0);
    CHECK_OK(kmv_ini_parse("f", "# only a comment", 16, &ini, &err));
    assert_int_equal(ini.count, 0);
}

static void units(void **state)
{
    double v = -1;

    (void)state;
    assert_true(kmv_parse_seconds("0.5s", &v));
    CHECK_CLOSE(v, 0.5, 0);
    assert_true(kmv_parse_seconds("2h", &v));
    CHECK_CLOSE(v, 7200, 0);
    assert_true(kmv_parse_seconds("3", &v));
    CHECK_CLOSE(v, 3, 0);
    assert_true(kmv_parse_bytes("500M", &v));
    CHECK_CLOSE(v, 524288000, 0);
    assert_true(kmv_parse_bytes("1e6", &v));
    CHECK_CLOSE(v, 1e6, 0);
    assert_false(kmv_parse_seconds("s", &v));
    assert_false(kmv_parse_seconds("", &v));
    assert_false(kmv_parse_seconds("1 2", &v));
    assert_false(kmv_parse_seconds("nan", &v));
    assert_false(kmv_parse_bytes("2GB", &v));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything),
        cmocka_unit_test(defaults),
        cmocka_unit_test(failure_leaves_config),
        cmocka_unit_test(long_lists),
        cmocka_unit_test(bad_files),
        cmocka_unit_test(empty_file),
        cmocka_unit_test(units),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

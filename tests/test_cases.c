/* Cases of a configuration: products without what is ignored, ids, seeds, filters. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/cases.h"
#include "bench/trial.h"
#include "check.h"

static kmv_config config;
static kmv_cases cases;

static void make(const char *text)
{
    char path[] = "/tmp/kmv-test-cases-XXXXXX";
    const int fd = mkstemp(path);
    kmv_error err = {""};

    kmv_cases_clear(&cases);
    kmv_config_clear(&config);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (int)strlen(text));
    close(fd);
    CHECK_OK(kmv_config_read(path, &config, &err));
    unlink(path);
    CHECK_OK(kmv_cases_make(&config, &cases, &err));
}

static int clear(void **state)
{
    (void)state;
    kmv_cases_clear(&cases);
    kmv_config_clear(&config);
    return 0;
}

#define DATA "[dataset a]\ngenerator = planted\n[dataset b]\ngenerator = iid\n"

static size_t count_of(const char *algo)
{
    size_t count = 0;

    for (size_t i = 0; i < cases.n_cases; i++)
        count += strcmp(kmv_algo_name(cases.cases[i].algo), algo) == 0;
    return count;
}

static void ignored_lists_do_not_multiply(void **state)
{
    (void)state;
    make(DATA "[sweep]\ndataset = a, b\nalgo = exact, uniform\nn = 16, 32, 64\n"
              "eps = 0.1, 0.2, 0.4, 0.8\ndelta = 0.01, 0.1\n");
    assert_int_equal(count_of("exact"), 2 * 3);
    assert_int_equal(count_of("uniform"), 2 * 3 * 4 * 2);
    for (size_t i = 0; i < cases.n_cases; i++)
        assert_int_equal(isnan(cases.cases[i].eps),
                         strcmp(kmv_algo_name(cases.cases[i].algo), "exact") == 0);
}

static void duplicates_merge(void **state)
{
    (void)state;
    make(DATA "[sweep]\ndataset = a\nalgo = exact, exact\nn = 16, 2^4, 32\nsigma = 1, 1.0, x1\n"
              "[sweep again]\ndataset = a\nalgo = exact\nn = 16\nsigma = 1, 1\n"
              "[sweep more]\ndataset = a\nalgo = exact\nn = 16\nsigma = 1\n");
    assert_int_equal(cases.n_cases, 4);                      /* n = 16, 32 and sigma = 1, x1 */
    assert_string_equal(cases.cases[0].sweep, "again+more"); /* each name once */
    assert_string_equal(cases.cases[1].sweep, "");
}

static void options_multiply(void **state)
{
    (void)state;
    make(DATA "[sweep]\ndataset = a\nalgo = uniform, null\nn = 16\n"
              "[algo uniform]\nsamples = 8, 4, 2\n");
    assert_int_equal(count_of("uniform"), 3);
    assert_int_equal(count_of("null"), 1);
    assert_string_equal(cases.cases[0].options, "samples=8");
    assert_string_equal(cases.cases[2].options, "samples=2");
    /* A sample size that is given leaves nothing for eps to decide. */
    make(DATA "[sweep]\ndataset = a\nalgo = uniform\nn = 16\neps = 0.1, 0.2, 0.4\n"
              "[algo uniform]\nsamples = 0, 8\n");
    assert_int_equal(count_of("uniform"), 3 + 1);
}

/* Sections of one algorithm add up, each for the sweeps it names; in a sweep that none is for the
 * defaults hold. */
static void options_by_sweep(void **state)
{
    size_t plain = 0, more = 0, last = 0;

    (void)state;
    make(DATA "[algo uniform]\nsweep = one, two\nsamples = 8, 4\n"
              "[algo uniform wide]\nsweep = two\nsamples = 64, 8\nsafety = 0\n"
              "[sweep one]\ndataset = a\nalgo = uniform\nn = 16\n"
              "[sweep two]\ndataset = a\nalgo = uniform\nn = 32\n"
              "[sweep three]\ndataset = a\nalgo = uniform\nn = 64\neps = 0.1, 0.2\n");
    for (size_t i = 0; i < cases.n_cases; i++) {
        plain += strcmp(cases.cases[i].sweep, "one") == 0;
        more += strcmp(cases.cases[i].sweep, "two") == 0;
        last += strcmp(cases.cases[i].sweep, "three") == 0 && *cases.cases[i].options == '\0';
    }
    assert_int_equal(plain, 2);
    assert_int_equal(more, 3); /* 8, 4 and 64: 8 is asked for twice */
    assert_int_equal(last, 2);
}

static void defaults_are_natural(void **state)
{
    const kmv_planned *c;

    (void)state;
    make(DATA "[sweep]\ndataset = a\nalgo = exact\n[sweep s]\ndataset = a\nalgo = null\n"
              "matrix = softmax\n");
    c = &cases.cases[0];
    assert_true(c->problem.n > 0 && c->problem.d > 0); /* the generator's own */
    assert_string_equal(c->problem.sigma_spec, "x1");
    assert_string_equal(c->x_kind, "gauss");
    assert_int_equal(c->problem.causal, 0);
    assert_int_equal(c->problem.center, KMV_CENTER_NONE);
    assert_int_equal(c->threads, 0);
    c = &cases.cases[1];
    assert_string_equal(c->x_kind, "v");
    assert_int_equal(c->problem.causal, -1); /* as the data says */
}

static void adding_moves_no_other(void **state)
{
    kmv_trial_settings settings = {.seed = 5};
    char ids[64][24];
    uint64_t seeds[64];
    size_t count, found = 0;

    (void)state;
    make(DATA "[sweep]\ndataset = a\nalgo = exact, uniform\nn = 16, 64\neps = 0.1\n");
    count = cases.n_cases;
    for (size_t i = 0; i < count; i++) {
        memcpy(ids[i], cases.cases[i].id, sizeof ids[i]);
        seeds[i] = kmv_trial_seed(&settings, &cases.cases[i], 2);
    }
    make(DATA "[sweep]\ndataset = b, a\nalgo = null, exact, uniform\nn = 16, 32, 64\n"
              "eps = 0.2, 0.1\nsigma = x1, 2\nx = sign, gauss\n");
    for (size_t i = 0; i < cases.n_cases; i++) {
        for (size_t j = 0; j < count; j++) {
            if (strcmp(cases.cases[i].id, ids[j]) != 0)
                continue;
            found++;
            assert_true(kmv_trial_seed(&settings, &cases.cases[i], 2) == seeds[j]);
            assert_true(kmv_trial_seed(&settings, &cases.cases[i], 3) != seeds[j]);
        }
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(cases.cases[i].id, cases.cases[j].id);
    }
    assert_int_equal(found, count);
}

/* An id is a promise to old results: the first 16 digits of sha256sum of the key. */
static void id_is_stable(void **state)
{
    (void)state;
    make(DATA "[sweep]\ndataset = a\nalgo = exact\nn = 16\nd = 4\n");
    assert_string_equal(cases.cases[0].key,
                        "dataset=a generator=planted{} n=16 d=4 matrix=gauss causal=no center=none "
                        "sigma=x1 x=gauss algo=exact opts={} eps= delta= threads=0 isa=");
    assert_string_equal(cases.cases[0].id, "0ce8a0f8a1347482");
}

static void filters(void **state)
{
    kmv_error err = {""};
    const char *text = DATA "[sweep]\ndataset = a, b\nalgo = null, exact\nn = 16, 160\n"
                            "[measure]\ndataset = a\nn = 16, 160\n";

    (void)state;
    make(text);
    assert_int_equal(cases.n_cases, 8);
    assert_int_equal(cases.n_measures, 2);
    CHECK_OK(kmv_cases_filter(&cases, "n=16", &err)); /* a whole value, not a beginning of one */
    assert_int_equal(cases.n_cases, 4);
    assert_int_equal(cases.n_measures, 1);
    CHECK_OK(kmv_cases_filter(&cases, "dataset=b,algo=exact", &err));
    assert_int_equal(cases.n_cases, 1);
    assert_int_equal(cases.n_measures, 0);
    make(text);
    CHECK_OK(kmv_cases_filter(&cases, "iid", &err)); /* any part of the text */
    assert_int_equal(cases.n_cases, 4);
    make(text);
    CHECK_FAILS(kmv_cases_filter(&cases, "n=1", &err), KMV_EINVAL, "no case matches 'n=1'");
}

static void impossible_cases_say_so(void **state)
{
    (void)state;
    make(DATA "[sweep]\ndataset = a\nalgo = null\nmatrix = softmax\nsigma = sum:1, x1\n");
    assert_int_equal(cases.n_cases, 2);
    assert_string_equal(cases.cases[0].problem.skip, "sigma = sum:1 is for gauss matrices only");
    assert_string_equal(cases.cases[1].problem.skip, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(ignored_lists_do_not_multiply, clear),
        cmocka_unit_test_teardown(duplicates_merge, clear),
        cmocka_unit_test_teardown(options_multiply, clear),
        cmocka_unit_test_teardown(options_by_sweep, clear),
        cmocka_unit_test_teardown(defaults_are_natural, clear),
        cmocka_unit_test_teardown(adding_moves_no_other, clear),
        cmocka_unit_test_teardown(id_is_stable, clear),
        cmocka_unit_test_teardown(filters, clear),
        cmocka_unit_test_teardown(impossible_cases_say_so, clear),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* cli/args.c: positional words, options with and without values, common options, help. */
#include "check.h"

#include <float.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/args.h"

static const kmv_cli_option options[] = {
    {"--sigma", "S", "bandwidth"},
    {"--json", NULL, "one object"},
    {"-o", "FILE", "where to"},
    {0},
};
static const kmv_command command = {
    .name = "test",
    .usage = "test FILE [MORE]",
    .summary = "a command of the test",
    .options = options,
    .positional_min = 1,
    .positional_max = 2,
};

/* args.c prints the table of commands in its help; here it is this one. */
const kmv_command *const kmv_commands[] = {&command, NULL};

enum { MAX_WORDS = 300 };

static kmv_cli cli;
static kmv_args args;
static kmv_error err;

/* Parse the words of a line, which are separated by one blank each. */
static kmv_status parse(const char *line)
{
    static char copy[4096];
    char *argv[MAX_WORDS], *save = NULL;
    int argc = 0;

    snprintf(copy, sizeof copy, "%s", line);
    for (char *w = strtok_r(copy, " ", &save); w != NULL; w = strtok_r(NULL, " ", &save))
        argv[argc++] = w;
    cli = (kmv_cli){.seed = 1, .color = 1};
    err.text[0] = '\0';
    return kmv_args_parse(&command, argc, argv, &cli, &args, &err);
}

static void splits(void **state)
{
    (void)state;
    CHECK_OK(parse("a b --json --sigma=3"));
    assert_int_equal(args.n_positional, 2);
    assert_string_equal(args.positional[0], "a");
    assert_string_equal(args.positional[1], "b");
    assert_string_equal(kmv_args_value(&args, "--sigma", "none"), "3");
    assert_true(kmv_args_has(&args, "--json"));
    assert_false(kmv_args_has(&args, "-o"));
    assert_string_equal(kmv_args_value(&args, "-o", "none"), "none");
}

static void numbers_are_no_options(void **state)
{
    double sigma = 0;

    (void)state;
    CHECK_OK(parse("-1 --sigma -2.5e-3 -"));
    assert_string_equal(args.positional[0], "-1");
    assert_string_equal(args.positional[1], "-");
    CHECK_OK(kmv_args_real(&args, "--sigma", -1, 1, &sigma, &err));
    CHECK_CLOSE(sigma, -0.0025, 0);
}

static void two_dashes_end_options(void **state)
{
    (void)state;
    CHECK_OK(parse("-- --sigma --"));
    assert_int_equal(args.n_positional, 2);
    assert_string_equal(args.positional[0], "--sigma");
    assert_string_equal(args.positional[1], "--");
}

static void values_after_an_equals_sign(void **state)
{
    (void)state;
    CHECK_OK(parse("a -o=x=y"));
    assert_string_equal(kmv_args_value(&args, "-o", ""), "x=y");
    CHECK_OK(parse("a -o="));
    assert_string_equal(kmv_args_value(&args, "-o", "none"), "");
    CHECK_OK(parse("a -o=--json")); /* a file that is called like an option */
    assert_string_equal(kmv_args_value(&args, "-o", ""), "--json");
    assert_false(kmv_args_has(&args, "--json"));
}

static void common_options(void **state)
{
    (void)state;
    CHECK_OK(parse("a"));
    assert_int_equal(cli.threads, 0);
    assert_int_equal(cli.seed_given, 0);
    assert_null(cli.isa);
    CHECK_OK(parse(
        "--threads 2 a --isa=portable --seed 18446744073709551615 --strict -q -v --no-color"));
    assert_int_equal(cli.threads, 2);
    assert_string_equal(cli.isa, "portable");
    assert_true(cli.seed == UINT64_MAX && cli.seed_given);
    assert_true(cli.strict && cli.quiet && cli.verbose && !cli.color);
    assert_int_equal(args.n_options, 7); /* kept, so that a second value is noticed */
}

static void refuses(void **state)
{
    (void)state;
    CHECK_FAILS(parse(""), KMV_EINVAL, "an argument is missing, want: kmv test FILE [MORE]");
    CHECK_FAILS(parse("a b c"), KMV_EINVAL, "unexpected argument 'c'");
    CHECK_FAILS(parse("a --sigam 1"), KMV_EINVAL,
                "unknown option '--sigam', did you mean '--sigma'?");
    CHECK_FAILS(parse("a --sigam=1"), KMV_EINVAL, "unknown option '--sigam', did you mean");
    CHECK_FAILS(parse("a --thread 1"), KMV_EINVAL, "did you mean '--threads'?");
    CHECK_FAILS(parse("a -x"), KMV_EINVAL, "test: unknown option '-x'");
    assert_null(strstr(err.text, "did you mean")); /* one letter says nothing */
    CHECK_FAILS(parse("a --sigma"), KMV_EINVAL, "--sigma: want a value (S)");
    CHECK_FAILS(parse("a --sigma --json"), KMV_EINVAL, "--sigma: want a value (S)");
    CHECK_FAILS(parse("a -o -q"), KMV_EINVAL, "-o: want a value (FILE)");
    CHECK_FAILS(parse("a --json=1"), KMV_EINVAL, "--json: takes no value");
    CHECK_FAILS(parse("a --strict=no"), KMV_EINVAL, "--strict: takes no value");
    CHECK_FAILS(parse("a --threads 0"), KMV_EINVAL,
                "--threads: want an integer in [1, 4096], got '0'");
    CHECK_FAILS(parse("a --threads -1"), KMV_EINVAL, "got '-1'");
    CHECK_FAILS(parse("a --threads 4097"), KMV_EINVAL, "got '4097'");
    CHECK_FAILS(parse("a --threads 1.5"), KMV_EINVAL, "got '1.5'");
    CHECK_FAILS(parse("a --threads="), KMV_EINVAL, "got ''");
    CHECK_FAILS(parse("a --seed -1"), KMV_EINVAL, "--seed: want an integer >= 0, got '-1'");
    CHECK_FAILS(parse("a --seed 18446744073709551616"), KMV_EINVAL, "--seed");
}

static void has_limits(void **state)
{
    static const kmv_command many = {.name = "many", .usage = "many", .positional_max = 1000};
    char word[] = "w", flag[] = "--json", file[] = "f";
    char *words[KMV_ARGS_MAX + 1], *flags[KMV_ARGS_MAX + 2];

    (void)state;
    for (int i = 0; i <= KMV_ARGS_MAX; i++) {
        words[i] = word;
        flags[i] = flag;
    }
    flags[KMV_ARGS_MAX + 1] = file;
    CHECK_OK(kmv_args_parse(&many, KMV_ARGS_MAX, words, &cli, &args, &err));
    CHECK_FAILS(kmv_args_parse(&many, KMV_ARGS_MAX + 1, words, &cli, &args, &err), KMV_EINVAL,
                "more than 256 arguments");
    CHECK_OK(kmv_args_parse(&command, KMV_ARGS_MAX + 1, flags + 1, &cli, &args, &err));
    CHECK_FAILS(kmv_args_parse(&command, KMV_ARGS_MAX + 2, flags, &cli, &args, &err), KMV_EINVAL,
                "more than 256 options");
}

static void typed_values(void **state)
{
    double real = 42;
    size_t size = 42;
    int flag = 42;

    (void)state;
    CHECK_OK(parse("a"));
    CHECK_OK(kmv_args_real(&args, "--sigma", 0, 1, &real, &err)); /* absent: as it was */
    CHECK_OK(kmv_args_size(&args, "--sigma", 0, 1, &size, &err));
    CHECK_OK(kmv_args_bool(&args, "--sigma", &flag, &err));
    assert_true(real == 42 && size == 42 && flag == 42);

    CHECK_OK(parse("a --sigma 1e3"));
    CHECK_OK(kmv_args_real(&args, "--sigma", DBL_MIN, DBL_MAX, &real, &err));
    CHECK_OK(kmv_args_size(&args, "--sigma", 0, 1000, &size, &err));
    assert_true(real == 1000 && size == 1000);
    CHECK_FAILS(kmv_args_real(&args, "--sigma", 0, 999, &real, &err), KMV_EINVAL,
                "--sigma: want a number in [0, 999], got '1e3'");
    CHECK_FAILS(kmv_args_size(&args, "--sigma", 0, 999, &size, &err), KMV_EINVAL,
                "--sigma: want an integer in [0, 999], got '1e3'");
    CHECK_FAILS(kmv_args_bool(&args, "--sigma", &flag, &err), KMV_EINVAL, "want yes or no");

    CHECK_OK(parse("a --sigma nan"));
    CHECK_FAILS(kmv_args_real(&args, "--sigma", DBL_MIN, DBL_MAX, &real, &err), KMV_EINVAL,
                "--sigma: want a number > 0, got 'nan'");
    CHECK_OK(parse("a --sigma 0"));
    CHECK_FAILS(kmv_args_real(&args, "--sigma", DBL_MIN, DBL_MAX, &real, &err), KMV_EINVAL,
                "got '0'");
    CHECK_FAILS(kmv_args_size(&args, "--sigma", 1, SIZE_MAX, &size, &err), KMV_EINVAL,
                "--sigma: want an integer >= 1, got '0'");
    CHECK_OK(parse("a --sigma off"));
    CHECK_OK(kmv_args_bool(&args, "--sigma", &flag, &err));
    assert_int_equal(flag, 0);
    assert_true(real == 1000 && size == 1000);
}

static void help_names_every_option(void **state)
{
    size_t size = 0;
    char *text = NULL;
    FILE *f = open_memstream(&text, &size);

    (void)state;
    kmv_help_command(&command, f);
    kmv_help_all(f);
    fclose(f);
    for (const kmv_cli_option *o = options; o->name != NULL; o++)
        assert_non_null(strstr(text, o->name));
    for (const kmv_cli_option *o = kmv_common_options; o->name != NULL; o++)
        assert_non_null(strstr(text, o->name));
    assert_non_null(strstr(text, "usage: kmv test FILE [MORE]\n"));
    assert_non_null(strstr(text, "a command of the test"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(splits),
        cmocka_unit_test(numbers_are_no_options),
        cmocka_unit_test(two_dashes_end_options),
        cmocka_unit_test(values_after_an_equals_sign),
        cmocka_unit_test(common_options),
        cmocka_unit_test(refuses),
        cmocka_unit_test(has_limits),
        cmocka_unit_test(typed_values),
        cmocka_unit_test(help_names_every_option),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

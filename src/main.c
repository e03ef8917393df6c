/* main.c - the program: finds the command, prints the one error line, exits. The only place that
 * opens stdout and calls exit. */
#include <gsl/gsl_errno.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "algo/algo.h"
#include "base/cpu.h"
#include "base/status.h"
#include "base/str.h"
#include "cli/args.h"

enum { EXIT_USAGE = 2 };

static const kmv_command *find_command(const char *name)
{
    for (size_t i = 0; kmv_commands[i] != NULL; i++) {
        if (strcmp(kmv_commands[i]->name, name) == 0)
            return kmv_commands[i];
    }
    return NULL;
}

static const char *closest_command(const char *name)
{
    const char *names[64];
    size_t count = 0;

    while (kmv_commands[count] != NULL && count < 64) {
        names[count] = kmv_commands[count]->name;
        count++;
    }
    return kmv_closest(name, names, count);
}

/* Why there is nothing to run: a misspelt command, a wrong option, or nothing asked for. */
static void no_command(int argc, char **argv, const char *name, kmv_error *err)
{
    static const kmv_command none = {.name = "kmv", .usage = "COMMAND ..."};
    const char *near = name != NULL ? closest_command(name) : NULL;
    kmv_cli cli = {0};
    kmv_args args;

    if (near != NULL)
        kmv_fail(err, KMV_EINVAL, "unknown command '%s', did you mean '%s'?", name, near);
    else if (name != NULL)
        kmv_fail(err, KMV_EINVAL, "unknown command '%s' (see kmv --help)", name);
    else if (kmv_args_parse(&none, argc, argv, &cli, &args, err) == KMV_OK)
        kmv_fail(err, KMV_EINVAL, "want a command (see kmv --help)");
}

static int has_word(int argc, char **argv, const char *word)
{
    for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], word) == 0)
            return 1;
    }
    return 0;
}

/* Common options may stand before the command: the first word that is neither one of them nor the
 * value of one is the command. Returns its index in argv, or argc. */
static int command_index(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        const kmv_cli_option *o = kmv_common_options;

        if (argv[i][0] != '-' || argv[i][1] == '\0')
            return i;
        while (o->name != NULL && strcmp(o->name, argv[i]) != 0)
            o++;
        if (o->name != NULL && o->value != NULL)
            i++;
    }
    return argc;
}

/* What was printed may not have reached its place (a full disk, a closed pipe): that is an error,
 * unless there was one already. */
static int finish(int exit_code)
{
    if ((fflush(stdout) != 0 || ferror(stdout)) && exit_code != EXIT_USAGE) {
        fputs("kmv: standard output cannot be written\n", stderr);
        return EXIT_USAGE;
    }
    return exit_code;
}

static int run_command(const kmv_command *command, int argc, char **argv)
{
    kmv_cli cli = {.out = stdout, .err = stderr, .seed = 1};
    int exit_code = 0;
    kmv_error err = {""};
    kmv_args args;
    kmv_status st;

    cli.color = isatty(STDERR_FILENO) && getenv("NO_COLOR") == NULL;
    if ((st = kmv_cpu_check(&err)) == KMV_OK)
        st = kmv_args_parse(command, argc, argv, &cli, &args, &err);
    if (st == KMV_OK)
        st = command->run(&cli, &args, &exit_code, &err);
    if (st != KMV_OK) {
        fflush(stdout); /* in its place before the line that explains why it ends */
        fprintf(stderr, "kmv: %s\n", err.text);
        exit_code = EXIT_USAGE;
    }
    return finish(exit_code);
}

int main(int argc, char **argv)
{
    const int at = command_index(argc, argv);
    const kmv_command *command = at < argc ? find_command(argv[at]) : NULL;
    kmv_error err = {""};

    setlocale(LC_ALL, "C"); /* numbers in files have a point, whatever the user's language */
    gsl_set_error_handler_off();
    if (kmv_algo_check_table(&err) != KMV_OK) {
        fprintf(stderr, "kmv: %s\n", err.text);
        return EXIT_FAILURE;
    }
    if (has_word(argc, argv, "--version")) {
        printf("kmv %s\n", kmv_version());
        return finish(EXIT_SUCCESS);
    }
    if (has_word(argc, argv, "--help")) {
        if (command != NULL)
            kmv_help_command(command, stdout);
        else
            kmv_help_all(stdout);
        return finish(EXIT_SUCCESS);
    }
    if (command == NULL) {
        no_command(argc - 1, argv + 1, at < argc ? argv[at] : NULL, &err);
        fprintf(stderr, "kmv: %s\n", err.text);
        return EXIT_USAGE;
    }
    /* The command's own name goes; what stood before it and behind it are its arguments. */
    for (int i = at; i > 1; i--)
        argv[i] = argv[i - 1];
    return run_command(command, argc - 2, argv + 2);
}

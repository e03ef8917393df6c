/* cli/args.h - command lines by table: positional words, options with and without a value. */
#ifndef KMV_CLI_ARGS_H
#define KMV_CLI_ARGS_H

#include <stdio.h>

#include "kmv.h"

/** One option of a command; a row with name NULL ends the table. */
typedef struct {
    const char *name;  /* "--sigma", "-o" */
    const char *value; /* what the value is called in help, or NULL for a flag */
    const char *help;  /* one line, with the default */
} kmv_cli_option;

/** What every command gets: the streams (only main opens them) and the common options. */
typedef struct {
    FILE *out, *err;
    int threads; /* 0: all */
    const char *isa;
    uint64_t seed;
    int seed_given, strict, quiet, verbose, color;
} kmv_cli;

enum { KMV_ARGS_MAX = 256 };

/** The threads asked for, else all that the process may use. */
int kmv_cli_threads(const kmv_cli *cli);

/** Parsed words; they point into argv. */
typedef struct {
    const char *positional[KMV_ARGS_MAX];
    size_t n_positional;
    const char *names[KMV_ARGS_MAX], *values[KMV_ARGS_MAX];
    size_t n_options;
} kmv_args;

typedef struct {
    const char *name, *usage, *summary;
    const kmv_cli_option *options;
    size_t positional_min, positional_max;
    /** exit_code: 0 on entry; 1 says that the work was done and found something wrong. A status
     *  other than KMV_OK is a usage, config or input error: exit code 2 with err's line. */
    kmv_status (*run)(kmv_cli *cli, const kmv_args *args, int *exit_code, kmv_error *err);
} kmv_command;

/** The table of commands, ended by NULL. */
extern const kmv_command *const kmv_commands[];

/** Options every command takes, anywhere on the line. */
extern const kmv_cli_option kmv_common_options[];

/** Split argv (without the program's and the command's name). Unknown options are KMV_EINVAL with
 *  the nearest name; "--" ends options; "--name=value" is "--name value"; a value given twice is
 *  KMV_EINVAL, and so is an instruction set that this machine does not run. */
kmv_status kmv_args_parse(const kmv_command *command, int argc, char **argv, kmv_cli *cli,
                          kmv_args *args, kmv_error *err);

/** The value of an option, or fallback; whether it was given. */
const char *kmv_args_value(const kmv_args *args, const char *name, const char *fallback);
int kmv_args_has(const kmv_args *args, const char *name);

/** Typed values with ranges; KMV_EINVAL names the option. The output keeps its value when the
 *  option is absent. */
kmv_status kmv_args_real(const kmv_args *args, const char *name, double lo, double hi,
                         double *value, kmv_error *err);
kmv_status kmv_args_size(const kmv_args *args, const char *name, size_t lo, size_t hi,
                         size_t *value, kmv_error *err);
kmv_status kmv_args_bool(const kmv_args *args, const char *name, int *value, kmv_error *err);

/** Usage, options and common options of one command; the list of commands. */
void kmv_help_command(const kmv_command *command, FILE *out);
void kmv_help_all(FILE *out);

#endif

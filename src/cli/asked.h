/* cli/asked.h - what commands that multiply ask in the same way: problem, algorithm, result file.
 */
#ifndef KMV_CLI_ASKED_H
#define KMV_CLI_ASKED_H

#include "cli/args.h"
#include "data/dataset.h"

enum { KMV_ASKED_PATH = 512 };

/** --matrix, --center, --sigma, --causal. */
typedef struct {
    kmv_matrix matrix;
    kmv_center center;
    const char *sigma; /* as bench/sigma.h reads it; "x1" where it was not given */
    int causal;        /* -1: the default */
} kmv_asked;

#define KMV_ASKED_SIGMA_HELP                                                                       \
    "bandwidth: a number, x2 (times the natural one), sum:1 (sum(K)/n = 1, gauss only) (default: " \
    "the problem's, else d^(1/4))"

/** KMV_EINVAL names the option. */
kmv_status kmv_asked_parse(const kmv_args *args, kmv_asked *asked, kmv_error *err);

/** The problem asked of this data, with the defaults that its file gives; it borrows view, which
 *  the caller clears in any case. --sigma sum:S is solved for this very problem, shift and mask
 *  included, on the threads and the ISA of cli (10 to 20 exact products). */
kmv_status kmv_asked_problem(const kmv_asked *asked, const kmv_cli *cli, const kmv_dataset *data,
                             kmv_view *view, kmv_problem *problem, kmv_error *err);

/** NAME[:opt=val,...]: the algorithm, and its options as a part of text. KMV_EINVAL, with the
 *  nearest name, for an unknown one. */
kmv_status kmv_asked_algo(const char *text, const kmv_algo **algo, const char **options,
                          kmv_error *err);

/** OUT or OUT:NAME, split at the last colon (a path may hold one, and what ends in .h5 is a file):
 *  path takes OUT, *name points at NAME, or fallback. `command` is for the message when text is
 *  NULL. */
kmv_status kmv_asked_target(const char *text, const char *command, const char *fallback,
                            char path[KMV_ASKED_PATH], const char **name, kmv_error *err);

/** "gauss" or "softmax". */
const char *kmv_matrix_name(kmv_matrix matrix);

/** An answer as `name: value` lines, or as one JSON object on a line. */
typedef struct {
    FILE *out;
    void *object; /* cJSON, or NULL: lines */
} kmv_answer;

kmv_status kmv_answer_begin(kmv_answer *a, FILE *out, int json, kmv_error *err);
void kmv_answer_text(kmv_answer *a, const char *name, const char *text);
void kmv_answer_number(kmv_answer *a, const char *name, double number); /* NaN: null in JSON */
/** Print what is still held, and free it. */
kmv_status kmv_answer_end(kmv_answer *a, kmv_error *err);

#endif

/* cli/asked.c - see asked.h. */
#include "cli/asked.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <string.h>

#include "base/status.h"
#include "bench/sigma.h"

const char *kmv_matrix_name(kmv_matrix matrix)
{
    return matrix == KMV_SOFTMAX ? "softmax" : "gauss";
}

static kmv_status parse_matrix(const char *text, kmv_matrix *matrix, kmv_error *err)
{
    if (strcmp(text, "gauss") == 0)
        *matrix = KMV_GAUSS;
    else if (strcmp(text, "softmax") == 0)
        *matrix = KMV_SOFTMAX;
    else
        return kmv_fail(err, KMV_EINVAL, "--matrix: want gauss or softmax, got '%s'", text);
    return KMV_OK;
}

/* The message begins with the key of configs. */
static kmv_status check_sigma(const char *text, kmv_error *err)
{
    kmv_error inner = {""};
    const kmv_status st = kmv_sigma_check(text, &inner);

    return st == KMV_OK ? KMV_OK : kmv_fail(err, st, "--%s", inner.text);
}

kmv_status kmv_asked_parse(const kmv_args *args, kmv_asked *asked, kmv_error *err)
{
    kmv_asked a = {.sigma = kmv_args_value(args, "--sigma", "x1"), .causal = -1};
    kmv_status st;

    if ((st = parse_matrix(kmv_args_value(args, "--matrix", "gauss"), &a.matrix, err)) != KMV_OK ||
        (st = check_sigma(a.sigma, err)) != KMV_OK ||
        (st = kmv_args_bool(args, "--causal", &a.causal, err)) != KMV_OK ||
        (st = kmv_center_parse(kmv_args_value(args, "--center", "none"), &a.center, err)) != KMV_OK)
        return st;
    *asked = a;
    return KMV_OK;
}

kmv_status kmv_asked_problem(const kmv_asked *asked, const kmv_cli *cli, const kmv_dataset *data,
                             kmv_view *view, kmv_problem *problem, kmv_error *err)
{
    kmv_status st = kmv_view_init(view, data, 0, 0, asked->center, err);

    if (st != KMV_OK)
        return st;
    *problem =
        (kmv_problem){.q = &view->q, .k = &view->k, .matrix = asked->matrix, .heads = view->heads};
    problem->causal = asked->causal >= 0             ? asked->causal
                      : asked->matrix == KMV_SOFTMAX ? data->causal == 1
                                                     : 0;
    st = kmv_sigma_resolve(asked->sigma, data, problem, kmv_cli_threads(cli), cli->isa,
                           &problem->sigma, err);
    return st != KMV_OK ? st : kmv_problem_check(problem, err);
}

kmv_status kmv_asked_algo(const char *text, const kmv_algo **algo, const char **options,
                          kmv_error *err)
{
    const char *colon = strchr(text, ':');
    const size_t length = colon != NULL ? (size_t)(colon - text) : strlen(text);
    const kmv_algo *near, *found;
    char name[64];

    snprintf(name, sizeof name, "%.*s", (int)(length < sizeof name ? length : sizeof name - 1),
             text);
    if ((found = kmv_algo_find(name)) != NULL) {
        *algo = found;
        *options = colon != NULL ? colon + 1 : "";
        return KMV_OK;
    }
    near = kmv_algo_closest(name);
    return kmv_fail(err, KMV_EINVAL, "--algo: unknown algorithm '%s'%s%s%s", name,
                    near != NULL ? ", did you mean '" : " (see `kmv list algos`)",
                    near != NULL ? kmv_algo_name(near) : "", near != NULL ? "'?" : "");
}

static int ends_with(const char *text, const char *end)
{
    const size_t n = strlen(text), m = strlen(end);

    return n >= m && strcmp(text + n - m, end) == 0;
}

/* These names make a group a problem: a result under one would change it or break it. */
static kmv_status check_result_name(const char *name, kmv_error *err)
{
    static const char *const taken[] = {"q", "k", "v", "query", "key", "value"};
    const char *slash = strrchr(name, '/'), *last = slash != NULL ? slash + 1 : name;

    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++) {
        if (strcmp(last, taken[i]) == 0)
            return kmv_fail(err, KMV_EINVAL,
                            "-o: '%s': %s is the name of an array of a problem, want another one",
                            name, last);
    }
    return KMV_OK;
}

kmv_status kmv_asked_target(const char *text, const char *command, const char *fallback,
                            char path[KMV_ASKED_PATH], const char **name, kmv_error *err)
{
    const char *colon = text != NULL ? strrchr(text, ':') : NULL;
    size_t length;
    kmv_status st;

    if (text == NULL || *text == '\0')
        return kmv_fail(err, KMV_EINVAL, "%s: -o: want OUT or OUT:PATH for the result", command);
    if (colon != NULL && (ends_with(text, ".h5") || ends_with(text, ".hdf5")))
        colon = NULL;
    length = colon != NULL ? (size_t)(colon - text) : strlen(text);
    if (length == 0 || length >= KMV_ASKED_PATH || (colon != NULL && colon[1] == '\0'))
        return kmv_fail(err, KMV_EINVAL, "-o: want OUT or OUT:PATH, got '%s'", text);
    *name = colon != NULL ? colon + 1 : fallback;
    if ((st = check_result_name(*name, err)) != KMV_OK)
        return st;
    memcpy(path, text, length);
    path[length] = '\0';
    return KMV_OK;
}

kmv_status kmv_answer_begin(kmv_answer *a, FILE *out, int json, kmv_error *err)
{
    cJSON *object = json ? cJSON_CreateObject() : NULL;

    if (json && object == NULL)
        return kmv_fail(err, KMV_ENOMEM, "no memory for the answer");
    *a = (kmv_answer){.out = out, .object = object};
    return KMV_OK;
}

void kmv_answer_text(kmv_answer *a, const char *name, const char *text)
{
    if (a->object != NULL)
        cJSON_AddStringToObject(a->object, name, text);
    else
        fprintf(a->out, "%s: %s\n", name, text);
}

void kmv_answer_number(kmv_answer *a, const char *name, double number)
{
    if (a->object == NULL && isnan(number))
        fprintf(a->out, "%s: none\n", name);
    else if (a->object == NULL)
        fprintf(a->out, "%s: %.10g\n", name, number);
    else if (isfinite(number))
        cJSON_AddNumberToObject(a->object, name, number);
    else
        cJSON_AddNullToObject(a->object, name); /* JSON has no NaN */
}

kmv_status kmv_answer_end(kmv_answer *a, kmv_error *err)
{
    char *text;
    kmv_status st = KMV_OK;

    if (a->object == NULL)
        return KMV_OK;
    if ((text = cJSON_PrintUnformatted(a->object)) != NULL)
        fprintf(a->out, "%s\n", text);
    else
        st = kmv_fail(err, KMV_ENOMEM, "no memory for the answer");
    cJSON_free(text);
    cJSON_Delete(a->object);
    a->object = NULL;
    return st;
}

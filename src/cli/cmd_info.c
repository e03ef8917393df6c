/* cli/cmd_info.c - `kmv info`: what the problems of a file are, after every check of the reader. */
#include <cJSON.h>
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/status.h"
#include "cli/commands.h"
#include "data/h5io.h"

static const char *yes_no(int value)
{
    return value < 0 ? "not given" : value ? "yes" : "no";
}

static void print_text(const kmv_h5_summary *s, FILE *out)
{
    fprintf(out, "%s\n", s->address);
    fprintf(out, "  q: %zu x %zu\n  k: %zu x %zu\n", s->n_q, s->d, s->n_k, s->d);
    if (s->r > 0)
        fprintf(out, "  v: %zu x %zu\n", s->n_k, s->r);
    fprintf(out, "  type: %s\n", s->type);
    if (s->r > 0)
        fprintf(out, "  v_type: %s\n", s->v_type);
    if (!isnan(s->sigma))
        fprintf(out, "  sigma: %.9g\n", s->sigma);
    if (!isnan(s->scale))
        fprintf(out, "  scale: %.9g\n", s->scale);
    fprintf(out, "  causal: %s\n", yes_no(s->causal));
    if (s->layer >= 0)
        fprintf(out, "  layer: %d\n", s->layer);
    if (s->head >= 0)
        fprintf(out, "  head: %d\n", s->head);
    if (s->model[0] != '\0')
        fprintf(out, "  model: %s\n", s->model);
    if (s->source[0] != '\0')
        fprintf(out, "  source: %s\n", s->source);
    if (s->license[0] != '\0')
        fprintf(out, "  license: %s\n", s->license);
    fprintf(out, "  q_norm_max: %.6g\n  k_norm_max: %.6g\n", s->q_norm_max, s->k_norm_max);
    fprintf(out, "  sha256: %s%s\n", s->sha256_found,
            s->sha256_stored[0] != '\0' ? " (attribute agrees)" : "");
    fprintf(out, "  checks: passed\n");
}

static void add_real(cJSON *o, const char *name, double value)
{
    if (isnan(value))
        cJSON_AddNullToObject(o, name);
    else
        cJSON_AddNumberToObject(o, name, value);
}

static void add_known(cJSON *o, const char *name, int value)
{
    if (value < 0)
        cJSON_AddNullToObject(o, name);
    else
        cJSON_AddNumberToObject(o, name, value);
}

static void add_text(cJSON *o, const char *name, const char *text)
{
    if (text[0] == '\0')
        cJSON_AddNullToObject(o, name);
    else
        cJSON_AddStringToObject(o, name, text);
}

static cJSON *to_json(const kmv_h5_summary *s)
{
    cJSON *o = cJSON_CreateObject();

    cJSON_AddStringToObject(o, "address", s->address);
    cJSON_AddNumberToObject(o, "n_q", (double)s->n_q);
    cJSON_AddNumberToObject(o, "n_k", (double)s->n_k);
    cJSON_AddNumberToObject(o, "d", (double)s->d);
    cJSON_AddNumberToObject(o, "r", (double)s->r);
    cJSON_AddStringToObject(o, "type", s->type);
    add_text(o, "v_type", s->v_type);
    add_real(o, "sigma", s->sigma);
    add_real(o, "scale", s->scale);
    if (s->causal < 0)
        cJSON_AddNullToObject(o, "causal");
    else
        cJSON_AddBoolToObject(o, "causal", s->causal);
    add_known(o, "layer", s->layer);
    add_known(o, "head", s->head);
    add_text(o, "model", s->model);
    add_text(o, "source", s->source);
    add_text(o, "license", s->license);
    cJSON_AddNumberToObject(o, "q_norm_max", s->q_norm_max);
    cJSON_AddNumberToObject(o, "k_norm_max", s->k_norm_max);
    cJSON_AddStringToObject(o, "sha256", s->sha256_found);
    add_text(o, "sha256_attribute", s->sha256_stored);
    return o;
}

static kmv_status print_json(const kmv_h5_summary *all, size_t count, FILE *out, kmv_error *err)
{
    cJSON *root = cJSON_CreateObject();
    cJSON *problems = cJSON_AddArrayToObject(root, "problems");
    kmv_status st = KMV_OK;
    char *text;

    for (size_t i = 0; i < count; i++)
        cJSON_AddItemToArray(problems, to_json(&all[i]));
    if ((text = cJSON_Print(root)) != NULL)
        fprintf(out, "%s\n", text);
    else
        st = kmv_fail(err, KMV_ENOMEM, "info: no memory for the JSON text");
    cJSON_free(text);
    cJSON_Delete(root);
    return st;
}

/* Everything is checked before anything is printed: an error is the only output then. */
static kmv_status run(kmv_cli *cli, const kmv_args *args, int *exit_code, kmv_error *err)
{
    char **addresses = NULL;
    size_t count = 0;
    kmv_h5_summary *all = NULL;
    kmv_status st;

    (void)exit_code;
    if ((st = kmv_h5_list(args->positional[0], &addresses, &count, err)) != KMV_OK)
        return st;
    if ((all = kmv_alloc(count, sizeof *all, "summaries", err)) == NULL) {
        st = KMV_ENOMEM;
        goto out;
    }
    for (size_t i = 0; i < count; i++) {
        if ((st = kmv_h5_summarise(addresses[i], &all[i], err)) != KMV_OK)
            goto out;
    }
    if (kmv_args_has(args, "--json")) {
        st = print_json(all, count, cli->out, err);
    } else {
        for (size_t i = 0; i < count; i++)
            print_text(&all[i], cli->out);
    }
out:
    kmv_free(all);
    kmv_free(addresses);
    return st;
}

static const kmv_cli_option options[] = {
    {"--json", NULL, "one JSON object: {\"problems\": [...]}"},
    {0},
};

const kmv_command kmv_command_info = {
    .name = "info",
    .usage = "info FILE[:GROUP[#[LAYER,]HEAD]] [--json]",
    .summary = "problems in the file, shapes, types, attributes; every check of the reader",
    .options = options,
    .positional_min = 1,
    .positional_max = 1,
    .run = run,
};

/* cli/cmd_apply.c - `kmv apply`: one product per problem, on the user's own data. */
#include <cjson/cJSON.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/status.h"
#include "cli/commands.h"
#include "data/h5io.h"
#include "data/xgen.h"

enum { MAX_PATH = 512, MAX_NAME = 256 };

/* What the command line asks for, the same for every problem. */
typedef struct {
    const kmv_algo *algo;
    const char *algo_options, *x_kind;
    kmv_matrix matrix;
    kmv_center center;
    double sigma, eps, delta; /* sigma NaN: the problem's own */
    int causal;               /* -1: the default */
    char path[MAX_PATH];      /* of the result */
    const char *name;         /* of the dataset in it */
    int all, json;            /* all: a file without group, results go to GROUP/name */
} request;

/* One problem with its input and result. */
typedef struct {
    kmv_dataset data;
    kmv_view view;
    kmv_problem problem;
    kmv_settings settings;
    kmv_plan *plan;
    double *x, *y;
    size_t r;
    kmv_report report;
    char name[MAX_PATH]; /* of the dataset written */
} job;

static const char *matrix_name(kmv_matrix matrix)
{
    return matrix == KMV_SOFTMAX ? "softmax" : "gauss";
}

static kmv_status parse_algo(const char *text, request *q, kmv_error *err)
{
    const char *colon = text != NULL ? strchr(text, ':') : NULL;
    const size_t length = colon != NULL ? (size_t)(colon - text) : text != NULL ? strlen(text) : 0;
    const kmv_algo *near;
    char name[64];

    if (text == NULL)
        return kmv_fail(err, KMV_EINVAL, "apply: --algo: want a name, see `kmv list algos`");
    snprintf(name, sizeof name, "%.*s", (int)(length < sizeof name ? length : sizeof name - 1),
             text);
    q->algo_options = colon != NULL ? colon + 1 : "";
    if ((q->algo = kmv_algo_find(name)) != NULL)
        return KMV_OK;
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

/* OUT or OUT:PATH, split at the last colon: a path may hold one, and what ends in .h5 is a file. */
static kmv_status parse_target(const char *text, request *q, kmv_error *err)
{
    const char *colon = text != NULL ? strrchr(text, ':') : NULL;
    size_t length;

    if (text == NULL || *text == '\0')
        return kmv_fail(err, KMV_EINVAL, "apply: -o: want OUT or OUT:PATH for the result");
    if (colon != NULL && (ends_with(text, ".h5") || ends_with(text, ".hdf5")))
        colon = NULL;
    length = colon != NULL ? (size_t)(colon - text) : strlen(text);
    q->name = colon != NULL ? colon + 1 : "y";
    if (length == 0 || length >= sizeof q->path || *q->name == '\0')
        return kmv_fail(err, KMV_EINVAL, "-o: want OUT or OUT:PATH, got '%s'", text);
    memcpy(q->path, text, length);
    q->path[length] = '\0';
    return KMV_OK;
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

static kmv_status parse_request(const kmv_args *args, request *q, kmv_error *err)
{
    kmv_status st;

    *q = (request){.sigma = NAN, .eps = 0.1, .delta = 0.01, .causal = -1};
    q->json = kmv_args_has(args, "--json");
    q->x_kind = kmv_args_value(args, "--x", NULL);
    if (q->x_kind == NULL)
        return kmv_fail(err, KMV_EINVAL, "apply: --x: want %s", kmv_x_kinds);
    if ((st = kmv_x_check(q->x_kind, err)) != KMV_OK ||
        (st = parse_algo(kmv_args_value(args, "--algo", NULL), q, err)) != KMV_OK ||
        (st = parse_target(kmv_args_value(args, "-o", NULL), q, err)) != KMV_OK ||
        (st = parse_matrix(kmv_args_value(args, "--matrix", "gauss"), &q->matrix, err)) != KMV_OK ||
        (st = kmv_args_real(args, "--sigma", DBL_MIN, DBL_MAX, &q->sigma, err)) != KMV_OK ||
        (st = kmv_args_real(args, "--eps", DBL_MIN, DBL_MAX, &q->eps, err)) != KMV_OK ||
        (st = kmv_args_real(args, "--delta", DBL_MIN, 1 - DBL_EPSILON, &q->delta, err)) != KMV_OK ||
        (st = kmv_args_bool(args, "--causal", &q->causal, err)) != KMV_OK)
        return st;
    return kmv_center_parse(kmv_args_value(args, "--center", "none"), &q->center, err);
}

/* The problem with the defaults that its file gives. */
static kmv_status set_problem(const request *q, job *j, kmv_error *err)
{
    kmv_status st = kmv_view_init(&j->view, &j->data, 0, 0, q->center, err);

    if (st != KMV_OK)
        return st;
    j->problem = (kmv_problem){.q = &j->view.q, .k = &j->view.k, .matrix = q->matrix};
    j->problem.sigma = q->sigma;
    if (isnan(q->sigma) &&
        (st = kmv_dataset_sigma(&j->data, q->matrix, &j->problem.sigma, err)) != KMV_OK)
        return st;
    j->problem.causal = q->causal >= 0             ? q->causal
                        : q->matrix == KMV_SOFTMAX ? j->data.causal == 1
                                                   : 0;
    return kmv_problem_check(&j->problem, err);
}

static kmv_status compute(const kmv_cli *cli, const request *q, job *j, kmv_error *err)
{
    kmv_status st =
        kmv_x_make(q->x_kind, cli->seed, j->problem.k->n, j->view.v, j->view.r, &j->r, &j->x, err);

    if (st != KMV_OK)
        return st;
    j->settings = (kmv_settings){.eps = q->eps,
                                 .delta = q->delta,
                                 .r = j->r,
                                 .threads = cli->threads,
                                 .isa = cli->isa,
                                 .seed = cli->seed};
    if ((j->y = kmv_alloc(j->problem.q->n, j->r * sizeof *j->y, "y", err)) == NULL)
        return KMV_ENOMEM;
    st = kmv_plan_create(q->algo, &j->problem, q->algo_options, &j->settings, &j->plan, err);
    return st != KMV_OK ? st : kmv_plan_apply(j->plan, j->x, j->r, j->y, &j->report, err);
}

static kmv_status write_result(const request *q, const char *address, job *j, kmv_error *err)
{
    const char *colon = strrchr(address, ':');
    const kmv_attribute attributes[] = {
        {"kmv_version", kmv_version(), 0},
        {"problem", address, 0},
        {"problem_sha256", j->data.sha256, 0},
        {"matrix", matrix_name(q->matrix), 0},
        {"sigma", NULL, j->problem.sigma},
        {"causal", NULL, j->problem.causal},
        {"center", kmv_center_name(q->center), 0},
        {"x", q->x_kind, 0},
        {"algo", kmv_algo_name(q->algo), 0},
        {"algo_options", q->algo_options, 0},
        {"plan", j->report.text, 0},
        {"eps", NULL, q->eps},
        {"delta", NULL, q->delta},
        {"seed", NULL, (double)j->settings.seed},
        {"isa", j->report.isa, 0},
        {"bound", NULL, j->report.bound},
        {"bound_kind", j->report.bound_kind, 0},
        {0},
    };
    const int length = q->all && colon != NULL
                           ? snprintf(j->name, sizeof j->name, "%s/%s", colon + 1, q->name)
                           : snprintf(j->name, sizeof j->name, "%s", q->name);

    if (length >= (int)sizeof j->name)
        return kmv_fail(err, KMV_EINVAL, "-o: the name of the result is longer than %zu characters",
                        sizeof j->name - 1);
    return kmv_h5_write_matrix(q->path, j->name, j->y, j->problem.q->n, j->r, attributes, err);
}

/* One line of the answer: text when it is not NULL, else the number. */
static void put(cJSON *object, FILE *out, const char *name, const char *text, double number)
{
    if (object == NULL) {
        if (text != NULL)
            fprintf(out, "%s: %s\n", name, text);
        else
            fprintf(out, "%s: %.10g\n", name, number);
    } else if (text != NULL) {
        cJSON_AddStringToObject(object, name, text);
    } else if (isfinite(number)) {
        cJSON_AddNumberToObject(object, name, number);
    } else {
        cJSON_AddNullToObject(object, name); /* JSON has no NaN */
    }
}

static void put_all(cJSON *o, FILE *out, const request *q, const char *address, const job *j)
{
    const kmv_report *r = &j->report;
    char target[MAX_PATH * 2];

    snprintf(target, sizeof target, "%s:%s", q->path, j->name);
    put(o, out, "problem", address, 0);
    put(o, out, "matrix", matrix_name(q->matrix), 0);
    put(o, out, "causal", j->problem.causal ? "yes" : "no", 0);
    put(o, out, "center", kmv_center_name(q->center), 0);
    put(o, out, "n_q", NULL, (double)j->problem.q->n);
    put(o, out, "n_k", NULL, (double)j->problem.k->n);
    put(o, out, "d", NULL, (double)j->problem.q->d);
    put(o, out, "r", NULL, (double)j->r);
    put(o, out, "sigma", NULL, j->problem.sigma);
    put(o, out, "x", q->x_kind, 0);
    put(o, out, "algo", kmv_algo_name(q->algo), 0);
    put(o, out, "plan", r->text, 0);
    put(o, out, "isa", r->isa, 0);
    put(o, out, "threads", NULL, r->threads);
    put(o, out, "t_prepare_s", NULL, r->prepare.seconds);
    put(o, out, "t_apply_s", NULL, r->apply.seconds);
    put(o, out, "t_certify_s", NULL, r->t_certify_s);
    put(o, out, "pairs_frac", NULL,
        (r->prepare.pairs + r->apply.pairs) / kmv_problem_pairs(&j->problem));
    put(o, out, "flops", NULL, r->prepare.flops + r->apply.flops);
    put(o, out, "mem_peak_b", NULL, r->mem_peak_b);
    put(o, out, "bound", NULL, r->bound);
    put(o, out, "bound_kind", r->bound_kind, 0);
    put(o, out, "err_est", NULL, r->err_est);
    put(o, out, "result", target, 0);
}

static kmv_status print_answer(FILE *out, const request *q, const char *address, const job *j,
                               kmv_error *err)
{
    cJSON *object = NULL;
    char *text = NULL;

    if (!q->json) {
        put_all(NULL, out, q, address, j);
        return KMV_OK;
    }
    if ((object = cJSON_CreateObject()) != NULL) {
        put_all(object, out, q, address, j);
        text = cJSON_PrintUnformatted(object);
    }
    cJSON_Delete(object);
    if (text == NULL)
        return kmv_fail(err, KMV_ENOMEM, "no memory for the answer");
    fprintf(out, "%s\n", text);
    cJSON_free(text);
    return KMV_OK;
}

static void clear_job(job *j)
{
    kmv_plan_destroy(j->plan);
    kmv_free(j->x);
    kmv_free(j->y);
    kmv_view_clear(&j->view);
    kmv_dataset_clear(&j->data);
}

static kmv_status do_problem(kmv_cli *cli, const request *q, const char *address, kmv_error *err)
{
    job j = {0};
    kmv_status st = kmv_dataset_read(address, 0, &j.data, err);

    if (st == KMV_OK && (st = set_problem(q, &j, err)) != KMV_OK)
        kmv_fail_prefix(err, st, "%s", address);
    if (st == KMV_OK && (st = compute(cli, q, &j, err)) != KMV_OK)
        kmv_fail_prefix(err, st, "%s", address);
    if (st == KMV_OK)
        st = write_result(q, address, &j, err);
    if (st == KMV_OK)
        st = print_answer(cli->out, q, address, &j, err);
    clear_job(&j);
    return st;
}

static kmv_status run(kmv_cli *cli, const kmv_args *args, int *exit_code, kmv_error *err)
{
    const char *address = args->positional[0];
    char **list = NULL;
    size_t count = 0;
    request q;
    kmv_status st = parse_request(args, &q, err);

    (void)exit_code;
    if (st != KMV_OK || (st = kmv_h5_list(address, &list, &count, err)) != KMV_OK)
        return st;
    q.all = count != 1 || strcmp(list[0], address) != 0;
    for (size_t i = 0; i < count && st == KMV_OK; i++) {
        if (i > 0 && !q.json)
            fputc('\n', cli->out);
        st = do_problem(cli, &q, list[i], err);
    }
    kmv_free(list);
    return st;
}

static const kmv_cli_option options[] = {
    {"--algo", "NAME[:opt=val,...]", "algorithm and its options, see `kmv list algos`"},
    {"--x", "KIND", "ones|gauss|sign|abs-gauss|sparse:K|spike|zero|v|FILE:PATH"},
    {"-o", "OUT[:PATH]", "HDF5 file for the result (default PATH: y; for a whole file GROUP/y)"},
    {"--matrix", "gauss|softmax", "kernel matrix or row-normalised attention (default: gauss)"},
    {"--sigma", "S", "bandwidth (default: the problem's, else d^(1/4))"},
    {"--eps", "E", "error asked for: |Y - K X| <= eps |X| (default: 0.1)"},
    {"--delta", "P", "probability with which that may fail (default: 0.01)"},
    {"--causal", "yes|no", "mask keys after the query (default: no; softmax: as the file says)"},
    {"--center", "none|keys|match", "shift the keys: mean 0, or the queries' mean (default: none)"},
    {"--json", NULL, "one JSON object per problem and line"},
    {0},
};

const kmv_command kmv_command_apply = {
    .name = "apply",
    .usage = "apply FILE[:GROUP] --algo NAME[:opt=val,...] --x KIND -o OUT[:PATH] [options]",
    .summary = "one product with the matrix of a problem; prints plan, times, costs, certificate",
    .options = options,
    .positional_min = 1,
    .positional_max = 1,
    .run = run,
};

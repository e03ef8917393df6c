/* cli/cmd_apply.c - `kmv apply`: one product per problem, on the user's own data. */
#include <float.h>
#include <gsl/gsl_blas.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "base/status.h"
#include "cli/asked.h"
#include "cli/commands.h"
#include "data/h5_address.h"
#include "data/h5io.h"
#include "data/xgen.h"

/* What the command line asks for, the same for every problem. */
typedef struct {
    const kmv_algo *algo;
    const char *algo_options, *x_kind;
    kmv_asked asked;
    double eps, delta;
    char path[KMV_ASKED_PATH]; /* of the result */
    const char *name;          /* of the dataset in it */
    int all, json;             /* all: a file without group, results go to GROUP/name */
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
    char name[KMV_ASKED_PATH]; /* of the dataset written */
} job;

static kmv_status parse_request(const kmv_args *args, request *q, kmv_error *err)
{
    const char *algo = kmv_args_value(args, "--algo", NULL);
    kmv_status st;

    *q = (request){.eps = 0.1, .delta = 0.01};
    q->json = kmv_args_has(args, "--json");
    q->x_kind = kmv_args_value(args, "--x", NULL);
    if (q->x_kind == NULL)
        return kmv_fail(err, KMV_EINVAL, "apply: --x: want %s", kmv_x_kinds);
    if (algo == NULL)
        return kmv_fail(err, KMV_EINVAL, "apply: --algo: want a name, see `kmv list algos`");
    if ((st = kmv_x_check(q->x_kind, err)) != KMV_OK ||
        (st = kmv_asked_algo(algo, &q->algo, &q->algo_options, err)) != KMV_OK ||
        (st = kmv_asked_target(kmv_args_value(args, "-o", NULL), "apply", "y", q->path, &q->name,
                               err)) != KMV_OK ||
        (st = kmv_asked_parse(args, &q->asked, err)) != KMV_OK ||
        (st = kmv_args_real(args, "--eps", DBL_MIN, DBL_MAX, &q->eps, err)) != KMV_OK)
        return st;
    return kmv_args_real(args, "--delta", DBL_MIN, 1 - DBL_EPSILON, &q->delta, err);
}

/* The dataset for the result of one problem: NAME, or for a whole file GROUP/NAME. */
static kmv_status result_name(const request *q, const char *address, char name[KMV_ASKED_PATH],
                              kmv_error *err)
{
    kmv_address parsed;
    kmv_status st = kmv_address_parse(address, &parsed, err);
    int length;

    if (st != KMV_OK)
        return st;
    length = q->all && parsed.object[0] != '\0'
                 ? snprintf(name, KMV_ASKED_PATH, "%s/%s", parsed.object, q->name)
                 : snprintf(name, KMV_ASKED_PATH, "%s", q->name);
    if (length >= KMV_ASKED_PATH)
        return kmv_fail(err, KMV_EINVAL, "-o: the name of the result is longer than %d characters",
                        KMV_ASKED_PATH - 1);
    return KMV_OK;
}

/* "a/b", "/a//b" and "a/b/" name one object. */
static int same_object(const char *a, const char *b)
{
    for (;;) {
        const size_t step_a = strcspn(a += strspn(a, "/"), "/");
        const size_t step_b = strcspn(b += strspn(b, "/"), "/");

        if (step_a != step_b || strncmp(a, b, step_a) != 0)
            return 0;
        if (step_a == 0)
            return 1;
        a += step_a;
        b += step_b;
    }
}

/* The dataset that is read as x must not be the one that is written. */
static kmv_status check_not_x(const request *q, const char *name, kmv_error *err)
{
    struct stat in, out;
    kmv_address x;
    kmv_status st;

    if (!kmv_x_is_file(q->x_kind))
        return KMV_OK;
    if ((st = kmv_address_parse(q->x_kind, &x, err)) != KMV_OK)
        return st;
    if (stat(x.path, &in) == 0 && stat(q->path, &out) == 0 && in.st_dev == out.st_dev &&
        in.st_ino == out.st_ino && same_object(x.object, name))
        return kmv_fail(err, KMV_EINVAL, "-o: %s:%s is the x that is read, want another name",
                        q->path, name);
    return KMV_OK;
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
    const kmv_attribute attributes[] = {
        {"kmv_version", kmv_version(), 0},
        {"problem", address, 0},
        {"problem_sha256", j->data.sha256, 0},
        {"matrix", kmv_matrix_name(q->asked.matrix), 0},
        {"sigma", NULL, j->problem.sigma},
        {"causal", NULL, j->problem.causal},
        {"center", kmv_center_name(q->asked.center), 0},
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

    return kmv_h5_write_matrix(q->path, j->name, j->y, j->problem.q->n, j->r, attributes, err);
}

static double norm(const double *values, size_t count)
{
    const gsl_vector_const_view v = gsl_vector_const_view_array(values, count);

    return gsl_blas_dnrm2(&v.vector);
}

/* Whether answering 0 would meet eps, by y itself and by its bound where it has one. */
static int is_trivial(const job *j)
{
    const double off = isnan(j->report.bound) ? 0 : j->report.bound;

    return norm(j->y, j->problem.q->n * j->r) <=
           fmax(0, j->settings.eps - off) * norm(j->x, j->problem.k->n * j->r);
}

static void put_all(kmv_answer *a, const request *q, const char *address, const job *j)
{
    const kmv_report *r = &j->report;
    char target[KMV_ASKED_PATH * 2];

    snprintf(target, sizeof target, "%s:%s", q->path, j->name);
    kmv_answer_text(a, "problem", address);
    kmv_answer_text(a, "matrix", kmv_matrix_name(q->asked.matrix));
    kmv_answer_text(a, "causal", j->problem.causal ? "yes" : "no");
    kmv_answer_text(a, "center", kmv_center_name(q->asked.center));
    kmv_answer_number(a, "n_q", (double)j->problem.q->n);
    kmv_answer_number(a, "n_k", (double)j->problem.k->n);
    kmv_answer_number(a, "d", (double)j->problem.q->d);
    kmv_answer_number(a, "r", (double)j->r);
    kmv_answer_number(a, "sigma", j->problem.sigma);
    kmv_answer_text(a, "x", q->x_kind);
    kmv_answer_text(a, "algo", kmv_algo_name(q->algo));
    kmv_answer_text(a, "plan", r->text);
    kmv_answer_text(a, "isa", r->isa);
    kmv_answer_number(a, "threads", r->threads);
    kmv_answer_number(a, "t_prepare_s", r->prepare.seconds);
    kmv_answer_number(a, "t_apply_s", r->apply.seconds);
    kmv_answer_number(a, "t_certify_s", r->t_certify_s);
    kmv_answer_number(a, "pairs_frac",
                      (r->prepare.pairs + r->apply.pairs) / kmv_problem_pairs(&j->problem));
    kmv_answer_number(a, "flops", r->prepare.flops + r->apply.flops);
    kmv_answer_number(a, "mem_peak_b", r->mem_peak_b);
    kmv_answer_number(a, "bound", r->bound);
    kmv_answer_text(a, "bound_kind", r->bound_kind);
    kmv_answer_number(a, "err_est", r->err_est);
    kmv_answer_text(a, "trivial", is_trivial(j) ? "yes" : "no");
    kmv_answer_text(a, "result", target);
}

static kmv_status print_answer(FILE *out, const request *q, const char *address, const job *j,
                               kmv_error *err)
{
    kmv_answer answer;
    const kmv_status st = kmv_answer_begin(&answer, out, q->json, err);

    if (st != KMV_OK)
        return st;
    put_all(&answer, q, address, j);
    return kmv_answer_end(&answer, err);
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

    if (st == KMV_OK &&
        (st = kmv_asked_problem(&q->asked, cli, &j.data, &j.view, &j.problem, err)) != KMV_OK)
        kmv_fail_prefix(err, st, "%s", address);
    if (st == KMV_OK && (st = compute(cli, q, &j, err)) != KMV_OK)
        kmv_fail_prefix(err, st, "%s", address);
    if (st == KMV_OK && (st = result_name(q, address, j.name, err)) == KMV_OK)
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
        char name[KMV_ASKED_PATH];

        if ((st = result_name(&q, list[i], name, err)) == KMV_OK)
            st = check_not_x(&q, name, err);
    }
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
    {"--sigma", "S", KMV_ASKED_SIGMA_HELP},
    {"--eps", "E", "error asked for: |Y - K X| <= eps |X| (default: 0.1)"},
    {"--delta", "P", "probability with which that may fail (default: 0.01)"},
    {"--causal", "yes|no",
     "mask keys after the query; also true|false, on|off, 1|0 (default: no; softmax: as the "
     "file says)"},
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

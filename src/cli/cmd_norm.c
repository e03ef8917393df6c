/* cli/cmd_norm.c - `kmv norm`: the operator norm of one problem's matrix and its singular vectors,
 * exactly or by the power method through an algorithm. */
#include <float.h>
#include <math.h>

#include "algo/power.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/status.h"
#include "cli/asked.h"
#include "cli/commands.h"
#include "data/h5io.h"
#include "gauss/opnorm.h"

typedef struct {
    kmv_asked asked;
    const kmv_algo *algo; /* NULL: exact, by Lanczos */
    const char *algo_options;
    double eps, delta, tol;
    size_t iterations;
    int exact, json; /* exact: -1 not said */
    char path[KMV_ASKED_PATH];
    const char *group; /* of u and v in it; NULL: nothing is written */
} request;

/* One way to the norm: what it found, u (n_q) and v (n_k). */
typedef struct {
    double norm, tol, seconds;
    size_t steps;
    double *u, *v;
} answer;

typedef struct {
    kmv_dataset data;
    kmv_view view;
    kmv_problem problem;
    kmv_power power; /* through the algorithm */
    answer exact, approximate;
} job;

static kmv_status parse_request(const kmv_args *args, request *q, kmv_error *err)
{
    const char *algo = kmv_args_value(args, "--algo", NULL),
               *out = kmv_args_value(args, "-o", NULL);
    kmv_status st;

    *q = (request){.eps = 0.1, .delta = 0.01, .tol = 1e-3, .exact = -1, .algo_options = ""};
    q->json = kmv_args_has(args, "--json");
    q->iterations = KMV_OP_NORM_STEPS;
    if ((st = kmv_asked_parse(args, &q->asked, err)) != KMV_OK ||
        (st = kmv_args_real(args, "--eps", DBL_MIN, DBL_MAX, &q->eps, err)) != KMV_OK ||
        (st = kmv_args_real(args, "--delta", DBL_MIN, 1 - DBL_EPSILON, &q->delta, err)) != KMV_OK ||
        (st = kmv_args_real(args, "--tol", DBL_MIN, 1, &q->tol, err)) != KMV_OK ||
        (st = kmv_args_size(args, "--iterations", 1, KMV_OP_NORM_STEPS, &q->iterations, err)) !=
            KMV_OK ||
        (st = kmv_args_bool(args, "--exact", &q->exact, err)) != KMV_OK)
        return st;
    if (algo != NULL && (st = kmv_asked_algo(algo, &q->algo, &q->algo_options, err)) != KMV_OK)
        return st;
    if (algo == NULL && q->exact == 0)
        return kmv_fail(err, KMV_EINVAL, "norm: --exact no: want --algo NAME for another way");
    if (algo == NULL || q->exact == -1)
        q->exact = algo == NULL;
    return out == NULL ? KMV_OK : kmv_asked_target(out, "norm", "", q->path, &q->group, err);
}

static kmv_status make_vectors(const kmv_problem *p, answer *a, kmv_error *err)
{
    a->u = kmv_alloc(p->q->n, sizeof *a->u, "a singular vector", err);
    a->v = kmv_alloc(p->k->n, sizeof *a->v, "a singular vector", err);
    return a->u != NULL && a->v != NULL ? KMV_OK : KMV_ENOMEM;
}

static kmv_status find_exactly(const kmv_cli *cli, const request *q, job *j, kmv_error *err)
{
    const kmv_row_scaling scaling = j->problem.matrix == KMV_SOFTMAX ? KMV_ROW_SUM : KMV_ROW_RAW;
    const int threads = kmv_cli_threads(cli);
    const double start = kmv_now_s();
    answer *a = &j->exact;
    kmv_entries e = {0};
    kmv_singular found;
    double u_min;
    kmv_status st;

    if ((st = make_vectors(&j->problem, a, err)) != KMV_OK ||
        (st = kmv_entries_init(&e, &j->problem, scaling, NULL, 0, threads, cli->isa, err)) !=
            KMV_OK)
        return st;
    if ((st = kmv_entries_least(&e, &u_min, err)) == KMV_OK &&
        (st = kmv_top_singular(&e, u_min, q->tol, q->iterations, a->u, a->v, &found, err)) ==
            KMV_OK) {
        a->norm = found.norm;
        a->tol = found.tol;
        a->steps = found.steps;
        a->seconds = kmv_now_s() - start;
    }
    kmv_entries_clear(&e);
    return st;
}

static kmv_status find_by_algorithm(const kmv_cli *cli, const request *q, job *j, kmv_error *err)
{
    const kmv_power_spec spec = {.algo = q->algo,
                                 .options = q->algo_options,
                                 .settings = {.eps = q->eps,
                                              .delta = q->delta,
                                              .r = 1,
                                              .threads = cli->threads,
                                              .isa = cli->isa,
                                              .seed = cli->seed},
                                 .tol = q->tol,
                                 .max_steps = q->iterations};
    answer *a = &j->approximate;
    kmv_status st;

    if ((st = make_vectors(&j->problem, a, err)) != KMV_OK ||
        (st = kmv_power_norm(&j->problem, &spec, a->u, a->v, &j->power, err)) != KMV_OK)
        return st;
    a->norm = j->power.norm;
    a->tol = j->power.residual;
    a->steps = j->power.steps;
    a->seconds = j->power.prepare.seconds + j->power.apply.seconds;
    return KMV_OK;
}

static kmv_status write_vector(const request *q, const char *name, const double *a, size_t n,
                               const char *address, const job *j, kmv_error *err)
{
    const answer *found = q->algo != NULL ? &j->approximate : &j->exact;
    const kmv_attribute attributes[] = {
        {"kmv_version", kmv_version(), 0},
        {"problem", address, 0},
        {"problem_sha256", j->data.sha256, 0},
        {"matrix", kmv_matrix_name(q->asked.matrix), 0},
        {"sigma", NULL, j->problem.sigma},
        {"causal", NULL, j->problem.causal},
        {"center", kmv_center_name(q->asked.center), 0},
        {"algo", q->algo != NULL ? kmv_algo_name(q->algo) : "exact", 0},
        {"algo_options", q->algo_options, 0},
        {"norm", NULL, found->norm},
        {"residual", NULL, found->tol},
        {0},
    };
    char path[KMV_ASKED_PATH];

    if (snprintf(path, sizeof path, "%s%s%s", q->group, *q->group != '\0' ? "/" : "", name) >=
        (int)sizeof path)
        return kmv_fail(err, KMV_EINVAL, "-o: the name of the result is longer than %zu characters",
                        sizeof path - 1);
    return kmv_h5_write_matrix(q->path, path, a, n, 1, attributes, err);
}

static double cosine(const double *a, const double *b, size_t n)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

static void put_algorithm(kmv_answer *a, const request *q, const job *j)
{
    const kmv_power *p = &j->power;
    const double products = 2 * (double)p->steps * kmv_problem_pairs(&j->problem);

    kmv_answer_text(a, "algo", kmv_algo_name(q->algo));
    kmv_answer_number(a, "eps", q->eps);
    kmv_answer_number(a, "norm", p->norm);
    kmv_answer_number(a, "norm_mean", p->mean);
    kmv_answer_number(a, "norm_sd", p->sd);
    kmv_answer_number(a, "iterations", (double)p->steps);
    kmv_answer_number(a, "change", p->change);
    kmv_answer_number(a, "residual", p->residual);
    kmv_answer_number(a, "t_prepare_s", p->prepare.seconds);
    kmv_answer_number(a, "t_apply_s", p->apply.seconds);
    kmv_answer_number(a, "pairs_frac", (p->prepare.pairs + p->apply.pairs) / products);
    kmv_answer_number(a, "flops", p->prepare.flops + p->apply.flops);
    kmv_answer_number(a, "mem_peak_b", p->mem_peak_b);
    if (!q->exact)
        return;
    kmv_answer_number(a, "norm_exact", j->exact.norm);
    kmv_answer_number(a, "iterations_exact", (double)j->exact.steps);
    kmv_answer_number(a, "residual_exact", j->exact.tol);
    kmv_answer_number(a, "t_exact_s", j->exact.seconds);
    kmv_answer_number(a, "norm_rel_err",
                      j->exact.norm > 0 ? fabs(p->norm - j->exact.norm) / j->exact.norm : NAN);
    kmv_answer_number(a, "cos_u", cosine(j->approximate.u, j->exact.u, j->problem.q->n));
    kmv_answer_number(a, "cos_v", cosine(j->approximate.v, j->exact.v, j->problem.k->n));
}

static kmv_status print_answer(FILE *out, const request *q, const char *address, const job *j,
                               kmv_error *err)
{
    kmv_answer a;
    kmv_status st = kmv_answer_begin(&a, out, q->json, err);

    if (st != KMV_OK)
        return st;
    kmv_answer_text(&a, "problem", address);
    kmv_answer_text(&a, "matrix", kmv_matrix_name(q->asked.matrix));
    kmv_answer_text(&a, "causal", j->problem.causal ? "yes" : "no");
    kmv_answer_text(&a, "center", kmv_center_name(q->asked.center));
    kmv_answer_number(&a, "n_q", (double)j->problem.q->n);
    kmv_answer_number(&a, "n_k", (double)j->problem.k->n);
    kmv_answer_number(&a, "d", (double)j->problem.q->d);
    kmv_answer_number(&a, "sigma", j->problem.sigma);
    if (q->algo != NULL) {
        put_algorithm(&a, q, j);
    } else {
        kmv_answer_text(&a, "algo", "exact");
        kmv_answer_number(&a, "norm", j->exact.norm);
        kmv_answer_number(&a, "iterations", (double)j->exact.steps);
        kmv_answer_number(&a, "residual", j->exact.tol);
        kmv_answer_number(&a, "t_exact_s", j->exact.seconds);
    }
    if (q->group != NULL) {
        char target[2 * KMV_ASKED_PATH];

        snprintf(target, sizeof target, "%s%s%s", q->path, *q->group != '\0' ? ":" : "", q->group);
        kmv_answer_text(&a, "result", target);
    }
    return kmv_answer_end(&a, err);
}

static void clear_job(job *j)
{
    kmv_free(j->exact.u);
    kmv_free(j->exact.v);
    kmv_free(j->approximate.u);
    kmv_free(j->approximate.v);
    kmv_view_clear(&j->view);
    kmv_dataset_clear(&j->data);
}

static kmv_status compute(const kmv_cli *cli, const request *q, job *j, kmv_error *err)
{
    kmv_status st = kmv_asked_problem(&q->asked, cli, &j->data, &j->view, &j->problem, err);

    if (st == KMV_OK && q->algo != NULL)
        st = find_by_algorithm(cli, q, j, err);
    if (st == KMV_OK && q->exact)
        st = find_exactly(cli, q, j, err);
    return st;
}

static kmv_status run(kmv_cli *cli, const kmv_args *args, int *exit_code, kmv_error *err)
{
    const char *address = args->positional[0];
    const answer *found;
    job j = {0};
    request q;
    kmv_status st;

    (void)exit_code;
    if ((st = parse_request(args, &q, err)) != KMV_OK ||
        (st = kmv_dataset_read(address, 0, &j.data, err)) != KMV_OK)
        return st;
    if ((st = compute(cli, &q, &j, err)) != KMV_OK) {
        kmv_fail_prefix(err, st, "%s", address);
        goto out;
    }
    found = q.algo != NULL ? &j.approximate : &j.exact;
    if (q.group != NULL &&
        ((st = write_vector(&q, "u", found->u, j.problem.q->n, address, &j, err)) != KMV_OK ||
         (st = write_vector(&q, "v", found->v, j.problem.k->n, address, &j, err)) != KMV_OK))
        goto out;
    st = print_answer(cli->out, &q, address, &j, err);
out:
    clear_job(&j);
    return st;
}

static const kmv_cli_option options[] = {
    {"--algo", "NAME[:opt=val,...]",
     "power method through this algorithm (default: exact, Lanczos)"},
    {"--exact", "yes|no", "with --algo: find the exact norm too, to compare (default: no)"},
    {"--iterations", "N", "steps at most, two products each, 1 to 40 (default: 40)"},
    {"--tol", "T",
     "stop at this residual; with --algo: at this change of the norm (default: 1e-3)"},
    {"-o", "OUT[:GROUP]", "HDF5 file for the singular vectors u and v (default: not written)"},
    {"--matrix", "gauss|softmax", "kernel matrix or row-normalised attention (default: gauss)"},
    {"--sigma", "S", KMV_ASKED_SIGMA_HELP},
    {"--eps", "E", "error asked of each product (default: 0.1)"},
    {"--delta", "P", "probability with which that may fail (default: 0.01)"},
    {"--causal", "yes|no",
     "mask keys after the query; also true|false, on|off, 1|0 (default: no; softmax: as the "
     "file says)"},
    {"--center", "none|keys|match", "shift the keys: mean 0, or the queries' mean (default: none)"},
    {"--json", NULL, "one JSON object"},
    {0},
};

const kmv_command kmv_command_norm = {
    .name = "norm",
    .usage = "norm FILE:GROUP [--algo NAME[:opt=val,...]] [options]",
    .summary = "operator norm and its singular vectors, exact or through approximate products",
    .options = options,
    .positional_min = 1,
    .positional_max = 1,
    .run = run,
};

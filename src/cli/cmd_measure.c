/* cli/cmd_measure.c - `kmv measure`: the assumption on problems of files, one row per problem,
 * sigma and n. */
#include <errno.h>
#include <string.h>

#include "base/list.h"
#include "base/mem.h"
#include "base/status.h"
#include "base/str.h"
#include "bench/measure.h"
#include "bench/provenance.h"
#include "bench/results.h"
#include "bench/sigma.h"
#include "cli/commands.h"
#include "data/h5io.h"

enum { MAX_COLUMNS = 64, MAX_SIZES = 64, FIRST_SIZE = 512, FIRST_SIZE_OF_SMALL = 64 };

/* What the command line asks for, checked. */
typedef struct {
    kmv_measure_spec spec;
    kmv_list n, sigma; /* n.count = 0: powers of two */
    int causal;        /* 1, 0, or -1: as the file says */
    kmv_column columns[MAX_COLUMNS + 1];
    kmv_schema schema;
    kmv_provenance provenance;
} request;

static int named_before(const kmv_list *list, size_t at)
{
    for (size_t i = 0; i < at; i++) {
        if (strcmp(list->items[i], list->items[at]) == 0)
            return 1;
    }
    return 0;
}

static kmv_status choose_columns(const kmv_args *args, request *r, kmv_error *err)
{
    const kmv_column *all = kmv_measure_schema.columns, *found;
    const char *text = kmv_args_value(args, "--columns", NULL), *names[MAX_COLUMNS];
    size_t count = 0;
    kmv_list list = {0};
    kmv_status st = KMV_OK;

    r->schema = kmv_measure_schema;
    r->spec.with_op_norm = 1;
    if (text == NULL)
        return KMV_OK;
    for (; all[count].name != NULL; count++)
        names[count] = all[count].name;
    if ((st = kmv_list_parse(text, &list, err)) != KMV_OK)
        return kmv_fail_prefix(err, st, "--columns");
    r->spec.with_op_norm = 0;
    for (size_t i = 0; i < list.count && st == KMV_OK; i++) {
        const char *near = kmv_closest(list.items[i], names, count);

        if ((found = kmv_column_find(&kmv_measure_schema, list.items[i])) == NULL)
            st = kmv_fail(err, KMV_EINVAL, "--columns: unknown column '%s'%s%s%s", list.items[i],
                          near != NULL ? ", did you mean '" : "", near != NULL ? near : "",
                          near != NULL ? "'?" : "");
        else if (named_before(&list, i))
            st = kmv_fail(err, KMV_EINVAL, "--columns: '%s' is named twice", list.items[i]);
        else if (i == MAX_COLUMNS)
            st = kmv_fail(err, KMV_EINVAL, "--columns: more than %d columns", MAX_COLUMNS);
        else
            r->columns[i] = *found;
        if (found != NULL && strncmp(found->name, "op_norm", strlen("op_norm")) == 0)
            r->spec.with_op_norm = 1;
    }
    r->schema.columns = r->columns;
    kmv_list_clear(&list);
    return st;
}

static kmv_status choose_rows(const kmv_args *args, size_t *rows, kmv_error *err)
{
    if (strcmp(kmv_args_value(args, "--rows", "all"), "all") == 0)
        return KMV_OK;
    return kmv_args_size(args, "--rows", 1, SIZE_MAX, rows, err);
}

static kmv_status check_items(const request *r, kmv_error *err)
{
    kmv_status st = KMV_OK;
    size_t n;

    for (size_t i = 0; i < r->n.count; i++) {
        if (strcmp(r->n.items[i], "all") != 0 && (!kmv_parse_size(r->n.items[i], &n) || n < 1))
            return kmv_fail(err, KMV_EINVAL, "--n: want integers >= 1 or all, got '%s'",
                            r->n.items[i]);
    }
    for (size_t i = 0; i < r->sigma.count && st == KMV_OK; i++)
        st = kmv_sigma_check(r->sigma.items[i], err);
    return st;
}

static kmv_status read_request(const kmv_cli *cli, const kmv_args *args, request *r, kmv_error *err)
{
    const char *n = kmv_args_value(args, "--n", NULL);
    kmv_status st;

    r->spec.threads = kmv_cli_threads(cli);
    r->spec.isa = cli->isa;
    r->spec.seed = cli->seed;
    r->causal = -1;
    if ((st = kmv_measure_matrix_parse(kmv_args_value(args, "--matrix", "gauss"), &r->spec.matrix,
                                       err)) != KMV_OK ||
        (st = kmv_center_parse(kmv_args_value(args, "--center", "none"), &r->spec.center, err)) !=
            KMV_OK ||
        (st = kmv_args_bool(args, "--causal", &r->causal, err)) != KMV_OK ||
        (st = kmv_args_size(args, "--drop-first", 0, SIZE_MAX, &r->spec.drop_first, err)) !=
            KMV_OK ||
        (st = choose_rows(args, &r->spec.rows, err)) != KMV_OK ||
        (st = choose_columns(args, r, err)) != KMV_OK)
        return st;
    if (n != NULL && (st = kmv_list_parse(n, &r->n, err)) != KMV_OK)
        return kmv_fail_prefix(err, st, "--n");
    if ((st = kmv_list_parse(kmv_args_value(args, "--sigma", "x1"), &r->sigma, err)) != KMV_OK)
        return kmv_fail_prefix(err, st, "--sigma");
    return check_items(r, err);
}

/* The sizes to measure for a problem of `all` points: the ones asked for, or powers of two and all.
 */
static kmv_status choose_sizes(const request *r, size_t all, size_t sizes[MAX_SIZES], size_t *count,
                               kmv_error *err)
{
    *count = 0;
    if (r->n.count > MAX_SIZES)
        return kmv_fail(err, KMV_EINVAL, "--n: more than %d sizes", MAX_SIZES);
    for (size_t i = 0; i < r->n.count; i++) {
        size_t n = all;

        if (strcmp(r->n.items[i], "all") != 0)
            kmv_parse_size(r->n.items[i], &n); /* checked before */
        sizes[(*count)++] = n;
    }
    if (r->n.count > 0)
        return KMV_OK;
    for (size_t n = all > FIRST_SIZE ? FIRST_SIZE : FIRST_SIZE_OF_SMALL; n < all; n *= 2) {
        if (n > r->spec.drop_first && n - r->spec.drop_first >= r->spec.rows)
            sizes[(*count)++] = n;
    }
    sizes[(*count)++] = all;
    return KMV_OK;
}

static int causal_of(const request *r, const kmv_dataset *data)
{
    if (r->causal >= 0)
        return r->causal;
    return kmv_measure_base(r->spec.matrix) == KMV_SOFTMAX && data->causal == 1;
}

static kmv_status resolve_sigma(const request *r, const char *text, const kmv_dataset *data,
                                size_t n, kmv_measure_spec *spec, kmv_error *err)
{
    kmv_view view = {0};
    kmv_problem p = {.q = &view.q,
                     .k = &view.k,
                     .matrix = kmv_measure_base(spec->matrix),
                     .causal = spec->causal};
    kmv_status st = kmv_view_init(&view, data, n, spec->drop_first, spec->center, err);

    if (st != KMV_OK)
        return st;
    st = kmv_sigma_resolve(text, data, &p, r->spec.threads, r->spec.isa, &spec->sigma, err);
    kmv_view_clear(&view);
    return st;
}

/* All sizes of one problem and sigma; the exponents need all of them before the first is printed.
 */
static kmv_status measure_sizes(const request *r, const char *name, const char *sigma,
                                const kmv_dataset *data, const size_t *sizes, size_t count,
                                FILE *out, kmv_error *err)
{
    kmv_measure_spec spec = r->spec;
    kmv_measure_row *rows = kmv_alloc(count, sizeof *rows, "rows of a table", err);
    kmv_status st = rows != NULL ? KMV_OK : KMV_ENOMEM;

    spec.causal = causal_of(r, data);
    for (size_t i = 0; i < count && st == KMV_OK; i++) {
        char started[32];

        kmv_utc_now(started);
        if ((st = resolve_sigma(r, sigma, data, sizes[i], &spec, err)) != KMV_OK ||
            (st = kmv_measure(data, sizes[i], &spec, &rows[i], err)) != KMV_OK)
            break;
        kmv_copy_text(rows[i].dataset, sizeof rows[i].dataset, name);
        kmv_copy_text(rows[i].sigma_spec, sizeof rows[i].sigma_spec, sigma);
        kmv_copy_text(rows[i].commit, sizeof rows[i].commit, r->provenance.commit);
        kmv_copy_text(rows[i].host, sizeof rows[i].host, r->provenance.cpu);
        kmv_copy_text(rows[i].started, sizeof rows[i].started, started);
    }
    if (st == KMV_OK)
        kmv_measure_fit(rows, count);
    for (size_t i = 0; i < count && st == KMV_OK; i++)
        st = kmv_tsv_row(&r->schema, &rows[i], out, err);
    if (st == KMV_OK && fflush(out) != 0)
        st = kmv_fail(err, KMV_EIO, "writing a table: %s", strerror(errno));
    kmv_free(rows);
    return st;
}

static kmv_status measure_problem(const request *r, const char *address, FILE *out, kmv_error *err)
{
    size_t sizes[MAX_SIZES], count = 0, all;
    kmv_dataset data = {0};
    kmv_status st = kmv_dataset_read(address, 0, &data, err);

    if (st != KMV_OK)
        return st;
    all = data.q.n > data.k.n ? data.q.n : data.k.n;
    st = choose_sizes(r, all, sizes, &count, err);
    for (size_t i = 0; i < r->sigma.count && st == KMV_OK; i++)
        st = measure_sizes(r, data.name, r->sigma.items[i], &data, sizes, count, out, err);
    if (st != KMV_OK)
        kmv_fail_prefix(err, st, "%s", address);
    kmv_dataset_clear(&data);
    return st;
}

/* The problems of all words of the command line: each list is one block, see kmv_h5_list. */
typedef struct {
    char ***lists;
    size_t *counts, n_lists, total;
} targets;

static void clear_targets(targets *t)
{
    for (size_t i = 0; i < t->n_lists; i++)
        kmv_free(t->lists[i]);
    kmv_free(t->lists);
    kmv_free(t->counts);
}

static kmv_status find_targets(const kmv_args *args, targets *t, kmv_error *err)
{
    kmv_status st = KMV_OK;

    *t = (targets){0};
    if ((t->lists = kmv_alloc(args->n_positional, sizeof *t->lists, "addresses", err)) == NULL ||
        (t->counts = kmv_alloc(args->n_positional, sizeof *t->counts, "addresses", err)) == NULL)
        st = KMV_ENOMEM;
    for (size_t i = 0; i < args->n_positional && st == KMV_OK; i++) {
        st = kmv_h5_list(args->positional[i], &t->lists[i], &t->counts[i], err);
        if (st == KMV_OK) {
            t->total += t->counts[i];
            t->n_lists++;
        }
    }
    if (st != KMV_OK)
        clear_targets(t);
    return st;
}

static kmv_status measure_all(const kmv_cli *cli, const targets *t, const request *r, FILE *out,
                              kmv_error *err)
{
    kmv_status st = kmv_tsv_header(&r->schema, out, err);
    size_t done = 0;

    for (size_t i = 0; i < t->n_lists; i++) {
        for (size_t j = 0; j < t->counts[i] && st == KMV_OK; j++) {
            done++;
            if (!cli->quiet && (cli->verbose || t->total > 1))
                fprintf(cli->err, "measure: %zu/%zu %s\n", done, t->total, t->lists[i][j]);
            st = measure_problem(r, t->lists[i][j], out, err);
        }
    }
    return st;
}

static kmv_status measure_into_file(const kmv_cli *cli, const targets *t, const request *r,
                                    const char *path, kmv_error *err)
{
    kmv_new_file file;
    kmv_status st = kmv_new_file_open(&file, err, "%s", path);

    if (st != KMV_OK)
        return st;
    return kmv_new_file_commit(&file, measure_all(cli, t, r, file.out, err), err);
}

static kmv_status run(kmv_cli *cli, const kmv_args *args, int *exit_code, kmv_error *err)
{
    const char *path = kmv_args_value(args, "-o", NULL);
    request r = {0};
    targets t;
    kmv_status st = read_request(cli, args, &r, err);

    (void)exit_code;
    kmv_provenance_get(&r.provenance);
    if (st == KMV_OK && (st = find_targets(args, &t, err)) == KMV_OK) {
        st = path != NULL ? measure_into_file(cli, &t, &r, path, err)
                          : measure_all(cli, &t, &r, cli->out, err);
        clear_targets(&t);
    }
    kmv_list_clear(&r.n);
    kmv_list_clear(&r.sigma);
    return st;
}

static const kmv_cli_option options[] = {
    {"--matrix", "NAME", "gauss, softmax (rows sum to 1) or rowmax (default: gauss)"},
    {"--n", "LIST",
     "prefixes: integers, all, geom(a,b,f) (default: 512, 1024, ... and all; below "
     "512 points from 64)"},
    {"--sigma", "LIST", "numbers, x2 (times the natural one), sum:1 (default: x1)"},
    {"--causal", "yes|no",
     "leave out j > i; also true|false, on|off, 1|0 (default: no; softmax and rowmax: as the file "
     "says)"},
    {"--center", "WORD", "none, keys (subtract the mean key) or match (make the means equal)"},
    {"--drop-first", "M", "leave out the first M queries and keys (default: 0)"},
    {"--rows", "all|M",
     "M: estimate from sampled rows, from sizes of M on (default: all; beyond 131072 points "
     "2048)"},
    {"--columns", "LIST", "these only; without op_norm its power iteration is skipped"},
    {"-o", "FILE", "where the table goes (default: standard output)"},
    {0},
};

const kmv_command kmv_command_measure = {
    .name = "measure",
    .usage = "measure FILE[:GROUP]...",
    .summary = "head, tail, sum and norm of a matrix's entries over n: the assumption",
    .options = options,
    .positional_min = 1,
    .positional_max = KMV_ARGS_MAX,
    .run = run,
};

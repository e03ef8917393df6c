/* algo/algo_nystrom.c - the Nystrom method: the matrix through a few landmarks.
 *
 * gauss: G = G_QL (G_LL + ridge I)^-1 G_LK, landmarks L of the keys. Williams & Seeger, NIPS 2001.
 * softmax: P = F A^+ B with F = softmax(Q K_L'), A = softmax(Q_L K_L'), B = softmax(Q_L K').
 * Xiong et al., "Nystromformer", AAAI 2021 (arXiv 2102.03902). Of the formulations there are, this
 * one is chosen since each factor has rows of probabilities: nothing over- or underflows, and no
 * denominator is estimated. Scaling the Gaussian form by its diagonals gives signed denominators,
 * which on real heads vanish or turn negative for many rows.
 * The papers': uniform landmarks (gauss), means of segments (softmax). Ours: A^+ as
 * (A'A + ridge |A|_F^2 I)^-1 A' in double, where Xiong et al. iterate on a GPU.
 * Guarantee: none here; in the operator norm the error of the symmetric gauss case is at least that
 * of the best rank-m matrix. */
#include <cblas.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "algo/algo.h"
#include "algo/blas.h"
#include "algo/landmarks.h"
#include "base/mem.h"
#include "base/status.h"
#include "gauss/leaf_product.h"
#include "gauss/product.h"

/* LAPACK, which OpenBLAS brings without a header; lower triangles by columns. */
extern void dpotrf_(const char *uplo, const int *n, double *a, const int *lda, int *info);
extern void dpotrs_(const char *uplo, const int *n, const int *nrhs, const double *a,
                    const int *lda, double *b, const int *ldb, int *info);

typedef struct {
    size_t landmarks, rounds;
    int select;
    double ridge;
} opts;

static const kmv_option options[] = {
    {"landmarks", KMV_OPT_SIZE, offsetof(opts, landmarks), "64", 1, 16384, "landmarks", NULL},
    {"select", KMV_OPT_ENUM, offsetof(opts, select), "kmeans", 0, 0,
     "rows, means of consecutive rows, or means of clusters", "uniform|segments|kmeans"},
    {"rounds", KMV_OPT_SIZE, offsetof(opts, rounds), "5", 1, 100, "rounds of k-means", NULL},
    {"ridge", KMV_OPT_REAL, offsetof(opts, ridge), "1e-3", 1e-12, 1, "regularisation", NULL},
    {0},
};

/* One exact product, with one of the outer factors. */
typedef struct {
    kmv_problem problem;
    kmv_packed q, k;
    kmv_workspace *workspace;
    kmv_leaf_product *softmax; /* for softmax: instead of the packed points */
} stage;

typedef struct {
    kmv_points q_marks, k_marks;
    stage in, out; /* landmarks against keys, queries against landmarks */
    size_t m;
    int threads;
    double *a, *chol; /* softmax: A; both: the factor */
    double *z, *t;    /* m x r; r x m */
} state;

static void clear_stage(stage *s)
{
    kmv_packed_clear(&s->q);
    kmv_packed_clear(&s->k);
    kmv_workspace_destroy(s->workspace);
    kmv_leaf_product_destroy(s->softmax);
}

static void destroy(void *of_plan)
{
    state *s = of_plan;

    if (s == NULL)
        return;
    clear_stage(&s->in);
    clear_stage(&s->out);
    kmv_points_clear(&s->q_marks);
    kmv_points_clear(&s->k_marks);
    kmv_free(s->a);
    kmv_free(s->chol);
    kmv_free(s->z);
    kmv_free(s->t);
    kmv_free(s);
}

static const char *reject(const kmv_problem *problem, const void *chosen, size_t r)
{
    const opts *o = chosen;

    (void)r;
    if (o->landmarks > problem->k->n)
        return "landmarks > n_k";
    return problem->matrix == KMV_SOFTMAX && o->landmarks > problem->q->n ? "landmarks > n_q"
                                                                          : NULL;
}

static kmv_status make_stage(stage *s, const kmv_problem *like, const kmv_points *q,
                             const kmv_points *k, const double *centre,
                             const kmv_prepare_context *context, kmv_error *err)
{
    const kmv_tile *tile = context->tile;
    const size_t r = context->settings->r;
    kmv_status st;

    s->problem = *like;
    s->problem.q = q;
    s->problem.k = k;
    if (like->matrix == KMV_SOFTMAX) {
        if ((st = kmv_leaf_product_create(&s->problem, tile, KMV_ATTEND_PARTS_MAX, q->n, r,
                                          context->threads, &s->softmax, context->cost, err)) ==
            KMV_OK)
            kmv_leaf_product_queries(s->softmax, NULL, q->n, context->cost);
        return st;
    }
    if ((st = kmv_packed_init(&s->q, tile, KMV_QUERIES, q->n, q->d, 0, err)) != KMV_OK ||
        (st = kmv_packed_init(&s->k, tile, KMV_KEYS, k->n, k->d, 0, err)) != KMV_OK)
        return st;
    kmv_pack(&s->q, &s->problem, centre, NULL, q->n, context->threads, context->cost);
    kmv_pack(&s->k, &s->problem, centre, NULL, k->n, context->threads, context->cost);
    if (!(s->q.norm2_max <= 1e30 && s->k.norm2_max <= 1e30))
        return kmv_fail(err, KMV_ENOTSUP, "nystrom: sigma = %g is too small for these points",
                        like->sigma);
    return kmv_workspace_create(tile, q->n, k->n, r, context->threads, &s->workspace, err);
}

static kmv_status run_stage(stage *s, const double *x, size_t r, int threads, double *y,
                            kmv_cost *cost, kmv_error *err)
{
    if (s->softmax == NULL)
        kmv_product(&s->q, &s->k, &s->problem, x, NULL, r, threads, s->workspace, y, cost);
    else if (!kmv_leaf_product_apply(s->softmax, x, r, y, cost))
        return kmv_fail(err, KMV_ENOTSUP,
                        "nystrom: logits this large leave the range in which float32 tells them "
                        "apart");
    return KMV_OK;
}

static double coordinate(const kmv_points *p, size_t i, size_t l)
{
    return (double)p->x[i * p->ld + l] + (p->origin != NULL ? p->origin[l] : 0);
}

/* Entry or row of entries of the landmarks among themselves, in double. */
static void core_row(const state *s, const kmv_problem *problem, size_t i, double *row)
{
    const double factor = 1 / (problem->sigma * problem->sigma);
    const int gauss = problem->matrix == KMV_GAUSS;
    const kmv_points *from = gauss ? &s->k_marks : &s->q_marks;
    double top = -INFINITY, sum = 0;

    for (size_t j = 0; j < s->m; j++) {
        double e = 0;

        for (size_t l = 0; l < from->d; l++) {
            const double u = coordinate(from, i, l), v = coordinate(&s->k_marks, j, l);

            e += gauss ? -(u - v) * (u - v) / 2 : u * v;
        }
        row[j] = factor * e;
        top = fmax(top, row[j]);
    }
    for (size_t j = 0; j < s->m; j++)
        sum += row[j] = exp(row[j] - (gauss ? 0 : top));
    for (size_t j = 0; j < s->m && !gauss; j++)
        row[j] /= sum;
}

static kmv_status factor_core(state *s, const kmv_problem *problem, double ridge,
                              const kmv_prepare_context *context, kmv_error *err)
{
    const size_t m = s->m;
    const int n = (int)m;
    double *core = problem->matrix == KMV_GAUSS ? s->chol : s->a, norm2 = 0;
    int info = 0;

#pragma omp parallel for num_threads(s->threads) schedule(static)
    for (size_t i = 0; i < m; i++)
        core_row(s, problem, i, core + i * m);
    for (size_t i = 0; i < m * m; i++)
        norm2 += core[i] * core[i];
    if (!(norm2 < INFINITY)) /* logits that are no numbers */
        return kmv_fail(err, KMV_ENOTSUP, "nystrom: sigma = %g is too small for these points",
                        problem->sigma);
    if (problem->matrix == KMV_SOFTMAX)
        cblas_dsyrk(CblasColMajor, CblasLower, CblasNoTrans, n, n, 1, s->a, n, 0, s->chol, n);
    for (size_t i = 0; i < m; i++)
        s->chol[i * m + i] += ridge * (problem->matrix == KMV_GAUSS ? 1 : norm2);
    dpotrf_("L", &n, s->chol, &n, &info);
    context->cost->pairs += (double)(m * m);
    context->cost->flops += (double)(m * m) * (2 * (double)problem->k->d + 4 * (double)m / 3);
    return info == 0
               ? KMV_OK
               : kmv_fail(err, KMV_ENOTSUP,
                          "nystrom: landmarks are dependent, want a larger ridge than %g", ridge);
}

static kmv_status prepare(const kmv_problem *problem, const void *chosen,
                          const kmv_prepare_context *context, void **out, kmv_error *err)
{
    static const char *const names[] = {"uniform", "segment", "k-means"};
    const opts *o = chosen;
    const size_t m = o->landmarks, r = context->settings->r;
    const int softmax = problem->matrix == KMV_SOFTMAX;
    const kmv_landmarks kind = (kmv_landmarks)o->select;
    double *centre = NULL, *flops = &context->cost->flops;
    state *s = kmv_alloc(1, sizeof *s, "state of nystrom", err);
    kmv_status st = KMV_ENOMEM;

    if (s == NULL)
        return KMV_ENOMEM;
    s->m = m;
    s->threads = context->threads;
    kmv_blas_threads(1);
    if ((centre = kmv_alloc(problem->k->d, sizeof *centre, "centre", err)) == NULL ||
        (s->chol = kmv_alloc(m * m, sizeof *s->chol, "landmark matrix", err)) == NULL ||
        (softmax && (s->a = kmv_alloc(m * m, sizeof *s->a, "landmark matrix", err)) == NULL) ||
        (s->z = kmv_alloc(m * r, sizeof *s->z, "landmark values", err)) == NULL ||
        (s->t = kmv_alloc(m * r, sizeof *s->t, "landmark values", err)) == NULL)
        goto out;
    kmv_centre(problem, centre);
    if ((st = kmv_landmarks_choose(problem->k, m, kind, o->rounds, context->key, flops, &s->k_marks,
                                   err)) != KMV_OK ||
        (softmax && (st = kmv_landmarks_choose(problem->q, m, kind, o->rounds, context->key, flops,
                                               &s->q_marks, err)) != KMV_OK) ||
        (st = make_stage(&s->in, problem, softmax ? &s->q_marks : &s->k_marks, problem->k, centre,
                         context, err)) != KMV_OK ||
        (st = make_stage(&s->out, problem, problem->q, &s->k_marks, centre, context, err)) !=
            KMV_OK ||
        (st = factor_core(s, problem, o->ridge, context, err)) != KMV_OK)
        goto out;
    snprintf(context->text, context->text_size, "nystrom: %zu %s landmarks, ridge %g", m,
             names[kind], o->ridge);
    *out = s;
    s = NULL;
out:
    kmv_free(centre);
    destroy(s);
    return st;
}

static kmv_status apply(void *of_plan, kmv_apply_context *context, kmv_error *err)
{
    state *s = of_plan;
    const size_t m = s->m, r = context->r;
    const int n = (int)m, columns = (int)r;
    int info = 0;
    kmv_status st = run_stage(&s->in, context->x, r, s->threads, s->z, context->cost, err);

    if (st != KMV_OK)
        return st;
    if (s->a != NULL)
        cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, columns, n, n, 1, s->z, columns, s->a,
                    n, 0, s->t, n);
    for (size_t i = 0; i < m && s->a == NULL; i++) {
        for (size_t c = 0; c < r; c++)
            s->t[c * m + i] = s->z[i * r + c];
    }
    dpotrs_("L", &n, &columns, s->chol, &n, s->t, &n, &info);
    for (size_t i = 0; i < m; i++) {
        for (size_t c = 0; c < r; c++)
            s->z[i * r + c] = s->t[c * m + i];
    }
    context->cost->flops += (s->a != NULL ? 4 : 2) * (double)(m * m) * (double)r;
    return run_stage(&s->out, s->z, r, s->threads, context->y, context->cost, err);
}

const kmv_algo kmv_algo_nystrom = {
    .name = "nystrom",
    .summary = "low rank through landmarks: keys for gauss, queries and keys for softmax",
    .guarantee = "none",
    .source = "Williams & Seeger, NIPS 2001; softmax: Xiong et al., AAAI 2021, arXiv 2102.03902",
    .flags = KMV_CAN_GAUSS | KMV_CAN_SOFTMAX | KMV_CAN_COLUMNS | KMV_CAN_SIGNED | KMV_IS_RANDOM,
    .options = options,
    .options_size = sizeof(opts),
    .reject = reject,
    .prepare = prepare,
    .apply = apply,
    .destroy = destroy,
};

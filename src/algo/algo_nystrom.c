/* algo/algo_nystrom.c - low rank through landmarks.
 *
 * gauss: K ~ K_qm W K_mk with m landmarks among the keys, W = (K_mm + ridge I)^-1. Source: Williams
 * & Seeger, "Using the Nystrom method to speed up kernel machines", NIPS 2001. No guarantee without
 * a bound on the spectrum; the currency would be the operator norm. Ours: the ridge, against
 * landmarks that nearly coincide, and uniform landmarks without replacement.
 *
 * softmax: P ~ F Z B with F = softmax(Q Km'), B = softmax(Qm K'), Z ~ softmax(Qm Km')^+ by the
 * iteration Z <- Z (13 I - A Z (15 I - A Z (7 I - A Z))) / 4, landmarks the means of consecutive
 * segments. Source: Xiong et al., "Nystromformer", AAAI 2021 (arXiv 2102.03902), with their 64
 * landmarks and 6 iterations. Chosen before the Gaussian form with diagonal scaling, whose entries
 * among landmarks underflow on real heads and whose denominators may vanish: here every factor is a
 * softmax matrix, in the log domain. No guarantee. */
#include <gsl/gsl_linalg.h> /* brings cblas too */
#include <gsl/gsl_randist.h>
#include <gsl/gsl_rng.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "algo/algo.h"
#include "algo/blas.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/status.h"

extern const kmv_algo kmv_algo_exact;

typedef struct {
    size_t landmarks, iterations;
    double ridge;
} opts;

static const kmv_option options[] = {
    {"landmarks", KMV_OPT_SIZE, offsetof(opts, landmarks), "64", 1, 8192,
     "keys (gauss), or segments of queries and keys (softmax)", NULL},
    {"ridge", KMV_OPT_REAL, offsetof(opts, ridge), "1e-6", 0, 1,
     "gauss: added to the diagonal of the landmarks' matrix", NULL},
    {"iterations", KMV_OPT_SIZE, offsetof(opts, iterations), "6", 1, 100,
     "softmax: of the pseudo-inverse", NULL},
    {0},
};

/* One exact product with a matrix of its own. */
typedef struct {
    kmv_problem problem;
    void *state;
} factor;

typedef struct {
    size_t m, n_q, r;
    kmv_points marks_q, marks_k; /* landmarks; gauss: marks_k alone */
    factor left, right;          /* queries x landmarks, landmarks x keys */
    gsl_matrix *cholesky;        /* gauss: of K_mm + ridge I */
    double *inverse;             /* softmax: Z, m x m */
    double *b, *z;               /* m x r */
} state;

static const char *reject(const kmv_problem *problem, const void *chosen, size_t r)
{
    const opts *o = chosen;

    (void)r;
    if (o->landmarks > problem->k->n)
        return "landmarks > n_k";
    return problem->matrix == KMV_SOFTMAX && o->landmarks > problem->q->n ? "landmarks > n_q"
                                                                          : NULL;
}

static void destroy(void *of_plan)
{
    state *s = of_plan;

    if (s == NULL)
        return;
    kmv_algo_exact.destroy(s->left.state);
    kmv_algo_exact.destroy(s->right.state);
    gsl_matrix_free(s->cholesky);
    kmv_free(s->inverse);
    kmv_free(s->b);
    kmv_free(s->z);
    kmv_points_clear(&s->marks_q);
    kmv_points_clear(&s->marks_k);
    kmv_free(s);
}

/* An exact product of `columns` columns as a step of ours. */
static kmv_status make_factor(factor *f, const kmv_problem *problem, const kmv_points *q,
                              const kmv_points *k, size_t columns,
                              const kmv_prepare_context *context, kmv_error *err)
{
    kmv_settings settings = *context->settings;
    kmv_prepare_context inner = *context;
    char text[256];

    f->problem = *problem;
    f->problem.q = q;
    f->problem.k = k;
    settings.r = columns;
    inner.settings = &settings;
    inner.text = text;
    inner.text_size = sizeof text;
    return kmv_algo_exact.prepare(&f->problem, NULL, &inner, &f->state, err);
}

static kmv_status multiply(factor *f, const double *x, size_t r, double *y, kmv_cost *cost,
                           kmv_error *err)
{
    kmv_apply_context context = {.x = x, .r = r, .y = y, .cost = cost};

    return kmv_algo_exact.apply(f->state, &context, err);
}

/* ---- landmarks ------------------------------------------------------------------------------- */

static kmv_status draw_keys(state *s, const kmv_points *k, uint64_t key, kmv_error *err)
{
    size_t *all = kmv_alloc(k->n, sizeof *all, "numbers of keys", err);
    size_t *chosen = kmv_alloc(s->m, sizeof *chosen, "landmarks", err);
    gsl_rng *rng = kmv_rng_create(key, err);
    kmv_status st = KMV_ENOMEM;

    if (all == NULL || chosen == NULL || rng == NULL ||
        (st = kmv_points_init(&s->marks_k, s->m, k->d, err)) != KMV_OK)
        goto out;
    for (size_t j = 0; j < k->n; j++)
        all[j] = j;
    gsl_ran_choose(rng, chosen, s->m, all, k->n, sizeof *all);
    for (size_t a = 0; a < s->m; a++)
        memcpy(s->marks_k.x + a * s->marks_k.ld, k->x + chosen[a] * k->ld, k->ld * sizeof *k->x);
    s->marks_k.origin = k->origin; /* borrowed: taken back before clearing */
out:
    if (rng != NULL)
        gsl_rng_free(rng);
    kmv_free(chosen);
    kmv_free(all);
    return st;
}

/* Means of m segments whose sizes differ by at most one. */
static kmv_status segment_means(const kmv_points *p, size_t m, kmv_points *out, kmv_error *err)
{
    kmv_status st = kmv_points_init(out, m, p->d, err);

    for (size_t a = 0; st == KMV_OK && a < m; a++) {
        const size_t first = a * p->n / m, end = (a + 1) * p->n / m;

        for (size_t l = 0; l < p->d; l++) {
            double sum = 0;

            for (size_t i = first; i < end; i++)
                sum += (double)p->x[i * p->ld + l];
            out->x[a * out->ld + l] = (float)(sum / (double)(end - first));
        }
    }
    out->origin = st == KMV_OK ? p->origin : NULL;
    return st;
}

/* ---- the small matrix ------------------------------------------------------------------------ */

/* Landmarks against landmarks, m x m, as a product with the identity. */
static kmv_status small_matrix(state *s, const kmv_problem *problem, const kmv_points *q,
                               const kmv_prepare_context *context, double *a, kmv_error *err)
{
    const size_t m = s->m;
    double *identity = kmv_alloc(m * m, sizeof *identity, "identity", err);
    factor f = {0};
    kmv_status st = KMV_ENOMEM;

    if (identity == NULL)
        return KMV_ENOMEM;
    for (size_t i = 0; i < m; i++)
        identity[i * m + i] = 1;
    if ((st = make_factor(&f, problem, q, &s->marks_k, m, context, err)) == KMV_OK)
        st = multiply(&f, identity, m, a, context->cost, err);
    kmv_algo_exact.destroy(f.state);
    kmv_free(identity);
    return st;
}

static void dgemm(size_t m, double alpha, const double *a, const double *b, double *c)
{
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)m, (int)m, (int)m, alpha, a, (int)m,
                b, (int)m, 0, c, (int)m);
}

/* c <- diagonal I - c */
static void from_diagonal(size_t m, double diagonal, double *c)
{
    for (size_t i = 0; i < m * m; i++)
        c[i] = (i % (m + 1) == 0 ? diagonal : 0) - c[i];
}

/* The iteration above, from A' / (|A|_1 |A|_inf). room: 3 m m. */
static void pseudo_inverse(size_t m, const double *a, size_t iterations, double *z, double *room,
                           kmv_cost *cost)
{
    double *az = room, *t = room + m * m, *u = t + m * m, columns = 0, rows = 0;

    for (size_t i = 0; i < m; i++) {
        double column = 0, row = 0;

        for (size_t j = 0; j < m; j++) {
            column += fabs(a[j * m + i]);
            row += fabs(a[i * m + j]);
        }
        columns = column > columns ? column : columns;
        rows = row > rows ? row : rows;
    }
    for (size_t i = 0; i < m; i++) {
        for (size_t j = 0; j < m; j++)
            z[i * m + j] = a[j * m + i] / (columns * rows);
    }
    for (size_t n = 0; n < iterations; n++) {
        dgemm(m, 1, a, z, az);
        memcpy(t, az, m * m * sizeof *t);
        from_diagonal(m, 7, t);
        dgemm(m, 1, az, t, u);
        from_diagonal(m, 15, u);
        dgemm(m, 1, az, u, t);
        from_diagonal(m, 13, t);
        dgemm(m, 0.25, z, t, u);
        memcpy(z, u, m * m * sizeof *z);
    }
    cost->flops += 8.0 * (double)iterations * (double)m * (double)m * (double)m;
}

static kmv_status invert(state *s, const kmv_problem *problem, const opts *o,
                         const kmv_prepare_context *context, kmv_error *err)
{
    const size_t m = s->m;
    const int gauss = problem->matrix == KMV_GAUSS;
    double *a = kmv_alloc(4 * m * m, sizeof *a, "landmarks' matrix", err);
    kmv_status st = KMV_ENOMEM;

    if (a == NULL)
        return KMV_ENOMEM;
    if ((st = small_matrix(s, problem, gauss ? &s->marks_k : &s->marks_q, context, a, err)) !=
        KMV_OK)
        goto out;
    if (!gauss) {
        if ((s->inverse = kmv_alloc(m * m, sizeof *s->inverse, "pseudo-inverse", err)) == NULL)
            st = KMV_ENOMEM;
        else
            pseudo_inverse(m, a, o->iterations, s->inverse, a + m * m, context->cost);
        goto out;
    }
    if ((s->cholesky = gsl_matrix_alloc(m, m)) == NULL) {
        st = kmv_fail(err, KMV_ENOMEM, "nystrom: no memory for %zu landmarks", m);
        goto out;
    }
    for (size_t i = 0; i < m; i++) { /* the halves differ by rounding */
        for (size_t j = 0; j < m; j++)
            gsl_matrix_set(s->cholesky, i, j,
                           (a[i * m + j] + a[j * m + i]) / 2 + (i == j ? o->ridge : 0));
    }
    if (gsl_linalg_cholesky_decomp1(s->cholesky) != 0)
        st = kmv_fail(err, KMV_ENOTSUP,
                      "nystrom: the landmarks' matrix is not positive definite with ridge = %g",
                      o->ridge);
    context->cost->flops += (double)m * (double)m * (double)m / 3;
out:
    kmv_free(a);
    return st;
}

/* ---- as an algorithm ------------------------------------------------------------------------- */

static kmv_status prepare(const kmv_problem *problem, const void *chosen,
                          const kmv_prepare_context *context, void **out, kmv_error *err)
{
    const opts *o = chosen;
    const int gauss = problem->matrix == KMV_GAUSS;
    state *s = kmv_alloc(1, sizeof *s, "state of nystrom", err);
    kmv_status st;

    if (s == NULL)
        return KMV_ENOMEM;
    s->m = o->landmarks;
    s->n_q = problem->q->n;
    s->r = context->settings->r;
    kmv_blas_threads(context->threads);
    st = gauss ? draw_keys(s, problem->k, context->key, err)
               : segment_means(problem->k, s->m, &s->marks_k, err);
    if (st == KMV_OK && !gauss)
        st = segment_means(problem->q, s->m, &s->marks_q, err);
    if (st != KMV_OK || (st = invert(s, problem, o, context, err)) != KMV_OK ||
        (st = make_factor(&s->left, problem, problem->q, &s->marks_k, s->r, context, err)) !=
            KMV_OK ||
        (st = make_factor(&s->right, problem, gauss ? &s->marks_k : &s->marks_q, problem->k, s->r,
                          context, err)) != KMV_OK)
        goto out;
    s->b = kmv_alloc(s->m * s->r, sizeof *s->b, "products of landmarks", err);
    s->z = kmv_alloc(s->m * s->r, sizeof *s->z, "products of landmarks", err);
    if (s->b == NULL || s->z == NULL) {
        st = KMV_ENOMEM;
        goto out;
    }
    snprintf(context->text, context->text_size, "nystrom: %zu landmarks, %s", s->m,
             gauss ? "keys drawn uniformly" : "means of segments");
    *out = s;
    s = NULL;
out:
    if (s != NULL)
        s->marks_k.origin = s->marks_q.origin = NULL;
    destroy(s);
    return st;
}

static kmv_status apply(void *of_plan, kmv_apply_context *context, kmv_error *err)
{
    state *s = of_plan;
    const size_t m = s->m, r = context->r;
    kmv_status st;

    if ((st = multiply(&s->right, context->x, r, s->b, context->cost, err)) != KMV_OK)
        return st;
    if (s->inverse != NULL) {
        cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)m, (int)r, (int)m, 1,
                    s->inverse, (int)m, s->b, (int)r, 0, s->z, (int)r);
    } else {
        for (size_t c = 0; c < r; c++) {
            gsl_vector_const_view b = gsl_vector_const_view_array_with_stride(s->b + c, r, m);
            gsl_vector_view z = gsl_vector_view_array_with_stride(s->z + c, r, m);

            gsl_linalg_cholesky_solve(s->cholesky, &b.vector, &z.vector);
        }
    }
    context->cost->flops += 2 * (double)m * (double)m * (double)r;
    return multiply(&s->left, s->z, r, context->y, context->cost, err);
}

static void destroy_plan(void *of_plan)
{
    state *s = of_plan;

    if (s != NULL)
        s->marks_k.origin = s->marks_q.origin = NULL;
    destroy(s);
}

const kmv_algo kmv_algo_nystrom = {
    .name = "nystrom",
    .summary = "low rank through landmarks: keys (gauss) or means of segments (softmax)",
    .guarantee = "none; exact where the landmarks are all keys (gauss) up to the ridge",
    .source = "Williams & Seeger, NIPS 2001; softmax: Xiong et al., AAAI 2021, arXiv 2102.03902",
    .flags = KMV_CAN_GAUSS | KMV_CAN_SOFTMAX | KMV_CAN_COLUMNS | KMV_CAN_SIGNED | KMV_IS_RANDOM,
    .options = options,
    .options_size = sizeof(opts),
    .reject = reject,
    .prepare = prepare,
    .apply = apply,
    .destroy = destroy_plan,
};

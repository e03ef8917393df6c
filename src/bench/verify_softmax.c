/* bench/verify_softmax.c - what only products with the softmax matrix are judged by: the answer
 * with the mean of V, and errors in the operator norm. See verify.h. */
#include <gsl/gsl_eigen.h>
#include <gsl/gsl_vector.h>
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/status.h"
#include "bench/verify.h"

/* The Gram matrices of y - PV, PV and PV - mean over the rows judged, and of V. */
enum { ERROR, EXACT, MEAN, VALUES, GRAMS };

typedef struct {
    size_t r;
    double *g; /* GRAMS matrices r x r, of which the upper triangles are filled */
} grams;

static void add_row(const grams *all, size_t which, const double *row)
{
    double *g = all->g + which * all->r * all->r;

    for (size_t a = 0; a < all->r; a++) {
        for (size_t b = a; b < all->r; b++)
            g[a * all->r + b] += row[a] * row[b];
    }
}

/* row: scratch of 2 r doubles. */
static void add_judged_rows(const kmv_judge *judge, const kmv_problem *problem, const double *y,
                            const double *v, double *row, grams *all)
{
    const size_t n_k = problem->k->n, r = judge->r;
    double *sum = row + r;
    size_t added = 0;

    for (size_t i = 0; i < judge->count; i++) { /* rows ascend: within a head the prefix grows */
        const size_t at = judge->rows != NULL ? judge->rows[i] : i;
        const size_t seen = kmv_problem_sees(problem, at);
        const double *exact = judge->y + i * r, *got = y + at * r;

        if (seen < added) {
            memset(sum, 0, r * sizeof *sum);
            added = 0;
        }
        for (; added < seen; added++) {
            for (size_t c = 0; c < r; c++)
                sum[c] += v[added * r + c];
        }
        add_row(all, EXACT, exact);
        for (size_t c = 0; c < r; c++)
            row[c] = got[c] - exact[c];
        add_row(all, ERROR, row);
        for (size_t c = 0; c < r; c++)
            row[c] = exact[c] - sum[c] / (double)seen;
        add_row(all, MEAN, row);
    }
    for (size_t j = 0; j < n_k; j++)
        add_row(all, VALUES, v + j * r);
}

static double fro2(const grams *all, size_t which)
{
    double sum = 0;

    for (size_t c = 0; c < all->r; c++)
        sum += all->g[which * all->r * all->r + c * (all->r + 1)];
    return sum;
}

/* Largest singular value; NaN where the matrix is not finite, on which the iteration for
 * eigenvalues might not end. */
static double op_norm(const grams *all, size_t which, gsl_matrix *a, gsl_vector *values,
                      gsl_eigen_symm_workspace *work)
{
    const double *g = all->g + which * all->r * all->r;

    for (size_t i = 0; i < all->r; i++) {
        for (size_t j = i; j < all->r; j++) {
            if (!isfinite(g[i * all->r + j]))
                return NAN;
            gsl_matrix_set(a, j, i, g[i * all->r + j]);
        }
    }
    gsl_eigen_symm(a, values, work); /* reads the lower triangle */
    return sqrt(fmax(0, gsl_vector_max(values)));
}

/* a/b, where 0/0 is no error at all. */
static double ratio(double a, double b)
{
    return a == 0 ? 0 : a / b;
}

/* scale: n_q / rows judged. */
static kmv_status fill_op(const grams *all, const kmv_judge *judge, double scale,
                          kmv_record *record, kmv_error *err)
{
    gsl_matrix *a = gsl_matrix_alloc(all->r, all->r);
    gsl_vector *values = gsl_vector_alloc(all->r);
    gsl_eigen_symm_workspace *work = gsl_eigen_symm_alloc(all->r);
    kmv_status st = KMV_OK;

    if (a == NULL || values == NULL || work == NULL) {
        st = kmv_fail(err, KMV_ENOMEM, "no memory for eigenvalues of %zu columns", all->r);
    } else {
        const double unit = judge->op_norm * op_norm(all, VALUES, a, values, work);

        record->p_op = judge->op_norm;
        record->p_op_tol = judge->op_tol;
        record->err_op = ratio(sqrt(scale) * op_norm(all, ERROR, a, values, work), unit);
        record->null_op = ratio(sqrt(scale) * op_norm(all, EXACT, a, values, work), unit);
        record->mean_op = ratio(sqrt(scale) * op_norm(all, MEAN, a, values, work), unit);
    }
    gsl_matrix_free(a);
    gsl_vector_free(values);
    gsl_eigen_symm_free(work);
    return st;
}

kmv_status kmv_verify_softmax(const kmv_judge *judge, const kmv_problem *problem, const double *y,
                              const double *v, double x_norm, kmv_record *record, kmv_error *err)
{
    const double scale = (double)judge->n_q / (double)judge->count;
    grams all = {judge->r,
                 kmv_alloc(GRAMS * judge->r * judge->r, sizeof *all.g, "Gram matrices", err)};
    double *row = kmv_alloc(2 * judge->r, sizeof *row, "mean of V", err);
    kmv_status st = all.g == NULL || row == NULL ? KMV_ENOMEM : KMV_OK;

    if (st == KMV_OK) {
        add_judged_rows(judge, problem, y, v, row, &all);
        record->mean_err = ratio(sqrt(fro2(&all, MEAN) * scale), x_norm);
        record->err_rel_mean =
            fro2(&all, MEAN) > 0 ? sqrt(fro2(&all, ERROR) / fro2(&all, MEAN)) : NAN;
        if (!isnan(judge->op_norm))
            st = fill_op(&all, judge, scale, record, err);
    }
    kmv_free(row);
    kmv_free(all.g);
    return st;
}

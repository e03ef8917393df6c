/* The float64 reference against direct sums in long double, for every instruction set. */
#include <float.h>
#include <gsl/gsl_randist.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "check.h"
#include "gauss/reference.h"

static const char *const isas[] = {"amx", "avx512", "avx2", "portable"};

enum { N_ISAS = sizeof isas / sizeof *isas };

typedef struct {
    kmv_points q, k;
    kmv_problem problem;
    double *x;
    size_t r;
} fixture;

/* Gaussian points of spread `spread` around `shift` in every coordinate. */
static fixture make(size_t n_q, size_t n_k, size_t d, size_t r, double spread, double shift)
{
    gsl_rng *rng = kmv_rng_create(kmv_stream_key(7, "reference", n_q * 1000 + n_k), NULL);
    fixture f = {.r = r};
    kmv_error err = {""};
    kmv_points *sets[2] = {&f.q, &f.k};

    assert_non_null(rng);
    CHECK_OK(kmv_points_init(&f.q, n_q, d, &err));
    CHECK_OK(kmv_points_init(&f.k, n_k, d, &err));
    for (size_t s = 0; s < 2; s++) {
        for (size_t i = 0; i < sets[s]->n; i++) {
            for (size_t l = 0; l < d; l++)
                sets[s]->x[i * sets[s]->ld + l] = (float)(shift + gsl_ran_gaussian(rng, spread));
        }
    }
    f.x = kmv_alloc(n_k, r * sizeof *f.x, "x", &err);
    assert_non_null(f.x);
    for (size_t j = 0; j < n_k * r; j++)
        f.x[j] = gsl_ran_gaussian(rng, 1);
    gsl_rng_free(rng);
    f.problem = (kmv_problem){.matrix = KMV_GAUSS, .sigma = 1};
    return f;
}

static void clear(fixture *f)
{
    kmv_points_clear(&f->q);
    kmv_points_clear(&f->k);
    kmv_free(f->x);
}

static long double coordinate(const kmv_points *p, size_t i, size_t l)
{
    return (long double)p->x[i * p->ld + l] + (p->origin != NULL ? p->origin[l] : 0);
}

static long double exponent(const kmv_problem *p, size_t i, size_t j)
{
    long double sum = 0;

    for (size_t l = 0; l < p->q->d; l++) {
        const long double a = coordinate(p->q, i, l), b = coordinate(p->k, j, l);

        sum += p->matrix == KMV_SOFTMAX ? a * b : -0.5L * (a - b) * (a - b);
    }
    return sum / p->sigma / p->sigma;
}

/* Row i by direct sums: y[r], and the sum of |entry| |x_jc| over all c that tolerances refer to. */
static double direct_row(const kmv_problem *p, size_t i, const double *x, size_t r, double *y)
{
    const size_t seen = p->causal ? i + p->k->n - p->q->n + 1 : p->k->n;
    long double top = -INFINITY, mass = 0, weight = 0;

    for (size_t j = 0; j < seen && p->matrix == KMV_SOFTMAX; j++)
        top = fmaxl(top, exponent(p, i, j));
    for (size_t j = 0; j < seen && p->matrix == KMV_SOFTMAX; j++)
        mass += expl(exponent(p, i, j) - top);
    if (p->matrix == KMV_GAUSS) {
        top = 0;
        mass = 1;
    }
    for (size_t c = 0; c < r; c++) {
        long double sum = 0;

        for (size_t j = 0; j < seen; j++) {
            const long double entry = expl(exponent(p, i, j) - top) / mass;

            sum += entry * x[j * r + c];
            weight += entry * fabs(x[j * r + c]);
        }
        y[c] = (double)sum;
    }
    return (double)weight;
}

/* Product of all rows with one instruction set; 0 when this machine cannot run it. */
static int product(const fixture *f, const char *isa, int threads, double *y)
{
    kmv_problem p = f->problem;
    kmv_reference *w = NULL;
    kmv_error err = {""};
    size_t calls;

    p.q = &f->q;
    p.k = &f->k;
    if (kmv_reference_create(&p, f->r, isa, threads, &w, &err) != KMV_OK) {
        assert_non_null(strstr(err.text, "cannot run"));
        return 0;
    }
    calls = kmv_mem_calls();
    kmv_reference_apply(w, NULL, f->q.n, f->x, f->r, y);
    assert_int_equal(kmv_mem_calls(), calls);
    kmv_reference_destroy(w);
    return 1;
}

/* The bound of the docstring for `spread2` = the largest D^2 / sigma^2. */
static void check_rows(const fixture *f, double spread2)
{
    kmv_problem p = f->problem;
    double *y = calloc(f->q.n * f->r, sizeof *y), *want = calloc(f->r, sizeof *want);
    size_t ran = 0;

    p.q = &f->q;
    p.k = &f->k;
    for (size_t v = 0; v < N_ISAS; v++) {
        if (!product(f, isas[v], 2, y))
            continue;
        ran++;
        for (size_t i = 0; i < f->q.n; i++) {
            const double weight = direct_row(&p, i, f->x, f->r, want);
            const double tol = (double)(f->q.d + 24) * DBL_EPSILON * (1 + spread2) * weight;

            for (size_t c = 0; c < f->r; c++)
                CHECK_CLOSE(y[i * f->r + c], want[c], tol);
        }
    }
    assert_true(ran >= 1); /* portable always runs */
    free(y);
    free(want);
}

/* Sizes around a panel (16), around a block (1, 2, 6) and a chunk (48) of rows. */
static void sizes(void **state)
{
    static const size_t n_q[] = {1, 5, 6, 7, 47, 48, 49, 100}, n_k[] = {1, 15, 16, 17, 33, 100};

    (void)state;
    for (size_t a = 0; a < sizeof n_q / sizeof *n_q; a++) {
        for (size_t b = 0; b < sizeof n_k / sizeof *n_k; b++) {
            fixture f = make(n_q[a], n_k[b], 5, 1, 0.5, 0);

            check_rows(&f, 50); /* 5 coordinates, each off by at most 3.2 */
            f.problem.matrix = KMV_SOFTMAX;
            check_rows(&f, 50);
            clear(&f);
        }
    }
}

static void known_value(void **state) /* distance 1, sigma 1: exp(-1/2); distance 0: 1 */
{
    fixture f = make(1, 2, 1, 1, 0, 0);
    double y = 0;

    (void)state;
    f.k.x[f.k.ld] = 1;
    f.x[0] = 3;
    f.x[1] = 2;
    for (size_t v = 0; v < N_ISAS; v++) {
        if (product(&f, isas[v], 1, &y))
            CHECK_CLOSE(y, 3 + 2 * 0.60653065971263342, 5 * DBL_EPSILON);
    }
    clear(&f);
}

/* exp over its range: one query at 0, key j at distance sqrt(2 z) with sigma 1. The argument that
 * counts is the one made of the rounded distance; two roundings of it and 2 ulp of exp remain. */
static void exponential(void **state)
{
    enum { N = 3000 };
    fixture f = make(1, 1, 1, 1, 0, 0);
    double y = 0;

    (void)state;
    f.x[0] = 1;
    for (size_t v = 0; v < N_ISAS; v++) {
        for (size_t j = 0; j < N; j++) {
            long double z;

            f.k.x[0] = (float)sqrt(2 * 720.0 * (double)j / N);
            z = (long double)f.k.x[0] * f.k.x[0] / 2; /* exact: 48 bits */
            if (!product(&f, isas[v], 1, &y))
                break;
            if (z > 708) {
                assert_true(y == 0);
            } else {
                const double want = (double)expl(-z);

                CHECK_CLOSE(y, want, 2 * DBL_EPSILON * want);
            }
        }
    }
    clear(&f);
}

static void causal_and_columns(void **state)
{
    fixture f = make(50, 70, 9, 3, 0.4, 0);

    (void)state;
    f.problem.causal = 1;
    check_rows(&f, 60);
    f.problem.matrix = KMV_SOFTMAX;
    check_rows(&f, 60);
    clear(&f);
    f = make(20, 20, 3, 17, 0.5, 0);
    f.problem.causal = 1; /* the first row sees one key */
    check_rows(&f, 40);
    clear(&f);
}

/* All points shifted by 1000 sigma: differences do not cancel. */
static void shifted(void **state)
{
    fixture f = make(30, 40, 8, 1, 0.5, 1000);

    (void)state;
    check_rows(&f, 60);
    clear(&f);
}

/* The same shift held in the origins, and origins that differ by less than the points spread. */
static void origins(void **state)
{
    fixture f = make(30, 40, 8, 2, 0.5, 0);

    (void)state;
    for (size_t l = 0; l < 8; l++) {
        f.q.origin[l] = 1000.1;
        f.k.origin[l] = 1000.1 + 0.01 * (double)l;
    }
    check_rows(&f, 60);
    for (size_t l = 0; l < 8; l++) {
        f.q.origin[l] = 3.1;
        f.k.origin[l] = -2.7;
    }
    f.problem.matrix = KMV_SOFTMAX;
    check_rows(&f, 8 * 5.0 * 2.5); /* |q| |k - origin| */
    clear(&f);
}

/* Rows of P sum to 1, also where logits reach +-1000 and where one key takes all. */
static void softmax_rows_sum_to_one(void **state)
{
    fixture f = make(40, 90, 4, 1, 16, 0);
    double y[40];

    (void)state;
    f.problem.matrix = KMV_SOFTMAX;
    for (size_t j = 0; j < 90; j++)
        f.x[j] = 1;
    for (size_t v = 0; v < N_ISAS; v++) {
        if (!product(&f, isas[v], 1, y))
            continue;
        for (size_t i = 0; i < 40; i++)
            CHECK_CLOSE(y[i], 1, 4 * DBL_EPSILON); /* the same sum above and below the line */
    }
    clear(&f);
}

static void threads_and_rows_keep_bits(void **state)
{
    static const size_t some[] = {3, 4, 17, 50, 99, 120};
    fixture f = make(121, 77, 6, 1, 0.5, 0);
    double one[121], two[121], part[6];
    kmv_error err = {""};

    (void)state;
    f.problem.q = &f.q;
    f.problem.k = &f.k;
    for (int softmax = 0; softmax < 2; softmax++) {
        f.problem.matrix = softmax ? KMV_SOFTMAX : KMV_GAUSS;
        CHECK_OK(kmv_reference_product(&f.problem, NULL, 121, f.x, 1, 1, one, &err));
        CHECK_OK(kmv_reference_product(&f.problem, NULL, 121, f.x, 1, 3, two, &err));
        assert_memory_equal(one, two, sizeof one);
        CHECK_OK(kmv_reference_product(&f.problem, some, 6, f.x, 1, 2, part, &err));
        for (size_t i = 0; i < 6; i++)
            assert_memory_equal(&part[i], &one[some[i]], sizeof *part);
    }
    clear(&f);
}

/* Terms that cancel: 1e16, 1, -1e16 at distance 0 sum to 1 only with compensation. */
static void compensation(void **state)
{
    fixture f = make(1, 48, 1, 1, 0, 0);
    double y = 0;

    (void)state;
    memset(f.x, 0, 48 * sizeof *f.x);
    f.x[0] = 1e16; /* one lane, three panels */
    f.x[16] = 1;
    f.x[32] = -1e16;
    for (size_t v = 0; v < N_ISAS; v++) {
        if (product(&f, isas[v], 1, &y))
            CHECK_CLOSE(y, 1, 0);
    }
    f.x[32] = 0;
    f.x[33] = -1e16; /* across lanes */
    for (size_t v = 0; v < N_ISAS; v++) {
        if (product(&f, isas[v], 1, &y))
            CHECK_CLOSE(y, 1, 0);
    }
    clear(&f);
}

/* Buffers made for 5 columns also serve 1, with the bits of buffers made for 1. */
static void fewer_columns(void **state)
{
    fixture f = make(50, 40, 3, 1, 0.5, 0);
    kmv_reference *w = NULL;
    kmv_error err = {""};
    double narrow[50], wide[50];

    (void)state;
    f.problem.q = &f.q;
    f.problem.k = &f.k;
    CHECK_OK(kmv_reference_create(&f.problem, 5, NULL, 2, &w, &err));
    kmv_reference_apply(w, NULL, 50, f.x, 1, wide);
    CHECK_OK(kmv_reference_product(&f.problem, NULL, 50, f.x, 1, 2, narrow, &err));
    assert_memory_equal(narrow, wide, sizeof wide);
    kmv_reference_destroy(w);
    clear(&f);
}

/* A sigma whose square underflows leaves the pairs at distance 0. */
static void tiny_sigma(void **state)
{
    fixture f = make(2, 3, 2, 1, 1, 0);
    double y[2];

    (void)state;
    f.problem.sigma = 1e-200;
    memcpy(f.k.x, f.q.x, 2 * sizeof *f.q.x);
    for (size_t v = 0; v < N_ISAS; v++) {
        if (!product(&f, isas[v], 1, y))
            continue;
        CHECK_CLOSE(y[0], f.x[0], 0);
        CHECK_CLOSE(y[1], 0, 0);
    }
    clear(&f);
}

static void bad_arguments(void **state)
{
    static const size_t beyond[] = {2};
    fixture f = make(2, 3, 2, 1, 1, 0);
    kmv_reference *w = NULL;
    kmv_error err = {""};
    double y[2];

    (void)state;
    f.problem.q = &f.q;
    f.problem.k = &f.k;
    CHECK_FAILS(kmv_reference_create(&f.problem, 1, "avx9", 1, &w, &err), KMV_EINVAL, "'avx9'");
    CHECK_FAILS(kmv_reference_product(&f.problem, beyond, 1, f.x, 1, 1, y, &err), KMV_EINVAL,
                "row 2");
    f.problem.sigma = NAN;
    CHECK_FAILS(kmv_reference_product(&f.problem, NULL, 2, f.x, 1, 1, y, &err), KMV_EINVAL,
                "sigma");
    assert_null(w);
    clear(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes),
        cmocka_unit_test(known_value),
        cmocka_unit_test(exponential),
        cmocka_unit_test(causal_and_columns),
        cmocka_unit_test(shifted),
        cmocka_unit_test(origins),
        cmocka_unit_test(softmax_rows_sum_to_one),
        cmocka_unit_test(threads_and_rows_keep_bits),
        cmocka_unit_test(compensation),
        cmocka_unit_test(fewer_columns),
        cmocka_unit_test(tiny_sigma),
        cmocka_unit_test(bad_arguments),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

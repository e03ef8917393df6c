/* Operator norms against GSL's singular values of the whole small matrix. */
#include "check.h"

#include <float.h>
#include <gsl/gsl_linalg.h>
#include <string.h>

#include "data/synth.h"
#include "gauss/opnorm.h"

static kmv_error err;

/* Entry (i, j) before its row is divided: exp of the exponent, 0 where masked. */
static double raw_entry(const kmv_problem *p, size_t i, size_t j)
{
    double dot = 0, distance2 = 0;

    if (p->causal && j > i + p->k->n - p->q->n)
        return 0;
    for (size_t l = 0; l < p->q->d; l++) {
        const double q = (double)p->q->x[i * p->q->ld + l], k = (double)p->k->x[j * p->k->ld + l];

        dot += q * k;
        distance2 += (q - k) * (q - k);
    }
    return exp((p->matrix == KMV_GAUSS ? -0.5 * distance2 : dot) / (p->sigma * p->sigma));
}

/* The matrix upright (at least as many rows as columns, as GSL wants; transposing keeps singular
 * values). */
static gsl_matrix *whole_matrix(const kmv_problem *p, kmv_row_scaling scaling)
{
    const size_t n_q = p->q->n, n_k = p->k->n;
    const int lying = n_q < n_k;
    gsl_matrix *a = lying ? gsl_matrix_alloc(n_k, n_q) : gsl_matrix_alloc(n_q, n_k);

    for (size_t i = 0; i < n_q; i++) {
        double sum = 0, most = 0, divisor;

        for (size_t j = 0; j < n_k; j++) {
            sum += raw_entry(p, i, j);
            most = fmax(most, raw_entry(p, i, j));
        }
        divisor = scaling == KMV_ROW_SUM ? sum : scaling == KMV_ROW_MAX ? most : 1;
        for (size_t j = 0; j < n_k; j++)
            gsl_matrix_set(a, lying ? j : i, lying ? i : j, raw_entry(p, i, j) / divisor);
    }
    return a;
}

/* Largest and second largest singular value. */
static void singular_values(const kmv_problem *p, kmv_row_scaling scaling, double top[2])
{
    gsl_matrix *a = whole_matrix(p, scaling), *v = gsl_matrix_alloc(a->size2, a->size2);
    gsl_vector *s = gsl_vector_alloc(a->size2), *work = gsl_vector_alloc(a->size2);

    assert_int_equal(gsl_linalg_SV_decomp(a, v, s, work), 0);
    top[0] = gsl_vector_get(s, 0);
    top[1] = a->size2 > 1 ? gsl_vector_get(s, 1) : 0;
    gsl_matrix_free(a);
    gsl_matrix_free(v);
    gsl_vector_free(s);
    gsl_vector_free(work);
}

/*
 * With residual tol the Rayleigh quotient s^2 is below the largest eigenvalue by at most
 * (tol s^2)^2 / gap, gap its distance to the second (Temple's and Kato's bound); float exponents
 * add 2e-5: (d + 8) FLT_EPSILON times terms below 10. Where iteration stopped because s no longer
 * grew, that growth is below 1e-7 and the same bound holds with the tol it states.
 */
static void check_norm(const char *generator, const char *options, double sigma, int causal,
                       kmv_row_scaling scaling)
{
    kmv_dataset d = {0};
    kmv_problem p = {.q = &d.q,
                     .k = &d.k,
                     .matrix = scaling == KMV_ROW_RAW ? KMV_GAUSS : KMV_SOFTMAX,
                     .causal = causal,
                     .sigma = sigma};
    double norm = NAN, tol = NAN, top[2], gap, below;
    kmv_entries e = {0};

    CHECK_OK(kmv_generate(generator, options, 6, &d, &err));
    CHECK_OK(kmv_entries_init(&e, &p, scaling, NULL, 0, 2, NULL, &err));
    CHECK_OK(kmv_op_norm(&e, 0, KMV_OP_NORM_STEPS, &norm, &tol, &err));
    singular_values(&p, scaling, top);
    gap = top[0] * top[0] - top[1] * top[1];
    below = pow(tol * norm * norm, 2) / gap / (2 * top[0]);
    assert_true(norm <= top[0] * (1 + 2e-5));
    assert_true(norm >= top[0] * (1 - 2e-5) - below);
    assert_true(tol >= 0 && tol <= 1e-3); /* reached within the steps */
    kmv_entries_clear(&e);
    kmv_dataset_clear(&d);
}

static void agrees_with_svd(void **state)
{
    static const kmv_row_scaling scalings[] = {KMV_ROW_RAW, KMV_ROW_SUM, KMV_ROW_MAX};

    (void)state;
    for (int causal = 0; causal < 2; causal++) {
        for (int s = 0; s < 3; s++) {
            check_norm("iid", "n=40,d=4", 1.5, causal, scalings[s]);
            check_norm("clusters", "n=30,n_k=47,d=3,count=3", 1.2, causal, scalings[s]);
            check_norm("sink", "n=35,d=4", 1.5, causal, scalings[s]);
        }
    }
    check_norm("dense", "n=47,n_k=30,d=3", 1, 0, KMV_ROW_RAW);
}

/*
 * Singular vectors of a matrix with a gap: u, v have length 1, u'A v = s, |A'u - s v| <= tol s. The
 * entries are float exponents (2e-5, as above) and double sums. Rows and columns differ in number.
 */
static void vectors(void **state)
{
    enum { N_Q = 23, N_K = 31 };
    kmv_dataset d = {0};
    kmv_problem p = {.q = &d.q, .k = &d.k, .sigma = 1.3};
    double u[N_Q], v[N_K], u_min = NAN, u2 = 0, v2 = 0, largest = 0, off = 0;
    kmv_singular one, two;
    kmv_entries e = {0};

    (void)state;
    CHECK_OK(kmv_generate("clusters", "n=23,n_k=31,d=3,count=2", 4, &d, &err));
    CHECK_OK(kmv_entries_init(&e, &p, KMV_ROW_RAW, NULL, 0, 2, NULL, &err));
    CHECK_OK(kmv_entries_least(&e, &u_min, &err));
    CHECK_OK(kmv_top_singular(&e, u_min, 1e-6, KMV_OP_NORM_STEPS, u, v, &one, &err));
    CHECK_OK(kmv_top_singular(&e, 0, 1e-6, KMV_OP_NORM_STEPS, NULL, NULL, &two, &err));
    CHECK_CLOSE(one.norm, two.norm, 1e-9 * two.norm);
    assert_true(one.tol <= 1e-6 && one.steps >= 2 && one.steps < KMV_OP_NORM_STEPS);
    for (size_t j = 0; j < N_K; j++) {
        double back = 0;

        v2 += v[j] * v[j];
        assert_true(v[j] > 0); /* Perron: the matrix is positive, and the sign is chosen so */
        for (size_t i = 0; i < N_Q; i++) {
            back += raw_entry(&p, i, j) * u[i];
            largest = fmax(largest, raw_entry(&p, i, j));
        }
        off += pow(back - one.norm * v[j], 2);
    }
    for (size_t i = 0; i < N_Q; i++)
        u2 += u[i] * u[i];
    CHECK_CLOSE(u2, 1, 1e-12);
    CHECK_CLOSE(v2, 1, 1e-12);
    CHECK_CLOSE(sqrt(off) / one.norm, 0, 1e-6 + 4e-5);
    CHECK_CLOSE(exp2(-u_min), largest, 1e-5);
    kmv_entries_clear(&e);
    kmv_dataset_clear(&d);
}

/* Entries of 2^-400 and less: the norm scales along. One query, two keys at the same distance:
 * norm = sqrt(2) entry. */
static void tiny_matrix(void **state)
{
    const float q[] = {0}, k[] = {3, -3};
    kmv_points qs = {0}, ks = {0};
    kmv_problem p = {.q = &qs, .k = &ks, .sigma = 3 / sqrt(2 * 400 * M_LN2)};
    double norm = NAN, tol = NAN;
    kmv_entries e = {0};

    (void)state;
    CHECK_OK(kmv_points_from_f32(&qs, q, 1, 1, 1, &err));
    CHECK_OK(kmv_points_from_f32(&ks, k, 2, 1, 1, &err));
    CHECK_OK(kmv_entries_init(&e, &p, KMV_ROW_RAW, NULL, 0, 1, NULL, &err));
    CHECK_OK(kmv_op_norm(&e, 399, 10, &norm, &tol, &err));
    CHECK_CLOSE(log2(norm), -399.5, 1e-3); /* floats of 400 are right to 3e-5 */
    kmv_entries_clear(&e);
    kmv_points_clear(&qs);
    kmv_points_clear(&ks);
}

/* Entries that underflow everywhere: the zero matrix. */
static void zero_matrix(void **state)
{
    kmv_dataset d = {0};
    kmv_problem p = {.q = &d.q, .k = &d.k, .sigma = 1e-3};
    double norm = NAN, tol = NAN, u_min = NAN, u[5] = {1, 1, 1, 1, 1}, v[5] = {1, 1, 1, 1, 1};
    kmv_singular found;
    kmv_entries e = {0};

    (void)state;
    CHECK_OK(kmv_generate("iid", "n=5,d=3", 6, &d, &err));
    CHECK_OK(kmv_entries_init(&e, &p, KMV_ROW_RAW, NULL, 0, 1, NULL, &err));
    for (int sharp = 0; sharp < 2; sharp++) {
        norm = tol = NAN;
        CHECK_OK(kmv_op_norm(&e, sharp ? INFINITY : 0, 10, &norm, &tol, &err));
        CHECK_CLOSE(norm, 0, 0);
        CHECK_CLOSE(tol, 0, 0);
    }
    CHECK_OK(kmv_entries_least(&e, &u_min, &err));
    assert_true(u_min > 1022);
    CHECK_OK(kmv_top_singular(&e, u_min, 1e-3, 10, u, v, &found, &err));
    CHECK_CLOSE(found.norm, 0, 0);
    for (size_t i = 0; i < 5; i++)
        assert_true(u[i] == 0 && v[i] == 0);
    kmv_entries_clear(&e);
    kmv_dataset_clear(&d);
}

static void wrong_scaling(void **state)
{
    kmv_dataset d = {0};
    kmv_problem p = {.q = &d.q, .k = &d.k, .sigma = 1};
    kmv_entries e = {.pairs = 77};

    (void)state;
    CHECK_OK(kmv_generate("iid", "n=5,d=3", 6, &d, &err));
    CHECK_FAILS(kmv_entries_init(&e, &p, KMV_ROW_SUM, NULL, 0, 1, NULL, &err), KMV_EINVAL, "raw");
    p.matrix = KMV_SOFTMAX;
    CHECK_FAILS(kmv_entries_init(&e, &p, KMV_ROW_RAW, NULL, 0, 1, NULL, &err), KMV_EINVAL, "raw");
    assert_int_equal(e.pairs, 77);
    kmv_dataset_clear(&d);
}

/* 2^-u against libm over the whole range; integers are exact. The argument of the series is right
 * to FLT_EPSILON / 2 of 0.35, each of its steps adds half a unit, halved or more by the next
 * factor. */
static void entry_values(void **state)
{
    (void)state;
    for (float u = 0; u < 1100; u += 0.0371f) {
        const float whole = floorf(u);
        double v, exact;

        kmv_entry_values(&u, 1, &v);
        kmv_entry_values(&whole, 1, &exact);
        CHECK_CLOSE(v, u < 1022.5f ? exp2(-(double)u) : 0, 2 * FLT_EPSILON * exp2(-(double)u));
        CHECK_CLOSE(exact, whole < 1022.5f ? exp2(-(double)whole) : 0, 0);
    }
}

static void sums_in_parts(void **state)
{
    double v[11], w[11];

    (void)state;
    for (size_t count = 0; count <= 11; count++) { /* small integers: exact in any order */
        double sum = 0, dot = 0;

        for (size_t t = 0; t < count; t++) {
            v[t] = (double)t + 1;
            w[t] = 2 * (double)t - 3;
            sum += v[t];
            dot += v[t] * w[t];
        }
        CHECK_CLOSE(kmv_sum(v, count), sum, 0);
        CHECK_CLOSE(kmv_dot(v, w, count), dot, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_svd), cmocka_unit_test(vectors),
        cmocka_unit_test(tiny_matrix),     cmocka_unit_test(zero_matrix),
        cmocka_unit_test(wrong_scaling),   cmocka_unit_test(entry_values),
        cmocka_unit_test(sums_in_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

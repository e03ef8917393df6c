/* `nystrom`: exact where landmarks are everything, known values by hand, what it refuses. */
#include "small_problem.h"

#include <string.h>

/* gauss: with every key a landmark K_qm (K_mm + ridge I)^-1 K_mk = K_qk up to the ridge: the error
 * is below |K_qm| ridge |(K_mm + ridge)^-1| |x|. Spread 2 in 6 dimensions: distances of about 7, so
 * K_mm is near the identity, its inverse below 2, and |K_qm| below 2; float products leave 1e-5. */
static void all_keys(void **state)
{
    double y[60 * 3];
    small_problem p = small_problem_make(KMV_GAUSS, 57, 60, 6, 3, 2, 0);

    (void)state;
    small_problem_finish(&p);
    small_problem_product(&p, "nystrom", "landmarks=60,ridge=1e-8", NULL, 1, 1, y);
    CHECK_CLOSE(small_problem_error(&p, y), 0, 4e-5);
    small_problem_check_threads_and_isas(&p, "nystrom", "landmarks=60,ridge=1e-8", 1e-4);
    small_problem_clear(&p);
}

/* One landmark, one key: y = K_q K / (1 + ridge) x with K = 1 for the key itself. */
static void by_hand(void **state)
{
    double y;
    small_problem p = small_problem_make(KMV_GAUSS, 1, 1, 1, 1, 1, 0);

    (void)state;
    p.q.x[0] = 1;
    p.k.x[0] = 0;
    small_problem_finish(&p);
    small_problem_product(&p, "nystrom", "landmarks=1,ridge=0.5", NULL, 1, 1, &y);
    CHECK_CLOSE(y, 0.60653065971263342 / 1.5 * p.x[0], 3e-6 * fabs(p.x[0]));
    small_problem_clear(&p);
}

/* softmax: segments of one point each give S S^+ S V = P V once the iteration has converged; with
 * q = k far apart S is nearly the identity, where it converges in a few steps. */
static void all_points(void **state)
{
    double y[40 * 3];
    small_problem p = small_problem_make(KMV_SOFTMAX, 40, 40, 8, 3, 2.5, 0);

    (void)state;
    for (size_t i = 0; i < 40 * p.q.ld; i++)
        p.q.x[i] = p.k.x[i];
    small_problem_finish(&p);
    small_problem_product(&p, "nystrom", "landmarks=40,iterations=40", NULL, 1, 2, y);
    CHECK_CLOSE(small_problem_error(&p, y), 0, 1e-4);
    small_problem_check_threads_and_isas(&p, "nystrom", "landmarks=40,iterations=40", 1e-3);
    small_problem_clear(&p);
}

/* Values that are all the same come back: rows of each factor sum to 1, and so do those of the
 * converged pseudo-inverse of a matrix that has the vector of ones as an eigenvector. */
static void constant_values(void **state)
{
    double y[50];
    small_problem p = small_problem_make(KMV_SOFTMAX, 50, 43, 5, 1, 0.7, 0);

    (void)state;
    for (size_t j = 0; j < 43; j++)
        p.x[j] = 3;
    small_problem_finish(&p);
    small_problem_product(&p, "nystrom", "landmarks=4,iterations=40", NULL, 1, 1, y);
    for (size_t i = 0; i < 50; i++)
        CHECK_CLOSE(y[i], 3, 3e-4);
    small_problem_clear(&p);
}

static void refusals(void **state)
{
    small_problem p = small_problem_make(KMV_SOFTMAX, 20, 30, 5, 1, 1, 0);
    const kmv_algo *a = kmv_algo_find("nystrom");

    (void)state;
    small_problem_finish(&p);
    assert_string_equal(kmv_algo_rejects(a, &p.problem, "landmarks=31", 1, 0), "landmarks > n_k");
    assert_string_equal(kmv_algo_rejects(a, &p.problem, "landmarks=25", 1, 0), "landmarks > n_q");
    p.problem.causal = 1;
    assert_non_null(kmv_algo_rejects(a, &p.problem, "landmarks=2", 1, 0));
    small_problem_clear(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_keys),        cmocka_unit_test(by_hand),  cmocka_unit_test(all_points),
        cmocka_unit_test(constant_values), cmocka_unit_test(refusals),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

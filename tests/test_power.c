/* The power method through algorithms: against Lanczos, known norms, refusals. */
#include "check.h"

#include <string.h>

#include "algo/power.h"
#include "data/synth.h"
#include "gauss/opnorm.h"

static kmv_error err;

enum { N_MAX = 150 };
static double u[N_MAX], v[N_MAX], u_again[N_MAX], v_again[N_MAX];

static kmv_power_spec spec_of(const char *algo, const char *options)
{
    kmv_power_spec spec = {.algo = kmv_algo_find(algo),
                           .options = options,
                           .settings = KMV_SETTINGS_DEFAULT,
                           .tol = 1e-6,
                           .max_steps = 60};

    spec.settings.threads = 1;
    return spec;
}

static double length(const double *a, size_t n)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += a[i] * a[i];
    return sqrt(sum);
}

/* All keys equal: K = k 1', so |K| = |k| sqrt(n_k), u along k and v along 1, in one step. The
 * queries lie at distance 0, 1 and 2, sigma = 1. */
static void rank_one(void **state)
{
    const float queries[] = {0, 1, 2}, keys[] = {0, 0, 0, 0, 0};
    const double column = sqrt(1 + exp(-1) + exp(-4));
    kmv_power_spec spec = spec_of("exact-f64", "");
    kmv_points q = {0}, k = {0};
    kmv_problem p = {.q = &q, .k = &k, .sigma = 1};
    kmv_power found;

    (void)state;
    CHECK_OK(kmv_points_from_f32(&q, queries, 3, 1, 1, &err));
    CHECK_OK(kmv_points_from_f32(&k, keys, 5, 1, 1, &err));
    CHECK_OK(kmv_power_norm(&p, &spec, u, v, &found, &err));
    CHECK_CLOSE(found.norm, column * sqrt(5), 1e-13);
    CHECK_CLOSE(found.mean, found.norm, 1e-13);
    CHECK_CLOSE(found.residual, 0, 1e-13);
    assert_int_equal(found.steps, 2); /* the second shows that s stands still */
    for (size_t i = 0; i < 3; i++)
        CHECK_CLOSE(u[i], exp(-0.5 * (double)(i * i)) / column, 1e-13);
    for (size_t j = 0; j < 5; j++)
        CHECK_CLOSE(v[j], 1 / sqrt(5), 1e-13);
    CHECK_CLOSE(found.apply.pairs, 4 * 15, 0);
    spec.max_steps = 1;
    CHECK_OK(kmv_power_norm(&p, &spec, u, v, &found, &err));
    assert_true(found.steps == 1 && isnan(found.change) && found.sd == 0);
    kmv_points_clear(&q);
    kmv_points_clear(&k);
}

/*
 * Random products: each step's s is unbiased for u'K v <= |K|, and what the mean of 30 late ones
 * lies below or above |K| is the noise. A product has relative error at most eps = 0.2 with
 * probability 0.99, so u and v are off by at most about 0.2 |x| / |K| each, u'K v by the square of
 * that, and |K| > 2 here: below by at most 2 * 0.1^2 + 0.2 / |K| sqrt(1/30) < 0.05 relative. Both
 * plans draw samples of their own: equal threads or not, the same bits; another seed, others.
 */
static void random_products(void **state)
{
    kmv_power_spec spec = spec_of("importance", "");
    kmv_dataset d = {0};
    kmv_problem p = {.q = &d.q, .k = &d.k, .sigma = 1};
    kmv_power found, again;
    double norm = NAN, tol = NAN;
    kmv_entries e = {0};

    (void)state;
    CHECK_OK(kmv_generate("clusters", "n=120,n_k=150,d=8,count=3", 4, &d, &err));
    CHECK_OK(kmv_entries_init(&e, &p, KMV_ROW_RAW, NULL, 0, 1, NULL, &err));
    CHECK_OK(kmv_op_norm(&e, 0, KMV_OP_NORM_STEPS, &norm, &tol, &err));
    spec.settings.eps = 0.2;
    assert_true(norm > 2);
    CHECK_OK(kmv_power_norm(&p, &spec, u, v, &found, &err));
    CHECK_CLOSE(found.mean, norm, 0.05 * norm);
    CHECK_CLOSE(length(u, 120), 1, 1e-12);
    CHECK_CLOSE(length(v, 150), 1, 1e-12);
    assert_true(found.sd > 0 && found.residual > 0);
    spec.settings.threads = 2;
    CHECK_OK(kmv_power_norm(&p, &spec, u_again, v_again, &again, &err));
    assert_memory_equal(u, u_again, 120 * sizeof *u);
    assert_memory_equal(v, v_again, 150 * sizeof *v);
    spec.settings.seed = 2;
    CHECK_OK(kmv_power_norm(&p, &spec, u_again, v_again, &again, &err));
    assert_memory_not_equal(u, u_again, 120 * sizeof *u);
    /* exact products meet Lanczos: both are Rayleigh quotients, each below by at most its tolerance
     */
    spec = spec_of("exact", "");
    CHECK_OK(kmv_power_norm(&p, &spec, u, v, &found, &err));
    CHECK_CLOSE(found.norm, norm, 2e-3 * norm);
    kmv_entries_clear(&e);
    kmv_dataset_clear(&d);
}

static void zero_and_refused(void **state)
{
    kmv_power_spec spec = spec_of("null", "");
    kmv_dataset d = {0};
    kmv_problem p = {.q = &d.q, .k = &d.k, .sigma = 1};
    kmv_power found = {.steps = 77};

    (void)state;
    CHECK_OK(kmv_generate("iid", "n=9,d=2", 4, &d, &err));
    CHECK_OK(kmv_power_norm(&p, &spec, u, v, &found, &err));
    CHECK_CLOSE(found.norm, 0, 0);
    CHECK_CLOSE(found.mean, 0, 0);
    assert_int_equal(found.steps, 1);
    p.causal = 1;
    found.steps = 77;
    CHECK_FAILS(kmv_power_norm(&p, &spec, u, v, &found, &err), KMV_ENOTSUP, "causal");
    p.causal = 0;
    p.matrix = KMV_SOFTMAX;
    CHECK_FAILS(kmv_power_norm(&p, &spec, u, v, &found, &err), KMV_ENOTSUP, "Gaussian");
    p.matrix = KMV_GAUSS;
    spec.settings.eps = -1;
    CHECK_FAILS(kmv_power_norm(&p, &spec, u, v, &found, &err), KMV_EINVAL, "eps");
    assert_int_equal(found.steps, 77);
    kmv_dataset_clear(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rank_one),
        cmocka_unit_test(random_products),
        cmocka_unit_test(zero_and_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

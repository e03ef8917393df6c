/* Generators: their laws, their bits, their edges. */
#include "check.h"

#include <stdio.h>
#include <string.h>

#include "data/synth.h"

static kmv_error err;

static void generate(const char *name, const char *options, uint64_t seed, kmv_dataset *d)
{
    CHECK_OK(kmv_generate(name, options, seed, d, &err));
}

static double distance2(const kmv_points *p, size_t i, const kmv_points *q, size_t j)
{
    double sum = 0;

    for (size_t l = 0; l < p->d; l++) {
        const double diff = (double)p->x[i * p->ld + l] - (double)q->x[j * q->ld + l];

        sum += diff * diff;
    }
    return sum;
}

static double sum_over_n(const kmv_dataset *d)
{
    double sum = 0;

    for (size_t i = 0; i < d->q.n; i++) {
        for (size_t j = 0; j < d->k.n; j++)
            sum += exp(-distance2(&d->q, i, &d->k, j) / (2 * d->sigma * d->sigma));
    }
    return sum / (double)d->q.n;
}

static double mean_norm2(const kmv_points *p)
{
    const kmv_points zero = {.n = 1, .d = p->d, .ld = p->ld, .x = (float[64]){0}};
    double sum = 0;

    assert_true(p->d <= 64);
    for (size_t i = 0; i < p->n; i++)
        sum += distance2(p, i, &zero, 0);
    return sum / (double)p->n;
}

/* sum/n is within 25 % of what was asked: over 40 seeds its standard deviation is at most 5.2 % of
 * the expectation for these sizes, so a fresh seed fails with probability about 1e-5. */
static void planted_hits_its_sum(void **state)
{
    static const char *const options[] = {"n=512,d=16", "n=512,d=64", "n=400,n_k=512,d=16",
                                          "n=512,d=8,sum=3,t=0.2"};
    static const double want[] = {1.6, 1.6, 1.6, 3};
    kmv_dataset d = {0};

    (void)state;
    for (size_t c = 0; c < 4; c++) {
        generate("planted", options[c], 11, &d);
        CHECK_CLOSE(d.sigma, 1, 0);
        CHECK_CLOSE(sum_over_n(&d), want[c], 0.25 * want[c]);
        kmv_dataset_clear(&d);
    }
}

/* Every query has its own key within 5 t sqrt(d) (a chi variable beyond 5 times its root mean
 * square at d = 8: probability below 1e-30 for 64 queries), and the keys are not in the queries'
 * order. */
static void planted_keys_are_permuted(void **state)
{
    kmv_dataset d = {0};
    size_t in_place = 0;

    (void)state;
    generate("planted", "n=64,d=8,t=0.001", 3, &d);
    for (size_t i = 0; i < d.q.n; i++) {
        size_t near = 0, at = 0;

        for (size_t j = 0; j < d.k.n; j++) {
            if (distance2(&d.q, i, &d.k, j) <= 25 * 8 * 1e-6) {
                near++;
                at = j;
            }
        }
        assert_int_equal(near, 1);
        in_place += at == i;
    }
    assert_true(in_place < 16); /* expected 1; 16 fixed points or more: probability below 1e-13 */
    kmv_dataset_clear(&d);
}

/* Mean squared norms: chi-squared of N d degrees of freedom over N, relative standard deviation
 * sqrt(2/(N d)) = 0.011 at N = 1024, d = 16; the bound of 0.08 is seven of them. */
static void moments_follow_the_laws(void **state)
{
    kmv_dataset d = {0};

    (void)state;
    generate("iid", "n=1024,d=16", 5, &d);
    CHECK_CLOSE(mean_norm2(&d.q), 16, 0.08 * 16);
    CHECK_CLOSE(mean_norm2(&d.k), 16, 0.08 * 16);
    CHECK_CLOSE(d.sigma, 2, 1e-15);
    kmv_dataset_clear(&d);
    generate("dense", "n=1024,d=16,width=0.7", 5, &d);
    CHECK_CLOSE(mean_norm2(&d.q), 0.49, 0.08 * 0.49);
    kmv_dataset_clear(&d);
    generate("sphere", "n=100,d=16,radius=3,sigma=1.5", 5, &d);
    for (size_t i = 0; i < d.k.n; i++) {
        const kmv_points one = {.n = 1, .d = 16, .ld = d.k.ld, .x = d.k.x + i * d.k.ld};

        CHECK_CLOSE(mean_norm2(&one), 9, 9 * 16 * 1.2e-7); /* 16 roundings to float */
    }
    CHECK_CLOSE(d.sigma, 1.5, 0);
    kmv_dataset_clear(&d);
    generate("clusters", "n=1024,d=16,count=1000,scale=2,spread=1", 5, &d);
    CHECK_CLOSE(mean_norm2(&d.q), 5 * 16, 0.08 * 5 * 16);
    kmv_dataset_clear(&d);
}

/* With one cluster and no spread all points coincide: every entry is 1. */
static void one_cluster_without_spread(void **state)
{
    kmv_dataset d = {0};

    (void)state;
    generate("clusters", "n=20,d=3,count=1,spread=0", 1, &d);
    CHECK_CLOSE(sum_over_n(&d), 20, 0);
    kmv_dataset_clear(&d);
}

/* Expected sum/n = n (1 + 2 w^2/d)^(-d/2); entries lie within [0, 1], a row's mean has standard
 * deviation below 0.5/sqrt(n) plus what the query itself contributes; 10 % is far outside. */
static void dense_grows_with_n(void **state)
{
    kmv_dataset d = {0};

    (void)state;
    for (size_t n = 64; n <= 512; n *= 8) {
        char options[64];

        snprintf(options, sizeof options, "n=%zu,d=32", n);
        generate("dense", options, 2, &d);
        CHECK_CLOSE(sum_over_n(&d) / (double)n, pow(1 + 0.5 / 32, -16), 0.1);
        kmv_dataset_clear(&d);
    }
}

/* Three sinks of three times the length; the queries lean towards them: q.k > 0 for every pair
 * (expected 0.5 * 3 * 64 = 96, standard deviation below 3.1 * 8 = 25 with the sink's own noise:
 * below 0 has probability 6e-5 for a pair, so the mean over 300 is asked). */
static void sinks_stick_out(void **state)
{
    kmv_dataset d = {0};
    double dot = 0;

    (void)state;
    generate("sink", "n=100,d=64,sinks=3", 7, &d);
    for (size_t j = 0; j < 4; j++) {
        const kmv_points one = {.n = 1, .d = 64, .ld = d.k.ld, .x = d.k.x + j * d.k.ld};

        /* sinks: 9 * 64 + 0.64 +- 2 * 24 * 0.1 * 5 sigma; the rest: 64 +- 5 * 11.3 */
        CHECK_CLOSE(mean_norm2(&one), j < 3 ? 576.6 : 64, j < 3 ? 30 : 57);
        for (size_t i = 0; j < 3 && i < d.q.n; i++) {
            for (size_t l = 0; l < 64; l++)
                dot += (double)(d.q.x[i * d.q.ld + l] * d.k.x[j * d.k.ld + l]);
        }
    }
    CHECK_CLOSE(dot / 300, 96, 20);
    kmv_dataset_clear(&d);
}

static int same_points(const kmv_points *a, const kmv_points *b)
{
    return a->n == b->n && a->d == b->d && memcmp(a->x, b->x, a->n * a->ld * sizeof(float)) == 0;
}

static void equal_arguments_equal_bits(void **state)
{
    const kmv_generator *g;

    (void)state;
    for (size_t i = 0; (g = kmv_generator_at(i)) != NULL; i++) {
        kmv_dataset a = {0}, b = {0}, c = {0};

        generate(g->name, "n=33,d=5,n_k=40,r=2", 9, &a);
        generate(g->name, "d=5,r=2,n_k=40,n=33", 9, &b);
        generate(g->name, "n=33,d=5,n_k=40,r=2", 10, &c);
        assert_int_equal(a.q.n, 33);
        assert_int_equal(a.k.n, 40);
        assert_int_equal(a.r, 2);
        assert_true(same_points(&a.q, &b.q) && same_points(&a.k, &b.k));
        assert_memory_equal(a.v, b.v, 40 * 2 * sizeof(double));
        assert_string_equal(a.sha256, b.sha256);
        assert_int_equal(strlen(a.sha256), 64);
        assert_false(same_points(&a.q, &c.q));
        assert_string_not_equal(a.sha256, c.sha256);
        assert_string_equal(a.name, g->name);
        assert_non_null(strstr(a.source, g->name));
        assert_non_null(strstr(a.source, "n=33"));
        assert_true(a.sigma > 0 && isnan(a.scale) && a.causal == -1 && a.layer == -1);
        assert_true(kmv_generator_find(g->name) == g);
        assert_string_equal(g->options[0].name, "n");
        assert_string_equal(g->options[1].name, "d");
        kmv_dataset_clear(&a);
        kmv_dataset_clear(&b);
        kmv_dataset_clear(&c);
    }
    assert_true(kmv_generator_at(0) != NULL); /* the loop ran */
}

static void smallest_sizes(void **state)
{
    const kmv_generator *g;

    (void)state;
    for (size_t i = 0; (g = kmv_generator_at(i)) != NULL; i++) {
        kmv_dataset d = {0};

        generate(g->name, "n=1,d=1", 1, &d);
        assert_int_equal(d.q.n * d.k.n * d.q.d * d.k.d, 1);
        assert_true(isfinite(d.q.x[0]) && isfinite(d.k.x[0]));
        assert_null(d.v);
        kmv_dataset_clear(&d);
    }
}

static void bad_requests(void **state)
{
    kmv_dataset d = {.r = 77};

    (void)state;
    CHECK_FAILS(kmv_generate("plantd", "", 1, &d, &err), KMV_EINVAL, "did you mean 'planted'");
    CHECK_FAILS(kmv_generate("qqqqqqqq", "", 1, &d, &err), KMV_EINVAL, "kmv list generators");
    CHECK_FAILS(kmv_generate("iid", "m=3", 1, &d, &err), KMV_EINVAL, "unknown option 'm'");
    CHECK_FAILS(kmv_generate("iid", "n=0", 1, &d, &err), KMV_EINVAL, "n: want an integer");
    CHECK_FAILS(kmv_generate("iid", "d=0", 1, &d, &err), KMV_EINVAL, "d: want an integer");
    CHECK_FAILS(kmv_generate("iid", "sigma=-1", 1, &d, &err), KMV_EINVAL, "sigma: want");
    CHECK_FAILS(kmv_generate("sink", "sinks=5", 1, &d, &err), KMV_EINVAL, "sinks: want");
    CHECK_FAILS(kmv_generate("planted", "n=2,d=4,sum=3", 1, &d, &err), KMV_EINVAL, "sum: with 2");
    CHECK_FAILS(kmv_generate("planted", "n=64,d=4,sum=0.5", 1, &d, &err), KMV_EINVAL, "sum: with");
    assert_int_equal(d.r, 77); /* untouched */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(planted_hits_its_sum),
        cmocka_unit_test(planted_keys_are_permuted),
        cmocka_unit_test(moments_follow_the_laws),
        cmocka_unit_test(one_cluster_without_spread),
        cmocka_unit_test(dense_grows_with_n),
        cmocka_unit_test(sinks_stick_out),
        cmocka_unit_test(equal_arguments_equal_bits),
        cmocka_unit_test(smallest_sizes),
        cmocka_unit_test(bad_requests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

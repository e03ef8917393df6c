/* The exact product as users call it: plan, apply, properties of the result, what it refuses. */
#include "check.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "gauss/reference.h"
#include "gauss/tile.h"

enum { N_Q = 70, N_K = 140, D = 43, R = 3 };

typedef struct {
    kmv_points q, k;
    double x[N_K * R], y[N_Q * R], want[N_Q * R], size[N_Q * R];
} fixture;

static double draw(uint32_t *s)
{
    *s = *s * 1664525u + 1013904223u;
    return (double)*s / 4294967296.0 - 0.5;
}

static void fill(fixture *f)
{
    float points[N_K * D];
    uint32_t s = 7;
    kmv_error err;

    for (size_t i = 0; i < N_K * D; i++)
        points[i] = (float)draw(&s);
    CHECK_OK(kmv_points_from_f32(&f->k, points, N_K, D, D, &err));
    for (size_t i = 0; i < N_Q * D; i++)
        points[i] = (float)draw(&s);
    CHECK_OK(kmv_points_from_f32(&f->q, points, N_Q, D, D, &err));
    for (size_t i = 0; i < N_K * R; i++)
        f->x[i] = draw(&s);
}

static int setup(void **state)
{
    fixture *f = calloc(1, sizeof *f);

    if (f == NULL)
        return 1;
    fill(f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture *f = *state;

    kmv_points_clear(&f->q);
    kmv_points_clear(&f->k);
    free(f);
    return 0;
}

static void product(const kmv_problem *p, const char *isa, const double *x, size_t r, double *y,
                    kmv_report *report)
{
    kmv_settings s = KMV_SETTINGS_DEFAULT;
    kmv_plan *plan = NULL;
    kmv_error err;

    s.isa = isa;
    s.r = r;
    s.threads = 2;
    CHECK_OK(kmv_plan_create(kmv_algo_find("exact"), p, "", &s, &plan, &err));
    CHECK_OK(kmv_plan_apply(plan, x, r, y, report, &err));
    if (report != NULL)
        assert_non_null(strstr(report->text, report->isa)); /* the text dies with the plan */
    kmv_plan_destroy(plan);
}

/* |y - G x|_2 <= 1e-5 |G |x||_2 against the reference, for every instruction set. */
static void against_reference(void **state)
{
    fixture *f = *state;
    kmv_problem p = {.q = &f->q, .k = &f->k, .matrix = KMV_GAUSS, .sigma = 1.6};
    double absolute[N_K * R];
    const kmv_tile *t;
    kmv_error err;

    for (size_t i = 0; i < N_K * R; i++)
        absolute[i] = fabs(f->x[i]);
    for (p.causal = 0; p.causal < 2; p.causal++) {
        for (size_t r = 1; r <= R; r += 2) {
            double size = 0;

            CHECK_OK(kmv_reference_product(&p, NULL, N_Q, f->x, r, 1, f->want, &err));
            CHECK_OK(kmv_reference_product(&p, NULL, N_Q, absolute, r, 1, f->size, &err));
            for (size_t i = 0; i < N_Q * r; i++)
                size += f->size[i] * f->size[i];
            for (size_t i = 0; (t = kmv_tile_at(i)) != NULL; i++) {
                kmv_report report;
                double error = 0;

                if (!t->can_run())
                    continue;
                product(&p, t->name, f->x, r, f->y, &report);
                for (size_t m = 0; m < N_Q * r; m++)
                    error += (f->y[m] - f->want[m]) * (f->y[m] - f->want[m]);
                CHECK_CLOSE(sqrt(error / size), 0.0, 1e-5);
                assert_string_equal(report.isa, t->name);
                CHECK_CLOSE(report.apply.pairs, kmv_problem_pairs(&p), 0);
                assert_true(isnan(report.bound)); /* no certificate for the data at hand */
                /* at least the packed points are counted */
                assert_true(report.mem_peak_b >= (double)((N_Q + N_K) * D * sizeof(float)));
            }
        }
    }
}

/* Known value: one point each, distance 1 sigma: exp(-1/2) x. */
static void one_point(void **state)
{
    const float a = 3, b = 5;
    const double x = -4;
    double y = 1e9; /* overwritten */
    kmv_points q = {0}, k = {0};
    kmv_problem p = {.q = &q, .k = &k, .matrix = KMV_GAUSS, .sigma = 2};
    kmv_error err;

    (void)state;
    CHECK_OK(kmv_points_from_f32(&q, &a, 1, 1, 1, &err));
    CHECK_OK(kmv_points_from_f32(&k, &b, 1, 1, 1, &err));
    product(&p, NULL, &x, 1, &y, NULL);
    CHECK_CLOSE(y, -4 * 0.60653065971263342, 4 * 2e-6); /* exponential 1.05e-6, rounding */
    p.causal = 1;
    product(&p, NULL, &x, 1, &y, NULL);
    CHECK_CLOSE(y, -4 * 0.60653065971263342, 4 * 2e-6);
    kmv_points_clear(&q);
    kmv_points_clear(&k);
}

/* Permuting the keys and x together, and adding two x, changes y by rounding only. */
static void properties(void **state)
{
    fixture *f = *state;
    kmv_points shuffled = {0};
    kmv_problem p = {.q = &f->q, .k = &f->k, .matrix = KMV_GAUSS, .sigma = 1};
    double x[N_K], z[N_K], sum[N_K], y_x[N_Q], y_z[N_Q], y_sum[N_Q];
    kmv_error err;

    CHECK_OK(kmv_points_init(&shuffled, N_K, D, &err));
    for (size_t j = 0; j < N_K; j++) {
        const size_t from = (j * 37 + 5) % N_K; /* 37 and 140 have no common factor */

        memcpy(shuffled.x + j * shuffled.ld, f->k.x + from * f->k.ld, D * sizeof(float));
        x[j] = f->x[j];
        z[j] = f->x[from];
        sum[j] = x[j] + 10 * f->x[N_K + j];
    }
    product(&p, NULL, x, 1, y_x, NULL);
    p.k = &shuffled;
    product(&p, NULL, z, 1, y_z, NULL);
    /* |y| <= N_K / 2, of which 3e-6 may be rounding in either */
    for (size_t i = 0; i < N_Q; i++)
        CHECK_CLOSE(y_x[i], y_z[i], 3e-6 * N_K);
    p.k = &f->k;
    product(&p, NULL, sum, 1, y_sum, NULL);
    product(&p, NULL, f->x + N_K, 1, y_z, NULL);
    for (size_t i = 0; i < N_Q; i++)
        CHECK_CLOSE(y_sum[i], y_x[i] + 10 * y_z[i], 3e-6 * 11 * N_K);
    kmv_points_clear(&shuffled);
}

/* |y - P V|_F <= 1e-5 |P |V||_F, full and causal, for every instruction set; V of up to 64 columns,
 * logits of up to about 60. */
static void softmax_against_reference(void **state)
{
    enum { COLUMNS = 64 };
    fixture *f = *state;
    kmv_problem p = {.q = &f->q, .k = &f->k, .matrix = KMV_SOFTMAX, .sigma = 0.4};
    double *v = malloc(4 * N_K * COLUMNS * sizeof *v), *absolute = v + N_K * COLUMNS;
    double *want = absolute + N_K * COLUMNS, *y = want + N_K * COLUMNS;
    uint32_t seed = 5;
    const kmv_tile *t;
    kmv_error err;

    for (size_t m = 0; m < N_K * COLUMNS; m++) {
        v[m] = draw(&seed) * (m % 3 == 0 ? 100 : 1);
        absolute[m] = fabs(v[m]);
    }
    for (p.causal = 0; p.causal < 2; p.causal++) {
        for (size_t r = 1; r <= COLUMNS; r = r == 1 ? 3 : r == 3 ? COLUMNS : r + 1) {
            double size = 0;

            CHECK_OK(kmv_reference_product(&p, NULL, N_Q, absolute, r, 1, want, &err));
            for (size_t m = 0; m < N_Q * r; m++)
                size += want[m] * want[m];
            CHECK_OK(kmv_reference_product(&p, NULL, N_Q, v, r, 1, want, &err));
            for (size_t i = 0; (t = kmv_tile_at(i)) != NULL; i++) {
                kmv_report report;
                double error = 0;

                if (!t->can_run())
                    continue;
                product(&p, t->name, v, r, y, &report);
                for (size_t m = 0; m < N_Q * r; m++)
                    error += (y[m] - want[m]) * (y[m] - want[m]);
                CHECK_CLOSE(sqrt(error / size), 0.0, 1e-5);
                CHECK_CLOSE(report.apply.pairs, kmv_problem_pairs(&p), 0);
                CHECK_CLOSE(report.apply.flops, 2 * report.apply.pairs * (double)(D + r), 0);
            }
        }
    }
    free(v);
}

/* Rows of P sum to 1; the first causal row of as many queries as keys is its own key; a shift of
 * all keys changes nothing but roundings; the values' scale comes back; products are repeatable and
 * allocate nothing. */
static void softmax_properties(void **state)
{
    fixture *f = *state;
    kmv_points few = kmv_points_prefix(&f->k, N_Q);
    kmv_problem p = {.q = &f->q, .k = &f->k, .matrix = KMV_SOFTMAX, .sigma = 1};
    kmv_settings s = KMV_SETTINGS_DEFAULT;
    double x[N_K], y[N_Q], again[N_Q], origin[D], *kept;
    kmv_plan *plan = NULL;
    kmv_error err;
    size_t calls;

    for (p.causal = 0; p.causal < 2; p.causal++) {
        for (size_t j = 0; j < N_K; j++)
            x[j] = -3e200;
        product(&p, NULL, x, 1, y, NULL);
        for (size_t i = 0; i < N_Q; i++) /* at most N_K roundings of one sign */
            CHECK_CLOSE(y[i] / -3e200, 1, N_K * 0x1p-24);
    }
    product(&p, NULL, f->x, 1, y, NULL);
    for (size_t l = 0; l < D; l++)
        origin[l] = 1;
    kept = f->k.origin;
    f->k.origin = origin;
    product(&p, NULL, f->x, 1, again, NULL);
    f->k.origin = kept;
    /* sums of 43 products below 1, of offsets below 45 log2 e: five roundings of 65 ln 2 */
    for (size_t i = 0; i < N_Q; i++)
        CHECK_CLOSE(again[i], y[i], 2 * 5 * 45 * 0x1p-24);

    p.causal = 1;
    p.k = &few;
    product(&p, NULL, f->x, 1, y, NULL);
    CHECK_CLOSE(y[0], f->x[0], 1e-6);

    s.threads = 2;
    s.r = 1;
    CHECK_OK(kmv_plan_create(kmv_algo_find("exact"), &p, "", &s, &plan, &err));
    calls = kmv_mem_calls();
    CHECK_OK(kmv_plan_apply(plan, f->x, 1, again, NULL, &err));
    assert_int_equal(kmv_mem_calls(), calls);
    assert_memory_equal(again, y, sizeof y);
    kmv_plan_destroy(plan);
    plan = NULL;

    few.n = N_Q - 1; /* causal with more queries than keys; sigma that floats cannot do */
    CHECK_FAILS(kmv_plan_create(kmv_algo_find("exact"), &p, "", &s, &plan, &err), KMV_EINVAL,
                "causal");
    p.causal = 0;
    p.sigma = 1e-16;
    CHECK_OK(kmv_plan_create(kmv_algo_find("exact"), &p, "", &s, &plan, &err));
    CHECK_FAILS(kmv_plan_apply(plan, f->x, 1, again, NULL, &err), KMV_ENOTSUP, "float32");
    kmv_plan_destroy(plan);
}

static void allocates_nothing(void **state)
{
    fixture *f = *state;
    kmv_problem p = {.q = &f->q, .k = &f->k, .matrix = KMV_GAUSS, .sigma = 1};
    kmv_settings s = KMV_SETTINGS_DEFAULT;
    const size_t before = kmv_mem_current();
    kmv_plan *plan = NULL;
    double again[N_Q * R];
    kmv_error err;
    size_t calls;

    s.r = R;
    s.threads = 2;
    CHECK_OK(kmv_plan_create(kmv_algo_find("exact"), &p, "", &s, &plan, &err));
    calls = kmv_mem_calls();
    CHECK_OK(kmv_plan_apply(plan, f->x, R, f->y, NULL, &err));
    CHECK_OK(kmv_plan_apply(plan, f->x, 1, f->want, NULL, &err)); /* fewer columns than planned */
    CHECK_OK(kmv_plan_apply(plan, f->x, R, again, NULL, &err));
    assert_int_equal(kmv_mem_calls(), calls);
    assert_memory_equal(f->y, again, sizeof again);
    product(&p, NULL, f->x, 1, again, NULL);
    for (size_t i = 0; i < N_Q; i++)
        CHECK_CLOSE(f->want[i], again[i], 3e-6 * N_K);
    kmv_plan_destroy(plan);
    assert_int_equal(kmv_mem_current(), before);
}

static void refusals(void **state)
{
    fixture *f = *state;
    kmv_problem p = {.q = &f->q, .k = &f->k, .matrix = KMV_GAUSS, .sigma = 1e-16};
    kmv_settings s = KMV_SETTINGS_DEFAULT;
    const size_t before = kmv_mem_current();
    kmv_plan *plan = NULL;
    kmv_error err;

    CHECK_FAILS(kmv_plan_create(kmv_algo_find("exact"), &p, "", &s, &plan, &err), KMV_ENOTSUP,
                "sigma = 1e-16 is too small");
    p.sigma = 1e-200; /* its square is 0 */
    CHECK_FAILS(kmv_plan_create(kmv_algo_find("exact"), &p, "", &s, &plan, &err), KMV_ENOTSUP,
                "too small");
    p.sigma = 1;
    CHECK_FAILS(kmv_plan_create(kmv_algo_find("exact"), &p, "fast=1", &s, &plan, &err), KMV_EINVAL,
                "fast");
    s.isa = "sse9";
    CHECK_FAILS(kmv_plan_create(kmv_algo_find("exact"), &p, "", &s, &plan, &err), KMV_EINVAL,
                "sse9");
    assert_null(plan);
    assert_int_equal(kmv_mem_current(), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(against_reference),  cmocka_unit_test(one_point),
        cmocka_unit_test(properties),         cmocka_unit_test(allocates_nothing),
        cmocka_unit_test(refusals),           cmocka_unit_test(softmax_against_reference),
        cmocka_unit_test(softmax_properties),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}

/* algo/plan.c: what is checked, timed and counted around every algorithm. */
#include "check.h"

#include <stdio.h>
#include <string.h>

#include "algo/algo.h"
#include "base/clock.h"
#include "base/mem.h"

enum { N = 5, M = 7 };

/* An algorithm that shows what it was given: y_ic = i + 1 plus what is asked of it. */
typedef struct {
    size_t fail_at; /* 1: prepare fails; 2: apply fails */
    int certify;
} opts;

typedef struct {
    const opts *options;
    size_t n_q;
    double *weights;
} shown;

static int prepared, destroyed;
static double now_s;
static uint64_t last_key;

static const kmv_option options[] = {
    {"fail_at", KMV_OPT_SIZE, offsetof(opts, fail_at), "0", 0, 2, "where to fail", NULL},
    {"certify", KMV_OPT_BOOL, offsetof(opts, certify), "no", 0, 0, "whether", NULL},
    {0},
};

static double fake_clock(void)
{
    return now_s;
}

static const char *reject(const kmv_problem *problem, const void *o, size_t r)
{
    (void)o;
    (void)r;
    return problem->sigma > 100 ? "sigma > 100" : NULL;
}

static kmv_status prepare(const kmv_problem *problem, const void *o,
                          const kmv_prepare_context *context, void **state, kmv_error *err)
{
    static shown s;

    if (((const opts *)o)->fail_at == 1) {
        snprintf(err->text, sizeof err->text, "prepare was told to fail");
        return KMV_ENOMEM;
    }
    s = (shown){.options = o, .n_q = problem->q->n};
    s.weights = kmv_alloc(100, sizeof(double), "weights", err);
    now_s += 2;
    context->cost->pairs += 3;
    context->cost->flops += 4;
    snprintf(context->text, context->text_size, "shown with %d threads", context->threads);
    prepared++;
    *state = &s;
    return KMV_OK;
}

static kmv_status apply(void *state, kmv_apply_context *context, kmv_error *err)
{
    const shown *s = state;

    if (s->options->fail_at == 2) {
        snprintf(err->text, sizeof err->text, "apply was told to fail");
        return KMV_EINTERNAL;
    }
    for (size_t i = 0; i < s->n_q; i++) {
        for (size_t c = 0; c < context->r; c++)
            context->y[i * context->r + c] = (double)i + 1;
    }
    last_key = context->key;
    now_s += 5;
    context->cost->pairs += 10;
    context->cost->flops += 20;
    if (s->options->certify) {
        now_s += 7;
        context->t_certify_s = 7;
        context->bound = 0.25;
        context->bound_kind = "range";
    }
    return KMV_OK;
}

static void destroy(void *state)
{
    if (state != NULL)
        kmv_free(((shown *)state)->weights);
    destroyed++;
}

static const kmv_algo shows = {
    .name = "shows",
    .summary = "shows what it gets",
    .guarantee = "none",
    .source = "test",
    .flags = KMV_CAN_GAUSS | KMV_CAN_COLUMNS,
    .options = options,
    .options_size = sizeof(opts),
    .reject = reject,
    .prepare = prepare,
    .apply = apply,
    .destroy = destroy,
};

static kmv_points q, k;
static kmv_problem problem;
static kmv_error err;

static int setup(void **state)
{
    (void)state;
    CHECK_OK(kmv_points_init(&q, N, 2, &err));
    CHECK_OK(kmv_points_init(&k, M, 2, &err));
    problem = (kmv_problem){.q = &q, .k = &k, .matrix = KMV_GAUSS, .sigma = 1};
    prepared = destroyed = 0;
    now_s = 100;
    kmv_clock_set(fake_clock);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    kmv_clock_set(NULL);
    kmv_points_clear(&q);
    kmv_points_clear(&k);
    return 0;
}

static void reports_costs(void **state)
{
    kmv_settings s = KMV_SETTINGS_DEFAULT;
    double x[M * 2], y[N * 2];
    kmv_plan *plan = NULL;
    kmv_report report;
    size_t calls;

    (void)state;
    for (size_t j = 0; j < M * 2; j++)
        x[j] = 1;
    s.r = 2;
    s.threads = 3;
    CHECK_OK(kmv_plan_create(&shows, &problem, "", &s, &plan, &err));
    calls = kmv_mem_calls();
    for (int times = 0; times < 2; times++) { /* the second apply reports itself, not the sum */
        CHECK_OK(kmv_plan_apply(plan, x, 2, y, &report, &err));
        CHECK_CLOSE(report.prepare.seconds, 2, 0);
        CHECK_CLOSE(report.prepare.pairs, 3, 0);
        CHECK_CLOSE(report.prepare.flops, 4, 0);
        CHECK_CLOSE(report.apply.seconds, 5, 0);
        CHECK_CLOSE(report.apply.pairs, 10, 0);
        CHECK_CLOSE(report.apply.flops, 20, 0);
        CHECK_CLOSE(report.mem_peak_b, 800, 0); /* the weights; not the plan, not x or y */
        assert_true(isnan(report.bound) && isnan(report.err_est) && isnan(report.t_certify_s));
        assert_string_equal(report.bound_kind, "");
        assert_string_equal(report.text, "shown with 3 threads");
        assert_int_equal(report.threads, 3);
        assert_non_null(report.isa);
    }
    for (size_t i = 0; i < N * 2; i++)
        CHECK_CLOSE(y[i], (double)(i / 2) + 1, 0);
    CHECK_OK(kmv_plan_apply(plan, x, 1, y, NULL, &err)); /* fewer columns; no report */
    assert_int_equal(kmv_mem_calls(), calls);            /* apply allocates nothing */
    kmv_plan_destroy(plan);
    assert_int_equal(destroyed, 1);
    kmv_plan_destroy(NULL);
    assert_int_equal(destroyed, 1);
}

static void certificate_is_timed_apart(void **state)
{
    kmv_settings s = KMV_SETTINGS_DEFAULT;
    double x[M] = {1}, y[N];
    kmv_plan *plan = NULL;
    kmv_report report;

    (void)state;
    CHECK_OK(kmv_plan_create(&shows, &problem, "certify=yes", &s, &plan, &err));
    CHECK_OK(kmv_plan_apply(plan, x, 1, y, &report, &err));
    CHECK_CLOSE(report.apply.seconds, 5, 0);
    CHECK_CLOSE(report.t_certify_s, 7, 0);
    CHECK_CLOSE(report.bound, 0.25, 0);
    assert_string_equal(report.bound_kind, "range");
    kmv_plan_destroy(plan);
}

static void zero_gives_zero(void **state)
{
    kmv_settings s = KMV_SETTINGS_DEFAULT;
    double x[M] = {0}, y[N] = {9, 9, 9, 9, 9};
    kmv_plan *plan = NULL;

    (void)state;
    x[2] = -0.0;
    CHECK_OK(kmv_plan_create(&shows, &problem, "", &s, &plan, &err));
    CHECK_OK(kmv_plan_apply(plan, x, 1, y, NULL, &err));
    for (size_t i = 0; i < N; i++)
        CHECK_CLOSE(y[i], 0, 0);
    kmv_plan_destroy(plan);
}

static void every_apply_has_its_own_stream(void **state)
{
    kmv_settings s = KMV_SETTINGS_DEFAULT;
    double x[M] = {1}, y[N];
    uint64_t keys[2][3];

    (void)state;
    for (int p = 0; p < 2; p++) {
        kmv_plan *plan = NULL;

        CHECK_OK(kmv_plan_create(&shows, &problem, "", &s, &plan, &err));
        for (int a = 0; a < 3; a++) {
            CHECK_OK(kmv_plan_apply(plan, x, 1, y, NULL, &err));
            keys[p][a] = last_key;
        }
        kmv_plan_destroy(plan);
    }
    assert_memory_equal(keys[0], keys[1], sizeof keys[0]);
    assert_true(keys[0][0] != keys[0][1] && keys[0][1] != keys[0][2] && keys[0][0] != keys[0][2]);
}

static void refuses_x(void **state)
{
    kmv_settings s = KMV_SETTINGS_DEFAULT;
    double x[M * 2] = {1}, y[N * 2] = {9};
    kmv_plan *plan = NULL;

    (void)state;
    s.r = 2;
    CHECK_OK(kmv_plan_create(&shows, &problem, "", &s, &plan, &err));
    x[5] = NAN;
    CHECK_FAILS(kmv_plan_apply(plan, x, 2, y, NULL, &err), KMV_EINVAL, "x: element [2, 1] is nan");
    x[5] = INFINITY;
    CHECK_FAILS(kmv_plan_apply(plan, x, 1, y, NULL, &err), KMV_EINVAL, "x: element [5, 0] is inf");
    x[5] = -1;
    CHECK_FAILS(kmv_plan_apply(plan, x, 1, y, NULL, &err), KMV_ENOTSUP, "shows: needs x >= 0");
    CHECK_FAILS(kmv_plan_apply(plan, x, 3, y, NULL, &err), KMV_EINVAL, "3 columns");
    CHECK_FAILS(kmv_plan_apply(plan, x, 0, y, NULL, &err), KMV_EINVAL, "0 columns");
    CHECK_CLOSE(y[0], 9, 0); /* untouched */
    kmv_plan_destroy(plan);
}

static void refuses_settings_and_options(void **state)
{
    static const double bad[] = {0, -1, NAN, INFINITY};
    const kmv_settings good = KMV_SETTINGS_DEFAULT;
    const size_t held = kmv_mem_current();
    kmv_plan *plan = NULL;
    kmv_settings s;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        s = good;
        s.eps = bad[i];
        CHECK_FAILS(kmv_plan_create(&shows, &problem, "", &s, &plan, &err), KMV_EINVAL,
                    "eps: want");
        s = good;
        s.delta = bad[i];
        CHECK_FAILS(kmv_plan_create(&shows, &problem, "", &s, &plan, &err), KMV_EINVAL,
                    "delta: want");
    }
    s = good;
    s.delta = 1;
    CHECK_FAILS(kmv_plan_create(&shows, &problem, "", &s, &plan, &err), KMV_EINVAL, "delta: want");
    s = good;
    s.r = 0;
    CHECK_FAILS(kmv_plan_create(&shows, &problem, "", &s, &plan, &err), KMV_EINVAL, "r: want");
    s = good;
    s.threads = -1;
    CHECK_FAILS(kmv_plan_create(&shows, &problem, "", &s, &plan, &err), KMV_EINVAL,
                "threads: want");
    s = good;
    s.isa = "sse9";
    CHECK_FAILS(kmv_plan_create(&shows, &problem, "", &s, &plan, &err), KMV_EINVAL, "sse9");
    CHECK_FAILS(kmv_plan_create(&shows, &problem, "fail=1", &good, &plan, &err), KMV_EINVAL,
                "shows: unknown option 'fail'");
    CHECK_FAILS(kmv_plan_create(NULL, &problem, "", &good, &plan, &err), KMV_EINVAL, "no such");
    problem.matrix = KMV_SOFTMAX;
    CHECK_FAILS(kmv_plan_create(&shows, &problem, "", &good, &plan, &err), KMV_ENOTSUP,
                "shows: does not do softmax");
    problem.matrix = KMV_GAUSS;
    problem.sigma = 101;
    CHECK_FAILS(kmv_plan_create(&shows, &problem, "", &good, &plan, &err), KMV_ENOTSUP,
                "shows: sigma > 100");
    problem.sigma = NAN;
    CHECK_FAILS(kmv_plan_create(&shows, &problem, "", &good, &plan, &err), KMV_EINVAL,
                "sigma: want");
    assert_null(plan);
    assert_int_equal(prepared, 0);
    assert_int_equal(kmv_mem_current(), held);
}

static void passes_failures_on(void **state)
{
    const size_t held = kmv_mem_current();
    kmv_settings s = KMV_SETTINGS_DEFAULT;
    double x[M] = {1}, y[N];
    kmv_plan *plan = NULL;

    (void)state;
    CHECK_FAILS(kmv_plan_create(&shows, &problem, "fail_at=1", &s, &plan, &err), KMV_ENOMEM,
                "prepare was told to fail");
    assert_null(plan);
    assert_int_equal(kmv_mem_current(), held);
    CHECK_OK(kmv_plan_create(&shows, &problem, "fail_at=2", &s, &plan, &err));
    CHECK_FAILS(kmv_plan_apply(plan, x, 1, y, NULL, &err), KMV_EINTERNAL, "apply was told to fail");
    kmv_plan_destroy(plan);
    assert_int_equal(kmv_mem_current(), held);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(reports_costs, setup, teardown),
        cmocka_unit_test_setup_teardown(certificate_is_timed_apart, setup, teardown),
        cmocka_unit_test_setup_teardown(zero_gives_zero, setup, teardown),
        cmocka_unit_test_setup_teardown(every_apply_has_its_own_stream, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_x, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_settings_and_options, setup, teardown),
        cmocka_unit_test_setup_teardown(passes_failures_on, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Packing, products and streams of exponents, each instruction set against float64 by differences.
 */
#include "check.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "gauss/product.h"
#include "points.h"

enum { COLUMNS = 5 }; /* most that a test uses */

static const double LOG2_E = 1.44269504088896340736;

/* A fixed sequence in [-1/2, 1/2), the same for every instruction set. */
static uint32_t draw_state;

static double draw(void)
{
    draw_state = draw_state * 1664525u + 1013904223u;
    return (double)draw_state / 4294967296.0 - 0.5;
}

/* Two sets of points around `shift`, keys twice as wide; the first `far` of either lie `distance`
 * away in one direction, near each other. */
typedef struct {
    kmv_points q, k;
    kmv_problem p;
} problem;

static problem problem_make(size_t n_q, size_t n_k, size_t d, double sigma, double shift,
                            size_t far, double distance)
{
    problem s = {0};
    double *x = malloc((n_q + n_k) * d * sizeof *x);
    kmv_error err;

    assert_non_null(x);
    for (size_t i = 0; i < n_q + n_k; i++) {
        const int is_far = i < far || (i >= n_q && i < n_q + far);

        for (size_t l = 0; l < d; l++)
            x[i * d + l] = shift + draw() * (i < n_q || is_far ? 1 : 2) +
                           (is_far ? distance / sqrt((double)d) : 0);
    }
    CHECK_OK(kmv_points_from_f64(&s.q, x, n_q, d, d, &err));
    CHECK_OK(kmv_points_from_f64(&s.k, x + n_q * d, n_k, d, d, &err));
    free(x);
    s.p = (kmv_problem){.matrix = KMV_GAUSS, .sigma = sigma};
    return s;
}

static kmv_problem view(problem *s)
{
    s->p.q = &s->q;
    s->p.k = &s->k;
    return s->p;
}

static void problem_clear(problem *s)
{
    kmv_points_clear(&s->q);
    kmv_points_clear(&s->k);
}

/* Base-2 exponent of the entry, in double. */
static double exponent(const kmv_problem *p, size_t i, size_t j)
{
    double sum = 0;

    for (size_t l = 0; l < p->q->d; l++) {
        /* The origins first: their difference is exact where a shift is common. */
        const double gap = p->q->origin[l] - p->k->origin[l];
        const double diff =
            (double)p->q->x[i * p->q->ld + l] - (double)p->k->x[j * p->k->ld + l] + gap;

        sum += p->matrix == KMV_GAUSS ? -diff * diff / 2
                                      : coordinate(p->q, i, l) * coordinate(p->k, j, l);
    }
    return LOG2_E / (p->sigma * p->sigma) * sum;
}

static int masked(const kmv_problem *p, size_t i, size_t j)
{
    return p->causal && j > i + p->k->n - p->q->n;
}

typedef struct {
    kmv_packed q, k;
    kmv_workspace *w;
} packed;

static packed pack(const kmv_tile *t, const kmv_problem *p, const size_t *which_q, size_t n_q,
                   const size_t *which_k, size_t n_k, size_t r, int threads)
{
    packed s = {0};
    double *centre = malloc(p->q->d * sizeof *centre);
    kmv_cost cost = {0};
    kmv_error err;

    assert_non_null(centre);
    kmv_centre(p, centre);
    CHECK_OK(kmv_packed_init(&s.q, t, KMV_QUERIES, n_q, p->q->d, which_q != NULL, &err));
    CHECK_OK(kmv_packed_init(&s.k, t, KMV_KEYS, n_k, p->k->d, which_k != NULL, &err));
    CHECK_OK(kmv_workspace_create(t, n_q, n_k, r, threads, &s.w, &err));
    kmv_pack(&s.q, p, centre, which_q, n_q, threads, &cost);
    kmv_pack(&s.k, p, centre, which_k, n_k, threads, &cost);
    assert_true(cost.flops > 0);
    free(centre);
    return s;
}

static void packed_clear(packed *s)
{
    kmv_packed_clear(&s->q);
    kmv_packed_clear(&s->k);
    kmv_workspace_destroy(s->w);
}

/* Product of all queries and keys in double, and the error it may have: 1e-5 |G |x||_2, what
 * docs/numerics.md promises. Beyond that is what rounding packed coordinates does to an entry, 0.6
 * u distance radius / (sigma^2 sqrt d) rms there: four times that, radius the largest |p - c| /
 * sigma. It is less than 1e-5 up to a radius of 14 sqrt(d) where entries count. */
static void reference(const kmv_problem *p, const double *x, size_t r, double radius, double *y,
                      double *tol)
{
    memset(y, 0, p->q->n * r * sizeof *y);
    *tol = 0;
    for (size_t i = 0; i < p->q->n; i++) {
        double totals[COLUMNS] = {0};

        for (size_t j = 0; j < p->k->n; j++) {
            const double e = exponent(p, i, j), entry = masked(p, i, j) ? 0 : exp2(e);
            const double distance = p->matrix == KMV_GAUSS ? sqrt(-2 * e / LOG2_E) : 0;
            const double drift = 4 * 0.6 * 0x1p-24 * distance * radius / sqrt((double)p->q->d);

            for (size_t c = 0; c < r; c++) {
                y[i * r + c] += entry * x[j * r + c];
                totals[c] += entry * fabs(x[j * r + c]) * (1e-5 + drift);
            }
        }
        for (size_t c = 0; c < r; c++)
            *tol += totals[c] * totals[c];
    }
    *tol = sqrt(*tol);
}

/* Entries below 2^-126 may be lost. */
static void check_product(const kmv_tile *t, const kmv_problem *p, size_t r)
{
    const size_t n_q = p->q->n, n_k = p->k->n;
    double *x = malloc(n_k * r * sizeof *x), *y = malloc(n_q * r * sizeof *y);
    double *want = malloc(n_q * r * sizeof *want), tol, error = 0, pairs = 0;
    packed s = pack(t, p, NULL, n_q, NULL, n_k, r, 2);
    kmv_cost cost = {0};

    assert_true(x != NULL && y != NULL && want != NULL);
    for (size_t j = 0; j < n_k * r; j++)
        x[j] = 100 * draw();
    reference(p, x, r, sqrt(fmax(s.q.norm2_max, s.k.norm2_max)), want, &tol);
    kmv_product(&s.q, &s.k, p, x, NULL, r, 2, s.w, y, &cost);
    for (size_t i = 0; i < n_q * r; i++)
        error += (y[i] - want[i]) * (y[i] - want[i]);
    CHECK_CLOSE(sqrt(error), 0.0, tol + 50 * sqrt((double)(n_q * r)) * (double)n_k * 0x1p-126);
    for (size_t i = 0; i < n_q; i++) {
        for (size_t j = 0; j < n_k; j++)
            pairs += !masked(p, i, j);
    }
    CHECK_CLOSE(cost.pairs, pairs, 0);
    CHECK_CLOSE(cost.flops, pairs * 2 * (double)(p->q->d + r), 0);
    packed_clear(&s);
    free(x);
    free(y);
    free(want);
}

static void each_tile(void (*f)(const kmv_tile *))
{
    const kmv_tile *t;

    for (size_t i = 0; (t = kmv_tile_at(i)) != NULL; i++) {
        draw_state = 20250731;
        if (t->can_run())
            f(t);
    }
}

static void sizes(const kmv_tile *t)
{
    const size_t n_qs[] = {1, t->rows - 1, t->rows, t->rows + 1, 4 * t->rows, 4 * t->rows + 3};
    const size_t n_ks[] = {1, t->lanes - 1, t->lanes, t->lanes + 1, 5 * t->lanes + 7};

    for (size_t a = 0; a < sizeof n_qs / sizeof *n_qs; a++) {
        for (size_t b = 0; b < sizeof n_ks / sizeof *n_ks; b++) {
            for (size_t variant = 0; variant < 4; variant++) {
                const size_t r = variant % 2 ? 3 : 1, d = (variant / 2 ? 30 : 3) + a;
                problem s = problem_make(n_qs[a], n_ks[b], d, sqrt((double)d) / 2, 0, 0, 0);
                kmv_problem p = view(&s);

                check_product(t, &p, r);
                if (n_qs[a] <= n_ks[b]) {
                    p.causal = 1;
                    check_product(t, &p, r);
                }
                problem_clear(&s);
            }
        }
    }
}

/* Bandwidths from 100 times to 1/100 of the natural one, with points far out and near each other,
 * everything shifted by 1000 sigma. */
static void accuracy(const kmv_tile *t)
{
    static const double factors[] = {0.01, 0.1, 0.5, 1, 3, 100};
    static const size_t dims[] = {1, 7, 64};

    for (size_t f = 0; f < sizeof factors / sizeof *factors; f++) {
        for (size_t m = 0; m < 3; m++) {
            const double sigma = factors[f] * pow((double)dims[m], 0.25);

            for (size_t far = 0; far <= 3; far += 3) {
                problem s = problem_make(45, 130, dims[m], sigma, 1000 * sigma, far, 60);
                kmv_problem p = view(&s);

                check_product(t, &p, 1);
                check_product(t, &p, 2);
                p.causal = 1;
                check_product(t, &p, 1);
                problem_clear(&s);
            }
        }
    }
}

/* Two clusters 2 .. 16 sigma apart, pairs within one near each other: through the reaches where
 * ways to compute exponents change over. */
static void reaches(const kmv_tile *t)
{
    for (int distance = 2; distance <= 16; distance++) {
        problem s = problem_make(45, 130, 64, 2, 0, 20, 2 * distance);
        kmv_problem p = view(&s);

        assert_true(exponent(&p, 0, 0) > -6);
        check_product(t, &p, 1);
        check_product(t, &p, 2);
        problem_clear(&s);
    }
}

/* The unit of length does not matter, nor where split operands no longer fit (beyond 2^80 = 1e24)
 * or lose their smallest parts. */
static void units(const kmv_tile *t)
{
    static const double lengths[] = {1e-25, 1e-20, 1e-10, 1e10, 1e20, 1e25};

    for (size_t m = 0; m < sizeof lengths / sizeof *lengths; m++) {
        problem s = problem_make(45, 130, 40, 2 * lengths[m], 0, 0, 0);
        kmv_problem p = view(&s);
        kmv_points *sets[] = {&s.q, &s.k};

        for (size_t set = 0; set < 2; set++) {
            for (size_t i = 0; i < sets[set]->n * sets[set]->ld; i++)
                sets[set]->x[i] *= (float)lengths[m];
            for (size_t l = 0; l < 40; l++)
                sets[set]->origin[l] *= lengths[m];
        }
        assert_true(exponent(&p, 0, 0) > -10);
        check_product(t, &p, 1);
        check_product(t, &p, 2);
        problem_clear(&s);
    }
}

/* Near pairs far from the centre, so that only differences can be right: 64 sigma out, 1 apart. */
static void cancellation(const kmv_tile *t)
{
    problem s = problem_make(40, 100, 16, 0.5, 0, 6, 32);
    kmv_problem p = view(&s);

    assert_true(exponent(&p, 0, 0) > -20);
    check_product(t, &p, 1);
    check_product(t, &p, 5);
    problem_clear(&s);
}

/* Subsets of queries and keys with weights, causal: against the sum over the subset. */
static void subsets(const kmv_tile *t)
{
    enum { N = 90, D = 5 };
    problem s = problem_make(N, N, D, 1, 3, 0, 0);
    kmv_problem p = view(&s);
    size_t which_q[N], which_k[N], n_q = 0, n_k = 0;
    double x[N], scale[N], y[N];
    kmv_cost cost = {0};
    packed a;

    for (size_t i = 0; i < N; i++) {
        if (i % 3 != 1)
            which_q[n_q++] = i;
        if (i % 2 == 1 || i < 20)
            which_k[n_k++] = i;
        x[i] = draw();
        scale[i] = 1 + draw();
    }
    for (p.causal = 0; p.causal < 2; p.causal++) {
        a = pack(t, &p, which_q, n_q, which_k, n_k, 1, 2);
        kmv_product(&a.q, &a.k, &p, x, scale, 1, 2, a.w, y, &cost);
        for (size_t i = 0; i < n_q; i++) {
            double want = 0, size = 0;

            for (size_t j = 0; j < n_k; j++) {
                const double term =
                    masked(&p, which_q[i], which_k[j])
                        ? 0
                        : exp2(exponent(&p, which_q[i], which_k[j])) * scale[j] * x[which_k[j]];

                want += term;
                size += fabs(term);
            }
            CHECK_CLOSE(y[i], want, 1e-5 * size);
        }
        packed_clear(&a);
    }
    problem_clear(&s);
}

/* Same bits for 1, 2 and 3 threads; x scaled by powers of two scales y exactly. */
static void invariance(const kmv_tile *t)
{
    enum { N = 300, D = 33, R = 3 };
    problem s = problem_make(N, N, D, 2, 0, 0, 0);
    kmv_problem p = view(&s);
    double x[N * R], y[4][N * R];
    kmv_cost cost = {0};

    for (size_t r = 1; r <= R; r += 2) {
        for (p.causal = 0; p.causal < 2; p.causal++) {
            for (size_t j = 0; j < N * r; j++)
                x[j] = draw();
            for (int threads = 1; threads <= 3; threads++) {
                packed a = pack(t, &p, NULL, N, NULL, N, r, threads);

                kmv_product(&a.q, &a.k, &p, x, NULL, r, threads, a.w, y[threads], &cost);
                packed_clear(&a);
            }
            assert_memory_equal(y[1], y[2], N * r * sizeof(double));
            assert_memory_equal(y[1], y[3], N * r * sizeof(double));
            for (size_t j = 0; j < N * r; j++)
                x[j] *= -0x1p400; /* beyond float, and signed */
            packed a = pack(t, &p, NULL, N, NULL, N, r, 2);

            kmv_product(&a.q, &a.k, &p, x, NULL, r, 2, a.w, y[0], &cost);
            packed_clear(&a);
            for (size_t i = 0; i < N * r; i++)
                CHECK_CLOSE(y[0][i], -0x1p400 * y[1][i], 0);
        }
    }
    problem_clear(&s);
}

/* Exponents as the sink sees them: each pair once, in order, within tolerance. */
typedef struct {
    const kmv_problem *p;
    size_t next[400]; /* per row */
    double tol;
    int failed;
} seen;

static void sink(void *context, int thread, size_t i, size_t j, size_t count, const float *e)
{
    seen *s = context;

    (void)thread;
    if (j != s->next[i])
        s->failed = 1;
    s->next[i] = j + count;
    for (size_t m = 0; m < count; m++) {
        const double want = exponent(s->p, i, j + m);
        const double got = (double)e[m];

        if (masked(s->p, i, j + m) ||
            !(fabs(got - want) <= s->tol * (1 + fabs(want)) || (want < -130 && got < -126)))
            s->failed = 2;
    }
}

static void stream(const kmv_tile *t)
{
    for (int variant = 0; variant < 8; variant++) {
        const size_t far = variant & 4 ? 5 : 0;
        problem s = problem_make(70, 330, 9, variant & 4 ? 0.3 : 1, variant & 1 ? 2 : 0, far, 40);
        kmv_problem p = view(&s);
        packed a;
        /* An exponent is a sum of about 100 in its largest partial sum (softmax, far points: 3e4):
         * 17 roundings; gauss far out is computed by differences, or in steps to 2e-5. */
        seen c = {.p = &p, .tol = variant & 1 && variant & 4 ? 3e4 * 17 * 0x1p-24 : 1e-4};

        p.matrix = variant & 1 ? KMV_SOFTMAX : KMV_GAUSS;
        p.causal = (variant & 2) != 0;
        a = pack(t, &p, NULL, 70, NULL, 330, 1, 1);
        kmv_stream_exponents(&a.q, &a.k, &p, 1, a.w, sink, &c);
        assert_int_equal(c.failed, 0);
        for (size_t i = 0; i < 70; i++)
            assert_int_equal(c.next[i], p.causal ? i + 330 - 70 + 1 : 330);
        packed_clear(&a);
        problem_clear(&s);
    }
}

static void softmax_product(const kmv_tile *t)
{
    problem s = problem_make(30, 100, 8, 1, 0.1, 0, 0);
    kmv_problem p = view(&s);

    p.matrix = KMV_SOFTMAX;
    check_product(t, &p, 1);
    check_product(t, &p, 4);
    problem_clear(&s);
}

static void packing(void **state)
{
    const kmv_tile *t = kmv_tile_best();
    problem s = problem_make(t->rows + 1, t->lanes + 1, 3, 2, 5, 0, 0);
    kmv_problem p = view(&s);
    packed a = pack(t, &p, NULL, p.q->n, NULL, p.k->n, 1, 1);
    double centre[3], mean = 0;

    (void)state;
    kmv_centre(&p, centre);
    for (size_t i = 0; i < p.q->n; i++)
        mean += coordinate(p.q, i, 1);
    for (size_t j = 0; j < p.k->n; j++)
        mean += coordinate(p.k, j, 1);
    CHECK_CLOSE(centre[1], mean / (double)(p.q->n + p.k->n), 1e-12);
    CHECK_CLOSE((double)a.k.x[2 * t->lanes + 1], coordinate(p.k, 1, 2) - centre[2], 0x1p-23);
    CHECK_CLOSE((double)a.q.x[2 * t->rows + 1], LOG2_E / 4 * (coordinate(p.q, 1, 2) - centre[2]),
                0x1p-24);
    /* slots past the end */
    assert_true(isinf(a.k.offset[t->lanes + 1]) && a.k.offset[t->lanes + 1] < 0);
    assert_true(a.k.x[3 * t->lanes + 1] == 0);
    assert_true(a.q.offset[t->rows + 1] == a.q.offset[t->rows]);
    assert_true(a.q.norm2_max > 0 && a.q.norm2_max < 3.0 / 4);
    assert_int_equal(kmv_threads_for(2e5, 4), 1);
    assert_int_equal(kmv_threads_for(4e5, 4), 4);
    packed_clear(&a);
    kmv_packed_clear(&a.q); /* twice is harmless */
    problem_clear(&s);
}

#define EACH(name)                                                                                 \
    static void name##_all(void **state)                                                           \
    {                                                                                              \
        (void)state;                                                                               \
        each_tile(name);                                                                           \
    }
EACH(sizes)
EACH(accuracy)
EACH(reaches)
EACH(units)
EACH(cancellation)
EACH(subsets)
EACH(invariance)
EACH(stream)
EACH(softmax_product)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packing),      cmocka_unit_test(sizes_all),
        cmocka_unit_test(accuracy_all), cmocka_unit_test(reaches_all),
        cmocka_unit_test(units_all),    cmocka_unit_test(cancellation_all),
        cmocka_unit_test(subsets_all),  cmocka_unit_test(invariance_all),
        cmocka_unit_test(stream_all),   cmocka_unit_test(softmax_product_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

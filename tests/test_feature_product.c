/* Products through feature maps, with made-up features, against sums in double in the log domain.
 */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "algo/feature_loops.h"
#include "algo/feature_product.h"
#include "base/mem.h"

typedef struct {
    size_t m;
    float *q, *k, *q_scale, *k_scale;
} table;

typedef struct {
    kmv_points q, k;
    kmv_problem problem;
    table features;
    kmv_feature_map map;
    size_t r;
    double *x, *y, *want, *size;
} fixture;

static uint64_t seed;

static double draw(void)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (double)(seed >> 11) / 9007199254740992.0 - 0.5;
}

static void rows(const void *map, kmv_role role, size_t first, size_t count, float *out,
                 float *scale)
{
    const table *t = map;

    memcpy(out, (role == KMV_QUERIES ? t->q : t->k) + first * t->m, count * t->m * sizeof *out);
    memcpy(scale, (role == KMV_QUERIES ? t->q_scale : t->k_scale) + first, count * sizeof *scale);
}

static float *random_floats(size_t n, double spread, double shift)
{
    float *v = calloc(n, sizeof *v);

    for (size_t i = 0; i < n; i++)
        v[i] = (float)(shift + spread * draw());
    return v;
}

/* exponents: positive features 2^e, e in +-spread. Otherwise values around 1, so that no sum of
 * products is near zero, and scales in +-spread. */
static fixture make(kmv_matrix matrix, int causal, int exponents, size_t n_q, size_t n_k, size_t m,
                    size_t r, double spread)
{
    fixture f = {.features = {.m = m}, .r = r};
    kmv_error err = {""};

    seed = n_q * 1000003 + n_k * 1009 + m;
    CHECK_OK(kmv_points_init(&f.q, n_q, 1, &err));
    CHECK_OK(kmv_points_init(&f.k, n_k, 1, &err));
    f.problem = (kmv_problem){.matrix = matrix, .causal = causal, .sigma = 1};
    f.features.q = random_floats(n_q * m, exponents ? 2 * spread : 1, exponents ? 0 : 1);
    f.features.k = random_floats(n_k * m, exponents ? 2 * spread : 1, exponents ? 0 : 1);
    f.features.q_scale = random_floats(n_q, 2 * spread, 0);
    f.features.k_scale = random_floats(n_k, 2 * spread, 0);
    f.map = (kmv_feature_map){
        .features = m, .exponents = exponents, .factor = 0.25, .flops = 7, .rows = rows};
    f.x = calloc(n_k * r, sizeof *f.x);
    f.y = calloc(n_q * r, sizeof *f.y);
    f.want = calloc(n_q * r, sizeof *f.want);
    f.size = calloc(n_q * r, sizeof *f.size);
    for (size_t i = 0; i < n_k * r; i++)
        f.x[i] = 3 * draw();
    return f;
}

static void clear(fixture *f)
{
    kmv_points_clear(&f->q);
    kmv_points_clear(&f->k);
    free(f->features.q);
    free(f->features.k);
    free(f->features.q_scale);
    free(f->features.k_scale);
    free(f->x);
    free(f->y);
    free(f->want);
    free(f->size);
}

/* log2 of A_ij without its factor; all features are positive here. */
static double log2_entry(const fixture *f, size_t i, size_t j)
{
    const float *q = f->features.q + i * f->features.m, *k = f->features.k + j * f->features.m;
    double top = -INFINITY, sum = 0;

    for (size_t l = 0; l < f->features.m; l++) {
        const double e =
            f->map.exponents ? (double)q[l] + (double)k[l] : log2((double)q[l] * (double)k[l]);

        sum = e > top ? sum * exp2(top - e) + 1 : sum + exp2(e - top);
        top = fmax(top, e);
    }
    return log2(sum) + top + (double)f->features.q_scale[i] + (double)f->features.k_scale[j];
}

/* want = A X or D^-1 A X, size the same with |X|, two passes in double. */
static void reference(fixture *f)
{
    const size_t n_q = f->q.n, n_k = f->k.n, r = f->r;
    double *e = calloc(n_k, sizeof *e);

    for (size_t i = 0; i < n_q; i++) {
        const size_t seen = f->problem.causal ? i + n_k - n_q + 1 : n_k;
        double top = -INFINITY, all = 0;

        memset(f->want + i * r, 0, r * sizeof *f->want);
        memset(f->size + i * r, 0, r * sizeof *f->size);
        for (size_t j = 0; j < seen; j++)
            top = fmax(top, e[j] = log2_entry(f, i, j));
        for (size_t j = 0; j < seen; j++)
            all += exp2(e[j] - top);
        for (size_t j = 0; j < seen; j++) {
            const double p = f->problem.matrix == KMV_SOFTMAX ? exp2(e[j] - top) / all
                                                              : f->map.factor * exp2(e[j]);

            for (size_t c = 0; c < r; c++) {
                f->want[i * r + c] += p * f->x[j * r + c];
                f->size[i * r + c] += p * fabs(f->x[j * r + c]);
            }
        }
    }
    free(e);
}

/* One product with `threads` threads; returns the text. */
static void product(fixture *f, const kmv_tile *tile, int threads, double *y, char text[200])
{
    kmv_settings settings = KMV_SETTINGS_DEFAULT;
    kmv_cost cost = {0};
    kmv_prepare_context context = {.settings = &settings,
                                   .tile = tile,
                                   .threads = threads,
                                   .cost = &cost,
                                   .text = text,
                                   .text_size = 200};
    kmv_apply_context apply = {.x = f->x, .r = f->r, .y = y, .cost = &cost};
    kmv_feature_product *p = NULL;
    kmv_error err = {""};
    size_t calls;

    settings.r = f->r + 1; /* room for more than is asked */
    f->problem.q = &f->q;
    f->problem.k = &f->k;
    f->map.map = &f->features;
    snprintf(text, 200, "plan");
    CHECK_OK(kmv_feature_product_create(&f->problem, &f->map, &context, &p, &err));
    calls = kmv_mem_calls();
    kmv_feature_product_apply(p, &apply);
    kmv_feature_product_apply(p, &apply); /* nothing is left of the first one */
    assert_int_equal(kmv_mem_calls(), calls);
    assert_true(cost.pairs == 0 && cost.flops > 0);
    kmv_feature_product_destroy(p);
}

/* Features in float are off by 2^-24 of an exponent of at most 4 spread bits (in the sums that are
 * taken of it, four times), sums over m features and 128 keys in float by (m + 128) 2^-24, entries
 * 2^e by 2e-6. */
static void check(fixture *f, double spread)
{
    const double bound = 2e-6 + 0x1p-24 * (16 * spread + (double)f->features.m + 128);
    const size_t n = f->q.n * f->r;
    double *other = calloc(n, sizeof *other);
    char text[200];
    const kmv_tile *tile;

    reference(f);
    for (size_t t = 0; (tile = kmv_tile_at(t)) != NULL; t++) {
        if (!tile->can_run())
            continue;
        product(f, tile, 1, f->y, text);
        assert_string_equal(text, "plan");
        for (size_t i = 0; i < n; i++)
            CHECK_CLOSE(f->y[i], f->want[i], bound * f->size[i]);
        product(f, tile, 2, other, text);
        assert_memory_equal(f->y, other, n * sizeof *other);
    }
    free(other);
    clear(f);
}

/* Around chunks of 64 and 128, groups of 1024 and 2048; both kinds of features and matrices. */
static void full(void **state)
{
    static const size_t n_q[] = {1, 129, 5, 64}, n_k[] = {1, 127, 2100, 300}, m[] = {1, 17, 5, 33};

    (void)state;
    for (size_t t = 0; t < 16; t++) {
        fixture f = make(t & 4 ? KMV_SOFTMAX : KMV_GAUSS, 0, t >= 8, n_q[t % 4], n_k[t % 4],
                         m[t % 4], t & 1 ? 3 : 1, 5);

        check(&f, 5);
    }
}

static void causal(void **state)
{
    static const size_t n_q[] = {1, 65, 1100, 3}, n_k[] = {1, 65, 1100, 1200}, m[] = {1, 17, 5, 3};

    (void)state;
    for (size_t t = 0; t < 16; t++) {
        fixture f = make(t & 4 ? KMV_SOFTMAX : KMV_GAUSS, 1, t >= 8, n_q[t % 4], n_k[t % 4],
                         m[t % 4], t & 1 ? 3 : 1, 5);

        check(&f, 5);
    }
}

/* Exponents over +-1000 bits: any row's keys may lie 2^4000 below those it does not see. */
static void log_domain(void **state)
{
    (void)state;
    for (size_t t = 0; t < 4; t++) {
        fixture f = make(KMV_SOFTMAX, t & 1, t >= 2, 150, 150, 4, 2, 1000);

        check(&f, 1000);
    }
}

/* Signed features that give a row no positive sum: the row is 0, and the text says so. */
static void no_denominator(void **state)
{
    char text[200];
    fixture f = make(KMV_SOFTMAX, 0, 0, 70, 30, 3, 2, 1);

    (void)state;
    for (size_t l = 0; l < 3; l++)
        f.features.q[5 * 3 + l] = -1;
    product(&f, kmv_tile_best(), 2, f.y, text);
    assert_string_equal(text, "plan; 1 rows without a positive denominator answered with 0");
    assert_true(f.y[10] == 0 && f.y[11] == 0 && f.y[12] != 0);
    clear(&f);
}

/* The largest and smallest numbers x may hold. */
static void extreme_x(void **state)
{
    static const double factor[] = {1e-300, 1e300};

    (void)state;
    for (size_t t = 0; t < 4; t++) {
        fixture f = make(KMV_SOFTMAX, t & 1, 1, 100, 100, 4, 2, 2);

        for (size_t i = 0; i < 200; i++)
            f.x[i] *= factor[t / 2];
        check(&f, 2);
    }
}

static void turns(void **state)
{
    const kmv_tile *tile;

    (void)state;
    for (size_t t = 0; (tile = kmv_tile_at(t)) != NULL; t++) {
        float turn[1001], phase[1001], c[1001], s[1001];

        if (!tile->can_run())
            continue;
        seed = 3;
        for (size_t i = 0; i < 1001; i++) {
            turn[i] = i < 9 ? (float)i / 4 - 1 : (float)(40 * draw());
            phase[i] = i < 9 ? 0 : (float)draw();
        }
        kmv_feature_loops_for(tile)->cos_sin(turn, phase, 1001, c, s);
        for (size_t i = 0; i < 1001; i++) {
            const double angle = 2 * M_PI * (double)(turn[i] + phase[i]);

            CHECK_CLOSE((double)c[i], cos(angle), 7e-7);
            CHECK_CLOSE((double)s[i], sin(angle), 7e-7);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(full),           cmocka_unit_test(causal),    cmocka_unit_test(log_domain),
        cmocka_unit_test(no_denominator), cmocka_unit_test(extreme_x), cmocka_unit_test(turns),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

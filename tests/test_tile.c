/* Tiles: each instruction set against float64, at the edges of its shape, and inside guard pages.
 */
#include "check.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/mem.h"
#include "gauss/peak.h"
#include "gauss/tile.h"

enum { PANELS = 3, COLUMNS = 80 };

/* Runs f on every tile that this machine can run. */
static void each_tile(void (*f)(const kmv_tile *))
{
    const kmv_tile *t;

    for (size_t i = 0; (t = kmv_tile_at(i)) != NULL; i++) {
        if (t->can_run())
            f(t);
    }
}

/* A fixed sequence in [-1/2, 1/2): the linear congruential generator of Numerical Recipes. */
static double draw(void)
{
    static uint32_t s = 20250731;

    s = s * 1664525u + 1013904223u;
    return (double)s / 4294967296.0 - 0.5;
}

/* `count` floats whose last byte is the last before a page that cannot be touched. 64-byte
 * alignment holds as long as count is a multiple of 16; shorter arrays are aligned to what is left.
 */
typedef struct {
    float *x;
    void *base;
    size_t bytes;
} guarded;

static guarded guarded_floats(size_t count)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE), need = count * sizeof(float);
    const size_t whole = (need + page - 1) / page * page;
    guarded g = {.bytes = whole + page};

    g.base = mmap(NULL, g.bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(g.base != MAP_FAILED);
    assert_int_equal(mprotect((char *)g.base + whole, page, PROT_NONE), 0);
    g.x = (float *)((char *)g.base + whole - need);
    return g;
}

static void unmap(guarded g)
{
    munmap(g.base, g.bytes);
}

/* Packed operands of one call, each against its guard page; offsets that keep e near 0 .. -12. */
typedef struct {
    size_t d, rows, lanes;
    guarded q, a, k, b, w;
} operands;

static operands operands_make(const kmv_tile *t, size_t d, double offset)
{
    operands o = {.d = d, .rows = t->rows * KMV_BLOCKS_MAX, .lanes = t->lanes * PANELS};

    o.q = guarded_floats(o.rows * d);
    o.a = guarded_floats(o.rows);
    o.k = guarded_floats(o.lanes * d);
    o.b = guarded_floats(o.lanes);
    o.w = guarded_floats(o.lanes);
    for (size_t i = 0; i < o.rows * d; i++)
        o.q.x[i] = (float)draw();
    for (size_t i = 0; i < o.lanes * d; i++)
        o.k.x[i] = (float)draw();
    for (size_t i = 0; i < o.rows; i++)
        o.a.x[i] = (float)(offset * (draw() + 0.5));
    for (size_t i = 0; i < o.lanes; i++) {
        o.b.x[i] = (float)(-3 + draw());
        o.w.x[i] = (float)draw();
    }
    return o;
}

static void operands_clear(operands *o)
{
    unmap(o->q);
    unmap(o->a);
    unmap(o->k);
    unmap(o->b);
    unmap(o->w);
}

/* e of row i and lane j, both counted over all blocks and panels, in double. */
static double exponent(const kmv_tile *t, const operands *o, size_t i, size_t j)
{
    const float *q = o->q.x + i / t->rows * t->rows * o->d + i % t->rows;
    const float *k = o->k.x + j / t->lanes * t->lanes * o->d + j % t->lanes;
    double e = (double)o->a.x[i] + (double)o->b.x[j];

    for (size_t l = 0; l < o->d; l++)
        e += (double)q[l * t->rows] * (double)k[l * t->lanes];
    return e;
}

/* |e| <= 40 + d / 4 all along, rounded d + 8 times at most: the worst case of an exponent. */
static double worst_exponent_error(size_t d)
{
    return ((double)d + 8) * 0x1p-24 * (40 + (double)d / 4);
}

static void exponents_and_entries(const kmv_tile *t)
{
    static const size_t dims[] = {1, 2, 3, 5, 17, 64, 67};
    const size_t rows = t->rows, lanes = t->lanes;
    guarded e = guarded_floats(rows * lanes), p = guarded_floats(rows * lanes);

    for (size_t m = 0; m < sizeof dims / sizeof *dims; m++) {
        operands o = operands_make(t, dims[m], -6);
        const double tol = worst_exponent_error(o.d);

        for (size_t steps = 1; steps <= KMV_STEPS_MAX; steps *= 2) {
            t->exponents(o.q.x, o.a.x, o.k.x, o.b.x, o.d, steps, e.x, lanes);
            t->entries(o.q.x, o.a.x, o.k.x, o.b.x, o.d, steps, p.x, lanes);
            for (size_t i = 0; i < rows; i++) {
                for (size_t j = 0; j < lanes; j++) {
                    const double want = exponent(t, &o, i, j);

                    CHECK_CLOSE((double)e.x[i * lanes + j], want, tol);
                    CHECK_CLOSE((double)p.x[i * lanes + j], exp2(want),
                                (t->exp_rel_err + tol) * exp2(want));
                }
            }
        }
        operands_clear(&o);
    }
    unmap(e);
    unmap(p);
}

/* Row sums by apply: rows near each other share an offset, rows 200 apart cannot. */
static void apply(const kmv_tile *t)
{
    static const double offsets[] = {-6, -200};

    for (size_t m = 0; m < 2; m++) {
        for (size_t blocks = 1; blocks <= KMV_BLOCKS_MAX; blocks++) {
            operands o = operands_make(t, 19, offsets[m]);
            const double tol = t->exp_rel_err + (19 + 8) * 0x1p-24 * 220 + 16 * 0x1p-24;
            double y[KMV_BLOCKS_MAX * KMV_ROWS_MAX];

            for (size_t i = 0; i < blocks * t->rows; i++)
                y[i] = 0.25; /* it adds, and does not overwrite */
            t->apply(o.q.x, o.a.x, blocks, o.k.x, o.b.x, o.w.x, o.d, blocks == 2 ? 4 : 1, PANELS,
                     y);
            for (size_t i = 0; i < blocks * t->rows; i++) {
                double want = 0.25, size = 0;

                for (size_t j = 0; j < o.lanes; j++) {
                    const double entry = exp2(exponent(t, &o, i, j));

                    want += entry * (double)o.w.x[j];
                    size += entry * fabs((double)o.w.x[j]);
                }
                /* 0x1p-53: the 0.25 that was there; 0x1p-126: what underflows */
                CHECK_CLOSE(y[i], want, tol * size + 0x1p-53 + (double)o.lanes * 0x1p-126);
            }
            operands_clear(&o);
        }
    }
}

/* Three parts carry a float whole: exponents and sums of split operands within the bounds of plain
 * ones; the products left out are below 2^-26 of |q k| per dimension. Rows past the blocks given
 * stay out. */
static void split(const kmv_tile *t)
{
    static const size_t dims[] = {1, 2, 31, 32, 33, 64, 67, 160};
    const size_t rows = t->rows * KMV_BLOCKS_MAX, lanes = t->lanes * PANELS;

    for (size_t m = 0; m < sizeof dims / sizeof *dims && t->split != NULL; m++) {
        const size_t d = dims[m], blocks = m % KMV_BLOCKS_MAX + 1, real = blocks * t->rows;
        const size_t floats = KMV_SPLIT_PARTS * kmv_round_up(d, KMV_SPLIT_DIMS) / 2; /* a point */
        const double tol = worst_exponent_error(d) + (double)d / 4 * 0x1p-26;
        operands o = operands_make(t, d, -6);
        guarded q = guarded_floats(rows * floats), k = guarded_floats(lanes * floats);
        guarded p = guarded_floats(real * lanes);
        uint16_t *q_parts = (uint16_t *)q.x, *k_parts = (uint16_t *)k.x;

        memset(q.x, 0xff, rows * floats * sizeof(float)); /* NaN where nothing is written */
        o.q.x[0] = 0x1.fffffep-1f;                        /* rounds up in its first part */
        o.k.x[0] = -0x1.010102p0f;                        /* three parts of one bit each */
        for (size_t b = 0; b < blocks; b++)
            t->split->queries(o.q.x + b * t->rows * d, d, b, q_parts);
        for (size_t b = 0; b < PANELS; b++)
            t->split->keys(o.k.x + b * t->lanes * d, d, k_parts + b * t->lanes * floats * 2);
        for (size_t panels = 1; panels <= PANELS; panels++) {
            const size_t count = panels * t->lanes;
            double y[KMV_BLOCKS_MAX * KMV_ROWS_MAX];

            for (size_t i = 0; i < rows; i++)
                y[i] = 0.25;
            t->split->entries(q_parts, o.a.x, blocks, k_parts, o.b.x, d, panels, p.x, lanes);
            t->split->apply(q_parts, o.a.x, blocks, k_parts, o.b.x, o.w.x, d, panels, y);
            for (size_t i = 0; i < rows; i++) {
                double want = 0.25, size = 0;

                for (size_t j = 0; j < count && i < real; j++) {
                    const double entry = exp2(exponent(t, &o, i, j));

                    CHECK_CLOSE((double)p.x[i * lanes + j], entry, (t->exp_rel_err + tol) * entry);
                    want += entry * (double)o.w.x[j];
                    size += entry * fabs((double)o.w.x[j]);
                }
                CHECK_CLOSE(y[i], want, (t->exp_rel_err + tol + 32 * 0x1p-24) * size + 0x1p-53);
            }
        }
        operands_clear(&o);
        unmap(q);
        unmap(k);
        unmap(p);
    }
}

/* Where all second and third parts are as large as they get and have one sign: v = 1 + x2 + x3, x2
 * = 2^-8 (1 - 2^-8), x3 = 2^-17 (1 - 2^-6). Leaving out one of q2 k2, q1 k3, q3 k1 would change an
 * exponent by 64 2^-17 = 4.9e-4 at least. */
static void split_parts(const kmv_tile *t)
{
    enum { D = 64 };
    const double v = 1 + 0x1p-8 - 0x1p-16 + 0x1p-17 - 0x1p-23, e = D * (v * v - 1) - 0.5;
    /* at most 16 + 2 roundings in a chunk, 2 at full size across, 3 of the offset, all below 65;
     * 2 q2 k3 left out */
    const double tol = 23 * 0x1p-24 * 65 + D * 0x1p-24;
    operands o = operands_make(t, D, 0);
    guarded q = guarded_floats(o.rows * D * 3 / 2), k = guarded_floats(o.lanes * D * 3 / 2);
    guarded p = guarded_floats(t->rows * o.lanes);

    for (size_t i = 0; i < o.rows * D; i++)
        o.q.x[i] = (float)v;
    for (size_t i = 0; i < o.lanes * D; i++)
        o.k.x[i] = (float)v;
    for (size_t j = 0; j < o.lanes; j++)
        o.b.x[j] = -D - 0.5f;
    if (t->split != NULL) {
        t->split->queries(o.q.x, D, 0, (uint16_t *)q.x);
        t->split->keys(o.k.x, D, (uint16_t *)k.x);
        t->split->entries((uint16_t *)q.x, o.a.x, 1, (uint16_t *)k.x, o.b.x, D, 1, p.x, o.lanes);
        for (size_t i = 0; i < t->rows; i++) {
            for (size_t j = 0; j < t->lanes; j++)
                CHECK_CLOSE((double)p.x[i * o.lanes + j], exp2(e), exp2(e) * (1.1e-6 + tol));
        }
    }
    operands_clear(&o);
    unmap(q);
    unmap(k);
    unmap(p);
}

/* Two points 1e-3 apart with coordinates near 30: the expanded form has nothing left of it. */
static void differences(const kmv_tile *t)
{
    static const size_t dims[] = {1, 16, 37};
    const size_t rows = t->rows, lanes = t->lanes;
    const double scale = 2.5;
    guarded e = guarded_floats(rows * lanes);

    for (size_t m = 0; m < sizeof dims / sizeof *dims; m++) {
        operands o = operands_make(t, dims[m], 0);

        for (size_t i = 0; i < rows * o.d; i++)
            o.q.x[i] = (float)(scale * (30 + 1e-3 * draw()));
        for (size_t i = 0; i < lanes * o.d; i++)
            o.k.x[i] = (float)(30 + draw());
        t->exponents_by_difference(o.q.x, o.k.x, scale, o.d, e.x, lanes);
        for (size_t i = 0; i < rows; i++) {
            for (size_t j = 0; j < lanes; j++) {
                double want = 0, drift = 0;

                for (size_t l = 0; l < o.d; l++) {
                    const double q = (double)o.q.x[l * rows + i], k = (double)o.k.x[l * lanes + j];
                    const double diff = q / scale - k;

                    want -= scale / 2 * diff * diff;
                    /* 1/scale, its product with q and the difference: three roundings of ~30 */
                    drift += scale * fabs(diff) * 3 * 0x1p-24 * 31;
                }
                CHECK_CLOSE((double)e.x[i * lanes + j], want, drift + 24 * 0x1p-24 * fabs(want));
            }
        }
        operands_clear(&o);
    }
    unmap(e);
}

static void sums(const kmv_tile *t)
{
    const size_t count = 2 * t->lanes;

    for (size_t ldx = 16; ldx <= COLUMNS; ldx += 16) {
        guarded p = guarded_floats(t->rows * count), x = guarded_floats(count * ldx);
        guarded y = guarded_floats(t->rows * ldx), w = guarded_floats(count);
        double sum[KMV_ROWS_MAX] = {0};

        for (size_t i = 0; i < t->rows * count; i++)
            p.x[i] = (float)(draw() + 0.5);
        for (size_t i = 0; i < count * ldx; i++)
            x.x[i] = (float)draw();
        for (size_t j = 0; j < count; j++)
            w.x[j] = x.x[j * ldx + 3]; /* column 3, also through row_sums */
        for (size_t i = 0; i < t->rows * ldx; i++)
            y.x[i] = 0.5f;
        t->accumulate(p.x, count, count, x.x, ldx, y.x);
        t->row_sums(p.x, count, w.x, count, sum);
        for (size_t i = 0; i < t->rows; i++) {
            for (size_t c = 0; c < ldx; c++) {
                double want = 0.5;

                for (size_t j = 0; j < count; j++)
                    want += (double)p.x[i * count + j] * (double)x.x[j * ldx + c];
                /* count roundings of sums below 0.5 + count / 2 */
                CHECK_CLOSE((double)y.x[i * ldx + c], want,
                            (double)count * 0x1p-23 * (1 + (double)count / 2));
                if (c == 3)
                    CHECK_CLOSE(sum[i], want - 0.5, (double)count * 0x1p-24 * (double)count / 2);
            }
        }
        unmap(p);
        unmap(x);
        unmap(y);
        unmap(w);
    }
}

static void selection(void **state)
{
    const kmv_tile *t = NULL;
    kmv_error err;

    (void)state;
    CHECK_OK(kmv_tile_select(NULL, &t, &err));
    assert_ptr_equal(t, kmv_tile_best());
    CHECK_OK(kmv_tile_select("portable", &t, &err));
    assert_string_equal(t->name, "portable");
    CHECK_FAILS(kmv_tile_select("avx3", &t, &err), KMV_EINVAL, "want one of");
    CHECK_FAILS(kmv_tile_select("", &t, &err), KMV_EINVAL, "portable");
    assert_string_equal(t->name, "portable"); /* untouched */
    for (size_t i = 0; kmv_tile_at(i) != NULL; i++) {
        t = kmv_tile_at(i);
        assert_true(t->rows <= KMV_ROWS_MAX && t->lanes <= KMV_LANES_MAX);
        assert_true(t->lanes % 4 == 0);
        if (!t->can_run())
            CHECK_FAILS(kmv_tile_select(t->name, &t, &err), KMV_EINVAL, "cannot run");
    }
}

/* Every 1/64 of the range, shifted by odd amounts: the promised relative error. */
static void exp2_error(const kmv_tile *t)
{
    for (int start = -126 * 64; start < 127 * 64; start += 64) {
        float v[64], e[64];

        for (int i = 0; i < 64; i++)
            e[i] = (float)(start + i) / 64 + (i % 2 ? 0x1p-9f * (float)(i % 7) : 0);
        memcpy(v, e, sizeof v);
        t->exp2(v, 64);
        for (int i = 0; i < 64; i++) {
            const double want = exp2((double)e[i]);

            /* just above -126 the result may round below the smallest normal number, which is 0 */
            CHECK_CLOSE((double)v[i], want,
                        t->exp_rel_err * want + (e[i] < -125.99f ? 0x1p-126 : 0));
        }
    }
}

/* All floats f in [1/2, 1) and [-1/2, -1/4) step 37, where the error of the polynomial is largest.
 */
static void exp2_dense(const kmv_tile *t)
{
    enum { BATCH = 1024 };
    float v[BATCH], e[BATCH];

    for (uint32_t bits = 0x3e800000; bits < 0x3f800000; bits += 37 * BATCH) {
        for (uint32_t i = 0; i < BATCH; i++) {
            const uint32_t b = bits + 37 * i;

            memcpy(&e[i], &b, sizeof b);
            e[i] = i % 2 ? -e[i] : e[i];
        }
        memcpy(v, e, sizeof v);
        t->exp2(v, BATCH);
        for (size_t i = 0; i < BATCH; i++) {
            const double want = exp2((double)e[i]);

            CHECK_CLOSE((double)v[i], want, t->exp_rel_err * want);
        }
    }
}

static void exp2_special(const kmv_tile *t)
{
    float v[] = {-INFINITY, NAN, -127.0f, -1e30f, -150.0f, 0.0f, 1.0f, 1e30f, INFINITY};

    t->exp2(v, sizeof v / sizeof *v);
    assert_true(v[0] == 0);
    assert_true(isnan(v[1]));
    assert_true(v[2] == 0 && v[3] == 0 && v[4] == 0);
    CHECK_CLOSE((double)v[5], 1.0, t->exp_rel_err);
    CHECK_CLOSE((double)v[6], 2.0, 2 * t->exp_rel_err);
    assert_true(isinf(v[7]) && isinf(v[8]));
}

static void exp2_sizes(const kmv_tile *t)
{
    for (size_t n = 0; n <= 33; n++) {
        guarded v = guarded_floats(n);

        for (size_t i = 0; i < n; i++)
            v.x[i] = -(float)i;
        t->exp2(v.x, n);
        for (size_t i = 0; i < n; i++)
            CHECK_CLOSE((double)v.x[i], exp2(-(double)i), t->exp_rel_err * exp2(-(double)i));
        unmap(v);
    }
}

static void peak(void **state)
{
    (void)state;
    assert_true(kmv_peak_flops(kmv_tile_best(), 1) > 0);
}

/* soften: entries relative to the largest and their sum, against float64; -inf gives 0, what lies
 * 126 below the top vanishes, rows of nothing but -inf become zeros with top 0. An entry errs by
 * exp_rel_err and the rounding of v - top (|v - top| <= 20 there: 20 ln 2 2^-24); the sum of n / 16
 * terms a lane by n 2^-24 more at most. */
static void soften(const kmv_tile *t)
{
    static const size_t sizes[] = {16, 32, 48, 160};

    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        const size_t n = sizes[s];
        guarded v = guarded_floats(n);
        float kept[160], top = NAN, sum;
        double want = 0;

        for (size_t where = 0; where < n; where += 5) { /* the largest at any place */
            want = 0;
            for (size_t j = 0; j < n; j++)
                kept[j] = v.x[j] = (float)(300 + 10 * draw());
            kept[where] = v.x[where] = 306.5f;
            sum = t->soften(v.x, n, &top);
            assert_true(top == 306.5f);
            for (size_t j = 0; j < n; j++) {
                const double p = exp2((double)kept[j] - 306.5);

                CHECK_CLOSE((double)v.x[j], p, p * (t->exp_rel_err + 1e-6));
                want += p;
            }
            CHECK_CLOSE((double)sum, want, want * (t->exp_rel_err + 1e-6 + (double)n * 6e-8));
        }
        for (size_t j = 0; j < n; j++)
            v.x[j] = -INFINITY;
        sum = t->soften(v.x, n, &top);
        assert_true(sum == 0 && top == 0);
        for (size_t j = 0; j < n; j++)
            assert_true(v.x[j] == 0);
        for (size_t j = 0; j < n; j++)
            v.x[j] = j == n - 1 ? -1e4f : j % 2 ? -INFINITY : -1e4f - 127;
        sum = t->soften(v.x, n, &top);
        assert_true(top == -1e4f);
        CHECK_CLOSE((double)sum, 1, t->exp_rel_err);
        for (size_t j = 0; j + 1 < n; j++)
            assert_true(v.x[j] == 0);
        unmap(v);
    }
}

/* sum += (factor v)^2, added to what is there; each of three roundings is 2^-24 at most. */
static void add_squares(const kmv_tile *t)
{
    for (size_t n = 16; n <= 112; n += 32) {
        guarded v = guarded_floats(n), sum = guarded_floats(n);

        for (size_t j = 0; j < n; j++) {
            v.x[j] = j == 3 ? 0 : (float)draw();
            sum.x[j] = (float)j;
        }
        t->add_squares(v.x, 3.5f, n, sum.x);
        for (size_t j = 0; j < n; j++) {
            const double w = 3.5 * (double)v.x[j], want = (double)j + w * w;

            CHECK_CLOSE((double)sum.x[j], want, want * 3 * 0x1p-24);
        }
        for (size_t j = 0; j < n; j++) {
            v.x[j] = 0x1p-80f; /* the square is below all floats */
            sum.x[j] = 0;
        }
        t->add_squares(v.x, 1, n, sum.x);
        for (size_t j = 0; j < n; j++)
            assert_true(sum.x[j] == 0);
        unmap(v);
        unmap(sum);
    }
}

#define EACH(name)                                                                                 \
    static void name##_all(void **state)                                                           \
    {                                                                                              \
        (void)state;                                                                               \
        each_tile(name);                                                                           \
    }
EACH(exp2_error)
EACH(exp2_dense)
EACH(exp2_special)
EACH(exp2_sizes)
EACH(exponents_and_entries)
EACH(apply)
EACH(split)
EACH(split_parts)
EACH(differences)
EACH(sums)
EACH(soften)
EACH(add_squares)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(selection),       cmocka_unit_test(exp2_error_all),
        cmocka_unit_test(exp2_dense_all),  cmocka_unit_test(exp2_special_all),
        cmocka_unit_test(exp2_sizes_all),  cmocka_unit_test(exponents_and_entries_all),
        cmocka_unit_test(apply_all),       cmocka_unit_test(differences_all),
        cmocka_unit_test(sums_all),        cmocka_unit_test(split_all),
        cmocka_unit_test(split_parts_all), cmocka_unit_test(peak),
        cmocka_unit_test(soften_all),      cmocka_unit_test(add_squares_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

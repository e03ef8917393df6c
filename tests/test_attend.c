/* The compute kernels of attention: packing, exponents and sums of every unit this machine runs
 * against float64, with bounds derived from the parts, and canaries behind every buffer. */
#include "softmax_points.h"

#include "base/mem.h"
#include "gauss/attend.h"

enum { LEAVES = 11, CANARY = 64 };

static const size_t dimensions[] = {1, 15, 16, 23, 24, 33, 64, 100};

/* 64-byte aligned, full of NaN bits, followed by bytes that must stay. */
static void *guarded(size_t bytes)
{
    unsigned char *p = aligned_alloc(64, (bytes + CANARY + 63) / 64 * 64);

    assert_non_null(p);
    memset(p, 0xff, bytes);
    memset(p + bytes, 0xa5, CANARY);
    return p;
}

static void release(void *p, size_t bytes)
{
    for (size_t i = 0; i < CANARY; i++)
        assert_int_equal(((unsigned char *)p)[bytes + i], 0xa5);
    free(p);
}

/* Relative error of a number kept in that many parts: bfloat16 has 8 bits, rounded to nearest, and
 * the next part holds what is left; float has 24. */
static double rounding(const kmv_attend_unit *u, int parts)
{
    return !u->rounds || parts == 3 ? 0x1p-24 : parts == 2 ? 0x1p-18 : 0x1p-9;
}

/* One problem by hand: source points, their packed form, values. */
typedef struct {
    kmv_attend_unit u;
    size_t d, ld, r, n_q, n_k, slots;
    int parts;
    float *q, *k, *shift_q, *shift_k, *along; /* sources; ld floats a row */
    size_t *which;                            /* of keys: every row of k once, from the end */
    double *x, *mean;                         /* n_k x r, r */
    size_t sizes[6];
    void *block, *keys, *values;
    float *a, *b, *square;
    double norm2;
} problem;

static const float FACTOR = 1.4f;
static const double VALUE_FACTOR = 0.5;

static float *floats(size_t n, uint32_t *seed, double size)
{
    float *x = aligned_alloc(64, (n * sizeof *x + 63) / 64 * 64);

    assert_non_null(x);
    for (size_t i = 0; i < n; i++)
        x[i] = (float)(size * draw(seed));
    return x;
}

/* Points have zeros behind their d coordinates, shifts up to 32s. */
static void clear_tail(float *x, size_t rows, size_t ld, size_t d)
{
    for (size_t i = 0; i < rows; i++)
        memset(x + i * ld + d, 0, (ld - d) * sizeof *x);
}

static problem make(const kmv_tile *t, size_t d, int parts, size_t r)
{
    problem p = {.u = kmv_attend_unit_of(t, d), .d = d, .parts = parts, .r = r};
    const kmv_attend_unit *u = &p.u;
    const size_t padded = kmv_round_up(d, 32), width = kmv_round_up(r, 32);
    const double size = 2 / sqrt((double)d);
    uint32_t seed = (uint32_t)(31 * d + (size_t)parts + r);

    p.ld = kmv_round_up(d, 16);
    p.n_q = u->rows - 3;
    p.n_k = LEAVES * u->keys - 7;
    p.slots = LEAVES * u->keys;
    p.q = floats((p.n_q + 5) * p.ld, &seed, size);
    p.k = floats(p.n_k * p.ld, &seed, size);
    clear_tail(p.q, p.n_q + 5, p.ld, d);
    clear_tail(p.k, p.n_k, p.ld, d);
    p.shift_q = floats(padded, &seed, size);
    p.shift_k = floats(padded, &seed, size);
    p.along = floats(padded, &seed, size);
    clear_tail(p.shift_q, 1, padded, d);
    clear_tail(p.shift_k, 1, padded, d);
    clear_tail(p.along, 1, padded, d);
    p.which = malloc(p.n_k * sizeof *p.which);
    p.x = numbers(p.n_k * r, seed);
    p.mean = numbers(r, seed + 1);
    for (size_t j = 0; j < p.n_k; j++)
        p.which[j] = p.n_k - 1 - j;

    p.sizes[0] = u->query_size(u, d, parts);
    p.sizes[1] = LEAVES * u->key_size(u, d, parts);
    p.sizes[2] = LEAVES * u->value_size(u, width, parts);
    p.sizes[3] = u->rows * sizeof(float);
    p.sizes[4] = p.sizes[5] = p.slots * sizeof(float);
    for (int s = 0; s < 3; s++)
        assert_int_equal(p.sizes[s] % 64, 0);
    p.block = guarded(p.sizes[0]);
    p.keys = guarded(p.sizes[1]);
    p.values = guarded(p.sizes[2]);
    p.a = guarded(p.sizes[3]);
    p.b = guarded(p.sizes[4]);
    p.square = guarded(p.sizes[5]);
    u->pack_queries(u,
                    &(kmv_attend_points){.x = p.q,
                                         .ld = p.ld,
                                         .d = d,
                                         .first = 5,
                                         .shift = p.shift_q,
                                         .factor = FACTOR,
                                         .square = -0.25f},
                    p.n_q, parts, p.block, p.a);
    for (size_t l = 0; l < LEAVES; l++) {
        const size_t first = l * u->keys, left = p.n_k - first;
        const size_t count = left < u->keys ? left : u->keys;
        const kmv_attend_points from = {.x = p.k,
                                        .ld = p.ld,
                                        .d = d,
                                        .which = p.which + first,
                                        .shift = p.shift_k,
                                        .factor = 1,
                                        .along = p.along};

        u->pack_keys(u, &from, count, parts, (char *)p.keys + l * u->key_size(u, d, parts),
                     p.b + first);
        p.norm2 +=
            u->pack_values(u, p.x, r, 0, p.which + first, count, p.mean, VALUE_FACTOR, width, parts,
                           (char *)p.values + l * u->value_size(u, width, parts), p.square + first);
    }
    return p;
}

static void clear(problem *p)
{
    release(p->block, p->sizes[0]);
    release(p->keys, p->sizes[1]);
    release(p->values, p->sizes[2]);
    release(p->a, p->sizes[3]);
    release(p->b, p->sizes[4]);
    release(p->square, p->sizes[5]);
    free(p->q);
    free(p->k);
    free(p->shift_q);
    free(p->shift_k);
    free(p->along);
    free(p->which);
    free(p->x);
    free(p->mean);
}

static double query(const problem *p, size_t i, size_t l)
{
    return (double)FACTOR * ((double)p->q[(5 + i) * p->ld + l] + (double)p->shift_q[l]);
}

static double key(const problem *p, size_t slot, size_t l)
{
    return (double)p->k[p->which[slot] * p->ld + l] + (double)p->shift_k[l];
}

/* q.k without offsets; *off bounds what the unit may miss of it: each factor is rounded (2 more
 * roundings of 2^-24 before), products of parts from order `parts` on are left out (one or two of
 * rounding^2 .. : 3 roundings cover it), and D additions round the partial sums, those of the lower
 * orders 2^-8 as large. */
static double product(const problem *p, size_t i, size_t slot, double *off)
{
    const double additions = 1.1 * (double)kmv_round_up(p->d, 32) + 8;
    double dot = 0, size = 0;

    for (size_t l = 0; l < p->d; l++) {
        const double part = query(p, i, l) * key(p, slot, l);

        dot += part;
        size += fabs(part);
    }
    *off = size * (3 * rounding(&p->u, p->parts) + (additions + 4) * 0x1p-24);
    return dot;
}

/* Offsets, squares and norms of what was packed. */
static void packing(const problem *p)
{
    const double u = 2 * rounding(&p->u, p->parts) + 4 * 0x1p-24;
    double norm2 = 0;

    for (size_t i = 0; i < p->u.rows; i++) {
        double want = 0;

        for (size_t l = 0; l < p->d && i < p->n_q; l++)
            want -= 0.25 * query(p, i, l) * query(p, i, l) / ((double)FACTOR * (double)FACTOR);
        CHECK_CLOSE((double)p->a[i], want, fabs(want) * (u * 1.01 + (double)p->d * 0x1p-24));
    }
    for (size_t j = 0; j < p->slots; j++) {
        double want = 0, size = 0, off = 0;

        if (j >= p->n_k) {
            assert_true(p->b[j] == -INFINITY);
            continue;
        }
        for (size_t l = 0; l < p->d; l++) {
            want += key(p, j, l) * (double)p->along[l];
            size += fabs(key(p, j, l) * (double)p->along[l]);
        }
        CHECK_CLOSE((double)p->b[j], want, size * (u + (double)p->d * 0x1p-24));
        for (size_t c = 0; c < p->r; c++) {
            const double x = p->x[p->which[j] * p->r + c];

            off += pow(VALUE_FACTOR * (x - p->mean[c]), 2);
            norm2 += pow(VALUE_FACTOR * x, 2);
        }
        CHECK_CLOSE((double)p->square[j], off, off * ((double)p->r + 3) * 0x1p-23 + 1e-30);
    }
    CHECK_CLOSE(p->norm2, norm2, 1e-13 * norm2);
}

static void exponents(const problem *p)
{
    const kmv_attend_unit *u = &p->u;
    const size_t count = 3, lde = count * u->keys + 16, bytes = u->rows * lde * sizeof(float);
    const size_t first = (LEAVES - count) * u->keys; /* the last, incomplete one among them */
    float *e = guarded(bytes);

    for (int with_a = 0; with_a < 2; with_a++) {
        u->exponents(u, p->block, with_a ? p->a : NULL,
                     (const char *)p->keys + (LEAVES - count) * u->key_size(u, p->d, p->parts),
                     p->b + first, count, p->d, p->parts, e, lde);
        for (size_t i = 0; i < p->n_q; i++) {
            for (size_t j = 0; j < count * u->keys; j++) {
                const double a = with_a ? (double)p->a[i] : 0, b = (double)p->b[first + j];
                double off, want;

                if (first + j >= p->n_k) {
                    assert_true(e[i * lde + j] == -INFINITY);
                    continue;
                }
                want = product(p, i, first + j, &off) + a + b;
                CHECK_CLOSE((double)e[i * lde + j], want, off + 0x1p-22 * (fabs(a) + fabs(b) + 1));
            }
            for (size_t j = count * u->keys; j < lde; j++) /* nothing between the rows */
                assert_int_equal(((uint32_t *)e)[i * lde + j], 0xffffffffu);
        }
    }
    release(e, bytes);
}

/* Sums over listed leaves by hand, added to what is there. An entry errs by its exponent's error
 * times ln 2, by exp_rel_err and, on a matrix unit, by its rounding to one or two parts; a value by
 * its own; float sums of n terms by n 2^-24 of their size. */
static void attend(const problem *p, int own_offsets, int masked)
{
    static const uint32_t list[] = {3, 0, 10, 1, 2, 4, 8, 5, 6, 9};
    const kmv_attend_unit *u = &p->u;
    const size_t count = sizeof list / sizeof *list, ld = kmv_round_up(p->r, 32);
    const size_t part_bytes = u->rows * ld * sizeof(float), sum_bytes = u->rows * sizeof(float);
    const double entry_round = !u->rounds ? 0 : p->parts == 1 ? 0x1p-9 : 0x1p-18;
    const double value_round = rounding(u, p->parts) + 0x1p-24;
    const double sums = (double)(count * u->keys) * 0x1p-24;
    float *offsets = guarded(count * u->keys * sizeof(float));
    float *sum = guarded(sum_bytes), *part = guarded(part_bytes), *a = guarded(sum_bytes);
    size_t seen[KMV_ATTEND_ROWS_MAX], least = SIZE_MAX;
    uint32_t seed = 5;
    double total[2] = {0};

    for (size_t i = 0; i < u->rows; i++) {
        seen[i] = i == 0 ? 0 : (i * 37) % (p->n_k + 9); /* none, part of a leaf, more than all */
        least = seen[i] < least ? seen[i] : least;
        sum[i] = 0.5f;
        a[i] = p->a[i] - 1;
    }
    for (size_t m = 0; m < u->rows * ld; m++)
        part[m] = 0.25f;
    for (size_t m = 0; m < count * u->keys; m++)
        offsets[m] = m % 5 == 2 ? -INFINITY : (float)draw(&seed);
    for (size_t m = 0; m < u->keys; m++) /* empty slots hold zero keys: they may count with any */
        offsets[2 * u->keys + m] = 10 * u->keys + m < p->n_k ? offsets[2 * u->keys + m] : -INFINITY;
    u->attend(u, &(kmv_attend_job){.block = p->block,
                                   .a = a,
                                   .keys = p->keys,
                                   .b = p->b,
                                   .list = list,
                                   .count = count,
                                   .offsets = own_offsets ? offsets : NULL,
                                   .seen = masked ? seen : NULL,
                                   .seen_least = masked ? least : 0,
                                   .values = p->values,
                                   .d = p->d,
                                   .ld = ld,
                                   .parts = p->parts,
                                   .sum = sum,
                                   .part = part});
    for (size_t i = 0; i < p->n_q; i++) {
        double want = 0.5, bound = 0.5 * sums, y[64], y_bound[64];

        for (size_t c = 0; c < p->r; c++)
            y[c] = 0.25, y_bound[c] = 0.25 * sums;
        for (size_t l = 0; l < count; l++) {
            for (size_t m = 0; m < u->keys; m++) {
                const size_t slot = list[l] * u->keys + m;
                const float b = own_offsets ? offsets[l * u->keys + m] : p->b[slot];
                double off, e, entry, rel;

                if (slot >= p->n_k || b == -INFINITY || (masked && slot >= seen[i]))
                    continue;
                e = product(p, i, slot, &off) + (double)a[i] + (double)b;
                off += 0x1p-22 * (fabs((double)a[i]) + fabs((double)b) + 1);
                entry = exp2(e);
                rel = expm1(0.6932 * off) + u->tile->exp_rel_err + entry_round + sums;
                want += entry;
                bound += entry * rel;
                for (size_t c = 0; c < p->r; c++) {
                    const double x = VALUE_FACTOR * (p->x[p->which[slot] * p->r + c] - p->mean[c]);

                    y[c] += entry * x;
                    y_bound[c] += entry * fabs(x) * (rel + 1.01 * value_round) + 1e-30;
                }
            }
        }
        CHECK_CLOSE((double)sum[i], want, bound);
        total[0] += fabs((double)sum[i] - want);
        total[1] += bound;
        for (size_t c = 0; c < ld; c++)
            CHECK_CLOSE((double)part[i * ld + c], c < p->r ? y[c] : 0.25,
                        c < p->r ? y_bound[c] : 0);
    }
    assert_true(total[0] <= 0.5 * total[1]); /* the bounds are worst cases, not the rule */
    release(offsets, count * u->keys * sizeof(float));
    release(sum, sum_bytes);
    release(a, sum_bytes);
    release(part, part_bytes);
}

/* A point packs into the same bits wherever it comes from: by number or by list. */
static void lists(const kmv_tile *t, size_t d)
{
    const kmv_attend_unit u = kmv_attend_unit_of(t, d);
    const size_t ld = kmv_round_up(d, 16), bytes = u.key_size(&u, d, 2);
    size_t which[KMV_ATTEND_KEYS_MAX];
    _Alignas(64) float zero[128] = {0};
    float b[2][KMV_ATTEND_KEYS_MAX], *x;
    void *leaf[2] = {guarded(bytes), guarded(bytes)};
    uint32_t seed = 3;

    x = floats((u.keys + 2) * ld, &seed, 1);
    clear_tail(x, u.keys + 2, ld, d);
    for (size_t j = 0; j < u.keys; j++)
        which[j] = j + 2;
    for (int m = 0; m < 2; m++) {
        const kmv_attend_points p = {.x = x,
                                     .ld = ld,
                                     .d = d,
                                     .first = 2,
                                     .which = m ? which : NULL,
                                     .shift = zero,
                                     .factor = 1,
                                     .square = 1};

        u.pack_keys(&u, &p, u.keys - 1, 2, leaf[m], b[m]);
    }
    assert_memory_equal(leaf[0], leaf[1], bytes);
    assert_memory_equal(b[0], b[1], u.keys * sizeof(float));
    release(leaf[0], bytes);
    release(leaf[1], bytes);
    free(x);
}

static void units(void **state)
{
    static const size_t columns[] = {1, 5, 33};
    const kmv_tile *t;

    (void)state;
    for (size_t n = 0; (t = kmv_tile_at(n)) != NULL; n++) {
        for (size_t m = 0; m < sizeof dimensions / sizeof *dimensions && t->can_run(); m++) {
            const kmv_attend_unit u = kmv_attend_unit_of(t, dimensions[m]);

            lists(t, dimensions[m]);
            for (int parts = 1; parts <= (u.rounds ? 3 : 1); parts++) {
                problem p = make(t, dimensions[m], parts, columns[m % 3]);

                packing(&p);
                exponents(&p);
                for (int variant = 0; variant < 4; variant++)
                    attend(&p, variant & 1, variant >> 1);
                clear(&p);
            }
        }
    }
}

/* The matrix unit is used from d = 24 on, and only by the tile that has one. */
static void choice(void **state)
{
    const kmv_tile *t;

    (void)state;
    for (size_t n = 0; (t = kmv_tile_at(n)) != NULL; n++) {
        for (size_t d = 1; d < 40 && t->can_run(); d++) {
            const kmv_attend_unit u = kmv_attend_unit_of(t, d);

            assert_int_equal(u.rounds, t->split != NULL && d >= 24);
            assert_true(u.rows <= KMV_ATTEND_ROWS_MAX && u.keys <= KMV_ATTEND_KEYS_MAX);
            assert_true(u.keys % 16 == 0 && u.keys % t->lanes % 16 == 0);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(units), cmocka_unit_test(choice)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}

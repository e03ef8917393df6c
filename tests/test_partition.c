/* Sketches by every instruction set against their definition; cells, and cells in order of
 * distance, against enumeration. */
#include "check.h"

#include <gsl/gsl_randist.h>
#include <stdlib.h>
#include <string.h>

#include "algo/partition.h"
#include "base/mem.h"
#include "base/rng.h"

enum { WORDS = 1000 };

static uint64_t *random_words(size_t n)
{
    uint64_t *words = calloc(n, sizeof *words);

    assert_non_null(words);
    for (size_t t = 0; t < n; t++)
        words[t] = kmv_stream_key(5, "words", t);
    return words;
}

static void scan_finds_the_near_words(void **unused)
{
    uint64_t *words = random_words(WORDS);
    const uint64_t query = words[17];
    const size_t sizes[] = {0, 1, 7, 8, 9, 15, 16, 17, 100, WORDS - 1};

    (void)unused;
    for (size_t isa = 0; kmv_sketch_isa_at(isa) != NULL; isa++) {
        const kmv_sketch_isa *s = kmv_sketch_isa_at(isa);

        if (!s->can_run())
            continue;
        for (size_t c = 0; c < sizeof sizes / sizeof *sizes; c++) {
            for (unsigned most = 0; most <= 64; most += 8) {
                uint32_t hits[WORDS];
                /* from word 1 on: not aligned to a vector */
                const size_t found = s->scan(words + 1, sizes[c], query, most, 100, hits);
                size_t want = 0;

                for (size_t t = 0; t < sizes[c]; t++) {
                    if ((unsigned)__builtin_popcountll(words[1 + t] ^ query) > most)
                        continue;
                    assert_true(want < found);
                    assert_int_equal(hits[want++], 100 + t);
                }
                assert_int_equal(found, want);
            }
        }
    }
    free(words);
}

/* Cells of all sizes from 0 on, in any order and beginning anywhere, against scan cell by cell;
 * where a cell's words would not fit it stops before that. */
static void cells_are_scanned_like_words(void **unused)
{
    enum { CELLS = 12, MOST = 26 };
    kmv_error err = {""};
    uint64_t *random = random_words(WORDS), *words;
    uint32_t start[CELLS + 1] = {0}, cell[CELLS], hits[WORDS], want[WORDS];
    kmv_sketch_found found;

    (void)unused;
    words = kmv_alloc(WORDS + KMV_SKETCH_BEYOND, sizeof *words, "words", &err);
    memcpy(words, random, WORDS * sizeof *words);
    for (size_t c = 0; c < CELLS; c++) {
        start[c + 1] = start[c] + (uint32_t)(c * c) % 37;
        cell[c] = (uint32_t)(5 * c % CELLS);
    }
    assert_true(start[CELLS] <= WORDS);
    for (size_t isa = 0; kmv_sketch_isa_at(isa) != NULL; isa++) {
        const kmv_sketch_isa *s = kmv_sketch_isa_at(isa);
        size_t all = 0;

        if (!s->can_run())
            continue;
        for (size_t c = 0; c < CELLS; c++) {
            const uint32_t first = start[cell[c]];

            all += s->scan(words + first, start[cell[c] + 1] - first, words[3], MOST, first,
                           want + all);
        }
        assert_int_equal(
            s->scan_cells(words, start, cell, CELLS, words[3], MOST, hits, WORDS, &found), CELLS);
        assert_int_equal(found.hits, all);
        assert_int_equal(found.words, start[CELLS]);
        assert_true(all > 3);
        assert_memory_equal(hits, want, all * sizeof *hits);
        assert_int_equal(s->scan_cells(words, start, cell, 1, words[3], 64, hits,
                                       start[cell[0] + 1] - start[cell[0]], &found),
                         1);
        assert_int_equal(s->scan_cells(words, start, cell + 1, 1, words[3], 64, hits,
                                       start[cell[1] + 1] - start[cell[1]] - 1, &found),
                         0);
    }
    kmv_free(words);
    free(random);
}

/* Added to what is there; every word is counted, the query itself among them. */
static void distances_are_counted(void **unused)
{
    uint64_t *words = random_words(WORDS);

    (void)unused;
    for (size_t isa = 0; kmv_sketch_isa_at(isa) != NULL; isa++) {
        const kmv_sketch_isa *s = kmv_sketch_isa_at(isa);
        uint64_t number[KMV_SKETCH_BITS + 1] = {7}, want[KMV_SKETCH_BITS + 1] = {7};

        if (!s->can_run())
            continue;
        for (size_t t = 1; t < WORDS; t++) {
            size_t bits = 0;

            for (uint64_t apart = words[t] ^ words[3]; apart != 0; apart &= apart - 1)
                bits++;
            want[bits]++;
        }
        s->count_apart(words + 1, WORDS - 1, words[3], number);
        assert_memory_equal(number, want, sizeof want);
        assert_int_equal(number[0], 8);
    }
    free(words);
}

/* 8 significant bits: 2^-8 relative, known values exactly; the product in sixteen sums of floats.
 */
static void products_of_bfloat16(void **unused)
{
    enum { N = 53 };
    const float values[] = {0, 1, 0.5f, 1.0078125f};
    uint16_t a[N];
    float x[N];
    double want = 0, size = 0;

    (void)unused;
    for (size_t t = 0; t < sizeof values / sizeof *values; t++)
        assert_true(kmv_from_bfloat16(kmv_bfloat16(values[t])) == values[t]);
    CHECK_CLOSE((double)kmv_from_bfloat16(kmv_bfloat16(0.3f)), 0.3, 0.3 / 256);
    for (size_t j = 0; j < N; j++) {
        a[j] = kmv_bfloat16(1 / (float)(j + 1));
        x[j] = j % 3 == 0 ? -1 : (float)j;
        want += (double)kmv_from_bfloat16(a[j]) * (double)x[j];
        size += (double)kmv_from_bfloat16(a[j]) * fabs((double)x[j]);
    }
    for (size_t isa = 0; kmv_sketch_isa_at(isa) != NULL; isa++) {
        const kmv_sketch_isa *i = kmv_sketch_isa_at(isa);
        float sum2[N] = {1};
        uint16_t half[N];

        if (!i->can_run())
            continue;
        /* 4 + 4 additions, a product: 9 roundings of 2^-24 */
        CHECK_CLOSE((double)i->dot_bfloat16(a, x, N), want, 9 * 0x1p-24 * size);
        /* x > 2.5: 4 .. N - 1 but for the multiples of 3, which are -1 */
        assert_int_equal(i->take_entries(x, N, 2.5f, sum2, half), N - 4 - ((N - 1) / 3 - 1));
        for (size_t j = 0; j < N; j++) {
            assert_true(sum2[j] == x[j] * x[j] + (float)(j == 0));
            assert_int_equal(half[j], kmv_bfloat16(x[j]));
        }
        assert_int_equal(i->take_entries(x, 2, 2.5f, sum2, NULL), 0);
    }
}

/* Projections against double sums, bits against comparisons; numbers of rows around the block. */
static void signs_follow_the_thresholds(void **unused)
{
    enum { N = 13, D = 21, LD = 32 };
    _Alignas(64) float across[D * KMV_SKETCH_BITS], e[(N + 1) * KMV_SKETCH_BITS];
    float rows[N * LD], threshold[KMV_SKETCH_BITS];
    gsl_rng *rng = kmv_rng_create(9, NULL);

    (void)unused;
    for (size_t t = 0; t < D * KMV_SKETCH_BITS; t++)
        across[t] = (float)gsl_ran_gaussian(rng, 1);
    for (size_t t = 0; t < N * LD; t++)
        rows[t] = (float)gsl_ran_gaussian(rng, 1);
    for (size_t i = 0; i < KMV_SKETCH_BITS; i++)
        threshold[i] = (float)gsl_ran_gaussian(rng, 0.5);
    for (size_t isa = 0; kmv_sketch_isa_at(isa) != NULL; isa++) {
        const kmv_sketch_isa *s = kmv_sketch_isa_at(isa);

        for (size_t n = 0; n <= N && s->can_run(); n++) {
            e[n * KMV_SKETCH_BITS] = 77;
            s->project(rows, LD, n, across, D, e);
            assert_true(e[n * KMV_SKETCH_BITS] == 77); /* nothing beyond the rows */
            for (size_t i = 0; i < n; i++) {
                const uint64_t word = s->signs(e + i * KMV_SKETCH_BITS, threshold);

                for (size_t b = 0; b < KMV_SKETCH_BITS; b++) {
                    double want = 0, size = 0;

                    for (size_t l = 0; l < D; l++) {
                        const double term =
                            (double)rows[i * LD + l] * (double)across[l * KMV_SKETCH_BITS + b];

                        want += term;
                        size += fabs(term);
                    }
                    /* each of D additions and products rounds once */
                    CHECK_CLOSE((double)e[i * KMV_SKETCH_BITS + b], want, (D + 1) * 0x1p-24 * size);
                    assert_int_equal((word >> b) & 1, e[i * KMV_SKETCH_BITS + b] > threshold[b]);
                }
            }
        }
    }
    gsl_rng_free(rng);
}

static void distances_agree(void **unused)
{
    enum { LD = 80 };
    float a[LD], b[LD], shift[LD], first = NAN;
    gsl_rng *rng = kmv_rng_create(11, NULL);
    double want = 0;

    (void)unused;
    for (size_t l = 0; l < LD; l++) {
        a[l] = (float)gsl_ran_gaussian(rng, 1);
        b[l] = (float)gsl_ran_gaussian(rng, 1);
        shift[l] = (float)gsl_ran_gaussian(rng, 1);
        want += pow((double)a[l] - (double)b[l] + (double)shift[l], 2);
    }
    for (size_t isa = 0; kmv_sketch_isa_at(isa) != NULL; isa++) {
        const kmv_sketch_isa *s = kmv_sketch_isa_at(isa);
        float got;

        if (!s->can_run())
            continue;
        got = s->distance2(a, b, shift, LD);
        /* two roundings in a difference, squared; LD/16 + 4 additions of positive terms */
        CHECK_CLOSE((double)got, want, 16 * 0x1p-24 * want + 8 * 0x1p-24 * LD);
        assert_true(isnan(first) || got == first); /* the same order of additions everywhere */
        first = got;
    }
    gsl_rng_free(rng);
}

static void cells_hold_every_key_once(void **unused)
{
    static const unsigned char bit[] = {3, 60, 31, 7, 12};
    uint64_t *words = random_words(WORDS);
    kmv_error err = {""};

    (void)unused;
    for (size_t bits = 0; bits <= sizeof bit; bits++) {
        kmv_partition p = {0};
        unsigned char seen[WORDS] = {0};

        CHECK_OK(kmv_partition_init(&p, words, WORDS, bit, bits, &err));
        assert_int_equal(p.cells, (size_t)1 << bits);
        assert_int_equal(p.start[0], 0);
        assert_int_equal(p.start[p.cells], WORDS);
        for (uint32_t c = 0; c < p.cells; c++) {
            for (uint32_t s = p.start[c]; s < p.start[c + 1]; s++) {
                assert_true(p.word[s] == words[p.key[s]]);
                assert_int_equal(kmv_partition_cell(&p, p.word[s]), c);
                assert_int_equal(seen[p.key[s]]++, 0);
                assert_true(s == p.start[c] || p.key[s] > p.key[s - 1]);
            }
        }
        kmv_partition_clear(&p);
        kmv_partition_clear(&p);
    }
    free(words);
}

/* Every subset of the planes, by enumeration. */
static void near_cells_are_those_within_the_radius(void **unused)
{
    static const unsigned char bit[] = {0, 1, 2, 3, 4, 5, 6};
    enum { BITS = sizeof bit, CELLS = 1 << BITS, OWN = 37 };
    const float margin2[BITS] = {0.5f, 0.01f, 0.2f, 0.0f, 1.5f, 0.03f, 0.2f};
    const float radii[] = {0, 0.02f, 0.3f, 0.75f, 100};
    uint64_t word = 0;
    kmv_partition p = {0};
    kmv_error err = {""};

    (void)unused;
    CHECK_OK(kmv_partition_init(&p, &word, 1, bit, BITS, &err));
    for (size_t r = 0; r < sizeof radii / sizeof *radii; r++) {
        uint32_t cell[CELLS];
        float cost[CELLS];
        unsigned char seen[CELLS] = {0};
        const size_t count = kmv_partition_near(&p, OWN, margin2, radii[r], CELLS, cell, cost);
        size_t want = 0;

        assert_int_equal(cell[0], OWN);
        for (size_t c = 0; c < count; c++) {
            double sum = 0;

            assert_int_equal(seen[cell[c]]++, 0);
            for (size_t b = 0; b < BITS; b++)
                sum += ((cell[c] ^ OWN) >> b & 1) != 0 ? (double)margin2[b] : 0;
            CHECK_CLOSE((double)cost[c], sum, 8 * 0x1p-24 * sum);
            assert_true(cost[c] <= radii[r]);
        }
        for (uint32_t c = 0; c < CELLS; c++) {
            double sum = 0;

            for (size_t b = 0; b < BITS; b++)
                sum += ((c ^ OWN) >> b & 1) != 0 ? (double)margin2[b] : 0;
            want += sum <= (double)radii[r] * (1 + 1e-6);
        }
        assert_int_equal(count, want);
        assert_int_equal(kmv_partition_near(&p, OWN, margin2, radii[r], 3, cell, cost),
                         want < 3 ? want : 3);
    }
    kmv_partition_clear(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scan_finds_the_near_words),
        cmocka_unit_test(cells_are_scanned_like_words),
        cmocka_unit_test(distances_are_counted),
        cmocka_unit_test(products_of_bfloat16),
        cmocka_unit_test(signs_follow_the_thresholds),
        cmocka_unit_test(distances_agree),
        cmocka_unit_test(cells_hold_every_key_once),
        cmocka_unit_test(near_cells_are_those_within_the_radius),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

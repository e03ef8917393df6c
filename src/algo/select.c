/* algo/select.c - see select.h. */
#include "algo/select.h"

#include <math.h>
#include <string.h>

enum { DIGIT = 8, BINS = 1 << DIGIT, SAMPLE = 512 };

/* Bits of v as a number in the order of v. */
static uint32_t rank_of(float v)
{
    uint32_t bits;

    memcpy(&bits, &v, sizeof bits);
    return bits >> 31 ? ~bits : bits | 0x80000000u;
}

static float at(const float *v, const uint32_t *list, size_t t)
{
    return v[list != NULL ? list[t] : t];
}

/* The k-th largest of n, 1 <= k <= n, as its rank: digit by digit, the highest first. */
static uint32_t kth_rank(const float *v, const uint32_t *list, size_t n, size_t k)
{
    uint32_t prefix = 0, known = 0;

    for (unsigned shift = 32; shift > 0;) {
        uint32_t bins[BINS] = {0}, digit = BINS - 1;

        shift -= DIGIT;
        for (size_t t = 0; t < n; t++) {
            const uint32_t rank = rank_of(at(v, list, t));

            bins[(rank >> shift) & (BINS - 1)] += (rank & known) == prefix ? 1u : 0u;
        }
        while (bins[digit] < k)
            k -= bins[digit--];
        prefix |= digit << shift;
        known |= (uint32_t)(BINS - 1) << shift;
    }
    return prefix;
}

/* Places with a value above a guess, from an even sample, that about k should exceed. 0 when they
 * turn out to be fewer, or when guessing does not pay. */
static size_t filter(const float *v, size_t n, size_t k, uint32_t *list)
{
    const double expected = (double)k * SAMPLE / (double)n;
    const size_t wanted = (size_t)(expected + 4 * sqrt(expected) + 4);
    float sample[SAMPLE];
    uint32_t bound;
    size_t count = 0;

    if (n < 4 * SAMPLE || wanted > SAMPLE / 2)
        return 0;
    for (size_t t = 0; t < SAMPLE; t++)
        sample[t] = v[t * (n / SAMPLE)];
    bound = kth_rank(sample, NULL, SAMPLE, wanted);
    for (size_t t = 0; t < n; t++) {
        list[count] = (uint32_t)t;
        count += rank_of(v[t]) >= bound ? 1 : 0;
    }
    return count >= k ? count : 0;
}

size_t kmv_select_largest(const float *v, size_t n, size_t k, uint32_t *list)
{
    size_t count, above = 0, kept = 0, equal;
    uint32_t bound;

    if (k < n && k > 0)
        count = filter(v, n, k, list);
    else
        count = 0;
    if (count == 0) {
        for (size_t t = 0; t < n; t++)
            list[t] = (uint32_t)t;
        count = n;
    }
    if (k >= n || k == 0)
        return k == 0 ? 0 : n;
    bound = kth_rank(v, list, count, k);
    for (size_t t = 0; t < count; t++)
        above += rank_of(v[list[t]]) > bound ? 1 : 0;
    equal = k - above;
    for (size_t t = 0; t < count; t++) {
        const uint32_t place = list[t], rank = rank_of(v[place]);

        if (rank > bound || (rank == bound && equal > 0)) {
            equal -= rank == bound ? 1 : 0;
            list[kept++] = place;
        }
    }
    return kept;
}

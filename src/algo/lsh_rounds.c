/* algo/lsh_rounds.c - see lsh_rounds.h. */
#include "algo/lsh_rounds.h"

#include <math.h>
#include <omp.h>
#include <string.h>

#include "algo/projections.h"
#include "base/mem.h"
#include "gauss/pack.h"

size_t kmv_lsh_own_key(const kmv_problem *problem, size_t i)
{
    const size_t n_q = problem->q->n, n_k = problem->k->n;

    return problem->causal ? i + n_k - n_q : (size_t)((double)i * (double)n_k / (double)n_q);
}

/* What hashing a round needs besides. */
typedef struct {
    kmv_projections rotation;
    float *shift, *product; /* product: per thread */
    size_t stride;
    uint32_t *q_bucket, *k_bucket;
    uint32_t *start; /* buckets + 1 */
} hashing;

static void hashing_clear(hashing *h)
{
    kmv_projections_clear(&h->rotation);
    kmv_free(h->shift);
    kmv_free(h->product);
    kmv_free(h->q_bucket);
    kmv_free(h->k_bucket);
    kmv_free(h->start);
}

/* Place of the largest of (product, -product), which has the largest magnitude; the first one of
 * several. */
static uint32_t largest_of(const float *product, size_t count)
{
    float top = 0;
    size_t b = 0;

#pragma omp simd reduction(max : top)
    for (size_t i = 0; i < count; i++)
        top = fabsf(product[i]) > top ? fabsf(product[i]) : top;
    while (b + 1 < count && fabsf(product[b]) < top)
        b++;
    return (uint32_t)(product[b] >= 0 ? b : count + b);
}

static void bucket_points(const hashing *h, const kmv_points *points, int threads, uint32_t *bucket,
                          kmv_cost *cost)
{
    const kmv_projections *rotation = &h->rotation;
    const size_t steps = (points->n + KMV_PROJECTED_AT_ONCE - 1) / KMV_PROJECTED_AT_ONCE;
    const double flops = 2.0 * (double)points->n * (double)(points->d * rotation->count);

    kmv_projections_shift(rotation, points, NULL, h->shift);
#pragma omp parallel for num_threads(kmv_threads_for(flops, threads)) schedule(static)
    for (size_t step = 0; step < steps; step++) {
        float *product = h->product + (size_t)omp_get_thread_num() * h->stride;
        const size_t first = step * KMV_PROJECTED_AT_ONCE, left = points->n - first;
        const size_t count = left < KMV_PROJECTED_AT_ONCE ? left : KMV_PROJECTED_AT_ONCE;

        kmv_projections_of(rotation, points, h->shift, first, count, product);
        for (size_t t = 0; t < count; t++)
            bucket[first + t] = largest_of(product + t * rotation->ld, rotation->count);
    }
    cost->flops += flops;
}

/* order: 0 .. n-1 by (bucket, number); start[b] .. start[b + 1] - 1 is bucket b. */
static void sort_points(const uint32_t *bucket, size_t n, size_t buckets, uint32_t *start,
                        uint32_t *order)
{
    memset(start, 0, (buckets + 1) * sizeof *start);
    for (size_t i = 0; i < n; i++)
        start[bucket[i] + 1]++;
    for (size_t b = 0; b < buckets; b++)
        start[b + 1] += start[b];
    for (size_t i = 0; i < n; i++)
        order[start[bucket[i]]++] = (uint32_t)i;
    memmove(start + 1, start, buckets * sizeof *start);
    start[0] = 0;
}

/* How many of the ascending numbers list[0 .. n-1] are <= most. */
static size_t count_up_to(const uint32_t *list, size_t n, size_t most)
{
    size_t lo = 0, hi = n;

    while (lo < hi) {
        const size_t middle = lo + (hi - lo) / 2;

        if (list[middle] <= most)
            lo = middle + 1;
        else
            hi = middle;
    }
    return lo;
}

static void set_ranges(kmv_lsh_rounds *l, const kmv_problem *problem, const hashing *h,
                       size_t round)
{
    const uint32_t *order = l->k_order + round * l->n_k;
    uint32_t *lo = l->lo + round * l->n_q, *hi = l->hi + round * l->n_q;

    for (size_t i = 0; i < l->n_q; i++) {
        const size_t first = h->start[h->q_bucket[i]], end = h->start[h->q_bucket[i] + 1];
        const size_t before = count_up_to(order + first, end - first, kmv_lsh_own_key(problem, i));
        const size_t chunk = (first + (before > 0 ? before - 1 : 0)) / l->chunk;
        const size_t chunks_first = chunk > 0 ? (chunk - 1) * l->chunk : 0;
        const size_t chunks_end = (chunk + 1) * l->chunk;
        const size_t seen_end = problem->causal ? first + before : end;
        const size_t from = first > chunks_first ? first : chunks_first;
        const size_t to = seen_end < chunks_end ? seen_end : chunks_end;

        lo[i] = (uint32_t)from;
        hi[i] = (uint32_t)(to > from ? to : from);
    }
}

static kmv_status reserve(kmv_lsh_rounds *l, hashing *h, int threads, kmv_error *err)
{
    const size_t q = l->rounds * l->n_q, k = l->rounds * l->n_k, half = l->buckets / 2;

    h->stride = KMV_PROJECTED_AT_ONCE * (half + KMV_JOIN_WIDTH);
    h->stride = kmv_round_up(h->stride, 16);
    if ((l->q_order = kmv_alloc(q, sizeof *l->q_order, "order of queries", err)) == NULL ||
        (l->k_order = kmv_alloc(k, sizeof *l->k_order, "order of keys", err)) == NULL ||
        (l->place = kmv_alloc(k, sizeof *l->place, "places of keys", err)) == NULL ||
        (l->lo = kmv_alloc(q, sizeof *l->lo, "ranges of keys", err)) == NULL ||
        (l->hi = kmv_alloc(q, sizeof *l->hi, "ranges of keys", err)) == NULL ||
        (h->shift = kmv_alloc(half + KMV_JOIN_WIDTH, sizeof *h->shift, "shift", err)) == NULL ||
        (h->product =
             kmv_alloc((size_t)threads, h->stride * sizeof *h->product, "products", err)) == NULL ||
        (h->q_bucket = kmv_alloc(l->n_q, sizeof *h->q_bucket, "buckets", err)) == NULL ||
        (h->k_bucket = kmv_alloc(l->n_k, sizeof *h->k_bucket, "buckets", err)) == NULL ||
        (h->start = kmv_alloc(l->buckets + 1, sizeof *h->start, "buckets", err)) == NULL)
        return KMV_ENOMEM;
    return KMV_OK;
}

kmv_status kmv_lsh_rounds_init(kmv_lsh_rounds *out, const kmv_problem *problem,
                               const kmv_tile *tile, size_t rounds, size_t buckets, size_t chunk,
                               gsl_rng *rng, int threads, kmv_cost *cost, kmv_error *err)
{
    kmv_lsh_rounds l = {.rounds = rounds,
                        .buckets = buckets,
                        .chunk = chunk,
                        .n_q = problem->q->n,
                        .n_k = problem->k->n};
    hashing h = {0};
    kmv_status st;

    if ((st = reserve(&l, &h, threads, err)) != KMV_OK)
        goto out;
    for (size_t round = 0; round < rounds; round++) {
        uint32_t *order = l.k_order + round * l.n_k, *place = l.place + round * l.n_k;

        if ((st = kmv_projections_init(&h.rotation, tile, buckets / 2, problem->q->d, rng, err)) !=
            KMV_OK)
            goto out;
        bucket_points(&h, problem->q, threads, h.q_bucket, cost);
        bucket_points(&h, problem->k, threads, h.k_bucket, cost);
        kmv_projections_clear(&h.rotation);
        sort_points(h.q_bucket, l.n_q, buckets, h.start, l.q_order + round * l.n_q);
        sort_points(h.k_bucket, l.n_k, buckets, h.start, order);
        for (size_t s = 0; s < l.n_k; s++)
            place[order[s]] = (uint32_t)s;
        set_ranges(&l, problem, &h, round); /* start is that of the keys now */
    }
    *out = l;
    l = (kmv_lsh_rounds){0};
out:
    hashing_clear(&h);
    kmv_lsh_rounds_clear(&l);
    return st;
}

void kmv_lsh_rounds_clear(kmv_lsh_rounds *l)
{
    kmv_free(l->q_order);
    kmv_free(l->k_order);
    kmv_free(l->place);
    kmv_free(l->lo);
    kmv_free(l->hi);
    *l = (kmv_lsh_rounds){0};
}

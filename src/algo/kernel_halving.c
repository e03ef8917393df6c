/* algo/kernel_halving.c - see kernel_halving.h. */
#include "algo/kernel_halving.h"

#include <math.h>
#include <omp.h>
#include <string.h>

#include "algo/kde_hash.h"
#include "base/mem.h"
#include "base/rng.h"

enum { BLOCK = 32, TOP = 100 }; /* points decided on together; 2^TOP is the largest exponential */

static const double LOG2_E = 1.44269504088896340736;

kmv_compression kmv_compression_of(size_t n, size_t halvings, size_t final)
{
    kmv_compression c = {.parts = 1};

    while (c.halvings < halvings && 4 * c.parts <= n) {
        c.halvings++;
        c.parts *= 4;
    }
    c.leaf = n / c.parts;
    c.covered = c.leaf * c.parts;
    c.kept = c.leaf << c.halvings;
    while (c.final < final && c.kept % 2 == 0) {
        c.final++;
        c.kept /= 2;
    }
    return c;
}

/* The largest set that is halved: four parts at the end, or what the final halvings begin with. */
static size_t largest_set(kmv_compression c)
{
    return c.halvings > 0 ? 2 * (c.leaf << c.halvings) : c.covered;
}

static double decisions(kmv_compression c)
{
    double sum = 0, nodes = (double)c.parts, size = (double)c.leaf;

    for (size_t level = 0; level < c.halvings; level++) {
        nodes /= 4;
        size *= 2;
        sum += nodes * size;
    }
    for (size_t f = 0; f < c.final; f++) {
        size /= 2;
        sum += size;
    }
    return sum;
}

kmv_status kmv_halving_init(kmv_halving *h, const kmv_row_lists *lists, kmv_compression shape,
                            double delta, int threads, kmv_error *err)
{
    const kmv_scaled *k = &lists->k;
    const size_t room = kmv_round_up(largest_set(shape), KMV_ALIGN / sizeof(float));
    kmv_halving out = {.lists = lists, .shape = shape, .delta = delta, .threads = threads};
    double norm2_max = 0;

    for (size_t j = 0; j < k->n; j++) {
        double norm2 = 0;

        for (size_t l = 0; l < k->d; l++)
            norm2 += (double)k->x[j * k->ld + l] * (double)k->x[j * k->ld + l];
        norm2_max = fmax(norm2_max, norm2);
    }
    out.top = (float)(LOG2_E * norm2_max) - TOP;
    if ((out.from = kmv_alloc(shape.covered + 1, sizeof *out.from, "thinned keys", err)) == NULL ||
        (out.to = kmv_alloc(shape.covered + 1, sizeof *out.to, "thinned keys", err)) == NULL ||
        (out.sign = kmv_alloc((size_t)threads, room * sizeof *out.sign, "signs", err)) == NULL ||
        (out.kernel = kmv_alloc((size_t)threads, room * sizeof *out.kernel, "kernel", err)) ==
            NULL ||
        (out.product = kmv_alloc((size_t)threads, room * sizeof *out.product, "kernel", err)) ==
            NULL) {
        kmv_halving_clear(&out);
        return KMV_ENOMEM;
    }
    *h = out;
    return KMV_OK;
}

void kmv_halving_clear(kmv_halving *h)
{
    kmv_free(h->from);
    kmv_free(h->to);
    kmv_free(h->sign);
    kmv_free(h->kernel);
    kmv_free(h->product);
    *h = (kmv_halving){0};
}

/* ---- one set --------------------------------------------------------------------------------- */

/* A set that is being halved. */
typedef struct {
    kmv_halving *h;
    const uint32_t *points;
    size_t n;
    float *sign;          /* of the points before the block at hand */
    double value2;        /* max |v|^2, in the units of the values */
    double log_term;      /* sqrt(2 ln(2/delta)) */
    int inner, thread;    /* threads of the block; the thread that does it when that is 1 */
    double before[BLOCK]; /* sums over the points before the block */
    float within[BLOCK][BLOCK];
} halved;

/* Kernel of point `p` of the block from `first` on, with all points to the block's end. */
static void evaluate(halved *w, size_t first, size_t end, size_t p, int thread)
{
    const kmv_halving *h = w->h;
    const kmv_row_lists *l = h->lists;
    const size_t room = kmv_round_up(largest_set(h->shape), KMV_ALIGN / sizeof(float));
    const uint32_t own = w->points[first + p];
    float *kernel = h->kernel + (size_t)thread * room;
    float *product = h->product + (size_t)thread * room;
    double sum = 0;

    l->kernel->dots(l->k.x + own * l->k.ld, l->k.x, l->k.ld, w->points, end, kernel);
    l->kernel->dots(l->values.x + own * l->values.ld, l->values.x, l->values.ld, w->points, end,
                    product);
    for (size_t j = 0; j < end; j++)
        kernel[j] = kernel[j] * (float)LOG2_E - h->top;
    l->tile->exp2(kernel, end);
    for (size_t j = 0; j < end; j++)
        kernel[j] *= product[j] + (float)w->value2;
    for (size_t j = 0; j < first; j++)
        sum += (double)(w->sign[j] * kernel[j]);
    w->before[p] = sum;
    memcpy(w->within[p], kernel + first, (end - first) * sizeof *kernel);
}

/* alpha of points p and p + 1 of the block. */
static double imbalance(const halved *w, size_t first, size_t p)
{
    double alpha = w->before[p] - w->before[p + 1];

    for (size_t j = 0; j < p; j++)
        alpha +=
            (double)w->sign[first + j] * ((double)w->within[p][j] - (double)w->within[p + 1][j]);
    return alpha;
}

/* Keep one of each pair of n points (even) in `to`; returns kernel entries. */
static double halve(halved *w, uint64_t key, uint32_t *to)
{
    double variance = 0, entries = 0;

    for (size_t first = 0; first < w->n; first += BLOCK) {
        const size_t end = w->n - first < BLOCK ? w->n : first + BLOCK;

#pragma omp parallel for num_threads(w->inner) schedule(dynamic, 1) if (w->inner > 1)
        for (size_t p = 0; p < end - first; p++)
            evaluate(w, first, end, p, w->inner > 1 ? omp_get_thread_num() : w->thread);
        for (size_t p = 0; p < end - first; p += 2) {
            const double b2 = (double)w->within[p][p] + (double)w->within[p + 1][p + 1] -
                              2 * (double)w->within[p][p + 1];
            const double a = fmax(sqrt(fmax(b2, 0) * variance) * w->log_term, b2);
            /* Points that the kernel cannot tell apart are kept with even odds. */
            const double lean = a > 0 ? imbalance(w, first, p) / a : 0;
            const size_t kept = kmv_uniform_at(key, (first + p) / 2) < 0.5 * (1 + lean) ? p : p + 1;

            if (a > 0)
                variance += b2 * fmax(1 + (b2 - 2 * a) * variance / (a * a), 0);
            w->sign[first + p] = kept == p ? -1 : 1;
            w->sign[first + p + 1] = kept == p ? 1 : -1;
            to[(first + p) / 2] = w->points[first + kept];
        }
        entries += (double)(end - first) * (double)end;
    }
    return entries;
}

/* ---- all of them ----------------------------------------------------------------------------- */

/* Halve `nodes` sets of `size` points that follow each other in h->from. */
static double halve_level(kmv_halving *h, size_t nodes, size_t size, double value2, uint64_t key)
{
    const size_t room = kmv_round_up(largest_set(h->shape), KMV_ALIGN / sizeof(float));
    const int outer = nodes >= 2 * (size_t)h->threads ? h->threads : 1;
    const double log_term = sqrt(2 * log(2 * decisions(h->shape) / h->delta));
    uint32_t *swap;
    double entries = 0;

#pragma omp parallel for num_threads(outer) schedule(dynamic, 1) reduction(+ : entries) if (outer > 1)
    for (size_t node = 0; node < nodes; node++) {
        halved w = {.h = h,
                    .points = h->from + node * size,
                    .n = size,
                    .value2 = value2,
                    .log_term = log_term,
                    .inner = outer > 1 ? 1 : h->threads,
                    .thread = omp_get_thread_num()};

        w.sign = h->sign + (size_t)w.thread * room;
        entries += halve(&w, kmv_stream_key(key, "set", node), h->to + node * (size / 2));
    }
    swap = h->from;
    h->from = h->to;
    h->to = swap;
    return entries;
}

double kmv_halving_run(kmv_halving *h, uint64_t key)
{
    const kmv_values *v = &h->lists->values;
    const kmv_compression *c = &h->shape;
    double largest = 0, entries = 0;
    size_t nodes = c->parts, size = c->leaf;

    for (size_t m = 0; m < h->lists->k.n * v->ld; m++)
        largest = fmax(largest, fabs((double)v->x[m]));
    for (size_t j = 0; j < c->covered; j++)
        h->from[j] = (uint32_t)j;
    for (size_t level = 0; level < c->halvings; level++) {
        nodes /= 4;
        entries +=
            halve_level(h, nodes, 4 * size, largest * largest, kmv_stream_key(key, "level", level));
        size *= 2;
    }
    for (size_t f = 0; f < c->final; f++) {
        entries += halve_level(h, 1, size, largest * largest, kmv_stream_key(key, "final", f));
        size /= 2;
    }
    return entries;
}

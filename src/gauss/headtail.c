/* gauss/headtail.c - see headtail.h. */
#include "gauss/headtail.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/status.h"

/* u >= 0, so its bits order as it does; the upper 16 bits are a bin of 1/128 binade. */
enum { BINS = 1 << 16, INFINITE_BIN = 0x7f80 };

static uint32_t bits_of(float u)
{
    uint32_t bits;

    memcpy(&bits, &u, sizeof bits);
    return bits;
}

static double value_of_bits(uint32_t bits)
{
    float u;
    double v;

    memcpy(&u, &bits, sizeof u);
    kmv_entry_values(&u, 1, &v);
    return v;
}

static double u_of_bits(uint32_t bits)
{
    float u;

    memcpy(&u, &bits, sizeof u);
    return (double)u;
}

/* What the passes share. bins: threads x BINS counts; columns: threads x n_k sums. */
typedef struct {
    kmv_head_tail *out;
    uint64_t *bins;
    double *columns;
    double *row_head, *row_tail, *row_square;
    uint32_t *row_next;  /* smallest bits beyond the threshold's bin */
    uint32_t *row_least; /* smallest bits */
    size_t n_k;
    uint32_t bin;     /* where the rank falls */
    double threshold; /* third pass */
    double grid;      /* column sums are rounded to its multiples, see add_to_columns */
} passes;

/* ---- first pass: counts by upper half -------------------------------------------------------- */

static void count_upper(void *context, int thread, size_t i, size_t j, size_t count, const float *u)
{
    const passes *p = context;
    uint64_t *bins = p->bins + (size_t)thread * BINS;

    (void)i;
    (void)j;
    for (size_t t = 0; t < count; t++)
        bins[bits_of(u[t]) >> 16]++;
}

static void merge_bins(uint64_t *bins, int threads)
{
    for (int t = 1; t < threads; t++) {
        for (size_t b = 0; b < BINS; b++)
            bins[b] += bins[(size_t)t * BINS + b];
    }
}

/* First bin at which more than `before` + the counts up to it reach the rank; *before is advanced
 * to the count ahead of that bin. */
static uint32_t find_bin(const uint64_t *bins, size_t rank, uint64_t *before)
{
    uint32_t b = 0;

    while (b < BINS - 1 && *before + bins[b] < rank)
        *before += bins[b++];
    return b;
}

/* ---- second pass: sums, and counts by lower half within the bin ------------------------------ */

/* Adding and subtracting `grid` rounds to multiples of its last place; all partial sums of such
 * multiples are exact, so the order in which threads add does not matter. */
static void add_to_columns(double *columns, const double *v, size_t count, double grid)
{
    for (size_t t = 0; t < count; t++)
        columns[t] += (v[t] + grid) - grid;
}

/* Column sums of n rows with entries <= 2^-u stay below half of 2^power: then they fit under grid.
 */
static double column_grid(size_t n, double u)
{
    const double power = ceil(log2((double)n)) - floor(u) + 1;

    return 1.5 * exp2(power);
}

/* A chunk with entries in the threshold's bin or before it: about one in n_k / KMV_ENTRIES_CHUNK.
 */
static void split_chunk(const passes *p, uint64_t *bins, size_t i, size_t count, const float *u,
                        const double *v)
{
    const uint32_t first = p->bin << 16, beyond = (p->bin + 1) << 16;
    double head = 0, tail = 0;

    for (size_t t = 0; t < count; t++) {
        const uint32_t bits = bits_of(u[t]);

        if (bits >= beyond) {
            p->row_next[i] = bits < p->row_next[i] ? bits : p->row_next[i];
            tail += v[t];
        } else if (bits >= first) {
            bins[bits & 0xffff]++;
        } else {
            head += v[t];
        }
    }
    p->row_head[i] += head;
    p->row_tail[i] += tail;
}

static uint32_t smallest_bits(const float *u, size_t count)
{
    int32_t bits[KMV_ENTRIES_CHUNK], least = INT32_MAX;

    memcpy(bits, u, count * sizeof *bits);
    for (size_t t = 0; t < count; t++)
        least = bits[t] < least ? bits[t] : least;
    return (uint32_t)least;
}

static void sum_entries(void *context, int thread, size_t i, size_t j, size_t count, const float *u)
{
    const passes *p = context;
    const uint32_t least = smallest_bits(u, count);
    double v[KMV_ENTRIES_CHUNK], sum;

    kmv_entry_values(u, count, v);
    sum = kmv_sum(v, count);
    add_to_columns(p->columns + (size_t)thread * p->n_k + j, v, count, p->grid);
    p->out->row_sum[i] += sum;
    p->row_square[i] += kmv_dot(v, v, count);
    p->row_least[i] = least < p->row_least[i] ? least : p->row_least[i];
    if (least < (p->bin + 1) << 16) {
        split_chunk(p, p->bins + (size_t)thread * BINS, i, count, u, v);
    } else {
        p->row_tail[i] += sum;
        p->row_next[i] = least < p->row_next[i] ? least : p->row_next[i];
    }
}

/* The threshold's bin, entry by entry value: those before the rank to the head, the rest to the
 * tail. */
static void split_bin(const passes *p, uint64_t before)
{
    kmv_head_tail *out = p->out;
    const uint64_t rank = out->rank;

    for (uint32_t low = 0; low < BINS; low++) {
        const uint64_t count = p->bins[low], need = before < rank ? rank - before : 0,
                       to_head = count < need ? count : need;
        const uint32_t bits = (p->bin << 16) | low;
        double v;

        if (count == 0)
            continue;
        v = value_of_bits(bits);
        out->head += (double)to_head * v;
        out->tail += (double)(count - to_head) * v;
        if (before < rank && before + count >= rank) {
            out->u_nth = u_of_bits(bits);
            out->nth = v;
        }
        if (before < rank + 1 && before + count >= rank + 1)
            out->u_next = u_of_bits(bits);
        before += count;
    }
}

/* ---- third pass: what each row has above the threshold --------------------------------------- */

static void sum_excess(void *context, int thread, size_t i, size_t j, size_t count, const float *u)
{
    const passes *p = context;
    double v[KMV_ENTRIES_CHUNK], excess = 0;

    (void)thread;
    (void)j;
    kmv_entry_values(u, count, v);
    for (size_t t = 0; t < count; t++)
        excess += v[t] > p->threshold ? v[t] - p->threshold : 0;
    p->out->row_excess[i] += excess;
}

/* ---- all together ---------------------------------------------------------------------------- */

static kmv_status reserve(passes *p, const kmv_entries *e, int with_excess, kmv_error *err)
{
    const size_t n = e->q.n, threads = (size_t)e->threads, size = sizeof(double);
    kmv_head_tail *out = p->out;

    p->n_k = e->k.n;
    if ((p->bins = kmv_alloc(threads * BINS, sizeof *p->bins, "histograms", err)) == NULL ||
        (p->columns = kmv_alloc(threads * p->n_k, size, "column sums", err)) == NULL ||
        (p->row_head = kmv_alloc(n, size, "row heads", err)) == NULL ||
        (p->row_tail = kmv_alloc(n, size, "row tails", err)) == NULL ||
        (p->row_square = kmv_alloc(n, size, "row squares", err)) == NULL ||
        (p->row_next = kmv_alloc(n, sizeof *p->row_next, "row thresholds", err)) == NULL ||
        (p->row_least = kmv_alloc(n, sizeof *p->row_least, "row maxima", err)) == NULL ||
        (out->row_sum = kmv_alloc(n, size, "row sums", err)) == NULL ||
        (out->column_sum = kmv_alloc(p->n_k, size, "column sums", err)) == NULL ||
        (with_excess && (out->row_excess = kmv_alloc(n, size, "row heads", err)) == NULL))
        return KMV_ENOMEM;
    return KMV_OK;
}

static kmv_status check_bins(const passes *p, const kmv_entries *e, kmv_error *err)
{
    for (size_t b = INFINITE_BIN + 1; b < BINS; b++) {
        if (p->bins[b] > 0)
            return kmv_fail(err, KMV_EINVAL,
                            "exponents overflow float: sigma = %g is too small or too large for "
                            "this data",
                            e->problem.sigma);
    }
    return KMV_OK;
}

static void collect(passes *p, const kmv_entries *e, uint64_t before)
{
    kmv_head_tail *out = p->out;
    uint32_t next = UINT32_MAX, least = UINT32_MAX;

    for (size_t i = 0; i < e->q.n; i++) {
        least = p->row_least[i] < least ? p->row_least[i] : least;
        out->sum += out->row_sum[i];
        out->fro2 += p->row_square[i];
        out->head += p->row_head[i];
        out->tail += p->row_tail[i];
        next = p->row_next[i] < next ? p->row_next[i] : next;
    }
    out->u_min = u_of_bits(least);
    out->max = value_of_bits(least);
    for (size_t t = 0; t < (size_t)e->threads; t++) {
        for (size_t j = 0; j < p->n_k; j++)
            out->column_sum[j] += p->columns[t * p->n_k + j];
    }
    merge_bins(p->bins, e->threads);
    split_bin(p, before);
    if (isnan(out->u_next) && next != UINT32_MAX)
        out->u_next = u_of_bits(next); /* the bin ended just at the rank */
}

kmv_status kmv_head_tail_find(kmv_entries *e, size_t rank, int with_excess, kmv_head_tail *out,
                              kmv_error *err)
{
    kmv_head_tail found = {.rank = rank < e->pairs ? rank : e->pairs, .u_nth = NAN, .u_next = NAN};
    passes p = {.out = &found};
    uint64_t before = 0, none = 0;
    kmv_status st = reserve(&p, e, with_excess, err);

    if (st != KMV_OK)
        goto out;
    kmv_entries_stream(e, count_upper, &p);
    merge_bins(p.bins, e->threads);
    if ((st = check_bins(&p, e, err)) != KMV_OK)
        goto out;
    p.bin = find_bin(p.bins, found.rank, &before);
    p.grid = column_grid(e->q.n, u_of_bits(find_bin(p.bins, 1, &none) << 16));
    memset(p.bins, 0, (size_t)e->threads * BINS * sizeof *p.bins);
    for (size_t i = 0; i < e->q.n; i++)
        p.row_next[i] = p.row_least[i] = UINT32_MAX;
    kmv_entries_stream(e, sum_entries, &p);
    collect(&p, e, before);
    if (with_excess) {
        p.threshold = found.nth;
        kmv_entries_stream(e, sum_excess, &p);
    }
    *out = found;
    found = (kmv_head_tail){0};
out:
    kmv_head_tail_clear(&found);
    kmv_free(p.bins);
    kmv_free(p.columns);
    kmv_free(p.row_head);
    kmv_free(p.row_tail);
    kmv_free(p.row_square);
    kmv_free(p.row_next);
    kmv_free(p.row_least);
    return st;
}

void kmv_head_tail_clear(kmv_head_tail *h)
{
    if (h == NULL)
        return;
    kmv_free(h->row_sum);
    kmv_free(h->row_excess);
    kmv_free(h->column_sum);
    *h = (kmv_head_tail){0};
}

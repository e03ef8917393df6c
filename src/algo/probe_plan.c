/* algo/probe_plan.c - see probe_plan.h. */
#include "algo/probe_plan.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum {
    RADII = 26, /* 0, and powers of sqrt 2 around the mean squared margin */
    LIMITS = KMV_SKETCH_BITS + 1,
    ROWS = 32,       /* of the sample, on which cells and hits are counted */
    CELLS_MEAN = 256 /* a grid ends where a search would visit more */
};

/* In nanoseconds where a pair takes 0.1 + d / 200: ratios are what counts, and they move little
 * between machines with the same vectors. */
static const double NS_CELL = 8, NS_WORD = 0.12, NS_HIT = 45, NS_ROW = 250;

static const double REACH = 0.02, WIDER = 8;

/* What one thread counts, by radius: cells, words in them, and these by the bits they differ in. */
typedef struct {
    uint64_t cells[RADII], scanned[RADII], apart[RADII][LIMITS];
    uint32_t cell[KMV_VISIT_CELLS_MAX];
    float cost[KMV_VISIT_CELLS_MAX];
} counter;

/* A heavy pair of one row. */
typedef struct {
    double distance2; /* of its key's cell: equal for keys of one cell */
    double value;
    size_t radius; /* number of the first radius that reaches the cell, RADII where none does */
    unsigned apart;
} near_pair;

/* Sums over cells up to a radius and hits up to a limit, after `accumulate`. */
typedef struct {
    double cells[RADII], scanned[RADII];
    double hits[RADII][LIMITS];
    /* Of what is within the limit and missed at the radius: the squares of the sums by row, since
     * near keys are missed together and x may have one sign there. */
    double missed2[RADII][LIMITS];
    double near2[LIMITS]; /* squares of heavy pairs within a limit, wherever their cell is */
    double radius[RADII];
    double heavy2,
        largest2; /* squares of all heavy pairs; of what a row has in one cell, the most */
    size_t rows, radii;
} grid;

static double pair_ns(size_t d)
{
    return 0.1 + (double)d / 200;
}

/* Which radius reaches a cell at that squared distance; RADII when none does. */
static size_t radius_for(const grid *g, double distance2)
{
    size_t r = 0;

    while (r < RADII && !(distance2 <= g->radius[r]))
        r++;
    return r;
}

static const float *margins(const kmv_probe_sample *s, size_t row)
{
    return s->margin2 + row * KMV_CELL_BITS_MAX;
}

static void set_radii(const kmv_probe_basis *b, const kmv_probe_sample *s, grid *g)
{
    const size_t bits = b->partition->bits;
    double sum = 0;

    for (size_t i = 0; i < s->rows; i++) {
        for (size_t c = 0; c < bits; c++)
            sum += (double)margins(s, i)[c];
    }
    sum /= (double)s->rows * (double)(bits > 0 ? bits : 1);
    for (size_t r = 1; r < RADII; r++)
        g->radius[r] = sum * exp2(-8 + 0.5 * (double)r);
}

static near_pair look_at(const kmv_probe_basis *b, const kmv_probe_sample *s, const grid *g,
                         const kmv_heavy_entry *e)
{
    const uint64_t apart = s->word[e->row] ^ b->word_k[e->key];
    near_pair pair = {.value = (double)e->value, .apart = (unsigned)__builtin_popcountll(apart)};

    for (size_t c = 0; c < b->partition->bits; c++) {
        if ((apart >> b->partition->bit[c]) & 1)
            pair.distance2 += (double)margins(s, e->row)[c];
    }
    pair.radius = radius_for(g, pair.distance2);
    return pair;
}

static int by_cell(const void *pa, const void *pb)
{
    const near_pair *a = pa, *b = pb;

    return (a->distance2 > b->distance2) - (a->distance2 < b->distance2);
}

static int by_apart(const void *pa, const void *pb)
{
    const near_pair *a = pa, *b = pb;

    return a->apart != b->apart ? (a->apart > b->apart) - (a->apart < b->apart)
                                : by_cell(pa, pb); /* sums must not depend on the library's sort */
}

/* The heavy pairs of one row. missed[r]: sum over what radius r misses, up to the limit at hand. */
static void count_near(near_pair *pair, size_t count, grid *g)
{
    double missed[RADII] = {0}, together = 0;

    if (count > 1)
        qsort(pair, count, sizeof *pair, by_cell);
    for (size_t k = 0; k < count; k++) {
        together = k > 0 && pair[k].distance2 == pair[k - 1].distance2 ? together + pair[k].value
                                                                       : pair[k].value;
        g->largest2 = fmax(g->largest2, together * together);
        g->heavy2 += pair[k].value * pair[k].value;
        g->near2[pair[k].apart] += pair[k].value * pair[k].value;
    }
    if (count > 1)
        qsort(pair, count, sizeof *pair, by_apart);
    for (size_t k = 0; k < count; k++) {
        for (size_t r = 0; r < pair[k].radius; r++) {
            g->missed2[r][pair[k].apart] += pair[k].value * (pair[k].value + 2 * missed[r]);
            missed[r] += pair[k].value;
        }
    }
}

static kmv_status count_found(const kmv_probe_basis *b, const kmv_probe_sample *s, grid *g,
                              kmv_error *err)
{
    size_t *start = kmv_alloc(s->rows + 1, sizeof *start, "rows", err);
    near_pair *pair = kmv_alloc_raw(s->count, sizeof *pair, "heavy pairs", err);

    if (start == NULL || pair == NULL) {
        kmv_free(start);
        kmv_free(pair);
        return KMV_ENOMEM;
    }
    for (size_t t = 0; t < s->count; t++)
        start[s->entry[t].row + 1]++;
    for (size_t i = 0; i < s->rows; i++)
        start[i + 1] += start[i];
    for (size_t t = 0; t < s->count; t++)
        pair[start[s->entry[t].row]++] = look_at(b, s, g, &s->entry[t]);
    for (size_t i = 0; i < s->rows; i++) { /* a row's pairs now end at its start */
        const size_t first = i > 0 ? start[i - 1] : 0;

        count_near(pair + first, start[i] - first, g);
    }
    kmv_free(start);
    kmv_free(pair);
    return KMV_OK;
}

static void count_row(const kmv_probe_basis *b, const kmv_probe_sample *s, const grid *g, size_t i,
                      counter *mine)
{
    const uint64_t word = s->word[i];
    const size_t cells = kmv_partition_near(b->partition, kmv_partition_cell(b->partition, word),
                                            margins(s, i), (float)g->radius[g->radii - 1],
                                            KMV_VISIT_CELLS_MAX, mine->cell, mine->cost);

    for (size_t c = 0; c < cells; c++) {
        const uint32_t start = b->partition->start[mine->cell[c]];
        const uint32_t end = b->partition->start[mine->cell[c] + 1];
        const size_t found = radius_for(g, (double)mine->cost[c]);
        /* rounding of the sums may lift a cell over its radius */
        const size_t r = found < g->radii ? found : g->radii - 1;

        mine->cells[r] += 1;
        mine->scanned[r] += end - start;
        kmv_sketch_isa_best()->count_apart(b->partition->word + start, end - start, word,
                                           mine->apart[r]);
    }
}

/* Cells and hits of some rows, out to where they become too many. */
static kmv_status count_work(const kmv_probe_basis *b, const kmv_probe_sample *s, grid *g,
                             kmv_error *err)
{
    const size_t step = s->rows > ROWS ? s->rows / ROWS : 1;
    counter *counters = kmv_alloc((size_t)b->threads, sizeof *counters, "counts of cells", err);
    double total = 0;

    if (counters == NULL)
        return KMV_ENOMEM;
    for (size_t i = 0; i < s->rows; i += step)
        g->rows++;
    for (g->radii = 0; g->radii < RADII && total <= CELLS_MEAN * (double)g->rows; g->radii++) {
        total = 0;
        for (size_t i = 0; i < s->rows; i += step)
            total += (double)kmv_partition_near(b->partition, 0, margins(s, i),
                                                (float)g->radius[g->radii], KMV_VISIT_CELLS_MAX,
                                                counters->cell, counters->cost);
    }
#pragma omp parallel for num_threads(b->threads) schedule(dynamic, 1)
    for (size_t i = 0; i < s->rows; i += step)
        count_row(b, s, g, i, counters + omp_get_thread_num());
    for (size_t t = 0; t < (size_t)b->threads; t++) {
        for (size_t r = 0; r < RADII; r++) {
            g->cells[r] += (double)counters[t].cells[r];
            g->scanned[r] += (double)counters[t].scanned[r];
            for (size_t l = 0; l < LIMITS; l++)
                g->hits[r][l] += (double)counters[t].apart[r][l];
        }
    }
    kmv_free(counters);
    return KMV_OK;
}

static void accumulate(double table[RADII][LIMITS])
{
    for (size_t r = 0; r < RADII; r++) {
        for (size_t t = 1; t < LIMITS; t++)
            table[r][t] += table[r][t - 1];
        for (size_t t = 0; t < LIMITS && r > 0; t++)
            table[r][t] += table[r - 1][t];
    }
}

static kmv_status fill_grid(const kmv_probe_basis *b, const kmv_probe_sample *s, grid *g,
                            kmv_error *err)
{
    kmv_status st;

    set_radii(b, s, g);
    if ((st = count_found(b, s, g, err)) != KMV_OK || (st = count_work(b, s, g, err)) != KMV_OK)
        return st;
    for (size_t r = 1; r < RADII; r++) {
        g->cells[r] += g->cells[r - 1];
        g->scanned[r] += g->scanned[r - 1];
    }
    for (size_t t = 1; t < LIMITS; t++) {
        g->near2[t] += g->near2[t - 1];
        for (size_t r = 0; r < RADII; r++)
            g->missed2[r][t] += g->missed2[r][t - 1];
    }
    accumulate(g->hits);
    return KMV_OK;
}

/* The smallest radius at which what is missed is REACH of the squared error allowed, and from there
 * the one with WIDER times the cells; the last of the grid at most. */
static double wide(const kmv_probe_basis *b, const kmv_probe_sample *s, const grid *g, size_t t)
{
    const double most = REACH * b->eps * b->eps * (double)s->rows;
    size_t r = 0, w;

    while (r + 1 < g->radii && !(g->missed2[r][t] <= most))
        r++;
    for (w = r; w + 1 < g->radii && !(g->cells[w] >= WIDER * g->cells[r]);)
        w++;
    return g->radius[w];
}

static double sample_for(const kmv_probe_basis *b, double light2, double missed2)
{
    const double left = b->eps * b->eps - missed2, n_k = (double)b->n_k;

    if (!(left > 0))
        return n_k;
    return fmin(n_k, 0.25 * (double)b->n_q * light2 / left);
}

static kmv_probe_forecast no_search(const kmv_probe_basis *b)
{
    return (kmv_probe_forecast){.light2 = b->total2, .sample = sample_for(b, b->total2, 0)};
}

static kmv_probe_forecast forecast_at(const kmv_probe_basis *b, const kmv_probe_sample *s,
                                      const grid *g, size_t r, size_t t)
{
    const double counted = (double)g->rows, rows = (double)s->rows;
    const double one = g->largest2 / fmax(rows, b->seen_rows);
    const double missed2 = fmax(0, g->missed2[r][t]) / rows + one;
    kmv_probe_forecast f = {.cells = g->cells[r] / counted,
                            .scanned = g->scanned[r] / counted,
                            .hits = g->hits[r][t] / counted,
                            .light2 = b->light2 + fmax(0, g->heavy2 - g->near2[t]) / rows,
                            .missed2 = missed2,
                            .most_missed2 = missed2 + 2 * sqrt(one * missed2),
                            .searches = 1,
                            .wide = wide(b, s, g, t)};

    f.search = (NS_ROW + NS_CELL * f.cells + NS_WORD * f.scanned + NS_HIT * f.hits) / pair_ns(b->d);
    f.sample = sample_for(b, f.light2, f.missed2);
    return f;
}

kmv_status kmv_probe_choose(const kmv_probe_basis *b, const kmv_probe_sample *s,
                            kmv_visit_rule *rule, kmv_probe_forecast *forecast, kmv_error *err)
{
    grid *g = kmv_alloc(1, sizeof *g, "forecasts", err);
    kmv_probe_forecast best = no_search(b);
    kmv_status st;

    if (g == NULL)
        return KMV_ENOMEM;
    if ((st = fill_grid(b, s, g, err)) != KMV_OK)
        goto out;
    for (size_t r = 0; r < g->radii; r++) {
        for (size_t t = 0; t < LIMITS; t++) {
            const kmv_probe_forecast f = forecast_at(b, s, g, r, t);

            if (f.search + f.sample < best.search + best.sample) {
                best = f;
                rule->radius = (float)g->radius[r];
                rule->bits_apart = (unsigned)t;
            }
        }
    }
    *forecast = best;
out:
    kmv_free(g);
    return st;
}

kmv_status kmv_probe_predict(const kmv_probe_basis *b, const kmv_probe_sample *s,
                             const kmv_visit_rule *rule, kmv_probe_forecast *forecast,
                             kmv_error *err)
{
    grid *g = kmv_alloc(1, sizeof *g, "forecasts", err);
    size_t r = 0;
    kmv_status st;

    if (g == NULL)
        return KMV_ENOMEM;
    if ((st = fill_grid(b, s, g, err)) == KMV_OK) {
        while (r + 1 < g->radii && g->radius[r + 1] <= (double)rule->radius)
            r++;
        *forecast = forecast_at(b, s, g, r, rule->bits_apart);
    }
    kmv_free(g);
    return st;
}

double kmv_probe_beyond(const kmv_probe_basis *b, const kmv_probe_sample *s, unsigned bits_apart)
{
    double sum = 0;

    for (size_t t = 0; t < s->count; t++) {
        const kmv_heavy_entry *e = &s->entry[t];

        if ((unsigned)__builtin_popcountll(s->word[e->row] ^ b->word_k[e->key]) > bits_apart)
            sum += (double)e->value * (double)e->value;
    }
    return sum / (double)s->rows;
}

void kmv_probe_pick_bits(const kmv_probe_basis *b, const kmv_probe_sample *s, size_t count,
                         unsigned char *bit)
{
    double crossed[KMV_SKETCH_BITS] = {0};

    for (size_t t = 0; t < s->count; t++) {
        const kmv_heavy_entry *e = &s->entry[t];
        const double value2 = (double)e->value * (double)e->value;

        for (uint64_t apart = s->word[e->row] ^ b->word_k[e->key]; apart != 0; apart &= apart - 1)
            crossed[__builtin_ctzll(apart)] += value2;
    }
    for (size_t c = 0; c < count; c++) {
        size_t least = 0;

        for (size_t i = 1; i < KMV_SKETCH_BITS; i++) {
            if (crossed[i] < crossed[least])
                least = i;
        }
        bit[c] = (unsigned char)least;
        crossed[least] = INFINITY;
    }
}

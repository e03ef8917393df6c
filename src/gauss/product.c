/* gauss/product.c - see product.h; the error bounds stand in docs/numerics.md. */
#include "gauss/product.h"

#include <math.h>
#include <omp.h>
#include <string.h>

#include "base/mem.h"

/* Keys of a block stay in L2 while all query blocks pass. */
enum {
    BLOCK_BYTES = 1 << 20,
    BLOCK_KEYS = 4096, /* also the most terms a float sum of one row gets, spread over lanes */
    CHUNK_KEYS = 192   /* entries that are kept between exponential and product, per row */
};

static const double LOG2_E = 1.44269504088896340736, ENTRY_RMS = 4e-6;

struct kmv_workspace {
    size_t n_k, ldx; /* packed keys, padded; floats per row of x, 0 for one column */
    float *weights;  /* n_k: scale, and for one column scale x */
    float *x;        /* n_k x ldx */
    float *buffers;  /* per thread */
    size_t buffer_size;
};

kmv_status kmv_workspace_create(const kmv_tile *tile, size_t n_q, size_t n_k, size_t r, int threads,
                                kmv_workspace **w, kmv_error *err)
{
    kmv_workspace *out = kmv_alloc(1, sizeof *out, "workspace", err);

    (void)n_q;
    if (out == NULL)
        return KMV_ENOMEM;
    out->n_k = (n_k / tile->lanes + 1) * tile->lanes;
    out->ldx = r > 1 ? kmv_round_up(r, 16) : 0;
    out->buffer_size = KMV_BLOCKS_MAX * tile->rows * (CHUNK_KEYS + out->ldx);
    out->buffer_size = kmv_round_up(out->buffer_size, 16);
    if ((out->weights = kmv_alloc(out->n_k, sizeof(float), "weights of keys", err)) == NULL ||
        (out->x = kmv_alloc(out->n_k * out->ldx, sizeof(float), "packed x", err)) == NULL ||
        (out->buffers = kmv_alloc((size_t)threads * out->buffer_size, sizeof(float),
                                  "buffers of threads", err)) == NULL) {
        kmv_workspace_destroy(out);
        return KMV_ENOMEM;
    }
    *w = out;
    return KMV_OK;
}

void kmv_workspace_destroy(kmv_workspace *w)
{
    if (w == NULL)
        return;
    kmv_free(w->weights);
    kmv_free(w->x);
    kmv_free(w->buffers);
    kmv_free(w);
}

/* What the loops need to know of one pair of packed operands. */
typedef struct {
    const kmv_packed *q, *k;
    const kmv_tile *tile;
    double scale;
    int gauss, causal;
    size_t shift;                   /* n_k - n_q of the problem */
    size_t blocks, panels;          /* groups of q, of k */
    double reach_once, reach_steps; /* largest sums of reaches for 1 and for KMV_STEPS_MAX steps */
    double reach_split;             /* the same for split operands; negative: there are none */
} work;

/* Largest sum of the reaches of query and key, that is |a_i| + |b_j|, for which the rounding of an
 * exponent leaves an entry's relative error at ENTRY_RMS: the estimate of docs/numerics.md, "An
 * entry", solved for it. */
static double reach_limit(size_t d, size_t steps)
{
    const double chain = 0.243 / (double)steps, unit = 0x1p-24, ln2 = 0.69314718055994531;

    return ENTRY_RMS / (ln2 * unit * sqrt(chain * chain * (double)d + 0.26));
}

/* The same for split operands, whose products are summed in chunks from zero. */
static double split_limit(const kmv_packed *q, const kmv_packed *k)
{
    const double chunks = ceil((double)q->d / KMV_SPLIT_DIMS), unit = 0x1p-24;
    const double ln2 = 0.69314718055994531;
    const double within = (double)q->d / (12 * chunks * chunks) + 1 / chunks;
    const double across = (chunks + 1) * (2 * chunks + 1) / (6 * chunks);

    if (!q->parts_fit || !k->parts_fit)
        return -1;
    return ENTRY_RMS / (ln2 * unit * sqrt(0.176 * (within + across) + 0.26));
}

static work work_of(const kmv_packed *q, const kmv_packed *k, const kmv_problem *problem)
{
    return (work){.q = q,
                  .k = k,
                  .tile = q->tile,
                  .scale = LOG2_E / (problem->sigma * problem->sigma),
                  .gauss = problem->matrix == KMV_GAUSS,
                  .causal = problem->causal,
                  .shift = problem->k->n - problem->q->n,
                  .blocks = q->n / q->width + (q->n % q->width != 0),
                  .panels = k->n / k->width + (k->n % k->width != 0),
                  .reach_once = reach_limit(q->d, 1),
                  .reach_steps = reach_limit(q->d, KMV_STEPS_MAX),
                  .reach_split = split_limit(q, k)};
}

static size_t point_of(const kmv_packed *p, size_t slot)
{
    return p->index != NULL ? p->index[slot] : slot;
}

/* Number of key slots that query slot i sees; they are a prefix, since both ascend. */
static size_t visible(const work *w, size_t i)
{
    const size_t limit = point_of(w->q, i) + w->shift + 1;
    size_t lo = 0, hi = w->k->n;

    if (!w->causal)
        return w->k->n;
    if (w->k->index == NULL)
        return limit < hi ? limit : hi;
    while (lo < hi) {
        const size_t mid = lo + (hi - lo) / 2;

        if (w->k->index[mid] < limit)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

/* How exponents of a block are computed: in so many steps, or 0: by differences. */
static size_t steps_for(const work *w, size_t block, double key_reach)
{
    const double reach = (double)w->q->reach[block] + key_reach;

    if (!w->gauss || reach <= w->reach_once)
        return 1;
    return reach <= w->reach_steps ? KMV_STEPS_MAX : 0;
}

/* Whether the matrix unit is exact enough for a group of blocks. */
static int can_split(const work *w, size_t block, size_t blocks, double key_reach)
{
    for (size_t m = 0; m < blocks && w->gauss; m++) {
        if (!((double)w->q->reach[block + m] + key_reach <= w->reach_split))
            return 0;
    }
    return w->reach_split >= 0;
}

static size_t parts_per_point(size_t d)
{
    return KMV_SPLIT_PARTS * kmv_round_up(d, KMV_SPLIT_DIMS);
}

/* Exponents of one micro-tile, masked ones -inf. seen[i]: key slots that row i sees. */
static void exponents(const work *w, size_t block, size_t panel, size_t steps, const size_t *seen,
                      float *e, size_t lde)
{
    const size_t rows = w->q->width, lanes = w->k->width, d = w->q->d, first = panel * lanes;
    const float *q = w->q->x + block * rows * d, *k = w->k->x + first * d;

    w->tile->exponents(q, w->q->offset + block * rows, k, w->k->offset + first, d,
                       steps > 0 ? steps : KMV_STEPS_MAX, e, lde);
    if (steps == 0) {
        /* Below -126 entries are zero; the margin is more than rounding can be off by. */
        const float counts = -126.0f - 16.0f;
        int any = 0;

        for (size_t i = 0; i < rows; i++) {
            for (size_t j = 0; j < lanes; j++)
                any |= !(e[i * lde + j] < counts);
        }
        if (any) {
            w->tile->exponents_by_difference(q, k, w->scale, d, e, lde);
            for (size_t j = w->k->n < first + lanes ? w->k->n - first : lanes; j < lanes; j++) {
                for (size_t i = 0; i < rows; i++)
                    e[i * lde + j] = -INFINITY;
            }
        }
    }
    for (size_t i = 0; i < rows && w->causal; i++) {
        for (size_t j = seen[i] > first ? seen[i] - first : 0; j < lanes; j++)
            e[i * lde + j] = -INFINITY;
    }
}

/* Keys that every row of the block sees, and that any of them does, from the rows' counts. */
static void visible_range(const work *w, size_t block, size_t *seen, size_t *all, size_t *any)
{
    const size_t rows = w->q->width;

    for (size_t i = 0; i < rows; i++) {
        const size_t slot = block * rows + i;

        seen[i] = visible(w, slot < w->q->n ? slot : w->q->n - 1);
    }
    *all = seen[0];
    *any = seen[rows - 1];
}

/* A float can hold 2^-126 and up: x is divided by the power of two above its largest entry. */
static double unit_of(const double *x, size_t count)
{
    double top = 0;
    int exponent;

    for (size_t i = 0; i < count; i++)
        top = fabs(x[i]) > top ? fabs(x[i]) : top;
    frexp(top, &exponent);
    return ldexp(1.0, exponent);
}

static double load_x(const work *w, const double *x, const double *scale, size_t r,
                     kmv_workspace *space)
{
    const size_t n = w->k->n, padded = w->panels * w->k->width;
    double top = 0, unit;

    for (size_t j = 0; j < n; j++) {
        const double *row = x + point_of(w->k, j) * r;
        const double factor = scale != NULL ? scale[j] : 1;

        for (size_t c = 0; c < r; c++)
            top = fabs(factor * row[c]) > top ? fabs(factor * row[c]) : top;
    }
    unit = unit_of(&top, 1);
    for (size_t j = 0; j < padded; j++) {
        const double *row = j < n ? x + point_of(w->k, j) * r : NULL;
        const double factor = (scale != NULL && j < n ? scale[j] : 1) / unit;

        if (r == 1)
            space->weights[j] = row != NULL ? (float)(factor * row[0]) : 0;
        for (size_t c = 0; c < r && r > 1; c++)
            space->x[j * space->ldx + c] = row != NULL ? (float)(factor * row[c]) : 0;
    }
    return unit;
}

/* Keys of one block and what they are multiplied by. */
typedef struct {
    size_t first, end; /* panels */
    double reach;      /* largest among them */
    size_t r;
    double unit;
    const kmv_workspace *space;
} key_block;

/* One query block += its product with panels from `panel` on, through a buffer of entries: into
 * sums for one column, else into part. */
static void buffered_product(const work *w, const key_block *keys, size_t block, size_t panel,
                             float *p, float *part, double *sums)
{
    const size_t rows = w->q->width, lanes = w->k->width, d = w->q->d, ldx = keys->space->ldx;
    const size_t steps = steps_for(w, block, keys->reach);
    const float *q = w->q->x + block * rows * d, *a = w->q->offset + block * rows;
    size_t seen[KMV_ROWS_MAX], all, any, end = keys->end;

    visible_range(w, block, seen, &all, &any);
    if (end * lanes > any)
        end = any / lanes + (any % lanes != 0);
    while (panel < end) {
        const size_t start = panel;
        size_t count = 0;

        for (; panel < end && count + lanes <= CHUNK_KEYS; panel++, count += lanes) {
            if (steps > 0 && (panel + 1) * lanes <= all) {
                w->tile->entries(q, a, w->k->x + panel * lanes * d, w->k->offset + panel * lanes, d,
                                 steps, p + count, CHUNK_KEYS);
                continue;
            }
            exponents(w, block, panel, steps, seen, p + count, CHUNK_KEYS);
            for (size_t i = 0; i < rows; i++)
                w->tile->exp2(p + i * CHUNK_KEYS + count, lanes);
        }
        if (keys->r == 1)
            w->tile->row_sums(p, CHUNK_KEYS, keys->space->weights + start * lanes, count, sums);
        else
            w->tile->accumulate(p, CHUNK_KEYS, count, keys->space->x + start * lanes * ldx, ldx,
                                part);
    }
}

/* The same by the matrix unit, for a group of blocks and panels that all rows see. */
static void split_product(const work *w, const key_block *keys, size_t block, size_t blocks,
                          size_t panel, size_t end, float *p, float *part, double *sums)
{
    const kmv_split *split = w->tile->split;
    const size_t rows = w->q->width, lanes = w->k->width, d = w->q->d, ldx = keys->space->ldx;
    const size_t per_point = parts_per_point(d);
    const uint16_t *q = w->q->parts + block * rows * per_point, *k = w->k->parts;
    const float *a = w->q->offset + block * rows, *b = w->k->offset;

    if (keys->r == 1) {
        split->apply(q, a, blocks, k + panel * lanes * per_point, b + panel * lanes,
                     keys->space->weights + panel * lanes, d, end - panel, sums);
        return;
    }
    for (size_t take; panel < end; panel += take) {
        take = end - panel < CHUNK_KEYS / lanes ? end - panel : CHUNK_KEYS / lanes;
        split->entries(q, a, blocks, k + panel * lanes * per_point, b + panel * lanes, d, take, p,
                       CHUNK_KEYS);
        for (size_t m = 0; m < blocks; m++)
            w->tile->accumulate(p + m * rows * CHUNK_KEYS, CHUNK_KEYS, take * lanes,
                                keys->space->x + panel * lanes * ldx, ldx, part + m * rows * ldx);
    }
}

/* y of `blocks` query blocks += their products with one block of keys. */
static void group_product(const work *w, const key_block *keys, size_t block, size_t blocks,
                          float *buffer, double *y)
{
    const size_t rows = w->q->width, lanes = w->k->width, d = w->q->d, r = keys->r;
    const size_t ldx = keys->space->ldx;
    float *part = buffer + KMV_BLOCKS_MAX * rows * CHUNK_KEYS;
    double sums[KMV_BLOCKS_MAX * KMV_ROWS_MAX] = {0};
    size_t panel = keys->first, whole = visible(w, block * rows) / lanes;
    size_t steps = 1;
    int fused = r == 1;

    for (size_t m = 0; m < blocks; m++) {
        const size_t needed = steps_for(w, block + m, keys->reach);

        fused = fused && needed > 0;
        steps = needed > steps ? needed : steps;
    }
    memset(part, 0, blocks * rows * ldx * sizeof *part);
    /* The last panel counts as whole where nothing is masked: its empty slots have entries 0. */
    whole = !w->causal || whole > keys->end ? keys->end : whole;
    whole = whole > panel ? whole : panel;
    if (can_split(w, block, blocks, keys->reach)) {
        split_product(w, keys, block, blocks, panel, whole, buffer, part, sums);
        panel = whole;
    } else if (fused) {
        w->tile->apply(w->q->x + block * rows * d, w->q->offset + block * rows, blocks,
                       w->k->x + panel * lanes * d, w->k->offset + panel * lanes,
                       keys->space->weights + panel * lanes, d, steps, whole - panel, sums);
        panel = whole;
    }
    for (size_t m = 0; m < blocks; m++) {
        float *part_m = part + m * rows * ldx;

        buffered_product(w, keys, block + m, panel, buffer, part_m, sums + m * rows);
        for (size_t i = 0; i < rows && (block + m) * rows + i < w->q->n; i++) {
            double *row = y + ((block + m) * rows + i) * r;

            if (r == 1)
                row[0] += keys->unit * sums[m * rows + i];
            for (size_t c = 0; c < r && r > 1; c++)
                row[c] += keys->unit * (double)part_m[i * ldx + c];
        }
    }
}

static double pairs_of(const work *w)
{
    double pairs = 0;

    if (!w->causal)
        return (double)w->q->n * (double)w->k->n;
    for (size_t i = 0; i < w->q->n; i++)
        pairs += (double)visible(w, i);
    return pairs;
}

void kmv_product(const kmv_packed *q, const kmv_packed *k, const kmv_problem *problem,
                 const double *x, const double *scale, size_t r, int threads, kmv_workspace *space,
                 double *y, kmv_cost *cost)
{
    const work w = work_of(q, k, problem);
    const size_t point_bytes =
        k->parts_fit ? parts_per_point(k->d) * sizeof *k->parts : k->d * sizeof *k->x;
    const size_t panel_bytes = k->width * point_bytes;
    size_t step = BLOCK_BYTES / panel_bytes;
    const double pairs = pairs_of(&w), unit = load_x(&w, x, scale, r, space);

    threads = kmv_threads_for(2 * pairs * (double)(q->d + r), threads);
    step = step < 1 ? 1 : step;
    step = step > BLOCK_KEYS / k->width ? BLOCK_KEYS / k->width : step;
    memset(y, 0, q->n * r * sizeof *y);
#pragma omp parallel num_threads(threads)
    {
        float *buffer = space->buffers + (size_t)omp_get_thread_num() * space->buffer_size;

        for (size_t first = 0; first < w.panels; first += step) {
            key_block keys = {.first = first,
                              .end = first + step < w.panels ? first + step : w.panels,
                              .r = r,
                              .unit = unit,
                              .space = space};

            for (size_t p = first; p < keys.end; p++)
                keys.reach = (double)k->reach[p] > keys.reach ? (double)k->reach[p] : keys.reach;
#pragma omp for schedule(dynamic, 1)
            for (size_t b = 0; b < w.blocks; b += KMV_BLOCKS_MAX)
                group_product(&w, &keys, b,
                              w.blocks - b < KMV_BLOCKS_MAX ? w.blocks - b : KMV_BLOCKS_MAX, buffer,
                              y);
        }
    }
    cost->pairs += pairs;
    cost->flops += pairs * 2 * (double)(q->d + r);
}

void kmv_stream_exponents(const kmv_packed *q, const kmv_packed *k, const kmv_problem *problem,
                          int threads, kmv_workspace *space, kmv_exponent_sink *sink, void *context)
{
    const work w = work_of(q, k, problem);
    const size_t rows = q->width, lanes = k->width, step = CHUNK_KEYS / lanes;

#pragma omp parallel for num_threads(threads) schedule(dynamic, 4)
    for (size_t b = 0; b < w.blocks; b++) {
        const int thread = omp_get_thread_num();
        float *e = space->buffers + (size_t)thread * space->buffer_size;
        size_t seen[KMV_ROWS_MAX], all, any;

        visible_range(&w, b, seen, &all, &any);
        for (size_t first = 0; first * lanes < any; first += step) {
            size_t end = first + step;

            for (size_t p = first; p < end && p * lanes < any; p++)
                exponents(&w, b, p, steps_for(&w, b, (double)k->reach[p]), seen,
                          e + (p - first) * lanes, CHUNK_KEYS);
            for (size_t i = 0; i < rows && b * rows + i < q->n; i++) {
                const size_t start = first * lanes, stop = end * lanes;
                const size_t count = (seen[i] < stop ? seen[i] : stop);

                if (count > start)
                    sink(context, thread, b * rows + i, start, count - start, e + i * CHUNK_KEYS);
            }
        }
    }
}

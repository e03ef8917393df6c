/* gauss/softmax.c - see softmax.h.
 *
 * A row's exponents are taken relative to a whole number top, so that rescaling is exact. top need
 * not be the largest exponent, only near it: floats hold 2^127, so a row goes on with the top of
 * its first keys until a chunk's sum passes 2^60, which costs that chunk a second time and is rare.
 */
#include "gauss/softmax.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"

enum {
    CHUNK_KEYS = 192,  /* entries kept between exponential and product, per row */
    FLOAT_KEYS = 4096, /* most terms of a float sum of one row */
    GROUP_MAX = KMV_BLOCKS_MAX * KMV_ROWS_MAX
};

static const double SUM_MAX = 0x1p60;

/* ---- sums ------------------------------------------------------------------------------------ */

kmv_status kmv_softmax_sums_init(kmv_softmax_sums *s, const kmv_tile *tile, size_t capacity,
                                 size_t r, kmv_error *err)
{
    const size_t group = kmv_softmax_group(tile);
    kmv_softmax_sums out = {.capacity = (capacity + group - 1) / group * group, .ld = r};

    out.top = kmv_alloc_raw(out.capacity, sizeof *out.top, "exponents of rows", err);
    if (out.top != NULL)
        out.sum = kmv_alloc_raw(out.capacity, sizeof *out.sum, "denominators", err);
    if (out.sum != NULL)
        out.y = kmv_alloc_raw(out.capacity, r * sizeof *out.y, "numerators", err);
    if (out.y == NULL) {
        kmv_softmax_sums_clear(&out);
        return KMV_ENOMEM;
    }
    *s = out;
    return KMV_OK;
}

void kmv_softmax_sums_clear(kmv_softmax_sums *s)
{
    kmv_free(s->top);
    kmv_free(s->sum);
    kmv_free(s->y);
    *s = (kmv_softmax_sums){0};
}

void kmv_softmax_sums_reset(kmv_softmax_sums *s, size_t first, size_t count)
{
    for (size_t i = first; i < first + count; i++) {
        s->top[i] = -INFINITY;
        s->sum[i] = 0;
    }
    memset(s->y + first * s->ld, 0, count * s->ld * sizeof *s->y);
}

/* Let the row's sums stand for 2^top; exact unless they leave the range of double. */
static void change_top(kmv_softmax_sums *s, size_t row, size_t r, float top)
{
    const double factor = isfinite(s->top[row]) ? exp2((double)s->top[row] - (double)top) : 0;

    if (!(s->top[row] == top)) {
        s->sum[row] *= factor;
        for (size_t c = 0; c < r; c++)
            s->y[row * s->ld + c] *= factor;
        s->top[row] = top;
    }
}

void kmv_softmax_sums_merge(kmv_softmax_sums *s, size_t row, const kmv_softmax_sums *from,
                            size_t from_row, size_t r)
{
    const float other = from->top[from_row];
    double factor;

    if (!isfinite(other))
        return;
    if (!(s->top[row] >= other))
        change_top(s, row, r, other);
    factor = exp2((double)other - (double)s->top[row]);
    s->sum[row] += factor * from->sum[from_row];
    for (size_t c = 0; c < r; c++)
        s->y[row * s->ld + c] += factor * from->y[from_row * from->ld + c];
}

void kmv_softmax_sums_add(kmv_softmax_sums *s, size_t row, float top, float sum, const float *part,
                          size_t r)
{
    double factor, *y = s->y + row * s->ld;

    if (!(s->top[row] >= top))
        change_top(s, row, r, top);
    factor = exp2((double)top - (double)s->top[row]);
    s->sum[row] += factor * (double)sum;
    for (size_t c = 0; c < r; c++)
        y[c] += factor * (double)part[c];
}

void kmv_softmax_sums_row(const kmv_softmax_sums *s, size_t row, size_t r, double unit, double *out)
{
    const double factor = s->sum[row] != 0 ? 1 / s->sum[row] : 0;

    for (size_t c = 0; c < r; c++)
        out[c] = unit * (factor * s->y[row * s->ld + c]); /* unit / sum may leave double */
}

/* ---- space ----------------------------------------------------------------------------------- */

struct kmv_softmax_space {
    size_t stride; /* floats a thread */
    float *buffers, *ones;
};

/* Parts of one thread's buffer. */
typedef struct {
    float *p;      /* group x CHUNK_KEYS entries */
    float *part;   /* group x ld: products not yet added to the sums */
    float *offset; /* CHUNK_KEYS: offsets of keys with their weights */
} scratch;

size_t kmv_softmax_group(const kmv_tile *tile)
{
    return KMV_BLOCKS_MAX * tile->rows;
}

kmv_status kmv_softmax_space_create(const kmv_tile *tile, size_t r, int threads,
                                    kmv_softmax_space **space, kmv_error *err)
{
    const size_t group = kmv_softmax_group(tile), ld = kmv_round_up(r, 16);
    kmv_softmax_space *out = kmv_alloc(1, sizeof *out, "space of softmax sums", err);

    if (out == NULL)
        return KMV_ENOMEM;
    out->stride = kmv_round_up(group * (CHUNK_KEYS + ld) + CHUNK_KEYS, 16);
    if ((out->buffers = kmv_alloc((size_t)threads, out->stride * sizeof(float),
                                  "buffers of threads", err)) == NULL ||
        (out->ones = kmv_alloc(CHUNK_KEYS, sizeof(float), "ones", err)) == NULL) {
        kmv_softmax_space_destroy(out);
        return KMV_ENOMEM;
    }
    for (size_t j = 0; j < CHUNK_KEYS; j++)
        out->ones[j] = 1;
    *space = out;
    return KMV_OK;
}

void kmv_softmax_space_destroy(kmv_softmax_space *space)
{
    if (space == NULL)
        return;
    kmv_free(space->buffers);
    kmv_free(space->ones);
    kmv_free(space);
}

/* ---- masks ----------------------------------------------------------------------------------- */

static size_t point_of(const kmv_packed *p, size_t slot)
{
    return p->index != NULL ? p->index[slot] : slot;
}

/* How many of the first keys query slot `slot` sees, by original number. */
static size_t sees(const kmv_softmax_operands *o, size_t slot)
{
    return kmv_problem_sees(o->problem, point_of(o->q, slot < o->q->n ? slot : o->q->n - 1));
}

/* Whether keys stand in their own order, so that what a row sees is a prefix of slots. */
static int in_order(const kmv_softmax_operands *o)
{
    return o->q->index == NULL && o->k->index == NULL;
}

/* ---- one chunk of keys ----------------------------------------------------------------------- */

typedef struct {
    const kmv_softmax_operands *o;
    size_t block, blocks, rows; /* query blocks; slots in them */
    size_t seen[GROUP_MAX];     /* keys that a row sees */
    size_t seen_least;
    float a[GROUP_MAX]; /* query offsets less top */
    scratch s;
    const kmv_softmax_space *space;
} group_work;

/* Exponents of block m and one panel, without the rows' tops; masked ones -infinity. */
static void exponents(const group_work *w, size_t m, size_t panel, const float *offset, float *e)
{
    const kmv_packed *q = w->o->q, *k = w->o->k;
    const size_t rows = q->width, lanes = k->width, d = q->d, first = panel * lanes;

    q->tile->exponents(q->x + (w->block + m) * rows * d, q->offset + (w->block + m) * rows,
                       k->x + first * d, offset, d, 1, e, CHUNK_KEYS);
    for (size_t i = 0; i < rows && w->o->problem->causal; i++) {
        const size_t seen = w->seen[m * rows + i];

        if (in_order(w->o)) {
            for (size_t j = seen > first ? seen - first : 0; j < lanes; j++)
                e[i * CHUNK_KEYS + j] = -INFINITY;
            continue;
        }
        for (size_t j = 0; j < lanes; j++) {
            if (!(first + j < k->n && point_of(k, first + j) < seen))
                e[i * CHUNK_KEYS + j] = -INFINITY;
        }
    }
}

/* Whether no pair of these panels is masked. */
static int whole(const group_work *w, size_t panel, size_t panels)
{
    return !w->o->problem->causal ||
           (in_order(w->o) && (panel + panels) * w->o->k->width <= w->seen_least);
}

/* Entries relative to the rows' tops. */
static void entries(const group_work *w, size_t panel, size_t panels, const float *offset)
{
    const kmv_packed *q = w->o->q, *k = w->o->k;
    const kmv_split *split = q->tile->split;
    const size_t rows = q->width, lanes = k->width, d = q->d, count = panels * lanes;
    const size_t per_point = KMV_SPLIT_PARTS * kmv_round_up(d, KMV_SPLIT_DIMS);

    if (whole(w, panel, panels) && q->parts_fit && k->parts_fit && w->block % KMV_BLOCKS_MAX == 0) {
        split->entries(q->parts + w->block * rows * per_point, w->a, w->blocks,
                       k->parts + panel * lanes * per_point, offset, d, panels, w->s.p, CHUNK_KEYS);
        return;
    }
    for (size_t m = 0; m < w->blocks; m++) {
        float *p = w->s.p + m * rows * CHUNK_KEYS;

        if (whole(w, panel, panels)) {
            for (size_t v = 0; v < panels; v++)
                q->tile->entries(q->x + (w->block + m) * rows * d, w->a + m * rows,
                                 k->x + (panel + v) * lanes * d, offset + v * lanes, d, 1,
                                 p + v * lanes, CHUNK_KEYS);
            continue;
        }
        for (size_t v = 0; v < panels; v++)
            exponents(w, m, panel + v, offset + v * lanes, p + v * lanes);
        for (size_t i = 0; i < rows; i++) {
            const float shift = w->a[m * rows + i] - q->offset[(w->block + m) * rows + i];

            for (size_t j = 0; j < count; j++)
                p[i * CHUNK_KEYS + j] += shift;
            q->tile->exp2(p + i * CHUNK_KEYS, count);
        }
    }
}

/* Largest exponents of the rows of block m in this chunk, rounded up. Overwrites its entries. */
static void tops(const group_work *w, size_t m, size_t panel, size_t panels, const float *offset,
                 float *top)
{
    const size_t rows = w->o->q->width, lanes = w->o->k->width;
    float *p = w->s.p + m * rows * CHUNK_KEYS;

    for (size_t v = 0; v < panels; v++)
        exponents(w, m, panel + v, offset + v * lanes, p + v * lanes);
    for (size_t i = 0; i < rows; i++) {
        float largest = -INFINITY;

        for (size_t j = 0; j < panels * lanes; j++)
            largest = p[i * CHUNK_KEYS + j] > largest ? p[i * CHUNK_KEYS + j] : largest;
        top[i] = ceilf(largest);
    }
}

static void take_tops(group_work *w, const kmv_softmax_sums *sums, size_t first_row)
{
    const float *offset = w->o->q->offset + w->block * w->o->q->width;

    for (size_t i = 0; i < w->rows; i++) {
        const float top = sums->top[first_row + i];

        w->a[i] = offset[i] - (isfinite(top) ? top : 0);
    }
}

/* Products so far into the sums: their scale is about to change, or their count is full. */
static void flush(group_work *w, kmv_softmax_sums *sums, size_t first_row)
{
    const size_t r = w->o->values->r, ld = w->o->values->ld;

    for (size_t i = 0; i < w->rows; i++) {
        double *y = sums->y + (first_row + i) * sums->ld;
        float *part = w->s.part + i * ld;

        for (size_t c = 0; c < r; c++)
            y[c] += (double)part[c];
        memset(part, 0, ld * sizeof *part);
    }
}

/* Whether some row needs another top for this chunk: one that has none, or whose sum passed all
 * bounds (a NaN from infinities counts). Raises it. */
static int raise_tops(group_work *w, size_t panel, size_t panels, const float *offset,
                      const double *chunk_sum, kmv_softmax_sums *sums, size_t first_row)
{
    const size_t rows = w->o->q->width, r = w->o->values->r;
    int raised = 0;

    for (size_t m = 0; m < w->blocks; m++) {
        float top[KMV_ROWS_MAX];
        int any = 0;

        for (size_t i = m * rows; i < (m + 1) * rows; i++)
            any |= !isfinite(sums->top[first_row + i]) || !(chunk_sum[i] <= SUM_MAX);
        if (!any)
            continue;
        tops(w, m, panel, panels, offset, top);
        if (!raised)
            flush(w, sums, first_row);
        raised = 1; /* at the least, the block's entries were overwritten */
        for (size_t i = 0; i < rows; i++) {
            const size_t row = first_row + m * rows + i;

            if (top[i] > sums->top[row] &&
                (!isfinite(sums->top[row]) || !(chunk_sum[m * rows + i] <= SUM_MAX)))
                change_top(sums, row, r, top[i]);
        }
    }
    return raised;
}

static void attend_chunk(group_work *w, size_t panel, size_t panels, const float *log2_weight,
                         kmv_softmax_sums *sums, size_t first_row)
{
    const kmv_packed *q = w->o->q, *k = w->o->k;
    const kmv_values *values = w->o->values;
    const size_t rows = q->width, count = panels * k->width, first = panel * k->width;
    const float *offset = k->offset + first;
    double chunk_sum[GROUP_MAX];
    int again = 1;

    if (log2_weight != NULL) {
        for (size_t j = 0; j < count; j++)
            w->s.offset[j] = offset[j] + log2_weight[j];
        offset = w->s.offset;
    }
    for (int round = 0; again && round < 2; round++) {
        take_tops(w, sums, first_row);
        entries(w, panel, panels, offset);
        memset(chunk_sum, 0, sizeof chunk_sum);
        for (size_t m = 0; m < w->blocks; m++)
            q->tile->row_sums(w->s.p + m * rows * CHUNK_KEYS, CHUNK_KEYS, w->space->ones, count,
                              chunk_sum + m * rows);
        again = round == 0 && raise_tops(w, panel, panels, offset, chunk_sum, sums, first_row);
    }
    for (size_t m = 0; m < w->blocks; m++)
        q->tile->accumulate(w->s.p + m * rows * CHUNK_KEYS, CHUNK_KEYS, count,
                            values->x + first * values->ld, values->ld,
                            w->s.part + m * rows * values->ld);
    for (size_t i = 0; i < w->rows; i++)
        sums->sum[first_row + i] += chunk_sum[i];
}

/* Pairs of these slots that the mask leaves. */
static double pairs_left(const group_work *w, size_t panel, size_t panels)
{
    const kmv_packed *q = w->o->q, *k = w->o->k;
    const size_t first = panel * k->width, end = first + panels * k->width;
    const size_t last = end < k->n ? end : k->n, first_slot = w->block * q->width;
    const size_t real = q->n - first_slot < w->rows ? q->n - first_slot : w->rows;
    double pairs = 0;

    if (!w->o->problem->causal) {
        for (size_t j = first; j < last; j++)
            pairs += point_of(k, j) != KMV_EMPTY_SLOT ? (double)real : 0;
        return pairs;
    }
    for (size_t i = 0; i < real; i++) {
        const size_t seen = w->seen[i];

        if (in_order(w->o)) {
            pairs += seen <= first ? 0 : (double)((seen < last ? seen : last) - first);
            continue;
        }
        for (size_t j = first; j < last; j++)
            pairs += point_of(k, j) < seen;
    }
    return pairs;
}

/* One group of at most KMV_BLOCKS_MAX blocks. */
static void attend_group(const kmv_softmax_operands *o, size_t block, size_t blocks, size_t panel,
                         size_t panels, const float *log2_weight, kmv_softmax_space *space,
                         int thread, kmv_softmax_sums *sums, size_t first_row, double *pairs)
{
    const size_t lanes = o->k->width, group = kmv_softmax_group(o->q->tile);
    const size_t step = CHUNK_KEYS / lanes;
    float *buffer = space->buffers + (size_t)thread * space->stride;
    group_work w = {.o = o,
                    .block = block,
                    .blocks = blocks,
                    .rows = blocks * o->q->width,
                    .seen_least = SIZE_MAX,
                    .space = space};
    size_t seen_most = 0, since = 0, end = panel + panels;

    w.s = (scratch){buffer, buffer + group * CHUNK_KEYS,
                    buffer + group * (CHUNK_KEYS + o->values->ld)};
    for (size_t i = 0; i < w.rows; i++) {
        w.seen[i] = sees(o, block * o->q->width + i);
        w.seen_least = w.seen[i] < w.seen_least ? w.seen[i] : w.seen_least;
        seen_most = w.seen[i] > seen_most ? w.seen[i] : seen_most;
    }
    if (in_order(o) && end * lanes > seen_most)
        end = (seen_most + lanes - 1) / lanes;
    if (end <= panel)
        return;
    *pairs += pairs_left(&w, panel, end - panel);
    memset(w.s.part, 0, w.rows * o->values->ld * sizeof(float));
    for (size_t p = panel, take; p < end; p += take) {
        const float *weight = log2_weight != NULL ? log2_weight + (p - panel) * lanes : NULL;

        take = end - p < step ? end - p : step;
        attend_chunk(&w, p, take, weight, sums, first_row);
        if ((since += take * lanes) >= FLOAT_KEYS) {
            flush(&w, sums, first_row);
            since = 0;
        }
    }
    flush(&w, sums, first_row);
}

void kmv_softmax_attend(const kmv_softmax_operands *o, size_t block, size_t blocks, size_t panel,
                        size_t panels, const float *log2_weight, kmv_softmax_space *space,
                        int thread, kmv_softmax_sums *sums, size_t first_row, double *pairs)
{
    for (size_t b = 0, take; b < blocks; b += take) {
        take = blocks - b < KMV_BLOCKS_MAX ? blocks - b : KMV_BLOCKS_MAX;
        attend_group(o, block + b, take, panel, panels, log2_weight, space, thread, sums,
                     first_row + b * o->q->width, pairs);
    }
}

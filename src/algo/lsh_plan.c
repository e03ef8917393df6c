/* algo/lsh_plan.c - see lsh_plan.h. */
#include "algo/lsh_plan.h"

#include <gsl/gsl_randist.h>
#include <math.h>
#include <omp.h>
#include <string.h>

#include "base/mem.h"

enum {
    FINE = 4096,        /* steps of the cosine */
    ALL_STRIDE = 16,    /* every how manyth block of keys counts in `all` */
    BINS_PER_LEVEL = 4, /* clips are powers of 2 */
    FIT_ABOVE = 5       /* entries count in c2_fit up to this many powers of 2 above the clip */
};

static const double PI = 3.14159265358979323846;

/* What a pass over the pilot's entries does with those above the floor. */
typedef void visitor(void *context, int thread, size_t chunk, size_t key, size_t row,
                     float exponent, uint8_t angle);

static size_t rows_padded(const kmv_lsh_survey *s)
{
    const size_t width = s->in->kernel->width;

    return (s->rows + width - 1) / width * width;
}

static uint8_t angle_bin(const kmv_lsh_survey *s, float cosine)
{
    const float at = (cosine + 1) * (FINE / 2);

    return s->angle_of[at > 0 ? (at < FINE ? (size_t)at : FINE - 1) : 0];
}

/* 1 / (sqrt 2 s |p - c|^2)^1/2: the product of two of them turns a product into a cosine. */
static float inverse_norm(float offset)
{
    return offset < 0 && isfinite(offset) ? 1 / sqrtf(-2 * offset) : 0;
}

static size_t chunk_begin(size_t n, size_t chunk)
{
    return chunk * n / KMV_LSH_CHUNKS;
}

static size_t exponent_bin(float e)
{
    const float bin = -4 * e;

    return bin > 0 ? (bin < KMV_LSH_EXPONENTS ? (size_t)bin : KMV_LSH_EXPONENTS - 1) : 0;
}

/* All entries of every 16th block of keys: by angle, and by size those below the floor. */
typedef struct {
    uint32_t angle[KMV_LSH_ANGLES], below[KMV_LSH_EXPONENTS];
} thinned;

/* Products of one chunk of keys with all pilot rows, `rows` keys at a time. */
static void pass_chunk(const kmv_lsh_survey *s, size_t chunk, float *products,
                       const float *row_inverse, visitor *visit, void *context, thinned *all)
{
    const kmv_join_kernel *kernel = s->in->kernel;
    const kmv_hash_points *k = &s->in->k;
    const size_t ld = rows_padded(s), end = chunk_begin(k->n, chunk + 1);
    const int thread = omp_get_thread_num();

    for (size_t first = chunk_begin(k->n, chunk); first < end; first += kernel->rows) {
        const size_t count = end - first < kernel->rows ? end - first : kernel->rows;
        const float *row[KMV_JOIN_ROWS];
        uint32_t key[KMV_JOIN_ROWS];

        for (size_t i = 0; i < count; i++)
            key[i] = (uint32_t)(first + i);
        kmv_hash_key_rows(s->in, key, count, kernel->rows, row);
        kernel->dots(row, s->x, ld / kernel->width, k->d, products);
        for (size_t j = 0; j < count; j++) {
            const float *product = products + j * ld, b = k->offset[first + j];
            const float inverse = inverse_norm(b);

            for (size_t i = 0; i < s->rows; i++) {
                const float e = product[i] + (s->offset[i] + b);

                if (e > s->floor)
                    visit(context, thread, chunk, first + j, i, e,
                          angle_bin(s, product[i] * inverse * row_inverse[i]));
            }
            if (all == NULL || (first / kernel->rows) % ALL_STRIDE != 0)
                continue;
            for (size_t i = 0; i < s->rows; i++) {
                const float e = product[i] + (s->offset[i] + b);

                all->angle[angle_bin(s, product[i] * inverse * row_inverse[i])]++;
                if (!(e > s->floor))
                    all->below[exponent_bin(e)]++;
            }
        }
    }
}

/* ---- survey ---------------------------------------------------------------------------------- */

/* Mean of G^2 over exponents spread evenly over a bin, times the rows that stand for each other. */
static double square_of(const kmv_lsh_survey *s, size_t bin)
{
    const double ln4 = 1.38629436111989061883, scale = (double)s->in->q.n / (double)s->rows;

    return scale * 4 / ln4 * (exp2(-0.5 * (double)bin) - exp2(-0.5 * (double)(bin + 1)));
}

typedef struct {
    uint32_t (*count)[KMV_LSH_ANGLES][KMV_LSH_EXPONENTS]; /* per thread */
    uint32_t (*in_chunk)[KMV_LSH_EXPONENTS];
} counting;

static inline void count_entry(void *context, int thread, size_t chunk, size_t key, size_t row,
                               float exponent, uint8_t angle)
{
    counting *c = context;
    const size_t bin = exponent_bin(exponent);

    (void)key;
    (void)row;
    c->count[thread][angle][bin]++;
    c->in_chunk[chunk][bin]++;
}

static kmv_status take_rows(kmv_lsh_survey *s, gsl_rng *rng, kmv_error *err)
{
    const kmv_hash_points *q = &s->in->q;
    const size_t width = s->in->kernel->width, padded = rows_padded(s);
    size_t *all = kmv_alloc(q->n, sizeof *all, "rows", err);

    if (all == NULL || (s->row = kmv_alloc(s->rows, sizeof *s->row, "pilot rows", err)) == NULL ||
        (s->x = kmv_alloc(padded * q->d, sizeof *s->x, "pilot rows", err)) == NULL ||
        (s->offset = kmv_alloc(padded, sizeof *s->offset, "pilot rows", err)) == NULL) {
        kmv_free(all);
        return KMV_ENOMEM;
    }
    for (size_t i = 0; i < q->n; i++)
        all[i] = i;
    gsl_ran_choose(rng, s->row, s->rows, all, q->n, sizeof *all);
    kmv_free(all);
    for (size_t i = 0; i < padded; i++) {
        const size_t row = s->row[i < s->rows ? i : 0];

        s->offset[i] = i < s->rows ? q->offset[row] : -INFINITY;
        for (size_t l = 0; l < q->d; l++)
            s->x[(i / width * q->d + l) * width + i % width] = q->x[row * q->ld + l];
    }
    return KMV_OK;
}

kmv_status kmv_lsh_survey_init(kmv_lsh_survey *out, const kmv_hash_input *in, size_t rows,
                               float floor_, gsl_rng *rng, int threads, kmv_cost *cost,
                               kmv_error *err)
{
    kmv_lsh_survey s = {.in = in, .threads = threads, .floor = floor_};
    thinned *all = NULL;
    float *products = NULL, *inverse = NULL;
    const size_t t_max = (size_t)threads;
    counting c = {0};
    kmv_status st = KMV_ENOMEM;

    s.rows = rows < in->q.n ? rows : in->q.n;
    if (take_rows(&s, rng, err) != KMV_OK ||
        (s.angle_of = kmv_alloc(FINE, 1, "angles", err)) == NULL ||
        (s.count = kmv_alloc(KMV_LSH_ANGLES, sizeof *s.count, "counts", err)) == NULL ||
        (s.in_chunk = kmv_alloc(KMV_LSH_CHUNKS, sizeof *s.in_chunk, "counts", err)) == NULL ||
        (c.count = kmv_alloc(t_max, sizeof *c.count, "counts", err)) == NULL ||
        (all = kmv_alloc(t_max, sizeof *all, "counts", err)) == NULL ||
        (inverse = kmv_alloc(s.rows, sizeof *inverse, "pilot rows", err)) == NULL ||
        (products = kmv_alloc(t_max * KMV_JOIN_ROWS * rows_padded(&s), sizeof *products,
                              "products of the pilot", err)) == NULL)
        goto out;
    for (size_t f = 0; f < FINE; f++)
        s.angle_of[f] = (uint8_t)(acos(((double)f + 0.5) * 2 / FINE - 1) / PI * KMV_LSH_ANGLES);
    for (size_t i = 0; i < s.rows; i++)
        inverse[i] = inverse_norm(s.offset[i]);
    c.in_chunk = s.in_chunk;
#pragma omp parallel for num_threads(threads) schedule(dynamic, 1)
    for (size_t chunk = 0; chunk < KMV_LSH_CHUNKS; chunk++) {
        const size_t thread = (size_t)omp_get_thread_num();

        pass_chunk(&s, chunk, products + thread * KMV_JOIN_ROWS * rows_padded(&s), inverse,
                   count_entry, &c, &all[thread]);
    }
    for (size_t t = 0; t < t_max; t++) {
        for (size_t e = 0; e < KMV_LSH_EXPONENTS - 1; e++)
            s.tail += ALL_STRIDE * (double)all[t].below[e] * square_of(&s, e);
        for (size_t a = 0; a < KMV_LSH_ANGLES; a++) {
            s.all[a] += all[t].angle[a];
            for (size_t e = 0; e < KMV_LSH_EXPONENTS; e++)
                s.count[a][e] += c.count[t][a][e];
        }
    }
    cost->pairs += (double)s.rows * (double)in->k.n;
    cost->flops += (double)s.rows * (double)in->k.n * (2 * (double)in->k.d + 4);
    *out = s;
    s = (kmv_lsh_survey){0};
    st = KMV_OK;
out:
    kmv_lsh_survey_clear(&s);
    kmv_free(c.count);
    kmv_free(all);
    kmv_free(products);
    kmv_free(inverse);
    return st;
}

void kmv_lsh_survey_clear(kmv_lsh_survey *s)
{
    kmv_free(s->row);
    kmv_free(s->x);
    kmv_free(s->offset);
    kmv_free(s->angle_of);
    kmv_free(s->count);
    kmv_free(s->in_chunk);
    *s = (kmv_lsh_survey){0};
}

/* ---- choice ---------------------------------------------------------------------------------- */

enum { LEVELS = KMV_LSH_EXPONENTS / BINS_PER_LEVEL + 1 };

/* Per angle, and level of the clip: squared mass from the clip down, and above it. Level v clips
 * entries above 2^-v; level 0 clips none. */
typedef struct {
    double below[KMV_LSH_ANGLES][LEVELS], above[KMV_LSH_ANGLES][LEVELS];
    size_t counts[LEVELS]; /* entries above */
    double share[KMV_LSH_ANGLES];
    double agree[KMV_LSH_ANGLES][KMV_HASH_POINTS];
} masses;

static double theta_of(size_t angle)
{
    return ((double)angle + 0.5) / KMV_LSH_ANGLES * PI;
}

static void fill_masses(const kmv_lsh_survey *s, masses *m)
{
    double total = 0;

    for (size_t a = 0; a < KMV_LSH_ANGLES; a++)
        total += s->all[a];
    for (size_t a = 0; a < KMV_LSH_ANGLES; a++) {
        m->share[a] = s->all[a] / total;
        kmv_hash_agreement(theta_of(a), m->agree[a]);
        for (size_t v = 0; v < LEVELS; v++) {
            for (size_t e = 0; e < KMV_LSH_EXPONENTS; e++) {
                if (e < v * BINS_PER_LEVEL) {
                    m->above[a][v] += s->count[a][e] * square_of(s, e);
                    m->counts[v] += s->count[a][e];
                } else {
                    m->below[a][v] += s->count[a][e] * square_of(s, e);
                }
            }
        }
    }
}

/* Most of the error that clipping may take: x of one sign needs the rest, for samples. */
static const double BIAS_SHARE = 0.6;

/* Cost, in pairs, of what is not pairs, from profiles on AVX-512 at d = 64: packing a slot of a
 * table, a look into a bucket, telling apart what met in an earlier table, choosing a wild bit. */
static const double COST_PACK = 40, COST_VISIT = 40, COST_EARLIER = 0.04, COST_WILD = 5;

/* The best clip for these tables; returns the cost. h: per angle. */
static double choose_clip(const kmv_lsh_survey *s, const masses *m, const double *h, double clip,
                          double target2, kmv_lsh_choice *c)
{
    const double n_q = (double)s->in->q.n, n_k = (double)s->in->k.n, ratio = n_k / n_q;
    const double tables = (double)c->tables;
    const double visits = tables * (double)((size_t)1 << c->shape.wild);
    /* Half a group of every bucket is empty. */
    const double slots = 0.5 * (double)s->in->kernel->width * exp2((double)c->shape.bits) / n_q;
    double missed[KMV_LSH_ANGLES], mean = 0, best = INFINITY, work;
    const size_t most = s->rows * s->in->k.n / 16 + 1024;

    for (size_t a = 0; a < KMV_LSH_ANGLES; a++) {
        missed[a] = 1;
        for (size_t t = 0; t < c->tables; t++)
            missed[a] *= 1 - h[a];
        mean += m->share[a] * h[a];
    }
    c->pairs = tables * mean * n_k;
    work = c->pairs * (1 + COST_EARLIER * fmax(0, tables - 1) / 2) + visits * COST_VISIT +
           tables * (ratio + slots) * COST_PACK +
           tables * ((double)c->shape.bits * (1 + ratio) + COST_WILD * (double)c->shape.wild);
    for (size_t v = 0; v < LEVELS; v++) {
        double rest = s->tail, bias2 = 0, samples;

        if ((clip < INFINITY && fabs((double)v + clip) > 0.5) || (clip == INFINITY && v != 0) ||
            -(float)v < s->floor || m->counts[v] > most)
            continue;
        for (size_t a = 0; a < KMV_LSH_ANGLES; a++) {
            rest += m->below[a][v] * missed[a];
            bias2 += m->above[a][v] * missed[a] / n_k;
        }
        if (!(bias2 <= BIAS_SHARE * target2))
            continue;
        samples = fmin(n_k, rest / (target2 - bias2 + rest / n_k));
        if (work + samples < best) {
            best = work + samples;
            c->clip = v == 0 ? INFINITY : clip < INFINITY ? clip : -(double)v;
            c->samples = samples;
            c->rest = rest;
            c->bias2 = bias2;
        }
    }
    return best;
}

static void probabilities(const masses *m, kmv_hash_shape shape, double *h)
{
    for (size_t a = 0; a < KMV_LSH_ANGLES; a++)
        h[a] = kmv_hash_probability(theta_of(a), m->agree[a], shape);
}

/* Whether these tables keep within three times the memory of the points: packed keys with half an
 * empty group per bucket, codes, entries, sums, and about 100 bytes of vectors per key. */
static int fits(const kmv_hash_input *in, size_t tables, kmv_hash_shape shape)
{
    const double n_q = (double)in->q.n, n_k = (double)in->k.n, d = (double)in->k.d;
    const double t = (double)tables, looks = exp2((double)shape.wild);
    const double slots = n_k + 0.5 * (double)in->kernel->width * exp2((double)shape.bits);
    const double each = slots * (4 * d + 8 + 2 * (t - 1)) + 4 * n_k + n_q * (8 + 4 * looks);

    return 4 * d * n_q + 100 * n_k + 4 * n_q * looks + t * each <= 3 * 4 * d * (n_q + n_k);
}

/* The shapes that may pay: buckets of 8 keys at least. */
static void try_shapes(const kmv_lsh_survey *s, const masses *m, double target2, double *best,
                       kmv_lsh_choice *out)
{
    enum { TABLES = 4, WILD = 4, BITS_LEAST = 3 };
    double h[KMV_LSH_ANGLES];

    for (size_t bits = BITS_LEAST; bits <= KMV_HASH_BITS_MAX && (s->in->k.n >> bits) >= 8; bits++) {
        for (size_t wild = 0; wild <= WILD && wild < bits; wild++) {
            const kmv_hash_shape shape = {.bits = bits, .wild = wild};

            probabilities(m, shape, h);
            for (size_t tables = 1; tables <= TABLES; tables++) {
                kmv_lsh_choice c = {.tables = tables, .shape = shape};
                const double cost = choose_clip(s, m, h, NAN, target2, &c);

                if (cost < *best && fits(s->in, tables, shape)) {
                    *best = cost;
                    *out = c;
                }
            }
        }
    }
}

kmv_status kmv_lsh_choose(const kmv_lsh_survey *s, const kmv_lsh_choice *fixed, double target2,
                          kmv_lsh_choice *out, kmv_error *err)
{
    masses *m = kmv_alloc(1, sizeof *m, "squared masses of the pilot", err);
    double h[KMV_LSH_ANGLES] = {0}, best;

    if (m == NULL)
        return KMV_ENOMEM;
    fill_masses(s, m);
    if (fixed != NULL) {
        kmv_lsh_choice c = *fixed;

        if (c.tables > 0)
            probabilities(m, c.shape, h);
        if (!(choose_clip(s, m, h, fixed->clip, target2, &c) < INFINITY)) {
            c.clip = fixed->clip; /* cannot be met under that clip */
            c.samples = (double)s->in->k.n;
        }
        *out = c;
        out->cost = NAN; /* nothing was compared */
    } else {
        kmv_lsh_choice c = {0};

        best = choose_clip(s, m, h, NAN, target2, &c);
        try_shapes(s, m, target2, &best, &c);
        *out = c;
        out->cost = best;
    }
    kmv_free(m);
    return KMV_OK;
}

/* ---- rest ------------------------------------------------------------------------------------ */

typedef struct {
    kmv_lsh_rest *rest;
    float clip;
    double even, odd; /* what one row's square counts in c2_fit and c2_check */
    int whole;        /* all rows count in both */
    float missed[KMV_LSH_ANGLES];
    size_t next[KMV_LSH_CHUNKS], end[KMV_LSH_CHUNKS]; /* of each chunk's part of `heavy` */
} leaving;

static inline void leave_entry(void *context, int thread, size_t chunk, size_t key, size_t row,
                               float exponent, uint8_t angle)
{
    leaving *w = context;
    /* x of one sign is clipped at a higher level, which the fit should know about. */
    const double counted = fmin((double)exponent, (double)w->clip + FIT_ABOVE);
    const double square = exp2(2 * counted) * (double)w->missed[angle];

    (void)thread;
    if (row % 2 == 0 || w->whole)
        w->rest->c2_fit[key] += w->even * square;
    if (exponent > w->clip) {
        w->rest->heavy[w->next[chunk]++] = (kmv_lsh_heavy){.key = (uint32_t)key,
                                                           .row = (uint16_t)row,
                                                           .exponent = exponent,
                                                           .missed = w->missed[angle]};
    } else if (row % 2 != 0 || w->whole) {
        w->rest->c2_check[key] += w->odd * square;
    }
}

/* Room of each chunk: the survey's counts down to the bin that holds the clip. */
static size_t place_chunks(const kmv_lsh_survey *s, leaving *w)
{
    size_t total = 0;

    for (size_t chunk = 0; chunk < KMV_LSH_CHUNKS; chunk++) {
        w->next[chunk] = total;
        for (size_t e = 0; w->clip < INFINITY && e <= exponent_bin(w->clip); e++)
            total += s->in_chunk[chunk][e];
        w->end[chunk] = total;
    }
    return total;
}

/* Closes the gaps between chunks. */
static void close_up(kmv_lsh_rest *rest, const leaving *w)
{
    size_t begin = 0;

    for (size_t chunk = 0; chunk < KMV_LSH_CHUNKS; chunk++) {
        const size_t count = w->next[chunk] - begin;

        memmove(rest->heavy + rest->heavies, rest->heavy + begin, count * sizeof *rest->heavy);
        rest->heavies += count;
        begin = w->end[chunk];
    }
}

/* A column's own estimate rests on few rows; keys at about the same distance from the centre have
 * about the same norm. Half of each. */
static void smooth(const kmv_hash_points *k, double *c2)
{
    enum { BINS = 64 };
    double sum[BINS] = {0}, count[BINS] = {0}, least = 0, most = -INFINITY;

    for (size_t j = 0; j < k->n; j++) {
        least = fmin(least, (double)k->offset[j]);
        most = fmax(most, (double)k->offset[j]);
    }
    for (int pass = 0; pass < 2; pass++) {
        for (size_t j = 0; j < k->n; j++) {
            const double at = ((double)k->offset[j] - least) / fmax(most - least, 1e-300);
            const size_t bin = (size_t)fmin(BINS - 1, BINS * at);

            if (pass == 0) {
                sum[bin] += c2[j];
                count[bin]++;
            } else {
                c2[j] = 0.5 * c2[j] + 0.5 * sum[bin] / count[bin];
            }
        }
    }
}

kmv_status kmv_lsh_rest_init(kmv_lsh_rest *out, const kmv_lsh_survey *s,
                             const kmv_lsh_choice *choice, kmv_cost *cost, kmv_error *err)
{
    const size_t n = s->in->k.n, ld = rows_padded(s);
    kmv_lsh_rest rest = {.rows = s->rows, .scale = (double)s->in->q.n / (double)s->rows};
    const int whole = s->rows == s->in->q.n || s->rows < 2;
    leaving w = {.rest = &rest, .clip = (float)choice->clip, .whole = whole};
    float *products = NULL, *inverse = NULL;
    kmv_status st = KMV_ENOMEM;

    for (size_t a = 0; a < KMV_LSH_ANGLES; a++) {
        double agree[KMV_HASH_POINTS], miss = 1;

        kmv_hash_agreement(theta_of(a), agree);
        for (size_t t = 0; t < choice->tables; t++)
            miss *= 1 - kmv_hash_probability(theta_of(a), agree, choice->shape);
        w.missed[a] = (float)miss;
    }
    w.even = (double)s->in->q.n / (double)((s->rows + 1) / 2);
    w.odd = (double)s->in->q.n / (double)(s->rows > 1 ? s->rows / 2 : 1);
    if (whole)
        w.even = w.odd = rest.scale;
    if ((rest.c2_fit = kmv_alloc(n, sizeof(double), "column norms", err)) == NULL ||
        (rest.c2_check = kmv_alloc(n, sizeof(double), "column norms", err)) == NULL ||
        (rest.heavy = kmv_alloc(place_chunks(s, &w), sizeof *rest.heavy, "large entries", err)) ==
            NULL ||
        (inverse = kmv_alloc(s->rows, sizeof *inverse, "pilot rows", err)) == NULL ||
        (products = kmv_alloc((size_t)s->threads * KMV_JOIN_ROWS * ld, sizeof *products,
                              "products of the pilot", err)) == NULL)
        goto out;
    for (size_t i = 0; i < s->rows; i++)
        inverse[i] = inverse_norm(s->offset[i]);
#pragma omp parallel for num_threads(s->threads) schedule(dynamic, 1)
    for (size_t chunk = 0; chunk < KMV_LSH_CHUNKS; chunk++)
        pass_chunk(s, chunk, products + (size_t)omp_get_thread_num() * KMV_JOIN_ROWS * ld, inverse,
                   leave_entry, &w, NULL);
    close_up(&rest, &w);
    for (size_t j = 0; j < n; j++)
        rest.c2_check[j] += s->tail / (double)n;
    if (!whole)
        smooth(&s->in->k, rest.c2_fit);
    cost->pairs += (double)s->rows * (double)n;
    cost->flops += (double)s->rows * (double)n * (2 * (double)s->in->k.d + 4);
    *out = rest;
    rest = (kmv_lsh_rest){0};
    st = KMV_OK;
out:
    kmv_lsh_rest_clear(&rest);
    kmv_free(products);
    kmv_free(inverse);
    return st;
}

/* The codes of a key in all tables, as one number; keys of different codes may share it, seldom. */
static uint32_t mixed_codes(const kmv_hash_tables *tables, size_t key)
{
    uint32_t mixed = 0;

    for (size_t t = 0; t < tables->tables; t++)
        mixed = mixed * 2654435761u + tables->k_code[t * tables->in->k.n + key];
    return mixed;
}

/* Few enough bins for a sort of a few thousand entries, many enough that those of one row seldom
 * share one. */
enum { GROUP_BITS = 12, GROUP_BINS = 1 << GROUP_BITS };

static size_t group_bin(const kmv_hash_tables *tables, size_t key)
{
    return (mixed_codes(tables, key) * 2654435761u) >> (32 - GROUP_BITS);
}

kmv_status kmv_lsh_rest_group(kmv_lsh_rest *rest, const kmv_hash_tables *tables, kmv_error *err)
{
    const size_t n = rest->heavies;
    kmv_lsh_heavy *by_code = NULL;
    uint32_t *next = NULL;
    kmv_status st = KMV_ENOMEM;

    if (n == 0)
        return KMV_OK;
    if ((by_code = kmv_alloc(n, sizeof *by_code, "large entries", err)) == NULL ||
        (next = kmv_alloc(GROUP_BINS + rest->rows + 2, sizeof *next, "counts", err)) == NULL)
        goto out;
    /* Two counting sorts, the second one stable. */
    for (size_t h = 0; h < n; h++)
        next[group_bin(tables, rest->heavy[h].key) + 1]++;
    for (size_t c = 1; c < GROUP_BINS; c++)
        next[c] += next[c - 1];
    for (size_t h = 0; h < n; h++)
        by_code[next[group_bin(tables, rest->heavy[h].key)]++] = rest->heavy[h];
    memset(next, 0, (rest->rows + 1) * sizeof *next);
    for (size_t h = 0; h < n; h++)
        next[by_code[h].row + 1]++;
    for (size_t i = 1; i < rest->rows; i++)
        next[i] += next[i - 1];
    for (size_t h = 0; h < n; h++)
        rest->heavy[next[by_code[h].row]++] = by_code[h];
    for (size_t h = 0; h < n; h++) {
        kmv_lsh_heavy *entry = &rest->heavy[h];

        entry->leader = h == 0 || entry->row != entry[-1].row ||
                        mixed_codes(tables, entry->key) != mixed_codes(tables, entry[-1].key);
    }
    st = KMV_OK;
out:
    kmv_free(by_code);
    kmv_free(next);
    return st;
}

void kmv_lsh_rest_clear(kmv_lsh_rest *rest)
{
    kmv_free(rest->c2_fit);
    kmv_free(rest->c2_check);
    kmv_free(rest->heavy);
    *rest = (kmv_lsh_rest){0};
}

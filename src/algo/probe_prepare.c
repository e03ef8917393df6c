/* algo/probe_prepare.c - preparation of `probe`: sketches and pilot in one pass over the keys, the
 * choice of the search, the search itself. */
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "algo/probe.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/status.h"

enum {
    CENTRE_SAMPLE = 1024,
    KEYS = 960, /* packed at a time by one thread: they stay in L2 */
    NORM_BINS = 64,
    BINS = 0x8000,    /* of positive floats by their upper half */
    WIDE_ROWS = 1024, /* searched further than planned, to see what is missed */
    WIDER_BITS = 8
};

/* Beyond it packed floats overflow or lose all digits. */
static const double NORM2_MOST = 1e30;

/* Room of one thread in the pass over the keys. */
typedef struct {
    kmv_packed keys;
    float *e;
    kmv_workspace *space;
    kmv_heavy_list heavy;
    double norm2_max;
    kmv_cost cost;
    kmv_status status;
    kmv_error err;
} pass_room;

static kmv_problem strided(const kmv_problem *problem, kmv_points *q, kmv_points *k)
{
    kmv_problem out = *problem;
    kmv_points *sets[2] = {q, k};

    *q = *problem->q;
    *k = *problem->k;
    for (size_t s = 0; s < 2; s++) {
        const size_t step = sets[s]->n > CENTRE_SAMPLE ? sets[s]->n / CENTRE_SAMPLE : 1;

        sets[s]->n /= step;
        sets[s]->ld *= step;
    }
    out.q = q;
    out.k = k;
    return out;
}

static kmv_status room_init(pass_room *room, const kmv_probe *p, size_t threads, kmv_error *err)
{
    for (size_t t = 0; t < threads; t++) {
        kmv_status st;

        if ((st = kmv_packed_init(&room[t].keys, p->tile, KMV_KEYS, KEYS, p->problem.k->d, 0,
                                  err)) != KMV_OK ||
            (st = kmv_workspace_create(p->tile, p->pilot_rows, KEYS, 1, 1, &room[t].space, err)) !=
                KMV_OK)
            return st;
        if ((room[t].e = kmv_alloc(KMV_SKETCH_AT_ONCE * KMV_SKETCH_BITS, sizeof(float),
                                   "projections", err)) == NULL)
            return KMV_ENOMEM;
    }
    return KMV_OK;
}

static void room_clear(pass_room *room, size_t threads)
{
    for (size_t t = 0; t < threads && room != NULL; t++) {
        kmv_packed_clear(&room[t].keys);
        kmv_workspace_destroy(room[t].space);
        kmv_free(room[t].heavy.entry);
        kmv_free(room[t].e);
    }
    kmv_free(room);
}

/* One chunk of keys: packed once for the sketches and for the pilot; norms for the estimate of
 * column norms. */
static void pass_chunk(kmv_probe *p, kmv_probe_pilot *pilot, pass_room *room, size_t first,
                       size_t n, float *norm2)
{
    kmv_points some = *p->problem.k;
    kmv_problem part = p->problem;
    const double scale = -2 / 1.44269504088896340736;

    some.x += first * some.ld;
    some.n = n;
    some.owned = 0;
    part.k = &some;
    kmv_pack(&room->keys, &part, p->centre, NULL, n, 1, &room->cost);
    room->norm2_max = fmax(room->norm2_max, room->keys.norm2_max);
    kmv_sketch_keys(&p->sketcher, some.x, some.ld, n, room->e, p->word_k + first);
    for (size_t j = 0; j < n; j++)
        norm2[first + j] = (float)(scale * (double)room->keys.offset[j]);
    if (room->status == KMV_OK)
        room->status = kmv_probe_pilot_chunk(pilot, &part, &room->keys, first, p->problem.k->n,
                                             p->rule.tau, room->space, &room->heavy, &room->err);
}

static uint32_t bits_of(float value)
{
    uint32_t bits;

    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* Heavy entries are kept: at most d a row, as many bytes as the points take, unless the bound was
 * given. Counts by the upper half of a float say where that is; sorting them would take longer than
 * the pilot itself where nearly all are heavy. */
static kmv_status limit_heavy(kmv_probe *p, kmv_heavy_list *lists, size_t threads, kmv_error *err)
{
    const size_t most = p->pilot_rows * p->problem.k->d;
    uint32_t *number;
    size_t total = 0, above = 0, bin = BINS;

    for (size_t l = 0; l < threads; l++)
        total += lists[l].count;
    if (total <= most || p->options->heavy > 0)
        return KMV_OK;
    if ((number = kmv_alloc(BINS, sizeof *number, "heavy entries by size", err)) == NULL)
        return KMV_ENOMEM;
    for (size_t l = 0; l < threads; l++) {
        for (size_t t = 0; t < lists[l].count; t++)
            number[bits_of(lists[l].entry[t].value) >> 16]++;
    }
    while (above + number[bin - 1] <= most)
        above += number[--bin];
    kmv_free(number);
    p->rule.tau = kmv_from_bfloat16((uint16_t)bin); /* the lower end of the last bin taken */
    for (size_t l = 0; l < threads; l++) {
        size_t kept = 0;

        for (size_t t = 0; t < lists[l].count; t++) {
            if (lists[l].entry[t].value > p->rule.tau)
                lists[l].entry[kept++] = lists[l].entry[t];
        }
        lists[l].count = kept;
    }
    return KMV_OK;
}

static kmv_status pass_over_keys(kmv_probe *p, kmv_probe_pilot *pilot, float *norm2, kmv_cost *cost,
                                 kmv_error *err)
{
    const size_t n_k = p->problem.k->n, threads = (size_t)p->threads, d = p->problem.k->d;
    pass_room *room = kmv_alloc(threads, sizeof *room, "rooms of threads", err);
    kmv_heavy_list *lists = kmv_alloc(threads, sizeof *lists, "lists of threads", err);
    double norm2_max = 0;
    kmv_status st = KMV_ENOMEM;

    if (room == NULL || lists == NULL || (st = room_init(room, p, threads, err)) != KMV_OK)
        goto out;
#pragma omp parallel for num_threads(p->threads) schedule(static)
    for (size_t first = 0; first < n_k; first += KEYS)
        pass_chunk(p, pilot, &room[omp_get_thread_num()], first,
                   n_k - first < KEYS ? n_k - first : KEYS, norm2);
    for (size_t t = 0; t < threads; t++) {
        if (room[t].status != KMV_OK) {
            st = kmv_fail(err, room[t].status, "%s", room[t].err.text);
            goto out;
        }
        lists[t] = room[t].heavy;
        norm2_max = fmax(norm2_max, room[t].norm2_max);
        cost->flops += room[t].cost.flops;
    }
    norm2_max = fmax(norm2_max, pilot->queries.norm2_max);
    if (!(norm2_max <= NORM2_MOST)) {
        st = kmv_fail(err, KMV_ENOTSUP,
                      "sigma = %g is too small for these points: |p|^2 / sigma^2 reaches %g, want "
                      "<= %g",
                      p->problem.sigma, norm2_max, NORM2_MOST);
        goto out;
    }
    cost->pairs += (double)pilot->n * (double)n_k;
    cost->flops += (double)n_k * 2 * (double)d * ((double)pilot->n + KMV_SKETCH_BITS);
    if ((st = limit_heavy(p, lists, threads, err)) != KMV_OK)
        goto out;
    st = kmv_probe_pilot_finish(pilot, lists, threads, n_k, err);
out:
    room_clear(room, threads);
    kmv_free(lists);
    return st;
}

int kmv_probe_caught(const kmv_probe *p, size_t i, uint32_t key)
{
    const unsigned apart = (unsigned)__builtin_popcountll(p->word_q[i] ^ p->word_k[key]);

    return (p->options->clip && apart <= p->rule.bits_apart) || kmv_probe_retrieved(p, i, key);
}

/* Column norms of one row are mostly noise, so they are smoothed over keys of about the same norm,
 * and each key's own estimate counts by as much as the two halves of the pilot agree on it: with u
 * and v its differences from the smooth value in either half, w = sum u v / sum (u^2 + v^2)/2. */
static void estimate_columns(kmv_probe *p, kmv_probe_pilot *pilot, const float *norm2)
{
    const size_t n = p->problem.k->n;
    const double factor = (double)p->problem.q->n / (double)pilot->n;
    const int halves = pilot->n > 1;
    const double rows[2] = {(double)((pilot->n + 1) / 2), (double)(pilot->n / 2)};
    double lo = INFINITY, hi = 0, sum[NORM_BINS] = {0}, count[NORM_BINS] = {0};
    double both = 0, each = 0, own;

    for (size_t t = 0; t < pilot->heavy.count; t++) { /* what remains is light */
        const kmv_heavy_entry *e = &pilot->heavy.entry[t];
        float *c2 = &pilot->c2[e->row % 2][e->key];

        if (p->heavy == NULL || !kmv_probe_caught(p, pilot->row[e->row], e->key))
            continue;
        *c2 = fmaxf(0, *c2 - e->value * e->value);
    }
    for (size_t j = 0; j < n; j++) {
        lo = fmin(lo, (double)norm2[j]);
        hi = fmax(hi, (double)norm2[j]);
    }
#define BIN(j)                                                                                     \
    (hi > lo ? (size_t)((NORM_BINS - 1e-6) * ((double)norm2[j] - lo) / (hi - lo)) : (size_t)0)
    for (size_t j = 0; j < n; j++) {
        sum[BIN(j)] += (double)(pilot->c2[0][j] + pilot->c2[1][j]);
        count[BIN(j)] += 1;
    }
    for (size_t j = 0; j < n && halves; j++) {
        const double smooth = sum[BIN(j)] / count[BIN(j)] / (double)pilot->n;
        const double u = (double)pilot->c2[0][j] / rows[0] - smooth;
        const double v = (double)pilot->c2[1][j] / rows[1] - smooth;

        both += u * v;
        each += (u * u + v * v) / 2;
    }
    own = each > 0 ? fmax(0, both / each) : 0;
    own = 2 * own / (1 + own); /* reliability of the whole from that of its halves */
    for (size_t j = 0; j < n; j++) {
        const double mine = (double)(pilot->c2[0][j] + pilot->c2[1][j]);

        p->c2[j] = (float)(factor * (own * mine + (1 - own) * sum[BIN(j)] / count[BIN(j)]));
    }
#undef BIN
}

typedef struct {
    kmv_visit_space *space;
    kmv_visit_counts counts;
    kmv_status status;
    kmv_error err;
} search_room;

/* All rows of the problem that v names, a chunk at a time: their sketches and margins, their order,
 * then the cells. */
static kmv_status search(const kmv_visit *v, int threads, uint64_t *word, float *margin2,
                         uint32_t *order, kmv_heavy_chunk *chunks, kmv_visit_counts *counts,
                         kmv_cost *cost, kmv_error *err)
{
    const size_t n_q = v->problem->q->n, d = v->problem->k->d;
    search_room *room = kmv_alloc((size_t)threads, sizeof *room, "rooms of threads", err);
    kmv_visit_counts sum = {0};
    kmv_status st = KMV_OK;

    if (room == NULL)
        return KMV_ENOMEM;
    for (size_t t = 0; t < (size_t)threads; t++) {
        if ((st = kmv_visit_space_create(v, &room[t].space, err)) != KMV_OK)
            goto out;
    }
#pragma omp parallel for num_threads(threads) schedule(static)
    for (size_t first = 0; first < n_q; first += KMV_VISIT_QUERIES)
        kmv_visit_sketch(v, first,
                         n_q - first < KMV_VISIT_QUERIES ? n_q - first : KMV_VISIT_QUERIES,
                         room[omp_get_thread_num()].space, word, margin2);
    if ((st = kmv_visit_order(v, word, order, err)) != KMV_OK)
        goto out;
#pragma omp parallel for num_threads(threads) schedule(dynamic, 1)
    for (size_t first = 0; first < n_q; first += KMV_VISIT_QUERIES) {
        search_room *mine = &room[omp_get_thread_num()];
        const size_t left = n_q - first;

        if (mine->status == KMV_OK)
            mine->status = kmv_visit_rows(
                v, order + first, left < KMV_VISIT_QUERIES ? left : KMV_VISIT_QUERIES, mine->space,
                word, margin2, &chunks[first / KMV_VISIT_QUERIES], &mine->counts, &mine->err);
    }
    for (size_t t = 0; t < (size_t)threads; t++) {
        if (room[t].status != KMV_OK) {
            st = kmv_fail(err, room[t].status, "%s", room[t].err.text);
            goto out;
        }
        sum.cells += room[t].counts.cells;
        sum.scanned += room[t].counts.scanned;
        sum.evaluated += room[t].counts.evaluated;
        sum.kept += room[t].counts.kept;
    }
    cost->pairs += sum.evaluated;
    /* A comparison of sketches counts as 2, like a multiply-add of one word. */
    cost->flops += sum.evaluated * 3 * (double)d + sum.scanned * 2 +
                   (double)n_q * KMV_SKETCH_BITS * 2 * (double)d;
    *counts = sum;
out:
    for (size_t t = 0; t < (size_t)threads; t++)
        kmv_visit_space_destroy(room[t].space);
    kmv_free(room);
    return st;
}

static size_t chunks_of(size_t rows)
{
    return (rows + KMV_VISIT_QUERIES - 1) / KMV_VISIT_QUERIES;
}

static void free_chunks(kmv_heavy_chunk *chunk, size_t count)
{
    for (size_t c = 0; c < count && chunk != NULL; c++)
        kmv_heavy_chunk_clear(&chunk[c]);
    kmv_free(chunk);
}

kmv_visit kmv_probe_visit(const kmv_probe *p)
{
    return (kmv_visit){.problem = &p->problem,
                       .tile = p->tile,
                       .sketcher = &p->sketcher,
                       .partition = &p->partition,
                       .rule = p->rule};
}

size_t kmv_probe_wide_step(size_t n_q, double eps)
{
    const double wish = fmin(fmax(WIDE_ROWS, 4 / (eps * eps)), (double)n_q / 4);

    return wish >= 1 ? (size_t)((double)n_q / wish) : n_q;
}

/* Rows apart by the same step are searched wider than the rule says: what they find there, and the
 * pilot hardly ever saw, tells what the rule would miss. Then the rule is chosen again. */
static kmv_status refine(kmv_probe *p, kmv_probe_basis *basis, const kmv_probe_sample *pilot,
                         kmv_cost *cost, kmv_error *err)
{
    const double beyond2 = kmv_probe_beyond(basis, pilot, p->rule.bits_apart + WIDER_BITS);
    const size_t n_q = p->problem.q->n;
    const size_t step = kmv_probe_wide_step(n_q, basis->eps);
    kmv_points some = *p->problem.q;
    kmv_problem part = p->problem;
    kmv_visit v = kmv_probe_visit(p);
    kmv_heavy_list list = {0};
    kmv_heavy_chunk *chunk = NULL;
    kmv_visit_counts counts;
    uint64_t *word = NULL;
    float *margin2 = NULL;
    uint32_t *order = NULL;
    kmv_status st = KMV_ENOMEM;

    some.n = n_q / step;
    some.ld *= step;
    part.q = &some;
    v.problem = &part;
    v.rule.radius = fmaxf(v.rule.radius, (float)p->forecast.wide);
    v.rule.bits_apart += WIDER_BITS;
    basis->light2 += beyond2;
    if ((word = kmv_alloc(some.n, sizeof *word, "sketches", err)) == NULL ||
        (margin2 = kmv_alloc(some.n * KMV_CELL_BITS_MAX, sizeof *margin2, "margins", err)) ==
            NULL ||
        (order = kmv_alloc(some.n, sizeof *order, "order of queries", err)) == NULL ||
        (chunk = kmv_alloc(chunks_of(some.n), sizeof *chunk, "heavy entries", err)) == NULL ||
        (st = search(&v, p->threads, word, margin2, order, chunk, &counts, cost, err)) != KMV_OK ||
        (st = kmv_heavy_reserve(&list, (size_t)counts.kept, err)) != KMV_OK)
        goto out;
    for (size_t i = 0; i < some.n; i++) {
        const kmv_heavy_chunk *c = &chunk[i / KMV_VISIT_QUERIES];
        const size_t row = i % KMV_VISIT_QUERIES;

        for (uint32_t t = c->start[row]; t < c->start[row + 1]; t++)
            list.entry[list.count++] =
                (kmv_heavy_entry){.row = order[i], .key = c->key[t], .value = c->value[t]};
    }
    st = kmv_probe_choose(basis,
                          &(kmv_probe_sample){.entry = list.entry,
                                              .count = list.count,
                                              .rows = some.n,
                                              .word = word,
                                              .margin2 = margin2},
                          &p->rule, &p->forecast, err);
out:
    free_chunks(chunk, chunks_of(some.n));
    kmv_free(list.entry);
    kmv_free(order);
    kmv_free(word);
    kmv_free(margin2);
    return st;
}

/* Sketches of the pilot's rows, and all projections minus their thresholds. */
static void sketch_pilot(const kmv_probe *p, const kmv_probe_pilot *pilot, float *project,
                         uint64_t *word)
{
    const kmv_points *q = p->problem.q;

    for (size_t i = 0; i < pilot->n; i++) {
        float *e = project + i * KMV_SKETCH_BITS;

        p->sketcher.isa->project(q->x + pilot->row[i] * q->ld, q->ld, 1, p->sketcher.across,
                                 p->sketcher.d, e);
        word[i] = p->sketcher.isa->signs(e, p->sketcher.threshold_q);
        for (size_t b = 0; b < KMV_SKETCH_BITS; b++)
            e[b] -= p->sketcher.threshold_q[b];
    }
}

/* Cells and rule from the pilot's heavy entries, then the rule once more from a wider search. */
static kmv_status choose(kmv_probe *p, const kmv_probe_pilot *pilot, double most, kmv_cost *cost,
                         kmv_error *err)
{
    const kmv_probe_options *o = p->options;
    const size_t rows = pilot->n, n_k = p->problem.k->n;
    float *project = kmv_alloc(rows * KMV_SKETCH_BITS, sizeof *project, "projections", err);
    float *margin2 = kmv_alloc(rows * KMV_CELL_BITS_MAX, sizeof *margin2, "margins", err);
    uint64_t *word = kmv_alloc(rows, sizeof *word, "sketches", err);
    unsigned char bit[KMV_CELL_BITS_MAX];
    size_t bits = 0;
    const kmv_probe_sample sample = {.entry = pilot->heavy.entry,
                                     .count = pilot->heavy.count,
                                     .rows = rows,
                                     .word = word,
                                     .margin2 = margin2};
    kmv_probe_basis basis = {.partition = &p->partition,
                             .word_k = p->word_k,
                             .n_q = p->problem.q->n,
                             .n_k = n_k,
                             .d = p->problem.k->d,
                             .eps = p->eps / o->safety,
                             .total2 = pilot->total2 / (double)rows};
    const size_t step = kmv_probe_wide_step(basis.n_q, basis.eps);
    double heavy2 = 0;
    kmv_status st = KMV_ENOMEM;

    if (project == NULL || margin2 == NULL || word == NULL)
        goto out;
    basis.seen_rows = (double)(basis.n_q / step);
    sketch_pilot(p, pilot, project, word);
    for (size_t t = 0; t < pilot->heavy.count; t++)
        heavy2 += (double)pilot->heavy.entry[t].value * (double)pilot->heavy.entry[t].value;
    basis.light2 = fmax(0, pilot->total2 - heavy2) / (double)rows;
    while (bits < KMV_CELL_BITS_MAX && (o->cell << (bits + 1)) <= n_k)
        bits++;
    kmv_probe_pick_bits(&basis, &sample, bits, bit);
    if ((st = kmv_partition_init(&p->partition, p->word_k, n_k, bit, bits, err)) != KMV_OK)
        goto out;
    for (size_t i = 0; i < rows; i++) {
        for (size_t b = 0; b < bits; b++) {
            const float margin = project[i * KMV_SKETCH_BITS + bit[b]];

            margin2[i * KMV_CELL_BITS_MAX + b] = margin * margin;
        }
    }
    if (o->radius > 0) {
        p->rule.radius = (float)o->radius;
        p->rule.bits_apart = (unsigned)o->bits_apart;
        st = kmv_probe_predict(&basis, &sample, &p->rule, &p->forecast, err);
        goto out;
    }
    if ((st = kmv_probe_choose(&basis, &sample, &p->rule, &p->forecast, err)) == KMV_OK &&
        p->forecast.searches && p->forecast.sample <= most)
        st = refine(p, &basis, &sample, cost, err);
out:
    kmv_free(project);
    kmv_free(margin2);
    kmv_free(word);
    return st;
}

static kmv_status search_all(kmv_probe *p, kmv_cost *cost, kmv_error *err)
{
    const kmv_visit v = kmv_probe_visit(p);
    const size_t n_q = p->problem.q->n;
    float *margin2 =
        kmv_alloc_raw(n_q, KMV_CELL_BITS_MAX * sizeof *margin2, "margins of queries", err);
    uint32_t *order = kmv_alloc_raw(n_q, sizeof *order, "order of queries", err);
    kmv_status st = KMV_ENOMEM;

    p->chunks = chunks_of(n_q);
    if (margin2 == NULL || order == NULL ||
        (p->place = kmv_alloc_raw(n_q, sizeof *p->place, "order of queries", err)) == NULL ||
        (p->heavy = kmv_alloc(p->chunks, sizeof *p->heavy, "heavy entries", err)) == NULL ||
        (st = search(&v, p->threads, p->word_q, margin2, order, p->heavy, &p->counts, cost, err)) !=
            KMV_OK)
        goto out;
    for (size_t t = 0; t < n_q; t++)
        p->place[order[t]] = (uint32_t)t;
out:
    kmv_free(margin2);
    kmv_free(order);
    return st;
}

/* Check row c is pilot row c pilot->n / checks. Of its entries remain those that neither the search
 * nor clipping takes out; the pilot knows all heavy ones. */
static kmv_status set_check_rows(kmv_probe *p, kmv_probe_pilot *pilot, kmv_error *err)
{
    const size_t n = pilot->kept, n_k = p->problem.k->n;
    size_t c = 0;

    if ((p->check = kmv_alloc(n, sizeof *p->check, "check rows", err)) == NULL)
        return KMV_ENOMEM;
    p->checks = n;
    p->light = pilot->entry;
    pilot->entry = NULL;
    for (size_t i = 0; i < n; i++)
        p->check[i] = pilot->row[i * pilot->n / n];
    for (size_t t = 0; p->heavy != NULL && t < pilot->heavy.count; t++) {
        const kmv_heavy_entry *e = &pilot->heavy.entry[t];

        while (c < n && c * pilot->n / n < e->row)
            c++;
        if (c < n && c * pilot->n / n == e->row && kmv_probe_caught(p, p->check[c], e->key))
            p->light[c * n_k + e->key] = 0;
    }
    return KMV_OK;
}

/* The farthest limit, up to WIDER_BITS more than the search's, within which so few sketches of a
 * query and of a key lie by chance that evaluating them all costs less than the sampled column. */
static void set_clip_bits(kmv_probe *p)
{
    enum { QUERIES = 64, KEYS_SEEN = 512, RARE = 400 };
    const size_t n_q = p->problem.q->n, n_k = p->problem.k->n;
    const size_t queries = n_q < QUERIES ? n_q : QUERIES, keys = n_k < KEYS_SEEN ? n_k : KEYS_SEEN;
    size_t apart[KMV_SKETCH_BITS + 1] = {0}, within = 0;

    for (size_t i = 0; i < queries; i++) {
        for (size_t j = 0; j < keys; j++)
            apart[__builtin_popcountll(p->word_q[i * (n_q / queries)] ^
                                       p->word_k[j * (n_k / keys)])]++;
    }
    for (unsigned b = 0; b <= KMV_SKETCH_BITS && b <= p->rule.bits_apart + WIDER_BITS; b++) {
        within += apart[b];
        if (b <= p->rule.bits_apart || within * RARE <= queries * keys)
            p->clip_bits = b;
    }
}

static kmv_status reserve_product(kmv_probe *p, const kmv_prepare_context *context, kmv_error *err)
{
    const size_t n_k = p->problem.k->n, n_q = p->problem.q->n, r = context->settings->r;
    const size_t keys = n_k < KMV_PROBE_CHUNK ? n_k : KMV_PROBE_CHUNK;
    const size_t queries = n_q < KMV_PROBE_CHUNK ? n_q : KMV_PROBE_CHUNK;
    const size_t d = p->problem.k->d;
    kmv_status st;

    if ((p->part = kmv_alloc(queries * r, sizeof(double), "products of a chunk", err)) == NULL ||
        (p->residual = kmv_alloc(p->checks * r, sizeof(double), "residuals", err)) == NULL ||
        (p->estimate = kmv_alloc(p->checks * r, sizeof(double), "estimates", err)) == NULL ||
        (p->column = kmv_alloc(n_k, sizeof(float), "a column of x", err)) == NULL ||
        (p->x2 = kmv_alloc(n_k, sizeof(double), "norms of x", err)) == NULL ||
        (p->score = kmv_alloc(n_k, sizeof(double), "scores", err)) == NULL ||
        (p->p = kmv_alloc(n_k, sizeof(double), "probabilities", err)) == NULL ||
        (p->in_s = kmv_alloc(n_k, sizeof(double), "weights of columns", err)) == NULL ||
        (p->weight = kmv_alloc(n_k, sizeof(double), "weights of the sample", err)) == NULL ||
        (p->index = kmv_alloc(n_k, sizeof(size_t), "sample", err)) == NULL ||
        (p->rng = kmv_rng_create(context->key, err)) == NULL)
        return KMV_ENOMEM;
    if ((st = kmv_packed_init(&p->queries, p->tile, KMV_QUERIES, queries, d, 0, err)) != KMV_OK ||
        (st = kmv_packed_init(&p->keys, p->tile, KMV_KEYS, keys, d, 1, err)) != KMV_OK)
        return st;
    return kmv_workspace_create(p->tile, queries, keys, r, p->threads, &p->workspace, err);
}

/* As many as take no more than half the room of the points, but 64. */
static size_t check_size(const kmv_probe *p)
{
    const size_t d = p->problem.k->d, wish = d < 32 ? 64 : 2 * d;
    const size_t most = wish < KMV_PROBE_CHECK ? wish : KMV_PROBE_CHECK;

    return p->pilot_rows < most ? p->pilot_rows : most;
}

/* What the pilot is too small to see, the wider search of `refine` does. */
static size_t pilot_size(const kmv_probe *p)
{
    const size_t rows = p->options->pilot > 0 ? p->options->pilot : KMV_PROBE_PILOT;

    return rows < p->problem.q->n ? rows : p->problem.q->n;
}

kmv_status kmv_probe_create(const kmv_problem *problem, const kmv_probe_options *options,
                            const kmv_prepare_context *context, double most, kmv_probe **out,
                            kmv_error *err)
{
    const size_t n_k = problem->k->n, n_q = problem->q->n, d = problem->k->d;
    kmv_probe *p = kmv_alloc(1, sizeof *p, "state of probe", err);
    kmv_points some_q, some_k;
    kmv_problem sampled;
    kmv_probe_pilot pilot = {0};
    float *norm2 = NULL;
    kmv_status st = KMV_ENOMEM;

    if (p == NULL)
        return KMV_ENOMEM;
    p->problem = *problem;
    p->options = options;
    p->tile = context->tile;
    p->threads = context->threads;
    p->eps = context->settings->eps;
    p->text = context->text;
    p->text_size = context->text_size;
    p->pilot_rows = pilot_size(p);
    p->rule.tau = (float)(options->heavy > 0 ? options->heavy : p->eps / 30);
    if ((p->centre = kmv_alloc(d, sizeof(double), "centre", err)) == NULL ||
        (p->shift = kmv_alloc(problem->k->ld, sizeof(float), "shift", err)) == NULL ||
        (p->word_q = kmv_alloc(n_q, sizeof(uint64_t), "sketches of queries", err)) == NULL ||
        (p->word_k = kmv_alloc(n_k, sizeof(uint64_t), "sketches of keys", err)) == NULL ||
        (p->c2 = kmv_alloc(n_k, sizeof(float), "column norms", err)) == NULL ||
        (norm2 = kmv_alloc(n_k, sizeof(float), "norms of keys", err)) == NULL)
        goto out;
    kmv_visit_shift(problem, p->shift);
    sampled = strided(problem, &some_q, &some_k);
    kmv_centre(&sampled, p->centre);
    if ((st = kmv_sketcher_init(&p->sketcher, problem,
                                kmv_stream_key(context->key, "directions", 0), err)) != KMV_OK ||
        (st = kmv_probe_pilot_init(&pilot, problem, p->centre, p->pilot_rows, check_size(p),
                                   p->tile, kmv_stream_key(context->key, "pilot", 0), context->cost,
                                   err)) != KMV_OK ||
        (st = pass_over_keys(p, &pilot, norm2, context->cost, err)) != KMV_OK ||
        (st = choose(p, &pilot, most, context->cost, err)) != KMV_OK)
        goto out;
    if (!(p->forecast.sample <= most)) {
        *out = NULL;
        goto out;
    }
    if (p->forecast.searches) {
        if ((st = search_all(p, context->cost, err)) != KMV_OK)
            goto out;
        set_clip_bits(p);
    }
    estimate_columns(p, &pilot, norm2);
    if ((st = set_check_rows(p, &pilot, err)) != KMV_OK ||
        (st = reserve_product(p, context, err)) != KMV_OK)
        goto out;
    *out = p;
    p = NULL;
out:
    kmv_probe_pilot_clear(&pilot);
    kmv_free(norm2);
    kmv_probe_destroy(p);
    return st;
}

void kmv_probe_destroy(kmv_probe *p)
{
    if (p == NULL)
        return;
    free_chunks(p->heavy, p->chunks);
    kmv_sketcher_clear(&p->sketcher);
    kmv_partition_clear(&p->partition);
    kmv_packed_clear(&p->queries);
    kmv_packed_clear(&p->keys);
    kmv_workspace_destroy(p->workspace);
    if (p->rng != NULL)
        gsl_rng_free(p->rng);
    kmv_free(p->centre);
    kmv_free(p->shift);
    kmv_free(p->place);
    kmv_free(p->word_q);
    kmv_free(p->word_k);
    kmv_free(p->c2);
    kmv_free(p->check);
    kmv_free(p->part);
    kmv_free(p->light);
    kmv_free(p->column);
    kmv_free(p->residual);
    kmv_free(p->estimate);
    kmv_free(p->x2);
    kmv_free(p->score);
    kmv_free(p->p);
    kmv_free(p->in_s);
    kmv_free(p->weight);
    kmv_free(p->index);
    kmv_free(p);
}

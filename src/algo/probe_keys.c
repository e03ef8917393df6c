/* algo/probe_keys.c - see probe_keys.h. */
#include "algo/probe_keys.h"

#include <math.h>
#include <omp.h>
#include <string.h>

#include "base/mem.h"
#include "base/status.h"

enum {
    KEYS = 960,  /* packed at a time by one thread, at most: they stay in L2 */
    CHUNKS = 16, /* about, at the least, so that threads have equal work */
    NORM_BINS = 64,
    BINS = 0x8000 /* of positive floats by their upper half */
};

/* Beyond it packed floats overflow or lose all digits. */
static const double NORM2_MOST = 1e30;

/* ---- the pass -------------------------------------------------------------------------------- */

/* Room of one thread. */
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

kmv_status kmv_probe_pass_over_keys(kmv_probe *p, kmv_probe_pilot *pilot, float *norm2,
                                    kmv_cost *cost, kmv_error *err)
{
    const size_t n_k = p->problem.k->n, threads = (size_t)p->threads, d = p->problem.k->d;
    const size_t lanes = p->tile->lanes, even = (n_k / CHUNKS / lanes + 1) * lanes;
    const size_t chunk = even < KEYS ? even : KEYS;
    pass_room *room = kmv_alloc(threads, sizeof *room, "rooms of threads", err);
    kmv_heavy_list *lists = kmv_alloc(threads, sizeof *lists, "lists of threads", err);
    double norm2_max = 0;
    kmv_status st = KMV_ENOMEM;

    if (room == NULL || lists == NULL || (st = room_init(room, p, threads, err)) != KMV_OK)
        goto out;
#pragma omp parallel for num_threads(p->threads) schedule(static)
    for (size_t first = 0; first < n_k; first += chunk)
        pass_chunk(p, pilot, &room[omp_get_thread_num()], first,
                   n_k - first < chunk ? n_k - first : chunk, norm2);
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

/* ---- columns --------------------------------------------------------------------------------- */

/* Column norms of one row are mostly noise, so they are smoothed over keys of about the same norm,
 * and each key's own estimate counts by as much as the two halves of the pilot agree on it: with u
 * and v its differences from the smooth value in either half, w = sum u v / sum (u^2 + v^2)/2. */
void kmv_probe_estimate_columns(kmv_probe *p, kmv_probe_pilot *pilot, const float *norm2)
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

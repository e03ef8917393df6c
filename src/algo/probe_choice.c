/* algo/probe_choice.c - see probe_choice.h. */
#include "algo/probe_choice.h"

#include <math.h>

#include "algo/probe_search.h"
#include "base/mem.h"

enum {
    WIDE_ROWS = 1024, /* searched further than planned, to see what is missed */
    WIDER_BITS = 8
};

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
        (chunk = kmv_alloc(kmv_probe_chunks(some.n), sizeof *chunk, "heavy entries", err)) ==
            NULL ||
        (st = kmv_probe_search(&v, p->threads, word, margin2, order, chunk, &counts, cost, err)) !=
            KMV_OK ||
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
    kmv_probe_free_chunks(chunk, kmv_probe_chunks(some.n));
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
kmv_status kmv_probe_choose_search(kmv_probe *p, const kmv_probe_pilot *pilot, double most,
                                   kmv_cost *cost, kmv_error *err)
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
                             .threads = p->threads,
                             .eps = p->eps / kmv_probe_safety(o),
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

void kmv_probe_choose_clipping(kmv_probe *p)
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

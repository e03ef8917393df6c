/* algo/kdeformer.c - see kdeformer.h. */
#include "algo/kdeformer.h"

#include <math.h>

#include "base/mem.h"
#include "base/rng.h"

/* log2 of the sums of all rows of `blocks`, from blocks and a uniform sample of the other role;
 * log2_weight by point of that role (NULL: ones). */
static kmv_status log_densities(const kmv_blocks *blocks, const double *log2_weight,
                                const double *centre, size_t draws, uint64_t key, int threads,
                                double *out, kmv_cost *cost, kmv_error *err)
{
    const kmv_tile *tile = blocks->q.tile;
    const size_t n_q = blocks->problem.q->n, n_k = blocks->problem.k->n, d = blocks->problem.q->d;
    kmv_key_sample sample = {0};
    kmv_block_room room = {0};
    kmv_softmax_sums total = {0};
    kmv_values none = {0};
    float *by_slot = NULL;
    kmv_status st;

    if ((st = kmv_key_sample_init(&sample, tile, draws, n_k, d, 0, err)) != KMV_OK ||
        (st = kmv_block_room_init(&room, tile, draws < n_k ? draws : n_k, 0, threads, err)) !=
            KMV_OK ||
        (st = kmv_softmax_sums_init(&total, tile, n_q, 0, err)) != KMV_OK ||
        (st = kmv_values_init(&none, tile, 0, 0, err)) != KMV_OK)
        goto out;
    if (log2_weight != NULL) {
        if ((by_slot = kmv_alloc(blocks->k.n, sizeof *by_slot, "weights by slot", err)) == NULL) {
            st = KMV_ENOMEM;
            goto out;
        }
        for (size_t s = 0; s < blocks->k.n; s++) {
            if (blocks->k.index[s] != KMV_EMPTY_SLOT)
                by_slot[s] = (float)log2_weight[blocks->k.index[s]];
        }
    }
    kmv_rng_restart(sample.rng, key);
    if (draws > 0)
        kmv_key_sample_draw(&sample, NULL, 0, n_k, draws);
    kmv_key_sample_pack(&sample, &blocks->problem, centre, log2_weight, threads, cost);
    kmv_softmax_sums_reset(&total, 0, n_q);
    kmv_block_attend(&(kmv_block_parts){blocks, &none, by_slot, &sample}, &room,
                     (kmv_block_target){.total = &total}, cost);
    for (size_t i = 0; i < n_q; i++)
        out[i] = (double)total.top[i] + log2(total.sum[i]);
out:
    kmv_key_sample_clear(&sample);
    kmv_block_room_clear(&room);
    kmv_softmax_sums_clear(&total);
    kmv_values_clear(&none);
    kmv_free(by_slot);
    return st;
}

kmv_status kmv_kdeformer_densities(const kmv_blocks *forward, const size_t *q_order,
                                   const size_t *k_order, const double *centre, size_t draws,
                                   uint64_t key, int threads, double *log2_alpha, double *column2,
                                   kmv_cost *cost, kmv_error *err)
{
    /* exp(2 l) is the same kernel at sigma / sqrt 2, and a column of P a row of its transpose. */
    const kmv_problem transposed = {.q = forward->problem.k,
                                    .k = forward->problem.q,
                                    .matrix = KMV_SOFTMAX,
                                    .sigma = forward->problem.sigma / sqrt(2)};
    const size_t n_q = transposed.k->n, n_k = transposed.q->n;
    kmv_blocks back = {0};
    double *weight = kmv_alloc(n_q, sizeof *weight, "weights of queries", err);
    kmv_status st = KMV_ENOMEM;

    if (weight == NULL ||
        (st = log_densities(forward, NULL, centre, draws, kmv_stream_key(key, "alpha", 0), threads,
                            log2_alpha, cost, err)) != KMV_OK ||
        (st = kmv_blocks_init(&back, &transposed, forward->q.tile, k_order, n_k, q_order, n_q, 0,
                              (n_q + forward->blocks - 1) / forward->blocks, centre, threads, cost,
                              err)) != KMV_OK)
        goto out;
    for (size_t i = 0; i < n_q; i++)
        weight[i] = -2 * log2_alpha[i];
    if ((st = log_densities(&back, weight, centre, draws, kmv_stream_key(key, "beta", 0), threads,
                            column2, cost, err)) != KMV_OK)
        goto out;
    for (size_t j = 0; j < n_k; j++)
        column2[j] = exp2(column2[j]);
out:
    kmv_blocks_clear(&back);
    kmv_free(weight);
    return st;
}

double kmv_kdeformer_count(size_t n_q, size_t n_k, size_t d, size_t r, size_t bits, size_t block,
                           size_t samples)
{
    const double queries = (double)n_q, per_pair = (double)(d + r);

    return 2 * queries * (double)(d * bits) + queries * (double)block * per_pair +
           (double)n_k * (double)(r * r) + queries * (double)samples * per_pair +
           queries * (double)samples;
}

double kmv_exact_attention_count(size_t n_q, size_t n_k, size_t d, size_t r)
{
    return (double)n_q * (double)n_k * (double)(d + r);
}

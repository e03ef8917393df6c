/* algo/probe_keys.h - the one pass of `probe` over all keys, and what each key's column is like. */
#ifndef KMV_ALGO_PROBE_KEYS_H
#define KMV_ALGO_PROBE_KEYS_H

#include "algo/probe.h"

/**
 * Sketches of all keys into p->word_k; the pilot's rows, whose entries > rule.tau are kept; norm2
 * out: n_k, (|k_j - centre| / sigma)^2. Heavy entries of the pilot are at most d a row unless their
 * bound was asked for: rule.tau grows to that. Each key is packed once, by the thread that uses it.
 * Cost: (pilot rows + 64) n_k multiply-adds of d. KMV_ENOTSUP where sigma is too small for float,
 * KMV_ENOMEM.
 */
kmv_status kmv_probe_pass_over_keys(kmv_probe *p, kmv_probe_pilot *pilot, float *norm2,
                                    kmv_cost *cost, kmv_error *err);

/** p->c2 out of the pilot's rows: the squared light entries of each column, over all rows of the
 *  matrix. To be called after the search: what it found is not light. */
void kmv_probe_estimate_columns(kmv_probe *p, kmv_probe_pilot *pilot, const float *norm2);

#endif

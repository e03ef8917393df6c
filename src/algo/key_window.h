/* algo/key_window.h - the keys at fixed places of a sequence that a query always gets: the first
 * ones (sinks) and those around it. */
#ifndef KMV_ALGO_KEY_WINDOW_H
#define KMV_ALGO_KEY_WINDOW_H

#include <stddef.h>

#include "kmv.h"

typedef struct {
    size_t sinks, window; /* keys, each at most n_k */
} kmv_key_window;

/** Two disjoint ranges of keys, either maybe empty: 0 .. sinks - 1, first .. end - 1. */
typedef struct {
    size_t sinks, first, end;
} kmv_key_ranges;

/**
 * What query i gets. Its place is p = i + n_k - n_q, aligned at the end as a causal mask is.
 * Causal: of the keys 0 .. p the first `sinks` and the last `window`. Else `window` keys around p,
 * (window - 1) / 2 of them before it, moved inwards where they would pass an end. Keys that are
 * both stand in the first range.
 */
kmv_key_ranges kmv_key_window_of(const kmv_problem *problem, kmv_key_window w, size_t i);

/** Why there is no window for this problem, or NULL: full attention with more queries than keys
 *  has no places. */
const char *kmv_key_window_rejects(const kmv_problem *problem, kmv_key_window w);

#endif

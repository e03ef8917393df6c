/* algo/probe_choice.h - how far `probe` searches: the rule out of the pilot, and out of some rows
 * searched further than it says. */
#ifndef KMV_ALGO_PROBE_CHOICE_H
#define KMV_ALGO_PROBE_CHOICE_H

#include "algo/probe.h"

/** Cells of keys (p->partition), rule and forecast from the pilot's heavy entries; where that would
 *  search and sample `most` columns or fewer, some rows are searched wider and the rule is chosen
 *  again (probe_plan.h). KMV_ENOMEM. */
kmv_status kmv_probe_choose_search(kmv_probe *p, const kmv_probe_pilot *pilot, double most,
                                   kmv_cost *cost, kmv_error *err);

/** Every how manieth row is searched wider before the search is chosen: 1024 rows, or 4 / eps^2 if
 *  more, a quarter at most. */
size_t kmv_probe_wide_step(size_t n_q, double eps);

/** p->clip_bits, once all rows have sketches: the farthest limit, up to 8 more than the search's,
 *  within which so few sketches of a query and of a key lie by chance that evaluating them all
 * costs less than the sampled column. */
void kmv_probe_choose_clipping(kmv_probe *p);

#endif

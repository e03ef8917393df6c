/* algo/select.h - the largest of many floats. */
#ifndef KMV_ALGO_SELECT_H
#define KMV_ALGO_SELECT_H

#include <stddef.h>
#include <stdint.h>

/** list[0 .. result-1]: the places of the k largest of v[0 .. n-1], ascending; of equal ones the
 *  first. Returns min(k, n). n < 2^32, room for n places; v without NaN. Cost about n, whatever k
 *  is, and expected 3 passes over little more than k. */
size_t kmv_select_largest(const float *v, size_t n, size_t k, uint32_t *list);

#endif

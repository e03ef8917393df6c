/* base/list.h - lists as written in configurations and on command lines. */
#ifndef KMV_BASE_LIST_H
#define KMV_BASE_LIST_H

#include "kmv.h"

/** A list as written, split at commas (not inside parentheses), with ranges such as
 *  geom(1024, 65536, 2) expanded; item texts are checked by whoever knows what they mean. */
typedef struct {
    char **items; /* one kmv_alloc'ed block */
    size_t count;
    size_t line; /* in the file; 0: default */
} kmv_list;

/**
 * Items of "a, b, geom(first, last, factor), ...", white space around them cut. The range stands
 * for first, first factor, first factor^2, ... up to last (included when it is hit to 1e-9
 * relative); 0 < first <= last, factor > 1, and all three may be written as 2^k or 1e6. Another
 * word with parentheses stays one item. line is set to 0.
 * KMV_EINVAL: an empty list or item, unbalanced parentheses, a bad range, more than 65536 items;
 * KMV_ENOMEM.
 */
kmv_status kmv_list_parse(const char *text, kmv_list *list, kmv_error *err);

/** Free and zero; twice is harmless. */
void kmv_list_clear(kmv_list *list);

#endif

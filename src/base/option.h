/* base/option.h - structs filled from "name=value" text by a typed table (kmv_option, in kmv.h). */
#ifndef KMV_BASE_OPTION_H
#define KMV_BASE_OPTION_H

#include "kmv.h"

/** Write every default into the struct at `out`. */
kmv_status kmv_options_default(const kmv_option *table, void *out, kmv_error *err);

/** Set one option. A wrong name, value or range is KMV_EINVAL: "samples: want an integer in
 *  [1, 1e+09], got '0'", with the nearest name when there is one. */
kmv_status kmv_option_set(const kmv_option *table, void *out, const char *name, const char *value,
                          kmv_error *err);

/** Set all of "name=value,name=value" ("" is none). A name that stands twice is an error. What
 *  stands before an error is set already. */
kmv_status kmv_options_parse(const kmv_option *table, void *out, const char *text, kmv_error *err);

/** Canonical text of all options whose value differs from its default, in the order of the table:
 *  equal structs give equal text. Returns the length that was needed (as snprintf). */
size_t kmv_options_format(const kmv_option *table, const void *options, char *text, size_t size);

/** The row of that name, or NULL. */
const kmv_option *kmv_option_find(const kmv_option *table, const char *name);

/** "integer in [1, 1e+09]", "one of a|b", ... for help and messages. */
void kmv_option_domain(const kmv_option *o, char *text, size_t size);

#endif

/* base/str.h - numbers and names out of text, with nothing accepted that is not wholly one. */
#ifndef KMV_BASE_STR_H
#define KMV_BASE_STR_H

#include <stddef.h>

/** 1 when the whole of text is a decimal or exponent number that is finite, and not one that only
 *  underflow makes 0; value set. */
int kmv_parse_real(const char *text, double *value);

/** 1 when the whole of text is an unsigned integer that fits; value set. Accepts 1e6 and 2^20,
 *  since counts are written so. */
int kmv_parse_size(const char *text, size_t *value);

/** 1 for yes/no, true/false, on/off, 1/0; value set to 1 or 0. */
int kmv_parse_bool(const char *text, int *value);

/** Number of single-character edits between a and b (Levenshtein), or limit + 1 when it is more
 *  than limit or one of them is longer than 63 characters. */
size_t kmv_edit_distance(const char *a, const char *b, size_t limit);

/** The name among names[0 .. count-1] nearest to a misspelt one, at most two edits away and not
 *  by changing all of its letters; or NULL. */
const char *kmv_closest(const char *name, const char *const *names, size_t count);

/** Shortest text (15 to 17 digits) that kmv_parse_real reads back as the same double. */
void kmv_real_text(double value, char *text, size_t size);

/** "a number in [0, 1]", "an integer >= 1", "a number > 0" (lo at most 1e-300, but positive): the
 *  range lo .. hi in words. Ends beyond 1e300 (integers: 2^53) are no limit; the number just
 *  below 1 as the upper end is "1)". */
void kmv_range_text(double lo, double hi, int integer, char *text, size_t size);

/** Cut leading and trailing white space in place; returns the start. */
char *kmv_trim(char *text);

/** Copy at most size - 1 characters and end with '\0'; returns 1 when all of src fitted. */
int kmv_copy_text(char *dst, size_t size, const char *src);

/** Text as one word of a POSIX shell: in single quotes where it needs them. Returns out. */
const char *kmv_shell_word(const char *text, char *out, size_t size);

#endif

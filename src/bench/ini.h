/* bench/ini.h - an INI file as sections and entries with the lines they stand on (inih). */
#ifndef KMV_BENCH_INI_H
#define KMV_BENCH_INI_H

#include "kmv.h"

typedef struct {
    char *key, *value; /* trimmed; an indented line that follows continues the value */
    size_t line;
} kmv_ini_entry;

/** [kind] or [kind name]. */
typedef struct {
    char kind[32], name[64];
    size_t line, count, room;
    kmv_ini_entry *entries;
} kmv_ini_section;

typedef struct {
    kmv_ini_section *sections;
    size_t count, room;
} kmv_ini;

/**
 * Parse text, which came from path (for messages only). A comment begins with # or ; at the start
 * of a line or after white space. KMV_EINVAL: a line that is none of section, entry, continuation,
 * comment; an entry before any section; a section or key that stands twice; text with a zero byte.
 */
kmv_status kmv_ini_parse(const char *path, const char *text, size_t size, kmv_ini *ini,
                         kmv_error *err);

/** Free and zero; twice is harmless. */
void kmv_ini_clear(kmv_ini *ini);

#endif

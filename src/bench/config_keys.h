/* bench/config_keys.h - keys of a configuration by table: texts, numbers and lists with the fields
 * they go to; for the files config*.c only. */
#ifndef KMV_BENCH_CONFIG_KEYS_H
#define KMV_BENCH_CONFIG_KEYS_H

#include "bench/config.h"
#include "bench/ini.h"

/** A key with one value; a row with name NULL ends a table. */
typedef enum {
    KMV_VALUE_TEXT,
    KMV_VALUE_SIZE,
    KMV_VALUE_REAL,
    KMV_VALUE_SECONDS,
    KMV_VALUE_BYTES,
    KMV_VALUE_BOOL
} kmv_value_type;

typedef struct {
    const char *name;
    kmv_value_type type;
    size_t offset, size; /* of the field in its struct */
    double lo, hi;
} kmv_value_key;

#define KMV_VALUE(row, key, type, field, lo, hi)                                                   \
    {                                                                                              \
        key, type, offsetof(row, field), sizeof(((row *)0)->field), lo, hi                         \
    }

/** A key with a list of values. */
typedef struct {
    const char *name;
    size_t offset;
    kmv_status (*check)(const char *item, kmv_error *err); /* NULL: checked by the caller */
} kmv_list_key;

/** Set the field of row that an entry's key names in lists or values (either may be NULL). An
 * unknown key or a bad value is KMV_EINVAL with file, line and the nearest name. */
kmv_status kmv_entry_set(const kmv_config *c, const kmv_ini_section *s, const kmv_ini_entry *e,
                         const kmv_list_key *lists, const kmv_value_key *values, void *row,
                         kmv_error *err);

/** Put file, line and key in front of a message, which may begin with the key already. */
kmv_status kmv_entry_fail(const kmv_config *c, size_t line, const char *key, kmv_status st,
                          kmv_error *err);

/** "FILE:LINE: [kind name]: what". */
kmv_status kmv_section_fail(const kmv_config *c, const kmv_ini_section *s, const char *what,
                            kmv_error *err);

#endif

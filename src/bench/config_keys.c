/* bench/config_keys.c - see config_keys.h. */
#include "bench/config_keys.h"

#include <stdio.h>
#include <string.h>

#include "base/status.h"
#include "base/str.h"
#include "bench/config_check.h"

enum { NAMES_MAX = 64 };

kmv_status kmv_entry_fail(const kmv_config *c, size_t line, const char *key, kmv_status st,
                          kmv_error *err)
{
    const size_t length = strlen(key);

    if (err != NULL && strncmp(err->text, key, length) == 0 && err->text[length] == ':')
        return kmv_fail_prefix(err, st, "%s:%zu", c->path, line);
    return kmv_fail_prefix(err, st, "%s:%zu: %s", c->path, line, key);
}

static kmv_status unknown_key(const kmv_config *c, const kmv_ini_section *s, const kmv_ini_entry *e,
                              const char *const *names, size_t count, kmv_error *err)
{
    const char *near = kmv_closest(e->key, names, count);

    return kmv_fail(err, KMV_EINVAL, "%s:%zu: %s: want a key of [%s], got '%s'%s%s%s", c->path,
                    e->line, e->key, s->kind, e->key, near != NULL ? ", did you mean '" : "",
                    near != NULL ? near : "", near != NULL ? "'?" : "");
}

kmv_status kmv_section_fail(const kmv_config *c, const kmv_ini_section *s, const char *what,
                            kmv_error *err)
{
    return kmv_fail(err, KMV_EINVAL, "%s:%zu: [%s%s%s]: %s", c->path, s->line, s->kind,
                    *s->name ? " " : "", s->name, what);
}

/* ---- keys with one value --------------------------------------------------------------------- */

static const kmv_value_key *find_value_key(const kmv_value_key *table, const char *name)
{
    for (; table->name != NULL; table++) {
        if (strcmp(table->name, name) == 0)
            return table;
    }
    return NULL;
}

static kmv_status want_number(const kmv_value_key *k, const char *what, const char *text,
                              kmv_error *err)
{
    return kmv_fail(err, KMV_EINVAL, "want %s in [%.15g, %.15g], got '%s'", what, k->lo, k->hi,
                    text);
}

static kmv_status set_value(const kmv_value_key *k, void *row, const char *text, kmv_error *err)
{
    char *field = (char *)row + k->offset;
    double real = 0;
    size_t count = 0;
    int flag, ok = 0;

    switch (k->type) {
    case KMV_VALUE_TEXT:
        if (*text == '\0' || !kmv_copy_text(field, k->size, text))
            return kmv_fail(err, KMV_EINVAL, "want 1 to %zu characters, got '%.60s'", k->size - 1,
                            text);
        return KMV_OK;
    case KMV_VALUE_SIZE:
        if (!kmv_parse_size(text, &count) || !((double)count >= k->lo && (double)count <= k->hi))
            return want_number(k, "an integer", text, err);
        memcpy(field, &count, sizeof count);
        return KMV_OK;
    case KMV_VALUE_BOOL:
        if (!kmv_parse_bool(text, &flag))
            return kmv_fail(err, KMV_EINVAL, "want yes or no, got '%s'", text);
        memcpy(field, &flag, sizeof flag);
        return KMV_OK;
    case KMV_VALUE_REAL:
        if (!(ok = kmv_parse_real(text, &real)) && (ok = kmv_parse_size(text, &count)))
            real = (double)count; /* 2^24 */
        break;
    case KMV_VALUE_SECONDS:
        ok = kmv_parse_seconds(text, &real);
        break;
    case KMV_VALUE_BYTES:
        ok = kmv_parse_bytes(text, &real);
        break;
    }
    if (!ok || !(real >= k->lo && real <= k->hi))
        return want_number(k,
                           k->type == KMV_VALUE_SECONDS ? "seconds (0.5, 0.5s, 10m)"
                           : k->type == KMV_VALUE_BYTES ? "bytes (500M, 2G)"
                                                        : "a number",
                           text, err);
    memcpy(field, &real, sizeof real);
    return KMV_OK;
}

/* ---- keys with a list of values -------------------------------------------------------------- */

static kmv_status check_dataset(const kmv_config *c, const char *item, kmv_error *err)
{
    const char *names[NAMES_MAX], *near;
    size_t count = 0;

    for (size_t i = 0; i < c->n_datasets; i++) {
        if (strcmp(c->datasets[i].name, item) == 0)
            return KMV_OK;
        if (count < NAMES_MAX)
            names[count++] = c->datasets[i].name;
    }
    near = kmv_closest(item, names, count);
    return kmv_fail(err, KMV_EINVAL, "want the name of a [dataset], got '%s'%s%s%s", item,
                    near != NULL ? ", did you mean '" : "", near != NULL ? near : "",
                    near != NULL ? "'?" : "");
}

static kmv_status set_list(const kmv_config *c, const kmv_list_key *k, void *row,
                           const kmv_ini_entry *e, kmv_error *err)
{
    kmv_list *list = (kmv_list *)(void *)((char *)row + k->offset);
    kmv_status st = kmv_list_parse(e->value, list, err);

    list->line = e->line;
    for (size_t i = 0; st == KMV_OK && i < list->count; i++)
        st = k->check != NULL ? k->check(list->items[i], err)
                              : check_dataset(c, list->items[i], err);
    return st == KMV_OK ? KMV_OK : kmv_entry_fail(c, e->line, e->key, st, err);
}

kmv_status kmv_entry_set(const kmv_config *c, const kmv_ini_section *s, const kmv_ini_entry *e,
                         const kmv_list_key *lists, const kmv_value_key *values, void *row,
                         kmv_error *err)
{
    const kmv_value_key *v = values != NULL ? find_value_key(values, e->key) : NULL;
    const char *names[NAMES_MAX];
    size_t count = 0;
    kmv_status st;

    if (v != NULL) {
        st = set_value(v, row, e->value, err);
        return st == KMV_OK ? KMV_OK : kmv_entry_fail(c, e->line, e->key, st, err);
    }
    for (const kmv_list_key *l = lists; l != NULL && l->name != NULL; l++) {
        if (strcmp(l->name, e->key) == 0)
            return set_list(c, l, row, e, err);
        names[count++] = l->name;
    }
    for (v = values; v != NULL && v->name != NULL; v++)
        names[count++] = v->name;
    return unknown_key(c, s, e, names, count, err);
}

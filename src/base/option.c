/* base/option.c - see option.h. */
#include "base/option.h"

#include <stdio.h>
#include <string.h>

#include "base/status.h"
#include "base/str.h"

enum { MAX_OPTIONS = 64, MAX_VALUE = 128 };

/* Index of word in "a|b|c", or -1. */
static int choice_index(const char *choices, const char *word)
{
    const size_t length = strlen(word);
    int index = 0;

    for (const char *c = choices; length > 0; index++) {
        const size_t span = strcspn(c, "|");

        if (span == length && strncmp(c, word, span) == 0)
            return index;
        if (c[span] == '\0')
            return -1;
        c += span + 1;
    }
    return -1;
}

static void choice_text(const char *choices, int index, char *text, size_t size)
{
    const char *c = choices;

    while (index-- > 0)
        c += strcspn(c, "|") + 1;
    snprintf(text, size, "%.*s", (int)strcspn(c, "|"), c);
}

const kmv_option *kmv_option_find(const kmv_option *table, const char *name)
{
    for (const kmv_option *o = table; o != NULL && o->name != NULL; o++) {
        if (strcmp(o->name, name) == 0)
            return o;
    }
    return NULL;
}

void kmv_option_domain(const kmv_option *o, char *text, size_t size)
{
    switch (o->type) {
    case KMV_OPT_SIZE:
    case KMV_OPT_REAL:
        kmv_range_text(o->lo, o->hi, o->type == KMV_OPT_SIZE, text, size);
        break;
    case KMV_OPT_BOOL:
        snprintf(text, size, "yes or no");
        break;
    case KMV_OPT_ENUM:
        snprintf(text, size, "one of %s", o->choices);
        break;
    }
}

static kmv_status set_row(const kmv_option *o, void *out, const char *value, kmv_error *err)
{
    char *field = (char *)out + o->offset;
    char domain[256];
    size_t count;
    double real;
    int flag, ok = 0;

    switch (o->type) {
    case KMV_OPT_SIZE:
        if ((ok =
                 kmv_parse_size(value, &count) && (double)count >= o->lo && (double)count <= o->hi))
            memcpy(field, &count, sizeof count);
        break;
    case KMV_OPT_REAL:
        if ((ok = kmv_parse_real(value, &real) && real >= o->lo && real <= o->hi))
            memcpy(field, &real, sizeof real);
        break;
    case KMV_OPT_BOOL:
        if ((ok = kmv_parse_bool(value, &flag)))
            memcpy(field, &flag, sizeof flag);
        break;
    case KMV_OPT_ENUM:
        flag = choice_index(o->choices, value);
        if ((ok = flag >= 0))
            memcpy(field, &flag, sizeof flag);
        break;
    }
    if (ok)
        return KMV_OK;
    kmv_option_domain(o, domain, sizeof domain);
    return kmv_fail(err, KMV_EINVAL, "%s: want %s, got '%s'", o->name, domain, value);
}

kmv_status kmv_options_default(const kmv_option *table, void *out, kmv_error *err)
{
    kmv_status st = KMV_OK;

    for (const kmv_option *o = table; st == KMV_OK && o != NULL && o->name != NULL; o++)
        st = set_row(o, out, o->initial, err);
    return st;
}

static void join_names(const char *const *names, size_t count, char *text, size_t size)
{
    size_t used = 0;

    for (size_t i = 0; i < count && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%s", i > 0 ? ", " : "", names[i]);
}

kmv_status kmv_option_set(const kmv_option *table, void *out, const char *name, const char *value,
                          kmv_error *err)
{
    const kmv_option *o = kmv_option_find(table, name);
    const char *names[MAX_OPTIONS], *near;
    char all[512];
    size_t count = 0;

    if (o != NULL)
        return set_row(o, out, value, err);
    for (o = table; o != NULL && o->name != NULL && count < MAX_OPTIONS; o++)
        names[count++] = o->name;
    if (count == 0)
        return kmv_fail(err, KMV_EINVAL, "unknown option '%s': there are no options here", name);
    if ((near = kmv_closest(name, names, count)) != NULL)
        return kmv_fail(err, KMV_EINVAL, "unknown option '%s', did you mean '%s'?", name, near);
    join_names(names, count, all, sizeof all);
    return kmv_fail(err, KMV_EINVAL, "unknown option '%s', want one of %s", name, all);
}

kmv_status kmv_options_parse(const kmv_option *table, void *out, const char *text, kmv_error *err)
{
    const kmv_option *seen[MAX_OPTIONS];
    size_t n_seen = 0;
    kmv_status st;

    while (*text != '\0') {
        const size_t span = strcspn(text, ",");
        char item[MAX_VALUE], *equals;

        if (span >= sizeof item)
            return kmv_fail(err, KMV_EINVAL, "option longer than %zu characters: '%.40s...'",
                            sizeof item - 1, text);
        memcpy(item, text, span);
        item[span] = '\0';
        text += span;
        if (*text == ',' && *++text == '\0')
            return kmv_fail(err, KMV_EINVAL, "options end with a comma");
        if ((equals = strchr(item, '=')) == NULL)
            return kmv_fail(err, KMV_EINVAL, "option '%s': want name=value", item);
        *equals = '\0';
        if ((st = kmv_option_set(table, out, item, equals + 1, err)) != KMV_OK)
            return st;
        for (size_t i = 0; i < n_seen; i++) {
            if (strcmp(seen[i]->name, item) == 0)
                return kmv_fail(err, KMV_EINVAL, "option '%s' is given twice", item);
        }
        if (n_seen < MAX_OPTIONS)
            seen[n_seen++] = kmv_option_find(table, item);
    }
    return KMV_OK;
}

static void format_value(const kmv_option *o, const void *options, char *text, size_t size)
{
    const char *field = (const char *)options + o->offset;
    size_t count;
    double real;
    int flag;

    switch (o->type) {
    case KMV_OPT_SIZE:
        memcpy(&count, field, sizeof count);
        snprintf(text, size, "%zu", count);
        break;
    case KMV_OPT_REAL:
        memcpy(&real, field, sizeof real);
        kmv_real_text(real, text, size);
        break;
    case KMV_OPT_BOOL:
        memcpy(&flag, field, sizeof flag);
        snprintf(text, size, "%s", flag ? "yes" : "no");
        break;
    case KMV_OPT_ENUM:
        memcpy(&flag, field, sizeof flag);
        choice_text(o->choices, flag, text, size);
        break;
    }
}

/* The default in the same spelling as format_value gives, so that "1e3" and "1000" are equal. */
static void format_initial(const kmv_option *o, char *text, size_t size)
{
    kmv_option at_zero = *o;
    union {
        size_t count;
        double real;
        int flag;
    } field = {0};

    at_zero.offset = 0;
    if (set_row(&at_zero, &field, o->initial, NULL) == KMV_OK)
        format_value(&at_zero, &field, text, size);
    else
        text[0] = '\0';
}

size_t kmv_options_format(const kmv_option *table, const void *options, char *text, size_t size)
{
    size_t used = 0;

    if (size > 0)
        text[0] = '\0';
    for (const kmv_option *o = table; o != NULL && o->name != NULL; o++) {
        char now[MAX_VALUE], initial[MAX_VALUE];

        format_value(o, options, now, sizeof now);
        format_initial(o, initial, sizeof initial);
        if (strcmp(now, initial) == 0)
            continue;
        used += (size_t)snprintf(used < size ? text + used : NULL, used < size ? size - used : 0,
                                 "%s%s=%s", used > 0 ? "," : "", o->name, now);
    }
    return used;
}

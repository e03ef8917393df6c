/* base/list.c - see list.h. */
#include "base/list.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/status.h"
#include "base/str.h"

enum { MAX_ITEMS = 65536, MAX_ITEM = 512 };

/* Items go through here twice: once to be counted (items NULL), once to be stored. */
typedef struct {
    char **items, *room;
    size_t count, bytes;
} sink;

static kmv_status put(sink *s, const char *text, size_t length, kmv_error *err)
{
    if (s->count == MAX_ITEMS)
        return kmv_fail(err, KMV_EINVAL, "list: more than %d items", MAX_ITEMS);
    if (s->items != NULL) {
        s->items[s->count] = s->room + s->bytes;
        memcpy(s->room + s->bytes, text, length);
        s->room[s->bytes + length] = '\0';
    }
    s->count++;
    s->bytes += length + 1;
    return KMV_OK;
}

static int parse_number(const char *text, double *value)
{
    size_t count;

    if (!kmv_parse_size(text, &count))
        return kmv_parse_real(text, value);
    *value = (double)count;
    return 1;
}

/* item is "geom(...)", whole. */
static kmv_status put_range(sink *s, const char *item, kmv_error *err)
{
    char text[MAX_ITEM], *word = text, *rest;
    double v[3];
    size_t n = 0;
    kmv_status st = KMV_OK;

    kmv_copy_text(text, sizeof text, item + strlen("geom("));
    text[strlen(text) - 1] = '\0'; /* the closing parenthesis */
    for (; word != NULL && n < 4; word = rest, n++) {
        if ((rest = strchr(word, ',')) != NULL)
            *rest++ = '\0';
        if (n == 3 || !parse_number(kmv_trim(word), &v[n]))
            break;
    }
    if (n != 3 || word != NULL || !(v[0] > 0 && v[0] <= v[1] && v[2] > 1))
        return kmv_fail(err, KMV_EINVAL,
                        "want geom(first, last, factor) with 0 < first <= last and factor > 1, "
                        "got '%s'",
                        item);
    /* Powers afresh for each item: a running product would drift away from last. */
    for (size_t i = 0; st == KMV_OK; i++) {
        const double value = v[0] * pow(v[2], (double)i);
        char number[32];

        if (!(value <= v[1] * (1 + 1e-9)))
            break;
        snprintf(number, sizeof number, "%.15g", value);
        st = put(s, number, strlen(number), err);
    }
    return st;
}

static kmv_status put_item(sink *s, const char *start, size_t length, kmv_error *err)
{
    char item[MAX_ITEM], *trimmed;

    if (length >= sizeof item)
        return kmv_fail(err, KMV_EINVAL, "list: an item is longer than %d characters",
                        MAX_ITEM - 1);
    memcpy(item, start, length);
    item[length] = '\0';
    trimmed = kmv_trim(item);
    length = strlen(trimmed);
    if (length == 0)
        return kmv_fail(err, KMV_EINVAL, "list: an item is empty");
    if (strncmp(trimmed, "geom(", 5) == 0 && trimmed[length - 1] == ')')
        return put_range(s, trimmed, err);
    return put(s, trimmed, length, err);
}

static kmv_status split(sink *s, const char *text, kmv_error *err)
{
    const char *start = text;
    size_t depth = 0;

    for (const char *c = text;; c++) {
        if (*c == '(') {
            depth++;
        } else if (*c == ')' && depth-- == 0) {
            return kmv_fail(err, KMV_EINVAL, "list: ')' without '(' in '%.200s'", text);
        } else if (*c == '\0' || (*c == ',' && depth == 0)) {
            kmv_status st;

            if (depth > 0)
                return kmv_fail(err, KMV_EINVAL, "list: '(' without ')' in '%.200s'", text);
            if ((st = put_item(s, start, (size_t)(c - start), err)) != KMV_OK)
                return st;
            if (*c == '\0')
                return KMV_OK;
            start = c + 1;
        }
    }
}

kmv_status kmv_list_parse(const char *text, kmv_list *list, kmv_error *err)
{
    sink s = {0};
    kmv_status st = split(&s, text, err);
    size_t pointers = s.count * sizeof(char *);
    char **items;

    if (st != KMV_OK)
        return st;
    if ((items = kmv_alloc(pointers + s.bytes, 1, "a list", err)) == NULL)
        return KMV_ENOMEM;
    s = (sink){.items = items, .room = (char *)items + pointers};
    split(&s, text, NULL); /* the same text passed a moment ago */
    *list = (kmv_list){.items = items, .count = s.count};
    return KMV_OK;
}

void kmv_list_clear(kmv_list *list)
{
    if (list == NULL)
        return;
    kmv_free(list->items);
    *list = (kmv_list){0};
}

/* bench/ini.c - see ini.h.
 *
 * inih tells its handler neither the line nor an empty section, cuts long lines at 200 characters
 * and long names at 49. So it reads from a reader of ours that hands over one line at a time, knows
 * where it is, opens the sections, refuses what inih would cut silently, and passes long lists in
 * pieces, broken after commas, as continuation lines. */
#include "bench/ini.h"

#include <ctype.h>
#include <ini.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/status.h"
#include "base/str.h"

enum { LINE_MAX_CHARS = 4096, PIECE = 180, KEY_MAX = 40 };

typedef struct {
    const char *path, *at, *end;
    size_t line;
    char text[LINE_MAX_CHARS];
    char *rest;    /* what is left of a line that goes over in pieces, or NULL */
    int in_piece;  /* the piece now with inih continues the one before without a blank */
    int has_entry; /* an indented line has something to continue */
    kmv_ini *ini;
    kmv_status status;
    kmv_error *err;
} reader;

/* Double the room of an array in its struct; items are plain memory and may move. */
static kmv_status grow(void *items, size_t *room, size_t used, size_t size, kmv_error *err)
{
    const size_t larger = *room > 0 ? 2 * *room : 8;
    void *old, *moved;

    if (used < *room)
        return KMV_OK;
    if ((moved = kmv_alloc(larger, size, "configuration", err)) == NULL)
        return KMV_ENOMEM;
    memcpy(&old, items, sizeof old);
    if (used > 0)
        memcpy(moved, old, used * size);
    kmv_free(old);
    memcpy(items, &moved, sizeof moved);
    *room = larger;
    return KMV_OK;
}

static kmv_status fail_here(reader *r, const char *what, const char *got)
{
    return r->status =
               kmv_fail(r->err, KMV_EINVAL, "%s:%zu: %s, got '%.60s'", r->path, r->line, what, got);
}

static void cut_comment(char *line)
{
    for (char *c = line; *c != '\0'; c++) {
        if ((*c == '#' || *c == ';') && (c == line || isspace((unsigned char)c[-1]))) {
            *c = '\0';
            break;
        }
    }
}

static kmv_status open_section(reader *r, char *text)
{
    kmv_ini_section s = {.line = r->line};
    char *close = strchr(text, ']'), *name;

    if (close == NULL || close[1] != '\0')
        return fail_here(r, "want [section] or [section name]", text);
    *close = '\0';
    text = kmv_trim(text + 1);
    name = text + strcspn(text, " \t");
    if (*name != '\0')
        *name++ = '\0';
    if (*text == '\0' || !kmv_copy_text(s.kind, sizeof s.kind, text) ||
        !kmv_copy_text(s.name, sizeof s.name, kmv_trim(name)))
        return fail_here(r, "want a section name of 1 to 31 and 0 to 63 characters", text);
    for (size_t i = 0; i < r->ini->count; i++) {
        const kmv_ini_section *o = &r->ini->sections[i];

        if (strcmp(o->kind, s.kind) == 0 && strcmp(o->name, s.name) == 0)
            return r->status = kmv_fail(
                       r->err, KMV_EINVAL, "%s:%zu: section [%s%s%s] stands already on line %zu",
                       r->path, r->line, s.kind, *s.name ? " " : "", s.name, o->line);
    }
    if ((r->status = grow(&r->ini->sections, &r->ini->room, r->ini->count, sizeof s, r->err)) ==
        KMV_OK)
        r->ini->sections[r->ini->count++] = s;
    return r->status;
}

/* What inih would drop or cut without a word. */
static kmv_status check_line(reader *r, const char *line)
{
    const size_t key = strcspn(line, "=:");

    if (isspace((unsigned char)line[0]))
        return r->has_entry ? KMV_OK
                            : fail_here(r, "nothing to continue with an indented line", line);
    if (line[key] == '\0')
        return fail_here(r, "want [section] or key = value", line);
    if (key == 0 || key > KEY_MAX)
        return fail_here(r, "want a key of 1 to 40 characters", line);
    if (r->ini->count == 0)
        return fail_here(r, "want a [section] before the first key", line);
    return KMV_OK;
}

/* The next line of the file without its comment into r->text; 0 at the end or on an error. */
static int next_line(reader *r)
{
    const char *newline;
    size_t length, tail;

    if (r->status != KMV_OK || r->at == r->end)
        return 0;
    newline = memchr(r->at, '\n', (size_t)(r->end - r->at));
    length = (size_t)((newline != NULL ? newline : r->end) - r->at);
    r->line++;
    if (length >= sizeof r->text || memchr(r->at, '\0', length) != NULL) {
        fail_here(r, "want lines of text of less than 4096 characters", length ? "..." : "");
        return 0;
    }
    memcpy(r->text, r->at, length);
    r->text[length] = '\0';
    r->at += length + (newline != NULL);
    cut_comment(r->text);
    tail = strlen(r->text);
    while (tail > 0 && isspace((unsigned char)r->text[tail - 1]))
        r->text[--tail] = '\0';
    return 1;
}

/* ini_reader: one line (or piece of one) into str, ended by a newline. */
static char *read_line(char *str, int num, void *stream)
{
    reader *r = stream;
    size_t take;

    if (r->status != KMV_OK)
        return NULL;
    r->in_piece = r->rest != NULL;
    while (r->rest == NULL) {
        char *line = r->text;

        if (!next_line(r))
            return NULL;
        if (*line == '[') {
            r->has_entry = 0;
            if (open_section(r, line) != KMV_OK)
                return NULL;
        } else if (*line != '\0') {
            if (check_line(r, line) != KMV_OK)
                return NULL;
            r->has_entry = 1;
            r->rest = line;
        }
    }
    take = strlen(r->rest);
    if (take > PIECE) {
        take = PIECE;
        while (take > 0 && r->rest[take - 1] != ',')
            take--;
        if (take == 0) {
            fail_here(r, "want a comma at least every 180 characters", r->rest);
            return NULL;
        }
    }
    snprintf(str, (size_t)num, "%s%.*s\n", r->in_piece ? " " : "", (int)take, r->rest);
    r->rest = r->rest[take] != '\0' ? r->rest + take : NULL;
    return str;
}

static char *join(const char *a, const char *between, const char *b, kmv_error *err)
{
    const size_t size = strlen(a) + strlen(between) + strlen(b) + 1;
    char *out = kmv_alloc(size, 1, "configuration value", err);

    if (out != NULL)
        snprintf(out, size, "%s%s%s", a, between, b);
    return out;
}

static kmv_status continue_value(reader *r, kmv_ini_entry *e, const char *value)
{
    char *joined = join(e->value, r->in_piece ? "" : " ", value, r->err);

    if (joined == NULL)
        return r->status = KMV_ENOMEM;
    kmv_free(e->value);
    e->value = joined;
    return KMV_OK;
}

/* ini_handler; inih calls it with the same name again for a continuation line. */
static int take_entry(void *user, const char *section, const char *name, const char *value)
{
    reader *r = user;
    kmv_ini_section *s = &r->ini->sections[r->ini->count - 1];
    kmv_ini_entry e = {.line = r->line};

    (void)section; /* the reader opened it */
    if (r->in_piece || isspace((unsigned char)r->text[0]))
        return continue_value(r, &s->entries[s->count - 1], value) == KMV_OK;
    for (size_t i = 0; i < s->count; i++) {
        if (strcmp(s->entries[i].key, name) == 0) {
            r->status = kmv_fail(r->err, KMV_EINVAL, "%s:%zu: %s: stands already on line %zu",
                                 r->path, r->line, name, s->entries[i].line);
            return 0;
        }
    }
    if ((r->status = grow(&s->entries, &s->room, s->count, sizeof e, r->err)) != KMV_OK)
        return 0;
    e.key = join(name, "", "", r->err);
    e.value = join(value, "", "", r->err);
    if (e.key == NULL || e.value == NULL) {
        kmv_free(e.key);
        kmv_free(e.value);
        r->status = KMV_ENOMEM;
        return 0;
    }
    s->entries[s->count++] = e;
    return 1;
}

kmv_status kmv_ini_parse(const char *path, const char *text, size_t size, kmv_ini *ini,
                         kmv_error *err)
{
    kmv_ini out = {0};
    reader r = {.path = path, .at = text, .end = text + size, .ini = &out, .err = err};
    int line;

    line = ini_parse_stream(read_line, &r, take_entry, &r);
    if (r.status == KMV_OK && line != 0) /* the checks above leave inih nothing to refuse */
        r.status = kmv_fail(err, KMV_EINVAL, "%s:%zu: cannot be parsed", path, r.line);
    if (r.status == KMV_OK) {
        *ini = out;
        out = (kmv_ini){0};
    }
    kmv_ini_clear(&out);
    return r.status;
}

void kmv_ini_clear(kmv_ini *ini)
{
    for (size_t i = 0; i < ini->count; i++) {
        kmv_ini_section *s = &ini->sections[i];

        for (size_t j = 0; j < s->count; j++) {
            kmv_free(s->entries[j].key);
            kmv_free(s->entries[j].value);
        }
        kmv_free(s->entries);
    }
    kmv_free(ini->sections);
    *ini = (kmv_ini){0};
}

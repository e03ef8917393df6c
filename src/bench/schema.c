/* bench/schema.c - see schema.h. */
#include "bench/schema.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/status.h"
#include "base/str.h"

static double *number_at(const kmv_column *c, void *row)
{
    return (double *)(void *)((char *)row + c->offset);
}

void kmv_row_clear(const kmv_schema *schema, void *row)
{
    memset(row, 0, schema->row_size);
    for (const kmv_column *c = schema->columns; c->name != NULL; c++) {
        if (c->type != KMV_COL_TEXT)
            *number_at(c, row) = NAN;
    }
}

double kmv_cell_value(const kmv_column *column, const void *row)
{
    double v;

    if (column->type == KMV_COL_TEXT)
        return NAN;
    memcpy(&v, (const char *)row + column->offset, sizeof v);
    return v;
}

const char *kmv_cell_text(const kmv_column *column, const void *row, char *text, size_t size)
{
    const double v = kmv_cell_value(column, row);

    if (column->type == KMV_COL_TEXT)
        snprintf(text, size, "%s", (const char *)row + column->offset);
    else if (isnan(v))
        snprintf(text, size, "%s", "");
    else if (column->type == KMV_COL_BOOL)
        snprintf(text, size, "%s", v != 0 ? "yes" : "no");
    else if (column->type == KMV_COL_INT)
        snprintf(text, size, "%.0f", v);
    else
        snprintf(text, size, "%.12g", v);
    return text;
}

const kmv_column *kmv_column_find(const kmv_schema *schema, const char *name)
{
    for (const kmv_column *c = schema->columns; c->name != NULL; c++) {
        if (strcmp(c->name, name) == 0)
            return c;
    }
    return NULL;
}

kmv_status kmv_cell_set(const kmv_column *column, void *row, const char *text, kmv_error *err)
{
    double *number = number_at(column, row), v;
    int flag;

    if (column->type == KMV_COL_TEXT) {
        if (!kmv_copy_text((char *)row + column->offset, column->size, text))
            return kmv_fail(err, KMV_EINVAL, "%s: longer than %zu characters", column->name,
                            column->size - 1);
        return KMV_OK;
    }
    if (*text == '\0') {
        *number = NAN;
        return KMV_OK;
    }
    if (column->type == KMV_COL_BOOL) {
        if (!kmv_parse_bool(text, &flag))
            return kmv_fail(err, KMV_EINVAL, "%s: want yes or no, got '%s'", column->name, text);
        *number = flag;
        return KMV_OK;
    }
    if (strcmp(text, "inf") == 0 || strcmp(text, "-inf") == 0) {
        *number = *text == '-' ? -INFINITY : INFINITY;
        return KMV_OK;
    }
    if (!kmv_parse_real(text, &v) || (column->type == KMV_COL_INT && v != floor(v)))
        return kmv_fail(err, KMV_EINVAL, "%s: want %s, got '%s'", column->name,
                        column->type == KMV_COL_INT ? "an integer" : "a number", text);
    *number = v;
    return KMV_OK;
}

static kmv_status written(FILE *out, kmv_error *err)
{
    if (ferror(out))
        return kmv_fail(err, KMV_EIO, "writing a table: %s", strerror(errno));
    return KMV_OK;
}

kmv_status kmv_tsv_header(const kmv_schema *schema, FILE *out, kmv_error *err)
{
    for (const kmv_column *c = schema->columns; c->name != NULL; c++)
        fprintf(out, "%s%c", c->name, c[1].name != NULL ? '\t' : '\n');
    return written(out, err);
}

static void put_escaped(const char *text, FILE *out)
{
    for (; *text != '\0'; text++) {
        switch (*text) {
        case '\t':
            fputs("\\t", out);
            break;
        case '\n':
            fputs("\\n", out);
            break;
        case '\\':
            fputs("\\\\", out);
            break;
        default:
            fputc(*text, out);
        }
    }
}

kmv_status kmv_tsv_row(const kmv_schema *schema, const void *row, FILE *out, kmv_error *err)
{
    char text[64];

    for (const kmv_column *c = schema->columns; c->name != NULL; c++) {
        if (c->type == KMV_COL_TEXT)
            put_escaped((const char *)row + c->offset, out);
        else
            fputs(kmv_cell_text(c, row, text, sizeof text), out);
        fputc(c[1].name != NULL ? '\t' : '\n', out);
    }
    return written(out, err);
}

static void unescape(char *text)
{
    char *to = text;

    for (; *text != '\0'; text++) {
        if (*text != '\\' || text[1] == '\0') {
            *to++ = *text;
            continue;
        }
        text++;
        *to++ = *text == 't' ? '\t' : *text == 'n' ? '\n' : *text;
    }
    *to = '\0';
}

/* Split off the cell at *rest; NULL when the line is used up. */
static char *next_cell(char **rest)
{
    char *cell = *rest, *tab;

    if (cell == NULL)
        return NULL;
    if ((tab = strchr(cell, '\t')) != NULL)
        *tab = '\0';
    *rest = tab != NULL ? tab + 1 : NULL;
    return cell;
}

enum { MAX_COLUMNS = 256 };

static kmv_status read_header(const kmv_schema *schema, char *line, const char *path,
                              const kmv_column **columns, size_t *count, kmv_error *err)
{
    char *cell;

    *count = 0;
    while ((cell = next_cell(&line)) != NULL) {
        if (*count == MAX_COLUMNS)
            return kmv_fail(err, KMV_EFORMAT, "%s:1: more than %d columns", path, MAX_COLUMNS);
        if ((columns[*count] = kmv_column_find(schema, cell)) == NULL)
            return kmv_fail(err, KMV_EFORMAT, "%s:1: unknown column '%s'", path, cell);
        for (size_t i = 0; i < *count; i++) {
            if (columns[i] == columns[*count])
                return kmv_fail(err, KMV_EFORMAT, "%s:1: column '%s' stands twice", path, cell);
        }
        ++*count;
    }
    return KMV_OK;
}

static kmv_status read_row(const kmv_column *const *columns, size_t count, char *line, void *row,
                           kmv_error *err)
{
    for (size_t i = 0; i < count; i++) {
        char *cell = next_cell(&line);
        kmv_status st;

        if (cell == NULL)
            return kmv_fail(err, KMV_EFORMAT, "want %zu cells, found %zu", count, i);
        unescape(cell);
        if ((st = kmv_cell_set(columns[i], row, cell, err)) != KMV_OK)
            return st;
    }
    return line == NULL ? KMV_OK : kmv_fail(err, KMV_EFORMAT, "more than %zu cells", count);
}

/* Twice the room when it is full; the old rows move. */
static kmv_status grow(char **rows, size_t used, size_t *room, size_t row_size, kmv_error *err)
{
    const size_t larger = *room > 0 ? 2 * *room : 64;
    char *moved;

    if (used < *room)
        return KMV_OK;
    if ((moved = kmv_alloc(larger, row_size, "rows of a table", err)) == NULL)
        return KMV_ENOMEM;
    if (used > 0)
        memcpy(moved, *rows, used * row_size);
    kmv_free(*rows);
    *rows = moved;
    *room = larger;
    return KMV_OK;
}

kmv_status kmv_tsv_read(const kmv_schema *schema, const char *path, void **rows, size_t *count,
                        int *torn, kmv_error *err)
{
    const kmv_column *columns[MAX_COLUMNS];
    size_t n_columns = 0, line_room = 0, room = 0, used = 0, number = 0;
    char *line = NULL, *out = NULL;
    kmv_status st = KMV_OK;
    FILE *f = fopen(path, "r");
    ssize_t length;
    int cut = 0;

    if (f == NULL)
        return kmv_fail(err, KMV_EIO, "%s: %s", path, strerror(errno));
    while ((length = getline(&line, &line_room, f)) > 0) {
        number++;
        if (line[length - 1] != '\n') {
            cut = 1;
            break;
        }
        line[length - 1] = '\0';
        if (strlen(line) != (size_t)length - 1)
            st = kmv_fail(err, KMV_EFORMAT, "%s:%zu: a zero byte, want text", path, number);
        else if (number == 1) {
            st = read_header(schema, line, path, columns, &n_columns, err);
        } else if ((st = grow(&out, used, &room, schema->row_size, err)) == KMV_OK) {
            kmv_row_clear(schema, out + used * schema->row_size);
            st = read_row(columns, n_columns, line, out + used * schema->row_size, err);
            if (st != KMV_OK)
                kmv_fail_prefix(err, st, "%s:%zu", path, number);
            used++;
        }
        if (st != KMV_OK)
            goto out;
    }
    if (ferror(f)) {
        st = kmv_fail(err, KMV_EIO, "%s: cannot be read", path);
        goto out;
    }
    *rows = out;
    *count = used;
    *torn = cut;
    out = NULL;
out:
    kmv_free(out);
    free(line);
    fclose(f);
    return st;
}

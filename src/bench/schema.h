/* bench/schema.h - rows described by a table of columns; TSV, JSON, Markdown, LaTeX, HDF5, help and
 * docs all come from it. */
#ifndef KMV_BENCH_SCHEMA_H
#define KMV_BENCH_SCHEMA_H

#include <stddef.h>
#include <stdio.h>

#include "kmv.h"

typedef enum {
    KMV_COL_TEXT, /* char[size] in the row */
    KMV_COL_REAL, /* double; NaN is an empty cell */
    KMV_COL_INT,  /* double holding an integer; NaN is an empty cell */
    KMV_COL_BOOL  /* double 1 or 0, written yes or no; NaN is an empty cell */
} kmv_column_type;

typedef struct {
    const char *name; /* NULL ends the table */
    const char *unit; /* "s", "bytes", "" */
    kmv_column_type type;
    size_t offset, size; /* of the field in the row */
    const char *help;    /* one line */
} kmv_column;

typedef struct {
    const kmv_column *columns;
    size_t row_size;
} kmv_schema;

/* Rows of a column table: the name of a column is the name of its field. */
#define KMV_COLUMN(row, field, unit, type, help)                                                   \
    {                                                                                              \
#field, unit, type, offsetof(row, field), sizeof(((row *)0)->field), help                  \
    }

/** Set every field to empty. */
void kmv_row_clear(const kmv_schema *schema, void *row);

/** The cell as text: reals with 12 significant digits, empty for NaN. Returns text. */
const char *kmv_cell_text(const kmv_column *column, const void *row, char *text, size_t size);

/** The column of that name, or NULL; and its number as a value: NaN for text and empty cells. */
const kmv_column *kmv_column_find(const kmv_schema *schema, const char *name);
double kmv_cell_value(const kmv_column *column, const void *row);

/** Store text into a text field (KMV_EINVAL when it is too long) or a number into any other. */
kmv_status kmv_cell_set(const kmv_column *column, void *row, const char *text, kmv_error *err);

/** One header line, one row; cells separated by tabs, ended by a newline. Tabs, newlines and
 *  backslashes in text are written \t, \n, \\. Return KMV_EIO when the stream fails. */
kmv_status kmv_tsv_header(const kmv_schema *schema, FILE *out, kmv_error *err);
kmv_status kmv_tsv_row(const kmv_schema *schema, const void *row, FILE *out, kmv_error *err);

/**
 * Read a TSV file: columns are matched by name, ones the schema does not know are an error, ones
 * the file lacks stay empty. A last line without newline (a torn write) is dropped and *torn set.
 * rows: kmv_alloc'ed array of row_size each; the caller frees it with kmv_free.
 */
kmv_status kmv_tsv_read(const kmv_schema *schema, const char *path, void **rows, size_t *count,
                        int *torn, kmv_error *err);

#endif

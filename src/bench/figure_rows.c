/* bench/figure_rows.c - rows that figures draw and no table has: errors by position, entries by
 * phase. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "bench/figure_parts.h"
#include "bench/verify.h"

enum { PHASES_MAX = 8 };

typedef struct {
    kmv_summary of; /* first, so that the columns of cases find their fields */
    double position, err_position;
    char phase[32];
    double entries;
} part_row;

static const kmv_column by_position[] = {
    KMV_COLUMN(part_row, position, "", KMV_COL_REAL, "row number in the middle of its part"),
    KMV_COLUMN(part_row, err_position, "", KMV_COL_REAL, "error of the rows of that part"),
    {0},
};

static const kmv_column by_phase[] = {
    KMV_COLUMN(part_row, phase, "", KMV_COL_TEXT, "phase of the method"),
    KMV_COLUMN(part_row, entries, "", KMV_COL_REAL, "kernel entries evaluated in it"),
    {0},
};

static size_t count_columns(const kmv_column *columns)
{
    size_t n = 0;

    while (columns[n].name != NULL)
        n++;
    return n;
}

kmv_column *kmv_figure_columns(const kmv_column *own, kmv_error *err)
{
    const size_t n_case = count_columns(kmv_summary_schema.columns), n_own = count_columns(own);
    kmv_column *columns = kmv_alloc(n_case + n_own + 1, sizeof *columns, "columns", err);

    if (columns != NULL) {
        memcpy(columns, kmv_summary_schema.columns, n_case * sizeof *columns);
        memcpy(columns + n_case, own, (n_own + 1) * sizeof *columns);
    }
    return columns;
}

/* The rows of one case; parts without a number keep an empty cell. */
static size_t positions(const kmv_summary *c, part_row *rows)
{
    const char *rest = c->pos_err;

    if (!(c->causal > 0))
        return 0;
    for (size_t p = 0; p < KMV_POSITIONS; p++) {
        char *end;
        const double v = strtod(rest, &end);

        rows[p].of = *c;
        rows[p].position = ((double)p + 0.5) / KMV_POSITIONS * c->n_q;
        rows[p].err_position = end > rest ? v : NAN;
        rest += strcspn(rest, " ");
        rest += *rest == ' ';
    }
    return KMV_POSITIONS;
}

static size_t phases(const kmv_summary *c, part_row *rows)
{
    const char *rest = c->phase_pairs;
    size_t count = 0;
    int read = 0;

    for (; count < PHASES_MAX &&
           sscanf(rest, "%31s %lf%n", rows[count].phase, &rows[count].entries, &read) == 2;
         count++) {
        rows[count].of = *c;
        rest += read;
    }
    return count;
}

kmv_status kmv_figure_expand(kmv_figure_source source, const kmv_summary *cases, size_t count,
                             kmv_schema *schema, void **rows, size_t *n_rows, kmv_error *err)
{
    const int positioned = source == KMV_FIGURE_POSITIONS;
    kmv_column *columns = kmv_figure_columns(positioned ? by_position : by_phase, err);
    part_row *out = kmv_alloc(count * (positioned ? (size_t)KMV_POSITIONS : (size_t)PHASES_MAX),
                              sizeof *out, "rows of parts", err);
    size_t used = 0;

    if (columns == NULL || out == NULL) {
        kmv_free(columns);
        kmv_free(out);
        return KMV_ENOMEM;
    }
    for (size_t i = 0; i < count; i++)
        used += positioned ? positions(&cases[i], out + used) : phases(&cases[i], out + used);
    *schema = (kmv_schema){columns, sizeof *out};
    *rows = out;
    *n_rows = used;
    return KMV_OK;
}

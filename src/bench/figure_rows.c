/* bench/figure_rows.c - rows that figures draw and no table has: errors by position. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "bench/figure_parts.h"
#include "bench/verify.h"

typedef struct {
    kmv_summary of; /* first, so that the columns of cases find their fields */
    double position, err_position;
} position_row;

static const kmv_column own[] = {
    KMV_COLUMN(position_row, position, "", KMV_COL_REAL, "row number in the middle of its part"),
    KMV_COLUMN(position_row, err_position, "", KMV_COL_REAL, "error of the rows of that part"),
    {0},
};

static size_t count_columns(const kmv_column *columns)
{
    size_t n = 0;

    while (columns[n].name != NULL)
        n++;
    return n;
}

/* The rows of one case; parts without a number keep an empty cell. */
static void expand(const kmv_summary *c, position_row *rows)
{
    const char *rest = c->pos_err;

    for (size_t p = 0; p < KMV_POSITIONS; p++) {
        char *end;
        const double v = strtod(rest, &end);

        rows[p].of = *c;
        rows[p].position = ((double)p + 0.5) / KMV_POSITIONS * c->n_q;
        rows[p].err_position = end > rest ? v : NAN;
        rest += strcspn(rest, " ");
        rest += *rest == ' ';
    }
}

kmv_status kmv_figure_positions(const kmv_summary *cases, size_t count, kmv_schema *schema,
                                void **rows, size_t *n_rows, kmv_error *err)
{
    const size_t n_case = count_columns(kmv_summary_schema.columns), n_own = count_columns(own);
    kmv_column *columns = kmv_alloc(n_case + n_own + 1, sizeof *columns, "columns", err);
    position_row *out = kmv_alloc(count * KMV_POSITIONS, sizeof *out, "rows by position", err);
    size_t used = 0;

    if (columns == NULL || out == NULL) {
        kmv_free(columns);
        kmv_free(out);
        return KMV_ENOMEM;
    }
    memcpy(columns, kmv_summary_schema.columns, n_case * sizeof *columns);
    memcpy(columns + n_case, own, (n_own + 1) * sizeof *columns);
    for (size_t i = 0; i < count; i++) {
        if (cases[i].causal > 0) {
            expand(&cases[i], out + used);
            used += KMV_POSITIONS;
        }
    }
    *schema = (kmv_schema){columns, sizeof *out};
    *rows = out;
    *n_rows = used;
    return KMV_OK;
}

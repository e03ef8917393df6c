/* bench/table_write.c - rows of any schema as TSV, Markdown, LaTeX or HTML. */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "base/status.h"
#include "base/str.h"
#include "bench/table.h"

static const char *const format_names[] = {"tsv", "md", "tex"};

kmv_status kmv_table_format_parse(const char *text, kmv_table_format *format, kmv_error *err)
{
    for (size_t i = 0; i < sizeof format_names / sizeof *format_names; i++) {
        if (strcmp(text, format_names[i]) == 0) {
            *format = (kmv_table_format)i;
            return KMV_OK;
        }
    }
    return kmv_fail(err, KMV_EINVAL, "--format: want tsv, md or tex, got '%s'", text);
}

/* What people read first, of whichever schema has it. */
static const char first_columns[] =
    "claim,source,text,measured_med,want,"
    "dataset,matrix,causal,center,n_q,d,sigma_spec,sigma,x_kind,algo,fastest,algo_opts,eps_judged,"
    "t_total_med_s,"
    "t_apply_med_s,speedup_total_med,speedup_apply_med,pairs_frac,err_l2_med,err_hi_max,null_err,"
    "meets_eps,trivial,problems,met,best_opts,settings,decades,verdict,reps,ok,reason,"
    "rows,sum_over_n,tail_over_head,nth_ratio,op_norm,alpha,alpha_sum,note,command";

static const char paper_columns[] =
    "source,text,measured_med,verdict,"
    "dataset,matrix,n_q,d,sigma_spec,algo,fastest,eps_judged,t_total_med_s,speedup_total_med,"
    "err_l2_med,meets_eps,sum_over_n,tail_over_head,alpha,alpha_sum";

kmv_status kmv_table_columns_parse(const kmv_schema *schema, const char *text,
                                   kmv_table_format format, kmv_table_columns *out, kmv_error *err)
{
    const int all = text != NULL ? strcmp(text, "all") == 0 : format == KMV_TABLE_TSV;
    const char *rest = text != NULL              ? text
                       : format == KMV_TABLE_TEX ? paper_columns
                                                 : first_columns;
    kmv_table_columns found = {.count = 0};
    const size_t max = sizeof found.columns / sizeof *found.columns;

    if (all) {
        for (const kmv_column *c = schema->columns; c->name != NULL && found.count < max; c++)
            found.columns[found.count++] = c;
        rest = NULL;
    }
    while (rest != NULL && found.count < max) {
        const size_t length = strcspn(rest, ",");
        const kmv_column *column;
        char name[64];

        snprintf(name, sizeof name, "%.*s", (int)length, rest);
        column = kmv_column_find(schema, kmv_trim(name));
        if (column != NULL)
            found.columns[found.count++] = column;
        else if (text != NULL)
            return kmv_fail(err, KMV_EINVAL, "--columns: no column '%s'", name);
        rest = rest[length] == ',' ? rest + length + 1 : NULL;
    }
    *out = found;
    return KMV_OK;
}

/* What stands for a character that the format would take for its own. */
static const char *escape(char c, kmv_table_format format)
{
    static const struct {
        char c;
        const char *md, *tex, *html;
    } table[] = {
        {'\\', "\\\\", "\\textbackslash{}", NULL},
        {'|', "\\|", "\\textbar{}", NULL},
        {'&', "&amp;", "\\&", "&amp;"},
        {'<', "&lt;", "\\textless{}", "&lt;"},
        {'>', "&gt;", "\\textgreater{}", "&gt;"},
        {'"', NULL, NULL, "&quot;"},
        {'%', NULL, "\\%", NULL},
        {'$', NULL, "\\$", NULL},
        {'#', NULL, "\\#", NULL},
        {'_', "\\_", "\\_", NULL},
        {'*', "\\*", NULL, NULL},
        {'`', "\\`", NULL, NULL},
        {'[', "\\[", "{[}", NULL}, /* after \\ a bracket would be its optional argument */
        {'{', NULL, "\\{", NULL},
        {'}', NULL, "\\}", NULL},
        {'~', NULL, "\\textasciitilde{}", NULL},
        {'^', NULL, "\\textasciicircum{}", NULL},
        {'\n', " ", " ", NULL},
        {'\t', " ", " ", NULL},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        if (table[i].c == c)
            return format == KMV_TABLE_MD    ? table[i].md
                   : format == KMV_TABLE_TEX ? table[i].tex
                                             : table[i].html;
    }
    return NULL;
}

void kmv_text_escaped(const char *text, kmv_table_format format, FILE *out)
{
    for (; *text != '\0'; text++) {
        const char *instead = escape(*text, format);

        if (instead != NULL)
            fputs(instead, out);
        else
            fputc(*text, out);
    }
}

/* The column with _med replaced by _lo or _hi, or with that at its end; NULL when there is none. */
static const kmv_column *companion(const kmv_schema *schema, const kmv_column *c, const char *end)
{
    const char *med = strstr(c->name, "_med");
    char name[64];

    if (med != NULL)
        snprintf(name, sizeof name, "%.*s%s%s", (int)(med - c->name), c->name, end, med + 4);
    else
        snprintf(name, sizeof name, "%s%s", c->name, end);
    return kmv_column_find(schema, name);
}

static void rounded(double v, char *text, size_t size)
{
    /* Three digits, without an exponent where the plain number is as short. */
    if (fabs(v) >= 999.5 && fabs(v) < 1e6)
        snprintf(text, size, "%.0f", v);
    else
        snprintf(text, size, "%.3g", v);
}

static void shown(const kmv_schema *schema, const kmv_column *c, const void *row, char *text,
                  size_t size)
{
    const kmv_column *lo = companion(schema, c, "_lo"), *hi = companion(schema, c, "_hi");
    const double v = kmv_cell_value(c, row);
    double l, h;
    char a[32], b[32], m[32];

    if (c->type != KMV_COL_REAL || isnan(v)) {
        kmv_cell_text(c, row, text, size);
        return;
    }
    rounded(v, m, sizeof m);
    l = lo != NULL && hi != NULL ? kmv_cell_value(lo, row) : NAN;
    h = lo != NULL && hi != NULL ? kmv_cell_value(hi, row) : NAN;
    if (isnan(l) || isnan(h) || (l == v && h == v)) {
        snprintf(text, size, "%s", m);
        return;
    }
    rounded(l, a, sizeof a);
    rounded(h, b, sizeof b);
    snprintf(text, size, "%s [%s, %s]", m, a, b);
}

/* How a format begins and ends a table, a row and a cell. */
static const struct {
    const char *cell[2], *head_cell[2], *between, *row[2];
} marks[] = {
    [KMV_TABLE_MD] = {{"", ""}, {"", ""}, " | ", {"| ", " |\n"}},
    [KMV_TABLE_TEX] = {{"", ""}, {"", ""}, " & ", {"", " \\\\\n"}},
    [KMV_TABLE_HTML] = {{"<td>", "</td>"}, {"<th>", "</th>"}, "", {"<tr>", "</tr>\n"}},
};

/* Text that is broken into lines where a page can. */
enum { LONG_TEXT = 48 };

static void put_head_cell(const kmv_column *c, kmv_table_format format, FILE *out)
{
    const char *med = strstr(c->name, "_med");
    char name[128];

    /* In these formats the cell holds the interval too, and the unit stands apart. */
    snprintf(name, sizeof name, "%.*s%s", med != NULL ? (int)(med - c->name) : 64, c->name,
             med != NULL ? med + 4 : "");
    if (c->unit[0] == 's' && c->unit[1] == '\0' && strlen(name) > 2)
        name[strlen(name) - 2] = '\0';
    kmv_text_escaped(name, format, out);
    if (c->unit[0] != '\0') {
        fputs(format == KMV_TABLE_TEX ? " {[}" : format == KMV_TABLE_MD ? " \\[" : " [", out);
        fputs(c->unit, out);
        fputc(']', out);
    }
}

static void put_head(const kmv_table_columns *columns, kmv_table_format format, FILE *out)
{
    if (format == KMV_TABLE_TEX) {
        fputs("\\begin{tabular}{", out);
        for (size_t c = 0; c < columns->count; c++)
            fputc(columns->columns[c]->type == KMV_COL_TEXT ? 'l' : 'r', out);
        fputs("}\n\\toprule\n", out);
    } else if (format == KMV_TABLE_HTML) {
        fputs("<div class=\"wide\"><table>\n<thead>", out);
    }
    fputs(marks[format].row[0], out);
    for (size_t c = 0; c < columns->count; c++) {
        fputs(c > 0 ? marks[format].between : "", out);
        fputs(marks[format].head_cell[0], out);
        put_head_cell(columns->columns[c], format, out);
        fputs(marks[format].head_cell[1], out);
    }
    fputs(marks[format].row[1], out);
    if (format == KMV_TABLE_TEX) {
        fputs("\\midrule\n", out);
    } else if (format == KMV_TABLE_HTML) {
        fputs("</thead>\n<tbody>\n", out);
    } else {
        for (size_t c = 0; c < columns->count; c++)
            fputs(columns->columns[c]->type == KMV_COL_TEXT ? "|---" : "|---:", out);
        fputs("|\n", out);
    }
}

static void put_row(const kmv_schema *schema, const kmv_table_columns *columns, const void *row,
                    kmv_table_format format, FILE *out)
{
    fputs(marks[format].row[0], out);
    for (size_t c = 0; c < columns->count; c++) {
        char text[1024];

        shown(schema, columns->columns[c], row, text, sizeof text);
        fputs(c > 0 ? marks[format].between : "", out);
        if (format == KMV_TABLE_HTML && strlen(text) > LONG_TEXT)
            fputs("<td class=\"long\">", out);
        else
            fputs(marks[format].cell[0], out);
        if (*text == '\0')
            fputs(format == KMV_TABLE_TEX ? "--" : format == KMV_TABLE_MD ? "-" : "", out);
        kmv_text_escaped(text, format, out);
        fputs(marks[format].cell[1], out);
    }
    fputs(marks[format].row[1], out);
}

static kmv_status write_tsv(const kmv_schema *schema, const kmv_table_columns *columns,
                            const void *rows, size_t count, FILE *out, kmv_error *err)
{
    kmv_column chosen[sizeof columns->columns / sizeof *columns->columns + 1] = {{0}};
    const kmv_schema narrow = {chosen, schema->row_size};
    kmv_status st;

    for (size_t c = 0; c < columns->count; c++)
        chosen[c] = *columns->columns[c];
    st = kmv_tsv_header(&narrow, out, err);
    for (size_t i = 0; i < count && st == KMV_OK; i++)
        st = kmv_tsv_row(&narrow, (const char *)rows + i * schema->row_size, out, err);
    return st;
}

kmv_status kmv_table_write(const kmv_schema *schema, const kmv_table_columns *columns,
                           const void *rows, size_t count, kmv_table_format format, FILE *out,
                           kmv_error *err)
{
    if (format == KMV_TABLE_TSV)
        return write_tsv(schema, columns, rows, count, out, err);
    put_head(columns, format, out);
    for (size_t i = 0; i < count; i++)
        put_row(schema, columns, (const char *)rows + i * schema->row_size, format, out);
    if (format == KMV_TABLE_TEX)
        fputs("\\bottomrule\n\\end{tabular}\n", out);
    else if (format == KMV_TABLE_HTML)
        fputs("</tbody></table></div>\n", out);
    if (ferror(out))
        return kmv_fail(err, KMV_EIO, "writing a table: %s", strerror(errno));
    return KMV_OK;
}

/* bench/report.c - the report, once for HTML and Markdown. */
#include "bench/report.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/status.h"
#include "base/str.h"
#include "bench/claim.h"
#include "bench/methods.h"
#include "bench/report_svg.h"

/* Where the report goes; every part below says what it is and this says how it looks. */
typedef struct {
    FILE *out;
    kmv_table_format format;
    int beside; /* the report stands in the results folder, so links can be relative */
} page;

static int html(const page *p)
{
    return p->format == KMV_TABLE_HTML;
}

static void heading(const page *p, int level, const char *text)
{
    if (html(p))
        fprintf(p->out, "<h%d>", level);
    else
        fprintf(p->out, "%.*s ", level, "####");
    kmv_text_escaped(text, p->format, p->out);
    if (html(p))
        fprintf(p->out, "</h%d>\n", level);
    else
        fputs("\n\n", p->out);
}

static void paragraph(const page *p, const char *text)
{
    fputs(html(p) ? "<p>" : "", p->out);
    kmv_text_escaped(text, p->format, p->out);
    fputs(html(p) ? "</p>\n" : "\n\n", p->out);
}

static void list(const page *p, int begin)
{
    if (html(p))
        fputs(begin ? "<ul>\n" : "</ul>\n", p->out);
    else if (!begin)
        fputc('\n', p->out);
}

static void item(const page *p, const char *text)
{
    fputs(html(p) ? "<li>" : "- ", p->out);
    kmv_text_escaped(text, p->format, p->out);
    fputs(html(p) ? "</li>\n" : "\n", p->out);
}

static void code(const page *p, const char *text)
{
    fputs(html(p) ? "<pre>" : "```\n", p->out);
    if (html(p))
        kmv_text_escaped(text, p->format, p->out);
    else
        fputs(text, p->out);
    fputs(html(p) ? "</pre>\n" : "\n```\n\n", p->out);
}

static void fold(const page *p, const char *summary)
{
    if (!html(p)) {
        paragraph(p, summary);
        return;
    }
    fputs("<details><summary>", p->out);
    kmv_text_escaped(summary, p->format, p->out);
    fputs("</summary>\n", p->out);
}

static void unfold(const page *p)
{
    fputs(html(p) ? "</details>\n" : "", p->out);
}

/* Columns that say the same in every row are said once, in a sentence before the table. */
static void table(const page *p, const kmv_schema *schema, const char *names, const void *rows,
                  size_t count)
{
    kmv_table_columns all, kept = {.count = 0};
    char same[1024] = "", first[1024], other[1024];
    size_t used = 0;

    if (kmv_table_columns_parse(schema, names, KMV_TABLE_MD, &all, NULL) != KMV_OK || count == 0)
        return;
    for (size_t c = 0; c < all.count; c++) {
        int differs = count == 1;

        kmv_cell_text(all.columns[c], rows, first, sizeof first);
        for (size_t i = 1; i < count && !differs; i++)
            differs = strcmp(first, kmv_cell_text(all.columns[c],
                                                  (const char *)rows + i * schema->row_size, other,
                                                  sizeof other)) != 0;
        if (differs)
            kept.columns[kept.count++] = all.columns[c];
        else if (*first != '\0' && used < sizeof same)
            used +=
                (size_t)snprintf(same + used, sizeof same - used, "%s%s %s",
                                 used > 0 ? ", " : "In every row: ", all.columns[c]->name, first);
    }
    if (used > 0)
        paragraph(p, same);
    kmv_table_write(schema, &kept, rows, count, p->format, p->out, NULL);
    fputs(html(p) ? "" : "\n", p->out);
}

static const char style[] =
    "<style>\n"
    "body{font:16px/1.5 system-ui,sans-serif;color:#111;background:#fff;margin:0 auto;"
    "max-width:72rem;padding:1rem}\n"
    "h1{font-size:1.6rem;line-height:1.2}h2{font-size:1.25rem;margin-top:2rem;"
    "border-bottom:1px solid #ccc}h3{font-size:1.05rem}\n"
    ".wide{overflow-x:auto}table{border-collapse:collapse;font-size:.82rem}\n"
    "th,td{padding:.2rem .6rem;text-align:left;border-bottom:1px solid #ddd;"
    "white-space:nowrap}td.long{white-space:normal;min-width:16rem}thead th{border-bottom:2px "
    "solid #111;vertical-align:bottom}\n"
    "pre{background:#f4f4f4;padding:.5rem;overflow-x:auto;font-size:.85rem}\n"
    "figure{margin:1rem 0}figure svg{display:block;width:100%;height:auto}\n"
    "figcaption{font-size:.9rem;color:#222}details{margin:.5rem 0}"
    "summary{cursor:pointer;font-weight:600}\n"
    "li{overflow-wrap:anywhere}\n"
    "@media print{body{font-size:10pt;max-width:none}details>*{display:block}"
    "figure,tr{break-inside:avoid}.wide{overflow:visible}table{font-size:6.5pt}"
    "th,td{white-space:normal;padding:1pt 3pt}}\n"
    "</style>\n";

static void page_begin(const page *p, const char *title)
{
    if (html(p)) {
        fputs("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
              "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>",
              p->out);
        kmv_text_escaped(title, p->format, p->out);
        fprintf(p->out, "</title>\n%s</head><body>\n", style);
    }
    heading(p, 1, title);
}

static const char *title_of(const kmv_results *r)
{
    return r->config.title[0] != '\0'  ? r->config.title
           : r->config.name[0] != '\0' ? r->config.name
                                       : kmv_results_fact(r, "title", r->dir);
}

/* A folder that another program made says by which command. */
static const char *command(const kmv_results *r, char *text, size_t size)
{
    char config[1400], dir[1400];
    const char *given = kmv_results_fact(r, "command", NULL);

    if (given != NULL)
        return given;
    snprintf(text, size, "kmv run %s -o %s",
             kmv_shell_word(kmv_results_fact(r, "config", "config.ini"), config, sizeof config),
             kmv_shell_word(r->dir, dir, sizeof dir));
    return text;
}

/* The winner rows with a new n, one sentence each, then all of them as a table. */
static kmv_status who_wins(const page *p, const kmv_results *r, kmv_error *err)
{
    kmv_winner *winners = NULL;
    size_t count = 0;
    char text[512];
    kmv_status st = kmv_winners_make(r->judged, r->n_judged, &winners, &count, err);

    if (st != KMV_OK || count == 0)
        goto out;
    heading(p, 2, "Who wins where");
    paragraph(p, "Against each error asked: the algorithm with the least time, set-up and one "
                 "product together, among those whose error met it in every repetition, up to the "
                 "upper end of its interval. Where answering 0 would have met it too, the product "
                 "is trivial and counts for nobody.");
    list(p, 1);
    for (size_t i = 0; i < count; i++) {
        int is_new = 1;

        for (size_t k = 0; k < i && is_new; k++)
            is_new = winners[k].n_q != winners[i].n_q;
        if (is_new)
            item(p, kmv_winners_sentence(winners, count, i, text, sizeof text));
    }
    list(p, 0);
    fold(p, "The fastest algorithm for each product and error asked");
    table(p, &kmv_winner_schema,
          "dataset,matrix,causal,center,n_q,d,sigma_spec,x_kind,threads,eps_judged,fastest,"
          "algo_opts,t_total_med_s,speedup_total_med,err_hi_max,null_err,verdict",
          winners, count);
    unfold(p);
out:
    kmv_free(winners);
    return st;
}

/* Only where some method was tried at several settings is there a best one. */
static kmv_status methods(const page *p, const kmv_results *r, kmv_error *err)
{
    kmv_method_row *rows = NULL;
    size_t count = 0;
    int several = 0;
    kmv_status st = kmv_methods_make(r->judged, r->n_judged, &rows, &count, err);

    for (size_t i = 0; i < count; i++)
        several |= rows[i].settings > 1;
    if (st != KMV_OK || !several)
        goto out;
    heading(p, 2, "Every method at its best setting");
    paragraph(p,
              "On each data set a method's best setting is the one with the least time, set-up "
              "included, among those whose error met the eps in every repetition; the speed-up is "
              "the median over the data sets where there is one, with the worst and the best of "
              "them. Where the best is the cheapest or the dearest setting tried, the sweep may "
              "be too small on that side.");
    table(p, &kmv_method_schema,
          "matrix,causal,n_q,n_k,x_kind,eps_judged,algo,problems,met,speedup_total_med,"
          "speedup_apply_med,pairs_frac,err_hi_max,best_opts,settings,decades,at_least,at_most,"
          "verdict",
          rows, count);
out:
    kmv_free(rows);
    return st;
}

static kmv_status claims(const page *p, const kmv_results *r, kmv_error *err)
{
    kmv_claim_row *rows = NULL;
    size_t count = 0;
    kmv_status st;

    if (r->config.n_claims == 0)
        return KMV_OK;
    if ((st = kmv_claims_make(r, &rows, &count, err)) != KMV_OK)
        return st;
    heading(p, 2, "Claims");
    paragraph(p, "What sources say, and what this run measured: the median with its 95 % interval, "
                 "of one case over its repetitions, of several over the cases. The verdict is by "
                 "the measured value; a claim that fails here is a result.");
    table(p, &kmv_claim_schema, "claim,source,text,command,column,measured_med,want,verdict,note",
          rows, count);
    kmv_free(rows);
    return KMV_OK;
}

static kmv_status figure(const page *p, const kmv_results *r, size_t number,
                         const kmv_figure_outcome *outcome, size_t unique, kmv_error *err)
{
    const kmv_config_figure *f = &r->config.figures[number];
    const kmv_figure_kind *kind = kmv_figure_kind_find(kmv_figure_value(f, "kind", ""));
    const char *title = kmv_figure_value(f, "title", f->name);
    char text[1800], dir[1400], name[200];
    kmv_status st = KMV_OK;

    heading(p, 3, title);
    if (outcome->drawn && html(p)) {
        fputs("<figure>\n", p->out);
        snprintf(text, sizeof text, "%s/plots/%s.svg", r->dir, f->name);
        if ((st = kmv_report_svg(text, unique, p->out, err)) != KMV_OK)
            return st;
        fputs("</figure>\n", p->out);
    } else if (outcome->drawn) {
        char folder[PATH_MAX] = "";

        if (!p->beside && realpath(r->dir, folder) != NULL)
            strncat(folder, "/", sizeof folder - strlen(folder) - 1);
        fprintf(p->out, "![%s](<%splots/%s.svg>)\n\n", f->name, folder, f->name);
    }
    snprintf(text, sizeof text, "Figure %s: %s. %s; %zu points in %zu curves. %s", f->name,
             kind->summary,
             kind->source == KMV_FIGURE_POOLED
                 ? "Points are medians over data sets of the medians over repetitions, bars the "
                   "quartiles over data sets"
             : kind->source != KMV_FIGURE_MEASURE
                 ? "Points are medians over repetitions, bars the 95 % bootstrap interval of the "
                   "median"
                 : "Points are single measurements, bars their 95 % interval where only rows were "
                   "sampled; exponents are fitted over n",
             outcome->points, outcome->series, outcome->note);
    paragraph(p, text);
    snprintf(text, sizeof text, "kmv plot %s --figure %s", kmv_shell_word(r->dir, dir, sizeof dir),
             kmv_shell_word(f->name, name, sizeof name));
    code(p, text);
    return KMV_OK;
}

static kmv_status not_ok(const page *p, const kmv_results *r, kmv_error *err)
{
    kmv_summary *some = kmv_alloc(r->n_cases, sizeof *some, "cases that are not ok", err);
    char text[256];
    size_t count = 0;

    if (some == NULL)
        return KMV_ENOMEM;
    for (size_t i = 0; i < r->n_cases; i++) {
        if (!(r->cases[i].ok == r->cases[i].reps))
            some[count++] = r->cases[i];
    }
    heading(p, 2, "Cases that are not ok");
    snprintf(text, sizeof text, "%zu of %zu cases have a repetition that is not ok.", count,
             r->n_cases);
    if (count == 0) {
        paragraph(p, text);
    } else {
        fold(p, text);
        table(
            p, &kmv_summary_schema,
            "dataset,matrix,causal,center,n_q,d,sigma_spec,x_kind,algo,algo_opts,eps,threads,reps,"
            "ok,fail_eps,skipped,timeout,oom,error,err_l2_max,reason",
            some, count);
        unfold(p);
    }
    kmv_free(some);
    return KMV_OK;
}

static void machine(const page *p, const kmv_results *r)
{
    char text[3000];

    heading(p, 2, "Machine and what was run");
    code(p, command(r, text, sizeof text));
    list(p, 1);
    for (size_t i = 0; i < r->n_facts; i++) {
        snprintf(text, sizeof text, "%s: %s", r->facts[i].name, r->facts[i].value);
        item(p, text);
    }
    list(p, 0);
    if (r->torn)
        paragraph(p, "The last row was torn by an interruption and is left out; a rerun makes it "
                     "again.");
    if (r->config.text != NULL) {
        fold(p, "The configuration");
        code(p, r->config.text);
        unfold(p);
    }
}

static kmv_status experiment(const page *p, const kmv_results *r,
                             const kmv_figure_outcome *outcomes, size_t *unique, kmv_error *err)
{
    char lines[KMV_HEADLINES][KMV_HEADLINE_SIZE];
    kmv_status st = kmv_report_headline(r, lines, err);

    if (st != KMV_OK)
        return st;
    list(p, 1);
    for (size_t i = 0; i < KMV_HEADLINES; i++)
        item(p, lines[i]);
    list(p, 0);
    if (r->incomplete)
        paragraph(p, "This folder does not hold all cases of its configuration yet (a run with "
                     "--filter, or one that was interrupted).");
    if ((st = claims(p, r, err)) != KMV_OK || (st = who_wins(p, r, err)) != KMV_OK ||
        (st = methods(p, r, err)) != KMV_OK)
        return st;
    if (r->config.n_figures > 0)
        heading(p, 2, "Figures");
    for (size_t i = 0; i < r->config.n_figures; i++) {
        if ((st = figure(p, r, i, &outcomes[i], ++*unique, err)) != KMV_OK)
            return st;
    }
    if (r->n_measures > 0) {
        heading(p, 2, "The assumption");
        paragraph(p, "head: sum of the n largest entries of the matrix; tail: the rest. The "
                     "sub-quadratic bounds assume tail <= c head with c constant in n, or sum/n "
                     "constant; alpha is the exponent with which the ratio grows over n, alpha_sum "
                     "that of sum/n.");
        fold(p, "All rows of the assumption");
        table(p, &kmv_measure_schema, NULL, r->measures, r->n_measures);
        unfold(p);
    }
    if (r->n_cases > 0) {
        heading(p, 2, "All cases");
        paragraph(p, "t_total: set-up and one product, median with its 95 % interval over the "
                     "repetitions; speedup: time of exact over time, paired by repetition; "
                     "err_l2: |y - Kx| / |x|; null_err: the error of answering 0; trivial: that "
                     "already meets eps.");
        fold(p, "Table of all cases");
        table(p, &kmv_summary_schema, NULL, r->judged, r->n_judged);
        unfold(p);
        if ((st = not_ok(p, r, err)) != KMV_OK)
            return st;
    }
    machine(p, r);
    return KMV_OK;
}

kmv_status kmv_report_make(const kmv_results *results, size_t count,
                           kmv_figure_outcome *const *outcomes, kmv_table_format format, int beside,
                           FILE *out, kmv_error *err)
{
    const page p = {out, format, beside};
    size_t unique = 0;
    kmv_status st = KMV_OK;

    page_begin(&p, title_of(&results[0]));
    for (size_t i = 0; i < count && st == KMV_OK; i++) {
        if (i > 0)
            heading(&p, 1, title_of(&results[i]));
        st = experiment(&p, &results[i], outcomes[i], &unique, err);
    }
    if (html(&p))
        fputs("</body></html>\n", out);
    if (st == KMV_OK && ferror(out))
        return kmv_fail(err, KMV_EIO, "writing the report: the disk may be full");
    return st;
}

static kmv_status write_as(const kmv_results *results, size_t count,
                           kmv_figure_outcome *const *outcomes, kmv_table_format format,
                           const char *base, int beside, kmv_error *err)
{
    kmv_new_file f;
    kmv_status st =
        kmv_new_file_open(&f, err, "%s.%s", base, format == KMV_TABLE_HTML ? "html" : "md");

    if (st != KMV_OK)
        return st;
    st = kmv_report_make(results, count, outcomes, format, beside, f.out, err);
    return kmv_new_file_commit(&f, st, err);
}

kmv_status kmv_report_write(const kmv_results *results, size_t count, const char *base,
                            kmv_error *err)
{
    kmv_figure_outcome **outcomes = kmv_alloc(count, sizeof *outcomes, "figures", err);
    char path[1024];
    kmv_status st = KMV_OK, drawing = KMV_OK;
    kmv_error undrawn = {""};

    if (outcomes == NULL)
        return KMV_ENOMEM;
    if (base == NULL && count > 1) {
        st = kmv_fail(err, KMV_EINVAL, "a report of several folders: want -o BASE");
        goto out;
    }
    snprintf(path, sizeof path, "%s%s", base != NULL ? base : results[0].dir,
             base != NULL ? "" : "/report");
    for (size_t i = 0; i < count; i++) {
        outcomes[i] =
            kmv_alloc(results[i].config.n_figures, sizeof **outcomes, "figures of a report", err);
        if (outcomes[i] == NULL) {
            st = KMV_ENOMEM;
            goto out;
        }
        /* One figure that fails takes nothing else with it: the report says so in its place. */
        st = kmv_figures_draw(&results[i], outcomes[i], drawing == KMV_OK ? &undrawn : NULL);
        if (drawing == KMV_OK)
            drawing = st;
    }
    if ((st = write_as(results, count, outcomes, KMV_TABLE_HTML, path, base == NULL, err)) ==
        KMV_OK)
        st = write_as(results, count, outcomes, KMV_TABLE_MD, path, base == NULL, err);
    if (st == KMV_OK && drawing != KMV_OK)
        st = kmv_fail(err, drawing, "%s", undrawn.text);
out:
    for (size_t i = 0; i < count; i++)
        kmv_free(outcomes[i]);
    kmv_free(outcomes);
    return st;
}

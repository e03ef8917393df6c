/* bench/report.h - what a run found, as one page of HTML, as Markdown, and in three lines. */
#ifndef KMV_BENCH_REPORT_H
#define KMV_BENCH_REPORT_H

#include "bench/figure.h"

enum { KMV_HEADLINES = 3, KMV_HEADLINE_SIZE = 512 };

/**
 * The three numbers of an experiment, each one line with what it is about:
 * 1 the largest speed-up over `exact`, preparation included, among cases that met an eps for sure
 *   (the upper end of the error's interval too) and for which answering 0 would not have; or that
 *   exact is the fastest of all;
 * 2 the assumption: median tail/head over the data sets from files (without any, over all data
 *   sets) at the largest n, and the median of its growth exponents;
 * 3 the best throughput of `exact`: entries per second and GFLOP/s, 2 d flops an entry.
 * A line whose rows are missing says so. KMV_ENOMEM.
 */
kmv_status kmv_report_headline(const kmv_results *results,
                               char lines[KMV_HEADLINES][KMV_HEADLINE_SIZE], kmv_error *err);

/** One product and eps: the fastest algorithm that met it, and what that says. */
typedef struct {
    char dataset[128], matrix[12];
    double causal;
    char center[8];
    double n_q, d;
    char sigma_spec[32], x_kind[32];
    double threads, eps_judged;
    char fastest[32], algo_opts[256];
    double t_total_med_s, t_total_lo_s, t_total_hi_s;
    double speedup_total_med, speedup_total_lo, speedup_total_hi;
    double err_hi_max, null_err, trivial, ok;
    char verdict[96];
} kmv_winner;
extern const kmv_schema kmv_winner_schema;

/** Every product that `exact` did, against each eps: the algorithm with the least time, preparation
 *  included, among those (but `null`) whose error met eps for sure. *winners: kmv_alloc'ed. */
kmv_status kmv_winners_make(const kmv_summary *judged, size_t count, kmv_winner **winners,
                            size_t *n_winners, kmv_error *err);

/** Whether every repetition met the eps it is judged by, up to the upper end of the interval of its
 *  error; `null` never does. */
int kmv_met_for_sure(const kmv_summary *c);

/** Whether two cases answer the same question: equal but for the algorithm, its options and its
 *  eps, and judged by the same eps. */
int kmv_same_question(const kmv_summary *a, const kmv_summary *of);
/** The same of data sets that may differ. */
int kmv_same_question_elsewhere(const kmv_summary *a, const kmv_summary *of);

/** "n = 8192: exact is the fastest in 3 of 9 products; else importance, up to 5.2x (...)": one
 *  sentence for the n at winners[at], which must be the first with that n. Returns text. */
const char *kmv_winners_sentence(const kmv_winner *winners, size_t count, size_t at, char *text,
                                 size_t size);

/**
 * The report: headlines, figures with the command that redraws each, who wins where, tables, every
 * case that is not ok with its reason, machine and configuration. outcomes[i]: one per figure of
 * results[i], as kmv_figures_draw filled them. format KMV_TABLE_HTML gives one page that needs
 * nothing outside of itself (no script, style sheet, picture or font; figures are read from
 * DIR/plots/NAME.svg and stand in it); KMV_TABLE_MD links to them instead, by plots/NAME.svg when
 * the report stands beside that folder, else by the whole path.
 */
kmv_status kmv_report_make(const kmv_results *results, size_t count,
                           kmv_figure_outcome *const *outcomes, kmv_table_format format, int beside,
                           FILE *out, kmv_error *err);

/** Draw all figures of the folders, then write BASE.html and BASE.md (base NULL: DIR/report of the
 *  only folder). */
kmv_status kmv_report_write(const kmv_results *results, size_t count, const char *base,
                            kmv_error *err);

#endif

/* bench/results.h - a folder of results: what was written while running, read back; and everything
 * that is made of it afterwards. */
#ifndef KMV_BENCH_RESULTS_H
#define KMV_BENCH_RESULTS_H

#include <stdio.h>

#include "base/replace.h"
#include "bench/config.h"
#include "bench/measure.h"
#include "bench/record.h"
#include "bench/table.h"

/** One line name<TAB>value of DIR/provenance.tsv: machine, compiler, versions, hashes. */
typedef struct {
    char name[64], value[1024];
} kmv_fact;

/** Contents of DIR. Owns its arrays. */
typedef struct {
    char dir[512];
    kmv_record *records; /* raw.tsv */
    size_t n_records;
    kmv_measure_row *measures; /* measure.tsv; none where the file is absent */
    size_t n_measures;
    kmv_fact *facts; /* provenance.tsv; none where the file is absent */
    size_t n_facts;
    kmv_config config;  /* config.ini: the experiment; path is "" where the file is absent */
    kmv_summary *cases; /* one per case (table.h, without judging) */
    size_t n_cases;
    kmv_summary *judged; /* one per case and eps */
    size_t n_judged;
    int torn;       /* a last line without end was dropped */
    int incomplete; /* cases of the config have no rows yet: filtered or interrupted */
} kmv_results;

/** Read a results folder. KMV_EIO when DIR has neither raw.tsv nor measure.tsv. */
kmv_status kmv_results_read(const char *dir, kmv_results *out, kmv_error *err);
void kmv_results_clear(kmv_results *results);

/** The value of a fact, or fallback. */
const char *kmv_results_fact(const kmv_results *results, const char *name, const char *fallback);

/**
 * Everything after a run: agg/, tables/ (tsv, md, tex), plots/ (svg, pdf, png), results.h5 (the
 * tables `raw` and `measure`, with the facts as attributes), report.html, report.md. Each file is
 * written under a temporary name and renamed. Where the working directory has a folder plots/, its
 * link `latest` then leads to DIR/plots.
 */
kmv_status kmv_results_write(const char *dir, kmv_error *err);

/** The parts of it: tables/, results.h5. */
kmv_status kmv_results_write_tables(const kmv_results *results, kmv_error *err);
kmv_status kmv_results_write_h5(const kmv_results *results, kmv_error *err);

/** A file that appears under its name only when it is complete: open a temporary one beside
 *  it; then close and rename that (status KMV_OK) or remove it (any other). See base/replace.h for
 *  links and for what is no regular file. commit returns status, or KMV_EIO when the disk was full.
 */
typedef struct {
    kmv_replacement file;
    FILE *out;
} kmv_new_file;
kmv_status kmv_new_file_open(kmv_new_file *f, kmv_error *err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
kmv_status kmv_new_file_commit(kmv_new_file *f, kmv_status status, kmv_error *err);

/** Make a folder; one that is there already is fine. */
kmv_status kmv_folder_make(const char *path, kmv_error *err);

#endif

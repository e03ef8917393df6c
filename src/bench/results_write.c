/* bench/results_write.c - everything that is made after a run. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/status.h"
#include "bench/claim.h"
#include "bench/methods.h"
#include "bench/report.h"
#include "data/h5io.h"

static const struct {
    kmv_table_format format;
    const char *ending;
} formats[] = {{KMV_TABLE_TSV, "tsv"}, {KMV_TABLE_MD, "md"}, {KMV_TABLE_TEX, "tex"}};

/* One table in all formats. */
static kmv_status write_table(const char *dir, const char *name, const kmv_schema *schema,
                              const void *rows, size_t count, kmv_error *err)
{
    kmv_status st = KMV_OK;

    for (size_t i = 0; i < sizeof formats / sizeof *formats && st == KMV_OK && count > 0; i++) {
        kmv_table_columns columns;
        kmv_new_file f;

        st = kmv_table_columns_parse(schema, NULL, formats[i].format, &columns, err);
        if (st != KMV_OK)
            return st;
        st = kmv_new_file_open(&f, err, "%s/tables/%s.%s", dir, name, formats[i].ending);
        if (st != KMV_OK)
            return st;
        st = kmv_table_write(schema, &columns, rows, count, formats[i].format, f.out, err);
        st = kmv_new_file_commit(&f, st, err);
    }
    return st;
}

kmv_status kmv_results_write_tables(const kmv_results *r, kmv_error *err)
{
    kmv_winner *winners = NULL;
    kmv_claim_row *claims = NULL;
    kmv_method_row *methods = NULL;
    size_t n_winners = 0, n_claims = 0, n_methods = 0;
    char folder[1024];
    kmv_status st;

    snprintf(folder, sizeof folder, "%s/tables", r->dir);
    if ((st = kmv_folder_make(folder, err)) != KMV_OK ||
        (st = kmv_winners_make(r->judged, r->n_judged, &winners, &n_winners, err)) != KMV_OK ||
        (st = kmv_methods_make(r->judged, r->n_judged, &methods, &n_methods, err)) != KMV_OK ||
        (st = kmv_claims_make(r, &claims, &n_claims, err)) != KMV_OK)
        goto out;
    if ((st = write_table(r->dir, "cases", &kmv_summary_schema, r->judged, r->n_judged, err)) ==
            KMV_OK &&
        (st = write_table(r->dir, "fastest", &kmv_winner_schema, winners, n_winners, err)) ==
            KMV_OK &&
        (st = write_table(r->dir, "methods", &kmv_method_schema, methods, n_methods, err)) ==
            KMV_OK &&
        (st = write_table(r->dir, "assumption", &kmv_measure_schema, r->measures, r->n_measures,
                          err)) == KMV_OK)
        st = write_table(r->dir, "claims", &kmv_claim_schema, claims, n_claims, err);
out:
    kmv_free(claims);
    kmv_free(methods);
    kmv_free(winners);
    return st;
}

enum { MAX_FIELDS = 128, MAX_FACTS = 64 };

static kmv_status write_h5_table(const char *path, const char *name, const kmv_schema *schema,
                                 const void *rows, size_t count, const kmv_attribute *attributes,
                                 kmv_error *err)
{
    kmv_h5_field fields[MAX_FIELDS];
    size_t n = 0;

    for (const kmv_column *c = schema->columns; c->name != NULL && n < MAX_FIELDS; c++)
        fields[n++] = (kmv_h5_field){c->name, c->type == KMV_COL_TEXT, c->offset, c->size};
    return kmv_h5_write_table(path, name, fields, n, rows, count, schema->row_size, attributes,
                              err);
}

kmv_status kmv_results_write_h5(const kmv_results *r, kmv_error *err)
{
    kmv_attribute attributes[MAX_FACTS + 1] = {{0}};
    char path[1024], temporary[1040];
    kmv_status st = KMV_OK;

    for (size_t i = 0; i < r->n_facts && i < MAX_FACTS; i++)
        attributes[i] = (kmv_attribute){.name = r->facts[i].name, .text = r->facts[i].value};
    snprintf(path, sizeof path, "%s/results.h5", r->dir);
    snprintf(temporary, sizeof temporary, "%s.new", path);
    unlink(temporary);
    if (r->n_records > 0)
        st = write_h5_table(temporary, "raw", &kmv_record_schema, r->records, r->n_records,
                            attributes, err);
    if (st == KMV_OK && r->n_measures > 0)
        st = write_h5_table(temporary, "measure", &kmv_measure_schema, r->measures, r->n_measures,
                            attributes, err);
    if (st == KMV_OK && r->n_records + r->n_measures > 0 && rename(temporary, path) != 0)
        st = kmv_fail(err, KMV_EIO, "%s: cannot be written: %s", path, strerror(errno));
    if (st != KMV_OK)
        unlink(temporary);
    return st;
}

/* plots/latest of the working directory leads to the newest figures; a file of that name that is
 * no link is left alone. */
static kmv_status link_latest(const char *dir, kmv_error *err)
{
    static const char latest[] = "plots/latest", fresh[] = "plots/latest.tmp";
    char target[PATH_MAX], plots[1024];
    struct stat about;

    snprintf(plots, sizeof plots, "%s/plots", dir);
    if (stat("plots", &about) != 0 || !S_ISDIR(about.st_mode) || realpath(plots, target) == NULL ||
        (lstat(latest, &about) == 0 && !S_ISLNK(about.st_mode)))
        return KMV_OK;
    unlink(fresh);
    if (symlink(target, fresh) != 0 || rename(fresh, latest) != 0)
        return kmv_fail(err, KMV_EIO, "%s: cannot be made: %s", latest, strerror(errno));
    return KMV_OK;
}

kmv_status kmv_results_write(const char *dir, kmv_error *err)
{
    kmv_results r;
    kmv_status st = kmv_results_read(dir, &r, err);

    if (st != KMV_OK)
        return st;
    if ((st = kmv_results_write_tables(&r, err)) == KMV_OK &&
        (st = kmv_results_write_h5(&r, err)) == KMV_OK &&
        (st = kmv_report_write(&r, 1, NULL, err)) == KMV_OK)
        st = link_latest(dir, err);
    kmv_results_clear(&r);
    return st;
}

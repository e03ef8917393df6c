/* bench/results.c - see results.h. */
#include "bench/results.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/status.h"
#include "base/str.h"
#include "bench/run.h"

static int exists(const char *dir, const char *name, char *path, size_t size)
{
    snprintf(path, size, "%s/%s", dir, name);
    return access(path, F_OK) == 0;
}

static kmv_status add_fact(kmv_results *r, char *line, const char *path, size_t number,
                           size_t *room, kmv_error *err)
{
    char *tab = strchr(line, '\t');

    if (tab == NULL)
        return kmv_fail(err, KMV_EFORMAT, "%s:%zu: want name<TAB>value", path, number);
    *tab = '\0';
    if (r->n_facts == *room) {
        const size_t larger = *room > 0 ? 2 * *room : 64;
        kmv_fact *moved = kmv_alloc(larger, sizeof *moved, "provenance", err);

        if (moved == NULL)
            return KMV_ENOMEM;
        if (r->n_facts > 0)
            memcpy(moved, r->facts, r->n_facts * sizeof *moved);
        kmv_free(r->facts);
        r->facts = moved;
        *room = larger;
    }
    kmv_copy_text(r->facts[r->n_facts].name, sizeof r->facts->name, line);
    kmv_copy_text(r->facts[r->n_facts].value, sizeof r->facts->value, tab + 1);
    r->n_facts++;
    return KMV_OK;
}

static kmv_status read_facts(kmv_results *r, const char *path, kmv_error *err)
{
    size_t line_room = 0, room = 0, number = 0;
    kmv_status st = KMV_OK;
    char *line = NULL;
    FILE *f = fopen(path, "r");

    if (f == NULL)
        return kmv_fail(err, KMV_EIO, "%s: %s", path, strerror(errno));
    while (st == KMV_OK && getline(&line, &line_room, f) > 0) {
        number++;
        line[strcspn(line, "\n")] = '\0';
        if (*line != '\0')
            st = add_fact(r, line, path, number, &room, err);
    }
    free(line);
    fclose(f);
    return st;
}

kmv_status kmv_results_read(const char *dir, kmv_results *out, kmv_error *err)
{
    kmv_results r = {0};
    void *rows = NULL;
    char path[1024];
    int found = 0, torn = 0;
    kmv_status st;

    if (!kmv_copy_text(r.dir, sizeof r.dir, dir))
        return kmv_fail(err, KMV_EINVAL, "%.100s...: path too long", dir);
    if (exists(dir, "raw.tsv", path, sizeof path)) {
        st = kmv_tsv_read(&kmv_record_schema, path, &rows, &r.n_records, &torn, err);
        if (st != KMV_OK)
            goto out;
        r.records = rows;
        r.torn |= torn;
        found = 1;
    }
    if (exists(dir, "measure.tsv", path, sizeof path)) {
        st = kmv_tsv_read(&kmv_measure_schema, path, &rows, &r.n_measures, &torn, err);
        if (st != KMV_OK)
            goto out;
        r.measures = rows;
        r.torn |= torn;
        found = 1;
    }
    if (!found) {
        st = kmv_fail(err, KMV_EIO, "%s: want a results folder, found no raw.tsv or measure.tsv",
                      dir);
        goto out;
    }
    r.incomplete = exists(dir, KMV_RUN_INCOMPLETE, path, sizeof path);
    if (exists(dir, "provenance.tsv", path, sizeof path) &&
        (st = read_facts(&r, path, err)) != KMV_OK)
        goto out;
    if (exists(dir, "config.ini", path, sizeof path) &&
        (st = kmv_config_read(path, &r.config, err)) != KMV_OK)
        goto out;
    if ((st = kmv_summaries_make(r.records, r.n_records, 0, &r.cases, &r.n_cases, err)) != KMV_OK ||
        (st = kmv_summaries_make(r.records, r.n_records, 1, &r.judged, &r.n_judged, err)) != KMV_OK)
        goto out;
    *out = r;
    r = (kmv_results){0};
out:
    kmv_results_clear(&r);
    return st;
}

void kmv_results_clear(kmv_results *r)
{
    kmv_free(r->records);
    kmv_free(r->measures);
    kmv_free(r->facts);
    kmv_free(r->cases);
    kmv_free(r->judged);
    kmv_config_clear(&r->config);
    *r = (kmv_results){0};
}

const char *kmv_results_fact(const kmv_results *r, const char *name, const char *fallback)
{
    for (size_t i = 0; i < r->n_facts; i++) {
        if (strcmp(r->facts[i].name, name) == 0)
            return r->facts[i].value;
    }
    return fallback;
}

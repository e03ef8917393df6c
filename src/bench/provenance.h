/* bench/provenance.h - where and by what a result came about. */
#ifndef KMV_BENCH_PROVENANCE_H
#define KMV_BENCH_PROVENANCE_H

#include <stdio.h>

#include "kmv.h"

typedef struct {
    char commit[48]; /* with + when the source was changed */
    char compiler[96], flags[256];
    char cpu[64];      /* model name: the `host` of a row */
    char isas[64];     /* that this machine runs, best first */
    int cores;         /* that this process may use */
    char governor[32]; /* of the first core, or "unknown" */
    double memory_b;   /* of the machine */
    char kernel[128];
    char hdf5[32], gsl[32], openblas[160];
} kmv_provenance;

/** Ask the machine; what it does not tell is "unknown" or 0. */
void kmv_provenance_get(kmv_provenance *p);

/** One line name<TAB>value (separator as given) per fact. */
void kmv_provenance_write(const kmv_provenance *p, const char *separator, FILE *out);

/** UTC time now, "2026-01-31T12:34:56Z". */
void kmv_utc_now(char text[32]);

#endif

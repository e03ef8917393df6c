/* bench/cases.h - the cases of a configuration: the product of its lists, without what an algorithm
 * ignores and without duplicates, each with an id that does not depend on the others. */
#ifndef KMV_BENCH_CASES_H
#define KMV_BENCH_CASES_H

#include "bench/config.h"
#include "data/dataset.h"

/** One data set: a generator, or one problem of a file ("NAME:GROUP" when the file has several). */
typedef struct {
    char name[128];
    char address[512];  /* "" for a generator */
    char generator[32]; /* "" for a file */
    char options[512];  /* of the generator, without n and d */
    size_t n_q, n_k, d; /* in the file, of one query head; the generator's defaults, n_k 0: n */
    size_t heads;       /* query heads of a file's problem */
    int layer, head;    /* -1 when there is none */
} kmv_source;

/** What is multiplied: everything that defines K and x. */
typedef struct {
    const kmv_source *source;
    size_t n, d;     /* n limits queries and keys; asked for all, n is the larger count */
    size_t n_q, n_k; /* what that leaves of each */
    char matrix[12]; /* gauss, softmax, rowmax */
    int causal;      /* 1, 0, -1: as the data set says */
    kmv_center center;
    char sigma_spec[32]; /* canonical: "0.5", "x2", "sum:1" */
    char data_key[768];  /* equal for equal points in memory: cases that share it share the load */
    char key[1024];      /* equal for equal K; begins with what names the data */
    char skip[128];      /* reason why it cannot be run at all, or "" */
} kmv_case_problem;

typedef struct {
    char id[24];    /* 16 hexadecimal digits of the hash of key */
    char sweep[64]; /* names of all sweeps that ask for it, joined by + */
    kmv_case_problem problem;
    char x_kind[32];
    const kmv_algo *algo;
    char options[256]; /* canonical: those that differ from their defaults */
    double eps, delta; /* NaN where the algorithm does not use them */
    int threads;       /* 0: as many as the run has */
    char isa[16];      /* "": the run's */
    char key[1536];    /* "dataset=... x=... algo=... eps=..." */
} kmv_planned;

typedef struct {
    char id[24];
    kmv_case_problem problem;
    size_t drop_first, rows;
    int op_norm;
    char key[1536];
    char series[512]; /* equal for measures that differ only in n */
} kmv_measure_case;

typedef struct {
    kmv_source *sources;
    size_t n_sources;
    kmv_planned *cases;
    size_t n_cases;
    kmv_measure_case *measures;
    size_t n_measures;
} kmv_cases;

/**
 * Make the cases of a configuration, in the order of its sections and lists. Files are opened to
 * see their problems and sizes.
 * KMV_EINVAL: n larger than a file's data; KMV_EIO, KMV_EFORMAT: a file that is not there (the
 * message then names the command that makes it) or not readable.
 */
kmv_status kmv_cases_make(const kmv_config *config, kmv_cases *cases, kmv_error *err);

/** Keep the cases that match: "key=value" terms must equal a part of the case's key, other terms
 *  must occur in it; terms are separated by commas and all must hold. KMV_EINVAL when none is left.
 */
kmv_status kmv_cases_filter(kmv_cases *cases, const char *filter, kmv_error *err);

void kmv_cases_clear(kmv_cases *cases);

#endif

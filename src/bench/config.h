/* bench/config.h - an experiment as written in an INI file, typed and checked, with line numbers.
 */
#ifndef KMV_BENCH_CONFIG_H
#define KMV_BENCH_CONFIG_H

#include "base/hash.h"
#include "base/list.h"
#include "kmv.h"

/** [dataset NAME]: a file address or a generator with its keys. */
typedef struct {
    char name[64];
    size_t line;
    char address[512];  /* `file`, relative to the working directory; "" for a generator */
    char made_by[256];  /* `made_by`: the command that makes the file, for the error message */
    char generator[32]; /* "" for a file */
    char options[512];  /* the generator's keys but n and d, as name=value,... */
} kmv_config_dataset;

/** [sweep] or [sweep NAME]: the product of its lists. */
typedef struct {
    char name[64]; /* "" for the plain one */
    size_t line;
    kmv_list dataset, algo, matrix, causal, center, n, d, sigma, eps, delta, x, threads, isa;
} kmv_config_sweep;

/** [measure] or [measure NAME]: rows of the assumption, over the product of its lists. */
typedef struct {
    char name[64];
    size_t line;
    kmv_list dataset, matrix, causal, center, n, sigma;
    size_t drop_first, rows;
    int op_norm;
} kmv_config_measure;

/** [algo NAME] or [algo NAME LABEL]: option overrides, each a list; the product of the lists
 *  multiplies the cases. Those of several sections of one algorithm are added up. */
typedef struct {
    char name[32], label[32];
    size_t line, count;
    kmv_list sweep; /* sweeps that it is for; empty: all */
    char option[32][32];
    kmv_list values[32];
} kmv_config_algo;

/** Whether an [algo] section is for that algorithm in that sweep. */
int kmv_config_overrides(const kmv_config_algo *a, const char *name, const char *sweep);

/** [figure NAME]: what to draw; keys and their meaning belong to figure.h. */
typedef struct {
    char key[32], value[512];
    size_t line;
} kmv_config_entry;
typedef struct {
    char name[64];
    size_t line, count;
    kmv_config_entry entries[32];
} kmv_config_figure;

/** [claim NAME]: what a source says, and how it is measured; its keys belong to claim.h. */
enum { KMV_CLAIM_TERMS = 12 };
typedef struct {
    char name[64];
    size_t line;
    char source[256], text[512], command[256], note[256], not_testable[256];
    char column[48], take[16], want[64];
    char rows_text[512], per_text[512];
    kmv_config_entry rows[KMV_CLAIM_TERMS], per[KMV_CLAIM_TERMS]; /* filters, see filter.h */
    size_t n_rows, n_per;
} kmv_config_claim;

typedef struct {
    char path[512];
    char hash[KMV_HASH_SIZE]; /* of the file's bytes */
    char *text;               /* the file's bytes, for the copy in the results folder */
    size_t text_size;
    char name[64], title[256];
    uint64_t seed;
    size_t reps;
    double min_time_s;
    size_t verify_rows;       /* rows judged when the full float64 product is too large */
    double verify_pairs_max;  /* entries up to which it is judged in full */
    double op_norm_pairs_max; /* softmax: entries up to which |P|_op is found */
    double limit_time_s, limit_memory_b;
    kmv_config_dataset *datasets;
    size_t n_datasets;
    kmv_config_sweep *sweeps;
    size_t n_sweeps;
    kmv_config_measure *measures;
    size_t n_measures;
    kmv_config_algo *algos;
    size_t n_algos;
    kmv_config_figure *figures;
    size_t n_figures;
    kmv_config_claim *claims;
    size_t n_claims;
} kmv_config;

/** Read and check all of it: unknown sections, keys, algorithms, options, generators, data sets,
 *  words and ranges are KMV_EINVAL: "configs/a.ini:12: sigma: want a number > 0, got '-1'". */
kmv_status kmv_config_read(const char *path, kmv_config *config, kmv_error *err);
void kmv_config_clear(kmv_config *config);

#endif

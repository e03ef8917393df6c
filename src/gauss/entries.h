/* gauss/entries.h - all entries of a Gaussian or softmax matrix, streamed as u >= 0 with entry =
 * 2^-u, so that nothing of size n_q x n_k is ever held and nothing over- or underflows. */
#ifndef KMV_GAUSS_ENTRIES_H
#define KMV_GAUSS_ENTRIES_H

#include "gauss/product.h"

/** What a row is divided by: nothing (gauss), its sum (the softmax P), its largest entry. */
typedef enum { KMV_ROW_RAW, KMV_ROW_SUM, KMV_ROW_MAX } kmv_row_scaling;

/** Operands packed once, for any number of passes. Owned; clear with kmv_entries_clear. */
typedef struct {
    kmv_problem problem;
    kmv_packed q, k;
    kmv_workspace *workspace;
    double *shift; /* per packed row: log2 of what the row is divided by, or NULL for raw rows */
    size_t pairs;  /* entries that the mask leaves in these rows */
    int threads;
} kmv_entries;

/**
 * Pack rows[0 .. n_rows-1] (ascending; NULL: all n_q) and all keys of a checked problem; for scaled
 * rows one pass finds the row sums or maxima. KMV_EINVAL when a scaling is asked of the wrong kind
 * of matrix, or when exponents overflow float (sigma too small or too large for the distances or
 * norms); KMV_ENOMEM. Cost: packing, and 2 d flops per pair for scaled rows.
 */
kmv_status kmv_entries_init(kmv_entries *e, const kmv_problem *problem, kmv_row_scaling scaling,
                            const size_t *rows, size_t n_rows, int threads, const char *isa,
                            kmv_error *err);
void kmv_entries_clear(kmv_entries *e);

/** Receives count <= KMV_ENTRIES_CHUNK consecutive entries of row i (slot) from key j on, as u with
 *  entry = 2^-u; inf stands for 0. Threads and order as in kmv_stream_exponents. Entries of all
 *  three matrices are at most 1; what rounding lifts above is passed as u = 0. */
typedef void kmv_entry_sink(void *context, int thread, size_t i, size_t j, size_t count,
                            const float *u);
enum { KMV_ENTRIES_CHUNK = 256 };
void kmv_entries_stream(kmv_entries *e, kmv_entry_sink *sink, void *context);

/** v[t] = 2^-u[t] in double for count <= KMV_ENTRIES_CHUNK: relative error below 2 FLT_EPSILON in
 * any binade, none for integers; 0 for u >= 1022.5. Equal u give equal v. */
void kmv_entry_values(const float *u, size_t count, double *v);

/** Sums in four interleaved parts, so that the order of additions is fixed and four run at once. */
double kmv_sum(const double *v, size_t count);
double kmv_dot(const double *v, const double *w, size_t count);

#endif

/* data/dataset.h - a named problem with its data, from an HDF5 file or a generator. */
#ifndef KMV_DATA_DATASET_H
#define KMV_DATA_DATASET_H

#include "base/hash.h"
#include "kmv.h"

/** Owns its arrays; clear it with kmv_dataset_clear. */
typedef struct {
    char name[128];  /* "smollm2-heads:L09H8", "planted" */
    kmv_points q, k; /* n_q x d, n_k x d */
    double *v;       /* n_k x r, or NULL */
    size_t r;        /* columns of v, 0 without v */
    double sigma;    /* attribute or generator's; NaN when there is none */
    double scale;    /* attribute for softmax; NaN when there is none */
    int causal;      /* attribute: 1, 0, or -1 when there is none */
    size_t heads;    /* query heads in q, one after the other; 0 and 1: one */
    char source[256], model[128], license[128];
    int layer, head;            /* -1 when there is none */
    char sha256[KMV_HASH_SIZE]; /* of the arrays as stored (generators: of what they made) */
} kmv_dataset;

void kmv_dataset_clear(kmv_dataset *d);

/** Bandwidth when none is asked for: attribute sigma, else d^(1/4); for softmax attribute scale
 *  (sigma = scale^-1/2) before sigma. KMV_EINVAL when scale and sigma contradict each other. */
kmv_status kmv_dataset_sigma(const kmv_dataset *d, kmv_matrix matrix, double *sigma,
                             kmv_error *err);

typedef enum { KMV_CENTER_NONE, KMV_CENTER_KEYS, KMV_CENTER_MATCH } kmv_center;

/** "none", "keys", "match" to and from text; KMV_EINVAL for another word. */
kmv_status kmv_center_parse(const char *text, kmv_center *center, kmv_error *err);
const char *kmv_center_name(kmv_center center);

/**
 * The problem of the first n queries and keys (n = 0: all; with different counts n limits both):
 * q and k become views of d's arrays, except that their origins are copies: `keys` subtracts the
 * mean key from the keys, `match` shifts the keys so that mean key = mean query, means over the
 * rows used. drop_first M leaves out the first M queries and keys. Of several query heads each is
 * cut like that, which copies their rows. Both views are cleared by kmv_view_clear. KMV_EINVAL when
 * n is more than there are.
 */
typedef struct {
    kmv_points q, k;
    double *q_origin, *k_origin; /* owned */
    kmv_points q_rows;           /* owned: parts of several heads */
    size_t heads;
    const double *v; /* rows of V that belong to k, or NULL */
    size_t r;
} kmv_view;
kmv_status kmv_view_init(kmv_view *view, const kmv_dataset *d, size_t n, size_t drop_first,
                         kmv_center center, kmv_error *err);
void kmv_view_clear(kmv_view *view);

#endif

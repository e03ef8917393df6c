/* data/h5io.h - problems and results in HDF5: the only room that knows the format.
 *
 * An address is FILE, FILE:GROUP, FILE:GROUP#head or FILE:GROUP#layer,head; #kN in the place of the
 * head stands for the query heads of key head N, as one problem. Files are not trusted:
 * all reading happens in a child process with limits on memory and time, which checks links,
 * storage, filters, rank, type and sizes before any allocation and hands plain arrays over; a crash
 * of the HDF5 library there is an error message here.
 */
#ifndef KMV_DATA_H5IO_H
#define KMV_DATA_H5IO_H

#include <stdint.h>

#include "data/dataset.h"

/** Addresses of all problems that an address stands for: FILE gives every group with q and k and,
 *  for stacks, every (layer,) head; a full address gives itself. list: array of `count` strings in
 *  one kmv_alloc'ed block, freed with kmv_free. */
kmv_status kmv_h5_list(const char *address, char ***list, size_t *count, kmv_error *err);

/** Read one problem; at most the first n_max rows of q, k and v (0: all). The file is checked
 *  against a manifest beside it (manifest.h), whole arrays against the group's attribute sha256. */
kmv_status kmv_dataset_read(const char *address, size_t n_max, kmv_dataset *out, kmv_error *err);

/** Write the problem as group of the file; whole file under a temporary name, flushed, renamed. A
 *  problem that is there is replaced when its attribute source begins "kmv gen ", else it is
 *  KMV_EINVAL. Points are stored as float32 unless their origin is not zero: then as float64. */
kmv_status kmv_dataset_write(const char *path, const char *group, const kmv_dataset *d,
                             kmv_error *err);

/** Attribute of an output file: text when text is not NULL, else the number. */
typedef struct {
    const char *name;
    const char *text;
    double number;
} kmv_attribute;

/** Write y (rows x columns doubles) as dataset `name` (may be "group/name") with attributes (ended
 *  by name NULL). An existing file keeps its other objects; a dataset of that name is replaced when
 *  it has the attribute kmv_version, else it is KMV_EINVAL. Temporary name, flush, rename. */
kmv_status kmv_h5_write_matrix(const char *path, const char *name, const double *y, size_t rows,
                               size_t columns, const kmv_attribute *attributes, kmv_error *err);

/** Read a matrix of doubles: FILE:PATH, rank 1 (columns = 1) or 2, float data, all finite. *y is
 *  kmv_alloc'ed. */
kmv_status kmv_h5_read_matrix(const char *address, double **y, size_t *rows, size_t *columns,
                              kmv_error *err);

/** A table as one compound dataset, so that h5py reads it in a line; fields are fixed strings or
 *  doubles. `rows` points at count rows of row_size bytes. */
typedef struct {
    const char *name;
    int is_text;
    size_t offset, size;
} kmv_h5_field;
kmv_status kmv_h5_write_table(const char *path, const char *name, const kmv_h5_field *fields,
                              size_t n_fields, const void *rows, size_t count, size_t row_size,
                              const kmv_attribute *attributes, kmv_error *err);

/** What `kmv info` shows of one problem, after every check that reading makes but the manifest.
 *  type: of q, or "Q,K" where k has another; v_type: of v. Fields are NaN, -1 or "" where there is
 * nothing. */
typedef struct {
    char address[512], type[16], v_type[8];
    size_t n_q, n_k, d, r; /* n_q: of all query heads */
    size_t heads;          /* query heads, 1 unless the address is of a key head */
    double sigma, scale;
    int causal, layer, head;
    char model[128], source[256], license[128], sha256_stored[KMV_HASH_SIZE],
        sha256_found[KMV_HASH_SIZE];
    double q_norm_max, k_norm_max; /* largest |q_i|, |k_j| */
} kmv_h5_summary;
kmv_status kmv_h5_summarise(const char *address, kmv_h5_summary *out, kmv_error *err);

/** Version of the HDF5 library that is linked, such as "1.10.8". */
const char *kmv_h5_version(void);

#endif

/* data/h5_check.h - opening objects of an untrusted HDF5 file, and everything that is checked
 * before its arrays are read. Called in children only (h5_child.h).
 */
#ifndef KMV_DATA_H5_CHECK_H
#define KMV_DATA_H5_CHECK_H

#include <hdf5.h>

#include "kmv.h"

enum { KMV_H5_RANK_MAX = 4 };

/** An open array of floats that passed every check. */
typedef struct {
    hid_t set; /* owned; closed by kmv_h5_array_close */
    int rank;
    size_t dims[KMV_H5_RANK_MAX];
    size_t elements; /* product of dims */
    size_t size;     /* bytes of an element: 2, 4 or 8 */
    int big_endian;
} kmv_h5_array;

/** Start the library without its printing and without plug-ins. */
void kmv_h5_begin(void);

/** The innermost message on HDF5's error stack, which is then empty; "" when there is none. */
const char *kmv_h5_reason(void);

/** Open for reading; KMV_EFORMAT. */
kmv_status kmv_h5_open_file(const char *path, hid_t *file, kmv_error *err);

/**
 * The link `name` (one step) of a group: *present = 1 for a hard link to an object of *type, 0 for
 * none. KMV_EFORMAT for soft, external and user-defined links and names with control characters;
 * `where` is what the message names.
 */
kmv_status kmv_h5_link(hid_t group, const char *where, const char *name, int *present,
                       H5O_info_t *object, kmv_error *err);

/** Open an object through hard links only; length bytes of name count; "" and "/" are the root.
 *  KMV_EFORMAT when a step is missing or no plain group. */
kmv_status kmv_h5_open_object(hid_t file, const char *path, const char *name, size_t length,
                              hid_t *object, kmv_error *err);

/** Open dataset `name` of a group as an array: storage, filters, type, rank in [rank_min,
 *  rank_max], extents > 0, sizes against what is stored. KMV_EFORMAT, or KMV_EINVAL for n = 0 or
 *  d = 0. */
kmv_status kmv_h5_array_open(hid_t group, const char *where, const char *name, int rank_min,
                             int rank_max, kmv_h5_array *a, kmv_error *err);
void kmv_h5_array_close(kmv_h5_array *a);

/** "12 x 256 x 64" */
void kmv_h5_shape(const kmv_h5_array *a, char *text, size_t size);

#endif

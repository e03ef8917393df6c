/* data/h5_file.h - replace a file as a whole: a temporary copy beside it, changed, flushed,
 * renamed. */
#ifndef KMV_DATA_H5_FILE_H
#define KMV_DATA_H5_FILE_H

#include <hdf5.h>

#include "kmv.h"

/** Puts objects into the open file; path is for messages. Runs in a child (h5_child.h). */
typedef kmv_status kmv_h5_change(hid_t file, const char *path, const void *request, kmv_error *err);

/**
 * Apply a change to the HDF5 file `path`, which is made when it does not exist; what it holds
 * stays. The target is either the old file or the new one, whole and on disk, whatever happens.
 * Symbolic links to it are followed. bytes: what the change adds, for the limits of the child.
 * KMV_EIO when the folder cannot be written or the disk is full, KMV_EINVAL when the target is no
 * regular file, KMV_EFORMAT when it exists and is no HDF5 file.
 */
kmv_status kmv_h5_replace(const char *path, kmv_h5_change *change, const void *request,
                          size_t bytes, kmv_error *err);

#endif

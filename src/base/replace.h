/* base/replace.h - a file that appears under its name only when it is whole. */
#ifndef KMV_BASE_REPLACE_H
#define KMV_BASE_REPLACE_H

#include "kmv.h"

enum { KMV_REPLACE_PATH = 4096 };

/** A file being written beside its target. */
typedef struct {
    char path[KMV_REPLACE_PATH];   /* as the user named it */
    char target[KMV_REPLACE_PATH]; /* path with links resolved */
    char temporary[KMV_REPLACE_PATH + 32];
    int exists, fd; /* of the target; of the temporary file, open for reading and writing */
} kmv_replacement;

/**
 * Open an empty temporary file in the folder of `path`, with the permissions of the file that is
 * to be replaced. Symbolic links are followed. KMV_EINVAL when path is there and no regular file (a
 * device or a pipe must not be replaced), KMV_EIO when a link leads nowhere or the folder cannot be
 * written.
 */
kmv_status kmv_replacement_begin(kmv_replacement *r, const char *path, kmv_error *err);

/** With status KMV_OK: onto the disk and under its name; with any other: removed. Closes fd.
 * Returns status, or KMV_EIO when the disk was full. */
kmv_status kmv_replacement_end(kmv_replacement *r, kmv_status status, kmv_error *err);

#endif

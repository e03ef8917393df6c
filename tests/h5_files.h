/* tests/h5_files.h - HDF5 files that a reader must refuse, made by the library itself. */
#ifndef KMV_TESTS_H5_FILES_H
#define KMV_TESTS_H5_FILES_H

#include "kmv.h"

typedef struct {
    const char *name;    /* of the case; the file is NAME.h5 */
    const char *object;  /* what stands behind the colon of the address; "" for none */
    kmv_status status;   /* what reading gives */
    const char *message; /* part of the one line */
    void (*make)(const char *path);
} kmv_bad_file;

/** Ended by name NULL. */
extern const kmv_bad_file kmv_bad_files[];

/** A healthy file with one group "g" (q, k, v: 8 x 4 floats, all kinds of attributes, compressed):
 *  what the tests truncate and mutate. sha256 is the attribute of that name, or NULL. */
void kmv_make_healthy_file(const char *path, const char *sha256);

/** Healthy files of every layout that is accepted: one group per layout, see the test. */
void kmv_make_layouts(const char *path);

#endif

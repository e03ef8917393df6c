/* tests/h5_make.h - small HDF5 files by the library itself: what the makers of h5_files.h share. */
#ifndef KMV_TESTS_H5_MAKE_H
#define KMV_TESTS_H5_MAKE_H

#include <hdf5.h>
#include <stdio.h>
#include <stdlib.h>

enum { N = 8, D = 4 };

/* These calls must work, or the test would judge another file than it says. */
#define MUST(call)                                                                                 \
    do {                                                                                           \
        if ((call) < 0) {                                                                          \
            fprintf(stderr, "%s:%d: %s failed\n", __FILE__, __LINE__, #call);                      \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

static inline hid_t must(hid_t id)
{
    MUST(id);
    return id;
}

static inline hid_t new_file(const char *path)
{
    return must(H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT));
}

static inline hid_t new_group(hid_t file, const char *name)
{
    return must(H5Gcreate2(file, name, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
}

/* A dataset of the given file type, filled with small numbers unless its extents say otherwise. */
static inline void put(hid_t group, const char *name, hid_t type, int rank, const hsize_t *dims,
                       hid_t plist)
{
    const hid_t space = must(H5Screate_simple(rank, dims, NULL));
    const hid_t set = must(H5Dcreate2(group, name, type, space, H5P_DEFAULT, plist, H5P_DEFAULT));
    hsize_t count = 1;

    for (int i = 0; i < rank; i++)
        count *= dims[i];
    if (count > 0 && count < 100000 &&
        (H5Tget_class(type) == H5T_FLOAT || H5Tget_class(type) == H5T_INTEGER)) {
        float *data = malloc(count * sizeof *data);

        if (data == NULL)
            abort();
        for (hsize_t i = 0; i < count; i++)
            data[i] = 0.125f * (float)(i % 17);
        MUST(H5Dwrite(set, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, data));
        free(data);
    }
    H5Dclose(set);
    H5Sclose(space);
}

static inline void put_2d(hid_t group, const char *name, hsize_t rows, hsize_t columns)
{
    const hsize_t dims[2] = {rows, columns};

    put(group, name, H5T_IEEE_F32LE, 2, dims, H5P_DEFAULT);
}

static inline void put_nd(hid_t group, const char *name, int rank, hsize_t a, hsize_t b, hsize_t c,
                          hsize_t e)
{
    const hsize_t dims[5] = {a, b, c, e, 1};

    put(group, name, H5T_IEEE_F32LE, rank, dims, H5P_DEFAULT);
}

static inline void put_number(hid_t group, const char *name, double value)
{
    const hid_t space = must(H5Screate(H5S_SCALAR));
    const hid_t attr =
        must(H5Acreate2(group, name, H5T_IEEE_F64LE, space, H5P_DEFAULT, H5P_DEFAULT));

    MUST(H5Awrite(attr, H5T_NATIVE_DOUBLE, &value));
    H5Aclose(attr);
    H5Sclose(space);
}

static inline void put_text(hid_t group, const char *name, const char *text)
{
    const hid_t space = must(H5Screate(H5S_SCALAR)), type = must(H5Tcopy(H5T_C_S1));
    hid_t attr;

    MUST(H5Tset_size(type, H5T_VARIABLE));
    attr = must(H5Acreate2(group, name, type, space, H5P_DEFAULT, H5P_DEFAULT));
    MUST(H5Awrite(attr, type, &text));
    H5Aclose(attr);
    H5Tclose(type);
    H5Sclose(space);
}

/* ---- frames: a file with group g, q and k as they should be, and one more thing ---------------
 */

typedef struct {
    hid_t file, g;
} frame;

static inline frame begin(const char *path)
{
    frame f = {.file = new_file(path)};

    f.g = new_group(f.file, "g");
    return f;
}

static inline frame begin_with_k(const char *path)
{
    const frame f = begin(path);

    put_2d(f.g, "k", N, D);
    return f;
}

static inline frame begin_with_both(const char *path)
{
    const frame f = begin_with_k(path);

    put_2d(f.g, "q", N, D);
    return f;
}

static inline void end(frame f)
{
    H5Gclose(f.g);
    MUST(H5Fclose(f.file));
}

static inline hid_t chunked(hsize_t rows, hsize_t columns)
{
    const hsize_t chunk[2] = {rows, columns};
    const hid_t plist = must(H5Pcreate(H5P_DATASET_CREATE));

    MUST(H5Pset_chunk(plist, 2, chunk));
    return plist;
}

#endif

/* data/h5_file.c - see h5_file.h. */
#include "data/h5_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/replace.h"
#include "base/status.h"
#include "data/h5_check.h"
#include "data/h5_child.h"

typedef struct {
    kmv_replacement file;
    kmv_h5_change *change;
    const void *request;
    size_t bytes;
} job;

static kmv_status copy_bytes(const char *path, int to, kmv_error *err)
{
    const int from = open(path, O_RDONLY | O_CLOEXEC);
    char block[1 << 16];
    kmv_status st = KMV_OK;
    ssize_t got = 0;

    if (from < 0)
        return kmv_fail(err, KMV_EIO, "%s: %s", path, strerror(errno));
    while (st == KMV_OK && (got = read(from, block, sizeof block)) > 0) {
        for (ssize_t done = 0, n; done < got; done += n) {
            if ((n = write(to, block + done, (size_t)(got - done))) < 0) {
                st = kmv_fail(err, KMV_EIO, "%s: cannot be written: %s", path, strerror(errno));
                break;
            }
        }
    }
    if (got < 0)
        st = kmv_fail(err, KMV_EIO, "%s: %s", path, strerror(errno));
    close(from);
    return st;
}

static kmv_status change_file(const void *request, kmv_child *child, kmv_error *err)
{
    const job *j = request;
    const kmv_replacement *r = &j->file;
    hid_t file;
    kmv_status st;

    (void)child;
    kmv_h5_begin();
    if ((st = kmv_child_allow(2 * j->bytes, j->bytes, err)) != KMV_OK)
        return kmv_fail_prefix(err, st, "%s", r->path);
    if (r->exists && (st = copy_bytes(r->target, r->fd, err)) != KMV_OK)
        return st;
    file = r->exists ? H5Fopen(r->temporary, H5F_ACC_RDWR, H5P_DEFAULT)
                     : H5Fcreate(r->temporary, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    if (file < 0 && !r->exists)
        return kmv_fail(err, KMV_EIO, "%s: cannot be written, is the disk full? (%s)", r->path,
                        kmv_h5_reason());
    if (file < 0)
        return kmv_fail(err, KMV_EFORMAT, "%s: cannot be opened as an HDF5 file to add to (%s)",
                        r->path, kmv_h5_reason());
    if ((st = j->change(file, r->path, j->request, err)) != KMV_OK)
        return st; /* the temporary file is thrown away: no need to close it well */
    if (H5Fflush(file, H5F_SCOPE_GLOBAL) < 0 || H5Fclose(file) < 0)
        return kmv_fail(err, KMV_EIO, "%s: cannot be written, is the disk full? (%s)", r->path,
                        kmv_h5_reason());
    return KMV_OK;
}

kmv_status kmv_h5_replace(const char *path, kmv_h5_change *change, const void *request,
                          size_t bytes, kmv_error *err)
{
    job j = {.change = change, .request = request, .bytes = bytes};
    int nothing;
    kmv_status st = kmv_replacement_begin(&j.file, path, err);

    if (st != KMV_OK)
        return st;
    st = kmv_child_run(path, change_file, &j, &nothing, 0, NULL, NULL, err);
    return kmv_replacement_end(&j.file, st, err);
}

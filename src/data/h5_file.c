/* data/h5_file.c - see h5_file.h. */
#include "data/h5_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/status.h"
#include "data/h5_check.h"
#include "data/h5_child.h"

typedef struct {
    const char *path; /* as the user named it */
    const char *temporary;
    const char *target; /* path with links resolved */
    int exists, fd;     /* fd: of the temporary file */
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
    hid_t file;
    kmv_status st;

    (void)child;
    kmv_h5_begin();
    if ((st = kmv_child_allow(2 * j->bytes, j->bytes, err)) != KMV_OK)
        return kmv_fail_prefix(err, st, "%s", j->path);
    if (j->exists && (st = copy_bytes(j->target, j->fd, err)) != KMV_OK)
        return st;
    file = j->exists ? H5Fopen(j->temporary, H5F_ACC_RDWR, H5P_DEFAULT)
                     : H5Fcreate(j->temporary, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    if (file < 0)
        return kmv_fail(err, j->exists ? KMV_EFORMAT : KMV_EIO,
                        "%s: cannot be opened as an HDF5 file to add to (%s)", j->path,
                        kmv_h5_reason());
    if ((st = j->change(file, j->path, j->request, err)) != KMV_OK)
        return st; /* the temporary file is thrown away: no need to close it well */
    if (H5Fflush(file, H5F_SCOPE_GLOBAL) < 0 || H5Fclose(file) < 0)
        return kmv_fail(err, KMV_EIO, "%s: cannot be written, is the disk full? (%s)", j->path,
                        kmv_h5_reason());
    return KMV_OK;
}

/* The rename itself must be on disk too. */
static void sync_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    char folder[PATH_MAX];
    int fd;

    snprintf(folder, sizeof folder, "%.*s", slash != NULL ? (int)(slash - path + 1) : 1,
             slash != NULL ? path : ".");
    if ((fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) >= 0) {
        fsync(fd);
        close(fd);
    }
}

static kmv_status make_temporary(job *j, mode_t mode, kmv_error *err)
{
    j->fd = open(j->temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (j->fd < 0)
        return kmv_fail(err, KMV_EIO, "%s: cannot be written: %s", j->path, strerror(errno));
    if (j->exists && fchmod(j->fd, mode & 07777) != 0)
        return kmv_fail(err, KMV_EIO, "%s: %s", j->temporary, strerror(errno));
    return KMV_OK;
}

kmv_status kmv_h5_replace(const char *path, kmv_h5_change *change, const void *request,
                          size_t bytes, kmv_error *err)
{
    char target[PATH_MAX], temporary[PATH_MAX];
    struct stat old;
    job j = {path, temporary, target, stat(path, &old) == 0, -1, change, request, bytes};
    int nothing;
    kmv_status st;

    if (j.exists && !S_ISREG(old.st_mode))
        return kmv_fail(err, KMV_EINVAL, "%s: want a regular file to write to", path);
    if ((j.exists ? realpath(path, target) == NULL
                  : snprintf(target, sizeof target, "%s", path) >= (int)sizeof target) ||
        snprintf(temporary, sizeof temporary, "%s.%ld.tmp", target, (long)getpid()) >=
            (int)sizeof temporary)
        return kmv_fail(err, KMV_EIO, "%s: the path cannot be resolved", path);
    if ((st = make_temporary(&j, j.exists ? old.st_mode : 0, err)) != KMV_OK ||
        (st = kmv_child_run(path, change_file, &j, &nothing, 0, NULL, NULL, err)) != KMV_OK)
        goto out;
    if (fsync(j.fd) != 0 || rename(temporary, target) != 0) {
        st = kmv_fail(err, KMV_EIO, "%s: cannot be written: %s", path, strerror(errno));
        goto out;
    }
    sync_folder(target);
out:
    if (j.fd >= 0) {
        close(j.fd);
        if (st != KMV_OK)
            unlink(temporary);
    }
    return st;
}

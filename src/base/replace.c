/* base/replace.c - see replace.h. */
#include "base/replace.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/status.h"
#include "base/str.h"

static const char *kind_of(mode_t mode)
{
    return S_ISDIR(mode) ? "folder" : S_ISFIFO(mode) ? "pipe" : "device or socket";
}

/* target: where links lead; realpath writes up to PATH_MAX bytes. */
static kmv_status resolve(kmv_replacement *r, mode_t *mode, kmv_error *err)
{
    _Static_assert(KMV_REPLACE_PATH >= PATH_MAX, "room for realpath");
    struct stat old;

    *mode = 0;
    r->exists = stat(r->path, &old) == 0;
    if (!r->exists) {
        if (lstat(r->path, &old) == 0)
            return kmv_fail(err, KMV_EIO, "%s: cannot be written: a link that leads nowhere",
                            r->path);
        kmv_copy_text(r->target, sizeof r->target, r->path);
        return KMV_OK;
    }
    if (!S_ISREG(old.st_mode))
        return kmv_fail(err, KMV_EINVAL, "%s: want a regular file to write to, found a %s", r->path,
                        kind_of(old.st_mode));
    if (realpath(r->path, r->target) == NULL)
        return kmv_fail(err, KMV_EIO, "%s: cannot be written: %s", r->path, strerror(errno));
    *mode = old.st_mode;
    return KMV_OK;
}

kmv_status kmv_replacement_begin(kmv_replacement *r, const char *path, kmv_error *err)
{
    mode_t mode;
    kmv_status st;

    r->fd = -1;
    if (!kmv_copy_text(r->path, sizeof r->path, path))
        return kmv_fail(err, KMV_EINVAL, "%.100s...: path too long", path);
    if ((st = resolve(r, &mode, err)) != KMV_OK)
        return st;
    snprintf(r->temporary, sizeof r->temporary, "%s.%ld.tmp", r->target, (long)getpid());
    if ((r->fd = open(r->temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666)) < 0)
        return kmv_fail(err, KMV_EIO, "%s: cannot be written: %s", path, strerror(errno));
    if (r->exists && fchmod(r->fd, mode & 07777) != 0)
        return kmv_replacement_end(
            r, kmv_fail(err, KMV_EIO, "%s: %s", r->temporary, strerror(errno)), err);
    return KMV_OK;
}

/* The rename itself must be on disk too. */
static void sync_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    char folder[KMV_REPLACE_PATH];
    int fd;

    snprintf(folder, sizeof folder, "%.*s", slash != NULL ? (int)(slash - path + 1) : 1,
             slash != NULL ? path : ".");
    if ((fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) >= 0) {
        fsync(fd);
        close(fd);
    }
}

kmv_status kmv_replacement_end(kmv_replacement *r, kmv_status status, kmv_error *err)
{
    if (status == KMV_OK && (fsync(r->fd) != 0 || rename(r->temporary, r->target) != 0))
        status = kmv_fail(err, KMV_EIO, "%s: cannot be written: %s", r->path, strerror(errno));
    close(r->fd);
    r->fd = -1;
    if (status == KMV_OK)
        sync_folder(r->target);
    else
        unlink(r->temporary);
    return status;
}

/* bench/results_file.c - files and folders of a results folder: nothing half-written has a name. */
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/status.h"
#include "bench/results.h"

kmv_status kmv_new_file_open(kmv_new_file *f, kmv_error *err, const char *format, ...)
{
    va_list arguments;
    int length;

    va_start(arguments, format);
    length = vsnprintf(f->path, sizeof f->path, format, arguments);
    va_end(arguments);
    if (length < 0 || (size_t)length >= sizeof f->path)
        return kmv_fail(err, KMV_EINVAL, "%.100s...: path too long", f->path);
    snprintf(f->temporary, sizeof f->temporary, "%s.tmp", f->path);
    if ((f->out = fopen(f->temporary, "w")) == NULL)
        return kmv_fail(err, KMV_EIO, "%s: cannot be written: %s", f->path, strerror(errno));
    return KMV_OK;
}

kmv_status kmv_new_file_commit(kmv_new_file *f, kmv_status status, kmv_error *err)
{
    /* A full disk shows at the flush at the latest; fclose alone would hide an earlier error. */
    const int failed = fflush(f->out) != 0 || ferror(f->out);
    const int closed = fclose(f->out);

    f->out = NULL;
    if (status == KMV_OK && (failed || closed != 0 || rename(f->temporary, f->path) != 0))
        status = kmv_fail(err, KMV_EIO, "%s: cannot be written: %s", f->path, strerror(errno));
    if (status != KMV_OK)
        unlink(f->temporary);
    return status;
}

kmv_status kmv_folder_make(const char *path, kmv_error *err)
{
    struct stat about;

    if (mkdir(path, 0777) == 0)
        return KMV_OK;
    if (errno == EEXIST && stat(path, &about) == 0 && S_ISDIR(about.st_mode))
        return KMV_OK;
    return kmv_fail(err, KMV_EIO, "%s: cannot make this folder: %s", path, strerror(errno));
}

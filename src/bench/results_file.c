/* bench/results_file.c - files and folders of a results folder: nothing half-written has a name. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/status.h"
#include "bench/results.h"

kmv_status kmv_new_file_open(kmv_new_file *f, kmv_error *err, const char *format, ...)
{
    char path[KMV_REPLACE_PATH];
    va_list arguments;
    int length, fd;
    kmv_status st;

    va_start(arguments, format);
    length = vsnprintf(path, sizeof path, format, arguments);
    va_end(arguments);
    if (length < 0 || (size_t)length >= sizeof path)
        return kmv_fail(err, KMV_EINVAL, "%.100s...: path too long", path);
    if ((st = kmv_replacement_begin(&f->file, path, err)) != KMV_OK)
        return st;
    /* A second descriptor, so that closing the stream leaves one to bring the file to disk by. */
    if ((fd = fcntl(f->file.fd, F_DUPFD_CLOEXEC, 0)) >= 0 && (f->out = fdopen(fd, "w")) != NULL)
        return KMV_OK;
    st = kmv_fail(err, KMV_EIO, "%s: cannot be written: %s", path, strerror(errno));
    if (fd >= 0)
        close(fd);
    return kmv_replacement_end(&f->file, st, err);
}

kmv_status kmv_new_file_commit(kmv_new_file *f, kmv_status status, kmv_error *err)
{
    /* A full disk shows at the flush at the latest; fclose alone would hide an earlier error. */
    const int failed = fflush(f->out) != 0 || ferror(f->out);

    if (failed && status == KMV_OK)
        status = kmv_fail(err, KMV_EIO, "%s: cannot be written: %s", f->file.path, strerror(errno));
    fclose(f->out);
    f->out = NULL;
    return kmv_replacement_end(&f->file, status, err);
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

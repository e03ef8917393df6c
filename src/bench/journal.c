/* bench/journal.c - see journal.h. */
#include "bench/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/status.h"

static kmv_status fail_errno(kmv_error *err, const char *path, const char *what)
{
    return kmv_fail(err, KMV_EIO, "%s: %s: %s", path, what, strerror(errno));
}

static kmv_status join_path(const char *dir, const char *name, char *path, size_t size,
                            kmv_error *err)
{
    if ((size_t)snprintf(path, size, "%s/%s", dir, name) >= size)
        return kmv_fail(err, KMV_EINVAL, "%.60s...: path too long", dir);
    return KMV_OK;
}

static kmv_status write_all(int fd, const char *path, const char *bytes, size_t size,
                            kmv_error *err)
{
    while (size > 0) {
        const ssize_t wrote = write(fd, bytes, size);

        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote < 0)
            return fail_errno(err, path, "cannot be written");
        bytes += wrote;
        size -= (size_t)wrote;
    }
    if (fsync(fd) != 0)
        return fail_errno(err, path, "cannot be written");
    return KMV_OK;
}

/* A new name in a folder lasts only when the folder itself is synced. */
static void sync_folder(const char *dir)
{
    const int fd = open(dir, O_RDONLY | O_DIRECTORY);

    if (fd >= 0) {
        (void)fsync(fd);
        close(fd);
    }
}

/* Lines are built in memory, so that each reaches the file by one write. */
static kmv_status append_line(kmv_journal *j, const void *row, kmv_error *err)
{
    char *text = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);
    kmv_status st;

    if (f == NULL)
        return kmv_fail(err, KMV_ENOMEM, "%s: no memory for a row", j->path);
    st = row != NULL ? kmv_tsv_row(j->schema, row, f, err) : kmv_tsv_header(j->schema, f, err);
    if (fclose(f) != 0 && st == KMV_OK)
        st = kmv_fail(err, KMV_ENOMEM, "%s: no memory for a row", j->path);
    if (st == KMV_OK && (st = write_all(j->fd, j->path, text, size, err)) != KMV_OK &&
        ftruncate(j->fd, j->size) != 0)
        kmv_fail_prefix(err, st, "and its torn last line stays");
    if (st == KMV_OK)
        j->size += (long long)size;
    free(text);
    return st;
}

/* Bytes up to and with the last newline. */
static kmv_status whole_lines(int fd, const char *path, long long *size, kmv_error *err)
{
    char block[4096];
    off_t end = lseek(fd, 0, SEEK_END);

    while (end > 0) {
        const off_t start = end > (off_t)sizeof block ? end - (off_t)sizeof block : 0;
        const ssize_t got = pread(fd, block, (size_t)(end - start), start);

        if (got != end - start)
            return fail_errno(err, path, "cannot be read");
        for (ssize_t i = got; i-- > 0;) {
            if (block[i] == '\n') {
                *size = start + i + 1;
                return KMV_OK;
            }
        }
        end = start;
    }
    *size = 0;
    return KMV_OK;
}

/* Rows are appended in this version's columns, so the file must have exactly these. */
static kmv_status check_header(const kmv_journal *j, kmv_error *err)
{
    FILE *f = fopen(j->path, "r");
    char *line = NULL, *want = NULL;
    size_t room = 0, size = 0;
    kmv_status st = KMV_OK;
    FILE *text = open_memstream(&want, &size);

    if (f == NULL || text == NULL || kmv_tsv_header(j->schema, text, NULL) != KMV_OK ||
        fflush(text) != 0 || getline(&line, &room, f) < 0)
        st = fail_errno(err, j->path, "cannot be read");
    else if (strcmp(line, want) != 0)
        st = kmv_fail(err, KMV_EFORMAT,
                      "%s:1: columns of another version of kmv, want a new folder", j->path);
    if (f != NULL)
        fclose(f);
    if (text != NULL)
        fclose(text);
    free(line);
    free(want);
    return st;
}

kmv_status kmv_journal_open(const char *dir, const char *name, const kmv_schema *schema,
                            kmv_journal *journal, kmv_error *err)
{
    kmv_journal j = {.schema = schema, .fd = -1};
    kmv_status st = join_path(dir, name, j.path, sizeof j.path, err);
    int torn;

    if (st != KMV_OK)
        return st;
    if ((j.fd = open(j.path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666)) < 0)
        return fail_errno(err, j.path, "cannot be opened");
    if ((st = whole_lines(j.fd, j.path, &j.size, err)) != KMV_OK)
        goto out;
    if (ftruncate(j.fd, j.size) != 0) {
        st = fail_errno(err, j.path, "cannot be cut to whole lines");
        goto out;
    }
    if (j.size == 0) {
        st = append_line(&j, NULL, err);
        sync_folder(dir);
    } else if ((st = check_header(&j, err)) == KMV_OK) {
        st = kmv_tsv_read(schema, j.path, &j.rows, &j.count, &torn, err);
    }
    if (st == KMV_OK) {
        *journal = j;
        j = (kmv_journal){.fd = -1};
    }
out:
    kmv_journal_close(&j);
    return st;
}

kmv_status kmv_journal_append(kmv_journal *journal, const void *row, kmv_error *err)
{
    return append_line(journal, row, err);
}

void kmv_journal_close(kmv_journal *journal)
{
    kmv_free(journal->rows);
    if (journal->schema != NULL && journal->fd >= 0)
        close(journal->fd);
    *journal = (kmv_journal){.fd = -1};
}

kmv_status kmv_file_replace(const char *dir, const char *name, const void *bytes, size_t size,
                            kmv_error *err)
{
    char path[1024], temporary[1040];
    kmv_status st = join_path(dir, name, path, sizeof path, err);
    int fd;

    if (st != KMV_OK)
        return st;
    snprintf(temporary, sizeof temporary, "%s.tmp", path);
    if ((fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666)) < 0)
        return fail_errno(err, temporary, "cannot be written");
    st = write_all(fd, temporary, bytes, size, err);
    if (close(fd) != 0 && st == KMV_OK)
        st = fail_errno(err, temporary, "cannot be written");
    if (st == KMV_OK && rename(temporary, path) != 0)
        st = fail_errno(err, path, "cannot be replaced");
    if (st != KMV_OK)
        unlink(temporary);
    else
        sync_folder(dir);
    return st;
}

kmv_status kmv_folders_make(const char *path, kmv_error *err)
{
    char part[1024];
    struct stat info;

    if (*path == '\0' || strlen(path) >= sizeof part)
        return kmv_fail(err, KMV_EINVAL, "%.60s: not a folder's path", path);
    for (size_t i = 1;; i++) {
        if (path[i] != '/' && path[i] != '\0')
            continue;
        memcpy(part, path, i);
        part[i] = '\0';
        if (mkdir(part, 0777) != 0 && errno != EEXIST)
            return fail_errno(err, part, "cannot be made");
        if (path[i] == '\0')
            break;
    }
    if (stat(path, &info) != 0 || !S_ISDIR(info.st_mode))
        return kmv_fail(err, KMV_EIO, "%s: not a folder", path);
    return KMV_OK;
}

kmv_status kmv_folder_lock(const char *dir, int *fd, kmv_error *err)
{
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    char path[1024];
    kmv_status st = join_path(dir, ".lock", path, sizeof path, err);
    int lock;

    if (st != KMV_OK)
        return st;
    if ((lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666)) < 0)
        return fail_errno(err, path, "cannot be opened");
    /* Not flock: a child would share that lock and could hold it beyond its parent's death. */
    if (fcntl(lock, F_SETLK, &whole) != 0) {
        st = errno == EAGAIN || errno == EACCES
                 ? kmv_fail(err, KMV_EIO, "%s: another kmv run works in this folder", dir)
                 : fail_errno(err, path, "cannot be locked");
        close(lock);
        return st;
    }
    *fd = lock;
    return KMV_OK;
}

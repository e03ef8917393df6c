/* bench/journal.h - append-only tables that survive a kill at any moment, and files replaced whole.
 */
#ifndef KMV_BENCH_JOURNAL_H
#define KMV_BENCH_JOURNAL_H

#include "bench/schema.h"

/** Rows of one schema in one file: a header line, then one line per row. */
typedef struct {
    const kmv_schema *schema;
    char path[1024];
    int fd;
    long long size; /* bytes of whole lines */
    void *rows;     /* those that were there when it was opened, kmv_alloc'ed */
    size_t count;
} kmv_journal;

/** Open or create. A torn last line (a write cut short by a kill) is cut off. KMV_EIO,
 *  KMV_EFORMAT (columns this version does not know, or a header of other columns). */
kmv_status kmv_journal_open(const char *dir, const char *name, const kmv_schema *schema,
                            kmv_journal *journal, kmv_error *err);

/** Append one row: one write, then fsync. On failure (full disk) the file is cut back to whole
 *  lines. */
kmv_status kmv_journal_append(kmv_journal *journal, const void *row, kmv_error *err);

/** Harmless on a zeroed or closed journal. */
void kmv_journal_close(kmv_journal *journal);

/** Replace dir/name by these bytes: temporary name, fsync, rename. */
kmv_status kmv_file_replace(const char *dir, const char *name, const void *bytes, size_t size,
                            kmv_error *err);

/** Make the folder and those above it; one that is there is fine. */
kmv_status kmv_folders_make(const char *path, kmv_error *err);

/** Take dir/.lock for this process as long as *fd stays open; KMV_EIO when another process has
 *  it. */
kmv_status kmv_folder_lock(const char *dir, int *fd, kmv_error *err);

#endif

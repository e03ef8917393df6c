/* cli/folders.h - the results folders that a command names. */
#ifndef KMV_CLI_FOLDERS_H
#define KMV_CLI_FOLDERS_H

#include "bench/results.h"
#include "cli/args.h"

typedef struct {
    kmv_results *results;
    size_t count;
} kmv_folders;

/** Read every positional argument as a results folder (kmv_results_read). */
kmv_status kmv_folders_read(const kmv_args *args, kmv_folders *out, kmv_error *err);
void kmv_folders_clear(kmv_folders *folders);

#endif

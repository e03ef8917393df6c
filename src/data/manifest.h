/* data/manifest.h - files whose content is recorded beside them. */
#ifndef KMV_DATA_MANIFEST_H
#define KMV_DATA_MANIFEST_H

#include "kmv.h"

/**
 * Check a file against MANIFEST.tsv in its own folder: tab-separated lines "path sha256 bytes
 * origin", the first of them the header, path relative to that folder. KMV_OK when there is no
 * manifest, when it does not list the file, or when size and hash agree; KMV_EFORMAT when they do
 * not, or when a line cannot be understood. Nothing is remembered: each call reads the whole file
 * (about 0.1 s per 30 MB). kmv_h5_list and kmv_dataset_read call it, and so does every command.
 */
kmv_status kmv_manifest_check(const char *path, kmv_error *err);

#endif

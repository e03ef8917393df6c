/* base/hash.h - SHA-256 (Nettle) of memory and files, as lower-case hex. */
#ifndef KMV_BASE_HASH_H
#define KMV_BASE_HASH_H

#include <nettle/sha2.h>

#include "kmv.h"

enum { KMV_HASH_SIZE = 65 }; /* 64 hexadecimal digits and '\0' */

/** Hash of `bytes` bytes at data. */
void kmv_hash_bytes(const void *data, size_t bytes, char hex[KMV_HASH_SIZE]);

/** Finish a running hash (sha256_init, sha256_update from Nettle). */
void kmv_hash_finish(struct sha256_ctx *ctx, char hex[KMV_HASH_SIZE]);

/** Hash of a file's bytes, as sha256sum prints it. KMV_EIO when it cannot be read. */
kmv_status kmv_hash_file(const char *path, char hex[KMV_HASH_SIZE], kmv_error *err);

#endif

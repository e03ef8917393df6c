/* base/hash.c - see hash.h. */
#include "base/hash.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/status.h"

void kmv_hash_finish(struct sha256_ctx *ctx, char hex[KMV_HASH_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    uint8_t digest[SHA256_DIGEST_SIZE];

    sha256_digest(ctx, sizeof digest, digest);
    for (size_t i = 0; i < sizeof digest; i++) {
        hex[2 * i] = digits[digest[i] >> 4];
        hex[2 * i + 1] = digits[digest[i] & 15];
    }
    hex[KMV_HASH_SIZE - 1] = '\0';
}

void kmv_hash_bytes(const void *data, size_t bytes, char hex[KMV_HASH_SIZE])
{
    struct sha256_ctx ctx;

    sha256_init(&ctx);
    sha256_update(&ctx, bytes, data);
    kmv_hash_finish(&ctx, hex);
}

kmv_status kmv_hash_file(const char *path, char hex[KMV_HASH_SIZE], kmv_error *err)
{
    FILE *f = fopen(path, "rb");
    struct sha256_ctx ctx;
    unsigned char block[1 << 16];
    size_t got;
    int failed;

    if (f == NULL)
        return kmv_fail(err, KMV_EIO, "%s: %s", path, strerror(errno));
    sha256_init(&ctx);
    while ((got = fread(block, 1, sizeof block, f)) > 0)
        sha256_update(&ctx, got, block);
    failed = ferror(f);
    fclose(f);
    if (failed)
        return kmv_fail(err, KMV_EIO, "%s: cannot be read", path);
    kmv_hash_finish(&ctx, hex);
    return KMV_OK;
}

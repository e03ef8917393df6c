/* data/manifest.c - see manifest.h. */
#include "data/manifest.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/hash.h"
#include "base/status.h"
#include "base/str.h"

static kmv_status compare(const char *path, const char *manifest, const char *hash, size_t bytes,
                          kmv_error *err)
{
    char found[KMV_HASH_SIZE];
    struct stat s;
    kmv_status st;

    if (stat(path, &s) == 0 && (size_t)s.st_size != bytes)
        return kmv_fail(err, KMV_EFORMAT, "%s: %s wants %zu bytes, found %lld", path, manifest,
                        bytes, (long long)s.st_size);
    if ((st = kmv_hash_file(path, found, err)) != KMV_OK)
        return st;
    if (strcmp(hash, found) != 0)
        return kmv_fail(err, KMV_EFORMAT, "%s: %s wants sha256 %s, found %s", path, manifest, hash,
                        found);
    return KMV_OK;
}

/* Cut a line at its first three tabs; 0 when it has fewer. */
static int split(char *line, char *fields[4])
{
    fields[0] = line;
    for (int i = 1; i < 4; i++) {
        char *tab = strchr(fields[i - 1], '\t');

        if (tab == NULL)
            return 0;
        *tab = '\0';
        fields[i] = tab + 1;
    }
    return 1;
}

kmv_status kmv_manifest_check(const char *path, kmv_error *err)
{
    const char *slash = strrchr(path, '/'), *base = slash != NULL ? slash + 1 : path;
    char manifest[1024], line[2048], *fields[4];
    kmv_status st = KMV_OK;
    size_t number = 0, bytes;
    FILE *f;

    if (snprintf(manifest, sizeof manifest, "%.*sMANIFEST.tsv", (int)(base - path), path) >=
        (int)sizeof manifest)
        return kmv_fail(err, KMV_EINVAL, "%.60s...: the path is too long", path);
    if ((f = fopen(manifest, "r")) == NULL)
        return KMV_OK;
    while (st == KMV_OK && fgets(line, sizeof line, f) != NULL) {
        if (++number == 1)
            continue; /* the header */
        if (!split(line, fields) || strlen(fields[1]) != KMV_HASH_SIZE - 1 ||
            !kmv_parse_size(fields[2], &bytes))
            st = kmv_fail(err, KMV_EFORMAT, "%s:%zu: want path, sha256, bytes, origin", manifest,
                          number);
        else if (strcmp(fields[0], base) == 0)
            st = compare(path, manifest, fields[1], bytes, err);
    }
    fclose(f);
    return st;
}

/* data/h5_address.c - see h5_address.h. */
#include "data/h5_address.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/status.h"
#include "base/str.h"

static int exists(const char *path)
{
    struct stat s;

    return stat(path, &s) == 0;
}

static kmv_status check_file(const char *path, kmv_error *err)
{
    struct stat s;

    if (stat(path, &s) != 0 || access(path, R_OK) != 0)
        return kmv_fail(err, KMV_EIO, "%s: %s", path, strerror(errno));
    /* A pipe would block the reader for ever, a folder gives a strange message. */
    if (!S_ISREG(s.st_mode))
        return kmv_fail(err, KMV_EINVAL, "%s: want a regular file, found a %s", path,
                        S_ISDIR(s.st_mode) ? "folder" : "device or pipe");
    return KMV_OK;
}

kmv_status kmv_address_parse(const char *address, kmv_address *out, kmv_error *err)
{
    const size_t length = strlen(address);
    size_t cut = length;
    kmv_address a;
    kmv_status st;

    if (length >= KMV_ADDRESS_SIZE)
        return kmv_fail(err, KMV_EINVAL, "%.60s...: want an address of at most %d bytes, got %zu",
                        address, KMV_ADDRESS_SIZE - 1, length);
    memcpy(a.path, address, length + 1);
    while (!exists(a.path)) {
        char *colon = strrchr(a.path, ':');

        if (colon == NULL)
            break;
        *colon = '\0';
        cut = (size_t)(colon - a.path);
    }
    if (!exists(a.path)) { /* name the file the user most likely meant: all before the last colon */
        const char *last = strrchr(address, ':');

        memcpy(a.path, address, length + 1);
        if (last != NULL)
            a.path[last - address] = '\0';
        cut = strlen(a.path);
    }
    if ((st = check_file(a.path, err)) != KMV_OK)
        return st;
    memset(a.object, 0, sizeof a.object);
    if (cut < length)
        memcpy(a.object, address + cut + 1, length - cut);
    *out = a;
    return KMV_OK;
}

static int only_digits(const char *text, size_t length)
{
    return length > 0 && strspn(text, "0123456789") >= length;
}

/* The number that is all of the text, of at most 31 digits. */
static int parse_number(const char *text, size_t length, size_t *out)
{
    char digits[32] = "";

    if (length >= sizeof digits || !only_digits(text, length))
        return 0;
    memcpy(digits, text, length);
    return kmv_parse_size(digits, out);
}

int kmv_address_index(const char *object, size_t *group_length, kmv_head_index *index)
{
    const char *hash = strrchr(object, '#'), *comma, *last;
    kmv_head_index found = {.numbers = 1};

    *group_length = strlen(object);
    if (hash == NULL)
        return 0;
    comma = strchr(hash, ',');
    if (comma != NULL) {
        found.numbers = 2;
        if (!parse_number(hash + 1, (size_t)(comma - hash - 1), &found.layer))
            return 0;
    }
    last = comma != NULL ? comma + 1 : hash + 1;
    if (*last == 'k') {
        found.shared = 1;
        last++;
    }
    if (!parse_number(last, strlen(last), &found.head))
        return 0;
    *group_length = (size_t)(hash - object);
    *index = found;
    return found.numbers;
}

int kmv_address_stem(const char *path, char *stem, size_t size)
{
    const char *slash = strrchr(path, '/'), *base = slash != NULL ? slash + 1 : path;
    const char *dot = strrchr(base, '.');
    const size_t length = dot != NULL && dot != base ? (size_t)(dot - base) : strlen(base);
    const size_t kept = length < size ? length : size - 1;

    memcpy(stem, base, kept);
    stem[kept] = '\0';
    return kept == length;
}

/* bench/report_svg.c - see report_svg.h. */
#include "bench/report_svg.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/status.h"

static kmv_status read_all(const char *path, char **text, kmv_error *err)
{
    kmv_status st = KMV_OK;
    char *buffer = NULL;
    long size = -1;
    FILE *f = fopen(path, "r");

    if (f == NULL)
        return kmv_fail(err, KMV_EIO, "%s: %s", path, strerror(errno));
    if (fseek(f, 0, SEEK_END) == 0)
        size = ftell(f);
    rewind(f);
    if (size < 0) {
        st = kmv_fail(err, KMV_EIO, "%s: cannot be read", path);
    } else if ((buffer = kmv_alloc((size_t)size + 1, 1, "a figure", err)) == NULL) {
        st = KMV_ENOMEM;
    } else if (fread(buffer, 1, (size_t)size, f) != (size_t)size) {
        st = kmv_fail(err, KMV_EIO, "%s: cannot be read", path);
        kmv_free(buffer);
        buffer = NULL;
    }
    fclose(f);
    if (st == KMV_OK)
        *text = buffer;
    return st;
}

/* Length of an attribute that declares a name space, such as ` xmlns:xlink="..."`, or 0. */
static size_t name_space(const char *at)
{
    const char *open, *close;

    if (strncmp(at, " xmlns", 6) != 0 || (open = strchr(at, '"')) == NULL ||
        (close = strchr(open + 1, '"')) == NULL)
        return 0;
    return (size_t)(close - at) + 1;
}

/* Length of what comes right before a name of this file: the prefix goes behind it. */
static size_t before_name(const char *at)
{
    static const char *const marks[] = {" id=\"", " id='", "href=\"#", "href='#", "url(#"};

    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
        if (strncmp(at, marks[i], strlen(marks[i])) == 0)
            return strlen(marks[i]);
    }
    return 0;
}

kmv_status kmv_report_svg(const char *path, size_t unique, FILE *out, kmv_error *err)
{
    char *text = NULL;
    const char *at;
    kmv_status st = read_all(path, &text, err);

    if (st != KMV_OK)
        return st;
    if ((at = strstr(text, "<svg")) == NULL)
        st = kmv_fail(err, KMV_EFORMAT, "%s: want an <svg> element", path);
    while (st == KMV_OK && *at != '\0') {
        const size_t skip = name_space(at), keep = before_name(at);

        if (skip > 0) {
            at += skip;
        } else if (keep > 0) {
            fprintf(out, "%.*sf%zu", (int)keep, at, unique);
            at += keep;
        } else {
            fputc(*at++, out);
        }
    }
    kmv_free(text);
    return st;
}

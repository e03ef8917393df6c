/* base/status.c - see status.h. */
#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void one_line(char *text)
{
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            *text = '?';
    }
}

kmv_status kmv_fail(kmv_error *err, kmv_status status, const char *format, ...)
{
    if (err) {
        va_list args;

        va_start(args, format);
        vsnprintf(err->text, sizeof err->text, format, args);
        va_end(args);
        one_line(err->text);
    }
    return status;
}

kmv_status kmv_fail_prefix(kmv_error *err, kmv_status status, const char *format, ...)
{
    if (err) {
        kmv_error inner = *err;
        va_list args;
        size_t used;

        va_start(args, format);
        vsnprintf(err->text, sizeof err->text, format, args);
        va_end(args);
        one_line(err->text);
        used = strlen(err->text);
        snprintf(err->text + used, sizeof err->text - used, ": %s", inner.text);
    }
    return status;
}

const char *kmv_status_text(kmv_status status)
{
    switch (status) {
    case KMV_OK:
        return "ok";
    case KMV_EINVAL:
        return "invalid argument";
    case KMV_ENOMEM:
        return "out of memory";
    case KMV_EIO:
        return "input/output error";
    case KMV_EFORMAT:
        return "malformed file";
    case KMV_ENOTSUP:
        return "not supported";
    case KMV_EINTERNAL:
        return "internal error";
    }
    return "unknown status";
}

const char *kmv_version(void)
{
    return KMV_VERSION;
}

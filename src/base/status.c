/* base/status.c - see status.h. */
#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Bytes of the UTF-8 character beyond ASCII that begins here; 0 when none does. */
static size_t wide_character(const char *text)
{
    const unsigned char first = (unsigned char)*text;
    const size_t length = first >= 0xc2 && first < 0xe0   ? 2
                          : first >= 0xe0 && first < 0xf0 ? 3
                          : first >= 0xf0 && first < 0xf5 ? 4
                                                          : 0;

    for (size_t i = 1; i < length; i++) {
        if (((unsigned char)text[i] & 0xc0) != 0x80)
            return 0;
    }
    if (first == 0xc2 && (unsigned char)text[1] < 0xa0)
        return 0; /* a control character too */
    return length;
}

static void one_line(char *text)
{
    while (*text != '\0') {
        const size_t wide = wide_character(text);

        if (wide == 0 && ((unsigned char)*text < ' ' || (unsigned char)*text >= 0x7f))
            *text = '?';
        text += wide > 0 ? wide : 1;
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

/* base/str.c - see str.h. */
#include "base/str.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

int kmv_parse_real(const char *text, double *value)
{
    char *end;
    double v;

    /* strtod also takes "inf", "nan", hexadecimal and leading blanks; none of them is meant. */
    if (*text == '\0' || strspn(text, "0123456789+-.eE") != strlen(text))
        return 0;
    errno = 0;
    v = strtod(text, &end);
    if (*end != '\0' || !isfinite(v) || (v == 0 && errno == ERANGE))
        return 0;
    *value = v;
    return 1;
}

int kmv_parse_size(const char *text, size_t *value)
{
    const char *caret = strchr(text, '^');
    char *end;
    unsigned long long v;
    double real;

    if (!isdigit((unsigned char)*text))
        return 0;
    if (caret != NULL) {
        if (strncmp(text, "2^", 2) != 0 || !isdigit((unsigned char)caret[1]))
            return 0;
        v = strtoull(caret + 1, &end, 10);
        if (*end != '\0' || v > 62)
            return 0;
        *value = (size_t)1 << v;
        return 1;
    }
    errno = 0;
    v = strtoull(text, &end, 10);
    if (*end == '\0' && errno == 0 && v <= SIZE_MAX) {
        *value = (size_t)v;
        return 1;
    }
    if (!kmv_parse_real(text, &real) || real != floor(real) || real > 9e15)
        return 0;
    *value = (size_t)real;
    return 1;
}

int kmv_parse_bool(const char *text, int *value)
{
    static const char *const yes[] = {"yes", "true", "on", "1"};
    static const char *const no[] = {"no", "false", "off", "0"};

    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++) {
        if (strcasecmp(text, yes[i]) == 0) {
            *value = 1;
            return 1;
        }
        if (strcasecmp(text, no[i]) == 0) {
            *value = 0;
            return 1;
        }
    }
    return 0;
}

size_t kmv_edit_distance(const char *a, const char *b, size_t limit)
{
    const size_t la = strlen(a), lb = strlen(b);
    size_t row[64];

    if (la > 63 || lb > 63)
        return limit + 1;
    for (size_t j = 0; j <= lb; j++)
        row[j] = j;
    for (size_t i = 1; i <= la; i++) {
        size_t diagonal = row[0];

        row[0] = i;
        for (size_t j = 1; j <= lb; j++) {
            const size_t above = row[j];
            size_t best = diagonal + (a[i - 1] != b[j - 1]);

            if (above + 1 < best)
                best = above + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            diagonal = above;
            row[j] = best;
        }
    }
    return row[lb] > limit ? limit + 1 : row[lb];
}

const char *kmv_closest(const char *name, const char *const *names, size_t count)
{
    const char *best = NULL;
    size_t least = 3;

    for (size_t i = 0; i < count; i++) {
        const size_t edits = kmv_edit_distance(name, names[i], 2);

        if (edits < least && edits < strlen(name)) {
            least = edits;
            best = names[i];
        }
    }
    return best;
}

void kmv_real_text(double value, char *text, size_t size)
{
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, size, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            return;
    }
}

void kmv_range_text(double lo, double hi, int integer, char *text, size_t size)
{
    const char *kind = integer ? "an integer" : "a number";
    const double no_limit = integer ? 0x1p53 : 1e300;
    const int open = lo > 0 && lo <= 1e-300;

    const int below_1 = !integer && hi < 1 && hi >= 1 - 1e-15;

    if (hi < no_limit)
        snprintf(text, size, "%s in %c%.15g, %.15g%c", kind, open ? '(' : '[', open ? 0 : lo, hi,
                 below_1 ? ')' : ']');
    else if (open)
        snprintf(text, size, "%s > 0", kind);
    else if (lo > -no_limit)
        snprintf(text, size, "%s >= %.15g", kind, lo);
    else
        snprintf(text, size, "%s", kind);
}

char *kmv_trim(char *text)
{
    char *end;

    while (isspace((unsigned char)*text))
        text++;
    end = text + strlen(text);
    while (end > text && isspace((unsigned char)end[-1]))
        end--;
    *end = '\0';
    return text;
}

int kmv_copy_text(char *dst, size_t size, const char *src)
{
    const size_t length = strlen(src), take = length < size ? length : size - 1;

    memcpy(dst, src, take);
    dst[take] = '\0';
    return take == length;
}

const char *kmv_shell_word(const char *text, char *out, size_t size)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:=@%+,-";
    size_t used = 0;

    if (*text != '\0' && text[strspn(text, plain)] == '\0') {
        snprintf(out, size, "%s", text);
        return out;
    }
    /* Room for the longest piece, the closing quote and the end. */
    for (out[used++] = '\''; *text != '\0' && used + 6 < size; text++)
        used += (size_t)snprintf(out + used, size - used, *text == '\'' ? "'\\''" : "%c", *text);
    snprintf(out + used, size - used, "'");
    return out;
}

/* bench/figure_predicted.c - exponents that a section says were predicted: "NAME EXPONENT, ...". */
#include <stdio.h>
#include <string.h>

#include "base/status.h"
#include "base/str.h"
#include "bench/figure_parts.h"

static const char key[] = "predicted";

/* Reads the item at *rest, which moves behind it; 1 when it is a name and a number. */
static int next_item(const char **rest, char *name, size_t size, double *exponent)
{
    const size_t length = strcspn(*rest, ",");
    char item[128], *number;
    int whole;

    if (length >= sizeof item)
        return 0;
    snprintf(item, sizeof item, "%.*s", (int)length, *rest);
    *rest += length + ((*rest)[length] == ',');
    number = strrchr(kmv_trim(item), ' ');
    if (number == NULL || !kmv_parse_real(number + 1, exponent))
        return 0;
    *number = '\0';
    whole = kmv_copy_text(name, size, kmv_trim(item));
    return whole && *name != '\0';
}

kmv_status kmv_figure_check_predicted(const kmv_config_entry *e, kmv_error *err)
{
    const char *rest = e->value;

    do {
        char name[64];
        double exponent;

        if (!next_item(&rest, name, sizeof name, &exponent))
            return kmv_fail(err, KMV_EINVAL,
                            "%zu: %s: want a list of names of curves with an exponent each, such "
                            "as 'kde 1.6, samples 1.9', got '%s'",
                            e->line, key, e->value);
    } while (rest[-1] == ',');
    return KMV_OK;
}

int kmv_figure_predicted(const kmv_config_figure *figure, const char *curve, double *exponent)
{
    const char *rest = kmv_figure_value(figure, key, "");

    while (*rest != '\0') {
        char name[64];
        double found;

        if (next_item(&rest, name, sizeof name, &found) && strcmp(name, curve) == 0) {
            *exponent = found;
            return 1;
        }
    }
    return 0;
}

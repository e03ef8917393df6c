/* bench/config_check.c - see config_check.h. */
#include "bench/config_check.h"

#include <stdio.h>
#include <string.h>

#include "base/status.h"
#include "base/str.h"
#include "data/dataset.h"
#include "data/synth.h"
#include "data/xgen.h"
#include "gauss/tile.h"

static kmv_status want(kmv_error *err, const char *what, const char *got, const char *near)
{
    return kmv_fail(err, KMV_EINVAL, "want %s, got '%s'%s%s%s", what, got,
                    near != NULL ? ", did you mean '" : "", near != NULL ? near : "",
                    near != NULL ? "'?" : "");
}

static kmv_status one_of(const char *text, const char *const *words, size_t count, const char *all,
                         kmv_error *err)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(text, words[i]) == 0)
            return KMV_OK;
    }
    return want(err, all, text, kmv_closest(text, words, count));
}

kmv_status kmv_check_algo(const char *text, kmv_error *err)
{
    const kmv_algo *near = kmv_algo_closest(text);

    if (kmv_algo_find(text) != NULL)
        return KMV_OK;
    return want(err, "an algorithm (see `kmv list algos`)", text,
                near != NULL ? kmv_algo_name(near) : NULL);
}

kmv_status kmv_check_generator(const char *text, kmv_error *err)
{
    const char *names[64];
    const kmv_generator *g;
    size_t count = 0;

    for (; count < 64 && (g = kmv_generator_at(count)) != NULL; count++)
        names[count] = g->name;
    return one_of(text, names, count, "a generator (see `kmv list generators`)", err);
}

static const char *const matrices[] = {"gauss", "softmax", "rowmax"};

kmv_status kmv_check_matrix(const char *text, kmv_error *err)
{
    return one_of(text, matrices, 2, "gauss or softmax", err);
}

kmv_status kmv_check_measure_matrix(const char *text, kmv_error *err)
{
    return one_of(text, matrices, 3, "gauss, softmax or rowmax", err);
}

kmv_status kmv_check_causal(const char *text, kmv_error *err)
{
    int flag;

    return kmv_parse_bool(text, &flag) ? KMV_OK : want(err, "yes or no", text, NULL);
}

kmv_status kmv_check_center(const char *text, kmv_error *err)
{
    kmv_center center;

    return kmv_center_parse(text, &center, err);
}

kmv_status kmv_check_count(const char *text, kmv_error *err)
{
    size_t count;

    return kmv_parse_size(text, &count) && count >= 1 ? KMV_OK
                                                      : want(err, "an integer >= 1", text, NULL);
}

kmv_status kmv_check_n(const char *text, kmv_error *err)
{
    size_t count;

    return strcmp(text, "all") == 0 || (kmv_parse_size(text, &count) && count >= 1)
               ? KMV_OK
               : want(err, "an integer >= 1, or all", text, NULL);
}

kmv_status kmv_check_eps(const char *text, kmv_error *err)
{
    double v;

    return kmv_parse_real(text, &v) && v > 0 ? KMV_OK : want(err, "a number > 0", text, NULL);
}

kmv_status kmv_check_delta(const char *text, kmv_error *err)
{
    double v;

    return kmv_parse_real(text, &v) && v > 0 && v < 1 ? KMV_OK
                                                      : want(err, "a number in (0, 1)", text, NULL);
}

kmv_status kmv_check_x(const char *text, kmv_error *err)
{
    return kmv_x_check(text, err);
}

kmv_status kmv_check_threads(const char *text, kmv_error *err)
{
    size_t count;

    return kmv_parse_size(text, &count) && count >= 1 && count <= 4096
               ? KMV_OK
               : want(err, "an integer in [1, 4096]", text, NULL);
}

kmv_status kmv_check_isa(const char *text, kmv_error *err)
{
    const kmv_tile *tile;

    return kmv_tile_select(text, &tile, err);
}

/* A number followed by at most one of the unit letters; factors[i] belongs to units[i]. */
static int parse_unit(const char *text, const char *units, const double *factors, double *value)
{
    const size_t length = strlen(text);
    char number[64];
    const char *unit;
    double v;

    if (length == 0 || length >= sizeof number)
        return 0;
    memcpy(number, text, length + 1);
    unit = strchr(units, number[length - 1]);
    if (unit != NULL)
        number[length - 1] = '\0';
    if (!kmv_parse_real(kmv_trim(number), &v))
        return 0;
    *value = unit != NULL ? v * factors[unit - units] : v;
    return 1;
}

int kmv_parse_seconds(const char *text, double *seconds)
{
    static const double factors[] = {1, 60, 3600};

    return parse_unit(text, "smh", factors, seconds);
}

int kmv_parse_bytes(const char *text, double *bytes)
{
    static const double factors[] = {1024.0, 1048576.0, 1073741824.0, 1099511627776.0};

    return parse_unit(text, "KMGT", factors, bytes);
}

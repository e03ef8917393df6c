/* algo/algo_table.c - the only list of algorithms. */
#include <string.h>

#include "algo/algo.h"
#include "base/option.h"
#include "base/status.h"
#include "base/str.h"

extern const kmv_algo kmv_algo_null, kmv_algo_exact, kmv_algo_exact_f64, kmv_algo_exact_blas,
    kmv_algo_uniform, kmv_algo_importance, kmv_algo_paper, kmv_algo_lsh, kmv_algo_probe,
    kmv_algo_auto, kmv_algo_performer, kmv_algo_rff, kmv_algo_nystrom;

/* One a line, in the order of listings. */
const kmv_algo *const kmv_algo_table[] = {
    &kmv_algo_null,       //
    &kmv_algo_exact,      //
    &kmv_algo_exact_f64,  //
    &kmv_algo_exact_blas, //
    &kmv_algo_uniform,    //
    &kmv_algo_importance, //
    &kmv_algo_paper,      //
    &kmv_algo_lsh,        //
    &kmv_algo_probe,      //
    &kmv_algo_auto,       //
    &kmv_algo_performer,  //
    &kmv_algo_rff,        //
    &kmv_algo_nystrom,    //
    NULL,
};

/* A default that its own table refuses would only show when somebody uses the algorithm. */
static kmv_status check_options(const kmv_algo *a, kmv_error *err)
{
    _Alignas(max_align_t) unsigned char options[KMV_ALGO_OPTIONS_MAX] = {0};
    kmv_status st;

    if (a->options_size > sizeof options)
        return kmv_fail(err, KMV_EINTERNAL, "%s: options of %zu bytes", a->name, a->options_size);
    if ((st = kmv_options_default(a->options, options, err)) != KMV_OK)
        return kmv_fail_prefix(err, KMV_EINTERNAL, "%s: default of an option", a->name);
    return st;
}

kmv_status kmv_algo_check_table(kmv_error *err)
{
    kmv_status st;

    for (size_t i = 0; kmv_algo_table[i] != NULL; i++) {
        const kmv_algo *a = kmv_algo_table[i];

        if (a->name == NULL || a->summary == NULL || a->guarantee == NULL || a->source == NULL ||
            a->prepare == NULL || a->apply == NULL || a->destroy == NULL ||
            (a->options != NULL) != (a->options_size > 0) ||
            !(a->flags & (KMV_CAN_GAUSS | KMV_CAN_SOFTMAX)))
            return kmv_fail(err, KMV_EINTERNAL, "algorithm %zu of the table is incomplete", i);
        if ((st = check_options(a, err)) != KMV_OK)
            return st;
        for (size_t j = 0; j < i; j++) {
            if (strcmp(kmv_algo_table[j]->name, a->name) == 0)
                return kmv_fail(err, KMV_EINTERNAL, "two algorithms are called '%s'", a->name);
        }
    }
    return KMV_OK;
}

const kmv_algo *kmv_algo_find(const char *name)
{
    for (size_t i = 0; kmv_algo_table[i] != NULL; i++) {
        if (strcmp(kmv_algo_table[i]->name, name) == 0)
            return kmv_algo_table[i];
    }
    return NULL;
}

const kmv_algo *kmv_algo_at(size_t i)
{
    size_t count = 0;

    while (kmv_algo_table[count] != NULL)
        count++;
    return i < count ? kmv_algo_table[i] : NULL;
}

const kmv_algo *kmv_algo_closest(const char *name)
{
    const char *names[64], *near;
    size_t count = 0;

    for (; kmv_algo_table[count] != NULL && count < 64; count++)
        names[count] = kmv_algo_table[count]->name;
    near = kmv_closest(name, names, count);
    return near != NULL ? kmv_algo_find(near) : NULL;
}

const char *kmv_algo_name(const kmv_algo *a)
{
    return a->name;
}

const char *kmv_algo_summary(const kmv_algo *a)
{
    return a->summary;
}

const char *kmv_algo_guarantee(const kmv_algo *a)
{
    return a->guarantee;
}

const char *kmv_algo_source(const kmv_algo *a)
{
    return a->source;
}

unsigned kmv_algo_flags(const kmv_algo *a)
{
    return a->flags;
}

const kmv_option *kmv_algo_options(const kmv_algo *a)
{
    return a->options;
}

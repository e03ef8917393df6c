/* data/h5_problem.c - see h5_problem.h. */
#include "data/h5_problem.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/status.h"
#include "base/str.h"

static const char *const short_names[3] = {"q", "k", "v"};
static const char *const long_names[3] = {"query", "key", "value"};

static kmv_status has_datasets(hid_t group, const char *where, const char *const names[3],
                               int has[3], kmv_error *err)
{
    for (int i = 0; i < 3; i++) {
        H5O_info_t object;
        int present = 0;
        kmv_status st;

        if ((st = kmv_h5_link(group, where, names[i], &present, &object, err)) != KMV_OK)
            return st;
        has[i] = present && object.type == H5O_TYPE_DATASET;
    }
    return KMV_OK;
}

kmv_status kmv_h5_problem_names(hid_t group, const char *where, const char *names[3],
                                int *is_problem, kmv_error *err)
{
    int s[3], l[3];
    kmv_status st;

    if ((st = has_datasets(group, where, short_names, s, err)) != KMV_OK ||
        (st = has_datasets(group, where, long_names, l, err)) != KMV_OK)
        return st;
    *is_problem = 0;
    if ((s[0] || s[1]) && (l[0] || l[1]))
        return kmv_fail(err, KMV_EFORMAT,
                        "%s: want either q, k, v or query, key, value, found both", where);
    if (s[0] != s[1] || l[0] != l[1])
        return kmv_fail(err, KMV_EFORMAT, "%s: want queries and keys, found only '%s'", where,
                        s[0]   ? "q"
                        : s[1] ? "k"
                        : l[0] ? "query"
                               : "key");
    if (s[0] || l[0]) {
        const char *const *found = s[0] ? short_names : long_names;

        names[0] = found[0];
        names[1] = found[1];
        names[2] = (s[0] ? s : l)[2] ? found[2] : NULL;
        *is_problem = 1;
    }
    return KMV_OK;
}

static kmv_status check_shapes(const char *where, kmv_h5_problem *p, kmv_error *err)
{
    const kmv_h5_array *v = p->has_v ? &p->v : NULL;
    const int rank = p->q.rank;
    char q[96], k[96], values[96] = "";

    kmv_h5_shape(&p->q, q, sizeof q);
    kmv_h5_shape(&p->k, k, sizeof k);
    if (v != NULL)
        kmv_h5_shape(v, values, sizeof values);
    if (p->k.rank != rank)
        return kmv_fail(err, KMV_EINVAL, "%s: want k of as many dimensions as q, found q %s, k %s",
                        where, q, k);
    if (v != NULL && v->rank != rank)
        return kmv_fail(err, KMV_EINVAL, "%s: want v of as many dimensions as k, found k %s, v %s",
                        where, k, values);
    p->layers = rank == 4 ? p->q.dims[0] : 1;
    p->heads = rank >= 3 ? p->q.dims[rank - 3] : 1;
    p->kv_heads = rank >= 3 ? p->k.dims[rank - 3] : 1;
    p->n_q = p->q.dims[rank - 2];
    p->n_k = p->k.dims[rank - 2];
    p->d = p->q.dims[rank - 1];
    p->r = v != NULL ? v->dims[rank - 1] : 0;
    if (p->k.dims[rank - 1] != p->d)
        return kmv_fail(err, KMV_EINVAL, "%s: want q and k of one dimension d, found q %s, k %s",
                        where, q, k);
    if (v != NULL && v->dims[rank - 2] != p->n_k)
        return kmv_fail(err, KMV_EINVAL, "%s: want one row of v per row of k, found k %s, v %s",
                        where, k, values);
    if (rank == 4 && (p->k.dims[0] != p->layers || (v != NULL && v->dims[0] != p->layers)))
        return kmv_fail(err, KMV_EINVAL,
                        "%s: want as many layers everywhere, found q %s, k %s, v %s", where, q, k,
                        v != NULL ? values : "absent");
    if (rank >= 3 && v != NULL && v->dims[rank - 3] != p->kv_heads)
        return kmv_fail(err, KMV_EINVAL, "%s: want as many heads in v as in k, found k %s, v %s",
                        where, k, values);
    if (p->heads % p->kv_heads != 0)
        return kmv_fail(err, KMV_EINVAL,
                        "%s: want query heads to be a multiple of key heads, found %zu and %zu",
                        where, p->heads, p->kv_heads);
    return KMV_OK;
}

kmv_status kmv_h5_problem_open(hid_t group, const char *where, kmv_h5_problem *p, kmv_error *err)
{
    kmv_h5_problem new = {
        .q.set = H5I_INVALID_HID, .k.set = H5I_INVALID_HID, .v.set = H5I_INVALID_HID};
    const char *names[3] = {NULL, NULL, NULL};
    int is_problem = 0;
    kmv_status st;

    if ((st = kmv_h5_problem_names(group, where, names, &is_problem, err)) != KMV_OK)
        return st;
    if (!is_problem)
        return kmv_fail(err, KMV_EFORMAT, "%s: want a group with datasets q and k, found none",
                        where);
    if ((st = kmv_h5_array_open(group, where, names[0], 2, 4, &new.q, err)) != KMV_OK ||
        (st = kmv_h5_array_open(group, where, names[1], 2, 4, &new.k, err)) != KMV_OK)
        goto out;
    new.has_v = names[2] != NULL;
    if (new.has_v && (st = kmv_h5_array_open(group, where, names[2], 2, 4, &new.v, err)) != KMV_OK)
        goto out;
    if ((st = check_shapes(where, &new, err)) != KMV_OK)
        goto out;
    *p = new;
    return KMV_OK;
out:
    kmv_h5_problem_close(&new);
    return st;
}

void kmv_h5_problem_close(kmv_h5_problem *p)
{
    kmv_h5_array_close(&p->q);
    kmv_h5_array_close(&p->k);
    kmv_h5_array_close(&p->v);
}

/* ---- attributes ------------------------------------------------------------------------------ */

/* Open attribute `name` when it is there and holds one element; *attr stays invalid otherwise. */
static kmv_status open_attribute(hid_t group, const char *where, const char *name, hid_t *attr,
                                 hid_t *type, kmv_error *err)
{
    const htri_t there = H5Aexists(group, name);
    hssize_t count;
    hid_t space;

    if (there == 0)
        return KMV_OK;
    if (there < 0 || (*attr = H5Aopen(group, name, H5P_DEFAULT)) < 0 ||
        (*type = H5Aget_type(*attr)) < 0 || (space = H5Aget_space(*attr)) < 0)
        return kmv_fail(err, KMV_EFORMAT, "%s: attribute %s cannot be opened (%s)", where, name,
                        kmv_h5_reason());
    count = H5Sget_simple_extent_npoints(space);
    H5Sclose(space);
    if (count != 1)
        return kmv_fail(err, KMV_EFORMAT, "%s: attribute %s: want one value, found %lld", where,
                        name, (long long)count);
    return KMV_OK;
}

static void close_attribute(hid_t attr, hid_t type)
{
    if (type >= 0)
        H5Tclose(type);
    if (attr >= 0)
        H5Aclose(attr);
}

static kmv_status read_number(hid_t group, const char *where, const char *name, double *value,
                              kmv_error *err)
{
    hid_t attr = H5I_INVALID_HID, type = H5I_INVALID_HID, base = H5I_INVALID_HID;
    double v = 0.0;
    H5T_class_t class;
    kmv_status st = open_attribute(group, where, name, &attr, &type, err);

    if (st != KMV_OK || attr < 0)
        goto out;
    class = H5Tget_class(type);
    /* h5py writes booleans as an enumeration over a byte; its values are 0 and 1. */
    if (class == H5T_ENUM) {
        signed char byte = 0;

        base = H5Tget_super(type);
        if (H5Tget_size(type) != 1 || H5Aread(attr, type, &byte) < 0)
            class = H5T_NO_CLASS;
        v = byte;
    } else if ((class != H5T_FLOAT && class != H5T_INTEGER) || H5Tget_size(type) > 16 ||
               H5Aread(attr, H5T_NATIVE_DOUBLE, &v) < 0) {
        class = H5T_NO_CLASS;
    }
    if (class == H5T_NO_CLASS) {
        st = kmv_fail(err, KMV_EFORMAT, "%s: attribute %s: want a number, found %s", where, name,
                      H5Tget_class(type) == H5T_STRING ? "a text" : "another type");
        goto out;
    }
    if (!isfinite(v)) {
        st = kmv_fail(err, KMV_EINVAL, "%s: attribute %s: want a finite number, found %g", where,
                      name, v);
        goto out;
    }
    *value = v;
out:
    if (base >= 0)
        H5Tclose(base);
    close_attribute(attr, type);
    return st;
}

static void copy_shortened(char *text, size_t size, const char *from)
{
    if (kmv_copy_text(text, size, from))
        return;
    memcpy(text, from, size - 4);
    for (size_t end = size - 4; end > 0 && ((unsigned char)text[end - 1] & 0x80) != 0; end--)
        text[end - 1] = '.'; /* a cut UTF-8 character must not stay */
    memcpy(text + size - 4, "...", 4);
}

static kmv_status read_text(hid_t group, const char *where, const char *name, char *text,
                            size_t size, kmv_error *err)
{
    hid_t attr = H5I_INVALID_HID, type = H5I_INVALID_HID;
    enum { FIXED_MAX = 1 << 16 };
    static char fixed[FIXED_MAX + 1];
    char *variable = NULL;
    kmv_status st = open_attribute(group, where, name, &attr, &type, err);

    if (st != KMV_OK || attr < 0)
        goto out;
    if (H5Tget_class(type) == H5T_STRING && H5Tis_variable_str(type) > 0) {
        if (H5Aread(attr, type, &variable) >= 0) {
            copy_shortened(text, size, variable != NULL ? variable : "");
            H5free_memory(variable);
            goto out;
        }
    } else if (H5Tget_class(type) == H5T_STRING && H5Tget_size(type) <= FIXED_MAX) {
        memset(fixed, 0, sizeof fixed);
        if (H5Aread(attr, type, fixed) >= 0) {
            copy_shortened(text, size, fixed);
            goto out;
        }
    }
    st = kmv_fail(err, KMV_EFORMAT, "%s: attribute %s: want a text", where, name);
out:
    close_attribute(attr, type);
    return st;
}

static kmv_status read_count(hid_t group, const char *where, const char *name, int max, int *value,
                             kmv_error *err)
{
    double v = NAN;
    kmv_status st = read_number(group, where, name, &v, err);

    if (st != KMV_OK)
        return st;
    if (!isnan(v) && (v < 0.0 || v > max || v != floor(v)))
        return kmv_fail(err, KMV_EINVAL, "%s: attribute %s: want an integer in [0, %d], found %g",
                        where, name, max, v);
    *value = isnan(v) ? -1 : (int)v;
    return KMV_OK;
}

static kmv_status read_positive(hid_t group, const char *where, const char *name, double *value,
                                kmv_error *err)
{
    double v = NAN;
    kmv_status st = read_number(group, where, name, &v, err);

    if (st != KMV_OK)
        return st;
    if (!isnan(v) && !(v > 0.0))
        return kmv_fail(err, KMV_EINVAL, "%s: attribute %s: want a number > 0, found %g", where,
                        name, v);
    *value = v;
    return KMV_OK;
}

kmv_status kmv_h5_attributes_read(hid_t group, const char *where, kmv_h5_summary *s, kmv_error *err)
{
    kmv_status st;

    if ((st = read_positive(group, where, "sigma", &s->sigma, err)) != KMV_OK ||
        (st = read_positive(group, where, "scale", &s->scale, err)) != KMV_OK ||
        (st = read_count(group, where, "causal", 1, &s->causal, err)) != KMV_OK ||
        (st = read_count(group, where, "layer", 1 << 20, &s->layer, err)) != KMV_OK ||
        (st = read_count(group, where, "head", 1 << 20, &s->head, err)) != KMV_OK ||
        (st = read_text(group, where, "source", s->source, sizeof s->source, err)) != KMV_OK ||
        (st = read_text(group, where, "model", s->model, sizeof s->model, err)) != KMV_OK ||
        (st = read_text(group, where, "license", s->license, sizeof s->license, err)) != KMV_OK)
        return st;
    return read_text(group, where, "sha256", s->sha256_stored, sizeof s->sha256_stored, err);
}

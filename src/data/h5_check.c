/* data/h5_check.c - see h5_check.h. */
#include "data/h5_check.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/status.h"

/* Deflate cannot shrink by more than 1032 : 1 (zlib's technical details), so an array that declares
 * more than that per stored byte is not stored. */
enum { DEFLATE_RATIO_MAX = 1040 };

void kmv_h5_begin(void)
{
    /* Some file systems have no locks; our own writers rename, so that reading needs none. */
    setenv("HDF5_USE_FILE_LOCKING", "BEST_EFFORT", 0);
    H5dont_atexit();
    H5open();
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    H5PLset_loading_state(0);
}

static herr_t keep_innermost(unsigned n, const H5E_error2_t *error, void *text)
{
    if (n == 0 && error->desc != NULL)
        snprintf(text, 128, "%s", error->desc);
    return 0;
}

const char *kmv_h5_reason(void)
{
    static char text[128];
    char *details;

    text[0] = '\0';
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, keep_innermost, text);
    H5Eclear2(H5E_DEFAULT);
    /* The file driver adds the time, names and addresses in memory, over two lines. */
    if ((details = strstr(text, ": time =")) != NULL)
        *details = '\0';
    return text[0] != '\0' ? text : "no reason given";
}

kmv_status kmv_h5_open_file(const char *path, hid_t *file, kmv_error *err)
{
    const htri_t is_hdf5 = H5Fis_hdf5(path);

    if (is_hdf5 == 0)
        return kmv_fail(err, KMV_EFORMAT, "%s: want an HDF5 file, found something else", path);
    if (is_hdf5 < 0 || (*file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT)) < 0)
        return kmv_fail(err, KMV_EFORMAT, "%s: not a readable HDF5 file (%s)", path,
                        kmv_h5_reason());
    return KMV_OK;
}

static int is_printable(const char *name)
{
    for (const unsigned char *c = (const unsigned char *)name; *c != '\0'; c++) {
        if (*c < ' ' || *c == 127)
            return 0;
    }
    return 1;
}

kmv_status kmv_h5_link(hid_t group, const char *where, const char *name, int *present,
                       H5O_info_t *object, kmv_error *err)
{
    const htri_t there = H5Lexists(group, name, H5P_DEFAULT);
    H5L_info_t link;

    if (!is_printable(name))
        return kmv_fail(err, KMV_EFORMAT, "%s: a name with control characters: '%s'", where, name);
    if (there == 0) {
        *present = 0;
        return KMV_OK;
    }
    if (there < 0 || H5Lget_info(group, name, &link, H5P_DEFAULT) < 0)
        return kmv_fail(err, KMV_EFORMAT, "%s: '%s' cannot be looked up (%s)", where, name,
                        kmv_h5_reason());
    if (link.type != H5L_TYPE_HARD)
        return kmv_fail(err, KMV_EFORMAT, "%s: '%s': want a plain object, found %s link", where,
                        name,
                        link.type == H5L_TYPE_SOFT       ? "a soft"
                        : link.type == H5L_TYPE_EXTERNAL ? "an external"
                                                         : "a user-defined");
    if (H5Oget_info_by_name2(group, name, object, H5O_INFO_BASIC, H5P_DEFAULT) < 0)
        return kmv_fail(err, KMV_EFORMAT, "%s: '%s' cannot be looked up (%s)", where, name,
                        kmv_h5_reason());
    *present = 1;
    return KMV_OK;
}

kmv_status kmv_h5_open_object(hid_t file, const char *path, const char *name, size_t length,
                              hid_t *object, kmv_error *err)
{
    const char *at = name, *end = name + length;
    hid_t here = H5Oopen(file, "/", H5P_DEFAULT);
    kmv_status st = KMV_OK;

    if (here < 0)
        return kmv_fail(err, KMV_EFORMAT, "%s: the root group cannot be opened (%s)", path,
                        kmv_h5_reason());
    while (at < end) {
        const char *slash = memchr(at, '/', (size_t)(end - at));
        const size_t step = slash != NULL ? (size_t)(slash - at) : (size_t)(end - at);
        char part[512];
        H5O_info_t info;
        hid_t next;
        int present = 0;

        if (step == 0) { /* a leading, closing or double slash */
            at++;
            continue;
        }
        snprintf(part, sizeof part, "%.*s", (int)step, at);
        if (H5Iget_type(here) != H5I_GROUP) {
            st = kmv_fail(err, KMV_EFORMAT, "%s: '%.*s' is no group", path, (int)(at - name - 1),
                          name);
            goto out;
        }
        if ((st = kmv_h5_link(here, path, part, &present, &info, err)) != KMV_OK)
            goto out;
        if (!present) {
            st = kmv_fail(err, KMV_EFORMAT, "%s: no object '%.*s'", path,
                          (int)(at - name) + (int)step, name);
            goto out;
        }
        if ((next = H5Oopen(here, part, H5P_DEFAULT)) < 0) {
            st = kmv_fail(err, KMV_EFORMAT, "%s: '%s' cannot be opened (%s)", path, part,
                          kmv_h5_reason());
            goto out;
        }
        H5Oclose(here);
        here = next;
        at += step;
    }
    *object = here;
    here = H5I_INVALID_HID;
out:
    if (here >= 0)
        H5Oclose(here);
    return st;
}

static const char *class_name(H5T_class_t c)
{
    switch (c) {
    case H5T_INTEGER:
        return "integers";
    case H5T_STRING:
        return "strings";
    case H5T_COMPOUND:
        return "compounds";
    case H5T_ENUM:
        return "enumerations or booleans";
    case H5T_REFERENCE:
        return "references";
    case H5T_VLEN:
        return "variable-length sequences";
    case H5T_ARRAY:
        return "arrays";
    case H5T_BITFIELD:
        return "bit fields";
    case H5T_OPAQUE:
        return "opaque bytes";
    default:
        return "an unknown type";
    }
}

/* The IEEE layouts with their fields, so that bfloat16 and the like are not taken for float16. */
static const struct {
    size_t size, sign, exponent, exponent_bits, mantissa_bits, bias;
} floats[] = {{2, 15, 10, 5, 10, 15}, {4, 31, 23, 8, 23, 127}, {8, 63, 52, 11, 52, 1023}};

static int is_ieee(hid_t type, size_t size)
{
    size_t sign, exponent, exponent_bits, mantissa, mantissa_bits;

    if (H5Tget_fields(type, &sign, &exponent, &exponent_bits, &mantissa, &mantissa_bits) < 0)
        return 0;
    for (size_t i = 0; i < sizeof floats / sizeof *floats; i++) {
        if (floats[i].size == size)
            return sign == floats[i].sign && exponent == floats[i].exponent &&
                   exponent_bits == floats[i].exponent_bits && mantissa == 0 &&
                   mantissa_bits == floats[i].mantissa_bits &&
                   H5Tget_ebias(type) == floats[i].bias && H5Tget_offset(type) == 0 &&
                   H5Tget_precision(type) == 8 * size && H5Tget_norm(type) == H5T_NORM_IMPLIED;
    }
    return 0;
}

static kmv_status check_type(const char *where, const char *name, kmv_h5_array *a, kmv_error *err)
{
    const hid_t type = H5Dget_type(a->set);
    H5T_order_t order;
    kmv_status st = KMV_OK;

    if (type < 0)
        return kmv_fail(err, KMV_EFORMAT, "%s: %s: its type cannot be read (%s)", where, name,
                        kmv_h5_reason());
    if (H5Tget_class(type) != H5T_FLOAT) {
        st = kmv_fail(err, KMV_EFORMAT, "%s: %s: want float16, float32 or float64, found %s", where,
                      name, class_name(H5Tget_class(type)));
        goto out;
    }
    a->size = H5Tget_size(type);
    order = H5Tget_order(type);
    if (!is_ieee(type, a->size) || (order != H5T_ORDER_LE && order != H5T_ORDER_BE)) {
        st = kmv_fail(err, KMV_EFORMAT,
                      "%s: %s: want float16, float32 or float64, found another float of %zu bytes",
                      where, name, a->size);
        goto out;
    }
    a->big_endian = order == H5T_ORDER_BE;
out:
    H5Tclose(type);
    return st;
}

/* Before anything else is asked of the dataset: this storage would lead out of the file, or into a
 * plug-in. */
static kmv_status check_storage_kind(const char *where, const char *name, hid_t plist,
                                     kmv_error *err)
{
    const int filters = H5Pget_nfilters(plist);

    if (H5Pget_layout(plist) == H5D_VIRTUAL)
        return kmv_fail(err, KMV_EFORMAT, "%s: %s: want data in the file, found a virtual dataset",
                        where, name);
    if (H5Pget_external_count(plist) != 0)
        return kmv_fail(err, KMV_EFORMAT, "%s: %s: want data in the file, found external storage",
                        where, name);
    for (int i = 0; i < filters; i++) {
        char text[64] = "";
        unsigned flags, config;
        size_t values = 0;
        const H5Z_filter_t id =
            H5Pget_filter2(plist, (unsigned)i, &flags, &values, NULL, sizeof text, text, &config);

        if (id != H5Z_FILTER_DEFLATE && id != H5Z_FILTER_SHUFFLE && id != H5Z_FILTER_FLETCHER32)
            return kmv_fail(err, KMV_EFORMAT,
                            "%s: %s: want no filter but deflate, shuffle, fletcher32, found filter "
                            "%d '%.63s'",
                            where, name, (int)id, text);
    }
    return KMV_OK;
}

static kmv_status read_shape(const char *where, const char *name, hid_t space, int rank_min,
                             int rank_max, kmv_h5_array *a, kmv_error *err)
{
    hsize_t dims[H5S_MAX_RANK] = {0};
    char shape[96];

    a->rank = H5Sget_simple_extent_ndims(space);
    if (H5Sget_simple_extent_type(space) != H5S_SIMPLE || a->rank < rank_min || a->rank > rank_max)
        return kmv_fail(err, KMV_EFORMAT, "%s: %s: want %d%s%.0d dimensions, found %d", where, name,
                        rank_min, rank_max > rank_min ? " to " : "",
                        rank_max > rank_min ? rank_max : 0, a->rank < 0 ? 0 : a->rank);
    if (H5Sget_simple_extent_dims(space, dims, NULL) != a->rank)
        return kmv_fail(err, KMV_EFORMAT, "%s: %s: its shape cannot be read (%s)", where, name,
                        kmv_h5_reason());
    a->elements = 1;
    for (int i = 0; i < a->rank; i++)
        a->dims[i] = (size_t)dims[i];
    kmv_h5_shape(a, shape, sizeof shape);
    for (int i = 0; i < a->rank; i++) {
        if (a->dims[i] == 0)
            return kmv_fail(err, KMV_EINVAL, "%s: %s: want extents >= 1, found %s", where, name,
                            shape);
        if (dims[i] > SIZE_MAX / 16 ||
            __builtin_mul_overflow(a->elements, a->dims[i], &a->elements) ||
            a->elements > SIZE_MAX / 16)
            return kmv_fail(err, KMV_EFORMAT, "%s: %s: the declared size overflows: %s", where,
                            name, shape);
    }
    return KMV_OK;
}

/* Every chunk must be there: what is not stored would read as fill values, petabytes of them. */
static kmv_status check_chunks(const char *where, const char *name, hid_t plist, hid_t space,
                               const kmv_h5_array *a, hsize_t stored, kmv_error *err)
{
    hsize_t chunk[KMV_H5_RANK_MAX] = {0}, found = 0, along;
    double want = 1.0;
    int deflated = 0;

    if (H5Pget_chunk(plist, KMV_H5_RANK_MAX, chunk) != a->rank)
        return kmv_fail(err, KMV_EFORMAT, "%s: %s: chunks of another rank than the data", where,
                        name);
    for (int i = 0; i < a->rank; i++) {
        if (chunk[i] == 0)
            return kmv_fail(err, KMV_EFORMAT, "%s: %s: chunks of extent 0", where, name);
        along = (a->dims[i] - 1) / chunk[i] + 1;
        want *= (double)along;
    }
    for (int i = 0; i < H5Pget_nfilters(plist); i++) {
        unsigned flags, config;
        size_t values = 0;

        deflated |= H5Pget_filter2(plist, (unsigned)i, &flags, &values, NULL, 0, NULL, &config) ==
                    H5Z_FILTER_DEFLATE;
    }
    if ((double)a->elements * (double)a->size > (double)stored * (deflated ? DEFLATE_RATIO_MAX : 1))
        return kmv_fail(err, KMV_EFORMAT, "%s: %s: declares %zu bytes, but stores %llu", where,
                        name, a->elements * a->size, (unsigned long long)stored);
    if (H5Dget_num_chunks(a->set, space, &found) < 0 || (double)found != want)
        return kmv_fail(err, KMV_EFORMAT, "%s: %s: want all %.0f chunks stored, found %llu", where,
                        name, want, (unsigned long long)found);
    return KMV_OK;
}

static kmv_status check_stored(const char *where, const char *name, hid_t plist, hid_t space,
                               const kmv_h5_array *a, kmv_error *err)
{
    const hsize_t stored = H5Dget_storage_size(a->set);
    const hsize_t declared = a->elements * a->size;
    const H5D_layout_t layout = H5Pget_layout(plist);
    hid_t file = H5Iget_file_id(a->set);
    hsize_t file_size = 0;

    if (file < 0 || H5Fget_filesize(file, &file_size) < 0)
        file_size = 0;
    if (file >= 0)
        H5Fclose(file);
    if (stored > file_size)
        return kmv_fail(err, KMV_EFORMAT, "%s: %s: stores %llu bytes in a file of %llu", where,
                        name, (unsigned long long)stored, (unsigned long long)file_size);
    if (layout == H5D_CHUNKED)
        return check_chunks(where, name, plist, space, a, stored, err);
    if (declared > stored)
        return kmv_fail(err, KMV_EFORMAT, "%s: %s: declares %llu bytes, but stores %llu", where,
                        name, (unsigned long long)declared, (unsigned long long)stored);
    if (layout == H5D_CONTIGUOUS) {
        const haddr_t at = H5Dget_offset(a->set);

        if (at == HADDR_UNDEF || at > file_size || stored > file_size - at)
            return kmv_fail(err, KMV_EFORMAT, "%s: %s: its data lie beyond the end of the file",
                            where, name);
    }
    return KMV_OK;
}

kmv_status kmv_h5_array_open(hid_t group, const char *where, const char *name, int rank_min,
                             int rank_max, kmv_h5_array *a, kmv_error *err)
{
    kmv_h5_array new = {.set = H5I_INVALID_HID};
    hid_t plist = H5I_INVALID_HID, space = H5I_INVALID_HID;
    kmv_status st;

    if ((new.set = H5Dopen2(group, name, H5P_DEFAULT)) < 0 ||
        (plist = H5Dget_create_plist(new.set)) < 0) {
        st = kmv_fail(err, KMV_EFORMAT, "%s: %s: cannot be opened as a dataset (%s)", where, name,
                      kmv_h5_reason());
        goto out;
    }
    if ((st = check_storage_kind(where, name, plist, err)) != KMV_OK ||
        (st = check_type(where, name, &new, err)) != KMV_OK)
        goto out;
    if ((space = H5Dget_space(new.set)) < 0) {
        st = kmv_fail(err, KMV_EFORMAT, "%s: %s: its shape cannot be read (%s)", where, name,
                      kmv_h5_reason());
        goto out;
    }
    if ((st = read_shape(where, name, space, rank_min, rank_max, &new, err)) != KMV_OK ||
        (st = check_stored(where, name, plist, space, &new, err)) != KMV_OK)
        goto out;
    *a = new;
    new.set = H5I_INVALID_HID;
out:
    if (space >= 0)
        H5Sclose(space);
    if (plist >= 0)
        H5Pclose(plist);
    kmv_h5_array_close(&new);
    return st;
}

void kmv_h5_array_close(kmv_h5_array *a)
{
    if (a->set >= 0)
        H5Dclose(a->set);
    a->set = H5I_INVALID_HID;
}

void kmv_h5_shape(const kmv_h5_array *a, char *text, size_t size)
{
    size_t used = 0;

    text[0] = '\0';
    for (int i = 0; i < a->rank && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%zu", i > 0 ? " x " : "", a->dims[i]);
}

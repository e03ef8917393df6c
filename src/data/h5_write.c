/* data/h5_write.c - problems, matrices and tables into HDF5 files. The functions that touch the
 * library run in children (h5_file.h). */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/status.h"
#include "data/h5_check.h"
#include "data/h5_file.h"
#include "data/h5_problem.h"
#include "data/h5io.h"

static kmv_status failed(const char *path, const char *name, kmv_error *err)
{
    return kmv_fail(err, KMV_EIO, "%s: '%s' cannot be written, is the disk full? (%s)", path, name,
                    kmv_h5_reason());
}

/* ---- in the child ---------------------------------------------------------------------------- */

/* One step of a name. "." and ".." are no folders in HDF5, but names that nobody means. */
static kmv_status check_step(const char *path, const char *name, const char *step, kmv_error *err)
{
    if (strcmp(step, ".") == 0 || strcmp(step, "..") == 0)
        return kmv_fail(err, KMV_EINVAL, "%s: '%s': want no step '%s' in a name", path, name, step);
    return KMV_OK;
}

/* Open group `name` (length bytes), making what is missing; every step that exists must be a plain
 * group. */
static kmv_status make_group(hid_t file, const char *path, const char *name, size_t length,
                             hid_t *group, kmv_error *err)
{
    const char *at = name, *end = name + length;
    hid_t here = H5Gopen2(file, "/", H5P_DEFAULT);

    if (here < 0)
        return failed(path, "/", err);
    while (at < end) {
        const char *slash = memchr(at, '/', (size_t)(end - at));
        const size_t step = slash != NULL ? (size_t)(slash - at) : (size_t)(end - at);
        char part[512];
        H5O_info_t object;
        hid_t next;
        int present = 0;
        kmv_status st;

        at += step + 1;
        if (step == 0)
            continue;
        snprintf(part, sizeof part, "%.*s", (int)step, at - step - 1);
        if ((st = check_step(path, name, part, err)) == KMV_OK)
            st = kmv_h5_link(here, path, part, &present, &object, err);
        if (st == KMV_OK && present && object.type != H5O_TYPE_GROUP)
            st = kmv_fail(err, KMV_EFORMAT, "%s: '%s' is no group", path, part);
        if (st != KMV_OK) {
            H5Gclose(here);
            return st;
        }
        next = present ? H5Gopen2(here, part, H5P_DEFAULT)
                       : H5Gcreate2(here, part, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
        H5Gclose(here);
        if (next < 0)
            return failed(path, part, err);
        here = next;
    }
    *group = here;
    return KMV_OK;
}

/* Results carry this attribute: what has it was made by this program and may be made anew. */
static const char result_mark[] = "kmv_version";

static kmv_status remove_result(hid_t group, const char *path, const char *name, const char *last,
                                kmv_error *err)
{
    const hid_t set = H5Dopen2(group, last, H5P_DEFAULT);
    const int ours = set >= 0 && H5Aexists(set, result_mark) > 0;

    if (set >= 0)
        H5Dclose(set);
    if (!ours)
        return kmv_fail(err, KMV_EINVAL,
                        "%s: '%s' is there and no result of kmv (no attribute %s), want another "
                        "name",
                        path, name, result_mark);
    return H5Ldelete(group, last, H5P_DEFAULT) < 0 ? failed(path, name, err) : KMV_OK;
}

/* The group that will hold object "a/b/name", and the last step of the name; an older result of
 * that name is taken out, another object in its place is an error. */
static kmv_status make_place(hid_t file, const char *path, const char *name, hid_t *group,
                             const char **last, kmv_error *err)
{
    const char *slash = strrchr(name, '/');
    H5O_info_t object;
    int present = 0;
    kmv_status st;

    *last = slash != NULL ? slash + 1 : name;
    if (**last == '\0')
        return kmv_fail(err, KMV_EINVAL, "%s: '%s': want the name of a dataset", path, name);
    if ((st = check_step(path, name, *last, err)) != KMV_OK ||
        (st = make_group(file, path, name, (size_t)(*last - name), group, err)) != KMV_OK)
        return st;
    if ((st = kmv_h5_link(*group, path, *last, &present, &object, err)) == KMV_OK && present) {
        if (object.type != H5O_TYPE_DATASET)
            st = kmv_fail(err, KMV_EINVAL, "%s: '%s' is there and no dataset", path, name);
        else
            st = remove_result(*group, path, name, *last, err);
    }
    if (st != KMV_OK)
        H5Gclose(*group);
    return st;
}

/* No times in the file: equal content gives equal bytes. */
static hid_t create_dataset(hid_t group, const char *name, hid_t type, int rank,
                            const hsize_t *dims)
{
    const hid_t space = H5Screate_simple(rank, dims, NULL);
    const hid_t plist = H5Pcreate(H5P_DATASET_CREATE);
    hid_t set = H5I_INVALID_HID;

    if (space >= 0 && plist >= 0 && H5Pset_obj_track_times(plist, 0) >= 0)
        set = H5Dcreate2(group, name, type, space, H5P_DEFAULT, plist, H5P_DEFAULT);
    if (plist >= 0)
        H5Pclose(plist);
    if (space >= 0)
        H5Sclose(space);
    return set;
}

static int put_attribute(hid_t object, const char *name, hid_t file_type, hid_t memory_type,
                         const void *value)
{
    const hid_t space = H5Screate(H5S_SCALAR);
    hid_t attr = H5I_INVALID_HID;
    int ok = 0;

    if (space >= 0 &&
        (attr = H5Acreate2(object, name, file_type, space, H5P_DEFAULT, H5P_DEFAULT)) >= 0)
        ok = H5Awrite(attr, memory_type, value) >= 0;
    if (attr >= 0)
        H5Aclose(attr);
    if (space >= 0)
        H5Sclose(space);
    return ok;
}

/* Variable-length UTF-8, which h5py gives as str. */
static int put_text(hid_t object, const char *name, const char *text)
{
    const hid_t type = H5Tcopy(H5T_C_S1);
    int ok = 0;

    if (type >= 0 && H5Tset_size(type, H5T_VARIABLE) >= 0 && H5Tset_cset(type, H5T_CSET_UTF8) >= 0)
        ok = put_attribute(object, name, type, type, &text);
    if (type >= 0)
        H5Tclose(type);
    return ok;
}

static int put_attributes(hid_t object, const kmv_attribute *attributes)
{
    for (const kmv_attribute *a = attributes; a != NULL && a->name != NULL; a++) {
        const int ok = a->text != NULL ? put_text(object, a->name, a->text)
                                       : put_attribute(object, a->name, H5T_IEEE_F64LE,
                                                       H5T_NATIVE_DOUBLE, &a->number);

        if (!ok)
            return 0;
    }
    return 1;
}

static kmv_status put_array(hid_t group, const char *path, const char *name, hid_t file_type,
                            hid_t memory_type, int rank, const hsize_t *dims, const void *data,
                            const kmv_attribute *attributes, kmv_error *err)
{
    const hid_t set = create_dataset(group, name, file_type, rank, dims);
    kmv_status st = KMV_OK;

    if (set < 0 || H5Dwrite(set, memory_type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) < 0 ||
        !put_attributes(set, attributes))
        st = failed(path, name, err);
    if (set >= 0 && H5Dclose(set) < 0 && st == KMV_OK)
        st = failed(path, name, err);
    return st;
}

/* ---- a problem ------------------------------------------------------------------------------- */

typedef struct {
    const char *group;
    const kmv_dataset *d;
    const void *q, *k; /* compact rows, as they are stored */
    int q_wide, k_wide;
    char sha256[KMV_HASH_SIZE];
} problem_request;

/* A generated problem can be made again; any other is its owner's. */
static kmv_status check_generated(hid_t group, const char *path, const char *name, kmv_error *err)
{
    static const char mark[] = "kmv gen ";
    kmv_h5_summary s = {0};

    if (kmv_h5_attributes_read(group, path, &s, NULL) == KMV_OK &&
        strncmp(s.source, mark, sizeof mark - 1) == 0)
        return KMV_OK;
    return kmv_fail(err, KMV_EINVAL,
                    "%s: '%s' holds a problem that kmv gen did not write, want another group", path,
                    name);
}

/* What an older generated problem of this group left; subgroups and other datasets stay. */
static kmv_status clear_problem(hid_t group, const char *path, const char *name, kmv_error *err)
{
    static const char *const sets[] = {"q", "k", "v", "query", "key", "value"};
    static const char *const attributes[] = {"sigma", "scale", "causal",  "source", "model",
                                             "layer", "head",  "license", "sha256"};

    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
        H5O_info_t object;
        int present = 0;
        kmv_status st = kmv_h5_link(group, path, sets[i], &present, &object, err);

        if (st != KMV_OK)
            return st;
        if (!present)
            continue;
        if (object.type != H5O_TYPE_DATASET)
            return kmv_fail(err, KMV_EINVAL, "%s: '%s' is there and no dataset", path, sets[i]);
        if ((st = check_generated(group, path, name, err)) != KMV_OK)
            return st;
        if (H5Ldelete(group, sets[i], H5P_DEFAULT) < 0)
            return failed(path, sets[i], err);
    }
    for (size_t i = 0; i < sizeof attributes / sizeof *attributes; i++) {
        if (H5Aexists(group, attributes[i]) > 0 && H5Adelete(group, attributes[i]) < 0)
            return failed(path, attributes[i], err);
    }
    return KMV_OK;
}

static int put_problem_attributes(hid_t group, const problem_request *r)
{
    const kmv_dataset *d = r->d;
    const struct {
        const char *name, *text;
    } texts[] = {
        {"source", d->source}, {"model", d->model}, {"license", d->license}, {"sha256", r->sha256}};
    const struct {
        const char *name;
        int value;
    } counts[] = {{"causal", d->causal}, {"layer", d->layer}, {"head", d->head}};
    const struct {
        const char *name;
        double value;
    } reals[] = {{"sigma", d->sigma}, {"scale", d->scale}};

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (texts[i].text[0] != '\0' && !put_text(group, texts[i].name, texts[i].text))
            return 0;
    }
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        if (counts[i].value >= 0 &&
            !put_attribute(group, counts[i].name, H5T_STD_I32LE, H5T_NATIVE_INT, &counts[i].value))
            return 0;
    }
    for (size_t i = 0; i < sizeof reals / sizeof *reals; i++) {
        if (!isnan(reals[i].value) && !put_attribute(group, reals[i].name, H5T_IEEE_F64LE,
                                                     H5T_NATIVE_DOUBLE, &reals[i].value))
            return 0;
    }
    return 1;
}

static kmv_status put_problem(hid_t file, const char *path, const void *request, kmv_error *err)
{
    const problem_request *r = request;
    const kmv_dataset *d = r->d;
    const hsize_t q_dims[2] = {d->q.n, d->q.d}, k_dims[2] = {d->k.n, d->k.d},
                  v_dims[2] = {d->k.n, d->r};
    hid_t group;
    kmv_status st;

    if ((st = make_group(file, path, r->group, strlen(r->group), &group, err)) != KMV_OK)
        return st;
    if ((st = clear_problem(group, path, r->group, err)) != KMV_OK)
        goto out;
    if ((st = put_array(group, path, "q", r->q_wide ? H5T_IEEE_F64LE : H5T_IEEE_F32LE,
                        r->q_wide ? H5T_NATIVE_DOUBLE : H5T_NATIVE_FLOAT, 2, q_dims, r->q, NULL,
                        err)) != KMV_OK ||
        (st = put_array(group, path, "k", r->k_wide ? H5T_IEEE_F64LE : H5T_IEEE_F32LE,
                        r->k_wide ? H5T_NATIVE_DOUBLE : H5T_NATIVE_FLOAT, 2, k_dims, r->k, NULL,
                        err)) != KMV_OK)
        goto out;
    if (d->v != NULL && (st = put_array(group, path, "v", H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, 2,
                                        v_dims, d->v, NULL, err)) != KMV_OK)
        goto out;
    if (!put_problem_attributes(group, r))
        st = failed(path, r->group, err);
out:
    H5Gclose(group);
    return st;
}

/* ---- in the parent --------------------------------------------------------------------------- */

static int is_wide(const kmv_points *p)
{
    for (size_t l = 0; p->origin != NULL && l < p->d; l++) {
        if (p->origin[l] != 0.0)
            return 1;
    }
    return 0;
}

/* Rows without padding: float32 as they are, or float64 with the origin added. */
static void *compact(const kmv_points *p, int wide, kmv_error *err)
{
    const size_t size = wide ? sizeof(double) : sizeof(float);
    void *out = kmv_alloc(p->n * p->d, size, "points to write", err);

    for (size_t i = 0; out != NULL && i < p->n; i++) {
        const float *row = p->x + i * p->ld;

        if (!wide) {
            memcpy((float *)out + i * p->d, row, p->d * sizeof *row);
            continue;
        }
        for (size_t l = 0; l < p->d; l++)
            ((double *)out)[i * p->d + l] = p->origin[l] + (double)row[l];
    }
    return out;
}

kmv_status kmv_dataset_write(const char *path, const char *group, const kmv_dataset *d,
                             kmv_error *err)
{
    problem_request r = {
        .group = group, .d = d, .q_wide = is_wide(&d->q), .k_wide = is_wide(&d->k)};
    const size_t q_bytes = d->q.n * d->q.d * (r.q_wide ? 8 : 4);
    const size_t k_bytes = d->k.n * d->k.d * (r.k_wide ? 8 : 4);
    const size_t v_bytes = d->v != NULL ? d->k.n * d->r * 8 : 0;
    struct sha256_ctx hash;
    void *q = compact(&d->q, r.q_wide, err), *k = NULL;
    kmv_status st = KMV_OK;

    if (q == NULL || (k = compact(&d->k, r.k_wide, err)) == NULL) {
        st = KMV_ENOMEM;
        goto out;
    }
    sha256_init(&hash);
    sha256_update(&hash, q_bytes, q);
    sha256_update(&hash, k_bytes, k);
    if (d->v != NULL)
        sha256_update(&hash, v_bytes, (const uint8_t *)d->v);
    kmv_hash_finish(&hash, r.sha256);
    r.q = q;
    r.k = k;
    st = kmv_h5_replace(path, put_problem, &r, q_bytes + k_bytes + v_bytes, err);
out:
    kmv_free(q);
    kmv_free(k);
    return st;
}

/* ---- matrices and tables --------------------------------------------------------------------- */

typedef struct {
    const char *name;
    const double *y;
    size_t rows, columns;
    const kmv_attribute *attributes;
} matrix_request;

static kmv_status put_matrix(hid_t file, const char *path, const void *request, kmv_error *err)
{
    const matrix_request *r = request;
    const hsize_t dims[2] = {r->rows, r->columns};
    const char *last;
    hid_t group = H5I_INVALID_HID;
    kmv_status st = make_place(file, path, r->name, &group, &last, err);

    if (st != KMV_OK)
        return st;
    st = put_array(group, path, last, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, 2, dims, r->y,
                   r->attributes, err);
    H5Gclose(group);
    return st;
}

kmv_status kmv_h5_write_matrix(const char *path, const char *name, const double *y, size_t rows,
                               size_t columns, const kmv_attribute *attributes, kmv_error *err)
{
    const matrix_request r = {name, y, rows, columns, attributes};

    return kmv_h5_replace(path, put_matrix, &r, rows * columns * sizeof *y, err);
}

typedef struct {
    const char *name;
    const kmv_h5_field *fields;
    size_t n_fields;
    const void *rows;
    size_t count, row_size;
    const kmv_attribute *attributes;
} table_request;

static size_t field_size(const kmv_h5_field *f)
{
    return f->is_text ? f->size : sizeof(double);
}

static int insert_field(hid_t row, const kmv_h5_field *f, size_t offset)
{
    hid_t text;
    int ok;

    if (!f->is_text)
        return H5Tinsert(row, f->name, offset, H5T_NATIVE_DOUBLE) >= 0;
    if ((text = H5Tcopy(H5T_C_S1)) < 0)
        return 0;
    ok = H5Tset_size(text, f->size) >= 0 && H5Tset_cset(text, H5T_CSET_UTF8) >= 0 &&
         H5Tinsert(row, f->name, offset, text) >= 0;
    H5Tclose(text);
    return ok;
}

/* The compound type of a row: as it lies in memory, or packed in the order of the fields, which is
 * the order of the columns for whoever reads the file. */
static hid_t row_type(const table_request *r, int packed)
{
    size_t size = 0, at = 0;
    hid_t row;

    for (size_t i = 0; i < r->n_fields; i++)
        size += field_size(&r->fields[i]);
    row = H5Tcreate(H5T_COMPOUND, packed ? size : r->row_size);
    for (size_t i = 0; i < r->n_fields && row >= 0; i++) {
        const kmv_h5_field *f = &r->fields[i];

        if (!insert_field(row, f, packed ? at : f->offset)) {
            H5Tclose(row);
            row = H5I_INVALID_HID;
        }
        at += field_size(f);
    }
    return row;
}

static kmv_status put_table(hid_t file, const char *path, const void *request, kmv_error *err)
{
    const table_request *r = request;
    const hsize_t count = r->count;
    const hid_t memory_type = row_type(r, 0), file_type = row_type(r, 1);
    const char *last;
    hid_t group = H5I_INVALID_HID;
    kmv_status st;

    if (memory_type < 0 || file_type < 0) {
        st = kmv_fail(err, KMV_EINTERNAL, "%s: '%s': bad table of fields (%s)", path, r->name,
                      kmv_h5_reason());
        goto out;
    }
    if ((st = make_place(file, path, r->name, &group, &last, err)) == KMV_OK) {
        st = put_array(group, path, last, file_type, memory_type, 1, &count, r->rows, r->attributes,
                       err);
        H5Gclose(group);
    }
out:
    if (file_type >= 0)
        H5Tclose(file_type);
    if (memory_type >= 0)
        H5Tclose(memory_type);
    return st;
}

kmv_status kmv_h5_write_table(const char *path, const char *name, const kmv_h5_field *fields,
                              size_t n_fields, const void *rows, size_t count, size_t row_size,
                              const kmv_attribute *attributes, kmv_error *err)
{
    const table_request r = {name, fields, n_fields, rows, count, row_size, attributes};

    return kmv_h5_replace(path, put_table, &r, count * row_size, err);
}

/* data/h5_read.c - problems and matrices out of untrusted files: the jobs run in children, the
 * parent makes points of the plain arrays they hand over. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/status.h"
#include "data/h5_address.h"
#include "data/h5_child.h"
#include "data/h5_problem.h"
#include "data/manifest.h"

/* ---- in the child: rows of one array --------------------------------------------------------- */

static uint64_t load(const unsigned char *p, size_t size, int big_endian)
{
    uint64_t v = 0;

    for (size_t i = 0; i < size; i++)
        v |= (uint64_t)p[i] << (8 * (big_endian ? size - 1 - i : i));
    return v;
}

static double decode(const unsigned char *p, size_t size, int big_endian)
{
    const uint64_t bits = load(p, size, big_endian);
    uint32_t u;
    float f;
    double d;

    switch (size) {
    case 2: { /* 1 sign, 5 exponent (bias 15), 10 mantissa bits */
        const uint32_t sign = (uint32_t)(bits >> 15) << 31, e = (bits >> 10) & 31, m = bits & 1023;

        if (e == 0)
            return (sign ? -1.0 : 1.0) * (double)m * 0x1p-24;
        u = sign | (e == 31 ? 255u : e + 112) << 23 | m << 13;
        memcpy(&f, &u, sizeof f);
        return (double)f;
    }
    case 4:
        u = (uint32_t)bits;
        memcpy(&f, &u, sizeof f);
        return (double)f;
    default:
        memcpy(&d, &bits, sizeof d);
        return d;
    }
}

/* What to read of an array: `rows` first rows of matrix (layer, head). */
typedef struct {
    const kmv_h5_array *a;
    const char *where, *name;
    size_t layer, head, rows;
} part;

static size_t part_columns(const part *p)
{
    return p->a->dims[p->a->rank - 1];
}

/* The stored bytes of a part: rows * columns * size. */
static kmv_status read_raw(const part *p, unsigned char *raw, kmv_error *err)
{
    const int rank = p->a->rank;
    hsize_t start[KMV_H5_RANK_MAX] = {0}, count[KMV_H5_RANK_MAX] = {1, 1, 1, 1}, total;
    hid_t type = H5Dget_type(p->a->set), space = H5Dget_space(p->a->set), mem = H5I_INVALID_HID;
    kmv_status st = KMV_OK;

    if (rank == 4)
        start[0] = p->layer;
    if (rank >= 3)
        start[rank - 3] = p->head;
    if (rank >= 2)
        count[rank - 2] = p->rows;
    count[rank - 1] = part_columns(p);
    total = rank == 1 ? count[0] : count[rank - 2] * count[rank - 1];
    /* Memory of the file's own type: nothing is converted, the hash is of the stored bytes. */
    if (type < 0 || space < 0 || (mem = H5Screate_simple(1, &total, NULL)) < 0 ||
        H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, count, NULL) < 0 ||
        H5Dread(p->a->set, type, mem, space, H5P_DEFAULT, raw) < 0)
        st = kmv_fail(err, KMV_EFORMAT, "%s: %s: cannot be read (%s)", p->where, p->name,
                      kmv_h5_reason());
    if (mem >= 0)
        H5Sclose(mem);
    if (space >= 0)
        H5Sclose(space);
    if (type >= 0)
        H5Tclose(type);
    return st;
}

/* Read a part into floats or doubles (wide), add its stored bytes to the hash, find the largest
 * row norm. out may be NULL: then it is only checked. */
static kmv_status read_part(const part *p, void *out, int wide, struct sha256_ctx *hash,
                            double *norm_max, kmv_error *err)
{
    const size_t columns = part_columns(p), size = p->a->size;
    unsigned char *raw = kmv_alloc(p->rows * columns, size, p->name, err);
    double largest = 0.0;
    kmv_status st;

    if (raw == NULL)
        return KMV_ENOMEM;
    if ((st = read_raw(p, raw, err)) != KMV_OK)
        goto out;
    sha256_update(hash, p->rows * columns * size, raw);
    for (size_t i = 0; i < p->rows; i++) {
        double sum = 0.0;

        for (size_t l = 0; l < columns; l++) {
            const size_t at = i * columns + l;
            const double v = decode(raw + at * size, size, p->a->big_endian);

            if (!isfinite(v)) {
                st = kmv_fail(err, KMV_EINVAL, "%s: %s[%zu, %zu]: want a finite number, found %g",
                              p->where, p->name, i, l, v);
                goto out;
            }
            if (out != NULL && wide)
                ((double *)out)[at] = v;
            else if (out != NULL)
                ((float *)out)[at] = (float)v;
            sum += v * v;
        }
        largest = fmax(largest, sqrt(sum));
    }
    *norm_max = largest;
out:
    kmv_free(raw);
    return st;
}

/* ---- in the child: one problem --------------------------------------------------------------- */

typedef struct {
    kmv_address address;
    size_t n_max;
    int want_arrays;
} problem_request;

typedef struct {
    kmv_h5_summary s;
    int q_wide, k_wide; /* doubles, not floats */
    int is_stack;
    char group[KMV_ADDRESS_SIZE];
} problem_head;

static size_t first_rows(size_t n, size_t n_max)
{
    return n_max > 0 && n_max < n ? n_max : n;
}

static const char *type_name(size_t size)
{
    return size == 2 ? "float16" : size == 4 ? "float32" : "float64";
}

static kmv_status open_problem_group(hid_t file, const kmv_address *a, hid_t *group,
                                     kmv_head_index *index, size_t *group_length, kmv_error *err)
{
    const size_t whole = strlen(a->object);
    kmv_status st = kmv_h5_open_object(file, a->path, a->object, whole, group, err);

    /* A name may hold '#': what exists decides. */
    *index = (kmv_head_index){0};
    *group_length = whole;
    if (st == KMV_OK || kmv_address_index(a->object, group_length, index) == 0)
        return st;
    return kmv_h5_open_object(file, a->path, a->object, *group_length, group, err);
}

static kmv_status check_index(const char *where, const kmv_h5_problem *p,
                              const kmv_head_index *index, kmv_error *err)
{
    static const char *const forms[] = {"GROUP", "GROUP#head", "GROUP#layer,head"};
    const int want = p->q.rank - 2;
    const size_t heads = index->shared ? p->kv_heads : p->heads;

    if (index->numbers != want)
        return kmv_fail(err, KMV_EINVAL, "%s: has %d dimensions, want an address like FILE:%s",
                        where, p->q.rank, forms[want]);
    if (want >= 1 && index->head >= heads)
        return kmv_fail(err, KMV_EINVAL, "%s: want a %shead below %zu, found %zu", where,
                        index->shared ? "key " : "", heads, index->head);
    if (want == 2 && index->layer >= p->layers)
        return kmv_fail(err, KMV_EINVAL, "%s: want a layer below %zu, found %zu", where, p->layers,
                        index->layer);
    return KMV_OK;
}

/* The attribute sha256 is of the whole arrays of the group: q, then k, then v. */
static kmv_status check_hash_of_stack(const char *where, const kmv_h5_problem *p,
                                      const char *stored, kmv_error *err)
{
    const kmv_h5_array *arrays[3] = {&p->q, &p->k, p->has_v ? &p->v : NULL};
    static const char *const names[3] = {"q", "k", "v"};
    char found[KMV_HASH_SIZE];
    struct sha256_ctx hash;

    sha256_init(&hash);
    for (int i = 0; i < 3 && arrays[i] != NULL; i++) {
        const kmv_h5_array *a = arrays[i];
        const size_t layers = a->rank == 4 ? a->dims[0] : 1, heads = a->dims[a->rank - 3];

        for (size_t m = 0; m < layers * heads; m++) {
            const part whole = {a, where, names[i], m / heads, m % heads, a->dims[a->rank - 2]};
            double norm;
            kmv_status st = read_part(&whole, NULL, 0, &hash, &norm, err);

            if (st != KMV_OK)
                return st;
        }
    }
    kmv_hash_finish(&hash, found);
    if (strcmp(stored, found) != 0)
        return kmv_fail(err, KMV_EFORMAT, "%s: attribute sha256 is %s, its arrays hash to %s",
                        where, stored, found);
    return KMV_OK;
}

/* The queries of all heads that the problem has, one after the other. */
static kmv_status read_queries(const part *first, size_t heads, unsigned char *out, int wide,
                               struct sha256_ctx *hash, double *norm_max, kmv_error *err)
{
    const size_t bytes = first->rows * part_columns(first) * (wide ? 8 : 4);
    part q = *first;

    *norm_max = 0;
    for (size_t m = 0; m < heads; m++, q.head++) {
        double norm = 0;
        const kmv_status st =
            read_part(&q, out != NULL ? out + m * bytes : NULL, wide, hash, &norm, err);

        if (st != KMV_OK)
            return st;
        *norm_max = fmax(*norm_max, norm);
    }
    return KMV_OK;
}

static kmv_status read_arrays(const char *where, const kmv_h5_problem *p,
                              const kmv_head_index *index, int want_arrays, problem_head *h,
                              kmv_child *child, kmv_error *err)
{
    kmv_h5_summary *s = &h->s;
    const size_t per_key = p->heads / p->kv_heads;
    const size_t kv_head = index->shared ? index->head : index->head / per_key;
    const size_t q_head = index->shared ? index->head * per_key : index->head;
    const part q = {&p->q, where, "q", index->layer, q_head, s->n_q / s->heads};
    const part k = {&p->k, where, "k", index->layer, kv_head, s->n_k};
    const part v = {&p->v, where, "v", index->layer, kv_head, s->n_k};
    const size_t q_bytes = kmv_round_up(s->n_q * s->d * (h->q_wide ? 8 : 4), KMV_ALIGN);
    const size_t k_bytes = kmv_round_up(s->n_k * s->d * (h->k_wide ? 8 : 4), KMV_ALIGN);
    const size_t v_bytes = s->n_k * s->r * 8;
    unsigned char *out = NULL;
    struct sha256_ctx hash;
    double v_norm;
    size_t work;
    kmv_status st;

    /* The raw copy of one array and the answer; each element count is below SIZE_MAX / 16. */
    work = s->sha256_stored[0] != '\0' && h->is_stack
               ? 8 * (p->q.elements + p->k.elements + (p->has_v ? p->v.elements : 0))
               : 0; /* the hash of the whole stack */
    if ((st = kmv_child_allow(2 * (q_bytes + k_bytes + v_bytes), q_bytes + k_bytes + v_bytes + work,
                              err)) != KMV_OK)
        return kmv_fail_prefix(err, st, "%s", where);
    if (want_arrays && (out = kmv_child_array(child, q_bytes + k_bytes + v_bytes, err)) == NULL)
        return kmv_fail_prefix(err, KMV_ENOMEM, "%s", where);
    sha256_init(&hash);
    if ((st = read_queries(&q, s->heads, out, h->q_wide, &hash, &s->q_norm_max, err)) != KMV_OK ||
        (st = read_part(&k, out != NULL ? out + q_bytes : NULL, h->k_wide, &hash, &s->k_norm_max,
                        err)) != KMV_OK)
        return st;
    if (p->has_v && (st = read_part(&v, out != NULL ? out + q_bytes + k_bytes : NULL, 1, &hash,
                                    &v_norm, err)) != KMV_OK)
        return st;
    kmv_hash_finish(&hash, s->sha256_found);
    return KMV_OK;
}

static kmv_status check_hash(const char *where, const kmv_h5_problem *p, const problem_head *h,
                             kmv_error *err)
{
    const kmv_h5_summary *s = &h->s;

    if (s->sha256_stored[0] == '\0')
        return KMV_OK;
    if (h->is_stack)
        return check_hash_of_stack(where, p, s->sha256_stored, err);
    /* Of a prefix the attribute says nothing. */
    if (s->n_q == p->n_q && s->n_k == p->n_k && strcmp(s->sha256_stored, s->sha256_found) != 0)
        return kmv_fail(err, KMV_EFORMAT, "%s: attribute sha256 is %s, its arrays hash to %s",
                        where, s->sha256_stored, s->sha256_found);
    return KMV_OK;
}

static kmv_status read_problem(const void *request, kmv_child *child, kmv_error *err)
{
    const problem_request *r = request;
    problem_head *h = child->head;
    kmv_h5_summary *s = &h->s;
    hid_t file = H5I_INVALID_HID, group = H5I_INVALID_HID;
    kmv_h5_problem p = {
        .q.set = H5I_INVALID_HID, .k.set = H5I_INVALID_HID, .v.set = H5I_INVALID_HID};
    kmv_head_index index;
    size_t length;
    char where[2 * KMV_ADDRESS_SIZE];
    kmv_status st;

    kmv_h5_begin();
    if ((st = kmv_h5_open_file(r->address.path, &file, err)) != KMV_OK ||
        (st = open_problem_group(file, &r->address, &group, &index, &length, err)) != KMV_OK)
        goto out;
    snprintf(h->group, sizeof h->group, "%.*s", (int)length, r->address.object);
    snprintf(where, sizeof where, "%s:%s", r->address.path, h->group[0] != '\0' ? h->group : "/");
    if (H5Iget_type(group) != H5I_GROUP) {
        st = kmv_fail(err, KMV_EFORMAT, "%s: want a group with q and k, found another object",
                      where);
        goto out;
    }
    if ((st = kmv_h5_attributes_read(group, where, s, err)) != KMV_OK ||
        (st = kmv_h5_problem_open(group, where, &p, err)) != KMV_OK ||
        (st = check_index(where, &p, &index, err)) != KMV_OK)
        goto out;
    s->heads = index.shared ? p.heads / p.kv_heads : 1;
    if (__builtin_mul_overflow(first_rows(p.n_q, r->n_max), s->heads, &s->n_q)) {
        st = kmv_fail(err, KMV_ENOMEM, "%s: too many queries", where);
        goto out;
    }
    s->n_k = first_rows(p.n_k, r->n_max);
    s->d = p.d;
    s->r = p.r;
    h->q_wide = p.q.size == 8;
    h->k_wide = p.k.size == 8;
    h->is_stack = index.numbers > 0;
    if (index.numbers > 0)
        s->head = (int)(s->heads * index.head); /* the first of them */
    if (index.numbers > 1)
        s->layer = (int)index.layer;
    if (p.q.size == p.k.size)
        snprintf(s->type, sizeof s->type, "%s", type_name(p.q.size));
    else
        snprintf(s->type, sizeof s->type, "%s,%s", type_name(p.q.size), type_name(p.k.size));
    if (p.has_v)
        snprintf(s->v_type, sizeof s->v_type, "%s", type_name(p.v.size));
    if ((st = read_arrays(where, &p, &index, r->want_arrays, h, child, err)) == KMV_OK)
        st = check_hash(where, &p, h, err);
out:
    kmv_h5_problem_close(&p);
    if (group >= 0)
        H5Oclose(group);
    if (file >= 0)
        H5Fclose(file);
    return st;
}

/* ---- in the parent --------------------------------------------------------------------------- */

static kmv_status ask(const char *address, size_t n_max, int want_arrays, problem_request *request,
                      problem_head *head, void **array, size_t *bytes, kmv_error *err)
{
    problem_head *h = head;
    kmv_status st;

    memset(request, 0, sizeof *request);
    if ((st = kmv_address_parse(address, &request->address, err)) != KMV_OK)
        return st;
    request->n_max = n_max;
    request->want_arrays = want_arrays;
    if ((st = kmv_child_run(request->address.path, read_problem, request, h, sizeof *h, array,
                            bytes, err)) != KMV_OK)
        return st;
    kmv_one_line(h->s.type, sizeof h->s.type);
    kmv_one_line(h->s.v_type, sizeof h->s.v_type);
    kmv_one_line(h->s.source, sizeof h->s.source);
    kmv_one_line(h->s.model, sizeof h->s.model);
    kmv_one_line(h->s.license, sizeof h->s.license);
    kmv_one_line(h->s.sha256_stored, sizeof h->s.sha256_stored);
    kmv_one_line(h->s.sha256_found, sizeof h->s.sha256_found);
    kmv_one_line(h->group, sizeof h->group);
    snprintf(h->s.address, sizeof h->s.address, "%s", address);
    return KMV_OK;
}

kmv_status kmv_h5_summarise(const char *address, kmv_h5_summary *out, kmv_error *err)
{
    problem_request request;
    problem_head head = {0};
    kmv_status st = ask(address, 0, 0, &request, &head, NULL, NULL, err);

    if (st == KMV_OK)
        *out = head.s;
    return st;
}

static kmv_status set_name(kmv_dataset *d, const problem_request *r, kmv_error *err)
{
    const char *object = r->address.object;
    char stem[sizeof d->name];
    int n;

    while (*object == '/')
        object++;
    if (!kmv_address_stem(r->address.path, stem, sizeof stem))
        n = (int)sizeof d->name;
    else
        n = snprintf(d->name, sizeof d->name, "%s%s%s", stem,
                     *object != '\0' && *object != '#' ? ":" : "", object);
    if (n >= (int)sizeof d->name)
        return kmv_fail(err, KMV_EINVAL, "%s:%s: want a file and group name of at most %zu bytes",
                        r->address.path, r->address.object, sizeof d->name - 1);
    return KMV_OK;
}

static kmv_status points_of(kmv_points *p, const void *data, int wide, size_t n, size_t d,
                            kmv_error *err)
{
    return wide ? kmv_points_from_f64(p, data, n, d, d, err)
                : kmv_points_from_f32(p, data, n, d, d, err);
}

/* The child's sizes are claims: they must fit what it handed over. */
static int sizes_fit(const problem_head *h, size_t bytes, size_t *k_at, size_t *v_at)
{
    const kmv_h5_summary *s = &h->s;
    size_t q, k, v, sum;

    if (__builtin_mul_overflow(s->n_q, s->d, &q) || __builtin_mul_overflow(s->n_k, s->d, &k) ||
        __builtin_mul_overflow(s->n_k, s->r, &v) || q > bytes || k > bytes || v > bytes)
        return 0;
    *k_at = kmv_round_up(q * (h->q_wide ? 8 : 4), KMV_ALIGN);
    *v_at = *k_at + kmv_round_up(k * (h->k_wide ? 8 : 4), KMV_ALIGN);
    sum = *v_at + v * 8;
    return sum == bytes;
}

kmv_status kmv_dataset_read(const char *address, size_t n_max, kmv_dataset *out, kmv_error *err)
{
    problem_request request;
    problem_head head = {0};
    const kmv_h5_summary *s = &head.s;
    kmv_dataset d = {0};
    unsigned char *data = NULL;
    size_t bytes = 0, k_at = 0, v_at = 0;
    kmv_status st;

    if ((st = ask(address, n_max, 1, &request, &head, (void **)&data, &bytes, err)) != KMV_OK)
        return st;
    if ((st = kmv_manifest_check(request.address.path, err)) != KMV_OK)
        goto out;
    if (!sizes_fit(&head, bytes, &k_at, &v_at)) {
        st = kmv_fail(err, KMV_EFORMAT, "%s: malformed HDF5 file (the reader was led astray)",
                      address);
        goto out;
    }
    if ((st = set_name(&d, &request, err)) != KMV_OK)
        goto out;
    if ((st = points_of(&d.q, data, head.q_wide, s->n_q, s->d, err)) != KMV_OK) {
        kmv_fail_prefix(err, st, "%s: q", address);
        goto out;
    }
    if ((st = points_of(&d.k, data + k_at, head.k_wide, s->n_k, s->d, err)) != KMV_OK) {
        kmv_fail_prefix(err, st, "%s: k", address);
        goto out;
    }
    if (s->r > 0) {
        if ((d.v = kmv_alloc(s->n_k * s->r, sizeof *d.v, "values", err)) == NULL) {
            st = KMV_ENOMEM;
            goto out;
        }
        memcpy(d.v, data + v_at, s->n_k * s->r * sizeof *d.v);
    }
    d.r = s->r;
    d.sigma = s->sigma;
    d.scale = s->scale;
    d.causal = s->causal;
    d.heads = s->heads;
    d.layer = s->layer;
    d.head = s->head;
    memcpy(d.source, s->source, sizeof d.source);
    memcpy(d.model, s->model, sizeof d.model);
    memcpy(d.license, s->license, sizeof d.license);
    memcpy(d.sha256, s->sha256_found, sizeof d.sha256);
    *out = d;
    d = (kmv_dataset){0};
out:
    kmv_child_release(data, bytes);
    kmv_dataset_clear(&d);
    return st;
}

/* ---- matrices -------------------------------------------------------------------------------- */

typedef struct {
    size_t rows, columns;
} matrix_head;

static kmv_status read_matrix(const void *request, kmv_child *child, kmv_error *err)
{
    const kmv_address *address = request;
    matrix_head *h = child->head;
    const char *slash = strrchr(address->object, '/');
    const char *name = slash != NULL ? slash + 1 : address->object;
    hid_t file = H5I_INVALID_HID, group = H5I_INVALID_HID;
    kmv_h5_array a = {.set = H5I_INVALID_HID};
    char where[2 * KMV_ADDRESS_SIZE];
    H5O_info_t object;
    struct sha256_ctx unused;
    int present = 0;
    double norm;
    void *out;
    kmv_status st;

    kmv_h5_begin();
    snprintf(where, sizeof where, "%s:%.*s", address->path,
             name > address->object ? (int)(name - address->object) - 1 : 0, address->object);
    if ((st = kmv_h5_open_file(address->path, &file, err)) != KMV_OK ||
        (st = kmv_h5_open_object(file, address->path, address->object,
                                 (size_t)(name - address->object), &group, err)) != KMV_OK ||
        (st = kmv_h5_link(group, address->path, name, &present, &object, err)) != KMV_OK)
        goto out;
    if (!present || object.type != H5O_TYPE_DATASET) {
        st = kmv_fail(err, KMV_EFORMAT, "%s: no dataset '%s'", address->path, address->object);
        goto out;
    }
    if ((st = kmv_h5_array_open(group, where, name, 1, 2, &a, err)) != KMV_OK)
        goto out;
    h->rows = a.dims[0];
    h->columns = a.rank == 2 ? a.dims[1] : 1;
    if ((st = kmv_child_allow(24 * a.elements, 8 * a.elements, err)) != KMV_OK)
        goto out;
    if ((out = kmv_child_array(child, a.elements * 8, err)) == NULL) {
        st = KMV_ENOMEM;
        goto out;
    }
    {
        /* A vector is read as one row; its elements lie in the same order. */
        const part whole = {&a, where, name, 0, 0, a.rank == 2 ? h->rows : 1};

        sha256_init(&unused);
        st = read_part(&whole, out, 1, &unused, &norm, err);
    }
out:
    kmv_h5_array_close(&a);
    if (group >= 0)
        H5Oclose(group);
    if (file >= 0)
        H5Fclose(file);
    return st;
}

kmv_status kmv_h5_read_matrix(const char *address, double **y, size_t *rows, size_t *columns,
                              kmv_error *err)
{
    kmv_address a;
    matrix_head head = {0};
    void *data = NULL;
    size_t bytes = 0, count;
    double *copy;
    kmv_status st;

    if ((st = kmv_address_parse(address, &a, err)) != KMV_OK)
        return st;
    if (a.object[0] == '\0')
        return kmv_fail(err, KMV_EINVAL, "%s: want FILE:PATH of a dataset", address);
    if ((st = kmv_child_run(a.path, read_matrix, &a, &head, sizeof head, &data, &bytes, err)) !=
        KMV_OK)
        return st;
    if (__builtin_mul_overflow(head.rows, head.columns, &count) || count != bytes / 8) {
        st = kmv_fail(err, KMV_EFORMAT, "%s: malformed HDF5 file (the reader was led astray)",
                      address);
        goto out;
    }
    if ((copy = kmv_alloc(count, sizeof *copy, "matrix", err)) == NULL) {
        st = KMV_ENOMEM;
        goto out;
    }
    memcpy(copy, data, bytes);
    *y = copy;
    *rows = head.rows;
    *columns = head.columns;
out:
    kmv_child_release(data, bytes);
    return st;
}

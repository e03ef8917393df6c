/* data/h5_list.c - all problems that an address stands for. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/status.h"
#include "data/h5_address.h"
#include "data/h5_child.h"
#include "data/h5_problem.h"
#include "data/manifest.h"

/* Groups may link to each other in circles and in exponentially many ways: each is visited once,
 * and there are limits to a tree that a person made. */
enum { DEPTH_MAX = 32, GROUPS_MAX = 1 << 14, MEMBERS_MAX = 1 << 17 };

/* Grows in the child; '\0'-ended addresses one behind the other. */
typedef struct {
    const char *path;
    char *text;
    size_t used, room, count;
    haddr_t seen[GROUPS_MAX];
    size_t n_seen;
} listing;

static kmv_status add(listing *l, const char *group, const char *suffix, kmv_error *err)
{
    const size_t need = strlen(l->path) + strlen(group) + strlen(suffix) + 2;
    int n;

    if (need > KMV_ADDRESS_SIZE)
        return kmv_fail(err, KMV_EINVAL, "%s: '%s': want addresses of at most %d bytes", l->path,
                        group, KMV_ADDRESS_SIZE - 1);
    if (l->used + need > l->room) {
        const size_t room = 2 * (l->room + KMV_ADDRESS_SIZE);
        char *grown = realloc(l->text, room);

        if (grown == NULL)
            return kmv_fail(err, KMV_ENOMEM, "%s: no memory to list it", l->path);
        l->text = grown;
        l->room = room;
    }
    n = snprintf(l->text + l->used, need, "%s:%s%s", l->path, group, suffix);
    l->used += (size_t)n + 1;
    l->count++;
    return KMV_OK;
}

static kmv_status add_problem(listing *l, hid_t group, const char *name, kmv_error *err)
{
    kmv_h5_problem p;
    char where[2 * KMV_ADDRESS_SIZE], suffix[64];
    kmv_status st;

    snprintf(where, sizeof where, "%s:%s", l->path, name);
    if ((st = kmv_h5_problem_open(group, where, &p, err)) != KMV_OK)
        return st;
    if (p.q.rank == 2)
        st = add(l, name, "", err);
    for (size_t m = 0; p.q.rank > 2 && m < p.layers * p.heads && st == KMV_OK; m++) {
        if (p.q.rank == 4)
            snprintf(suffix, sizeof suffix, "#%zu,%zu", m / p.heads, m % p.heads);
        else
            snprintf(suffix, sizeof suffix, "#%zu", m);
        st = add(l, name, suffix, err);
    }
    kmv_h5_problem_close(&p);
    return st;
}

static int seen_before(listing *l, haddr_t at)
{
    for (size_t i = 0; i < l->n_seen; i++) {
        if (l->seen[i] == at)
            return 1;
    }
    return 0;
}

static kmv_status walk(listing *l, hid_t group, const char *name, int depth, kmv_error *err);

/* The i-th member, when it is a group: walk it. */
static kmv_status walk_member(listing *l, hid_t group, const char *name, hsize_t i, int depth,
                              kmv_error *err)
{
    char member[KMV_ADDRESS_SIZE], child[KMV_ADDRESS_SIZE];
    const ssize_t length = H5Lget_name_by_idx(group, ".", H5_INDEX_NAME, H5_ITER_INC, i, member,
                                              sizeof member, H5P_DEFAULT);
    H5O_info_t object;
    int present = 0;
    hid_t next;
    kmv_status st;

    if (length < 0)
        return kmv_fail(err, KMV_EFORMAT, "%s:%s: its members cannot be listed (%s)", l->path, name,
                        kmv_h5_reason());
    if (length >= (ssize_t)sizeof member)
        return kmv_fail(err, KMV_EFORMAT, "%s:%s: a member has a name of %zd bytes", l->path, name,
                        length);
    if ((st = kmv_h5_link(group, l->path, member, &present, &object, err)) != KMV_OK)
        return st;
    if (!present || object.type != H5O_TYPE_GROUP)
        return KMV_OK;
    if (snprintf(child, sizeof child, "%s%s%s", strcmp(name, "/") == 0 ? "" : name,
                 strcmp(name, "/") == 0 ? "" : "/", member) >= (int)sizeof child)
        return kmv_fail(err, KMV_EFORMAT, "%s:%s: nested names are too long", l->path, name);
    if ((next = H5Oopen(group, member, H5P_DEFAULT)) < 0)
        return kmv_fail(err, KMV_EFORMAT, "%s:%s: cannot be opened (%s)", l->path, child,
                        kmv_h5_reason());
    st = walk(l, next, child, depth + 1, err);
    H5Oclose(next);
    return st;
}

static kmv_status walk(listing *l, hid_t group, const char *name, int depth, kmv_error *err)
{
    const char *names[3];
    H5O_info_t object;
    H5G_info_t info;
    int is_problem = 0;
    char where[2 * KMV_ADDRESS_SIZE];
    kmv_status st = KMV_OK;

    snprintf(where, sizeof where, "%s:%s", l->path, name);
    if (H5Oget_info2(group, &object, H5O_INFO_BASIC) < 0 || H5Gget_info(group, &info) < 0)
        return kmv_fail(err, KMV_EFORMAT, "%s: cannot be looked up (%s)", where, kmv_h5_reason());
    if (seen_before(l, object.addr))
        return KMV_OK;
    if (l->n_seen == GROUPS_MAX || depth > DEPTH_MAX || info.nlinks > MEMBERS_MAX)
        return kmv_fail(err, KMV_EFORMAT,
                        "%s: want at most %d groups, %d deep, of %d members each, found more",
                        where, GROUPS_MAX, DEPTH_MAX, MEMBERS_MAX);
    l->seen[l->n_seen++] = object.addr;
    if ((st = kmv_h5_problem_names(group, where, names, &is_problem, err)) != KMV_OK)
        return st;
    if (is_problem && (st = add_problem(l, group, name, err)) != KMV_OK)
        return st;
    for (hsize_t i = 0; i < info.nlinks; i++) {
        if ((st = walk_member(l, group, name, i, depth, err)) != KMV_OK)
            return st;
    }
    return KMV_OK;
}

/* FILE:GROUP is the group when it is a problem, else all problems below it. */
static kmv_status list_group(listing *l, hid_t file, const char *name, kmv_error *err)
{
    const char *names[3];
    int is_problem = 0;
    hid_t group = H5I_INVALID_HID;
    kmv_status st = kmv_h5_open_object(file, l->path, name, strlen(name), &group, err);

    if (st != KMV_OK)
        return st;
    if (H5Iget_type(group) != H5I_GROUP)
        st = kmv_fail(err, KMV_EFORMAT, "%s:%s: want a group with q and k, found another object",
                      l->path, name);
    else if ((st = kmv_h5_problem_names(group, l->path, names, &is_problem, err)) == KMV_OK)
        st = is_problem ? add_problem(l, group, name, err) : walk(l, group, name, 0, err);
    H5Oclose(group);
    return st;
}

static kmv_status list_file(const void *request, kmv_child *child, kmv_error *err)
{
    static listing l;
    const kmv_address *a = request;
    hid_t file = H5I_INVALID_HID, group = H5I_INVALID_HID;
    kmv_head_index index;
    size_t length;
    void *out;
    kmv_status st;

    kmv_h5_begin();
    l.path = a->path;
    if ((st = kmv_h5_open_file(a->path, &file, err)) != KMV_OK)
        return st;
    if (a->object[0] == '\0') {
        if ((st = kmv_h5_open_object(file, a->path, "/", 1, &group, err)) == KMV_OK)
            st = walk(&l, group, "/", 0, err);
    } else if ((st = list_group(&l, file, a->object, err)) != KMV_OK &&
               kmv_address_index(a->object, &length, &index) > 0) {
        st = add(&l, a->object, "", err); /* part of a stack: reading it checks the rest */
    }
    if (st == KMV_OK && l.count == 0)
        st = kmv_fail(err, KMV_EFORMAT, "%s%s%s: want groups with datasets q and k, found none",
                      a->path, a->object[0] != '\0' ? ":" : "", a->object);
    if (st == KMV_OK) {
        if ((out = kmv_child_array(child, l.used, err)) != NULL)
            memcpy(out, l.text, l.used);
        else
            st = KMV_ENOMEM;
    }
    free(l.text);
    if (group >= 0)
        H5Oclose(group);
    H5Fclose(file);
    return st;
}

/* One block: the pointers, then the texts. */
static kmv_status to_list(const char *text, size_t bytes, char ***list, size_t *count,
                          kmv_error *err)
{
    size_t n = 0;
    char **block, *copy;

    for (size_t i = 0; i < bytes; i++)
        n += text[i] == '\0';
    if ((block = kmv_alloc(n * sizeof *block + bytes, 1, "list of problems", err)) == NULL)
        return KMV_ENOMEM;
    copy = (char *)(block + n);
    memcpy(copy, text, bytes);
    for (size_t i = 0; i < n; i++) {
        block[i] = copy;
        copy += strlen(copy) + 1;
    }
    *list = block;
    *count = n;
    return KMV_OK;
}

kmv_status kmv_h5_list(const char *address, char ***list, size_t *count, kmv_error *err)
{
    kmv_address a;
    int unused;
    void *text = NULL;
    size_t bytes = 0;
    kmv_status st;

    if ((st = kmv_address_parse(address, &a, err)) != KMV_OK ||
        (st = kmv_manifest_check(a.path, err)) != KMV_OK ||
        (st = kmv_child_run(a.path, list_file, &a, &unused, sizeof unused, &text, &bytes, err)) !=
            KMV_OK)
        return st;
    if (bytes == 0 || ((char *)text)[bytes - 1] != '\0')
        st = kmv_fail(err, KMV_EFORMAT, "%s: malformed HDF5 file (the reader was led astray)",
                      address);
    else
        st = to_list(text, bytes, list, count, err);
    kmv_child_release(text, bytes);
    return st;
}

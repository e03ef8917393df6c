/* bench/shared.c - see shared.h. */
#include "bench/shared.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/status.h"
#include "bench/source.h"

typedef struct {
    const kmv_case_problem *problem;
    uint64_t seed;
    int fd;
} load_context;

enum { PARTS = 5 };

/* The arrays of a data set, in the order in which they lie in the shared memory. */
typedef struct {
    void **pointer;
    size_t bytes; /* 0: there is none */
} part;

static void list_parts(kmv_dataset *d, part parts[PARTS])
{
    double **origins[2] = {&d->q.origin, &d->k.origin};
    kmv_points *points[2] = {&d->q, &d->k};

    for (size_t i = 0; i < 2; i++) {
        parts[2 * i] =
            (part){(void **)(void *)&points[i]->x, points[i]->n * points[i]->ld * sizeof(float)};
        parts[2 * i + 1] = (part){(void **)(void *)origins[i],
                                  *origins[i] != NULL ? points[i]->d * sizeof(double) : 0};
    }
    parts[4] = (part){(void **)(void *)&d->v, d->v != NULL ? d->k.n * d->r * sizeof(double) : 0};
}

static size_t total_size(const part parts[PARTS])
{
    size_t size = 0;

    for (size_t i = 0; i < PARTS; i++)
        size += kmv_round_up(parts[i].bytes, KMV_ALIGN);
    return size;
}

static kmv_status load(const void *context, void *result, kmv_error *err)
{
    const load_context *c = context;
    kmv_dataset d = {0};
    part parts[PARTS];
    unsigned char *map = MAP_FAILED, *at;
    kmv_status st = kmv_source_load(c->problem, c->seed, &d, err);
    size_t size;

    if (st != KMV_OK)
        return st;
    list_parts(&d, parts);
    size = total_size(parts);
    if (ftruncate(c->fd, (off_t)size) != 0 ||
        (map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, c->fd, 0)) == MAP_FAILED) {
        st = kmv_fail(err, KMV_ENOMEM, "shared memory of %zu bytes for a data set: %s", size,
                      strerror(errno));
    } else {
        at = map;
        for (size_t i = 0; i < PARTS; i++) {
            if (parts[i].bytes > 0)
                memcpy(at, *parts[i].pointer, parts[i].bytes);
            at += kmv_round_up(parts[i].bytes, KMV_ALIGN);
        }
        munmap(map, size);
        memcpy(result, &d, sizeof d); /* its pointers only say which arrays there are */
    }
    kmv_dataset_clear(&d);
    return st;
}

static kmv_status map_arrays(int fd, kmv_shared *shared, kmv_error *err)
{
    part parts[PARTS];
    unsigned char *at;

    list_parts(&shared->data, parts);
    shared->size = total_size(parts);
    shared->map = mmap(NULL, shared->size, PROT_READ, MAP_SHARED, fd, 0);
    if (shared->map == MAP_FAILED) {
        shared->map = NULL;
        return kmv_fail(err, KMV_ENOMEM, "shared memory of a data set: %s", strerror(errno));
    }
    at = shared->map;
    for (size_t i = 0; i < PARTS; i++) {
        *parts[i].pointer = parts[i].bytes > 0 ? at : NULL;
        at += kmv_round_up(parts[i].bytes, KMV_ALIGN);
    }
    shared->data.q.owned = shared->data.k.owned = 0;
    return KMV_OK;
}

kmv_status kmv_shared_load(const kmv_case_problem *problem, uint64_t seed, const kmv_limits *limits,
                           int interrupt_fd, kmv_shared *shared, kmv_child_end *end,
                           kmv_status *work_status, kmv_error *err)
{
    load_context context = {problem, seed, memfd_create("kmv-dataset", MFD_CLOEXEC)};
    kmv_shared out = {0};
    kmv_status st;

    if (context.fd < 0)
        return kmv_fail(err, KMV_EIO, "shared memory for a data set: %s", strerror(errno));
    st = kmv_forked_run(load, &context, &out.data, sizeof out.data, limits, interrupt_fd, end,
                        work_status, err);
    if (st == KMV_OK && *end == KMV_CHILD_DONE && *work_status == KMV_OK &&
        (st = map_arrays(context.fd, &out, err)) == KMV_OK)
        *shared = out;
    close(context.fd);
    return st;
}

void kmv_shared_clear(kmv_shared *shared)
{
    if (shared->map != NULL)
        munmap(shared->map, shared->size);
    *shared = (kmv_shared){0};
}

/* Problems, matrices and tables through HDF5 files and back. */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "data/h5io.h"

static char folder[] = "/tmp/kmv_h5io_XXXXXX";

/* folder/name, in one of several buffers so that two can be used at once. */
static const char *in_folder(const char *name)
{
    static char paths[4][256];
    static int at;
    char *p = paths[at++ % 4];

    snprintf(p, sizeof paths[0], "%s/%s", folder, name);
    return p;
}

static void make(kmv_dataset *d, size_t n_q, size_t n_k, size_t dim, size_t r)
{
    kmv_error err = {""};

    *d = (kmv_dataset){.sigma = 1.5, .scale = NAN, .causal = 1, .layer = 7, .head = -1, .r = r};
    snprintf(d->name, sizeof d->name, "made");
    snprintf(d->source, sizeof d->source, "by hand");
    CHECK_OK(kmv_points_init(&d->q, n_q, dim, &err));
    CHECK_OK(kmv_points_init(&d->k, n_k, dim, &err));
    for (size_t i = 0; i < n_q; i++)
        d->q.x[i * d->q.ld + i % dim] = 0.1f * (float)(i + 1);
    for (size_t i = 0; i < n_k; i++)
        d->k.x[i * d->k.ld + i % dim] = -0.3f * (float)(i + 1);
    if (r > 0) {
        d->v = kmv_alloc(n_k * r, sizeof *d->v, "v", &err);
        assert_non_null(d->v);
        for (size_t i = 0; i < n_k * r; i++)
            d->v[i] = 1.0 / (double)(i + 3);
    }
}

static double coordinate(const kmv_points *p, size_t i, size_t l)
{
    return p->origin[l] + (double)p->x[i * p->ld + l];
}

static void assert_points_equal(const kmv_points *a, const kmv_points *b, double tol)
{
    assert_int_equal(a->n, b->n);
    assert_int_equal(a->d, b->d);
    for (size_t i = 0; i < a->n; i++) {
        for (size_t l = 0; l < a->d; l++)
            CHECK_CLOSE(coordinate(a, i, l), coordinate(b, i, l), tol);
    }
}

static void problem_round_trip(void **state)
{
    const char *path = in_folder("round.h5");
    kmv_error err = {""};
    kmv_dataset d, back = {0};
    char address[300];

    (void)state;
    make(&d, 5, 6, 3, 2);
    CHECK_OK(kmv_dataset_write(path, "a/b", &d, &err));
    snprintf(address, sizeof address, "%s:a/b", path);
    CHECK_OK(kmv_dataset_read(address, 0, &back, &err));
    assert_string_equal(back.name, "round:a/b");
    assert_points_equal(&d.q, &back.q, 0.0);
    assert_points_equal(&d.k, &back.k, 0.0);
    assert_int_equal(back.r, 2);
    assert_memory_equal(d.v, back.v, 12 * sizeof *d.v);
    CHECK_CLOSE(back.sigma, 1.5, 0.0);
    assert_true(isnan(back.scale));
    assert_int_equal(back.causal, 1);
    assert_int_equal(back.layer, 7);
    assert_int_equal(back.head, -1);
    assert_string_equal(back.source, "by hand");
    assert_string_equal(back.model, "");
    kmv_dataset_clear(&back);

    CHECK_OK(kmv_dataset_read(address, 4, &back, &err)); /* a prefix */
    assert_int_equal(back.q.n, 4);
    assert_int_equal(back.k.n, 4);
    CHECK_CLOSE(coordinate(&back.k, 3, 0), (double)d.k.x[3 * d.k.ld], 0.0);
    CHECK_CLOSE(back.v[7], d.v[7], 0.0);
    kmv_dataset_clear(&back);
    kmv_dataset_clear(&d);
}

/* Points with an origin are stored as float64: a shift of 1e6 keeps the distances, since the mean
 * comes off again in double. Two roundings at 1e6, then one of the rest to float (<= 2). */
static void origins_survive(void **state)
{
    const double tol = 2 * 1e6 * 0x1p-53 + 2 * 0x1p-24;
    const char *path = in_folder("origin.h5");
    kmv_error err = {""};
    kmv_dataset d, back = {0};
    char address[300];

    (void)state;
    make(&d, 5, 6, 3, 0);
    for (size_t l = 0; l < 3; l++)
        d.q.origin[l] = d.k.origin[l] = 1e6;
    CHECK_OK(kmv_dataset_write(path, "", &d, &err));
    snprintf(address, sizeof address, "%s:/", path);
    CHECK_OK(kmv_dataset_read(address, 0, &back, &err));
    assert_points_equal(&d.q, &back.q, tol);
    assert_points_equal(&d.k, &back.k, tol);
    assert_null(back.v);
    assert_string_equal(back.name, "origin");
    kmv_dataset_clear(&back);
    kmv_dataset_clear(&d);
}

static void matrix_round_trip(void **state)
{
    const double y[6] = {1.0, -2.5, 1e-300, 1e300, 0.1, 0.0};
    const kmv_attribute attributes[] = {{"algo", "exact", 0.0}, {"eps", NULL, 0.1}, {0}};
    const char *path = in_folder("y.h5");
    kmv_error err = {""};
    size_t rows = 0, columns = 0;
    double *back = NULL;
    char address[300];

    (void)state;
    CHECK_OK(kmv_h5_write_matrix(path, "run/y", y, 3, 2, attributes, &err));
    CHECK_OK(kmv_h5_write_matrix(path, "z", y, 6, 1, NULL, &err));
    CHECK_OK(kmv_h5_write_matrix(path, "z", y, 2, 1, NULL, &err)); /* replaced */
    snprintf(address, sizeof address, "%s:run/y", path);
    CHECK_OK(kmv_h5_read_matrix(address, &back, &rows, &columns, &err));
    assert_int_equal(rows, 3);
    assert_int_equal(columns, 2);
    assert_memory_equal(y, back, sizeof y);
    kmv_free(back);
    snprintf(address, sizeof address, "%s:z", path);
    CHECK_OK(kmv_h5_read_matrix(address, &back, &rows, &columns, &err));
    assert_int_equal(rows, 2);
    assert_int_equal(columns, 1);
    kmv_free(back);
    CHECK_FAILS(kmv_h5_read_matrix(path, &back, &rows, &columns, &err), KMV_EINVAL, "FILE:PATH");
    snprintf(address, sizeof address, "%s:nothing", path);
    CHECK_FAILS(kmv_h5_read_matrix(address, &back, &rows, &columns, &err), KMV_EFORMAT,
                "no dataset 'nothing'");
    CHECK_FAILS(kmv_h5_write_matrix(path, "run", y, 2, 1, NULL, &err), KMV_EINVAL, "no dataset");
    CHECK_FAILS(kmv_h5_write_matrix(path, "z/below", y, 2, 1, NULL, &err), KMV_EFORMAT, "no group");
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) == NULL;
}

static int remove_folder(void **state)
{
    char command[300];

    (void)state;
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(problem_round_trip),
        cmocka_unit_test(origins_survive),
        cmocka_unit_test(matrix_round_trip),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}

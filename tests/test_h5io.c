/* Problems, matrices and tables through HDF5 files and back; writing that fails changes nothing. */
#include "check.h"

#include <hdf5.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "data/h5io.h"
#include "points.h"
#include "temp_folder.h"

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
    const kmv_attribute ours[] = {{"kmv_version", "1", 0.0}, {0}};
    const char *path = in_folder("y.h5");
    kmv_error err = {""};
    size_t rows = 0, columns = 0;
    double *back = NULL;
    char address[300];

    (void)state;
    CHECK_OK(kmv_h5_write_matrix(path, "run/y", y, 3, 2, attributes, &err));
    CHECK_OK(kmv_h5_write_matrix(path, "z", y, 6, 1, ours, &err));
    CHECK_OK(kmv_h5_write_matrix(path, "z", y, 2, 1, ours, &err)); /* replaced */
    CHECK_FAILS(kmv_h5_write_matrix(path, "run/y", y, 2, 1, ours, &err), KMV_EINVAL,
                "'run/y' is there and no result of kmv");
    CHECK_FAILS(kmv_h5_write_matrix(path, "run/../y", y, 2, 1, ours, &err), KMV_EINVAL,
                "want no step '..'");
    CHECK_FAILS(kmv_h5_write_matrix(path, "run/.", y, 2, 1, ours, &err), KMV_EINVAL,
                "want no step '.'");
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

/* A table comes back field by field, by name, from the library itself. */
static void table_is_compound(void **state)
{
    typedef struct {
        int before; /* not stored */
        double time;
        char algo[6];
        double eps;
    } row;
    const row rows[2] = {{1, 0.5, "exact", NAN}, {2, -1.0, "lsh", 0.1}};
    const kmv_h5_field fields[] = {{"algo", 1, offsetof(row, algo), 6},
                                   {"t_apply_s", 0, offsetof(row, time), 8},
                                   {"eps", 0, offsetof(row, eps), 8}};
    const kmv_attribute attributes[] = {{"commit", "abc", 0.0}, {"kmv_version", "1", 0.0}, {0}};
    const char *path = in_folder("table.h5");
    double times[2] = {0}, eps[2] = {0};
    char algos[2][6] = {"", ""};
    kmv_error err = {""};
    hid_t file, set, type, member;

    (void)state;
    for (int i = 0; i < 2; i++) /* the second replaces the first */
        CHECK_OK(kmv_h5_write_table(path, "run/raw", fields, 3, rows, 2, sizeof *rows, attributes,
                                    &err));
    file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    set = H5Dopen2(file, "run/raw", H5P_DEFAULT);
    assert_true(set >= 0);
    type = H5Dget_type(set);
    assert_int_equal(H5Tget_nmembers(type), 3);
    assert_int_equal(H5Tget_size(type), 6 + 8 + 8);
    assert_int_equal(H5Tget_member_index(type, "algo"), 0);
    H5Tclose(type);
    type = H5Tcreate(H5T_COMPOUND, sizeof(double));
    assert_true(H5Tinsert(type, "t_apply_s", 0, H5T_NATIVE_DOUBLE) >= 0);
    assert_true(H5Dread(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, times) >= 0);
    H5Tclose(type);
    type = H5Tcreate(H5T_COMPOUND, sizeof(double));
    assert_true(H5Tinsert(type, "eps", 0, H5T_NATIVE_DOUBLE) >= 0);
    assert_true(H5Dread(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, eps) >= 0);
    H5Tclose(type);
    member = H5Tcopy(H5T_C_S1);
    H5Tset_size(member, 6);
    H5Tset_cset(member, H5T_CSET_UTF8);
    type = H5Tcreate(H5T_COMPOUND, 6);
    assert_true(H5Tinsert(type, "algo", 0, member) >= 0);
    assert_true(H5Dread(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, algos) >= 0);
    H5Tclose(member);
    H5Tclose(type);
    assert_true(H5Aexists(set, "commit") > 0);
    H5Dclose(set);
    H5Fclose(file);
    CHECK_CLOSE(times[0], 0.5, 0.0);
    CHECK_CLOSE(times[1], -1.0, 0.0);
    assert_true(isnan(eps[0]));
    CHECK_CLOSE(eps[1], 0.1, 0.0);
    assert_string_equal(algos[0], "exact");
    assert_string_equal(algos[1], "lsh");
    CHECK_OK(kmv_h5_write_table(path, "none", fields, 3, rows, 0, sizeof *rows, NULL, &err));
}

/* Equal content, equal bytes: no times, no addresses of memory. */
static void files_are_reproducible(void **state)
{
    static unsigned char a[1 << 15], b[1 << 15];
    kmv_error err = {""};
    kmv_dataset d;
    size_t size;

    (void)state;
    make(&d, 5, 6, 3, 2);
    CHECK_OK(kmv_dataset_write(in_folder("first.h5"), "g", &d, &err));
    sleep(1); /* times in HDF5 headers are in seconds */
    CHECK_OK(kmv_dataset_write(in_folder("second.h5"), "g", &d, &err));
    size = file_load(in_folder("first.h5"), a, sizeof a);
    assert_int_equal(file_load(in_folder("second.h5"), b, sizeof b), size);
    assert_memory_equal(a, b, size);
    kmv_dataset_clear(&d);
}

/* A path with colons is a path when it exists. */
static void colons(void **state)
{
    kmv_error err = {""};
    kmv_dataset d, back = {0};
    char path[300], address[320];

    (void)state;
    make(&d, 2, 2, 2, 0);
    snprintf(path, sizeof path, "%s", in_folder("a:b.h5"));
    CHECK_OK(kmv_dataset_write(path, "c:d", &d, &err));
    snprintf(address, sizeof address, "%s:c:d", path);
    CHECK_OK(kmv_dataset_read(address, 0, &back, &err));
    kmv_dataset_clear(&back);
    CHECK_FAILS(kmv_dataset_read(in_folder("a:c.h5"), 0, &back, &err), KMV_EIO, "/a: No such file");
    CHECK_FAILS(kmv_dataset_read(temp_folder(), 0, &back, &err), KMV_EINVAL, "found a folder");
    CHECK_FAILS(kmv_dataset_read("/dev/null", 0, &back, &err), KMV_EINVAL, "found a device");
    kmv_dataset_clear(&d);
}

/* ---- writing --------------------------------------------------------------------------------- */

static void other_objects_stay(void **state)
{
    const double y[2] = {1.0, 2.0};
    const char *path = in_folder("kept.h5");
    kmv_error err = {""};
    kmv_dataset d, back = {0};
    struct stat s;
    char address[300];

    (void)state;
    make(&d, 3, 3, 2, 0);
    CHECK_OK(kmv_dataset_write(path, "a", &d, &err));
    assert_int_equal(chmod(path, 0640), 0);
    CHECK_OK(kmv_h5_write_matrix(path, "a/y", y, 2, 1, NULL, &err));
    CHECK_FAILS(kmv_dataset_write(path, "a", &d, &err), KMV_EINVAL, "'a' holds a problem");
    snprintf(d.source, sizeof d.source, "kmv gen none");
    CHECK_OK(kmv_dataset_write(path, "generated", &d, &err));
    d.sigma = NAN;
    d.q.x[0] = 77.0f;
    CHECK_OK(kmv_h5_write_matrix(path, "generated/y", y, 2, 1, NULL, &err));
    CHECK_OK(kmv_dataset_write(path, "generated", &d, &err)); /* replaced, generated/y stays */
    snprintf(address, sizeof address, "%s:generated", path);
    CHECK_OK(kmv_dataset_read(address, 0, &back, &err));
    CHECK_CLOSE(coordinate(&back.q, 0, 0), 77.0, 0.0);
    assert_true(isnan(back.sigma));
    kmv_dataset_clear(&back);
    {
        double *z = NULL;
        size_t rows = 0, columns = 0;

        snprintf(address, sizeof address, "%s:generated/y", path);
        CHECK_OK(kmv_h5_read_matrix(address, &z, &rows, &columns, &err));
        CHECK_CLOSE(z[1], 2.0, 0.0);
        kmv_free(z);
    }
    assert_int_equal(stat(path, &s), 0);
    assert_int_equal(s.st_mode & 0777, 0640);
    kmv_dataset_clear(&d);
}

/* Files in the folder: nothing temporary may be left. */
static int count_temporary(void)
{
    char command[300];
    FILE *p;
    int n = -1;

    snprintf(command, sizeof command, "ls '%s' | grep -c 'tmp$'", temp_folder());
    if ((p = popen(command, "r")) != NULL) {
        if (fscanf(p, "%d", &n) != 1)
            n = -1;
        pclose(p);
    }
    return n;
}

static void failed_writes_leave_the_target(void **state)
{
    static unsigned char before[1 << 15], after[1 << 15];
    static double large[1 << 16];
    const char *path = in_folder("target.h5");
    const struct rlimit small = {1 << 15, RLIM_INFINITY};
    struct rlimit old;
    kmv_error err = {""};
    char text[300];
    size_t size;

    (void)state;
    CHECK_OK(kmv_h5_write_matrix(path, "y", large, 16, 2, NULL, &err));
    size = file_load(path, before, sizeof before);

    /* A full disk, as the system calls see it: files cannot grow beyond 32 KiB. */
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    CHECK_FAILS(kmv_h5_write_matrix(path, "z", large, 1 << 16, 1, NULL, &err), KMV_EIO, path);
    assert_null(strchr(err.text, '\n'));
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_int_equal(file_load(path, after, sizeof after), size);
    assert_memory_equal(before, after, size);
    assert_int_equal(count_temporary(), 0);

    snprintf(text, sizeof text, "%s/no/such/y.h5", temp_folder());
    CHECK_FAILS(kmv_h5_write_matrix(text, "y", large, 2, 1, NULL, &err), KMV_EIO,
                "cannot be written");
    CHECK_FAILS(kmv_h5_write_matrix("/dev/null", "y", large, 2, 1, NULL, &err), KMV_EINVAL,
                "want a regular file");
    file_store(path, "no hdf5", 7);
    CHECK_FAILS(kmv_h5_write_matrix(path, "y", large, 2, 1, NULL, &err), KMV_EFORMAT,
                "cannot be opened as an HDF5 file");
    assert_int_equal(file_load(path, after, sizeof after), 7);
    assert_int_equal(count_temporary(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(problem_round_trip),     cmocka_unit_test(origins_survive),
        cmocka_unit_test(matrix_round_trip),      cmocka_unit_test(table_is_compound),
        cmocka_unit_test(files_are_reproducible), cmocka_unit_test(colons),
        cmocka_unit_test(other_objects_stay),     cmocka_unit_test(failed_writes_leave_the_target),
    };

    return cmocka_run_group_tests(tests, temp_folder_make, temp_folder_remove);
}

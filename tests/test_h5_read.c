/* What is read from HDF5 files that others wrote, and what is refused. */
#include "check.h"

#include <stdio.h>
#include <unistd.h>

#include "base/mem.h"
#include "data/h5io.h"
#include "h5_files.h"
#include "points.h"
#include "temp_folder.h"

/* ---- what is accepted ------------------------------------------------------------------------ */

static void read_layout(const char *object, kmv_dataset *d)
{
    kmv_error err = {""};
    char address[300];

    snprintf(address, sizeof address, "%s:%s", in_folder("layouts.h5"), object);
    CHECK_OK(kmv_dataset_read(address, 0, d, &err));
}

static void float16_is_exact(void **state)
{
    static const char *const names[] = {"f16le", "f16be"};
    kmv_dataset d;

    (void)state;
    for (int i = 0; i < 2; i++) {
        read_layout(names[i], &d);
        CHECK_CLOSE(coordinate(&d.q, 0, 0), 1.0, 0.0);
        CHECK_CLOSE(coordinate(&d.q, 0, 1), -2.0, 0.0);
        CHECK_CLOSE(coordinate(&d.q, 1, 0), 65504.0, 0.0);
        CHECK_CLOSE(coordinate(&d.k, 1, 1), 0x1p-24, 0.0);
        kmv_dataset_clear(&d);
    }
}

/* The files hold 0.125 (i mod 17), exact in every type; float64 loses at most the rounding of the
 * rest after its mean came off (below 2), and the origin's own. */
static void types_and_layouts(void **state)
{
    static const char *const names[] = {"f32be", "f64le", "f64be", "chunked"};
    kmv_dataset d;

    (void)state;
    for (int m = 0; m < 4; m++) {
        const double tol = names[m][1] == '6' ? 2 * 0x1p-24 : 0.0;

        read_layout(names[m], &d);
        assert_int_equal(d.q.n, 8);
        for (size_t i = 0; i < 8; i++) {
            for (size_t l = 0; l < 4; l++)
                CHECK_CLOSE(coordinate(&d.k, i, l), 0.125 * (double)((4 * i + l) % 17), tol);
        }
        assert_int_equal(d.causal, -1);
        assert_true(isnan(d.sigma) && isnan(d.scale));
        kmv_dataset_clear(&d);
    }
    read_layout("one", &d);
    assert_int_equal(d.q.n, 1);
    assert_int_equal(d.q.d, 1);
    assert_int_equal(d.causal, 1); /* h5py's boolean */
    kmv_dataset_clear(&d);
}

/* Element (h, i, l) of a stack is 0.125 ((h n + i) d + l mod 17). */
static void stacks_share_key_heads(void **state)
{
    kmv_dataset d;

    (void)state;
    read_layout("stack3#2", &d);
    assert_string_equal(d.name, "layouts:stack3#2");
    assert_int_equal(d.head, 2);
    assert_int_equal(d.layer, -1);
    assert_int_equal(d.q.n, 8);
    assert_int_equal(d.k.n, 9);
    CHECK_CLOSE(coordinate(&d.q, 1, 3), 0.125 * (double)(((2 * 8 + 1) * 4 + 3) % 17), 0.0);
    CHECK_CLOSE(coordinate(&d.k, 1, 3), 0.125 * (double)(((1 * 9 + 1) * 4 + 3) % 17), 0.0);
    CHECK_CLOSE(d.v[5], 0.125 * (double)((9 * 2 + 5) % 17), 0.0);
    kmv_dataset_clear(&d);
    read_layout("stack#4#1,1", &d);
    assert_int_equal(d.layer, 1);
    assert_int_equal(d.head, 1);
    CHECK_CLOSE(coordinate(&d.q, 1, 3), 0.125 * (double)(((3 * 8 + 1) * 4 + 3) % 17), 0.0);
    CHECK_CLOSE(coordinate(&d.k, 1, 3), 0.125 * (double)(((1 * 8 + 1) * 4 + 3) % 17), 0.0);
    kmv_dataset_clear(&d);
}

static void lists(void **state)
{
    static const char *const want[] = {"chunked",     "f16be",       "f16le",       "f32be",
                                       "f64be",       "f64le",       "one",         "stack#4#0,0",
                                       "stack#4#0,1", "stack#4#1,0", "stack#4#1,1", "stack3#0",
                                       "stack3#1",    "stack3#2",    "stack3#3"};
    const char *path = in_folder("layouts.h5");
    kmv_error err = {""};
    char **list = NULL, address[300];
    size_t count = 0;

    (void)state;
    CHECK_OK(kmv_h5_list(path, &list, &count, &err)); /* the circle of links is walked once */
    assert_int_equal(count, sizeof want / sizeof *want);
    for (size_t i = 0; i < count; i++) {
        snprintf(address, sizeof address, "%s:%s", path, want[i]);
        assert_string_equal(list[i], address);
    }
    kmv_free(list);
    snprintf(address, sizeof address, "%s:stack3#1", path);
    CHECK_OK(kmv_h5_list(address, &list, &count, &err));
    assert_int_equal(count, 1);
    assert_string_equal(list[0], address);
    kmv_free(list);
}

/* ---- what is refused ------------------------------------------------------------------------- */

/* What a command does: expand the address, read each problem. */
static kmv_status read_all(const char *address, kmv_error *err)
{
    char **list = NULL;
    size_t count = 0;
    kmv_status st = kmv_h5_list(address, &list, &count, err);

    for (size_t i = 0; i < count && st == KMV_OK; i++) {
        kmv_dataset d = {0};

        st = kmv_dataset_read(list[i], 0, &d, err);
        kmv_dataset_clear(&d);
    }
    kmv_free(list);
    return st;
}

static void bad_files_give_one_line(void **state)
{
    (void)state;
    for (const kmv_bad_file *b = kmv_bad_files; b->name != NULL; b++) {
        kmv_error err = {""};
        char path[256], address[300];
        kmv_status st;

        snprintf(path, sizeof path, "%s/%s.h5", temp_folder(), b->name);
        snprintf(address, sizeof address, "%s%s%s", path, b->object[0] != '\0' ? ":" : "",
                 b->object);
        b->make(path);
        st = read_all(address, &err);
        if (st != b->status || strstr(err.text, b->message) == NULL ||
            strstr(err.text, path) != err.text || strchr(err.text, '\n') != NULL)
            fail_msg("%s: status %d (want %d), '%s' (want '%s')", b->name, (int)st, (int)b->status,
                     err.text, b->message);
        unlink(path);
    }
}

/* A damaged file is an error, or its arrays are what they were; when the damage took the recorded
 * hash away, nothing is left that could tell. */
static void expect_error_or_truth(const char *path, const char *hash, const char *damage, size_t at)
{
    kmv_error err = {""};
    kmv_h5_summary s;
    char address[300];
    kmv_status st;

    snprintf(address, sizeof address, "%s:g", path);
    st = kmv_h5_summarise(address, &s, &err);
    if (st != KMV_OK && (err.text[0] == '\0' || strchr(err.text, '\n') != NULL))
        fail_msg("%s at %zu: no one-line error: '%s'", damage, at, err.text);
    if (st == KMV_OK && s.sha256_stored[0] != '\0' && strcmp(s.sha256_found, hash) != 0)
        fail_msg("%s at %zu: read as if it were whole", damage, at);
    if (st == KMV_OK && !(isfinite(s.q_norm_max) && isfinite(s.k_norm_max)))
        fail_msg("%s at %zu: not finite", damage, at);
}

static void damage(void **state)
{
    enum { ROOM = 1 << 15, STEPS = 60 };
    static unsigned char bytes[ROOM];
    const char *path = in_folder("healthy.h5"), *damaged = in_folder("damaged.h5");
    kmv_error err = {""};
    kmv_h5_summary s;
    char address[300], hash[KMV_HASH_SIZE];
    size_t size;

    (void)state;
    snprintf(address, sizeof address, "%s:g", path);
    kmv_make_healthy_file(path, NULL);
    CHECK_OK(kmv_h5_summarise(address, &s, &err));
    memcpy(hash, s.sha256_found, sizeof hash);
    kmv_make_healthy_file(path, hash);
    CHECK_OK(kmv_h5_summarise(address, &s, &err));
    assert_string_equal(s.sha256_stored, hash);
    assert_string_equal(s.type, "float32,float64");
    size = file_load(path, bytes, ROOM);
    for (size_t step = 0; step < STEPS; step++) {
        const size_t at = step * size / STEPS;

        file_store(damaged, bytes, at);
        expect_error_or_truth(damaged, hash, "cut", at);
    }
    for (size_t step = 0; step < 2 * STEPS; step++) {
        const size_t bit = step * (8 * size - 1) / (2 * STEPS) + step % 8; /* all bits of a byte */

        bytes[bit / 8] ^= (unsigned char)(1u << (bit % 8));
        file_store(damaged, bytes, size);
        expect_error_or_truth(damaged, hash, "flip", bit);
        bytes[bit / 8] ^= (unsigned char)(1u << (bit % 8));
    }
}

static int make_layouts(void **state)
{
    const int failed = temp_folder_make(state);

    if (!failed)
        kmv_make_layouts(in_folder("layouts.h5"));
    return failed;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(float16_is_exact),        cmocka_unit_test(types_and_layouts),
        cmocka_unit_test(stacks_share_key_heads),  cmocka_unit_test(lists),
        cmocka_unit_test(bad_files_give_one_line), cmocka_unit_test(damage),
    };

    return cmocka_run_group_tests(tests, make_layouts, temp_folder_remove);
}

/* Bandwidths by default, views, centering, the manifest. */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/hash.h"
#include "data/dataset.h"
#include "data/manifest.h"
#include "points.h"

enum { N_Q = 3, N_K = 4, D = 2, R = 2 };
static const float queries[N_Q * D] = {1, 2, 3, 4, 5, 9};
static const float keys[N_K * D] = {0, 1, 2, 3, 4, 5, 10, 7};

static void make(kmv_dataset *d)
{
    kmv_error err = {""};

    *d = (kmv_dataset){.name = "made", .sigma = NAN, .scale = NAN, .causal = -1, .r = R};
    CHECK_OK(kmv_points_from_f32(&d->q, queries, N_Q, D, D, &err));
    CHECK_OK(kmv_points_from_f32(&d->k, keys, N_K, D, D, &err));
}

static void sigma_by_default(void **state)
{
    kmv_error err = {""};
    double sigma = 0.0;
    kmv_dataset d;

    (void)state;
    make(&d);
    CHECK_OK(kmv_dataset_sigma(&d, KMV_GAUSS, &sigma, &err));
    CHECK_CLOSE(sigma, 1.189207115002721, 1e-15); /* 2^(1/4) */
    d.scale = 0.25;
    CHECK_OK(kmv_dataset_sigma(&d, KMV_GAUSS, &sigma, &err));
    CHECK_CLOSE(sigma, 1.189207115002721, 1e-15); /* scale is for softmax only */
    CHECK_OK(kmv_dataset_sigma(&d, KMV_SOFTMAX, &sigma, &err));
    CHECK_CLOSE(sigma, 2.0, 1e-15);
    d.sigma = 2.000001; /* as decimal text may round it */
    CHECK_OK(kmv_dataset_sigma(&d, KMV_SOFTMAX, &sigma, &err));
    CHECK_CLOSE(sigma, 2.0, 1e-15);
    CHECK_OK(kmv_dataset_sigma(&d, KMV_GAUSS, &sigma, &err));
    CHECK_CLOSE(sigma, 2.000001, 1e-15);
    d.sigma = 3.0;
    sigma = 7.0;
    CHECK_FAILS(kmv_dataset_sigma(&d, KMV_SOFTMAX, &sigma, &err), KMV_EINVAL, "contradict");
    CHECK_CLOSE(sigma, 7.0, 0.0);
    d.scale = NAN;
    CHECK_OK(kmv_dataset_sigma(&d, KMV_SOFTMAX, &sigma, &err));
    CHECK_CLOSE(sigma, 3.0, 0.0);
    kmv_dataset_clear(&d);
    kmv_dataset_clear(&d);
}

static void center_words(void **state)
{
    static const char *const words[] = {"none", "keys", "match"};
    kmv_error err = {""};
    kmv_center c = KMV_CENTER_NONE;

    (void)state;
    for (int i = 0; i < 3; i++) {
        CHECK_OK(kmv_center_parse(words[i], &c, &err));
        assert_int_equal(c, i);
        assert_string_equal(kmv_center_name(c), words[i]);
    }
    CHECK_FAILS(kmv_center_parse("mean", &c, &err), KMV_EINVAL, "got 'mean'");
    assert_int_equal(c, KMV_CENTER_MATCH);
}

static void whole_view_is_the_data(void **state)
{
    double v[N_K * R] = {0, 1, 2, 3, 4, 5, 6, 7};
    kmv_error err = {""};
    kmv_view view;
    kmv_dataset d;

    (void)state;
    make(&d);
    d.v = v;
    CHECK_OK(kmv_view_init(&view, &d, 0, 0, KMV_CENTER_NONE, &err));
    assert_int_equal(view.q.n, N_Q);
    assert_int_equal(view.k.n, N_K);
    assert_int_equal(view.q.owned, 0);
    for (size_t i = 0; i < N_K; i++) {
        for (size_t l = 0; l < D; l++)
            CHECK_CLOSE(coordinate(&view.k, i, l), (double)keys[i * D + l], 0.0);
    }
    assert_ptr_equal(view.v, v);
    assert_int_equal(view.r, R);
    kmv_view_clear(&view);
    kmv_view_clear(&view);

    CHECK_OK(kmv_view_init(&view, &d, 3, 2, KMV_CENTER_NONE, &err)); /* row 2 of each */
    assert_int_equal(view.q.n, 1);
    assert_int_equal(view.k.n, 1);
    CHECK_CLOSE(coordinate(&view.q, 0, 1), 9.0, 0.0);
    CHECK_CLOSE(coordinate(&view.k, 0, 0), 4.0, 0.0);
    CHECK_CLOSE(view.v[1], 5.0, 0.0);
    kmv_view_clear(&view);

    CHECK_OK(kmv_view_init(&view, &d, 4, 0, KMV_CENTER_NONE, &err)); /* n limits both, q has 3 */
    assert_int_equal(view.q.n, 3);
    assert_int_equal(view.k.n, 4);
    kmv_view_clear(&view);

    CHECK_FAILS(kmv_view_init(&view, &d, 5, 0, KMV_CENTER_NONE, &err), KMV_EINVAL, "n <= 4");
    CHECK_FAILS(kmv_view_init(&view, &d, 0, 3, KMV_CENTER_NONE, &err), KMV_EINVAL,
                "drop-first < 3");
    CHECK_FAILS(kmv_view_init(&view, &d, 2, 2, KMV_CENTER_NONE, &err), KMV_EINVAL,
                "drop-first < 2");
    d.v = NULL;
    kmv_dataset_clear(&d);
}

/* Means over the rows used, by hand: of queries 0..2 (3, 5), of keys 0..3 (4, 4), of keys 1..2
 * (3, 4), of queries 1..2 (4, 6.5). Exact: small integers and halves; the tolerance is three
 * roundings of numbers below 16. */
static void centering(void **state)
{
    const double tol = 3 * 16 * 0x1p-53;
    kmv_error err = {""};
    kmv_view view;
    kmv_dataset d;

    (void)state;
    make(&d);
    CHECK_OK(kmv_view_init(&view, &d, 0, 0, KMV_CENTER_KEYS, &err));
    CHECK_CLOSE(coordinate(&view.k, 0, 0), 0.0 - 4.0, tol);
    CHECK_CLOSE(coordinate(&view.k, 3, 1), 7.0 - 4.0, tol);
    CHECK_CLOSE(coordinate(&view.q, 2, 1), 9.0, 0.0);
    kmv_view_clear(&view);

    CHECK_OK(kmv_view_init(&view, &d, 0, 0, KMV_CENTER_MATCH, &err));
    CHECK_CLOSE(coordinate(&view.k, 0, 0), 0.0 - 4.0 + 3.0, tol);
    CHECK_CLOSE(coordinate(&view.k, 0, 1), 1.0 - 4.0 + 5.0, tol);
    kmv_view_clear(&view);

    CHECK_OK(kmv_view_init(&view, &d, 3, 1, KMV_CENTER_MATCH, &err));
    CHECK_CLOSE(coordinate(&view.k, 0, 0), 2.0 - 3.0 + 4.0, tol);
    CHECK_CLOSE(coordinate(&view.k, 1, 1), 5.0 - 4.0 + 6.5, tol);
    kmv_view_clear(&view);

    /* An origin of the data moves with them: the means match whatever it is. */
    d.k.origin[0] = 1e6;
    d.q.origin[1] = -1e6;
    CHECK_OK(kmv_view_init(&view, &d, 0, 0, KMV_CENTER_MATCH, &err));
    CHECK_CLOSE(coordinate(&view.k, 0, 0), 0.0 - 4.0 + 3.0, tol);
    CHECK_CLOSE(coordinate(&view.k, 0, 1), 1.0 - 4.0 + 5.0 - 1e6, 3 * 1e6 * 0x1p-53);
    CHECK_CLOSE(d.k.origin[0], 1e6, 0.0); /* the data stay as they are */
    kmv_view_clear(&view);
    kmv_dataset_clear(&d);
}

static void write_text(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fclose(f), 0);
}

static void manifest(void **state)
{
    char folder[] = "/tmp/kmv_manifest_XXXXXX", file[64], list[64], text[512];
    char hash[KMV_HASH_SIZE];
    kmv_error err = {""};

    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(file, sizeof file, "%s/a.h5", folder);
    snprintf(list, sizeof list, "%s/MANIFEST.tsv", folder);
    write_text(file, "abc");
    kmv_hash_bytes("abc", 3, hash);
    CHECK_OK(kmv_manifest_check(file, &err)); /* no manifest */
    snprintf(text, sizeof text, "path\tsha256\tbytes\torigin\na.h5\t%s\t3\tby hand\n", hash);
    write_text(list, text);
    CHECK_OK(kmv_manifest_check(file, &err));
    write_text(file, "abd");
    CHECK_FAILS(kmv_manifest_check(file, &err), KMV_EFORMAT, "wants sha256");
    write_text(file, "abcd");
    CHECK_FAILS(kmv_manifest_check(file, &err), KMV_EFORMAT, "wants 3 bytes, found 4");
    snprintf(text, sizeof text, "path\tsha256\tbytes\torigin\nb.h5\t%s\t3\tby hand\n", hash);
    write_text(list, text);
    CHECK_OK(kmv_manifest_check(file, &err)); /* not listed */
    write_text(list, "path\tsha256\tbytes\torigin\na.h5 with blanks\n");
    CHECK_FAILS(kmv_manifest_check(file, &err), KMV_EFORMAT, "MANIFEST.tsv:2");
    unlink(file);
    unlink(list);
    rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sigma_by_default),
        cmocka_unit_test(center_words),
        cmocka_unit_test(whole_view_is_the_data),
        cmocka_unit_test(centering),
        cmocka_unit_test(manifest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

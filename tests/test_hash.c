/* base/hash.c: SHA-256 against the examples of FIPS 180-2, of memory, pieces and files. */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/hash.h"

static const char abc[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
static const char million[] = "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";
static const char nothing[] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

static void known_values(void **state)
{
    char hex[KMV_HASH_SIZE];

    (void)state;
    kmv_hash_bytes("abc", 3, hex);
    assert_string_equal(hex, abc);
    kmv_hash_bytes("", 0, hex);
    assert_string_equal(hex, nothing);
}

static void pieces_are_the_whole(void **state)
{
    struct sha256_ctx ctx;
    char hex[KMV_HASH_SIZE];

    (void)state;
    sha256_init(&ctx);
    for (int i = 0; i < 1000000; i += 1000) {
        uint8_t block[1000];

        memset(block, 'a', sizeof block);
        sha256_update(&ctx, sizeof block, block);
    }
    kmv_hash_finish(&ctx, hex);
    assert_string_equal(hex, million);
}

static void of_files(void **state)
{
    char path[] = "/tmp/kmv-test-hash-XXXXXX", hex[KMV_HASH_SIZE] = "untouched";
    const int fd = mkstemp(path);
    kmv_error err = {""};
    FILE *f;

    (void)state;
    assert_true(fd >= 0);
    f = fdopen(fd, "wb");
    assert_non_null(f);
    for (int i = 0; i < 1000000; i++) /* more than one block of the reader */
        fputc('a', f);
    fclose(f);
    CHECK_OK(kmv_hash_file(path, hex, &err));
    assert_string_equal(hex, million);
    unlink(path);
    strcpy(hex, "untouched");
    CHECK_FAILS(kmv_hash_file(path, hex, &err), KMV_EIO, path);
    CHECK_FAILS(kmv_hash_file("/", hex, &err), KMV_EIO, "/: ");
    assert_string_equal(hex, "untouched");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_values),
        cmocka_unit_test(pieces_are_the_whole),
        cmocka_unit_test(of_files),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

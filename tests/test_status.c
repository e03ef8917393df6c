/* base/status.c: one line of text, whatever was quoted in it. */
#include "check.h"

#include <string.h>

#include "base/status.h"

static void fills_and_returns(void **state)
{
    kmv_error err = {"old"};

    (void)state;
    assert_int_equal(kmv_fail(&err, KMV_EIO, "%s: line %d", "file", 3), KMV_EIO);
    assert_string_equal(err.text, "file: line 3");
    assert_int_equal(kmv_fail_prefix(&err, KMV_EFORMAT, "case %d", 7), KMV_EFORMAT);
    assert_string_equal(err.text, "case 7: file: line 3");
    assert_int_equal(kmv_fail(NULL, KMV_ENOMEM, "nobody listens"), KMV_ENOMEM);
    assert_int_equal(kmv_fail_prefix(NULL, KMV_ENOMEM, "nobody"), KMV_ENOMEM);
}

static void stays_one_line(void **state)
{
    kmv_error err;

    (void)state;
    /* Names out of files may hold newlines and terminal escapes; UTF-8 stays as it is. */
    kmv_fail(&err, KMV_EINVAL, "group '%s'", "a\nb\x1b[31m\tc\x7f\xc3\xa9");
    assert_string_equal(err.text, "group 'a?b?[31m?c?\xc3\xa9'");
    kmv_fail(&err, KMV_EINVAL, "\x89HDF \xc2\x9b \xe2\x82 \xff");
    assert_string_equal(err.text, "?HDF ?? ?? ?");
    kmv_fail(&err, KMV_EINVAL, "group '%s'", "a\nb\x1b[31m\tc\x7f\xc3\xa9");
    kmv_fail_prefix(&err, KMV_EINVAL, "x\ny");
    assert_string_equal(err.text, "x?y: group 'a?b?[31m?c?\xc3\xa9'");
}

static void cuts_what_is_too_long(void **state)
{
    char longer[3000];
    kmv_error err;

    (void)state;
    memset(longer, 'z', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    kmv_fail(&err, KMV_EINVAL, "%s", longer);
    assert_int_equal(strlen(err.text), sizeof err.text - 1);
    kmv_fail_prefix(&err, KMV_EINVAL, "%s", longer);
    assert_int_equal(strlen(err.text), sizeof err.text - 1);
    kmv_fail(&err, KMV_EINVAL, "short");
    kmv_fail_prefix(&err, KMV_EINVAL, "front");
    assert_string_equal(err.text, "front: short");
}

static void names_every_status(void **state)
{
    (void)state;
    for (int s = KMV_OK; s <= KMV_EINTERNAL; s++)
        assert_string_not_equal(kmv_status_text((kmv_status)s), "unknown status");
    assert_string_equal(kmv_status_text((kmv_status)99), "unknown status");
    assert_string_equal(kmv_version(), KMV_VERSION);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fills_and_returns),
        cmocka_unit_test(stays_one_line),
        cmocka_unit_test(cuts_what_is_too_long),
        cmocka_unit_test(names_every_status),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

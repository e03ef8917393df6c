/* Jobs in children: what comes back, and what becomes of those that crash or want too much. */
#include "check.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/status.h"
#include "data/h5_address.h"
#include "data/h5_child.h"

typedef struct {
    int a;
    double b;
} head;

static kmv_status answers(const void *request, kmv_child *child, kmv_error *err)
{
    const int *count = request;
    head *h = child->head;
    int *array = kmv_child_array(child, (size_t)*count * sizeof *array, err);

    if (array == NULL)
        return KMV_ENOMEM;
    h->a = 42;
    h->b = 0.5;
    for (int i = 0; i < *count; i++)
        array[i] = 3 * i;
    fputs("words of the child are not heard\n", stderr);
    return KMV_OK;
}

static void answer_comes_back(void **state)
{
    kmv_error err = {""};
    int count = 100000;
    head h = {0};
    void *array = NULL;
    size_t bytes = 0;

    (void)state;
    CHECK_OK(kmv_child_run("f", answers, &count, &h, sizeof h, &array, &bytes, &err));
    assert_int_equal(h.a, 42);
    CHECK_CLOSE(h.b, 0.5, 0.0);
    assert_int_equal(bytes, (size_t)count * sizeof(int));
    for (int i = 0; i < 1000; i++)
        assert_int_equal(((int *)array)[i], 3 * i);
    kmv_child_release(array, bytes);
}

static kmv_status fails(const void *request, kmv_child *child, kmv_error *err)
{
    ((head *)child->head)->a = 1;
    return kmv_fail(err, KMV_EINVAL, "f: %s", (const char *)request);
}

static kmv_status dies(const void *request, kmv_child *child, kmv_error *err)
{
    (void)child, (void)err;
    raise(*(const int *)request);
    return KMV_OK;
}

static kmv_status leaves(const void *request, kmv_child *child, kmv_error *err)
{
    (void)request, (void)child, (void)err;
    _exit(0);
}

static void failures_are_lines(void **state)
{
    const int deaths[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL};
    const int time = SIGXCPU, killed = SIGKILL;
    kmv_error err = {""};
    head h = {7, 7.0};

    (void)state;
    CHECK_FAILS(kmv_child_run("f", fails, "two\nlines", &h, sizeof h, NULL, NULL, &err), KMV_EINVAL,
                "f: two");
    assert_null(strchr(err.text, '\n'));
    for (size_t i = 0; i < sizeof deaths / sizeof *deaths; i++)
        CHECK_FAILS(kmv_child_run("f", dies, &deaths[i], &h, sizeof h, NULL, NULL, &err),
                    KMV_EFORMAT, "f: malformed HDF5 file (the reader crashed");
    CHECK_FAILS(kmv_child_run("f", dies, &time, &h, sizeof h, NULL, NULL, &err), KMV_EFORMAT,
                "time limit");
    CHECK_FAILS(kmv_child_run("f", dies, &killed, &h, sizeof h, NULL, NULL, &err), KMV_EFORMAT,
                "was killed");
    CHECK_FAILS(kmv_child_run("f", leaves, NULL, &h, sizeof h, NULL, NULL, &err), KMV_EFORMAT,
                "crashed");
    assert_int_equal(h.a, 7); /* untouched by all of them */
}

/* Address space, as malloc of a declared size would take it. */
static int can_map(size_t bytes)
{
    void *p = mmap(NULL, bytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (p == MAP_FAILED)
        return 0;
    munmap(p, bytes);
    return 1;
}

static kmv_status wants_memory(const void *request, kmv_child *child, kmv_error *err)
{
    const size_t bytes = (size_t)1 << 30;
    kmv_status st;

    (void)request, (void)child;
    if (can_map(bytes))
        return kmv_fail(err, KMV_EINTERNAL, "1 GiB is to be had without asking");
    if ((st = kmv_child_allow(bytes, 0, err)) != KMV_OK)
        return st;
    if (!can_map(bytes))
        return kmv_fail(err, KMV_EINTERNAL, "1 GiB is not to be had after asking");
    return kmv_child_allow((size_t)-1, 0, err);
}

static void memory_is_limited(void **state)
{
    kmv_error err = {""};
    int none;

    (void)state;
    CHECK_FAILS(kmv_child_run("f", wants_memory, NULL, &none, 0, NULL, NULL, &err), KMV_ENOMEM,
                "bytes are needed");
}

static void numbers_behind_a_group(void **state)
{
    const struct {
        const char *object;
        int numbers;
        size_t length, layer, head;
    } cases[] = {
        {"g", 0, 1, 9, 9},         {"g#3", 1, 1, 9, 3},
        {"a/b#2,11", 2, 3, 2, 11}, {"#0", 1, 0, 9, 0},
        {"g#", 0, 2, 9, 9},        {"g#x", 0, 3, 9, 9},
        {"g#-1", 0, 4, 9, 9},      {"g#1,", 0, 4, 9, 9},
        {"g#,1", 0, 4, 9, 9},      {"g#1e3", 0, 5, 9, 9},
        {"g#1#2", 1, 3, 9, 2},     {"g#1,2,3", 0, 7, 9, 9},
        {"", 0, 0, 9, 9},          {"g#99999999999999999999", 0, 22, 9, 9},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        kmv_head_index index = {.layer = 9, .head = 9};
        size_t length = 0;

        if (kmv_address_index(cases[i].object, &length, &index) != cases[i].numbers ||
            length != cases[i].length || index.head != cases[i].head || index.shared ||
            (cases[i].numbers == 2 && index.layer != cases[i].layer))
            fail_msg("'%s': length %zu, index %zu, %zu", cases[i].object, length, index.layer,
                     index.head);
    }
}

static void stems(void **state)
{
    char stem[8];

    (void)state;
    assert_true(kmv_address_stem("a/b/set.h5", stem, sizeof stem));
    assert_string_equal(stem, "set");
    assert_true(kmv_address_stem("a.b/set", stem, sizeof stem));
    assert_string_equal(stem, "set");
    assert_true(kmv_address_stem(".hidden", stem, sizeof stem));
    assert_string_equal(stem, ".hidden");
    assert_false(kmv_address_stem("longerthan.h5", stem, sizeof stem));
}

static void texts_are_one_line(void **state)
{
    static const char *const cases[][2] = {
        {"a\nb\tc\033[2J\177", "a b c [2J "},
        {"\303\244 \342\202\254 \360\237\230\200", "\303\244 \342\202\254 \360\237\230\200"},
        {"caf\351", "caf?"},        /* Latin-1 */
        {"\300\200 \370", "?? ?"},  /* overlong, no first byte */
        {"cut \342\202", "cut ??"}, /* at the end */
        {"\342x\202", "?x?"},       /* in the middle */
    };
    char text[32];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        snprintf(text, sizeof text, "%s", cases[i][0]);
        kmv_one_line(text, sizeof text);
        assert_string_equal(text, cases[i][1]);
    }
    memset(text, 'x', sizeof text);
    kmv_one_line(text, 4);
    assert_string_equal(text, "xxx");
}

static void long_addresses(void **state)
{
    char text[600];
    kmv_error err = {""};
    kmv_address a;

    (void)state;
    memset(text, 'x', sizeof text);
    text[512] = '\0';
    CHECK_FAILS(kmv_address_parse(text, &a, &err), KMV_EINVAL, "at most 511 bytes, got 512");
    text[511] = '\0';
    CHECK_FAILS(kmv_address_parse(text, &a, &err), KMV_EIO, "File name too long");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answer_comes_back),
        cmocka_unit_test(failures_are_lines),
        cmocka_unit_test(memory_is_limited),
        cmocka_unit_test(numbers_behind_a_group),
        cmocka_unit_test(stems),
        cmocka_unit_test(texts_are_one_line),
        cmocka_unit_test(long_addresses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* bench/schema.c: rows to text and back, and every way a table can be malformed. */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "bench/record.h"
#include "bench/schema.h"

typedef struct {
    char name[16];
    double time_s, count, good;
} row;

static const kmv_column columns[] = {
    KMV_COLUMN(row, name, "", KMV_COL_TEXT, "who"),
    KMV_COLUMN(row, time_s, "s", KMV_COL_REAL, "how long"),
    KMV_COLUMN(row, count, "", KMV_COL_INT, "how many"),
    KMV_COLUMN(row, good, "", KMV_COL_BOOL, "whether"),
    {0},
};
static const kmv_schema schema = {columns, sizeof(row)};
static const char header[] = "name\ttime_s\tcount\tgood\n";

/* What the writers write, as text; freed by the caller. */
static char *written(const row *rows, size_t count)
{
    kmv_error err = {""};
    size_t size = 0;
    char *text = NULL;
    FILE *f = open_memstream(&text, &size);

    CHECK_OK(kmv_tsv_header(&schema, f, &err));
    for (size_t i = 0; i < count; i++)
        CHECK_OK(kmv_tsv_row(&schema, &rows[i], f, &err));
    fclose(f);
    return text;
}

/* Read `size` bytes as a file of this schema. */
static kmv_status read_bytes(const char *bytes, size_t size, row **rows, size_t *count, int *torn,
                             kmv_error *err)
{
    char path[] = "/tmp/kmv-test-schema-XXXXXX";
    const int fd = mkstemp(path);
    void *out = NULL;
    kmv_status st;

    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, size), (ssize_t)size);
    close(fd);
    st = kmv_tsv_read(&schema, path, &out, count, torn, err);
    unlink(path);
    *rows = out;
    return st;
}

static kmv_status read_text(const char *text, row **rows, size_t *count, int *torn, kmv_error *err)
{
    return read_bytes(text, strlen(text), rows, count, torn, err);
}

static void clear_rows_are_empty(void **state)
{
    row r;
    char *text;

    (void)state;
    memset(&r, 0xff, sizeof r);
    kmv_row_clear(&schema, &r);
    text = written(&r, 1);
    assert_string_equal(text, "name\ttime_s\tcount\tgood\n\t\t\t\n");
    free(text);
}

static void known_text(void **state)
{
    const row r = {"a\tb\nc\\d", 0.1, 1e15, 1};
    char *text = written(&r, 1);

    (void)state;
    assert_string_equal(text,
                        "name\ttime_s\tcount\tgood\na\\tb\\nc\\\\d\t0.1\t1000000000000000\tyes\n");
    free(text);
}

static void round_trip(void **state)
{
    enum { N = 200 }; /* the reader's array grows more than once */
    static row rows[N];
    kmv_error err = {""};
    row *back = NULL;
    size_t count = 0;
    int torn = 1;
    char *text;

    (void)state;
    for (int i = 0; i < N; i++) {
        snprintf(rows[i].name, sizeof rows[i].name, "r%d\\t\t", i);
        rows[i].time_s = i % 7 == 0 ? NAN : i % 5 == 0 ? -INFINITY : exp(i - 100.0);
        rows[i].count = i % 3 == 0 ? NAN : i * 1e6;
        rows[i].good = i % 4 == 0 ? NAN : (double)(i % 2);
    }
    text = written(rows, N);
    CHECK_OK(read_text(text, &back, &count, &torn, &err));
    assert_int_equal(count, N);
    assert_int_equal(torn, 0);
    for (int i = 0; i < N; i++) {
        assert_string_equal(back[i].name, rows[i].name);
        if (isfinite(rows[i].time_s)) /* 12 significant digits: half a unit of the twelfth */
            CHECK_CLOSE(back[i].time_s, rows[i].time_s, 5e-12 * rows[i].time_s);
        else
            assert_true(isnan(rows[i].time_s) ? isnan(back[i].time_s)
                                              : back[i].time_s == rows[i].time_s);
        assert_true(isnan(rows[i].count) ? isnan(back[i].count) : back[i].count == rows[i].count);
        assert_true(isnan(rows[i].good) ? isnan(back[i].good) : back[i].good == rows[i].good);
    }
    kmv_free(back);
    free(text);
}

static void columns_match_by_name(void **state)
{
    kmv_error err = {""};
    size_t count = 0;
    row *rows = NULL;
    int torn = 1;

    (void)state;
    CHECK_OK(read_text("count\tname\n3\tx\n", &rows, &count, &torn, &err));
    assert_int_equal(count, 1);
    assert_string_equal(rows[0].name, "x");
    CHECK_CLOSE(rows[0].count, 3, 0);
    assert_true(isnan(rows[0].time_s));
    kmv_free(rows);
}

static void torn_last_line_is_dropped(void **state)
{
    const char whole[] = "name\ttime_s\tcount\tgood\nfirst\t1\t2\tyes\nsecond\t3\t4\tno\n";
    const size_t first_end = strlen(header) + strlen("first\t1\t2\tyes\n");

    (void)state;
    /* Cut after every byte, as a kill could. */
    for (size_t size = 0; size < sizeof whole; size++) {
        kmv_error err = {""};
        size_t count = 99;
        row *rows = NULL;
        int torn = -1;
        const size_t want = size < first_end ? 0 : size < sizeof whole - 1 ? 1 : 2;

        CHECK_OK(read_bytes(whole, size, &rows, &count, &torn, &err));
        assert_int_equal(count, want);
        assert_int_equal(torn, size > 0 && whole[size - 1] != '\n');
        kmv_free(rows);
    }
}

static void refuses(void **state)
{
    static const struct {
        const char *lines, *message;
    } cases[] = {
        {"name\tcolour\n", ":1: unknown column 'colour'"},
        {"name\tname\n", ":1: column 'name' stands twice"},
        {"\n", ":1: unknown column ''"},
        {"name\tcount\nx\n", ":2: want 2 cells, found 1"},
        {"name\tcount\nx\t1\nx\t1\t2\n", ":3: more than 2 cells"},
        {"count\nmany\n", ":2: count: want an integer, got 'many'"},
        {"count\n1.5\n", ":2: count: want an integer, got '1.5'"},
        {"time_s\nnan\n", ":2: time_s: want a number, got 'nan'"},
        {"time_s\n1 \n", ":2: time_s: want a number, got '1 '"},
        {"good\nperhaps\n", ":2: good: want yes or no, got 'perhaps'"},
        {"name\n0123456789abcdef\n", ":2: name: longer than 15 characters"},
    };
    const size_t held = kmv_mem_current();

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        kmv_error err = {""};
        size_t count = 99;
        row *rows = NULL;
        int torn = 99;

        assert_int_not_equal(read_text(cases[i].lines, &rows, &count, &torn, &err), KMV_OK);
        if (strstr(err.text, cases[i].message) == NULL)
            fail_msg("'%s' lacks '%s'", err.text, cases[i].message);
        assert_int_equal(count, 99); /* untouched */
        assert_int_equal(torn, 99);
        assert_int_equal(kmv_mem_current(), held);
    }
}

static void refuses_zero_bytes_and_missing_files(void **state)
{
    static const char bytes[] = "name\na\0b\n";
    size_t count = 0;
    row *rows = NULL;
    kmv_error err;
    int torn = 0;

    (void)state;
    CHECK_FAILS(read_bytes(bytes, sizeof bytes - 1, &rows, &count, &torn, &err), KMV_EFORMAT,
                ":2: a zero byte");
    CHECK_FAILS(kmv_tsv_read(&schema, "/nowhere/raw.tsv", (void **)&rows, &count, &torn, &err),
                KMV_EIO, "/nowhere/raw.tsv: No such file");
    CHECK_FAILS(kmv_tsv_read(&schema, "/", (void **)&rows, &count, &torn, &err), KMV_EIO, "/: ");
}

static void full_disk_is_an_error(void **state)
{
    FILE *f = fopen("/dev/full", "w");
    kmv_error err = {""};
    row r;

    (void)state;
    if (f == NULL) /* not on every system */
        skip();
    setvbuf(f, NULL, _IONBF, 0);
    kmv_row_clear(&schema, &r);
    CHECK_FAILS(kmv_tsv_row(&schema, &r, f, &err), KMV_EIO, "writing a table");
    fclose(f);
}

static void cells(void **state)
{
    row r = {"x", 2.5, 7, 0};
    kmv_error err = {""};
    char text[32];

    (void)state;
    assert_null(kmv_column_find(&schema, "tim"));
    assert_ptr_equal(kmv_column_find(&schema, "good"), &columns[3]);
    assert_true(isnan(kmv_cell_value(&columns[0], &r)));
    CHECK_CLOSE(kmv_cell_value(&columns[1], &r), 2.5, 0);
    assert_string_equal(kmv_cell_text(&columns[3], &r, text, sizeof text), "no");
    CHECK_FAILS(kmv_cell_set(&columns[2], &r, "2.5", &err), KMV_EINVAL, "count: want an integer");
    CHECK_CLOSE(r.count, 7, 0); /* untouched */
    CHECK_OK(kmv_cell_set(&columns[2], &r, "", &err));
    assert_true(isnan(r.count));
}

/* The columns that others rely on by name, in the order of raw.tsv. */
static void record_has_the_promised_columns(void **state)
{
    static const char *const names[] = {
        "experiment",  "case",        "rep",      "status",     "reason",  "dataset",
        "matrix",      "causal",      "center",   "n_q",        "n_k",     "d",
        "r",           "sigma",       "eps",      "delta",      "x_kind",  "algo",
        "algo_opts",   "plan",        "isa",      "threads",    "seed",    "t_prepare_s",
        "t_apply_s",   "t_certify_s", "iters",    "pairs_frac", "flops",   "mem_peak_b",
        "err_l2",      "err_lo",      "err_hi",   "err_kind",   "err_rel", "row_err_p50",
        "row_err_p95", "row_err_max", "null_err", "trivial",    "bound",   "bound_kind",
        "commit",      "host"};
    const kmv_column *before = NULL;

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const kmv_column *c = kmv_column_find(&kmv_record_schema, names[i]);

        if (c == NULL)
            fail_msg("no column '%s'", names[i]);
        assert_true(before == NULL || before < c);
        assert_true(c->offset + c->size <= kmv_record_schema.row_size);
        assert_true(c->type == KMV_COL_TEXT || c->size == sizeof(double));
        before = c;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clear_rows_are_empty),
        cmocka_unit_test(known_text),
        cmocka_unit_test(round_trip),
        cmocka_unit_test(columns_match_by_name),
        cmocka_unit_test(torn_last_line_is_dropped),
        cmocka_unit_test(refuses),
        cmocka_unit_test(refuses_zero_bytes_and_missing_files),
        cmocka_unit_test(full_disk_is_an_error),
        cmocka_unit_test(cells),
        cmocka_unit_test(record_has_the_promised_columns),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

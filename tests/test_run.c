/* What a run stands on: children with limits, journals that survive, folders, cached references. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/status.h"
#include "bench/child.h"
#include "bench/journal.h"
#include "bench/judge.h"
#include "bench/record.h"
#include "check.h"
#include "temp_folder.h"

/* ---- children -------------------------------------------------------------------------------- */

static kmv_status add_one(const void *context, void *result, kmv_error *err)
{
    (void)err;
    *(int *)result = *(const int *)context + 1;
    return KMV_OK;
}

static kmv_status refuse(const void *context, void *result, kmv_error *err)
{
    (void)context;
    *(int *)result = 5;
    return kmv_fail(err, KMV_EINVAL, "not that");
}

static kmv_status crash(const void *context, void *result, kmv_error *err)
{
    (void)context;
    (void)result;
    (void)err;
    signal(SIGSEGV, SIG_DFL); /* a sanitizer's handler would end it otherwise */
    raise(SIGSEGV);
    return KMV_OK;
}

static kmv_status leave(const void *context, void *result, kmv_error *err)
{
    (void)context;
    (void)result;
    (void)err;
    _exit(3);
}

static kmv_status hang(const void *context, void *result, kmv_error *err)
{
    (void)context;
    (void)result;
    (void)err;
    for (int i = 0; i < 1000; i++)
        pause();
    return KMV_OK;
}

static kmv_status take_memory(const void *context, void *result, kmv_error *err)
{
    const size_t bytes = *(const size_t *)context;
    void *p = kmv_alloc(bytes, 1, "much", err);

    (void)result;
    if (p == NULL)
        return KMV_ENOMEM;
    kmv_free(p);
    return KMV_OK;
}

typedef struct {
    kmv_child_end end;
    kmv_status status;
    kmv_error err;
    int result;
} outcome;

static outcome run(kmv_child_work *work, const void *context, kmv_limits limits, int interrupt_fd)
{
    outcome o = {.result = 1};
    kmv_error err = {""};

    CHECK_OK(kmv_forked_run(work, context, &o.result, sizeof o.result, &limits, interrupt_fd,
                            &o.end, &o.status, &err));
    o.err = err;
    return o;
}

static void children_end(void **state)
{
    const int number = 41;
    outcome o = run(add_one, &number, (kmv_limits){0}, -1);

    (void)state;
    assert_int_equal(o.end, KMV_CHILD_DONE);
    assert_int_equal(o.status, KMV_OK);
    assert_int_equal(o.result, 42);
    o = run(refuse, NULL, (kmv_limits){0}, -1);
    assert_int_equal(o.end, KMV_CHILD_DONE);
    assert_int_equal(o.status, KMV_EINVAL);
    assert_string_equal(o.err.text, "not that");
    assert_int_equal(o.result, 5);
    o = run(crash, NULL, (kmv_limits){0}, -1);
    assert_int_equal(o.end, KMV_CHILD_DIED);
    assert_non_null(strstr(o.err.text, "SIGSEGV"));
    o = run(leave, NULL, (kmv_limits){0}, -1);
    assert_int_equal(o.end, KMV_CHILD_DIED);
    assert_non_null(strstr(o.err.text, "exit status 3"));
}

static void children_are_stopped(void **state)
{
    int ends[2];
    outcome o = run(hang, NULL, (kmv_limits){.time_s = 0.05}, -1);

    (void)state;
    assert_int_equal(o.end, KMV_CHILD_TIMEOUT);
    assert_non_null(strstr(o.err.text, "0.05 s"));
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], "x", 1), 1);
    o = run(hang, NULL, (kmv_limits){0}, ends[0]);
    assert_int_equal(o.end, KMV_CHILD_INTERRUPTED);
    close(ends[0]);
    close(ends[1]);
    errno = 0; /* none of them is left behind */
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
}

static void memory_is_limited(void **state)
{
    const size_t some = (size_t)10 << 20, much = (size_t)500 << 20;
    const kmv_limits limits = {.memory_b = 100 << 20, .threads = 1};

    (void)state;
#if defined(__SANITIZE_ADDRESS__)
    skip(); /* its allocator ends the process instead of failing */
#endif
    assert_int_equal(run(take_memory, &some, limits, -1).status, KMV_OK);
    assert_int_equal(run(take_memory, &much, limits, -1).status, KMV_ENOMEM);
    assert_int_equal(run(take_memory, &much, (kmv_limits){0}, -1).status, KMV_OK);
}

/* ---- journals -------------------------------------------------------------------------------- */

static kmv_record row(const char *id, double rep)
{
    kmv_record r;

    kmv_row_clear(&kmv_record_schema, &r);
    snprintf(r.case_id, sizeof r.case_id, "%s", id);
    r.rep = rep;
    return r;
}

static void append_text(const char *name, const char *text)
{
    FILE *f = fopen(in_folder(name), "a");

    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void journal_keeps_whole_rows(void **state)
{
    kmv_journal j = {0};
    kmv_record first = row("a", 0), second = row("b", 1);
    kmv_error err = {""};

    (void)state;
    CHECK_OK(kmv_journal_open(temp_folder(), "raw.tsv", &kmv_record_schema, &j, &err));
    assert_int_equal(j.count, 0);
    CHECK_OK(kmv_journal_append(&j, &first, &err));
    kmv_journal_close(&j);
    kmv_journal_close(&j);
    append_text("raw.tsv", "a torn row\t1\t");
    CHECK_OK(kmv_journal_open(temp_folder(), "raw.tsv", &kmv_record_schema, &j, &err));
    assert_int_equal(j.count, 1);
    CHECK_OK(kmv_journal_append(&j, &second, &err));
    kmv_journal_close(&j);
    CHECK_OK(kmv_journal_open(temp_folder(), "raw.tsv", &kmv_record_schema, &j, &err));
    assert_int_equal(j.count, 2);
    assert_string_equal(((kmv_record *)j.rows)[0].case_id, "a");
    assert_string_equal(((kmv_record *)j.rows)[1].case_id, "b");
    kmv_journal_close(&j);
}

static void journal_of_other_columns(void **state)
{
    kmv_journal j = {0};
    kmv_error err = {""};

    (void)state;
    append_text("old.tsv", "experiment\trep\n");
    CHECK_FAILS(kmv_journal_open(temp_folder(), "old.tsv", &kmv_record_schema, &j, &err),
                KMV_EFORMAT, "old.tsv:1: columns of another version");
    append_text("torn.tsv", "experim"); /* killed while the header was written */
    CHECK_OK(kmv_journal_open(temp_folder(), "torn.tsv", &kmv_record_schema, &j, &err));
    assert_int_equal(j.count, 0);
    kmv_journal_close(&j);
}

/* A full disk: the file may grow to its present size and a few bytes. In a child, since the limit
 * holds for the process. */
static kmv_status append_beyond_limit(const void *context, void *result, kmv_error *err)
{
    const kmv_record one = row("c", 0);
    kmv_journal j = {0};
    struct stat info;
    kmv_status st = kmv_journal_open(context, "full.tsv", &kmv_record_schema, &j, err);

    if (st != KMV_OK || (st = kmv_journal_append(&j, &one, err)) != KMV_OK)
        return st;
    signal(SIGXFSZ, SIG_IGN);
    if (setrlimit(RLIMIT_FSIZE, &(struct rlimit){(rlim_t)j.size + 10, RLIM_INFINITY}) != 0)
        return KMV_EINTERNAL;
    st = kmv_journal_append(&j, &one, err);
    *(int *)result = fstat(j.fd, &info) == 0 && info.st_size == j.size;
    return st;
}

static void full_disk(void **state)
{
    outcome o = run(append_beyond_limit, temp_folder(), (kmv_limits){0}, -1);
    kmv_journal j = {0};
    kmv_error err = {""};

    (void)state;
    assert_int_equal(o.end, KMV_CHILD_DONE);
    assert_int_equal(o.status, KMV_EIO);
    assert_non_null(strstr(o.err.text, "full.tsv: cannot be written"));
    assert_int_equal(o.result, 1); /* cut back to whole lines */
    CHECK_OK(kmv_journal_open(temp_folder(), "full.tsv", &kmv_record_schema, &j, &err));
    assert_int_equal(j.count, 1);
    kmv_journal_close(&j);
}

static kmv_status lock_it(const void *context, void *result, kmv_error *err)
{
    int fd;

    (void)result;
    return kmv_folder_lock(context, &fd, err);
}

static void folders(void **state)
{
    char path[128], deep[160];
    struct stat info;
    kmv_error err = {""};
    outcome o;
    int fd = -1;

    (void)state;
    snprintf(path, sizeof path, "%s/a/b/c", temp_folder());
    CHECK_OK(kmv_folders_make(path, &err));
    CHECK_OK(kmv_folders_make(path, &err));
    CHECK_OK(kmv_folder_lock(path, &fd, &err));
    o = run(lock_it, path, (kmv_limits){0}, -1);
    assert_int_equal(o.status, KMV_EIO);
    assert_non_null(strstr(o.err.text, "another kmv run"));
    close(fd);
    assert_int_equal(run(lock_it, path, (kmv_limits){0}, -1).status, KMV_OK);
    CHECK_OK(kmv_file_replace(path, "file", "text", 4, &err));
    snprintf(deep, sizeof deep, "%s/file/folder", path);
    CHECK_FAILS(kmv_folders_make(deep, &err), KMV_EIO, "file");
    CHECK_FAILS(kmv_file_replace(deep, "x", "", 0, &err), KMV_EIO, "x.tmp");
    snprintf(deep, sizeof deep, "%s/file.tmp", path);
    assert_int_equal(stat(deep, &info), -1);
}

/* ---- cached references ----------------------------------------------------------------------- */

enum { N = 12 };

/* Kx for points 0, 1, ..., 11 on a line and sigma 1, by the definition. */
static double entry(size_t i, size_t j)
{
    const double distance = (double)i - (double)j;

    return exp(-0.5 * distance * distance);
}

static void damage(const char *ending)
{
    char command[256];

    snprintf(
        command, sizeof command,
        "for f in %s/*.%s; do printf x | dd of=$f bs=1 seek=100 conv=notrunc 2>/dev/null; done",
        temp_folder(), ending);
    assert_int_equal(system(command), 0);
}

static void references(void **state)
{
    kmv_judge_settings settings = {
        .cache = temp_folder(), .seed = 1, .rows = 5, .pairs_max = 1e6, .threads = 1};
    float line[N];
    double a[N], b[N];
    const double *x[] = {a, b};
    kmv_points p = {0};
    kmv_judge judge = {0};
    kmv_error err = {""};

    (void)state;
    for (size_t i = 0; i < N; i++) {
        line[i] = (float)i;
        a[i] = 1;
        b[i] = (double)i - 4;
    }
    CHECK_OK(kmv_points_from_f32(&p, line, N, 1, 1, &err));
    kmv_problem problem = {.q = &p, .k = &p, .matrix = KMV_GAUSS, .sigma = 1};
    CHECK_OK(kmv_judge_prepare(&settings, &problem, "line", x, 2, 1, &err));
    for (int round = 0; round < 2; round++) { /* computed, damaged, computed again */
        CHECK_OK(kmv_judge_get(&settings, &problem, "line", b, 1, &judge, &err));
        assert_int_equal(judge.count, N);
        assert_null(judge.rows);
        for (size_t i = 0; i < N; i++) {
            double want = 0;

            for (size_t j = 0; j < N; j++)
                want += entry(i, j) * b[j];
            CHECK_CLOSE(judge.y[i], want, 1e-14); /* a few ulp of sums up to 18 */
        }
        kmv_judge_clear(&judge);
        damage("ref");
        CHECK_FAILS(kmv_judge_get(&settings, &problem, "line", b, 1, &judge, &err), KMV_EIO,
                    "missing or damaged");
        CHECK_OK(kmv_judge_prepare(&settings, &problem, "line", x, 2, 1, &err));
    }
    settings.pairs_max = N; /* too large now: 5 rows, ascending */
    CHECK_OK(kmv_judge_prepare(&settings, &problem, "line", x, 2, 1, &err));
    CHECK_OK(kmv_judge_get(&settings, &problem, "line", a, 1, &judge, &err));
    assert_int_equal(judge.count, 5);
    for (size_t m = 0; m < 5; m++) {
        double want = 0;

        assert_true(judge.rows[m] < N && (m == 0 || judge.rows[m] > judge.rows[m - 1]));
        for (size_t j = 0; j < N; j++)
            want += entry(judge.rows[m], j);
        CHECK_CLOSE(judge.y[m], want, 1e-14);
    }
    kmv_judge_clear(&judge);
    kmv_judge_clear(&judge);
    kmv_points_clear(&p);
}

/* Largest singular value of the softmax matrix of points 0, 1/4, ..., by 200 steps of the power
 * method in double. */
static double softmax_norm(void)
{
    double p[N][N], v[N], w[N], length = 0;

    for (size_t i = 0; i < N; i++) {
        double sum = 0;

        v[i] = 1;
        for (size_t j = 0; j < N; j++)
            sum += p[i][j] = exp((double)(i * j) / 16);
        for (size_t j = 0; j < N; j++)
            p[i][j] /= sum;
    }
    for (int step = 0; step < 200; step++) {
        for (size_t i = 0; i < N; i++) {
            w[i] = 0;
            for (size_t j = 0; j < N; j++)
                w[i] += p[i][j] * v[j];
        }
        length = 0;
        for (size_t j = 0; j < N; j++) {
            v[j] = 0;
            for (size_t i = 0; i < N; i++)
                v[j] += p[i][j] * w[i];
            length += v[j] * v[j];
        }
        length = sqrt(length);
        for (size_t j = 0; j < N; j++)
            v[j] /= length;
    }
    return sqrt(length);
}

static void operator_norm(void **state)
{
    kmv_judge_settings settings = {.cache = temp_folder(),
                                   .seed = 1,
                                   .rows = 5,
                                   .pairs_max = 1e6,
                                   .op_norm_pairs = N * N,
                                   .threads = 1};
    float line[N];
    double a[N];
    const double *x[] = {a};
    const double want = softmax_norm();
    kmv_points p = {0};
    kmv_judge judge = {0};
    kmv_error err = {""};

    (void)state;
    for (size_t i = 0; i < N; i++) {
        line[i] = (float)i / 4;
        a[i] = 1;
    }
    CHECK_OK(kmv_points_from_f32(&p, line, N, 1, 1, &err));
    kmv_problem problem = {.q = &p, .k = &p, .matrix = KMV_SOFTMAX, .sigma = 1};
    for (int round = 0; round < 2; round++) { /* computed, damaged, computed again */
        CHECK_OK(kmv_judge_prepare(&settings, &problem, "line", x, 1, 1, &err));
        CHECK_OK(kmv_judge_get(&settings, &problem, "line", a, 1, &judge, &err));
        /* A residual of 1e-3 bounds the error by 5e-4 of the norm, where the next singular value is
         * far; float entries add 2 FLT_EPSILON. */
        CHECK_CLOSE(judge.op_norm, want, 5e-4 * want);
        assert_true(judge.op_tol >= 0 && judge.op_tol <= 1e-3);
        kmv_judge_clear(&judge);
        damage("op");
        CHECK_FAILS(kmv_judge_get(&settings, &problem, "line", a, 1, &judge, &err), KMV_EIO,
                    "missing or damaged");
    }
    CHECK_OK(kmv_judge_prepare(&settings, &problem, "line", x, 1, 1, &err));
    settings.op_norm_pairs = N * N - 1; /* too large now: nobody computes it, nobody misses it */
    CHECK_OK(kmv_judge_get(&settings, &problem, "line", a, 1, &judge, &err));
    assert_true(isnan(judge.op_norm) && isnan(judge.op_tol));
    kmv_judge_clear(&judge);
    kmv_points_clear(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(children_end),
        cmocka_unit_test(children_are_stopped),
        cmocka_unit_test(memory_is_limited),
        cmocka_unit_test_setup_teardown(journal_keeps_whole_rows, temp_folder_make,
                                        temp_folder_remove),
        cmocka_unit_test_setup_teardown(journal_of_other_columns, temp_folder_make,
                                        temp_folder_remove),
        cmocka_unit_test_setup_teardown(full_disk, temp_folder_make, temp_folder_remove),
        cmocka_unit_test_setup_teardown(folders, temp_folder_make, temp_folder_remove),
        cmocka_unit_test_setup_teardown(references, temp_folder_make, temp_folder_remove),
        cmocka_unit_test_setup_teardown(operator_norm, temp_folder_make, temp_folder_remove),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

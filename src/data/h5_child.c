/* data/h5_child.c - see h5_child.h. */
#include "data/h5_child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/status.h"

enum { CPU_S = 5, BYTES_PER_CPU_S = 1 << 24 };
static const size_t spare_memory_b = (size_t)512 << 20;

/* In front of the job's own struct, in memory shared by both processes. */
typedef struct {
    int done;
    kmv_status status;
    kmv_error err;
    _Alignas(64) unsigned char head[];
} answer;

/* The soft limit becomes value, as far as the hard limit lets it. */
static const struct rlimit *softened(struct rlimit *r, rlim_t value)
{
    r->rlim_cur = r->rlim_max != RLIM_INFINITY && r->rlim_max < value ? r->rlim_max : value;
    return r;
}

/* Address space in use now: the limit counts from here, since a parent may hold much. */
static size_t address_space_b(void)
{
    const long page = sysconf(_SC_PAGESIZE);
    FILE *f = fopen("/proc/self/statm", "r");
    unsigned long pages = 0;

    if (f == NULL)
        return 0;
    if (fscanf(f, "%lu", &pages) != 1)
        pages = 0;
    fclose(f);
    return (size_t)pages * (size_t)page;
}

static void limit_memory_and_time(size_t memory_b, size_t work_b)
{
    const size_t used = address_space_b();
    struct rlimit r;

    if (used > 0 && getrlimit(RLIMIT_AS, &r) == 0)
        setrlimit(RLIMIT_AS, softened(&r, used + spare_memory_b + memory_b));
    if (getrlimit(RLIMIT_CPU, &r) == 0)
        setrlimit(RLIMIT_CPU, softened(&r, CPU_S + work_b / BYTES_PER_CPU_S));
}

kmv_status kmv_child_allow(size_t memory_b, size_t work_b, kmv_error *err)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE), pages = (size_t)sysconf(_SC_PHYS_PAGES);

    if (memory_b / page > pages)
        return kmv_fail(err, KMV_ENOMEM, "%zu bytes are needed, the machine has %zu", memory_b,
                        pages * page);
    limit_memory_and_time(memory_b, work_b);
    return KMV_OK;
}

void *kmv_child_array(kmv_child *child, size_t bytes, kmv_error *err)
{
    void *array;

    if (ftruncate(child->fd, (off_t)bytes) != 0 ||
        (array = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, child->fd, 0)) ==
            MAP_FAILED) {
        kmv_fail(err, KMV_ENOMEM, "no memory for an answer of %zu bytes", bytes);
        return NULL;
    }
    return array;
}

void kmv_child_release(void *array, size_t bytes)
{
    if (array != NULL)
        munmap(array, bytes);
}

/* Bytes of the UTF-8 character at c, or 0 where there is none (RFC 3629, but for surrogates). */
static size_t utf8_length(const unsigned char *c)
{
    const size_t length = *c < 0x80                  ? 1
                          : *c >= 0xc2 && *c <= 0xdf ? 2
                          : *c >= 0xe0 && *c <= 0xef ? 3
                          : *c >= 0xf0 && *c <= 0xf4 ? 4
                                                     : 0;

    for (size_t i = 1; i < length; i++) {
        if ((c[i] & 0xc0) != 0x80) /* stops at the closing '\0' too */
            return 0;
    }
    return length;
}

void kmv_one_line(char *text, size_t size)
{
    unsigned char *c = (unsigned char *)text;

    text[size - 1] = '\0';
    while (*c != '\0') {
        const size_t length = utf8_length(c);

        if (length == 0)
            *c = '?';
        else if (*c < ' ' || *c == 127)
            *c = ' ';
        c += length > 0 ? length : 1;
    }
}

static _Noreturn void live_as_child(pid_t parent, kmv_child_job *job, const void *request,
                                    answer *a, int fd)
{
    static const int crashes[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL, SIGXCPU};
    const int null = open("/dev/null", O_WRONLY);
    kmv_child child = {.head = a->head, .fd = fd};
    struct rlimit core;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    for (size_t i = 0; i < sizeof crashes / sizeof *crashes; i++)
        signal(crashes[i], SIG_DFL);
    signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is an error of write() */
    if (null >= 0) { /* the C library's last words on a corrupt heap are not for the user */
        dup2(null, STDOUT_FILENO);
        dup2(null, STDERR_FILENO);
    }
    if (getrlimit(RLIMIT_CORE, &core) == 0)
        setrlimit(RLIMIT_CORE, softened(&core, 0));
    limit_memory_and_time(0, 0);
    a->status = job(request, &child, &a->err);
    a->done = 1;
    _exit(0); /* nothing of the parent's is flushed or run twice */
}

/* Wait for the child; 0 when it ended by itself, else the signal that ended it. */
static int wait_for(pid_t pid)
{
    int status = 0;

    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR)
            return 0; /* SIGCHLD is ignored: the answer says whether the job was done */
    }
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static kmv_status judge(const char *label, answer *a, int sig, kmv_error *err)
{
    if (sig == SIGXCPU)
        return kmv_fail(err, KMV_EFORMAT,
                        "%s: malformed HDF5 file (the reader exceeded its time limit)", label);
    if (sig == SIGKILL)
        return kmv_fail(err, KMV_EFORMAT,
                        "%s: malformed HDF5 file (the reader exceeded a limit and was killed)",
                        label);
    if (sig != 0 || !a->done)
        return kmv_fail(err, KMV_EFORMAT, "%s: malformed HDF5 file (the reader crashed, signal %d)",
                        label, sig);
    if (a->status != KMV_OK) {
        kmv_one_line(a->err.text, sizeof a->err.text);
        return kmv_fail(err, a->status, "%s", a->err.text);
    }
    return KMV_OK;
}

kmv_status kmv_child_run(const char *label, kmv_child_job *job, const void *request, void *head,
                         size_t head_size, void **array, size_t *bytes, kmv_error *err)
{
    const size_t shared = sizeof(answer) + head_size;
    const pid_t self = getpid();
    const int fd = memfd_create("kmv", MFD_CLOEXEC);
    kmv_status st = KMV_OK;
    struct stat size = {0};
    void *data = NULL;
    pid_t pid;
    answer *a = mmap(NULL, shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (fd < 0 || a == MAP_FAILED) {
        st = kmv_fail(err, KMV_ENOMEM, "%s: no memory to read it: %s", label, strerror(errno));
        goto out;
    }
    if ((pid = fork()) < 0) {
        st = kmv_fail(err, KMV_EIO, "%s: no process to read it: %s", label, strerror(errno));
        goto out;
    }
    if (pid == 0)
        live_as_child(self, job, request, a, fd);
    if ((st = judge(label, a, wait_for(pid), err)) != KMV_OK)
        goto out;
    if (array != NULL) {
        if (fstat(fd, &size) == 0 && size.st_size > 0 &&
            (data = mmap(NULL, (size_t)size.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0)) ==
                MAP_FAILED) {
            st = kmv_fail(err, KMV_ENOMEM, "%s: no memory for %lld bytes", label,
                          (long long)size.st_size);
            goto out;
        }
        *array = data;
        *bytes = (size_t)size.st_size;
    }
    memcpy(head, a->head, head_size);
out:
    if (a != MAP_FAILED)
        munmap(a, shared);
    if (fd >= 0)
        close(fd);
    return st;
}

/* bench/child.c - see child.h. */
#include "bench/child.h"

#include <errno.h>
#include <malloc.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/status.h"

enum { STACK_ALLOWANCE = 16 << 20 }; /* per thread: 8 MB of stack and what libgomp keeps */

/* What parent and child share; the result follows. */
typedef struct {
    int returned;
    kmv_status status;
    kmv_error err;
    _Alignas(64) unsigned char result[];
} mailbox;

/* Address space in use, from the only place that says; 0 when it cannot be read. */
static double address_space_now(void)
{
    FILE *f = fopen("/proc/self/statm", "r");
    unsigned long pages = 0;

    if (f == NULL)
        return 0;
    if (fscanf(f, "%lu", &pages) != 1)
        pages = 0;
    fclose(f);
    return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

static void set_limits(const kmv_limits *limits)
{
    const struct rlimit none = {0, 0};
    struct rlimit memory;

    setrlimit(RLIMIT_CORE, &none);
    if (!(limits->memory_b > 0))
        return;
    /* Every thread would reserve an arena of 64 MB of addresses, which is not memory used. */
    mallopt(M_ARENA_MAX, 1);
    memory.rlim_cur = (rlim_t)(limits->memory_b + address_space_now() +
                               (double)limits->threads * STACK_ALLOWANCE);
    memory.rlim_max = memory.rlim_cur;
    setrlimit(RLIMIT_AS, &memory);
}

static void child_main(kmv_child_work *work, const void *context, mailbox *box,
                       const kmv_limits *limits, pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) /* it died before the line above */
        _exit(1);
    set_limits(limits);
    box->status = work(context, box->result, &box->err);
    box->returned = 1;
    _exit(0);
}

/* Wait until the pipe closes (the child has ended), the time is up, or the run is to stop. */
static kmv_child_end wait_for_end(int pipe_fd, int interrupt_fd, double time_s)
{
    const double deadline = kmv_now_s() + time_s;
    struct pollfd fds[2] = {{.fd = pipe_fd, .events = POLLIN},
                            {.fd = interrupt_fd, .events = POLLIN}};

    for (;;) {
        const double left = deadline - kmv_now_s();
        int wait_ms = -1;

        if (time_s > 0) {
            if (left <= 0)
                return KMV_CHILD_TIMEOUT;
            wait_ms = left > 1e6 ? 1000000000 : (int)ceil(1e3 * left);
        }
        if (poll(fds, 2, wait_ms) < 0 && errno != EINTR)
            return KMV_CHILD_DIED;
        if (fds[0].revents != 0)
            return KMV_CHILD_DONE;
        if (fds[1].revents != 0)
            return KMV_CHILD_INTERRUPTED;
    }
}

static void describe_death(int wait_status, kmv_error *err)
{
    if (WIFSIGNALED(wait_status)) {
        const int number = WTERMSIG(wait_status);
        const char *name = sigabbrev_np(number);

        kmv_fail(err, KMV_EINTERNAL, "killed by signal %d (SIG%s)%s", number,
                 name != NULL ? name : "?",
                 number == SIGKILL ? ", perhaps by the system for lack of memory" : "");
    } else {
        kmv_fail(err, KMV_EINTERNAL, "ended with exit status %d and without a result",
                 WEXITSTATUS(wait_status));
    }
}

kmv_status kmv_forked_run(kmv_child_work *work, const void *context, void *result,
                          size_t result_size, const kmv_limits *limits, int interrupt_fd,
                          kmv_child_end *end, kmv_status *work_status, kmv_error *err)
{
    const size_t size = sizeof(mailbox) + result_size;
    const pid_t parent = getpid();
    mailbox *box = MAP_FAILED;
    int ends[2] = {-1, -1}, wait_status = 0;
    kmv_status st = KMV_OK;
    pid_t pid;

    box = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (box == MAP_FAILED)
        return kmv_fail(err, KMV_ENOMEM, "shared memory for a child: %s", strerror(errno));
    if (result_size > 0)
        memcpy(box->result, result, result_size);
    if (pipe(ends) != 0) {
        st = kmv_fail(err, KMV_EIO, "pipe to a child: %s", strerror(errno));
        goto out;
    }
    if ((pid = fork()) < 0) {
        st = kmv_fail(err, KMV_EIO, "child process: %s", strerror(errno));
        goto out;
    }
    if (pid == 0) {
        close(ends[0]); /* the write end stays open until this process ends */
        child_main(work, context, box, limits, parent);
    }
    close(ends[1]);
    ends[1] = -1;
    *end = wait_for_end(ends[0], interrupt_fd, limits->time_s);
    if (*end != KMV_CHILD_DONE)
        kill(pid, SIGKILL);
    while (waitpid(pid, &wait_status, 0) < 0 && errno == EINTR)
        ;
    if (result_size > 0)
        memcpy(result, box->result, result_size);
    *work_status = box->status;
    if (*end == KMV_CHILD_TIMEOUT) {
        kmv_fail(err, KMV_EINTERNAL, "longer than the limit of %g s", limits->time_s);
    } else if (*end == KMV_CHILD_DONE && !box->returned) {
        *end = KMV_CHILD_DIED;
        describe_death(wait_status, err);
    } else if (*end == KMV_CHILD_DONE && box->status != KMV_OK && err != NULL) {
        *err = box->err;
    }
out:
    for (size_t i = 0; i < 2; i++) {
        if (ends[i] >= 0)
            close(ends[i]);
    }
    munmap(box, size);
    return st;
}

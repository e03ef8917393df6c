/* bench/provenance.c - see provenance.h. The only file that sees build_info.h. */
#include "bench/provenance.h"

#include <cblas.h>
#include <gsl/gsl_version.h>
#include <sched.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "base/str.h"
#include "build_info.h"
#include "data/h5io.h"
#include "gauss/tile.h"

#ifdef __clang__
#define COMPILER "clang " __clang_version__
#else
#define COMPILER "gcc " __VERSION__
#endif

/* The value of the first line "name : value" of a file of /proc. */
static void read_field(const char *path, const char *name, char *value, size_t size)
{
    const size_t length = strlen(name);
    char line[512], *colon;
    FILE *f = fopen(path, "r");

    snprintf(value, size, "unknown");
    while (f != NULL && fgets(line, sizeof line, f) != NULL) {
        if (strncmp(line, name, length) == 0 && (colon = strchr(line, ':')) != NULL) {
            kmv_copy_text(value, size, kmv_trim(colon + 1));
            break;
        }
    }
    if (f != NULL)
        fclose(f);
}

static void read_first_line(const char *path, char *value, size_t size)
{
    char line[128];
    FILE *f = fopen(path, "r");

    snprintf(value, size, "unknown");
    if (f == NULL)
        return;
    if (fgets(line, sizeof line, f) != NULL)
        kmv_copy_text(value, size, kmv_trim(line));
    fclose(f);
}

static int count_cores(void)
{
    cpu_set_t set;

    if (sched_getaffinity(0, sizeof set, &set) == 0)
        return CPU_COUNT(&set);
    return (int)sysconf(_SC_NPROCESSORS_ONLN);
}

static void list_isas(char *text, size_t size)
{
    const kmv_tile *t;
    size_t used = 0;

    text[0] = '\0';
    for (size_t i = 0; (t = kmv_tile_at(i)) != NULL && used < size; i++) {
        if (t->can_run())
            used +=
                (size_t)snprintf(text + used, size - used, "%s%s", used > 0 ? " " : "", t->name);
    }
}

void kmv_provenance_get(kmv_provenance *p)
{
    struct utsname system;

    *p = (kmv_provenance){.cores = count_cores()};
    kmv_copy_text(p->commit, sizeof p->commit, KMV_BUILD_COMMIT);
    kmv_copy_text(p->compiler, sizeof p->compiler, COMPILER);
    kmv_copy_text(p->flags, sizeof p->flags, KMV_BUILD_FLAGS);
    read_field("/proc/cpuinfo", "model name", p->cpu, sizeof p->cpu);
    list_isas(p->isas, sizeof p->isas);
    read_first_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", p->governor,
                    sizeof p->governor);
    p->memory_b = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
    if (uname(&system) == 0)
        snprintf(p->kernel, sizeof p->kernel, "%.20s %.60s %.20s", system.sysname, system.release,
                 system.machine);
    kmv_copy_text(p->hdf5, sizeof p->hdf5, kmv_h5_version());
    kmv_copy_text(p->gsl, sizeof p->gsl, gsl_version);
    kmv_copy_text(p->openblas, sizeof p->openblas, openblas_get_config());
}

void kmv_provenance_write(const kmv_provenance *p, const char *separator, FILE *out)
{
    const struct {
        const char *name, *value;
    } texts[] = {
        {"version", kmv_version()},
        {"commit", p->commit},
        {"compiler", p->compiler},
        {"flags", p->flags},
        {"cpu", p->cpu},
        {"isas", p->isas},
        {"governor", p->governor},
        {"kernel", p->kernel},
        {"hdf5", p->hdf5},
        {"gsl", p->gsl},
        {"openblas", p->openblas},
    };

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        fprintf(out, "%s%s%s\n", texts[i].name, separator, texts[i].value);
    fprintf(out, "cores%s%d\nmemory_b%s%.0f\n", separator, p->cores, separator, p->memory_b);
}

void kmv_utc_now(char text[32])
{
    const time_t now = time(NULL);
    struct tm utc;

    gmtime_r(&now, &utc);
    strftime(text, 32, "%Y-%m-%dT%H:%M:%SZ", &utc);
}

/* fuzz_h5 SECONDS_PER_FILE SEED [FILE...]: mutate HDF5 files and read them, again and again: two
 * that it makes itself, and the given ones.
 *
 * Each mutation changes 1 to 8 places: flipped bits, random bytes, small or huge integers of 2, 4
 * or 8 bytes, copied blocks, a cut end. The reader must come back with an error line or with finite
 * points; a crash of this program, an endless loop or an answer that is neither is a finding, and
 * kept. Crashes inside the reading child are counted: they are the library's and show
 * that the isolation is needed. Mutations stay in the first 64 KiB, where the structure is.
 */
#include <gsl/gsl_rng.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "data/h5io.h"

#include "../h5_files.h"

enum { ROOM = 1 << 23, STRUCTURE = 1 << 16 };

static unsigned char original[ROOM], mutant[ROOM];

static size_t draw(gsl_rng *rng, size_t below)
{
    return (size_t)gsl_rng_uniform_int(rng, (unsigned long)below);
}

static void put_integer(gsl_rng *rng, unsigned char *at, size_t width)
{
    static const uint64_t values[] = {
        0, 1, 2, 255, 65535, 0x7fffffff, 0xffffffff, 1ULL << 32, 1ULL << 40, 1ULL << 62, ~0ULL};
    const uint64_t v = values[draw(rng, sizeof values / sizeof *values)];

    for (size_t i = 0; i < width; i++)
        at[i] = (unsigned char)(v >> (8 * i));
}

/* Returns the size of the mutant. */
static size_t mutate(gsl_rng *rng, size_t size)
{
    const size_t places = 1 + draw(rng, 8);
    const size_t reach = size < STRUCTURE ? size : STRUCTURE;

    memcpy(mutant, original, size);
    for (size_t p = 0; p < places; p++) {
        const size_t at = draw(rng, reach - 16);
        const size_t width = (size_t)1 << (1 + draw(rng, 3));

        switch (draw(rng, 5)) {
        case 0:
            mutant[at] ^= (unsigned char)(1u << draw(rng, 8));
            break;
        case 1:
            mutant[at] = (unsigned char)draw(rng, 256);
            break;
        case 2:
            put_integer(rng, mutant + at, width);
            break;
        case 3:
            memmove(mutant + at, original + draw(rng, reach - 16), 16);
            break;
        default:
            if (draw(rng, 10) == 0)
                size = 1 + draw(rng, size);
            break;
        }
        if (size < reach)
            return size;
    }
    return size;
}

static int store(const char *path, size_t size)
{
    FILE *f = fopen(path, "wb");
    int ok;

    if (f == NULL)
        return 0;
    ok = fwrite(mutant, 1, size, f) == size;
    return fclose(f) == 0 && ok;
}

static int all_finite(const kmv_points *p)
{
    for (size_t i = 0; i < p->n; i++) {
        for (size_t l = 0; l < p->d; l++) {
            if (!isfinite(p->x[i * p->ld + l]) || !isfinite(p->origin[l]))
                return 0;
        }
    }
    return p->n > 0 && p->d > 0;
}

typedef struct {
    size_t runs, refused, read, crashed, limited;
    double slowest_s;
} counts;

static int is_line(const kmv_error *err)
{
    return err->text[0] != '\0' && strchr(err->text, '\n') == NULL;
}

/* 0 when something came back that must not. */
static int judge(const char *path, counts *c)
{
    kmv_error err = {""};
    char **list = NULL;
    size_t count = 0;
    kmv_status st = kmv_h5_list(path, &list, &count, &err);
    int ok = 1;

    for (size_t i = 0; i < count && i < 2 && st == KMV_OK; i++) {
        kmv_dataset d = {0};

        st = kmv_dataset_read(list[i], 0, &d, &err);
        ok = ok && (st != KMV_OK || (all_finite(&d.q) && all_finite(&d.k)));
        kmv_dataset_clear(&d);
    }
    kmv_free(list);
    c->runs++;
    c->read += st == KMV_OK;
    c->refused += st != KMV_OK;
    c->crashed += st != KMV_OK && strstr(err.text, "crashed") != NULL;
    c->limited += st != KMV_OK && strstr(err.text, "exceeded") != NULL;
    return ok && (st == KMV_OK || is_line(&err));
}

/* Mutants of one file for so many seconds; 0 when all went well. */
static int fuzz(const char *file, double seconds, unsigned long seed)
{
    const double start = kmv_now_s();
    char path[1024], finding[1024];
    FILE *f = fopen(file, "rb");
    gsl_rng *rng = gsl_rng_alloc(gsl_rng_mt19937);
    counts c = {0};
    size_t size;
    int rc = 0;

    if (f == NULL || rng == NULL) {
        fprintf(stderr, "fuzz_h5: %s cannot be read\n", file);
        return 2;
    }
    size = fread(original, 1, sizeof original, f);
    fclose(f);
    snprintf(path, sizeof path, "%s/kmv_fuzz_%ld.h5", P_tmpdir, (long)getpid());
    snprintf(finding, sizeof finding, "%s/kmv_fuzz_finding_%ld.h5", P_tmpdir, (long)getpid());
    gsl_rng_set(rng, seed);
    while (rc == 0 && kmv_now_s() - start < seconds) {
        const size_t bytes = mutate(rng, size);
        const double before = kmv_now_s();

        if (!store(path, bytes)) {
            fprintf(stderr, "fuzz_h5: %s cannot be written\n", path);
            rc = 2;
        } else if (!judge(path, &c)) {
            rename(path, finding);
            fprintf(stderr, "fuzz_h5: finding after %zu files: %s\n", c.runs, finding);
            rc = 1;
        }
        c.slowest_s = fmax(c.slowest_s, kmv_now_s() - before);
    }
    printf(
        "%s: %zu mutants of %zu bytes, seed %lu: %zu refused (%zu after a crash, %zu at a limit), "
        "%zu read, slowest %.2f s\n",
        file, c.runs, size, seed, c.refused, c.crashed, c.limited, c.read, c.slowest_s);
    gsl_rng_free(rng);
    unlink(path);
    return rc;
}

int main(int argc, char **argv)
{
    char healthy[256], layouts[256];
    size_t seconds = 0, seed = 0;
    int rc = 0;

    if (argc < 3 || !kmv_parse_size(argv[1], &seconds) || !kmv_parse_size(argv[2], &seed)) {
        fputs("usage: fuzz_h5 SECONDS_PER_FILE SEED [FILE...]\n", stderr);
        return 2;
    }
    snprintf(healthy, sizeof healthy, "%s/kmv_fuzz_healthy_%ld.h5", P_tmpdir, (long)getpid());
    snprintf(layouts, sizeof layouts, "%s/kmv_fuzz_layouts_%ld.h5", P_tmpdir, (long)getpid());
    kmv_make_healthy_file(healthy, NULL);
    kmv_make_layouts(layouts);
    if ((rc = fuzz(healthy, (double)seconds, seed)) == 0)
        rc = fuzz(layouts, (double)seconds, seed);
    for (int i = 3; i < argc && rc == 0; i++)
        rc = fuzz(argv[i], (double)seconds, seed);
    unlink(healthy);
    unlink(layouts);
    return rc;
}

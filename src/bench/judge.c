/* bench/judge.c - see judge.h. */
#include "bench/judge.h"

#include <gsl/gsl_randist.h>
#include <gsl/gsl_rng.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/status.h"
#include "bench/journal.h"
#include "gauss/opnorm.h"
#include "gauss/reference.h"

/* What stands in front of the numbers in a cache file; a file that differs anywhere from what this
 * says is computed again. */
typedef struct {
    char magic[8];
    uint64_t count, r;
    char sha256[KMV_HASH_SIZE + 7]; /* of the numbers; zero padded */
} header;

static const char magic[8] = {'k', 'm', 'v', 'r', 'e', 'f', '1', '\n'};

static kmv_status draw_rows(const kmv_judge_settings *s, const kmv_problem *p, const char *identity,
                            kmv_judge *judge, kmv_error *err)
{
    const size_t n_q = p->q->n, count = s->rows < n_q ? s->rows : n_q;
    size_t *all = NULL, *rows = NULL;
    gsl_rng *rng = NULL;
    kmv_status st = KMV_ENOMEM;

    judge->n_q = judge->count = n_q;
    judge->heads = p->heads;
    judge->rows = NULL;
    if (count == n_q || kmv_problem_pairs(p) <= s->pairs_max)
        return KMV_OK;
    if ((all = kmv_alloc(n_q, sizeof *all, "row numbers", err)) == NULL ||
        (rows = kmv_alloc(count, sizeof *rows, "row numbers", err)) == NULL ||
        (rng = kmv_rng_create(kmv_stream_key(s->seed, identity, count), err)) == NULL)
        goto out;
    for (size_t i = 0; i < n_q; i++)
        all[i] = i;
    gsl_ran_choose(rng, rows, count, all, n_q, sizeof *all); /* keeps their order */
    judge->rows = rows;
    judge->count = count;
    rows = NULL;
    st = KMV_OK;
out:
    if (rng != NULL)
        gsl_rng_free(rng);
    kmv_free(rows);
    kmv_free(all);
    return st;
}

/* Name of a cache file: the problem, and what else the numbers depend on. */
static void name_by(const kmv_problem *p, const char *identity, const char *what,
                    const char *ending, char *name, size_t size)
{
    char hash[KMV_HASH_SIZE], text[1024];
    const int used =
        snprintf(text, sizeof text, "%s matrix=%d causal=%d sigma=%a n=%zux%zu %s", identity,
                 (int)p->matrix, p->causal, p->sigma, p->q->n, p->k->n, what);

    kmv_hash_bytes(text, (size_t)used < sizeof text ? (size_t)used : sizeof text - 1, hash);
    snprintf(name, size, "%.32s.%s", hash, ending);
}

/* Name of a reference. */
static void name_of(const kmv_problem *p, const char *identity, const kmv_judge *judge,
                    const double *x, size_t r, char *name, size_t size)
{
    char x_hash[KMV_HASH_SIZE], rows_hash[KMV_HASH_SIZE] = "all", what[256];

    kmv_hash_bytes(x, p->k->n * r * sizeof *x, x_hash);
    if (judge->rows != NULL)
        kmv_hash_bytes(judge->rows, judge->count * sizeof *judge->rows, rows_hash);
    snprintf(what, sizeof what, "r=%zu x=%s rows=%s", r, x_hash, rows_hash);
    name_by(p, identity, what, "ref", name, size);
}

/* 1 when the file is whole and holds count x r numbers; y may be NULL to look only. */
static int read_cache(const char *dir, const char *name, size_t count, size_t r, double *y)
{
    char path[1024], sha256[KMV_HASH_SIZE];
    double *numbers = NULL;
    header h;
    FILE *f;
    int ok = 0;

    snprintf(path, sizeof path, "%s/%s", dir, name);
    if ((f = fopen(path, "rb")) == NULL)
        return 0;
    if (fread(&h, sizeof h, 1, f) == 1 && memcmp(h.magic, magic, sizeof magic) == 0 &&
        h.count == count && h.r == r &&
        (numbers = kmv_alloc(count * r, sizeof *numbers, "cached reference", NULL)) != NULL &&
        fread(numbers, sizeof *numbers, count * r, f) == count * r && fgetc(f) == EOF) {
        kmv_hash_bytes(numbers, count * r * sizeof *numbers, sha256);
        ok = memcmp(sha256, h.sha256, sizeof sha256) == 0;
    }
    if (ok && y != NULL)
        memcpy(y, numbers, count * r * sizeof *numbers);
    kmv_free(numbers);
    fclose(f);
    return ok;
}

static kmv_status write_cache(const char *dir, const char *name, size_t count, size_t r,
                              const double *y, size_t ld, kmv_error *err)
{
    const size_t size = sizeof(header) + count * r * sizeof *y;
    unsigned char *bytes = kmv_alloc(size, 1, "cached reference", err);
    header h = {.count = count, .r = r};
    kmv_status st;

    if (bytes == NULL)
        return KMV_ENOMEM;
    for (size_t i = 0; i < count; i++)
        memcpy(bytes + sizeof h + i * r * sizeof *y, y + i * ld, r * sizeof *y);
    memcpy(h.magic, magic, sizeof magic);
    kmv_hash_bytes(bytes + sizeof h, size - sizeof h, h.sha256);
    memcpy(bytes, &h, sizeof h);
    st = kmv_file_replace(dir, name, bytes, size, err);
    kmv_free(bytes);
    return st;
}

/* All inputs side by side, so that the matrix is computed once: distances and exponentials cost far
 * more than further columns. */
static kmv_status compute(const kmv_judge_settings *s, const kmv_problem *p, const kmv_judge *judge,
                          const double *const *x, size_t count, size_t r, double **y,
                          kmv_error *err)
{
    const size_t columns = count * r, n_k = p->k->n;
    double *all = kmv_alloc(n_k * columns, sizeof *all, "inputs side by side", err);
    double *out = kmv_alloc(judge->count * columns, sizeof *out, "references", err);
    kmv_status st = all == NULL || out == NULL ? KMV_ENOMEM : KMV_OK;

    for (size_t m = 0; st == KMV_OK && m < count; m++) {
        for (size_t j = 0; j < n_k; j++)
            memcpy(all + j * columns + m * r, x[m] + j * r, r * sizeof **x);
    }
    if (st == KMV_OK)
        st =
            kmv_reference_product(p, judge->rows, judge->count, all, columns, s->threads, out, err);
    kmv_free(all);
    if (st != KMV_OK) {
        kmv_free(out);
        return st;
    }
    *y = out;
    return KMV_OK;
}

/* ---- |P|_op ---------------------------------------------------------------------------------- */

static int wants_op_norm(const kmv_judge_settings *s, const kmv_problem *p)
{
    return p->matrix == KMV_SOFTMAX && !(p->causal && p->heads > 1) &&
           kmv_problem_pairs(p) <= s->op_norm_pairs;
}

/* Norm and residual; NaN where the float exponents of the streamed matrix overflow. */
static kmv_status compute_op_norm(const kmv_judge_settings *s, const kmv_problem *p,
                                  double found[2], kmv_error *err)
{
    kmv_entries e = {0};
    double u_min = 0;
    kmv_status st = kmv_entries_init(&e, p, KMV_ROW_SUM, NULL, p->q->n, s->threads, NULL, err);

    found[0] = found[1] = NAN;
    if (st == KMV_EINVAL)
        return KMV_OK;
    if (st == KMV_OK && (st = kmv_entries_least(&e, &u_min, err)) == KMV_OK)
        st = kmv_op_norm(&e, u_min, KMV_OP_NORM_STEPS, &found[0], &found[1], err);
    kmv_entries_clear(&e);
    return st;
}

static kmv_status prepare_op_norm(const kmv_judge_settings *s, const kmv_problem *p,
                                  const char *identity, kmv_error *err)
{
    double found[2];
    char name[64];
    kmv_status st;

    name_by(p, identity, "op_norm", "op", name, sizeof name);
    if (!wants_op_norm(s, p) || read_cache(s->cache, name, 2, 1, NULL))
        return KMV_OK;
    if ((st = compute_op_norm(s, p, found, err)) == KMV_OK)
        st = write_cache(s->cache, name, 2, 1, found, 1, err);
    return st;
}

static kmv_status get_op_norm(const kmv_judge_settings *s, const kmv_problem *p,
                              const char *identity, kmv_judge *judge, kmv_error *err)
{
    double found[2] = {NAN, NAN};
    char name[64];

    name_by(p, identity, "op_norm", "op", name, sizeof name);
    if (wants_op_norm(s, p) && !read_cache(s->cache, name, 2, 1, found))
        return kmv_fail(err, KMV_EIO, "%s/%s: an operator norm is missing or damaged; run again",
                        s->cache, name);
    judge->op_norm = found[0];
    judge->op_tol = found[1];
    return KMV_OK;
}

/* ---- both ------------------------------------------------------------------------------------ */

kmv_status kmv_judge_prepare(const kmv_judge_settings *settings, const kmv_problem *problem,
                             const char *identity, const double *const *x, size_t count, size_t r,
                             kmv_error *err)
{
    kmv_judge judge = {0};
    double *y = NULL;
    int whole = 1;
    char name[64];
    kmv_status st = draw_rows(settings, problem, identity, &judge, err);

    if (st != KMV_OK)
        return st;
    for (size_t i = 0; whole && i < count; i++) {
        name_of(problem, identity, &judge, x[i], r, name, sizeof name);
        whole = read_cache(settings->cache, name, judge.count, r, NULL);
    }
    if (!whole)
        st = compute(settings, problem, &judge, x, count, r, &y, err);
    for (size_t i = 0; !whole && st == KMV_OK && i < count; i++) {
        name_of(problem, identity, &judge, x[i], r, name, sizeof name);
        st = write_cache(settings->cache, name, judge.count, r, y + i * r, count * r, err);
    }
    if (st == KMV_OK)
        st = prepare_op_norm(settings, problem, identity, err);
    kmv_free(y);
    kmv_judge_clear(&judge);
    return st;
}

kmv_status kmv_judge_get(const kmv_judge_settings *settings, const kmv_problem *problem,
                         const char *identity, const double *x, size_t r, kmv_judge *judge,
                         kmv_error *err)
{
    kmv_judge out = {.r = r};
    double *y = NULL;
    char name[64];
    kmv_status st = draw_rows(settings, problem, identity, &out, err);

    if (st != KMV_OK)
        return st;
    if ((y = kmv_alloc(out.count * r, sizeof *y, "reference", err)) == NULL) {
        kmv_judge_clear(&out);
        return KMV_ENOMEM;
    }
    out.y = y;
    name_of(problem, identity, &out, x, r, name, sizeof name);
    if (!read_cache(settings->cache, name, out.count, r, y)) {
        kmv_judge_clear(&out);
        return kmv_fail(err, KMV_EIO, "%s/%s: a reference is missing or damaged; run again",
                        settings->cache, name);
    }
    if ((st = get_op_norm(settings, problem, identity, &out, err)) != KMV_OK) {
        kmv_judge_clear(&out);
        return st;
    }
    *judge = out;
    return KMV_OK;
}

void kmv_judge_clear(kmv_judge *judge)
{
    kmv_free((void *)(uintptr_t)judge->rows);
    kmv_free((void *)(uintptr_t)judge->y);
    *judge = (kmv_judge){0};
}

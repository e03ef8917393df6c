/* kmv.h - products with Gaussian kernel and softmax matrices: the one public header.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A problem is a set of queries q_i, a set of keys k_j (points in R^d) and a bandwidth sigma. It
 * defines the matrix
 *     gauss    K_ij = exp(-|q_i - k_j|^2 / (2 sigma^2))
 *     softmax  P_ij = exp(q_i.k_j / sigma^2) / sum_l exp(q_i.k_l / sigma^2)
 * and, where it is causal, entries with j > i + n_k - n_q count as zero. An algorithm, chosen by
 * name, turns a problem into a plan (timed preparation); a plan is applied to vectors or blocks X
 * (n_k x r, row-major) and overwrites Y (n_q x r, row-major):
 *
 *     kmv_points q = {0}, k = {0};
 *     kmv_points_from_f32(&q, queries, n_q, d, d, &err);
 *     kmv_points_from_f32(&k, keys, n_k, d, d, &err);
 *     kmv_problem p = {.q = &q, .k = &k, .matrix = KMV_GAUSS, .sigma = 2.0};
 *     kmv_settings s = KMV_SETTINGS_DEFAULT;
 *     kmv_plan *plan = NULL;
 *     kmv_plan_create(kmv_algo_find("exact"), &p, "", &s, &plan, &err);
 *     kmv_plan_apply(plan, x, 1, y, &report, &err);
 *     kmv_plan_destroy(plan);
 *
 * Every function that can fail returns a kmv_status and fills err (which may be NULL) where the
 * failure happened; out-parameters keep their value on failure. Nothing here prints or exits.
 */
#ifndef KMV_H
#define KMV_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define KMV_VERSION "0.1.0"

/* The library is built with hidden symbols; what is declared here is what it shows. */
#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif

/* ---- status ---------------------------------------------------------------------------------- */

typedef enum {
    KMV_OK = 0,
    KMV_EINVAL,   /* an argument, option, configuration or data value is not allowed */
    KMV_ENOMEM,   /* memory could not be had, or a size overflows */
    KMV_EIO,      /* a file could not be opened, read or written */
    KMV_EFORMAT,  /* a file was read, but is not what it should be */
    KMV_ENOTSUP,  /* allowed, but this algorithm or build does not do it */
    KMV_EINTERNAL /* a defect of kmv itself */
} kmv_status;

/** One line of text, without newline: where, what was wanted, what was found. */
typedef struct {
    char text[1024];
} kmv_error;

/** "ok", "invalid argument", ...: a constant string for any status. */
const char *kmv_status_text(kmv_status status);

/** Version of the library that runs, as KMV_VERSION is the one compiled against. */
const char *kmv_version(void);

/* ---- points ---------------------------------------------------------------------------------- */

/**
 * n points in R^d. Coordinate l of point i is origin[l] + x[i * ld + l], the sum taken in double;
 * origin NULL stands for zero. Splitting off an origin keeps float precision for points that lie
 * far from zero, and makes a shift of all points free.
 * ld is the row stride in floats, a multiple of 16; the padding x[i * ld + d .. ld - 1] is zero; x
 * is aligned to 64 bytes. owned says who frees: 1 this struct, 0 it is a view of another's data.
 */
typedef struct {
    size_t n, d, ld;
    float *x;
    double *origin;
    int owned;
} kmv_points;

/** Allocate n x d zeros. Returns KMV_EINVAL for d = 0 or n = 0, KMV_ENOMEM. */
kmv_status kmv_points_init(kmv_points *p, size_t n, size_t d, kmv_error *err);

/** Free what p owns and zero it. Twice is harmless; NULL is harmless. */
void kmv_points_clear(kmv_points *p);

/** Copy n x d floats with row stride ld >= d (origin stays zero). KMV_EINVAL names the first NaN or
 *  infinity. */
kmv_status kmv_points_from_f32(kmv_points *p, const float *src, size_t n, size_t d, size_t ld,
                               kmv_error *err);

/** Copy n x d doubles: the mean becomes the origin, the rest is rounded to float once, relative to
 *  the distance from the mean and not from zero. KMV_EINVAL names the first NaN or infinity, or a
 *  coordinate whose distance from the mean overflows float. */
kmv_status kmv_points_from_f64(kmv_points *p, const double *src, size_t n, size_t d, size_t ld,
                               kmv_error *err);

/** The first n rows of p as a view (n <= p->n); the view is valid while p is. */
kmv_points kmv_points_prefix(const kmv_points *p, size_t n);

/* ---- problem --------------------------------------------------------------------------------- */

typedef enum { KMV_GAUSS = 0, KMV_SOFTMAX = 1 } kmv_matrix;

/** A problem borrows its points: they outlive it and every plan made from it. */
typedef struct {
    const kmv_points *q; /* n_q x d */
    const kmv_points *k; /* n_k x d */
    kmv_matrix matrix;
    int causal;   /* query i sees keys j <= i + n_k - n_q; needs n_q <= n_k */
    double sigma; /* finite, > 0; for softmax the logits are q.k / sigma^2 */
    size_t heads; /* 0 and 1: one sequence of queries. More: q holds that many sequences of equal
                     length one after the other, query heads that share the keys; a causal mask
                     counts i within each, n_q being its length; errors are relative to
                     sqrt(heads) |X|_F, as if each head had values of its own */
} kmv_problem;

/** KMV_OK, or KMV_EINVAL: no points, different d, sigma not finite and > 0, heads that do not
 * divide the queries, or causal with n_q > n_k. */
kmv_status kmv_problem_check(const kmv_problem *p, kmv_error *err);

/** Entries of the matrix that the mask leaves: n_q n_k, or for causal the sum over i of
 *  i + n_k - n_q + 1. As double, since it may exceed 2^53 only beyond any use. */
double kmv_problem_pairs(const kmv_problem *p);

/** heads, 1 for 0. */
size_t kmv_problem_heads(const kmv_problem *p);

/** How many of the first keys query `row` sees: n_k, or by the causal mask. */
size_t kmv_problem_sees(const kmv_problem *p, size_t row);

/* ---- options --------------------------------------------------------------------------------- */

typedef enum {
    KMV_OPT_SIZE, /* size_t */
    KMV_OPT_REAL, /* double, finite */
    KMV_OPT_BOOL, /* int: yes/no, true/false, on/off, 1/0 */
    KMV_OPT_ENUM  /* int: index into choices */
} kmv_option_type;

/** One row of a typed option table; a row with name NULL ends it. The table gives parsing, ranges,
 *  defaults and help. */
typedef struct {
    const char *name;
    kmv_option_type type;
    size_t offset;       /* of the field in the options struct */
    const char *initial; /* default, as text */
    double lo, hi;       /* inclusive range of SIZE and REAL */
    const char *help;    /* one line */
    const char *choices; /* ENUM only: "first|second|third" */
} kmv_option;

/* ---- algorithms ------------------------------------------------------------------------------ */

/* What an algorithm can do; a problem outside of it is rejected with a reason. */
enum {
    KMV_CAN_GAUSS = 1 << 0,
    KMV_CAN_SOFTMAX = 1 << 1,
    KMV_CAN_CAUSAL = 1 << 2,
    KMV_CAN_COLUMNS = 1 << 3, /* r > 1 */
    KMV_CAN_SIGNED = 1 << 4,  /* x with negative entries */
    KMV_USES_EPS = 1 << 5,    /* eps (and delta) change what it does */
    KMV_IS_RANDOM = 1 << 6,   /* the seed changes the result */
    KMV_CAN_HEADS = 1 << 7,   /* several query heads at once under a causal mask */
    KMV_ANY_EPS = 1 << 8      /* goes on to float64 where float32 cannot reach eps */
};

typedef struct kmv_algo kmv_algo;

/** The algorithm of that name, or NULL. */
const kmv_algo *kmv_algo_find(const char *name);
/** The i-th algorithm of the table, or NULL past its end. */
const kmv_algo *kmv_algo_at(size_t i);
/** The one of them closest to a misspelt name (edit distance <= 2), or NULL. */
const kmv_algo *kmv_algo_closest(const char *name);
const char *kmv_algo_name(const kmv_algo *a);
/** One line on what it does; what it guarantees and in which norm; where it is from. */
const char *kmv_algo_summary(const kmv_algo *a);
const char *kmv_algo_guarantee(const kmv_algo *a);
const char *kmv_algo_source(const kmv_algo *a);
unsigned kmv_algo_flags(const kmv_algo *a);
const kmv_option *kmv_algo_options(const kmv_algo *a);
/** Whether eps and delta change what it does under these options ("name=value,..."): one whose
 *  sample size is given ignores them. Bad options count as none. */
int kmv_algo_uses_eps(const kmv_algo *a, const char *options);
/**
 * Why this algorithm does not do this problem with r columns and these options, or NULL when it
 * does. signed_x says whether X has negative entries. Options are "name=value,name=value" or "";
 * bad options are reported by kmv_plan_create, not here. The text is constant.
 */
const char *kmv_algo_rejects(const kmv_algo *a, const kmv_problem *p, const char *options, size_t r,
                             int signed_x);

/* ---- plan and apply -------------------------------------------------------------------------- */

typedef struct {
    double eps;      /* error asked for, > 0; |Y - K X|_F <= eps |X|_F (softmax: |V|_F) */
    double delta;    /* probability with which that may fail, in (0, 1) */
    size_t r;        /* most columns any apply will get; >= 1 */
    int threads;     /* 0: all cores the process may use */
    const char *isa; /* NULL: the best this machine runs, KMV_ISA in the environment at most; else
                        a name from `kmv list isas` */
    uint64_t seed;
} kmv_settings;

#define KMV_SETTINGS_DEFAULT                                                                       \
    {                                                                                              \
        .eps = 0.1, .delta = 0.01, .r = 1, .threads = 0, .isa = NULL, .seed = 1                    \
    }

/** What one prepare or apply cost. Counts are repeatable where times are not. */
typedef struct {
    double seconds;
    double pairs; /* kernel entries evaluated */
    double flops; /* a multiply-add is 2, an exponential 0; packing, hashing and pilots count */
} kmv_cost;

typedef struct {
    kmv_cost prepare, apply;
    double mem_peak_b;      /* most bytes the plan held at once, inputs and Y excluded */
    double bound;           /* certified bound on |Y - K X|_F / |X|_F, or NaN where none is given */
    const char *bound_kind; /* "range", "model", "float32", "" */
    double err_est;         /* estimate of the same error, or NaN */
    double t_certify_s;     /* NaN where nothing was certified */
    const char *isa;        /* ISA the plan runs on */
    int threads;
    const char *text; /* the plan and why, one line; owned by the plan */
} kmv_report;

typedef struct kmv_plan kmv_plan;

/**
 * Check the problem and the options, then prepare. The plan keeps its own copy of the problem
 * struct and borrows the points. Returns KMV_EINVAL for bad settings, options or problem,
 * KMV_ENOTSUP with the algorithm's reason when it does not do this problem, KMV_ENOMEM.
 */
kmv_status kmv_plan_create(const kmv_algo *a, const kmv_problem *p, const char *options,
                           const kmv_settings *s, kmv_plan **plan, kmv_error *err);

/**
 * Y = (approximately) K X. x: n_k x r, y: n_q x r, row-major, not overlapping; 1 <= r <= the r of
 * the settings. Allocates nothing. NaN or infinity in x is KMV_EINVAL; x = 0 gives y = 0.
 * Each call draws from a stream of its own, so the m-th apply of a plan is repeatable and
 * independent of the others. One plan must not be applied by two threads at once.
 * report may be NULL.
 */
kmv_status kmv_plan_apply(kmv_plan *plan, const double *x, size_t r, double *y, kmv_report *report,
                          kmv_error *err);

/** What the preparation cost. */
kmv_cost kmv_plan_prepare_cost(const kmv_plan *plan);

/** NULL is harmless. */
void kmv_plan_destroy(kmv_plan *plan);

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif

#ifdef __cplusplus
}
#endif

#endif

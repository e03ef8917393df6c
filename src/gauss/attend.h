/* gauss/attend.h - attention over blocks of queries and leaves of keys: the compute kernels of
 * methods that visit some leaves only.
 *
 * A block is unit->rows consecutive queries, a leaf unit->keys consecutive slots of a key set; both
 * are packed as the unit wants them. A unit is either the float tile of an instruction set or its
 * matrix unit, which multiplies bfloat16: there coordinates, entries and values are rounded to
 * `parts` bfloat16 numbers each, and 1 part (relative error 2^-9) is the fast way.
 *
 * Exponents are base 2: e_ij = q_i.k_j + a_i + b_j with packed coordinates.
 */
#ifndef KMV_GAUSS_ATTEND_H
#define KMV_GAUSS_ATTEND_H

#include "gauss/tile.h"
#include "kmv.h"

enum {
    KMV_ATTEND_ROWS_MAX = KMV_BLOCKS_MAX * KMV_ROWS_MAX,
    KMV_ATTEND_KEYS_MAX = 64,
    KMV_ATTEND_PARTS_MAX = 3
};

typedef struct kmv_attend_unit kmv_attend_unit;

/** Points to pack: point m is factor (x[row_m] + shift), row_m = which[m], or first + m where which
 *  is NULL. Its offset is square |p|^2 + p.along, p = x[row_m] + shift as rounded by packing. */
typedef struct {
    const float *x;
    size_t ld, d, first;
    const size_t *which;
    const float *shift; /* d in 32s, the rest zero; like x aligned to 64 bytes */
    float factor;
    float square;
    const float *along; /* as shift; NULL: zero */
} kmv_attend_points;

/** One block against some leaves of a key set. */
typedef struct {
    const void *block;    /* packed queries */
    const float *a;       /* rows: offsets, less the exponent that sums are relative to */
    const void *keys;     /* the set; leaf l stands at l times the size of a leaf */
    const float *b;       /* offsets of the set, by slot */
    const uint32_t *list; /* which leaves */
    size_t count;
    const float *offsets; /* count x keys: instead of b, in the order of the list; NULL: b */
    const size_t *seen;   /* rows: slots that a row sees, a prefix; NULL: all */
    size_t seen_least;    /* the least of them */
    const void *values;   /* of the set */
    size_t d, ld;         /* ld: floats a row of part, in 32s; without rounding in 16s */
    int parts;
    float *sum;  /* rows: += sum_j 2^e_ij */
    float *part; /* rows x ld: += sum_j 2^e_ij v_j */
} kmv_attend_job;

struct kmv_attend_unit {
    const kmv_tile *tile;
    size_t rows, keys;
    int rounds; /* packs bfloat16 parts, rather than floats */
    /** Bytes of a packed block, leaf, leaf of values; multiples of 64. */
    size_t (*query_size)(const kmv_attend_unit *u, size_t d, int parts);
    size_t (*key_size)(const kmv_attend_unit *u, size_t d, int parts);
    size_t (*value_size)(const kmv_attend_unit *u, size_t ld, int parts);
    /** Pack points 0 .. count - 1 of the source, count <= rows (keys): offsets out, for all slots
     *  of the block (leaf); empty ones are zero points, of keys with offset -infinity. */
    void (*pack_queries)(const kmv_attend_unit *u, const kmv_attend_points *p, size_t count,
                         int parts, void *block, float *offset);
    void (*pack_keys)(const kmv_attend_unit *u, const kmv_attend_points *p, size_t count, int parts,
                      void *leaf, float *offset);
    /** Pack factor (x_m - shift), rows m < count of r doubles, row_m as for points; shift: r.
     *  square[m] = |factor (x_m - shift)|^2, as float; returns the sum of |factor x_m|^2. */
    double (*pack_values)(const kmv_attend_unit *u, const double *x, size_t r, size_t first,
                          const size_t *which, size_t count, const double *shift, double factor,
                          size_t ld, int parts, void *leaf, float *square);
    /** e[i * lde + j] = exponents of the block (a NULL: zero) against `count` consecutive leaves
     *  from `keys` on, b their offsets. */
    void (*exponents)(const kmv_attend_unit *u, const void *block, const float *a, const void *keys,
                      const float *b, size_t count, size_t d, int parts, float *e, size_t lde);
    void (*attend)(const kmv_attend_unit *u, const kmv_attend_job *job);
};

/** The unit for points of dimension d on this tile: its matrix unit where that pays. */
kmv_attend_unit kmv_attend_unit_of(const kmv_tile *tile, size_t d);

#endif

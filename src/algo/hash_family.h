/* algo/hash_family.h - how likely two points meet in a table of sign bits of random hyperplanes.
 *
 * One table has b hyperplanes through the centre with directions w ~ N(0, I); a key's code is the
 * signs of its b products. A query looks under its own code and under all those that differ from
 * it in some of its f "wild" bits: the f hyperplanes that it lies closest to, |w.q| smallest. So it
 * meets every key whose code agrees with its own outside of the wild bits. For points at angle
 * theta, seen from the centre, and f = 0 (Charikar, STOC 2002)
 *     h = (1 - theta / pi)^b,
 * and for f > 0, with F the quantile of |w.q| among |N(0, |q|^2)| (docs/lsh.md, 2)
 *     h = f binom(b, f) int_0^1 F^(f-1) A(F)^(b-f) dF,
 *     A(F) = int_F^1 Phi(u cot theta) dF',  u = Phi^-1((1 + F') / 2):
 * the chance that a hyperplane agrees and is farther from q than that quantile.
 */
#ifndef KMV_ALGO_HASH_FAMILY_H
#define KMV_ALGO_HASH_FAMILY_H

#include <stddef.h>

/** Points of the quadrature in F. */
enum { KMV_HASH_POINTS = 128 };

/** What one table looks like: hyperplanes, and how many of them are wild for each query. */
typedef struct {
    size_t bits; /* <= KMV_HASH_BITS_MAX */
    size_t wild; /* <= bits and KMV_HASH_WILD_MAX; a query looks into 2^wild buckets */
} kmv_hash_shape;

enum { KMV_HASH_BITS_MAX = 24, KMV_HASH_WILD_MAX = 6 };

/** agree[m] = A((m + 1/2) / KMV_HASH_POINTS) for an angle in [0, pi]; one for all shapes. */
void kmv_hash_agreement(double theta, double agree[KMV_HASH_POINTS]);

/** h for that angle; agree as filled for it. The quadrature is good to about 1e-3 relative for
 *  theta > 0.02, and exact for wild = 0 and for wild = bits (1). */
double kmv_hash_probability(double theta, const double agree[KMV_HASH_POINTS],
                            kmv_hash_shape shape);

#endif

/* gauss/exp_poly.h - polynomials for 2^f, shared by all tiles. Depends on nothing.
 *
 * Minimax for the relative error, by Remez exchange in extended precision, then coefficients
 * rounded to float. 2^e = 2^n p(f) with n an integer and f = e - n exact in float. floor form:   n
 * = floor(e), f in [0, 1):     minimax error 7.5e-8 nearest form: n = rint(e),  f in [-1/2, 1/2]:
 * minimax error 7.5e-8 Horner's rule adds at most about one unit in the last place of the result
 * (2^-23 relative), so that |p(f) / 2^f - 1| <= KMV_EXP2_REL_ERR.
 */
#ifndef KMV_GAUSS_EXP_POLY_H
#define KMV_GAUSS_EXP_POLY_H

#define KMV_EXP2_REL_ERR 2.5e-7

#define KMV_EXP2_FLOOR_0 0x1.fffffep-1f
#define KMV_EXP2_FLOOR_1 0x1.62e4f6p-1f
#define KMV_EXP2_FLOOR_2 0x1.ebd5a8p-3f
#define KMV_EXP2_FLOOR_3 0x1.c95444p-5f
#define KMV_EXP2_FLOOR_4 0x1.26900cp-7f
#define KMV_EXP2_FLOOR_5 0x1.ec320ap-10f

#define KMV_EXP2_NEAR_0 0x1.000002p+0f
#define KMV_EXP2_NEAR_1 0x1.62e428p-1f
#define KMV_EXP2_NEAR_2 0x1.ebf918p-3f
#define KMV_EXP2_NEAR_3 0x1.c6b6e4p-5f
#define KMV_EXP2_NEAR_4 0x1.3d0c52p-7f
#define KMV_EXP2_NEAR_5 0x1.5c08e6p-10f

/* e + this leaves rint(e) + 127, the exponent field of 2^rint(e), in the low bits: 1.5 * 2^23 +
 * 127. */
#define KMV_EXP2_MAGIC 0x1.8000fep+23f

#endif

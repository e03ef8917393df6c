/* gauss/exp_poly.h - the polynomial for 2^f that all tiles share. Depends on nothing.
 *
 * 2^e = 2^n p(f), n an integer and f = e - n exact in float, with
 *     p(f) = v(f)^2 + t,   v a cubic:
 * four multiply-adds and five free parameters like a quartic, but degree 6: the minimax relative
 * error is 7.96e-7 instead of 2.59e-6 (a quintic, with five multiply-adds: 7.5e-8). The parameters
 * were found by Newton's method on the equations of equioscillation at six points, the points
 * exchanged as by Remez until they stood still, in double; then rounded to float.
 *     floor form:   n = floor(e), f in [0, 1)
 *     nearest form: n = rint(e),  f in [-1/2, 1/2]; the same function, shifted by 1/2
 * Evaluated in float at 4 000 001 points of either interval, fused or not, the relative error is at
 * most 1.005e-6 (8.5 units in the last place). Rounding adds 1.5 units to the minimax error at most
 * there, and KMV_EXP2_REL_ERR allows 2.
 */
#ifndef KMV_GAUSS_EXP_POLY_H
#define KMV_GAUSS_EXP_POLY_H

#define KMV_EXP2_REL_ERR 1.05e-6

/* v(f) = ((V3 f + V2) f + V1) f + V0, p(f) = v^2 + T */
#define KMV_EXP2_FLOOR_V3 0x1.62c22ep-7f
#define KMV_EXP2_FLOOR_V2 0x1.6af3bp-5f
#define KMV_EXP2_FLOOR_V1 0x1.9ff0c6p-2f
#define KMV_EXP2_FLOOR_V0 0x1.b4d308p-1f
#define KMV_EXP2_FLOOR_T  0x1.16a0b2p-2f

#define KMV_EXP2_NEAR_V3 0x1.2a50aep-7f
#define KMV_EXP2_NEAR_V2 0x1.a112bap-5f
#define KMV_EXP2_NEAR_V1 0x1.8ae7cp-2f
#define KMV_EXP2_NEAR_V0 0x1.cc1dcp-1f
#define KMV_EXP2_NEAR_T  0x1.8a0a04p-3f

/* e + this leaves rint(e) + 127, the exponent field of 2^rint(e), in the low bits. */
#define KMV_EXP2_MAGIC 0x1.8000fep+23f /* 1.5 * 2^23 + 127 */

#endif

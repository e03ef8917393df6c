/* base/rng.h - streams of GSL's Mersenne twister, addressed by key. */
#ifndef KMV_BASE_RNG_H
#define KMV_BASE_RNG_H

#include <gsl/gsl_rng.h>
#include <stdint.h>

#include "kmv.h"

/** 64-bit hash of (seed, text, index): the same everywhere, and unrelated for related arguments
 *  (FNV-1a over the text, then the finaliser of splitmix64, Steele, Lea & Flood 2014). It names a
 *  stream: adding a case, a repetition or an apply moves no other stream. */
uint64_t kmv_stream_key(uint64_t seed, const char *text, uint64_t index);

/** A generator (gsl_rng_mt19937) at the start of stream `key`; free with gsl_rng_free. NULL when
 *  memory is short. */
gsl_rng *kmv_rng_create(uint64_t key, kmv_error *err);

/** Put an existing generator at the start of stream `key`; allocates nothing. */
void kmv_rng_restart(gsl_rng *rng, uint64_t key);

#endif

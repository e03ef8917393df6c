/* data/synth.h - synthetic problems: one table of generators, one function each. */
#ifndef KMV_DATA_SYNTH_H
#define KMV_DATA_SYNTH_H

#include <gsl/gsl_rng.h>

#include "data/dataset.h"

typedef struct {
    const char *name;
    const char *summary; /* one line with the law the points follow */
    const char *source;
    const kmv_option *options; /* every generator has n and d first */
    size_t options_size;
    /** Fill q, k, sigma (and v where it has one) of a zeroed dataset. */
    kmv_status (*make)(const void *options, gsl_rng *rng, kmv_dataset *out, kmv_error *err);
} kmv_generator;

/** The i-th generator; NULL past the end. By name; NULL when there is none. */
const kmv_generator *kmv_generator_at(size_t i);
const kmv_generator *kmv_generator_find(const char *name);

/** Make the set: options as "n=1024,d=64,...". Equal arguments give equal bits. name and sha256 are
 *  set. KMV_EINVAL for an unknown generator (with the nearest name) or option. */
kmv_status kmv_generate(const char *generator, const char *options, uint64_t seed, kmv_dataset *out,
                        kmv_error *err);

#endif

/* base/rng.c - see rng.h. */
#include "base/rng.h"

#include "base/status.h"

static uint64_t mix(uint64_t z)
{
    z += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

uint64_t kmv_stream_key(uint64_t seed, const char *text, uint64_t index)
{
    uint64_t h = 0xcbf29ce484222325u;

    for (const unsigned char *c = (const unsigned char *)text; *c != '\0'; c++)
        h = (h ^ *c) * 0x100000001b3u;
    return mix(mix(mix(seed) ^ h) ^ index);
}

gsl_rng *kmv_rng_create(uint64_t key, kmv_error *err)
{
    gsl_rng *rng = gsl_rng_alloc(gsl_rng_mt19937);

    if (rng == NULL) {
        kmv_fail(err, KMV_ENOMEM, "no memory for a random number generator");
        return NULL;
    }
    kmv_rng_restart(rng, key);
    return rng;
}

void kmv_rng_restart(gsl_rng *rng, uint64_t key)
{
    /* The twister takes 32 bits and replaces 0 by a default of its own, so 0 must not be reached
     * by a key: the key is folded, and 0 becomes 1. */
    const unsigned long folded = (unsigned long)((key ^ (key >> 32)) & 0xffffffffu);

    gsl_rng_set(rng, folded != 0 ? folded : 1);
}

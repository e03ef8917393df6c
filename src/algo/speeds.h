/* algo/speeds.h - what work costs, for comparing plans. */
#ifndef KMV_ALGO_SPEEDS_H
#define KMV_ALGO_SPEEDS_H

#include "algo/candidate.h"

/** Speeds of an ordinary core of 2020 or later, by instruction set: no clock is read, so that plans
 *  made from them are repeatable. Plans depend on the ratios of the three alone. */
kmv_speeds kmv_speeds_nominal(const kmv_tile *tile, size_t d, size_t r);

/**
 * Speeds of this machine at this moment, on one thread: best of three short products of up to 96
 * queries and 4096 keys of the pilot (a few ms together), packing of those keys, and a gather of
 * their floats in scattered order. r: columns. KMV_ENOMEM.
 */
kmv_status kmv_speeds_measure(const kmv_pilot *pilot, size_t r, kmv_speeds *out, kmv_error *err);

#endif

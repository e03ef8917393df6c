/* tests/measure_direct.h - what `kmv measure` says, from every entry in double, sorted. */
#ifndef KMV_TESTS_MEASURE_DIRECT_H
#define KMV_TESTS_MEASURE_DIRECT_H

#include "bench/measure.h"

typedef struct {
    double *entries; /* unmasked ones, descending */
    size_t count, n_q;
    double sum, head, tail, fro2, column_max;
    double tol; /* relative error of a float entry */
} measure_direct;

/** Free its entries with free. */
measure_direct measure_directly(const kmv_dataset *data, size_t n, const kmv_measure_spec *s);

#endif

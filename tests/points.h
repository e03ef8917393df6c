/* tests/points.h - points as the mathematics sees them. */
#ifndef KMV_TESTS_POINTS_H
#define KMV_TESTS_POINTS_H

#include "kmv.h"

/** Coordinate l of point i in double, origin included. */
static inline double coordinate(const kmv_points *p, size_t i, size_t l)
{
    return (double)p->x[i * p->ld + l] + (p->origin != NULL ? p->origin[l] : 0);
}

#endif

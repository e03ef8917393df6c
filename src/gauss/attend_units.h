/* gauss/attend_units.h - the makers of units, for attend_table.c alone. */
#ifndef KMV_GAUSS_ATTEND_UNITS_H
#define KMV_GAUSS_ATTEND_UNITS_H

#include "gauss/attend.h"

kmv_attend_unit kmv_attend_unit_amx(const kmv_tile *tile);
kmv_attend_unit kmv_attend_unit_float(const kmv_tile *tile);

#endif

/* bench/report_svg.h - an SVG file as part of an HTML page. */
#ifndef KMV_BENCH_REPORT_SVG_H
#define KMV_BENCH_REPORT_SVG_H

#include <stdio.h>

#include "kmv.h"

/** Copy the <svg> element of a file that gnuplot wrote. Name spaces go, since HTML knows them, and
 *  every id and reference to one gets the prefix f<unique>, since gnuplot numbers each file from
 *  the start. KMV_EIO, KMV_EFORMAT when there is no <svg>. */
kmv_status kmv_report_svg(const char *path, size_t unique, FILE *out, kmv_error *err);

#endif

#!/bin/sh
# Install into an empty folder, then be a stranger there: run the program, compile the example of
# kmv.h's head against the installed library, shared and static, and compare what the library shows
# with what the header declares. Prints what fails; exit code 0 when nothing does.
set -u
cd "$(dirname "$0")/.." || exit 1
at=$(mktemp -d) || exit 1
trap 'rm -rf "$at"' EXIT
failed=0
must() { # must WHAT COMMAND...
    what=$1
    shift
    "$@" >"$at/out" 2>&1 && return
    echo "install: $what: $(tail -n 3 "$at/out")"
    failed=1
}
must "make install" make -s install PREFIX="$at/usr" BUILD="${BUILD:-build}"
version=$(sed -n 's/^#define KMV_VERSION "\(.*\)"/\1/p' src/kmv.h)
must "program" test "kmv $version" = "$("$at/usr/bin/kmv" --version)"
must "man page" grep -q "kmv $version" "$at/usr/share/man/man1/kmv.1"

cat >"$at/example.c" <<'END'
#include <kmv.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

int main(void)
{
    const float queries[] = {0, 0, 1, 0}, keys[] = {0, 0, 0, 1};
    const double x[] = {1, 2};
    double y[2];
    kmv_error err;
    kmv_points q = {0}, k = {0};
    kmv_plan *plan = NULL;
    kmv_problem p = {.q = &q, .k = &k, .matrix = KMV_GAUSS, .sigma = 1.0};
    kmv_settings s = KMV_SETTINGS_DEFAULT;

    if (kmv_points_from_f32(&q, queries, 2, 2, 2, &err) != KMV_OK ||
        kmv_points_from_f32(&k, keys, 2, 2, 2, &err) != KMV_OK ||
        kmv_plan_create(kmv_algo_find("exact"), &p, "", &s, &plan, &err) != KMV_OK ||
        kmv_plan_apply(plan, x, 1, y, NULL, &err) != KMV_OK) {
        puts(err.text);
        return 1;
    }
    kmv_plan_destroy(plan);
    kmv_points_clear(&q);
    kmv_points_clear(&k);
    /* squared distances 0, 1; 1, 2 */
    return !(fabs(y[0] - (1 + 2 * exp(-0.5))) < 1e-5 && fabs(y[1] - (exp(-0.5) + 2 * exp(-1))) < 1e-5 &&
             strcmp(kmv_version(), KMV_VERSION) == 0);
}
END
PKG_CONFIG_PATH=$at/usr/lib/pkgconfig
export PKG_CONFIG_PATH
cc=${CC:-gcc}
# shellcheck disable=SC2046 # flags are words
{
    must "compiling" $cc -std=c11 -Wall -Wextra -Werror "$at/example.c" $(pkg-config --cflags --libs kmv) -lm -o "$at/shared"
    must "running" env LD_LIBRARY_PATH="$at/usr/lib" "$at/shared"
    must "compiling statically" $cc -std=c11 "$at/example.c" $(pkg-config --cflags kmv) \
        "$at/usr/lib/libkmv.a" $(pkg-config --static --libs kmv | sed 's/-lkmv//') -o "$at/static"
    must "running statically" "$at/static"
}
# The header declares functions as "type kmv_name(" at the start of a line.
grep -oE '^(const )?[a-z_ ]+[ *]+kmv_[a-z0-9_]+\(' src/kmv.h |
    grep -oE 'kmv_[a-z0-9_]+\($' | tr -d '(' | sort -u >"$at/declared"
nm -D --defined-only "$at/usr/lib/libkmv.so" | awk '$3 !~ /^\./ { print $3 }' | sort >"$at/shown"
must "symbols shown and declared differ" diff "$at/declared" "$at/shown"
[ "$failed" -eq 0 ]

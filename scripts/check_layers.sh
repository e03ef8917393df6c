#!/bin/sh
# Includes go one way: main -> cli -> bench -> {algo, data} -> gauss -> base; algo never includes
# data nor data algo; hdf5.h stands in data/h5* only, gnuplot nowhere in C.
set -u
cd "$(dirname "$0")/.." || exit 1
allowed() {
    case $1 in
    base) echo "base" ;;
    gauss) echo "gauss base" ;;
    algo) echo "algo gauss base" ;;
    data) echo "data gauss base" ;;
    bench) echo "bench algo data gauss base" ;;
    cli) echo "cli bench algo data gauss base" ;;
    esac
}
passed=0 failed=0
for file in src/*/*.[ch]; do
    room=$(basename "$(dirname "$file")")
    bad=
    for include in $(sed -n 's/^#include "\([a-z]*\)\/.*/\1/p' "$file"); do
        case " $(allowed "$room") " in
        *" $include "*) ;;
        *) bad="$bad $include" ;;
        esac
    done
    case $file in
    src/data/h5*) ;;
    *) if grep -q '^#include <hdf5' "$file"; then bad="$bad hdf5.h"; fi ;;
    esac
    if grep -nE '(^|[^a-z_])(printf|exit|puts|rand|atoi) *\(' "$file" | grep -v 'format(printf' >/dev/null; then
        bad="$bad printf/exit/rand/atoi"
    fi
    if [ -n "$bad" ]; then
        echo "$file: must not use:$bad"
        failed=$((failed + 1))
    else
        passed=$((passed + 1))
    fi
done
echo "layers: $passed passed, $failed failed"
[ "$failed" -eq 0 ]

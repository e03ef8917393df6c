#!/bin/sh
# The rules of the house that a script can check; one line for each file that breaks one:
#   includes go one way, main -> cli -> bench -> {algo, data} -> gauss -> base, and algo never
#   includes data nor data algo; hdf5.h stands in src/data/h5* only
#   nothing below main.c prints to stdout, exits (child processes: _exit), or uses rand, atoi and
#   the like
#   a header compiles alone (templates, *_body.h, excepted)
#   a file stays below 700 lines
#   every algorithm and every command stands in its table
#   no flag that lets a NaN pass, or ties the build to one machine
set -u
cd "$(dirname "$0")/.." || exit 1
passed=0 failed=0
verdict() { # verdict FILE WHAT: WHAT is empty when all is well
    if [ -n "$2" ]; then
        echo "$1:$2"
        failed=$((failed + 1))
    else
        passed=$((passed + 1))
    fi
}
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
# All findings are collected in a few passes over all files, since a process per file and rule
# would take seconds; each line is "FILE finding".
findings=$(mktemp) || exit 1
trap 'rm -f "$findings"' EXIT
for room in base gauss algo data bench cli; do
    grep -no '^#include "[a-z_]*/' src/$room/*.[ch] /dev/null | awk -F: -v ok=" $(allowed $room) " '
        { room = $3; gsub(/#include "|\//, "", room)
          if (index(ok, " " room " ") == 0) print $1, "line", $2 ": includes " room "/" }'
done >"$findings"
grep -l '^#include <hdf5' src/*.[ch] src/*/*.[ch] | grep -v '^src/data/h5' |
    sed 's/$/ includes hdf5.h/' >>"$findings"
grep -nE '(^|[^a-z_])(printf|putchar|exit|puts|rand|srand|atoi|atof|gets|strcpy|strcat|sprintf|system) *\(' src/*/*.[ch] |
    grep -vE 'format\(printf|:[0-9]+: *(/?\*|//)' | awk -F: '{ print $1, "line", $2 ": uses a forbidden function" }' >>"$findings"
wc -l src/*.[ch] src/*/*.[ch] tests/*.[ch] tests/cli/* tests/emulated/* tests/models/*.py scripts/*.* scripts/models/*.* scripts/peers/*.* scripts/peers/methods/*.py | awk '$2 != "total" && $1 > 700 { print $2, "has", $1, "lines" }' >>"$findings"
sed -n 's/^const kmv_algo \(kmv_algo_[a-z0-9_]*\) = .*/\1/p' src/algo/*.c | while read -r name; do
    grep -qx "ALGORITHM(${name#kmv_algo_})" src/algo/algorithms.def ||
        echo "$(grep -l "^const kmv_algo $name = " src/algo/*.c) is not in algorithms.def"
done >>"$findings"
for file in src/cli/cmd_*.c; do
    name=$(basename "$file" .c)
    grep -q "&kmv_command_${name#cmd_}," src/cli/commands.c || echo "$file is not in commands.c"
done >>"$findings"
for file in src/*.[ch] src/*/*.[ch] tests/*.[ch]; do
    verdict "$file" "$(awk -v f="$file" '$1 == f { sub(/^[^ ]*/, ""); printf "%s;", $0 }' "$findings")"
done
hdf5=$(pkg-config --cflags hdf5-serial)
for file in src/*.h src/*/*.h; do
    case $file in *_body.h) continue ;; esac
    verdict "$file alone" "$(${CC:-gcc} -std=c11 -D_GNU_SOURCE -Isrc $hdf5 -fsyntax-only -x c "$file" 2>&1 | head -n 1)"
done
verdict "flags" "$(sed 's/#.*//' Makefile | grep -oE -e '-(ffast-math|Ofast|march=native|mtune=native)' | tr '\n' ' ')"
echo "layers: $passed passed, $failed failed"
[ "$failed" -eq 0 ]

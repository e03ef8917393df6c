#!/bin/sh
# Run every tests/cli/*.sh with KMV naming the program. A test prints "ok NAME" or "not ok NAME: why"
# for each check (helpers in tests/cli/lib); a script that ends otherwise counts as one failure.
set -u
KMV=$(realpath "${KMV:?names the program}")
export KMV
ROOT=$(realpath "$(dirname "$0")/..")
export ROOT
# A Python that reads HDF5, for what other programs see of our files (setup.sh --tests installs it).
PYTHON=python3
for candidate in python3 /usr/bin/python3; do
    if "$candidate" -c 'import h5py, numpy' 2>/dev/null; then PYTHON=$candidate && break; fi
done
export PYTHON
passed=0 failed=0
for script in "$1"/*.sh; do
    tmp=$(mktemp -d)
    log=$tmp/log
    # Without the user's locale: a bare machine has none, and nothing may depend on it.
    (cd "$tmp" && TMP=$tmp TMPDIR=$tmp env -u LANG -u LC_ALL -u LC_CTYPE \
        timeout "${KMV_TEST_TIMEOUT:-300}" sh "$ROOT/$script") >"$log" 2>&1
    rc=$?
    p=$(grep -c '^ok ' "$log")
    f=$(grep -c '^not ok ' "$log")
    if [ "$rc" -ne 0 ] && [ "$f" -eq 0 ] || [ "$((p + f))" -eq 0 ]; then f=1; fi
    passed=$((passed + p)) failed=$((failed + f))
    printf '%-32s %d passed, %d failed\n' "$(basename "$script")" "$p" "$f"
    if [ "$f" -ne 0 ]; then grep -v '^ok ' "$log"; fi
    rm -rf "$tmp"
done
echo "cli: $passed passed, $failed failed"
[ "$failed" -eq 0 ]

#!/bin/sh
# Run the given cmocka programs; print what fails, and one closing line over all of them.
# KMV_TEST_WRAPPER, when set, is put in front of each (valgrind with its options).
set -u
passed=0 failed=0
for program in "$@"; do
    log=$program.log
    # shellcheck disable=SC2086 # the wrapper is a command with words
    timeout "${KMV_TEST_TIMEOUT:-300}" ${KMV_TEST_WRAPPER:-} "$program" >"$log" 2>&1
    rc=$?
    p=$(grep -c '^\[       OK \]' "$log")
    f=$(sed -n 's/^\[  FAILED  \] \([0-9]*\) test.*/\1/p' "$log" | awk '{s += $1} END {print s + 0}')
    # A program that died, or that failed outside of any test, counts as one failure.
    if [ "$rc" -ne 0 ] && [ "$f" -eq 0 ] || [ "$((p + f))" -eq 0 ]; then f=1; fi
    passed=$((passed + p)) failed=$((failed + f))
    printf '%-32s %d passed, %d failed\n' "$(basename "$program")" "$p" "$f"
    if [ "$f" -ne 0 ]; then cat "$log"; fi
done
echo "units: $passed passed, $failed failed"
[ "$failed" -eq 0 ]

#!/bin/sh
# Run every suite, whatever the others say: units (the given cmocka programs), command line, layers.
# The last line counts the tests of all of them; the exit code is 0 when all passed.
set -u
cd "$(dirname "$0")/.." || exit 1
log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT
suite() { # suite COMMAND...: its output goes to the screen and to the log; a crash leaves a line too
    "$@" 2>&1 | tee -a "$log"
}
suite scripts/run_tests.sh "$@"
suite scripts/run_cli_tests.sh tests/cli
suite scripts/check_layers.sh
# Three suites, three closing lines: one that died before its line counts as a failure.
awk '/^(units|cli|layers): [0-9]+ passed, [0-9]+ failed$/ { suites++; passed += $2; failed += $4 }
     END {
         if (suites != 3) failed += 3 - suites
         print passed + 0 " passed, " failed + 0 " failed"
         exit !(failed == 0 && passed > 0)
     }' "$log"

# SIGKILL at ten moments, then a last run: the same (case, repetition) pairs as without kills, none
# twice, none lost. Then what else ends a run early.
. "$ROOT/tests/cli/lib"
cat > a.ini <<'END'
[experiment]
reps = 3
min_time = 0
[dataset blobs]
generator = planted
[sweep]
dataset = blobs
algo = null, exact, exact-f64
n = 64, 128
d = 8
x = gauss, ones
[measure]
dataset = blobs
n = 64, 128
op_norm = no
END
pairs() { awk -F'\t' 'NR > 1 {print $3, $4}' "$1/raw.tsv" | sort; }
measures() { awk -F'\t' 'NR > 1 {print $2, $7, $10}' "$1/measure.tsv" | sort; }
check "without kills" "$KMV" run a.ini -o whole -q
same "rows" 36 "$(pairs whole | wc -l)"
same "measures" 2 "$(measures whole | wc -l)"
for wait in 0.01 0.03 0.05 0.08 0.1 0.13 0.17 0.2 0.25 0.3; do
    "$KMV" run a.ini -o killed -q >/dev/null 2>&1 &
    pid=$!
    sleep $wait
    kill -9 $pid 2>/dev/null
    wait $pid 2>/dev/null
done
if [ -e killed/raw.tsv ]; then # what a write cut short by a kill leaves
    printf 'torn row without an end\t1' >>killed/raw.tsv
fi
check "after ten kills" "$KMV" run a.ini -o killed -q
same "same pairs" "$(pairs whole)" "$(pairs killed)"
same "same measures" "$(measures whole)" "$(measures killed)"
same "nothing twice" "" "$(pairs killed | uniq -d)"
check "a run with nothing to do" "$KMV" run a.ini -o killed -q
same "adds nothing" 36 "$(pairs killed | wc -l)"
# The numbers that do not depend on the clock are the same too.
column() { head -1 whole/raw.tsv | tr '\t' '\n' | grep -nx "$1" | cut -d: -f1; }
repeatable() { awk 'NR > 1' "$1/raw.tsv" | cut -f3,4,"$(column err_l2)","$(column y_sum)","$(column seed)" | sort; }
same "same numbers" "$(repeatable whole)" "$(repeatable killed)"
# A damaged cache is computed again.
for f in whole/cache/*.ref; do printf 'x' | dd of="$f" bs=1 seek=100 conv=notrunc 2>/dev/null; done
head -10 whole/raw.tsv >cut && mv cut whole/raw.tsv
check "with a damaged cache" "$KMV" run a.ini -o whole -q
same "the same numbers again" "$(repeatable killed)" "$(repeatable whole)"
rm "$(ls whole/cache/*.ref | sed -n 3p)"
head -10 whole/raw.tsv >cut && mv cut whole/raw.tsv
check "with one reference missing" "$KMV" run a.ini -o whole -q
same "the same numbers once more" "$(repeatable killed)" "$(repeatable whole)"
# Adding a case moves no other.
sed 's/^n = 64, 128/n = 64, 96, 128/' a.ini >more.ini
check "more cases" "$KMV" run more.ini -o more -q
same "the old ones stay as they were" "$(repeatable killed)" "$(repeatable more | grep -F "$(repeatable killed)")"
# SIGTERM: a clean end; what is there stays.
sed 's/^min_time = 0/min_time = 5/' a.ini >slow.ini
"$KMV" run slow.ini -o slow -q >out 2>err &
pid=$!
for _ in $(seq 100); do [ -s slow/raw.tsv ] && break; sleep 0.05; done
bad "two runs in one folder" 2 "slow: another kmv run works in this folder" "$KMV" run slow.ini -o slow -q
kill -TERM $pid
wait $pid
same "interrupted" 1 $?
# Limits: one row each that says so, and the rest goes on.
check "time limit" "$KMV" run slow.ini -o limit -q --limit-time 1 --filter "algo=exact,n=64,x=ones"
same "timeout rows" "timeout longer than the limit" "$(awk -F'\t' 'NR > 1 {print $5, substr($6, 1, 21)}' limit/raw.tsv)"
bad_rc() { "$@" >out 2>err; echo $?; }
same "strict" 1 "$(bad_rc "$KMV" run slow.ini -o limit -q --strict --filter "algo=exact,n=64,x=ones")"
# A case that needs more memory than it may have.
sed 's/^n = .*/n = 65536/; s/^d = 8/d = 256/; s/^algo.*/algo = exact/' a.ini >large.ini
check "memory limit" "$KMV" run large.ini -o memory -q --limit-memory 1M --filter "algo=exact,x=ones"
same "oom row" "oom" "$(awk -F'\t' 'NR > 1 {print $5}' memory/raw.tsv)"

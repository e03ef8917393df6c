. "$ROOT/tests/cli/lib"
# Outside programs: the numpy one end to end, and what becomes of others that are not there, crash, or take
# too long. All but numpy are hidden behind modules of their names, so that the test is the same whatever
# is installed.
if ! "$PYTHON" -c 'import h5py, numpy' 2>/dev/null; then
    echo "ok numpy and h5py are not here, nothing to test"
    exit 0
fi
mkdir hidden
echo 'raise ImportError("No module named torch")' >hidden/torch.py
echo 'import os; print("about to crash"); os._exit(7)' >hidden/sklearn.py
printf '__version__ = "0"\ndef set_verbose(_): pass\n' >hidden/pykeops.py
export PYTHONPATH="$PWD/hidden" PYTHONDONTWRITEBYTECODE=1
peers() {
    "$PYTHON" "$ROOT/scripts/peers/peers.py" --kmv "$KMV" --threads 1 --min-time 0.001 "$@"
}
# cells COLUMN... WHERE: the columns of the rows of dir/raw.tsv where WHERE (of awk, $at["name"]) holds.
cells() {
    awk -F'\t' "NR == 1 { for (i = 1; i <= NF; i++) at[\$i] = i; next } $2 { print $1 }" dir/raw.tsv
}

"$KMV" gen planted n=150 d=8 r=3 -o p.h5:planted -q >/dev/null
check "four products" peers -o dir --file p.h5 --reps 2 --algo exact --peers numpy-blas,torch-sdpa
same "all columns of kmv" "$("$KMV" list metrics | awk '/^[a-z]/ { printf "%s ", $1 }')" "$(head -1 dir/raw.tsv | tr '\t' ' ') "
for algo in numpy-blas exact; do
    same "each repetition of each product by $algo" 8 \
        "$(cells '$at["rep"]' '$at["algo"] == "'$algo'" && $at["status"] == "ok"' | wc -l)"
done
# float32: at most 150 entries a row, each off by some 1e-7 of itself.
same "no error above 1e-5" "" "$(cells '$at["err_l2"]' \
    '$at["algo"] == "numpy-blas" && !($at["err_l2"] > 0 && $at["err_l2"] <= 1e-5)')"
# kmv judges its rows by itself: what 0 and the mean of V would miss has to come out the same.
for what in null_err mean_err; do
    same "$what is kmv's" 0 "$(awk -F'\t' -v what=$what 'NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i; next }
        $at["status"] == "ok" { key = $at["matrix"] $at["causal"] $at["x_kind"]
            v[key, $at["algo"]] = $at[what]; keys[key] }
        END { for (k in keys) { a = v[k, "exact"]; b = v[k, "numpy-blas"]
            bad += (a == "") != (b == "") || !(a - b <= 1e-5 * a && b - a <= 1e-5 * a) }
            print bad + 0 }' dir/raw.tsv)"
done
same "what is missing is skipped, once, with the reason" "skipped not installed: No module named torch" \
    "$(cells '$at["status"] " " $at["reason"]' '$at["algo"] == "torch-sdpa" && $at["matrix"] == "softmax"' | sort -u)"
check "kmv reads the folder" "$KMV" table dir --format tsv
same "and compares" 4 "$(awk -F'\t' 'NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i; next }
    $at["algo"] == "numpy-blas" && $at["speedup_apply_med"] > 0 && $at["ok"] == 2' out | wc -l)"
check "the report names the command" grep -q "^scripts/peers/run.sh --kmv .* -o dir" dir/report.md
check "two sessions compared" "$KMV" compare dir dir
check "as Markdown" "$PYTHON" "$ROOT/scripts/peers/table.py" dir --kmv "$KMV"
same "a line for each product" 4 "$(grep -c '^| numpy-blas | - | 2 | [0-9]' out)"
printf 'before\n<!-- peers: begin -->\nold\n<!-- peers: end -->\nafter\n' >doc.md
check "into a document" "$PYTHON" "$ROOT/scripts/peers/table.py" dir --kmv "$KMV" --into doc.md
same "between its marks" "before 0 after" "$(head -1 doc.md) $(grep -c old doc.md) $(tail -1 doc.md)"
bad "not over results" 2 "dir: has results already" peers -o dir --file p.h5
bad "an unknown program" 2 "--peers: want" peers -o other --file p.h5 --peers numpy
bad "no such group" 2 "p.h5:none: want a group" peers -o other2 --file p.h5:none
bad "no such file" 2 "nowhere.h5" peers -o other --file nowhere.h5

# -- a crash is an error, and takes nothing else with it
rm -r dir
peers -o dir --file p.h5:planted --reps 1 --algo exact --products ones --peers sklearn-kde,keops,numpy-blas >out 2>err
same "an error makes the exit code 1" 1 $?
same "the last words of what crashed" "error ended with code 7: about to crash" \
    "$(cells '$at["status"] " " $at["reason"]' '$at["algo"] == "sklearn-kde"' | sort -u)"
same "an exception" "error ModuleNotFoundError" \
    "$(cells '$at["status"] " " $at["reason"]' '$at["algo"] == "keops"' | cut -d: -f1)"
same "the others run" "ok" "$(cells '$at["status"]' '$at["algo"] == "numpy-blas"')"

# -- time runs out (no product is done within a nanosecond), and the next problem is done all the same
check "a limit" "$PYTHON" - "$ROOT/scripts/peers" <<'END'
import sys
sys.path.insert(0, sys.argv[1])
import method, problems
from asking import Worker
worker = Worker(next(m for m in method.find_all() if m.name == "numpy-blas"), 1, ".")
problems.write(problems.Spec("p", "p.h5:planted", "ones", 0), "one.h5", 1)
answer = worker.ask("one.h5", "y.h5", 0.001, 1e-9)
assert answer["status"] == "timeout" and "longer than" in answer["reason"], answer
answer = worker.ask("one.h5", "y.h5", 0.001, 60)
assert answer["status"] == "ok", answer
worker.end()
END

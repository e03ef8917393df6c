. "$ROOT/tests/cli/lib"
cat > a.ini <<'END'
[experiment]
seed = 7
reps = 2
min_time = 0
[dataset blobs]
generator = planted
[sweep]
dataset = blobs
algo = null, exact
n = 32, 64
d = 8
sigma = x1, sum:1
eps = 0.1, 0.5
END
check dry_run "$KMV" run a.ini --dry-run
same "eps multiplies only what uses it" "8 cases, 2 repetitions each; 0 measures" "$(tail -1 out)"
check run "$KMV" run a.ini -o dir -q
same "nothing on stderr with -q" "" "$(cat err)"
same "all rows are there" 16 "$(awk 'NR > 1' dir/raw.tsv | wc -l)"
same "no pair twice" "" "$(cut -f3,4 dir/raw.tsv | sort | uniq -d)"
column() { head -1 dir/raw.tsv | tr '\t' '\n' | grep -nx "$1" | cut -d: -f1; }
same "all ok" ok "$(awk 'NR > 1' dir/raw.tsv | cut -f"$(column status)" | sort -u)"
same "the instruction set has its name" "$(awk -F'\t' 'NR == 1 { for (i = 1; i <= NF; i++) c[$i] = i } $c["algo"] == "exact" { print $c["isa"]; exit }' dir/raw.tsv)" \
    "$(awk -F'\t' '$1 == "isa" { print $2 }' dir/provenance.tsv)"
check "progress" "$KMV" run a.ini -o told -v
same "says nothing empty" "" "$(grep -E '(=|=\{\}) |=$|threads=0' err)"
same "but what runs" 1 "$(grep -q 'generator=planted n=32 .*sigma=sum:1 x=gauss algo=exact$' err && echo 1)"
cp dir/raw.tsv before
check again "$KMV" run a.ini -o dir -q
check "a second run adds nothing" cmp before dir/raw.tsv
check filter "$KMV" run a.ini --dry-run --filter algo=exact,n=64
same "filter keeps two" "2 cases, 2 repetitions each; 0 measures" "$(tail -1 out)"
bad "filter without a match" 2 "no case matches" "$KMV" run a.ini --dry-run --filter algo=exakt
# The example of the documentation is a configuration that runs.
sed -n '/^```ini/,/^```$/p' "$ROOT/docs/experiments.md" | grep -v '^```' >doc.ini
ln -s "$ROOT/datasets" datasets
check "the example of the docs" "$KMV" run doc.ini --dry-run
# Real heads, softmax, masks, and what cannot be: rows for all of it.
cat > b.ini <<'END'
[experiment]
reps = 1
min_time = 0
verify_pairs = 100
verify_rows = 8
[dataset e]
file = datasets/encoder.h5:heads#0,1
[dataset p]
generator = iid
[sweep]
dataset = e, p
algo = null, exact-f64
n = 32
d = 32
matrix = gauss, softmax
causal = no, yes
center = match
sigma = x2, sum:0.25
x = v, sparse:3
END
check "softmax and masks" "$KMV" run b.ini -o mixed -q
get() { awk -F'\t' -v want="$2" 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == want) c = i } NR > 1 && ('"$1"') { print $c }' mixed/raw.tsv | sort -u; }
same "one row per case" 64 "$(awk 'NR > 1' mixed/raw.tsv | wc -l)"
same "judged on rows" "rows:8" "$(get '$5 == "ok"' err_kind)"
same "reasons to skip" "sigma = sum:0.25 is for gauss matrices only
x: the problem has no values for kind 'v'" "$(get '$5 == "skipped"' reason)"
same "the reference agrees with itself" 0 "$(get '$5 == "ok" && $20 == "exact-f64"' err_l2)"
same "answering 0 is off by all of it" 1 "$(get '$5 == "ok" && $20 == "null"' err_rel)"
for c in mean_err err_op null_op mean_op err_rel_mean p_op p_op_tol row_err_p50 row_err_p95 row_err_max; do
    same "softmax fills $c" "" "$(awk -F'\t' -v want=$c 'NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i; next }
        $at["status"] == "ok" && ($at["matrix"] == "softmax") != ($at[want] != "") && want !~ /^row/ ||
        $at["status"] == "ok" && $at[want] == "" && want ~ /^row/' mixed/raw.tsv)"
done
awk -F'\t' 'NR == 1 { for (i = 1; i <= NF; i++) c[$i] = i; next }
    $c["status"] == "ok" && $c["matrix"] == "softmax" && $c["algo"] == "null" { print $c["err_op"] - $c["null_op"] }' \
    mixed/raw.tsv | sort -u >zero
same "null errs by what null errs by" 0 "$(cat zero)"
same "x of softmax is v" "v" "$(sed 's/^x = .*//; s/, p$//; s/gauss, //' b.ini >v.ini; "$KMV" run v.ini --dry-run | grep -o ' x=[a-z]*' | sort -u | cut -d= -f2)"
# Fewer queries than keys: all of both, unless n says otherwise.
if "$PYTHON" -c 'import h5py, numpy' 2>/dev/null; then
    "$PYTHON" - <<'END'
import h5py, numpy as np
g = np.random.default_rng(1)
for name, n_q, n_k in ("few.h5", 50, 120), ("many.h5", 120, 50):
    with h5py.File(name, "w") as f:
        f["q"] = g.normal(size=(n_q, 4)).astype("f4")
        f["k"] = g.normal(size=(n_k, 4)).astype("f4")
END
    for file in few many; do
        for n in "" "n = all" "n = 80" "n = 20"; do
            cat > c.ini <<END
[experiment]
reps = 1
min_time = 0
[dataset a]
file = $file.h5
[sweep]
dataset = a
algo = exact
causal = yes
sigma = x1, sum:1
$n
[measure]
dataset = a
$n
END
            rm -rf c
            check "$file $n" "$KMV" run c.ini -o c -q
            for t in raw measure; do
                awk -F'\t' 'NR == 1 { for (i = 1; i <= NF; i++) c[$i] = i }
                    NR > 1 { print $c["n_q"], $c["n_k"] }' c/$t.tsv | sort -u
            done >counts
            case "$file $n" in
            *20) want="20 20" ;;
            "few n = 80") want="50 80" ;;
            "many n = 80") want="80 50" ;;
            few*) want="50 120" ;;
            many*) want="120 50" ;;
            esac
            same "$file $n: counts" "$want" "$(sort -u counts)"
            same "$file $n: no sum below 0" "" "$(grep 'in (0, -' c/raw.tsv)"
        done
    done
fi

# A generator's own number of keys is no prefix of its queries.
cat > c.ini <<'END'
[experiment]
min_time = 0
[dataset keys]
generator = clusters
n_k = 50
r = 2
[sweep]
dataset = keys
matrix = softmax
causal = no
algo = exact
n = 4
[measure]
dataset = keys
n = 4
END
rm -rf c
check "fewer queries than keys" "$KMV" run c.ini -o c -q
for t in raw measure; do
    same "all keys: $t" "4 50" "$(awk -F'\t' 'NR == 1 { for (i = 1; i <= NF; i++) c[$i] = i }
        NR > 1 { print $c["n_q"], $c["n_k"] }' c/$t.tsv | sort -u)"
done

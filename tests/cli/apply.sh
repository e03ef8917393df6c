# `kmv apply`: results, defaults, whole files, and everything that can be asked wrongly.
. "$ROOT/tests/cli/lib"
E=$ROOT/datasets/encoder.h5
H=$E:heads#1,2
D=$ROOT/datasets/decoder.h5
line() { sed -n "s/^$1: //p" out; }

# -- one product, its printed lines
check 'one head' "$KMV" apply "$H" --algo exact --x gauss -o one.h5
for name in problem algo plan isa t_prepare_s t_apply_s t_certify_s pairs_frac flops mem_peak_b \
    bound bound_kind err_est trivial result; do
    same "prints $name" 1 "$(grep -c "^$name:" out)"
done
same 'default sigma' 2.37841423 "$(line sigma)"
same 'result named y' one.h5:y "$(line result)"
check 'path of the result' "$KMV" apply "$H" --algo exact-f64 --x gauss -o one.h5:deep/f64
same 'result named' one.h5:deep/f64 "$(line result)"
check 'options of an algorithm' "$KMV" apply "$H" --algo uniform:samples=64,pilot=8 --x sign -o u.h5
within 'a quarter of the pairs' "$(line pairs_frac)" 0.05 0.6
check 'importance' "$KMV" apply "$H" --algo importance --eps 0.5 --x abs-gauss -o i.h5
check 'result as x' "$KMV" apply "$H" --algo exact --x one.h5:y -o one.h5:twice
check 'sigma given' "$KMV" apply "$H" --algo exact --sigma 1.5 --x spike -o s.h5
same 'sigma wins' 1.5 "$(line sigma)"
check 'twice the natural sigma' "$KMV" apply "$H" --algo exact --sigma x2 --x spike -o s.h5
same 'x2' 4.75682846 "$(line sigma)"
check 'sigma that makes sum/n 3' "$KMV" apply "$H" --algo exact --sigma sum:3 --x ones -o s.h5
sigma=$(line sigma)
check 'sum/n at it' "$KMV" measure "$H" --sigma "$sigma" --n all --columns sum_over_n
within 'is 3' "$(tail -1 out)" 2.999 3.001
# solved for the problem as it is asked, shift and mask included
for where in '--center keys' '--center match' '--causal yes' '--center match --causal yes'; do
    check "measure sum:2 $where" "$KMV" measure "$H" --sigma sum:2 $where --n all --columns sigma
    found=$(tail -1 out)
    check "sum:2 $where" "$KMV" apply "$H" --algo exact --sigma sum:2 $where --x ones -o s.h5 --json
    within 'the sigma of measure' "$(sed 's/.*"sigma":\([^,]*\),.*/\1/' out)" \
        "$(echo "$found" | awk '{ printf "%.12g", $1 * (1 - 1e-6) }')" \
        "$(echo "$found" | awk '{ printf "%.12g", $1 * (1 + 1e-6) }')"
done
check 'causal, sparse x' "$KMV" apply "$H" --algo exact --causal yes --x sparse:3 -o c.h5
same 'causal' yes "$(line causal)"
check 'x of zeros' "$KMV" apply "$H" --algo exact --x zero -o z.h5

# -- softmax: what the file says about the mask, values as x
check 'softmax' "$KMV" apply "$H" --algo exact-f64 --matrix softmax --x v -o v.h5
same 'mask of an encoder' no "$(line causal)"
same 'columns of v' 32 "$(line r)"
check 'softmax of a decoder' "$KMV" apply "$D:L09H8" --algo null --matrix softmax --x ones -o d.h5
same 'mask of a decoder' yes "$(line causal)"
check 'gauss of a decoder' "$KMV" apply "$D:L09H8" --algo null --x ones -o d.h5
same 'no mask unless asked' no "$(line causal)"

# -- JSON, whole files
check 'json' "$KMV" apply "$H" --algo exact --x ones -o j.h5 --json
same 'one object' 1 "$(grep -c '^{.*"pairs_frac":1,.*"bound":null.*}$' out)"
check 'whole file' "$KMV" apply "$E" --algo exact --x ones -o all.h5 --json
same 'every head' 8 "$(wc -l <out)"
same 'result by group' 1 "$(grep -c '"result":"all.h5:heads#0,3/y"' out)"

# -- what h5py sees (where there is one)
if "$PYTHON" -c 'import h5py, numpy' 2>/dev/null; then
    check 'threads keep bits' "$KMV" apply "$H" --algo exact --x gauss -o one.h5:two --threads 2
    check 'agreement, bits, attributes' "$PYTHON" - <<'PY'
import h5py, numpy as np
f = h5py.File("one.h5", "r")
y, ref = f["y"][:], f["deep/f64"][:]
assert y.shape == (256, 1) and y.dtype == np.float64
assert np.linalg.norm(y - ref) <= 1e-5 * np.linalg.norm(ref)
assert (f["two"][:] == y).all()
assert f["y"].attrs["algo"] == "exact" and f["y"].attrs["seed"] == 1
bad = np.ones(256)
bad[17] = np.nan
with h5py.File("nan.h5", "w") as g:
    g["x"] = bad
    g["short"] = np.ones(255)
PY
    bad 'NaN in x' 2 'nan.h5' "$KMV" apply "$H" --algo exact --x nan.h5:x -o b.h5
    bad 'x too short' 2 'want 256 rows' "$KMV" apply "$H" --algo exact --x nan.h5:short -o b.h5
fi

# -- asked wrongly: one line, exit code 2
bad 'no algorithm' 2 '--algo' "$KMV" apply "$H" --x ones -o b.h5
bad 'unknown algorithm' 2 "did you mean 'exact'?" "$KMV" apply "$H" --algo exakt --x ones -o b.h5
bad 'unknown option of it' 2 "did you mean 'samples'?" "$KMV" apply "$H" --algo uniform:sample=3 --x ones -o b.h5
bad 'option out of range' 2 'samples' "$KMV" apply "$H" --algo uniform:samples=-3 --x ones -o b.h5
bad 'no x' 2 '--x' "$KMV" apply "$H" --algo exact -o b.h5
bad 'unknown kind of x' 2 "did you mean 'gauss'?" "$KMV" apply "$H" --algo exact --x gaus -o b.h5
bad 'too sparse' 2 '256 keys' "$KMV" apply "$H" --algo exact --x sparse:257 -o b.h5
bad 'no file of x' 2 'missing.h5' "$KMV" apply "$H" --algo exact --x missing.h5:x -o b.h5
bad 'no output' 2 '-o' "$KMV" apply "$H" --algo exact --x ones
bad 'output folder missing' 2 'no/such' "$KMV" apply "$H" --algo exact --x ones -o no/such/b.h5
bad 'sigma 0' 2 '--sigma: want a number > 0' "$KMV" apply "$H" --algo exact --x ones -o b.h5 --sigma 0
bad 'sigma negative' 2 '--sigma: want a number > 0' "$KMV" apply "$H" --algo exact --x ones -o b.h5 --sigma=-1
bad 'sigma x0' 2 '--sigma: want a number > 0, x2 (times the natural one) or sum:1' "$KMV" apply "$H" --algo exact --x ones -o b.h5 --sigma x0
bad 'a list of sigmas' 2 "got '1,2'" "$KMV" apply "$H" --algo exact --x ones -o b.h5 --sigma 1,2
bad 'sum out of reach' 2 'encoder.h5:heads#1,2: sum:257' "$KMV" apply "$H" --algo exact --x ones -o b.h5 --sigma sum:257
bad 'sum of softmax' 2 'sum:1 is for the gauss matrix only' "$KMV" apply "$H" --algo exact --x ones -o b.h5 --sigma sum:1 --matrix softmax
bad 'sigma NaN' 2 "got 'nan'" "$KMV" apply "$H" --algo exact --x ones -o b.h5 --sigma nan
bad 'eps 0' 2 '--eps: want a number > 0' "$KMV" apply "$H" --algo exact --x ones -o b.h5 --eps 0
bad 'eps negative' 2 '--eps' "$KMV" apply "$H" --algo exact --x ones -o b.h5 --eps -0.1
bad 'delta 1' 2 '--delta' "$KMV" apply "$H" --algo exact --x ones -o b.h5 --delta 1
bad 'matrix' 2 'want gauss or softmax' "$KMV" apply "$H" --algo exact --x ones -o b.h5 --matrix soft
# -- what float32 cannot reach, and what is nothing but 0
same 'one head is not trivial' no "$("$KMV" apply "$H" --algo exact --x gauss -o t.h5 | sed -n 's/^trivial: //p')"
check 'a tiny sigma' "$KMV" apply "$H" --algo exact --sigma 1e-2 --x gauss -o t.h5
same 'is trivial' yes "$(line trivial)"
for algo in probe importance uniform lsh paper; do
    bad "eps below float32 for $algo" 2 "$algo: eps = 1e-07 is below what float32 reaches (1e-06); want exact-f64 or auto" \
        "$KMV" apply "$H" --algo $algo --eps 1e-7 --x gauss -o t.h5
done
check 'samples as asked use no eps' "$KMV" apply "$H" --algo uniform:samples=8,pilot=8 --eps 1e-7 --x gauss -o t.h5
for matrix in gauss softmax; do
    check "auto, $matrix" "$KMV" apply "$D:L09H8" --algo auto --matrix $matrix --eps 1e-9 --x ones -o t.h5
    same 'goes on to float64' 1 "$(line plan | grep -c '^auto: exact-f64, since float32 may be off by')"
done
bad 'a candidate for gauss' 2 'auto: softmax knows only=any, exact and leaves' "$KMV" apply "$H" --algo auto:only=probe --x ones -o b.h5 --matrix softmax
check 'leaves for softmax' "$KMV" apply "$D:L09H8" --algo auto:only=leaves --x v -o t.h5 --matrix softmax
bad 'softmax not done' 2 'uniform: does not do softmax' "$KMV" apply "$H" --algo uniform --x ones -o b.h5 --matrix softmax
bad 'center' 2 'center' "$KMV" apply "$H" --algo exact --x ones -o b.h5 --center left
bad 'isa' 2 'avx9' "$KMV" apply "$H" --algo exact --x ones -o b.h5 --isa avx9
bad 'no such group' 2 'nothing' "$KMV" apply "$D:nothing" --algo exact --x ones -o b.h5
same 'nothing was written' 'b.h5 is not there' "$(ls b.h5 2>/dev/null || echo b.h5 is not there)"

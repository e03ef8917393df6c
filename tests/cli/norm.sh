# `kmv norm`: exact and through algorithms, its vectors, and what can be asked wrongly.
. "$ROOT/tests/cli/lib"
H=$ROOT/datasets/encoder.h5:heads#1,2
line() { sed -n "s/^$1: //p" out; }

check 'exact' "$KMV" norm "$H" -o n.h5
for name in problem matrix causal center n_q n_k d sigma algo norm iterations residual t_exact_s result; do
    same "prints $name" 1 "$(grep -c "^$name:" out)"
done
norm=$(line norm)
within 'converged' "$(line residual)" 0 1e-3
check 'as measured' "$KMV" measure "$H" --columns op_norm --matrix gauss
within 'the same norm' "$(tail -1 out)" "$(echo "$norm" | awk '{print $1 * 0.999}')" \
    "$(echo "$norm" | awk '{print $1 * 1.001}')"

# -- through an algorithm, the exact one beside it
check 'power method' "$KMV" norm "$H" --algo exact-f64 --exact yes --tol 1e-5 -o n.h5:power
within 'agrees' "$(line norm_rel_err)" 0 1e-3
within 'u agrees' "$(line cos_u)" 0.999 1.0001
within 'v agrees' "$(line cos_v)" 0.999 1.0001
same 'pairs of two products a step' 1 "$(line pairs_frac)"
check 'sampled products' "$KMV" norm "$H" --algo importance:samples=128 --exact yes --iterations 30
within 'mean of late steps' "$(line norm_mean)" "$(echo "$norm" | awk '{print $1 * 0.9}')" \
    "$(echo "$norm" | awk '{print $1 * 1.1}')"
line norm >first
check 'sampled products again' "$KMV" norm "$H" --algo importance:samples=128 --iterations 30 --threads 1
same 'same seed, same norm' "$(cat first)" "$(line norm)"
same 'exact only when asked' '' "$(line norm_exact)"
check 'the literal method' "$KMV" norm "$H" --algo paper --eps 0.5 --iterations 5
same 'algorithm named' paper "$(line algo)"

# -- softmax and causal matrices, exactly
check 'softmax' "$KMV" norm "$H" --matrix softmax --json
same 'one object' 1 "$(grep -c '^{.*"matrix":"softmax".*"norm":[0-9.]*,.*}$' out)"
check 'causal, sigma, center' "$KMV" norm "$H" --causal yes --sigma 3 --center match
same 'mask' yes "$(line causal)"
same 'sigma' 3 "$(line sigma)"
check 'twice the natural sigma' "$KMV" norm "$H" --sigma x2
same 'x2' 4.75682846 "$(line sigma)"
check 'sigma that makes sum/n 3' "$KMV" norm "$H" --sigma sum:3 --center keys --causal yes --json
same 'JSON has the sigma found' 1 "$(grep -c '"sigma":[0-9.]*,' out)"
sigma=$(sed 's/.*"sigma":\([^,]*\),.*/\1/' out)
check 'sum/n at it' "$KMV" measure "$H" --sigma "$sigma" --center keys --causal yes --n all --columns sum_over_n
within 'is 3' "$(tail -1 out)" 2.999 3.001

# -- what h5py sees
if "$PYTHON" -c 'import h5py, numpy' 2>/dev/null; then
    check 'vectors' "$PYTHON" - "$norm" <<'PY'
import h5py, numpy as np, sys
f = h5py.File("n.h5", "r")
for group in ("", "power/"):
    u, v = f[group + "u"][:], f[group + "v"][:]
    assert u.shape == (256, 1) and v.shape == (256, 1)
    assert abs(np.linalg.norm(u) - 1) < 1e-9 and abs(np.linalg.norm(v) - 1) < 1e-9
    assert abs(f[group + "u"].attrs["norm"] / float(sys.argv[1]) - 1) < 1e-3
PY
fi

# -- asked wrongly: one line, exit code 2
bad 'no file' 2 'an argument is missing' "$KMV" norm
bad 'several problems' 2 'heads' "$KMV" norm "$ROOT/datasets/encoder.h5:heads"
bad 'unknown algorithm' 2 "did you mean 'exact'?" "$KMV" norm "$H" --algo exakt
bad 'bad option of it' 2 'samples' "$KMV" norm "$H" --algo uniform:samples=-3
bad 'softmax through one' 2 'Gaussian' "$KMV" norm "$H" --algo exact --matrix softmax
bad 'causal through one' 2 'causal' "$KMV" norm "$H" --algo exact --causal yes
bad 'neither way' 2 '--exact no' "$KMV" norm "$H" --exact no
bad 'no iterations' 2 '--iterations' "$KMV" norm "$H" --iterations 0
bad 'tolerance 0' 2 '--tol' "$KMV" norm "$H" --tol 0
bad 'eps 0' 2 '--eps' "$KMV" norm "$H" --algo exact --eps 0
bad 'sigma a word' 2 "--sigma: want a number > 0, x2" "$KMV" norm "$H" --sigma wide
bad 'sum of softmax' 2 'sum:1 is for the gauss matrix only' "$KMV" norm "$H" --sigma sum:1 --matrix softmax
bad 'unknown ISA' 2 'avx9' "$KMV" norm "$H" --isa avx9
bad 'output folder missing' 2 'no/such' "$KMV" norm "$H" -o no/such/n.h5

# What is not taken silently: words given twice, names that a command does not use, half answers.
. "$ROOT/tests/cli/lib"
"$KMV" gen planted n=64 d=3 r=2 -o p.h5:p >/dev/null
a="apply p.h5:p --x ones -o y.h5"
# shellcheck disable=SC2086 # words
{
bad 'sigma twice' 2 '--sigma: given twice' "$KMV" $a --algo exact --sigma 1 --sigma=2
bad 'algo twice' 2 '--algo: given twice' "$KMV" $a --algo exact --algo null
bad 'seed twice' 2 '--seed: given twice' "$KMV" --seed 1 $a --algo exact --seed 2
check 'a flag twice' "$KMV" -q list isas -q
bad 'isa where none is used' 2 "foo" "$KMV" list isas --isa foo
bad 'delta 1' 2 '--delta: want a number in (0, 1), got' "$KMV" $a --algo exact --delta 1
bad 'sigma too large' 2 'square is finite' "$KMV" $a --algo exact --sigma 1e300
check 'no pilot rows' "$KMV" $a --algo importance:pilot=0,samples=20
same 'nor words about them' 0 "$(grep -c 'pilot rows' out)"
same 'no nan' 0 "$(grep -ci 'nan' out)"
same 'but none' 1 "$(grep -c '^err_est: none$' out)"
}
bad 'more sinks than keys' 2 'sink: sinks: want at most the 2 keys, got 4' \
    "$KMV" gen sink n=2 sinks=4 -o s.h5:s
bad 'a column twice' 2 "'n_q' is named twice" "$KMV" measure p.h5:p --columns n_q,n_k,n_q

# -- measure: nothing is printed before every input was found; the exponent over distinct sizes
bad 'second file missing' 2 'missing.h5' "$KMV" measure p.h5:p missing.h5
same 'no half table' 0 "$(wc -c <out)"
"$KMV" gen planted n=64 d=3 -o m.h5:a >/dev/null
check 'two files' "$KMV" measure p.h5 m.h5 --n all
same 'progress over all' 'measure: 2/2 m.h5:a' "$(tail -n 1 err)"
bad 'names the file' 2 'p.h5:p: want n <= 64, got 65' "$KMV" measure p.h5:p --n 65
"$KMV" gen iid n=16 n_k=64 d=2 -o w.h5:w >/dev/null
check 'more keys than queries' "$KMV" measure w.h5:w --n 8,16,32,64,64 --columns alpha_kind
same 'four sizes' 5 "$(grep -c ' 4 dependent sizes' out)"

# -- kmv info: the type of v; an HDF5 file as a config is one clean line
check 'info' "$KMV" info p.h5
same 'type of v' 'v_type: float64' "$(sed -n 's/^ *v_type/v_type/p' out)"
bad 'HDF5 as config' 2 'p.h5' "$KMV" run p.h5 -o none
same 'no raw bytes' 0 "$(LC_ALL=C tr -d '\n -~' <err | wc -c)"
if "$PYTHON" -c 'import h5py' 2>/dev/null; then
    "$PYTHON" -c '
import h5py, numpy as np
with h5py.File("own.h5", "w") as f:
    for name, key, value in (("a", "layer", -1), ("b", "sigma", "two"), ("c", "sigma", 2.0)):
        g = f.create_group(name)
        g["q"] = g["k"] = np.ones((4, 2), "f4")
        g.attrs[key] = value
    f["c"].attrs["scale"] = 9.0
    f["c/xi"] = np.ones(4, "i4")'
    bad 'layer -1' 2 'attribute layer: want an integer in [0, 1048576], found -1' "$KMV" info own.h5:a
    bad 'sigma a text' 2 'attribute sigma: want a number, found a text' "$KMV" info own.h5:b
    bad 'names the problem once' 2 'kmv: own.h5:c: attributes sigma 2 and' \
        "$KMV" apply own.h5:c --matrix softmax --algo exact --x ones -o z.h5
    bad 'path of x' 2 'own.h5:c: xi: want float16' "$KMV" apply p.h5:p --algo exact --x own.h5:c/xi -o z.h5
fi

# The example of the README runs as it stands there, and its result is the product.
. "$ROOT/tests/cli/lib"
python=
for candidate in python3 /usr/bin/python3; do
    if "$candidate" -c 'import h5py, numpy' 2>/dev/null; then python=$candidate && break; fi
done
if [ -z "$python" ]; then
    echo "not ok README example: no python3 with h5py (scripts/setup.sh installs it)"
    exit 1
fi
sed -n '/^```python$/,/^```$/p' "$ROOT/README.md" | sed '1d;$d' >example.py
same "README example has six lines" 6 "$(wc -l <example.py)"
mkdir -p build && ln -s "$KMV" build/kmv
cat >>example.py <<'P'
K = np.exp(-((q[:, None] - k[None]) ** 2).sum(2) / 8)
print(np.linalg.norm(y - K @ x) / np.linalg.norm(K @ abs(x)))
P
check "README example runs" "$python" example.py
within "README example is right" "$(tail -1 out)" 0 1e-5

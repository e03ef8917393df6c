# The example of the README runs as it stands there, and its result is the product.
. "$ROOT/tests/cli/lib"
sed -n '/^```python$/,/^```$/p' "$ROOT/README.md" | sed '1d;$d' >example.py
same "README example has six lines" 6 "$(wc -l <example.py)"
mkdir -p build && ln -s "$KMV" build/kmv
cat >>example.py <<'P'
K = np.exp(-((q[:, None] - k[None]) ** 2).sum(2) / 8)
print(np.linalg.norm(y - K @ x) / np.linalg.norm(K @ abs(x)))
P
check "README example runs" "$PYTHON" example.py
within "README example is right" "$(tail -1 out)" 0 1e-5

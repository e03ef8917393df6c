# The commands of docs/examples.md run as they stand there, and their answers are what it says.
. "$ROOT/tests/cli/lib"
line() { sed -n "s/^$1: //p" out; }
mkdir -p build && ln -s "$KMV" build/kmv
sed -n '/^```sh$/,/^```$/p' "$ROOT/docs/examples.md" | grep -v '^```' >commands
same 'commands found' 9 "$(wc -l <commands)"
# Smaller, so that the test is quick; the words stay those of the document.
sed 's/n=4096/n=600/' commands >small
while read -r command; do
    check "$command" sh -c "$command"
done <small
within 'norms beside one another' "$(line norm_mean)" "$(line norm_exact | awk '{print 0.8 * $1}')" \
    "$(line norm_exact | awk '{print 1.2 * $1}')"
if "$PYTHON" -c 'import h5py, numpy' 2>/dev/null; then
    sed -n '/^```python$/,/^```$/p' "$ROOT/docs/examples.md" | grep -v '^```' >example.py
    check 'densities compared' "$PYTHON" example.py
    within 'paper meets eps' "$(sed -n 's/^paper error . |x|: \([^ ]*\) .*/\1/p' out)" 0 1
    within 'auto meets eps' "$(sed -n 's/^auto error . |x|: \([^ ]*\) .*/\1/p' out)" 0 1
    within 'uniform meets eps' "$(sed -n 's/^uniform error . |x|: \([^ ]*\) .*/\1/p' out)" 0 1
fi

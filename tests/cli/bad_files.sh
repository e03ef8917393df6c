# Files that the reader refuses: exit code 2 and one line, from `kmv info`.
. "$ROOT/tests/cli/lib"
"$(dirname "$KMV")/tests/tools/make_h5" . >cases || exit 1
while IFS='	' read -r name address message; do
    bad "$name" 2 "$message" "$KMV" info "$address"
done <cases
bad missing 2 'nothing.h5: No such file or directory' "$KMV" info nothing.h5
bad folder 2 'found a folder' "$KMV" info .
mkfifo pipe
bad pipe 2 'found a device or pipe' "$KMV" info pipe
cp "$ROOT/datasets/decoder.h5" whole.h5
check copy "$KMV" info whole.h5
# Cut and overwritten places of a real file: an error in one line, or the hash still agrees.
# damaged NAME: judge `kmv info` of bad.h5.
damaged() {
    "$KMV" info bad.h5:L09H8 >out 2>err
    rc=$?
    lines=$(wc -l <err)
    if [ "$rc" -eq 2 ] && [ "$lines" -eq 1 ] ||
        { [ "$rc" -eq 0 ] && [ "$lines" -eq 0 ] && grep -q 'attribute agrees' out; }; then
        echo "ok $1"
    else
        echo "not ok $1: rc $rc, $lines lines: $(head -3 err)"
    fi
}
for size in 1 100 600 2000 100000 3000000 6520321; do
    head -c $size whole.h5 >bad.h5
    damaged "cut at $size"
done
for at in 0 8 13 44 96 136 800 1200 2048 40000 1000000 6000000; do
    cp whole.h5 bad.h5
    printf '\377\377\377\377' | dd of=bad.h5 bs=1 seek=$at conv=notrunc 2>/dev/null
    damaged "overwritten at $at"
done

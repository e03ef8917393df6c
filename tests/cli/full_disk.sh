# A disk that fills up while a run writes: one line, exit code 2, and what was written stays; with
# room again the same command finishes. The disk is a small tmpfs in a mount namespace of its own,
# for which one must be root; otherwise only the first check is made (test_run.c fills a file up to
# its size limit in any case).
. "$ROOT/tests/cli/lib"
cat > a.ini <<'END'
[experiment]
reps = 4
min_time = 0
[dataset blobs]
generator = planted
[sweep]
dataset = blobs
algo = null, exact
n = 16, 32, 64, 128
d = 8
END
check "without a full disk" "$KMV" run a.ini -o whole -q
cat > inside.sh <<'END'
mkdir full && mount -t tmpfs -o size=2M none full || exit 77
head -c 2050000 /dev/zero >full/filler
"$KMV" run a.ini -o full/dir -q >out1 2>err1
echo $? >rc
cp full/dir/raw.tsv filled.tsv 2>/dev/null
rm full/filler
"$KMV" run a.ini -o full/dir -q >out2 2>err2
echo $? >rc2
cp full/dir/raw.tsv finished.tsv
END
unshare -m sh inside.sh 2>/dev/null
if [ -e rc ]; then
    same "full disk: exit code" 2 "$(cat rc)"
    same "full disk: one line" 1 "$(wc -l <err1)"
    check "full disk: it says so" grep -q "No space left on device" err1
    same "full disk: whole rows only" "" "$(tail -c 1 filled.tsv | tr -d '\n')"
    same "room again: exit code" 0 "$(cat rc2)"
    same "room again: all rows" "$(cut -f3,4 whole/raw.tsv | sort)" "$(cut -f3,4 finished.tsv | sort)"
    same "nothing lost" "$(cat filled.tsv)" "$(head -n "$(wc -l <filled.tsv)" finished.tsv)"
fi

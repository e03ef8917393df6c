# Where output goes: links are followed, what is no regular file stays, inputs are not overwritten.
. "$ROOT/tests/cli/lib"
"$KMV" gen planted n=64 d=3 r=2 -o p.h5:p >gen.txt
cat >a.ini <<'END'
[experiment]
reps = 1
min_time = 0
[dataset blobs]
generator = planted
[sweep]
dataset = blobs
algo = exact
n = 16
d = 3
END
check 'results to write' "$KMV" run a.ini -o dir -q

# -- text files
mkfifo pipe pipe.html
echo old >there
chmod 640 there
ln -s there link
ln -s nowhere loose
for command in "measure p.h5:p" "table dir"; do
    # shellcheck disable=SC2086 # words
    bad "$command: a pipe" 2 'pipe: want a regular file to write to, found a pipe' "$KMV" $command -o pipe
    # shellcheck disable=SC2086
    bad "$command: a loose link" 2 'a link that leads nowhere' "$KMV" $command -o loose
    # shellcheck disable=SC2086
    check "$command: a link" "$KMV" $command -o link
    check "$command: the link stays" test -L link
    same "$command: it was followed" 1 "$(head -n 1 there | grep -vc "^old")"
    same "$command: permissions stay" 640 "$(stat -c %a there)"
    echo old >there
done
check 'the pipe stays' test -p pipe
bad 'report: a pipe' 2 'pipe.html: want a regular file' "$KMV" report dir -o pipe
check 'its pipe stays' test -p pipe.html
bad 'a folder' 2 'dir: want a regular file to write to, found a folder' "$KMV" table dir -o dir
if mknod null c 1 3 2>/dev/null; then
    bad 'a device' 2 'null: want a regular file' "$KMV" table dir -o null
    check 'the device stays' test -c null
fi
same 'no temporary file' '' "$(ls | grep 'tmp$')"

# -- kmv gen: the hash it prints is the one in the file; what it did not write stays
same 'hash with values' "$(sed 's/.*sha256 //' gen.txt)" \
    "$("$KMV" info p.h5 | sed -n 's/^ *sha256: \([0-9a-f]*\).*/\1/p')"
same 'the attribute agrees' 1 "$("$KMV" info p.h5 | grep -c 'attribute agrees')"
check 'what gen wrote may be replaced' "$KMV" gen planted n=64 d=3 r=2 --seed 2 -o p.h5:p
bad 'a step ..' 2 "want no step '..'" "$KMV" gen iid n=4 d=2 -o g.h5:a/../b

# -- kmv apply: no array of a problem, not x, nothing that is not a result
before=$(sha256sum <p.h5)
for name in q k v query p/q p/v other/key; do
    bad "result called $name" 2 'is the name of an array of a problem' \
        "$KMV" apply p.h5:p --algo exact --x v -o "p.h5:$name"
done
same 'the input is whole' "$before" "$(sha256sum <p.h5)"
check 'a result beside it' "$KMV" apply p.h5:p --algo exact --x v -o p.h5:p/y
check 'replaced' "$KMV" apply p.h5:p --algo exact --x gauss -o p.h5:p/y
bad 'x itself' 2 'is the x that is read' "$KMV" apply p.h5:p --algo exact --x p.h5:p/y -o p.h5:/p//y
ln -s p.h5 q.h5
bad 'x through a link' 2 'is the x that is read' "$KMV" apply p.h5:p --algo exact --x p.h5:p/y -o q.h5:p/y
if "$PYTHON" -c 'import h5py' 2>/dev/null; then
    "$PYTHON" -c '
import h5py, numpy as np
with h5py.File("p.h5", "a") as f:
    f["mine"] = np.ones(3)
    f.create_group("own")["q"] = np.ones((4, 2), "f4")
    f["own/k"] = np.ones((4, 2), "f4")
    f["a:b/q"] = np.ones((4, 2), "f4")
    f["a:b/k"] = np.ones((4, 2), "f4")'
    bad 'a dataset of the user' 2 "'mine' is there and no result of kmv" \
        "$KMV" apply p.h5:p --algo exact --x v -o p.h5:mine
    bad 'a problem of the user' 2 "'own' holds a problem that kmv gen did not write" \
        "$KMV" gen iid n=4 d=2 -o p.h5:own
    check 'a group with a colon' "$KMV" apply p.h5 --algo exact --x ones -o all.h5
    same 'keeps its whole name' 1 "$(grep -c '^result: all.h5:a:b/y$' out)"
fi

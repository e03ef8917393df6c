# Files that cannot be written: exit code 2, one line, and the target as it was; and what is written
# is read by other programs.
. "$ROOT/tests/cli/lib"
check 'first write' "$KMV" gen iid n=16 d=3 r=2 -o set.h5:a
before=$(sha256sum <set.h5)
# Files cannot grow beyond 8 blocks of 512 bytes: what a full disk does.
(
    ulimit -f 8
    bad 'full disk' 2 'set.h5' "$KMV" gen iid n=4096 d=64 -o set.h5:b
)
same 'the target is whole' "$before" "$(sha256sum <set.h5)"
same 'no temporary file' '' "$(ls | grep 'tmp$')"
bad 'unwritable folder' 2 '/proc/set.h5: cannot be written' "$KMV" gen iid n=16 d=3 -o /proc/set.h5:a
bad 'missing folder' 2 'no/set.h5: cannot be written' "$KMV" gen iid n=16 d=3 -o no/set.h5:a
bad 'a device' 2 '/dev/null: want a regular file' "$KMV" gen iid n=16 d=3 -o /dev/null:a
echo text >text.h5
bad 'no HDF5 file' 2 'text.h5: cannot be opened as an HDF5 file' "$KMV" gen iid n=16 d=3 -o text.h5:a
same 'which stays' text "$(cat text.h5)"
ln -s set.h5 link.h5
check 'through a link' "$KMV" gen iid n=16 d=3 -o link.h5:b
check 'the link stays' test -L link.h5
same 'both groups' 2 "$("$KMV" info set.h5 | grep -c '^set.h5:')"
# Another reader: h5py where there is one, else h5dump of the HDF5 tools.
"$KMV" gen iid n=4 d=2 -o other.h5:g >/dev/null
if "$PYTHON" -c 'import h5py' 2>/dev/null; then
    same 'h5py reads it' '(4, 2) float32 str' "$("$PYTHON" -c '
import h5py
g = h5py.File("other.h5")["g"]
print(g["q"][:].shape, g["q"].dtype, type(g.attrs["sha256"]).__name__)')"
    same 'h5py agrees on the hash' True "$("$PYTHON" -c '
import h5py, hashlib
g = h5py.File("other.h5")["g"]
print(g.attrs["sha256"] == hashlib.sha256(b"".join(g[x][()].tobytes() for x in "qkv" if x in g)).hexdigest())')"
    "$PYTHON" -c '
import h5py, numpy as np
with h5py.File("mine.h5", "w") as f:
    g = f.create_group("g")
    g["q"] = np.arange(12, dtype="float16").reshape(4, 3)
    g["k"] = np.arange(15, dtype=">f8").reshape(5, 3)
    g["v"] = np.ones((5, 2), dtype="float32")
    g.attrs.update(causal=True, sigma=np.float32(2), layer=3, model="mine", head=np.int8(1))'
    check 'reads what h5py wrote' "$KMV" info mine.h5
    same 'type' 'type: float16,float64' "$(sed -n 's/^ *type/type/p' out)"
    same 'causal' 'causal: yes' "$(sed -n 's/^ *causal/causal/p' out)"
    same 'model' 'model: mine' "$(sed -n 's/^ *model/model/p' out)"
elif command -v h5dump >/dev/null; then
    check 'h5dump reads it' h5dump -d g/q other.h5
fi

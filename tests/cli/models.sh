# `make data` without a network: the modules of scripts/models with small models, and what is refused.
. "$ROOT/tests/cli/lib"
if "$PYTHON" -c 'import h5py, numpy' 2>/dev/null; then
    for test in passes files; do
        OMP_NUM_THREADS=1 "$PYTHON" -B "$ROOT/tests/models/test_$test.py" ||
            echo "not ok test_$test.py: rc $?"
    done
    # kmv reads what comes out, stacks with shared key heads too, and agrees on the hash.
    check "kmv reads the layers" "$KMV" info outa/smollm2-layers.h5
    cp out info
    same "a problem for each query head" 4 "$(grep -c '^outa/smollm2-layers.h5:L01#[0-3]$' info)"
    same "their hash agrees" 4 "$(grep -c 'attribute agrees' info)"
    check "kmv reads the heads" "$KMV" info outa/smollm2-heads.h5:L01H3
    same "its layer and head" "1 3 yes" \
        "$(awk '/^ *(layer|head|causal):/ { v[$1] = $2 } END { print v["layer:"], v["head:"], v["causal:"] }' out)"
fi
data() { # data OPTIONS...: as `make data` starts it; what is refused is so before anything is fetched
    python3 -B "$ROOT/scripts/models/make_data.py" "$@"
}
bad "n" 2 "make data: n: want an integer >= 2, got '1'" data --n 1
bad "n that is no number" 2 "got '8k'" data --n 8k
bad "negative layer" 2 "layers: want an integer >= 0, got '-1'" data --layers=-1
bad "no layer" 2 "layers: want at least one" data --layers ''
bad "unknown set" 2 "sets: want some of smollm2-heads, smollm2-layers, minilm-n256, minilm-n512, got 'minilm'" \
    data --sets minilm
bad "unknown option" 2 "unrecognized arguments: --nn" data --nn 3
bad "missing text" 2 "nosuch.txt: no such file" data --text nosuch.txt
check "help" data --help
# The variables of make reach it (where make would not first install what environments need).
if python3 -c 'import ensurepip, venv' 2>/dev/null; then
    bad_make() { # bad_make NAME TEXT VARIABLE=VALUE: make says more lines than one, TEXT among them
        make -C "$ROOT" -s data "$3" OUT="$PWD/made" >out 2>err
        same "$1" "2 1" "$? $(grep -cF -- "$2" err)"
    }
    bad_make "make data N=" "n: want an integer >= 2, got 'x'" N=x
    bad_make "make data LAYERS=" "layers: want an integer >= 0, got 'y'" LAYERS='0 y'
    bad_make "make data SETS=" "got 'z'" SETS=z
    bad_make "make data TEXT=" "a file: no such file" TEXT='a file'
    same "nothing was made" "made is not there" "$(ls made 2>/dev/null || echo made is not there)"
fi

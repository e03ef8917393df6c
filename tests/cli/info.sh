# `kmv info` on the samples of datasets/.
. "$ROOT/tests/cli/lib"
check runs "$KMV" info "$ROOT/datasets/encoder.h5:heads#1,2"
same address "$ROOT/datasets/encoder.h5:heads#1,2" "$(head -1 out)"
same shape 'q: 256 x 32' "$(sed -n 's/^ *q:/q:/p' out)"
check all "$KMV" info "$ROOT/datasets/encoder.h5"
same 'every head of the stack' 8 "$(grep -c 'checks: passed' out)"
check decoder "$KMV" info "$ROOT/datasets/decoder.h5"
same 'every group' 5 "$(grep -c '(attribute agrees)' out)"
check json "$KMV" info --json "$ROOT/datasets/encoder.h5:heads#0,3"
same 'json holds n_q' 1 "$(grep -c '"n_q":	256' out)"
bad 'no such file' 2 'missing.h5: No such file' "$KMV" info missing.h5:a
bad 'no such group' 2 "no object 'nothing'" "$KMV" info "$ROOT/datasets/decoder.h5:nothing"
bad 'head out of range' 2 'want a head below 4, found 4' "$KMV" info "$ROOT/datasets/encoder.h5:heads#0,4"
bad 'layer is missing' 2 'GROUP#layer,head' "$KMV" info "$ROOT/datasets/encoder.h5:heads#0"
bad 'no stack' 2 'want an address like FILE:GROUP' "$KMV" info "$ROOT/datasets/decoder.h5:L00H1#0"
cp "$ROOT/datasets/encoder.h5" "$ROOT/datasets/MANIFEST.tsv" .
printf x >>encoder.h5
bad 'file differs from the manifest' 2 'MANIFEST.tsv wants 712129 bytes, found 712130' "$KMV" info encoder.h5

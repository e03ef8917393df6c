# kmv gen: problems into files, readable as any other; bad requests.
. "$ROOT/tests/cli/lib"

for g in planted iid sphere clusters sink dense; do
    check "gen $g" "$KMV" gen $g n=40 d=3 r=2 -o "set.h5:$g" --seed 5
    check "info $g" "$KMV" info "set.h5:$g"
done
same "one file holds all" 6 "$("$KMV" info set.h5 | grep -c '^set.h5:')"

"$KMV" gen iid n=40 d=3 -o a.h5:x --seed 5 >one
"$KMV" gen iid d=3 n=40 -o a.h5:x --seed 5 >two
"$KMV" gen iid n=40 d=3 -o a.h5:x --seed 6 >three
same "equal seeds, equal bits" "$(cat one)" "$(cat two)"
same "another seed, other bits" 2 "$(cat two three | sed 's/.*sha256//' | sort -u | wc -l)"
for size in "n=1 d=1" "n=1 d=5" "n=7 d=1"; do

    check "smallest: $size" "$KMV" gen sink $size -o small.h5:x
done
check "n_k other than n" "$KMV" gen dense n=5 n_k=9 d=2 -o other.h5:x

bad "unknown generator" 2 "did you mean 'planted'" "$KMV" gen plantd n=4 -o b.h5:x
bad "unknown option" 2 "unknown option 'm'" "$KMV" gen iid m=4 -o b.h5:x
bad "n = 0" 2 "n: want an integer" "$KMV" gen iid n=0 -o b.h5:x
bad "no value" 2 "want key=value" "$KMV" gen iid n -o b.h5:x
bad "no target" 2 "want FILE:GROUP" "$KMV" gen iid n=4
bad "no group" 2 "want FILE:GROUP" "$KMV" gen iid n=4 -o b.h5
bad "unreachable sum" 2 "sum: with 3 keys" "$KMV" gen planted n=3 d=2 sum=9 -o b.h5:x
bad "no generator" 2 "an argument is missing" "$KMV" gen
bad "no such folder" 2 "missing/b.h5" "$KMV" gen iid n=4 d=2 -o missing/b.h5:x
same "nothing was left behind" "" "$(ls | grep -e 'b\.h5' -e tmp$)"

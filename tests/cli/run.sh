. "$ROOT/tests/cli/lib"
cat > a.ini <<'END'
[experiment]
seed = 7
reps = 2
min_time = 0
[dataset blobs]
generator = planted
[sweep]
dataset = blobs
algo = null, exact
n = 32, 64
d = 8
sigma = x1, sum:1
eps = 0.1, 0.5
END
check dry_run "$KMV" run a.ini --dry-run
same "eps multiplies only what uses it" "8 cases, 2 repetitions each; 0 measures" "$(tail -1 out)"
check run "$KMV" run a.ini -o dir -q
same "nothing on stderr with -q" "" "$(cat err)"
same "all rows are there" 16 "$(awk 'NR > 1' dir/raw.tsv | wc -l)"
same "no pair twice" "" "$(cut -f3,4 dir/raw.tsv | sort | uniq -d)"
column() { head -1 dir/raw.tsv | tr '\t' '\n' | grep -nx "$1" | cut -d: -f1; }
same "all ok" ok "$(awk 'NR > 1' dir/raw.tsv | cut -f"$(column status)" | sort -u)"
cp dir/raw.tsv before
check again "$KMV" run a.ini -o dir -q
check "a second run adds nothing" cmp before dir/raw.tsv
check filter "$KMV" run a.ini --dry-run --filter algo=exact,n=64
same "filter keeps two" "2 cases, 2 repetitions each; 0 measures" "$(tail -1 out)"
bad "filter without a match" 2 "no case matches" "$KMV" run a.ini --dry-run --filter algo=exakt

# Two folders compared: the second is the first with its rows changed, so that what must be said is known.
. "$ROOT/tests/cli/lib"
cat > a.ini <<'END'
[experiment]
reps = 4
min_time = 0
[dataset blobs]
generator = planted
[sweep]
dataset = blobs
algo = null, exact, uniform
n = 64
d = 8
x = ones
eps = 0.9
END
"$KMV" run a.ini -o raw -q >/dev/null
# change DIR EXPRESSION: a copy of raw whose rows were changed by awk; c[NAME] is a column's number.
change() {
    rm -rf "$1"
    cp -r raw "$1"
    awk -F'\t' -v OFS='\t' 'NR == 1 { for (i = 1; i <= NF; i++) c[$i] = i; print; next }
        { '"$2"'; print }' raw/raw.tsv >"$1/raw.tsv"
}
# verdict ALGO: what the last comparison said of it.
verdict() { awk -F'\t' -v algo="$1" 'NR == 1 { for (i = 1; i <= NF; i++) c[$i] = i; next }
    $c["algo"] == algo { print $c["verdict"] }' out; }
cell() { awk -F'\t' -v algo="$1" -v want="$2" 'NR == 1 { for (i = 1; i <= NF; i++) c[$i] = i; next }
    $c["algo"] == algo { print $c[want] }' out; }
worse() { name=$1; shift; "$@" >out 2>err; same "$name" 1 $?; }
# Times of 10 ms to 10.3 ms and errors of 0.1 to start from.
change a '$c["t_prepare_s"] = 0; $c["t_apply_s"] = 0.01 + 0.0001 * $c["rep"]; $c["status"] = "ok"
    $c["err_l2"] = $c["err_lo"] = $c["err_hi"] = ($c["algo"] == "uniform" ? 0.1 : 0.001)'
rm -r raw && cp -r a raw
check "with itself" "$KMV" compare a a
same "nothing changed" "same,same,same," "$(for x in null exact uniform; do verdict $x; done | tr '\n' ',')"
same "a line on stderr" "3 cases, 0 regressions; median ratio of their times 1" "$(cat err)"
change b 'if ($c["algo"] == "exact") $c["t_apply_s"] *= 1.5; if ($c["algo"] == "uniform") $c["t_apply_s"] /= 2'
worse "slower is a regression" "$KMV" compare a b
same "slower" "slower" "$(verdict exact)"
same "faster" "faster" "$(verdict uniform)"
within "by how much" "$(cell exact time_ratio_med)" 1.4999 1.5001
check "less than the threshold is none" "$KMV" compare a b --threshold 0.6
same "same within the threshold" "same" "$(verdict exact)"
# A machine that was slower all along: relative to exact only what changed beside it counts.
change b '$c["t_apply_s"] *= ($c["algo"] == "uniform" ? 4 : 2)'
worse "a slower machine" "$KMV" compare a b
same "everything is slower" "slower slower slower" "$(verdict null) $(verdict exact) $(verdict uniform)"
worse "relative to exact" "$KMV" compare a b --relative
same "but for exact itself" "same slower slower" "$(verdict null) $(verdict exact) $(verdict uniform)"
within "uniform twice as much" "$(cell uniform time_ratio_med)" 1.9999 2.0001
# Half of the repetitions slower: the interval holds 1.
change b 'if ($c["algo"] == "exact" && $c["rep"] < 2) $c["t_apply_s"] *= 1.5'
check "what noise explains is none" "$KMV" compare a b
same "not slower" "same" "$(verdict exact)"
change b 'if ($c["algo"] == "exact") $c["t_apply_s"] = 2e-4; if ($c["rep"] > 1 && $c["algo"] == "uniform") next'
change b2 'if ($c["algo"] == "exact") $c["t_apply_s"] = 1e-4'
check "under a millisecond nothing is told" "$KMV" compare b2 b
same "not well measured" "times not measured well enough" "$(verdict exact)"
same "two repetitions tell nothing either" "times not measured well enough" "$(verdict uniform)"
change b 'if ($c["algo"] == "uniform" && $c["rep"] == 1) { $c["err_hi"] = $c["err_l2"] = $c["err_lo"] = 0.95
    $c["status"] = "fail_eps"; $c["reason"] = "error 0.95 above 0.9" }'
worse "a worse status is a regression" "$KMV" compare a b
same "fails eps" "now fails eps" "$(verdict uniform)"
same "with its reason" "error 0.95 above 0.9" "$(cell uniform reason)"
check "the other way round it is none" "$KMV" compare b a
same "ok again" "now ok" "$(verdict uniform)"
change b 'if ($c["algo"] == "exact") $c["err_hi"] = $c["err_l2"] = $c["err_lo"] = 0.95'
worse "an eps that the algorithm was not asked for" "$KMV" compare a b
same "misses it" "now misses eps 0.9, less accurate" "$(verdict exact)"
change b 'if ($c["algo"] == "uniform") { $c["err_hi"] = $c["err_l2"] = $c["err_lo"] = 0.2; $c["pairs_frac"] *= 2 }'
check "less accurate alone is none" "$KMV" compare a b
same "less accurate, more pairs" "less accurate, more pairs" "$(verdict uniform)"
check "nor is the reverse" "$KMV" compare b a
same "more accurate, fewer pairs" "more accurate, fewer pairs" "$(verdict uniform)"
change b 'if ($c["algo"] == "uniform") { $c["status"] = "oom"; $c["reason"] = "no memory"; $c["t_apply_s"] = "" }'
worse "out of memory" "$KMV" compare a b
same "says so" "now out of memory" "$(verdict uniform)"
change b 'if ($c["algo"] == "uniform") next; $c["threads"] = 7'
check "in one folder only" "$KMV" compare a b --format md
same "a table" 1 "$(grep -c '^| only in A | blobs' out)"
check "the other one" "$KMV" compare b a -q
same "only in B" "only in B" "$(verdict uniform)"
same "what differs is noted" "threads 7, then 1" "$(cell exact note | sed "s/then [0-9]*/then 1/")"
same "quiet" "" "$(cat err)"
check "to a file" "$KMV" compare a b -o c.tsv
check "is there" test -s c.tsv
change b '$c["case"] = "other" $c["algo"]'
bad "nothing in common" 2 "no case in common" "$KMV" compare a b
bad "one folder" 2 "compare" "$KMV" compare a
bad "no folder" 2 "nowhere: want a results folder" "$KMV" compare a nowhere
bad "threshold" 2 "--threshold" "$KMV" compare a a --threshold -1

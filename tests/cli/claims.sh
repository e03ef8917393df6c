# Claims beside what a run measured: verdicts, words of the table, exit codes, sections that are wrong.
. "$ROOT/tests/cli/lib"
export KMV_PLOTS="$ROOT/plots"
cat > a.ini <<'END'
[experiment]
reps = 3
min_time = 0
[dataset blobs]
generator = planted
[sweep]
dataset = blobs
algo = null, exact, uniform
n = 64, 128
d = 8
x = ones
eps = 0.9
[algo uniform]
samples = 16
[measure]
dataset = blobs
n = 64, 128
END
cat > claims <<'END'
[claim quarter]
source = arithmetic
text = 16 samples of 64 are a quarter of the entries
column = pairs_frac
rows = algo=exact, n=64
per = algo=uniform, n=64
want = >= 3
[claim doubled]
source = arithmetic
text = twice the points are four times the flops
column = flops
rows = algo=exact, n=128
per = algo=exact, n=64
want = < 3
[claim both]
source = arithmetic
text = exact evaluates everything
column = pairs_frac
rows = algo=exact, n=64, 128
want = <= 1
note = two cases
[claim largest]
source = arithmetic
text = the sum grows with nothing
column = n_q
take = largest
rows = dataset=blobs
want = > 127
[claim assumption]
source = its definition
text = a tail is positive
column = tail_over_head
rows = dataset=blobs, n=128
want = > 0
[claim backward]
source = HyperAttention
text = 5.4x with the backward pass
not_testable = no backward pass here
[claim itself]
source = arithmetic
text = exact is as fast as exact
column = speedup_total
rows = algo=exact, n=64
want = >= 1
END
cat a.ini claims >c.ini
check "a failed claim is a result" "$KMV" run c.ini -o dir -q
value() { awk -F'\t' -v claim="$1" -v want="$2" 'NR == 1 { for (i = 1; i <= NF; i++) c[$i] = i; next }
    $c["claim"] == claim { print $c[want] }' dir/tables/claims.tsv; }
same "verdicts" "pass,fail,pass,pass,pass,not testable,pass," \
    "$(for c in quarter doubled both largest assumption backward itself; do value $c verdict; done | tr '\n' ',')"
# Samples are drawn, so pairs of `uniform` vary about a quarter, of 64 columns by 3.5 in one sd.
within "a ratio of medians" "$(value quarter measured_med)" 2 8
within "four times the flops" "$(value doubled measured_med)" 3.5 4.2
same "of one case its repetitions" "1 3" "$(value doubled cases) $(value doubled values)"
same "of several one value each" "2 2" "$(value both cases) $(value both values)"
same "the note of the section" "two cases" "$(value both note)"
same "the largest" "128 " "$(value largest measured_med) $(value largest measured_lo)"
same "why not" "no backward pass here" "$(value backward note)"
same "exactly as fast" "1" "$(value itself measured_med)"
same "its command" "kmv run c.ini -o dir" "$(value quarter command)"
same "none for what cannot be" "" "$(value backward command)"
check "the report has them" grep -q '^| quarter | arithmetic | 16 samples' dir/report.md
same "in HTML too" 1 "$(grep -c '<h2>Claims</h2>' dir/report.html)"
check "as a table" "$KMV" table dir --table claims --format md
same "with what people read" 1 "$(grep -c 'claim | source | text | measured | want | verdict' out)"
"$KMV" report dir --strict >out 2>err
same "strict" 1 $?
sed '/^\[claim doubled\]/,/^want/d' c.ini >dir/config.ini
check "without the failed one" "$KMV" report dir --strict
# A row without the number, and rows that are not there yet.
cat a.ini - >c.ini <<'END'
[claim skipped]
source = a
text = b
column = err_l2
rows = algo=uniform
want = < 1
END
sed -i 's/^n = 64, 128/n = 64/; s/^algo = .*/&\nmatrix = softmax\nsigma = sum:1/' c.ini
check "what cannot be run" "$KMV" run c.ini -o dir2 -q
same "says why" "not testable sigma" "$(awk -F'\t' 'NR == 2 { split($NF, w, " "); print $10, w[1] }' dir2/tables/claims.tsv)"
sed -i '/^matrix/d; /^sigma/d' c.ini
check "a part" "$KMV" run c.ini -o dir3 -q --filter algo=exact
same "is not testable yet" "not testable no such rows" "$(awk -F'\t' 'NR == 2 { print $10, $NF }' dir3/tables/claims.tsv)"
# -- sections that are wrong
first=$(($(wc -l <a.ini) + 1))
wrong() {
    cat a.ini - >c.ini
    bad "$1" 2 "$2" "$KMV" run c.ini -o never
}
start='[claim a]\nsource = s\ntext = t\n'
printf '[claim a]\ntext = t\nnot_testable = x\n' | wrong "no source" "c.ini:$first: [claim a]: want source = ... and text = ..."
printf "${start}"'column = flops\n' | wrong "nothing to measure" "c.ini:$first: [claim a]: want column, rows and want, or not_testable"
printf "${start}"'not_testable = x\nwant = > 1\n' | wrong "both" "want either not_testable or"
printf "${start}"'column = speed\nrows = n=64\nwant = > 1\n' | wrong "column" "[claim a]: column: want a number of raw.tsv or measure.tsv"
printf "${start}"'column = status\nrows = n=64\nwant = > 1\n' | wrong "text is no number" "got 'status'"
printf "${start}"'column = flops\nrows = n=64\nwant = 1\n' | wrong "comparison" "want: want >=, <=, > or < and a number, got '1'"
printf "${start}"'column = flops\nrows = n=64\nwant = > much\n' | wrong "number" "got '> much'"
printf "${start}"'column = flops\nrows = n=64\ntake = mean\nwant = > 1\n' | wrong "take" "take: want median, largest or smallest, got 'mean'"
printf "${start}"'column = flops\nrows = alg=exact\nwant = > 1\n' | wrong "filter" "c.ini:$((first + 4)): rows: rows of raw.tsv have no 'alg', did you mean 'algo'?"
printf "${start}"'column = flops\nrows = exact\nwant = > 1\n' | wrong "filter without a key" "rows: want key=value, ..., got 'exact'"
printf "${start}"'column = alpha\nrows = algo=exact\nwant = > 1\n' | wrong "a measure has no algorithm" "rows of measure.tsv have no 'algo'"
printf "${start}"'column = flops\nrows = n=65\nwant = > 1\n' | wrong "no such case" "c.ini:$first: [claim a]: rows: selects none of the 6 cases"
printf "${start}"'column = flops\nrows = n=64\nper = n=65\nwant = > 1\n' | wrong "nothing below" "per: selects none"
printf "${start}"'colour = red\n' | wrong "unknown key" "colour: want a key of [claim]"
printf '[claim]\ntext = t\n' | wrong "no name" "[claim]: want a name: [claim NAME]"
printf '' >c.ini

# What a plan says of itself: 64 64 9 multiply-adds over 2 64 8 7 + 64 64 9 + 64 + 64 128 9 + 64 128.
cat > counted.ini <<'INI'
[experiment]
reps = 2
min_time = 0
[dataset blobs]
generator = planted
[sweep]
dataset = blobs
matrix = softmax
x = ones
algo = null, kdeformer
n = 64
d = 8
[claim counted]
source = arithmetic
text = 36864 over 126016
column = times_fewer
rows = algo=kdeformer
want = <= 0.293
[claim silent]
source = arithmetic
text = a plan that says nothing of it
column = times_fewer
rows = algo=null
want = > 0
INI
check "plans that count" "$KMV" run counted.ini -o counted -q
same "by the source's count" "0.293 pass" "$(awk -F'\t' 'NR == 1 { for (i = 1; i <= NF; i++) c[$i] = i }
    $1 == "counted" { print $c["measured_med"], $c["verdict"] }' counted/tables/claims.tsv)"
same "or not" "" "$(awk -F'\t' 'NR == 1 { for (i = 1; i <= NF; i++) c[$i] = i }
    $1 == "silent" { print $c["measured_med"] }' counted/tables/claims.tsv)"

. "$ROOT/tests/cli/lib"
export KMV_PLOTS="$ROOT/plots"
cat > a.ini <<'END'
[experiment]
name = small
title = Small & <odd>
seed = 3
reps = 2
min_time = 0
[dataset blobs]
generator = planted
[sweep]
dataset = blobs
algo = null, exact, uniform
matrix = gauss, softmax
n = 32, 64
d = 4
eps = 0.1, 0.5
[figure time]
kind = time_vs_n
matrix = gauss
[figure nothing]
kind = time_vs_n
matrix = softmax
algo = uniform
END
mkdir plots
cp "$ROOT"/plots/*.gp plots
check run "$KMV" run a.ini -o dir -q
same "the last line is the report" "report: dir/report.html" "$(tail -1 out)"
same "plots/latest leads to the figures" "$(realpath dir/plots)" "$(realpath plots/latest)"
for file in report.html report.md results.h5 tables/cases.tsv tables/cases.md tables/cases.tex \
    tables/fastest.tsv plots/time.svg; do
    check "$file is there" test -s dir/$file
done
check "report again" "$KMV" report dir
same "nothing from outside" "" "$(grep -oE 'https?://|src=|<script|<link|@import|url\([^#]' dir/report.html)"
same "one picture" 1 "$(grep -c '<svg' dir/report.html)"
same "ids are not repeated" "" "$(grep -oE " id=[\"'][^\"']*" dir/report.html | sort | uniq -d)"
same "text is escaped" 1 "$(grep -c '<h1>Small &amp; &lt;odd&gt;</h1>' dir/report.html)"
if grep -q 'skipped' dir/raw.tsv; then
    same "what was skipped has a reason" 1 "$(grep -c 'Cases that are not ok</h2>' dir/report.html)"
    check "a figure of skipped cases is a note" grep -q 'cases have no point' dir/report.html
fi
same "how to draw it again" 1 "$(grep -c 'kmv plot dir --figure time' dir/report.md)"
same "how to run it again" 1 "$(grep -c 'kmv run a.ini -o dir' dir/report.md)"
# -- a figure that fails is said in its place and takes nothing else with it
cp -r dir broken
printf '\n[figure unmatched]\nkind = time_vs_n\ndataset = nowhere\n' >>broken/config.ini
rm -f broken/report.html broken/report.md broken/plots/*
bad "a figure without rows" 2 "filters select no rows" "$KMV" report broken
same "the report says so" 1 "$(grep -c 'Not drawn: .*filters select no rows' broken/report.md)"
check "the other figures are drawn" test -s broken/plots/time.svg
check "the page is there" test -s broken/report.html

if "$PYTHON" -c 'import h5py' 2>/dev/null; then
    check "python reads it in a line" "$PYTHON" -c "
import h5py
t = h5py.File('dir/results.h5')['raw'][:]
assert len(t) == $(($(wc -l <dir/raw.tsv) - 1)) and set(t['status']) <= {b'ok', b'skipped', b'fail_eps'}"
fi

check "table" "$KMV" table dir
same "a row for each case and eps" "exact 0.1,exact 0.5,uniform 0.1,uniform 0.5," "$(
    awk -F'\t' 'NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i; next }
        $at["n_q"] == 64 && $at["matrix"] == "gauss" && $at["algo"] != "null" {
            printf "%s %s,", $at["algo"], $at["eps_judged"] }' out)"
check "latex" "$KMV" table dir --format tex -o t.tex --columns algo,algo_opts,t_total_med_s
same "booktabs" "toprule midrule bottomrule" "$(grep -oE '(top|mid|bottom)rule' t.tex | xargs)"
check "methods" "$KMV" table dir --table methods --columns algo,eps_judged
same "a row for each method and eps" yes "$(grep -q '^uniform	0.5$' out && echo yes)"
same "without null" 0 "$(grep -c "^null" out)"
check "two folders" "$KMV" table dir dir --format md
check "report of two" "$KMV" report dir dir -o both
check "both are in it" test "$(grep -c '<h1>' both.html)" -eq 2
bad "where should that be" 2 "want -o BASE" "$KMV" report dir dir
bad "format" 2 "want tsv, md or tex, got 'pdf'" "$KMV" table dir --format pdf
bad "column" 2 "no column 'speed'" "$KMV" table dir --columns speed
bad "kind of table" 2 "want cases, fastest, methods, assumption or claims" "$KMV" table dir --table all
bad "no results" 2 "plots: want a results folder" "$KMV" table plots
bad "unwritable" 2 "/proc/t.md: cannot be written" "$KMV" table dir -o /proc/t.md
printf 'experiment\tcolour\n' >dir/raw.tsv
bad "foreign column" 2 "dir/raw.tsv:1: unknown column 'colour'" "$KMV" table dir
check "a filtered run makes a report" "$KMV" run a.ini -o part -q --filter algo=exact
check "it is there" test -s part/report.html
check "a figure without rows is a note" grep -q 'No rows of it yet' part/report.md
check "the folder says so" test -s part/incomplete
check "the report too" grep -q 'does not hold all cases' part/report.md
check "and so when made again" "$KMV" report part
check "the rest" "$KMV" run a.ini -o part -q
check "completes it" test ! -e part/incomplete
same "then it has all figures" 0 "$(grep -c 'No rows of it yet' part/report.md)"
# -- names with spaces and quotes can be pasted into a shell
cp a.ini "it's a.ini"
check "odd names" "$KMV" run "it's a.ini" -o "my dir" -q
same "how to draw it again" 1 "$(grep -c "^kmv plot 'my dir' --figure time$" 'my dir/report.md')"
same "how to run it again" 1 "$(grep -cF "kmv run 'it'\\''s a.ini' -o 'my dir'" 'my dir/report.md')"

# Every bad configuration ends in one line with file and line number, and exit code 2, before
# anything runs.
. "$ROOT/tests/cli/lib"
good() {
    cat <<'END'
[experiment]
reps = 1
min_time = 0
[dataset blobs]
generator = planted
[sweep]
dataset = blobs
algo = null, exact
n = 16
d = 4
END
}
# refused NAME TEXT SED: the good configuration changed by a sed script is refused with TEXT.
refused() {
    good | sed "$3" >c.ini
    bad "$1" 2 "$2" "$KMV" run c.ini -o dir
    if [ -e dir ]; then echo "not ok $1: left a folder"; rm -rf dir; fi
}
good >c.ini
check "the good one runs" "$KMV" run c.ini -o dir -q
rm -rf dir
refused "unknown key" "c.ini:2: repz: want a key of [experiment], got 'repz', did you mean 'reps'?" 's/^reps/repz/'
refused "unknown key of a sweep" "c.ini:9: nn: " 's/^n = /nn = /'
refused "unknown section" "c.ini:6: [swep]: want experiment, dataset, sweep, measure, algo, figure or claim, got 'swep', did you mean 'sweep'?" 's/\[sweep\]/[swep]/'
refused "unknown algorithm" "c.ini:8: algo: want an algorithm (see \`kmv list algos\`), got 'exakt', did you mean 'exact'?" 's/exact/exakt/'
refused "unknown algorithm section" "c.ini:11: [algo exakt]: want an algorithm" '$a [algo exakt]\nfoo = 1'
refused "unknown option" "c.ini:12: foo: unknown option 'foo'" '$a [algo exact]\nfoo = 1'
refused "unknown option in a labelled section" "c.ini:12: foo: unknown option 'foo'" '$a [algo exact wide]\nfoo = 1'
refused "sweep of a section" "c.ini:12: sweep: want names of sweeps, there is no [sweep big]" '$a [algo exact]\nsweep = big'
refused "no algorithm of that sweep" "c.ini:11: [algo uniform wide]: want an algorithm of a [sweep] that \`sweep\` names, none has it" '$a [algo uniform wide]\nsweep = big\n[sweep big]\ndataset = blobs\nalgo = null'
refused "unknown generator" "c.ini:5: generator: want a generator (see \`kmv list generators\`), got 'plantd', did you mean 'planted'?" 's/planted/plantd/'
refused "unknown generator option" "c.ini:6: foo: unknown option 'foo'" 's/^generator.*/&\nfoo = 1/'
refused "n in a dataset" "c.ini:6: n: want it in [sweep]" 's/^generator.*/&\nn = 1/'
refused "unknown dataset" "c.ini:7: dataset: want the name of a [dataset], got 'blob', did you mean 'blobs'?" 's/^dataset = blobs/dataset = blob/'
refused "sigma zero" "c.ini:11: sigma: want a number" '$a sigma = 0'
refused "sigma negative" "got '-1'" '$a sigma = 1, -1'
refused "sigma NaN" "got 'nan'" '$a sigma = nan'
refused "sigma overflow" "got '1e999'" '$a sigma = 1e999'
refused "eps zero" "c.ini:11: eps: want a number > 0, got '0'" '$a eps = 0'
refused "eps NaN" "got 'NaN'" '$a eps = NaN'
refused "delta one" "c.ini:11: delta: want a number in (0, 1), got '1'" '$a delta = 1'
refused "n zero" "c.ini:9: n: want an integer >= 1, or all, got '0'" 's/^n = 16/n = 0/'
refused "bad range" "c.ini:9: n: " 's/^n = 16/n = geom(64, 16, 2)/'
refused "unknown matrix" "got 'gaus', did you mean 'gauss'?" '$a matrix = gaus'
refused "unknown center" "c.ini:11: center: " '$a center = middle'
refused "causal" "c.ini:11: causal: want yes or no, got 'maybe'" '$a causal = maybe'
refused "unknown x" "c.ini:11: x: " '$a x = goss'
refused "unknown isa" "c.ini:11: isa: " '$a isa = avx1024'
refused "no threads" "c.ini:11: threads: want an integer in [1, 4096], got '0'" '$a threads = 0'
refused "reps zero" "c.ini:2: reps: want an integer in [1, 1000000], got '0'" 's/^reps = 1/reps = 0/'
refused "min_time" "c.ini:3: min_time: want seconds" 's/^min_time = 0/min_time = soon/'
refused "key twice" "c.ini:10: n: stands already on line 9" 's/^d = 4/n = 32/'
refused "section twice" "c.ini:11: section [sweep] stands already on line 6" '$a [sweep]'
refused "no value" "c.ini:9: want [section] or key = value, got 'n 16'" 's/^n = 16/n 16/'
refused "key before a section" "c.ini:1: want a [section] before the first key" '1s/.*/a = 1/'
refused "nothing to continue" "c.ini:2: nothing to continue" 's/^reps/  reps/'
refused "no algorithm" "c.ini:6: [sweep]: want algo = ..." '/^algo/d'
refused "neither file nor generator" "c.ini:4: [dataset blobs]: want either" '/^generator/d'
refused "nothing to do" "c.ini: want at least one [sweep] or [measure]" '/sweep/,$d'
refused "unknown figure kind" "c.ini:12: kind: " '$a [figure f]\nkind = pie'
refused "missing file" "nosuch.h5 is not there; made by: make data" 's/^generator.*/file = nosuch.h5\nmade_by = make data/'
refused "measure: unknown matrix" "c.ini:13: matrix: want gauss, softmax or rowmax, got 'rowmx', did you mean 'rowmax'?" '$a [measure]\ndataset = blobs\nmatrix = rowmx'
# What would come to light only after hours.
refused "algorithm of no sweep" "c.ini:11: [algo uniform]: want an algorithm of a [sweep], none has it" '$a [algo uniform]\nsamples = 4'
refused "figure of no case" "c.ini:11: [figure f]: its filters select none of the 2 cases and 0 measures" '$a [figure f]\nkind = time_vs_n\nn = 32'
refused "figure of what its kind leaves out" "c.ini:11: [figure f]: its filters select none" 's/^algo.*/algo = null/; $a [figure f]\nkind = time_vs_n'
refused "figure of no measure" "c.ini:11: [figure f]: its filters select none" '$a [figure f]\nkind = assumption'
"$KMV" gen planted n=16 d=4 -o x.h5:p >/dev/null
refused "x that is no object" "c.ini:11: x: x.h5: no " '$a x = ones, x.h5:nosuch'
refused "x without a file" "c.ini:11: x: " '$a x = nosuch.h5:v'
good | sed '$a causal = no\n[figure f]\nkind = time_vs_n\ncausal = no\nthreads = 1\nr = 1' >c.ini
check "what only the run tells is no reason" "$KMV" run c.ini --dry-run
good >c.ini
bad "missing config" 2 "nosuch.ini: No such file" "$KMV" run nosuch.ini -o dir
bad "no folder given" 2 "want -o DIR" "$KMV" run c.ini
good >c.ini
bad "isa on the command line" 2 "avx1024" "$KMV" run c.ini -o dir --isa avx1024
bad "limit" 2 "--limit-time: want seconds > 0, got '-1'" "$KMV" run c.ini -o dir --limit-time=-1
# A file as data set: n beyond it is an error, another d is a row that says so.
"$KMV" gen planted n=16 d=4 -o data.h5:p >/dev/null
good | sed 's/^generator.*/file = data.h5/; s/^n = 16/n = 8, 32/' >c.ini
bad "n larger than the data" 2 "c.ini:9: n: data set 'blobs' has 16 points, got 32" "$KMV" run c.ini -o dir
good | sed 's/^generator.*/file = data.h5/; s/^n = 16/n = 8/; s/^d = 4/d = 4, 5/' >c.ini
check "prefixes of a file" "$KMV" run c.ini -o dir -q
same "another d is skipped" "skipped d = 5 asked, the data set has d = 4" "$(awk -F'\t' 'NR > 1 && $13 == 5 {print $5, $6}' dir/raw.tsv | sort -u)"
same "and the file's is done" "ok" "$(awk -F'\t' 'NR > 1 && $13 == 4 {print $5}' dir/raw.tsv | sort -u)"
# Folders.
good >other.ini
bad "folder of other cases" 2 "dir: holds results of other cases than other.ini asks for" "$KMV" run other.ini -o dir -q
mkdir other # where the file's name, and so the experiment's, is the same
changed() {
    sed "$2" c.ini >other/c.ini
    bad "other rows: $1" 2 "holds results of other cases than other/c.ini" "$KMV" run other/c.ini -o dir -q
}
changed repetitions 's/^reps = 1/reps = 2/'
changed min_time 's/^min_time = 0/min_time = 0.1/'
changed "name of the sweep" 's/^\[sweep\]/[sweep s]/'
changed judging 's/^reps = 1/verify_rows = 9\n&/'
changed "name of the experiment" 's/^reps = 1/name = b\n&/'
# Titles, figures and comments define no case: the folder is gone on with and follows the new config.
cp dir/raw.tsv before
sed 's/^reps = 1/title = New\n&/; s/^n = 8/n = 8 ; first/; $a [figure f]\nkind = time_vs_n' c.ini >other/c.ini
check "another title and figure" "$KMV" run other/c.ini -o dir -q
check "no row is run again" cmp before dir/raw.tsv
check "config.ini follows" cmp other/c.ini dir/config.ini
same "and the title" "New" "$(awk -F'\t' '$1 == "title" { print $2 }' dir/provenance.tsv)"
check "the figure is drawn" test -s dir/plots/f.svg
cp -r dir old
sed -i '/^cases_sha256/d' old/provenance.tsv
bad "folder of another version" 2 "old: made by another version of kmv" "$KMV" run c.ini -o old -q
bad "folder of another seed" 2 "dir: holds results with seed 1, asked for 3" "$KMV" run c.ini -o dir -q --seed 3
bad "folder of other threads" 2 "dir: holds results with threads" "$KMV" run c.ini -o dir -q --threads 77
bad "folder of another isa" 2 "dir: holds results with isa $(awk -F"\t" '$1 == "isa" { print $2 }' dir/provenance.tsv), asked for portable" "$KMV" run c.ini -o dir -q --isa portable
bad "folder under a file" 2 "c.ini/dir" "$KMV" run c.ini -o c.ini/dir -q
bad "folder that cannot be" 2 "/proc/nosuch" "$KMV" run c.ini -o /proc/nosuch -q

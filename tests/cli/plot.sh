. "$ROOT/tests/cli/lib"
export KMV_PLOTS="$ROOT/plots"
cat > a.ini <<'END'
[experiment]
name = small
seed = 3
reps = 2
min_time = 0
[dataset blobs]
generator = planted
[sweep]
dataset = blobs
algo = null, exact, uniform
n = 32, 64, 128
d = 4
eps = 0.1, 0.5
[sweep dimension]
dataset = blobs
algo = null, exact, uniform
n = 64
d = 2, 4, 8
eps = 0.1
[sweep sigma]
dataset = blobs
algo = null, exact, uniform
n = 64
d = 4
sigma = x0.5, x2
eps = 0.1
[figure time]
kind = time_vs_n
title = Time of small_things & "others"
d = 4
sigma = x1
[figure sigma]
kind = sigma
n = 64
d = 4
[figure dimension]
kind = dimension
n = 64
sigma = x1
eps = 0.1
[figure errors]
kind = error_vs_time
algo = uniform, null
n = 64
[figure asked]
kind = reached_vs_asked
n = 64
[figure pairs]
kind = pairs_vs_n
d = 4
sigma = x1
END
cat >> a.ini <<'END'
[dataset encoder]
file = encoder.h5
[sweep heads]
dataset = encoder
algo = null, exact, uniform
n = 48, 96
eps = 0.5
causal = yes
[sweep plans]
dataset = blobs
algo = auto
n = 64
d = 4
sigma = x0.5, x2
eps = 0.1, 0.5
[sweep literal]
dataset = blobs
algo = paper
n = 64, 128
d = 4
sigma = x2
eps = 0.1
[figure pooled]
kind = pooled_error_vs_time
dataset = encoder
n = 48
[figure share]
kind = error_vs_pairs
dataset = blobs
n = 64
d = 4
sigma = x1
[figure chosen]
kind = plan_by_n
[figure flops]
kind = flops_vs_n
dataset = blobs
d = 4
sigma = x1
[figure literal]
kind = phase_pairs
predicted = largest 1.891
[figure memory]
kind = memory_vs_n
dataset = blobs
d = 4
sigma = x1
[figure phases]
kind = phases
dataset = blobs
d = 4
sigma = x1
algo = exact, uniform
[figure plans]
kind = plan_map
[figure heads]
kind = heat_map
dataset = encoder
n = 48
[figure positions]
kind = error_by_position
dataset = encoder:heads#0?1
n = 48
[figure full]
kind = heat_map
dataset = encoder
END
cp "$ROOT/datasets/encoder.h5" .
"$KMV" run a.ini -o dir -q >out 2>err
same "a map with two rows for a cell" "2 several rows for one cell" "$? $(grep -o 'several rows for one cell' err)"
sed -i '/^\[figure full\]/,$d' a.ini
check run "$KMV" run a.ini -o dir -q
same "three headlines" 3 "$(grep -cE '^(speed-up|assumption|throughput)' out)"
for figure in time sigma dimension errors asked pairs memory phases literal pooled share chosen flops plans heads positions; do
    for end in svg pdf png; do
        check "$figure.$end is there" test -s dir/plots/$figure.$end
    done
    cp dir/plots/$figure.svg $figure.before
    cp dir/plots/$figure.pdf $figure.pdf.before
done
same "no temporary file stays" "" "$(find dir -name '*.tmp' -o -name '*.new')"
check again "$KMV" plot dir
for figure in time sigma dimension errors asked pairs memory phases literal pooled share chosen flops plans heads positions; do
    check "$figure.svg has the same bytes" cmp $figure.before dir/plots/$figure.svg
    check "$figure.pdf has them too" cmp $figure.pdf.before dir/plots/$figure.pdf
done
same "a cell for each head" "$(cut -f1 dir/datasets.tsv | grep -c 'file=encoder.h5')" \
    "$(($(wc -l <dir/agg/heads/01-uniform.tsv) - 1))"
same "a point for each sixteenth" 16 "$(($(cat dir/agg/positions/01-*.tsv | wc -l) - 1))"
same "a curve for each phase" "heavy largest samples" \
    "$(awk -F'\t' 'NR == 1 { for (i = 1; i <= NF; i++) c[$i] = i }
        FNR > 1 { print $c["phase"] }' dir/agg/literal/*.tsv | sort -u | xargs)"
same "one of them with a prediction" 1 "$(grep -c "^PREDICTED.*= ', predicted" dir/agg/literal/series.gp)"
same "more time only for less error" "" "$(awk -F'\t' 'NR == 1 { for (i = 1; i <= NF; i++) c[$i] = i }
    FNR > 2 && !($c["t_total_med_s"] > t && $c["err_l2_med"] < e) { print FILENAME, FNR }
    FNR > 1 { t = $c["t_total_med_s"]; e = $c["err_l2_med"] }' dir/agg/errors/*.tsv)"
same "all eight heads in one row" 8 "$(head -2 dir/agg/pooled/01-*.tsv | tail -1 | awk -F'\t' '{ print $NF }')"
same "only auto has plans" "auto" "$(awk -F'\t' 'NR == 1 { for (i = 1; i <= NF; i++) c[$i] = i }
    FNR > 1 { print $c["algo"] }' dir/agg/plans/*.tsv | sort -u)"
same "no version in a figure" "" "$(grep -il 'gnuplot [0-9]' dir/plots/*.svg)"
same "a curve has the columns of a table" "$("$KMV" table dir | head -1)" \
    "$(head -1 dir/agg/time/01-*.tsv)"
check "null is drawn when asked for" grep -q "^LABEL.*= 'null" dir/agg/errors/series.gp
same "and else left out" 0 "$(grep -c "= 'null" dir/agg/time/series.gp)"

# Strict: gnuplot warns and exits 0 where plot.sh must fail, and nothing may appear.
plot() { "$ROOT/scripts/plot.sh" "$1" dir/agg/time new; }
mkdir plots
cp "$ROOT"/plots/*.gp plots
check "plain template" plot plots/time_vs_n.gp
rm new.*
sed 's/"t_total_hi_s"/"t_total_hj_s"/' plots/time_vs_n.gp >plots/wrong.gp
bad "missing column" 1 "t_total_hj_s" plot plots/wrong.gp
sed 's/CURVE(i) /CURVE(i).".gone" /' plots/time_vs_n.gp >plots/wrong.gp
bad "missing file" 1 "gone" plot plots/wrong.gp
echo 'plot [' >>plots/wrong.gp
bad "syntax" 1 "wrong.gp" plot plots/wrong.gp
bad "missing template" 1 "plots/none.gp: no such file" plot plots/none.gp
bad "missing index" 1 "series.gp: no such file" "$ROOT/scripts/plot.sh" plots/time_vs_n.gp dir new
same "nothing was drawn" "" "$(ls new* 2>/dev/null)"
cp dir/plots/time.svg before.svg
printf 'print "something"\n' >>plots/time_vs_n.gp
bad "kmv plot says what gnuplot says" 2 "[figure time]: plot.sh: " "$KMV" plot dir --figure time
check "the old figure stays" cmp before.svg dir/plots/time.svg

bad "no such figure" 2 "no [figure nothing]" "$KMV" plot dir --figure nothing
bad "no folder" 2 "nowhere: want a results folder" "$KMV" plot nowhere
line=$(($(grep -n '^.figure asked' dir/config.ini | cut -d: -f1) + 2))
sed -i "${line}s/64/65/" dir/config.ini
bad "a figure without rows" 2 "dir/config.ini:$(grep -n '^.figure asked' dir/config.ini |
    cut -d: -f1): [figure asked]: its filters select no rows" "$KMV" plot dir --figure asked
sed -i "${line}s/n = 65/m = 65/" dir/config.ini
bad "wrong key" 2 "dir/config.ini:$line:" "$KMV" plot dir

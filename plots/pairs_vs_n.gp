# pairs_vs_n: kernel entries evaluated per query against n, a count that no noise of the machine
# touches; in the legend its exponent.
YS = 1
key_text(i, c) = LABEL[i].FIT1[i]
load PLOTS."/style.gp"
set multiplot
set xlabel "number of points n"
do for [p = 1:PANELS] {
    eval CELL(p, 1, "entries evaluated per query")
    plot for [i = FIRST[p]:LAST[p]] CURVE(i) using "n_q":"pairs_per_query" with linespoints \
        linecolor rgb rgb(i) pointtype mark(i) dashtype dash(i) linewidth 1.2
}
load PLOTS."/page.gp"

# flops_vs_n: floating-point operations against n, a count; in the legend its exponent.
YS = 1
key_text(i, c) = LABEL[i].FIT1[i]
load PLOTS."/style.gp"
set multiplot
set xlabel "number of points n"
do for [p = 1:PANELS] {
    eval CELL(p, 1, "floating-point operations")
    plot for [i = FIRST[p]:LAST[p]] CURVE(i) using "n_q":"flops" with linespoints \
        linecolor rgb rgb(i) pointtype mark(i) dashtype dash(i) linewidth 1.2
}
load PLOTS."/page.gp"

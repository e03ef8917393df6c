# phase_pairs: kernel entries of each phase of a method against n, in the legend its exponent; dashed
# grey: the exponent that was predicted, through the first point of its curve.
YS = 1
key_text(i, c) = LABEL[i].FIT1[i].PREDICTED[i]
guide(i, x) = GUIDE_Y[i] * (x / GUIDE_X[i]) ** GUIDE[i]
load PLOTS."/style.gp"
set multiplot
set xlabel "number of points n"
do for [p = 1:PANELS] {
    eval CELL(p, 1, "entries evaluated")
    plot for [i = FIRST[p]:LAST[p]] guide(i, x) with lines linecolor rgb "#999999" dashtype 2 \
        linewidth 1, \
        for [i = FIRST[p]:LAST[p]] CURVE(i) using "n_q":"entries" with linespoints \
        linecolor rgb rgb(i) pointtype mark(i) dashtype dash(i) linewidth 1.2
}
load PLOTS."/page.gp"

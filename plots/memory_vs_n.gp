# memory_vs_n: bytes that an algorithm allocates at its peak, inputs and y excluded, against n; in
# the legend the exponent.
YS = 1
key_text(i, c) = LABEL[i].FIT1[i]
load PLOTS."/style.gp"
set multiplot
set xlabel "number of points n"
do for [p = 1:PANELS] {
    eval CELL(p, 1, "memory at the peak [bytes]")
    plot for [i = FIRST[p]:LAST[p]] CURVE(i) using "n_q":"mem_peak_b" with linespoints \
        linecolor rgb rgb(i) pointtype mark(i) dashtype dash(i) linewidth 1.2
}
load PLOTS."/page.gp"

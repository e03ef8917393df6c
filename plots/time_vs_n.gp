# time_vs_n: time with set-up against n; in the legend the exponent fitted over n and
# where the curve meets that of exact, which a star marks.
YS = 1
CROSS_STARS = 1
key_text(i, c) = LABEL[i].FIT1[i].CROSSING[i]
load PLOTS."/style.gp"
set multiplot
set xlabel "number of points n"
do for [p = 1:PANELS] {
    eval CELL(p, 1, "set-up and one product [s]")
    plot for [i = FIRST[p]:LAST[p]] CURVE(i) \
        using "n_q":"t_total_med_s":"t_total_lo_s":"t_total_hi_s" with yerrorlines \
        linecolor rgb rgb(i) pointtype mark(i) dashtype dash(i) linewidth 1.2
}
load PLOTS."/page.gp"

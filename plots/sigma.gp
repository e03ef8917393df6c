# sigma: error and time with set-up against the bandwidth; the grey line is the error of answering 0
# or, for softmax, the mean of V.
YS = 2
FLOOR_LINE = 1
key_text(i, c) = LABEL[i]
load PLOTS."/style.gp"
set multiplot
set xlabel "bandwidth {/Symbol s} [coordinates]"
do for [p = 1:PANELS] {
    eval CELL(p, 1, "error ".ERROR)
    plot for [i = FIRST[p]:LAST[p]] CURVE(i) using "sigma":"floor_err" with lines linetype 100, \
        for [i = FIRST[p]:LAST[p]] CURVE(i) \
        using "sigma":"err_l2_med":"err_l2_lo":"err_l2_hi" with yerrorlines \
        linecolor rgb rgb(i) pointtype mark(i) dashtype dash(i) linewidth 1.2
    eval CELL(p, 2, "set-up and one product [s]")
    plot for [i = FIRST[p]:LAST[p]] CURVE(i) \
        using "sigma":"t_total_med_s":"t_total_lo_s":"t_total_hi_s" with yerrorlines \
        linecolor rgb rgb(i) pointtype mark(i) dashtype dash(i) linewidth 1.2
}
load PLOTS."/page.gp"

# pooled_error_vs_time: each point the medians of one setting of an algorithm over all data sets, bars the quartiles;
# grey lines are the errors of answering 0 and, for softmax, the mean of V.
YS = 1
LEVEL_LINES = 1
key_text(i, c) = LABEL[i]
load PLOTS."/style.gp"
set multiplot
set xlabel "set-up and one product [s]"
do for [p = 1:PANELS] {
    eval CELL(p, 1, "median error ".ERROR)
    plot for [l = LEVEL_FIRST[p]:LEVEL_LAST[p]] LEVEL[l] with lines linetype LEVEL_TYPE[l], \
        for [i = FIRST[p]:LAST[p]] CURVE(i) using "t_total_med_s":"err_l2_med":"t_total_lo_s":\
        "t_total_hi_s":"err_l2_lo":"err_l2_hi" with xyerrorlines \
        linecolor rgb rgb(i) pointtype mark(i) dashtype dash(i) linewidth 1.2
}
load PLOTS."/page.gp"
